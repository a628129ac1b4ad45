"""HDDM: detectors with Hoeffding's and McDiarmid's bounds, for values from 0 to 1."""

from __future__ import annotations

from typing import Literal

from river.base import BinaryDriftAndWarningDetector

from streamlearn.detector import ValueDetector
from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_flag, check_range

from . import kernels

ON_DECREASE = ("alarm", "restart")


class HDDM_A(ValueDetector, BinaryDriftAndWarningDetector):  # noqa: N801 (the paper's name)
    """Drift where the mean since the start leaves the mean up to its best cut, by Hoeffding's bound.

    Needs no assumption about the values but their range, and suits abrupt drift. Its alarms are MOA's, of which the
    defaults are ``two_sided_test=True, on_decrease="restart"``; River's ``HDDMA`` gives the same alarms as this one.

    Parameters
    ----------
    drift_confidence, warning_confidence : float in (0, 1]
        Chances of a false alarm; the drift's is the smaller.
    two_sided_test : bool
        Whether to watch for falls of the mean as well.
    on_decrease : "alarm" or "restart"
        What a fall does: it is a drift (as in River), or it makes the detector forget without a word (as in MOA).

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.HDDM_A().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    310

    References
    ----------
    Frías-Blanco, del Campo-Ávila, Ramos-Jiménez, Morales-Bueno, Ortiz-Díaz and Caballero-Mota, Online and
    Non-Parametric Drift Detection Methods Based on Hoeffding's Bounds, IEEE TKDE 2015.
    """

    accepts = "unit"
    _size = 8
    _kernel = staticmethod(kernels.hddm_a)

    def __init__(
        self,
        *,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        two_sided_test: bool = False,
        on_decrease: Literal["alarm", "restart"] = "alarm",
    ) -> None:
        _check_confidences(drift_confidence, warning_confidence)
        check_flag("two_sided_test", two_sided_test)
        check_choice("on_decrease", on_decrease, ON_DECREASE)
        self.drift_confidence = drift_confidence
        self.warning_confidence = warning_confidence
        self.two_sided_test = two_sided_test
        self.on_decrease = on_decrease
        super().__init__()

    def _parameters(self) -> list[float]:
        decreases = self.two_sided_test * (1 + ON_DECREASE.index(self.on_decrease))
        return [self.drift_confidence, self.warning_confidence, decreases]


class HDDM_W(ValueDetector, BinaryDriftAndWarningDetector):  # noqa: N801 (the paper's name)
    """Drift where the weighted mean since the best cut leaves that up to it, by McDiarmid's bound.

    Newer values weigh more, which suits gradual drift. Its alarms are MOA's. With ``two_sided_test`` it takes the
    highest lower bound from minus infinity, as the paper and River do; MOA's starts at the least positive number.
    River's ``HDDMW`` takes the first value's weight as an update, so that its bounds are a little narrower.

    Parameters
    ----------
    drift_confidence, warning_confidence : float in (0, 1]
        Chances of a false alarm; the drift's is the smaller.
    lambda_val : float in (0, 1]
        Weight of the newest value.
    two_sided_test : bool
        Whether to watch for falls of the mean as well.
    on_decrease : "alarm" or "restart"
        What a fall does: it is a drift (as in River), or it makes the detector forget without a word (as in MOA).

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.HDDM_W().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    320

    References
    ----------
    Frías-Blanco, del Campo-Ávila, Ramos-Jiménez, Morales-Bueno, Ortiz-Díaz and Caballero-Mota, Online and
    Non-Parametric Drift Detection Methods Based on Hoeffding's Bounds, IEEE TKDE 2015.
    """

    accepts = "unit"
    _size = 15
    _kernel = staticmethod(kernels.hddm_w)

    def __init__(
        self,
        *,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        lambda_val: float = 0.05,
        two_sided_test: bool = False,
        on_decrease: Literal["alarm", "restart"] = "alarm",
    ) -> None:
        _check_confidences(drift_confidence, warning_confidence)
        check_range("lambda_val", lambda_val, 0.0, 1.0, open_low=True)
        check_flag("two_sided_test", two_sided_test)
        check_choice("on_decrease", on_decrease, ON_DECREASE)
        self.drift_confidence = drift_confidence
        self.warning_confidence = warning_confidence
        self.lambda_val = lambda_val
        self.two_sided_test = two_sided_test
        self.on_decrease = on_decrease
        super().__init__()

    def _parameters(self) -> list[float]:
        decreases = self.two_sided_test * (1 + ON_DECREASE.index(self.on_decrease))
        return [self.drift_confidence, self.warning_confidence, self.lambda_val, decreases]


def _check_confidences(drift: float, warning: float) -> None:
    check_range("drift_confidence", drift, 0.0, 1.0, open_low=True)
    check_range("warning_confidence", warning, 0.0, 1.0, open_low=True)
    if drift > warning:
        raise OptionError(
            f"drift_confidence must be <= warning_confidence, or it never warns; got {drift!r} and {warning!r}"
        )
