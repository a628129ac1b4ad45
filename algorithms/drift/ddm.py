"""DDM and its successors RDDM and EDDM: detectors that watch a learner's errors."""

from __future__ import annotations

from river.base import BinaryDriftAndWarningDetector

from streamlearn.detector import ValueDetector
from streamlearn.detector_kernels import MonitorArrays
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range

from . import kernels, window_kernels
from .check import check_whole


class DDM(ValueDetector, BinaryDriftAndWarningDetector):
    """Drift Detection Method: drift where the error rate is too far above its minimum.

    Its alarms are MOA's. River's class of this name begins to look two values later: it is this one with a
    ``warm_start`` that is greater by 2.

    Parameters
    ----------
    warm_start : int >= 0
        Values before the first alarm, less one.
    warning_threshold, drift_threshold : float > 0
        Deviations above the minimum at which it warns, and sees drift.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.DDM().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    324

    References
    ----------
    Gama, Medas, Castillo and Rodrigues, Learning with Drift Detection, SBIA 2004.
    """

    accepts = "binary"
    _size = 6
    _kernel = staticmethod(kernels.ddm)

    def __init__(self, *, warm_start: int = 30, warning_threshold: float = 2.0, drift_threshold: float = 3.0) -> None:
        check_range("warm_start", warm_start, 0, 2**31, kind=int)
        check_thresholds(warning_threshold, drift_threshold)
        self.warm_start = warm_start
        self.warning_threshold = warning_threshold
        self.drift_threshold = drift_threshold
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.warm_start, self.warning_threshold, self.drift_threshold]


class EDDM(ValueDetector, BinaryDriftAndWarningDetector):
    """Early Drift Detection Method: drift where errors come too close to each other.

    It watches the distances between errors, and so sees slow drift while errors are still rare. Its alarms are MOA's;
    River's class of this name divides by one error less in the variance of the distances.

    Parameters
    ----------
    warm_start : int >= 0
        Errors before the first alarm.
    alpha, beta : float in (0, 1), alpha >= beta
        It warns where mean + 2 deviations of the distances fall below ``alpha`` times their maximum, and sees drift
        below ``beta`` times.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.EDDM().update_many([0, 0, 0, 0, 1] * 60 + [0, 1] * 100)
    >>> int(levels.argmax())  # the first drift
    475

    References
    ----------
    Baena-García, del Campo-Ávila, Fidalgo, Bifet, Gavaldà and Morales-Bueno, Early Drift Detection Method, IWKDDS 2006.
    """

    accepts = "binary"
    _size = 8
    _kernel = staticmethod(kernels.eddm)

    def __init__(self, *, warm_start: int = 30, alpha: float = 0.95, beta: float = 0.9) -> None:
        check_range("warm_start", warm_start, 0, 2**31, kind=int)
        check_range("alpha", alpha, 0.0, 1.0, open_low=True)
        check_range("beta", beta, 0.0, 1.0, open_low=True)
        if beta > alpha:
            raise OptionError(f"beta must be <= alpha, or it never warns; got beta={beta!r}, alpha={alpha!r}")
        self.warm_start = warm_start
        self.alpha = alpha
        self.beta = beta
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.warm_start, self.alpha, self.beta]


class RDDM(ValueDetector, BinaryDriftAndWarningDetector):
    """Reactive Drift Detection Method: DDM that does not grow numb in long concepts.

    It remembers its last values. After a drift it starts from those since the warning began; a concept that lasts too
    long is cut down to them; a warning that lasts too long is a drift. Its alarms are MOA's.

    Parameters
    ----------
    warm_start : int >= 0
        Values before the first alarm.
    warning_threshold, drift_threshold : float > 0
        Deviations above the minimum at which it warns, and sees drift.
    max_size_concept : int >= 1
        A concept longer than this is cut down.
    min_size_stable_concept : int in 1 … 1,000,000
        Values that are remembered (8 bytes each).
    warn_limit : int >= 1
        Values for which a warning may last.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.RDDM().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    314

    References
    ----------
    Barros, Cabral, Gonçalves and Santos, RDDM: Reactive Drift Detection Method, Expert Systems with Applications 2017.
    """

    accepts = "binary"
    _size = 13
    _kernel = staticmethod(window_kernels.rddm)

    def __init__(
        self,
        *,
        warm_start: int = 129,
        warning_threshold: float = 1.773,
        drift_threshold: float = 2.258,
        max_size_concept: int = 40_000,
        min_size_stable_concept: int = 7_000,
        warn_limit: int = 1_400,
    ) -> None:
        check_range("warm_start", warm_start, 0, 2**31, kind=int)
        check_thresholds(warning_threshold, drift_threshold)
        check_range("max_size_concept", max_size_concept, 1, 2**31, kind=int)
        check_range("min_size_stable_concept", min_size_stable_concept, 1, 1_000_000, kind=int)
        check_range("warn_limit", warn_limit, 1, 2**31, kind=int)
        self.warm_start = warm_start
        self.warning_threshold = warning_threshold
        self.drift_threshold = drift_threshold
        self.max_size_concept = max_size_concept
        self.min_size_stable_concept = min_size_stable_concept
        self.warn_limit = warn_limit
        super().__init__()

    def _parameters(self) -> list[float]:
        thresholds = [self.warning_threshold, self.drift_threshold]
        return [self.warm_start, *thresholds, self.max_size_concept, self.warn_limit]

    def _window(self) -> tuple[int, int]:
        return (1, self.min_size_stable_concept)

    def _check(self, arrays: MonitorArrays) -> None:
        size = self.min_size_stable_concept
        check_whole(arrays.numbers, window_kernels.STORED, 0, size)
        check_whole(arrays.numbers, window_kernels.OLDEST, 0, size - 1)
        check_whole(arrays.numbers, window_kernels.NEXT, 0, size - 1)
        check_whole(arrays.numbers, window_kernels.WARNED_PLACE, 0, size)


def check_thresholds(warning: float, drift: float) -> None:
    """Refuse thresholds that are not numbers above 0, the warning's first."""
    check_range("warning_threshold", warning, 0.0, 1e6, open_low=True)
    check_range("drift_threshold", drift, 0.0, 1e6, open_low=True)
    if warning > drift:
        raise OptionError(
            f"warning_threshold must be <= drift_threshold, or it never warns; got {warning!r} and {drift!r}"
        )
