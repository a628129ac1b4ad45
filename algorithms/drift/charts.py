"""Control charts: detectors that come from quality control and watch one running figure against its limits."""

from __future__ import annotations

from typing import Literal

from river.base import BinaryDriftAndWarningDetector

from streamlearn.detector import ValueDetector
from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_range

from . import kernels

MODES = ("down", "both", "up")


class PageHinkley(ValueDetector):
    """Page-Hinkley test: drift where the summed deviations from the mean leave their extreme.

    With ``mode="up"`` it is the test of MOA's later source; the MOA in CapyMOA 0.15.1 compares the sum itself with the
    threshold, not its rise above the minimum. River's class of this name waits for one value more, and starts the
    extreme of falls at -1.

    Parameters
    ----------
    min_instances : int >= 0
        Values before the first alarm, less one.
    delta : float >= 0
        Deviations from the mean that are tolerated.
    threshold : float > 0
        How far the sum may leave its extreme (the paper's lambda).
    alpha : float in [0, 1]
        What is kept of the sum at each value.
    mode : "up", "down" or "both"
        Whether rises of the mean, falls, or both are drift.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.PageHinkley(threshold=20).update_many([0.0] * 500 + [1.0] * 100)
    >>> int(levels.argmax())  # the first drift
    520

    References
    ----------
    Page, Continuous Inspection Schemes, Biometrika 1954; Hinkley, Inference about the Change-Point from Cumulative Sum
    Tests, Biometrika 1971.
    """

    _size = 8
    _kernel = staticmethod(kernels.page_hinkley)

    def __init__(
        self,
        *,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 1 - 0.0001,
        mode: Literal["up", "down", "both"] = "both",
    ) -> None:
        check_range("min_instances", min_instances, 0, 2**31, kind=int)
        check_range("delta", delta, 0.0, 1e300)
        check_range("threshold", threshold, 0.0, 1e300, open_low=True)
        check_range("alpha", alpha, 0.0, 1.0)
        check_choice("mode", mode, MODES)
        self.min_instances = min_instances
        self.delta = delta
        self.threshold = threshold
        self.alpha = alpha
        self.mode = mode
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.min_instances, self.delta, self.threshold, self.alpha, MODES.index(self.mode) - 1]


class CUSUM(ValueDetector):
    """Cumulative sum chart: drift where what exceeds the mean adds up to more than the threshold.

    It watches for rises only, and its alarms are MOA's.

    Parameters
    ----------
    min_instances : int >= 0
        Values before the first alarm, less one.
    delta : float >= 0
        What a value may exceed the mean by.
    threshold : float > 0
        The sum at which it sees drift.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.CUSUM(threshold=20).update_many([0.0] * 500 + [1.0] * 100)
    >>> int(levels.argmax())  # the first drift
    520

    References
    ----------
    Page, Continuous Inspection Schemes, Biometrika 1954.
    """

    _size = 5
    _kernel = staticmethod(kernels.cusum)

    def __init__(self, *, min_instances: int = 30, delta: float = 0.005, threshold: float = 50.0) -> None:
        check_range("min_instances", min_instances, 0, 2**31, kind=int)
        check_range("delta", delta, 0.0, 1e300)
        check_range("threshold", threshold, 0.0, 1e300, open_low=True)
        self.min_instances = min_instances
        self.delta = delta
        self.threshold = threshold
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.min_instances, self.delta, self.threshold]


class GeometricMovingAverage(ValueDetector):
    """Geometric moving average chart: drift where the faded deviation from the mean passes the threshold.

    It watches for rises only, and its alarms are MOA's. The default threshold is MOA's too: errors, which are at most
    1, never reach it, so choose one that fits your values.

    Parameters
    ----------
    min_instances : int >= 0
        Values before the first alarm, less one.
    threshold : float > 0
        The moving average at which it sees drift.
    alpha : float in [0, 1]
        What is kept of the moving average at each value.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.GeometricMovingAverage(threshold=0.2).update_many([0.0] * 500 + [1.0] * 100)
    >>> int(levels.argmax())  # the first drift
    522

    References
    ----------
    Roberts, Control Chart Tests Based on Geometric Moving Averages, Technometrics 1959.
    """

    _size = 5
    _kernel = staticmethod(kernels.gma)

    def __init__(self, *, min_instances: int = 30, threshold: float = 1.0, alpha: float = 0.99) -> None:
        check_range("min_instances", min_instances, 0, 2**31, kind=int)
        check_range("threshold", threshold, 0.0, 1e300, open_low=True)
        check_range("alpha", alpha, 0.0, 1.0)
        self.min_instances = min_instances
        self.threshold = threshold
        self.alpha = alpha
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.min_instances, self.threshold, self.alpha]


_LIMITS = {
    100: (2.76, -6.23, 18.12, -312.45, 1002.18),
    400: (3.97, -6.56, 48.73, -330.13, 848.18),
    1000: (1.17, 7.56, -21.24, 112.12, -987.23),
}
"""Limits as polynomials of the error rate (powers 0, 1, 3, 5, 7), for each run length: Ross et al. 2012, table 1."""


class EWMAChart(ValueDetector, BinaryDriftAndWarningDetector):
    """Exponentially weighted moving average chart (ECDD): drift where the recent error rate leaves the overall one.

    Its alarms are MOA's (there, the run length is 400).

    Parameters
    ----------
    min_instances : int >= 0
        Values before the first alarm, less one.
    lambda_val : float in (0, 1]
        Weight of the newest value.
    arl0 : 100, 400 or 1000
        Values between two false alarms, on average.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.EWMAChart().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    305

    References
    ----------
    Ross, Adams, Tasoulis and Hand, Exponentially Weighted Moving Average Charts for Detecting Concept Drift, Pattern
    Recognition Letters 2012.
    """

    accepts = "binary"
    _size = 5
    _kernel = staticmethod(kernels.ewma_chart)

    def __init__(
        self, *, min_instances: int = 30, lambda_val: float = 0.2, arl0: Literal[100, 400, 1000] = 400
    ) -> None:
        check_range("min_instances", min_instances, 0, 2**31, kind=int)
        check_range("lambda_val", lambda_val, 0.0, 1.0, open_low=True)
        if arl0 not in _LIMITS:
            raise OptionError(f"arl0 must be one of {', '.join(map(str, _LIMITS))}, got {arl0!r}")
        self.min_instances = min_instances
        self.lambda_val = lambda_val
        self.arl0 = arl0
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.min_instances, self.lambda_val, *_LIMITS[self.arl0]]
