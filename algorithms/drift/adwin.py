"""ADWIN, the window that is as long as its mean stays the same."""

from __future__ import annotations

from streamlearn.detector import ValueDetector
from streamlearn.detector_kernels import MonitorArrays
from streamlearn.errors import StateError
from streamlearn.parameters import check_flag, check_range

from . import window_kernels
from .adwin_kernels import TOTAL, VARIANCE, WIDTH, adwin_is_sound, adwin_size


class ADWIN(ValueDetector):
    """Adaptive windowing: values leave the window as soon as its older and newer parts have different means.

    The window is kept as a histogram of buckets whose sizes grow exponentially, so that it takes 3 KB however long it
    is, up to ``max_buckets * (2**32 - 1)`` values. Its alarms on all of MOA's reference sequences are MOA's.

    River's ADWIN leaves out some borders between buckets when it looks for a cut, accepts sub-windows of
    ``min_window_length`` values (here, as in MOA, they are longer than ``min_window_length + 1``), and forgets its
    window after an alarm; this one, as MOA's and the paper's, keeps the newer part.

    Parameters
    ----------
    delta : float in (0, 1)
        Confidence: the chance of a false alarm in a check.
    clock : int >= 1
        Values between two checks.
    max_buckets : int in 2 … 64
        Buckets of each size; more of them find cuts more exactly, in more time.
    min_window_length : int >= 1
        Both sub-windows must be longer than this + 1.
    grace_period : int >= 0
        Shorter windows than this are not checked.
    one_sided : bool
        Whether only a rise of the mean is a drift, as where errors are watched (MOA's ``ADWINChangeDetector``). The
        window is cut either way.

    Examples
    --------
    >>> import streamlearn as sl
    >>> detector = sl.ADWIN()
    >>> detector.update_many([0.0] * 500 + [1.0] * 500).nonzero()[0]
    array([511, 543, 607])
    >>> detector.width, detector.estimation
    (504, 0.9920634920634921)

    References
    ----------
    Bifet and Gavaldà, Learning from Time-Changing Data with Adaptive Windowing, SDM 2007.
    """

    _kernel = staticmethod(window_kernels.adwin)

    def __init__(
        self,
        *,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
        one_sided: bool = False,
    ) -> None:
        check_range("delta", delta, 0.0, 1.0, open_low=True)
        check_range("clock", clock, 1, 2**31, kind=int)
        check_range("max_buckets", max_buckets, 2, 64, kind=int)
        check_range("min_window_length", min_window_length, 1, 2**31, kind=int)
        check_range("grace_period", grace_period, 0, 2**31, kind=int)
        check_flag("one_sided", one_sided)
        self.delta = delta
        self.clock = clock
        self.max_buckets = max_buckets
        self.min_window_length = min_window_length
        self.grace_period = grace_period
        self.one_sided = one_sided
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.delta, self.clock, self.max_buckets, self.min_window_length, self.grace_period, self.one_sided]

    def _window(self) -> tuple[int, int]:
        return (1, adwin_size(max_buckets=self.max_buckets))

    def _check(self, arrays: MonitorArrays) -> None:
        if not adwin_is_sound(arrays.window, self.max_buckets):
            raise StateError("array 'window' is no histogram of ADWIN")

    @property
    def width(self) -> int:
        """Values in the window."""
        return int(self._arrays.window[0, WIDTH])

    @property
    def total(self) -> float:
        """Sum of the window."""
        return float(self._arrays.window[0, TOTAL])

    @property
    def variance(self) -> float:
        """Variance of the window, 0 while it is empty (River gives the sum of squares under this name)."""
        return float(self._arrays.window[0, VARIANCE]) / max(self.width, 1)

    @property
    def estimation(self) -> float:
        """Mean of the window, 0 while it is empty."""
        return self.total / max(self.width, 1)
