"""ABCD, a detector of drift in the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from river.base import DriftAndWarningDetector

from streamlearn.detector import Layout
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_flag, check_range
from streamlearn.row_detector import RowDetector

from . import abcd_kernels as k
from .check import check_whole


class ABCD(RowDetector, DriftAndWarningDetector):
    """Adaptive Bernstein change detector: drift where a model of the rows begins to fit them better or worse.

    It needs no labels. The principal components of the first ``n_min`` rows are the model; the mean squared error with
    which they give a row back is watched in a window that grows while nothing changes, and Bernstein's inequality says
    whether the errors before and after some split of it have different means. Since one figure is watched, many fields
    need no correction for many tests; since the components know how fields go together, changes of their correlation
    are seen too. After a drift `chances` tells which fields changed, `severity` how much, and the next model is made
    of the rows since the change.

    The paper also uses autoencoders and kernels; this is its fast variant, whose window here is bounded: full, it
    forgets its older half. Rows are scaled by the range of the training rows, where the paper expects rows in [0, 1].

    Parameters
    ----------
    delta_drift, delta_warn : float in (0, 1)
        Bounds on the chance of a change below which it sees drift, and warns.
    encoding_factor : float in [0, 1)
        Components that are kept, as a share of the fields.
    n_min : int in 2 … 100,000
        Rows for training.
    num_splits : int in 1 … 1000
        Splits of the window that are tested after each row.
    max_size : int in 60 … 100,000
        The window holds up to twice as many rows.
    maximum_absolute_value : float > 0
        The greatest loss to expect, the paper's M. Smaller values find changes sooner, with more false alarms.
    subspace_threshold : float > 0
        A field has changed if its chance is below this, the paper's tau.
    normalize : bool
        Whether rows are scaled by the range of the training rows.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(4000, 5))
    >>> X[:2000, 1] += 2 * X[:2000, 0]
    >>> X[2000:, 1] -= 2 * X[2000:, 0]  # no field changes its distribution, but the first two go together otherwise
    >>> detector = sl.ABCD(maximum_absolute_value=0.2)
    >>> levels = detector.update_many(X)
    >>> (levels == 2).nonzero()[0]
    array([2157])
    >>> detector.chances.round(3)
    array([0.   , 0.   , 3.999, 4.   , 3.956])

    References
    ----------
    Heyden, Fouché, Arzamasov, Fenn, Kalinke and Böhm, Adaptive Bernstein Change Detector for High-Dimensional Data
    Streams, Data Mining and Knowledge Discovery 2024.
    """

    _arrays_type = k.RowMonitorArrays
    _pack = staticmethod(k.make_row_monitor)
    _address_of = staticmethod(k.row_monitor_address)
    _kernel = staticmethod(k.abcd)

    def __init__(
        self,
        *,
        delta_drift: float = 0.002,
        delta_warn: float = 0.01,
        encoding_factor: float = 0.5,
        n_min: int = 100,
        num_splits: int = 20,
        max_size: int = 1000,
        maximum_absolute_value: float = 1.0,
        subspace_threshold: float = 2.5,
        normalize: bool = True,
    ) -> None:
        check_range("delta_drift", delta_drift, 0.0, 1.0, open_low=True)
        check_range("delta_warn", delta_warn, 0.0, 1.0, open_low=True)
        if delta_drift > delta_warn:
            raise OptionError(
                f"delta_drift must be <= delta_warn, or it never warns; got {delta_drift!r} and {delta_warn!r}"
            )
        check_range("encoding_factor", encoding_factor, 0.0, 0.999)
        check_range("n_min", n_min, 2, 100_000, kind=int)
        check_range("num_splits", num_splits, 1, 1000, kind=int)
        check_range("max_size", max_size, 60, 100_000, kind=int)
        check_range("maximum_absolute_value", maximum_absolute_value, 0.0, 1e300, open_low=True)
        check_range("subspace_threshold", subspace_threshold, 0.0, 1e300, open_low=True)
        check_flag("normalize", normalize)
        self.delta_drift = delta_drift
        self.delta_warn = delta_warn
        self.encoding_factor = encoding_factor
        self.n_min = n_min
        self.num_splits = num_splits
        self.max_size = max_size
        self.maximum_absolute_value = maximum_absolute_value
        self.subspace_threshold = subspace_threshold
        self.normalize = normalize
        super().__init__()

    @property
    def chances(self) -> np.ndarray:
        """Of each field, the chance of its change at the last drift if there was none (float64 [d]; a bound, so it may
        exceed 1)."""
        return np.empty(0) if self._arrays is None else self._arrays.chances.copy()

    @property
    def severity(self) -> float:
        """How far the errors moved at the last drift, in standard deviations of those before; 0 without one."""
        return self._figure(k.SEVERITY)

    @property
    def rows_since_change(self) -> int:
        """At the last drift, the rows between the change and the alarm; 0 without one."""
        return int(self._figure(k.SINCE))

    def _figure(self, place: int) -> float:
        return 0.0 if self._arrays is None else float(self._arrays.numbers[place])

    def _options(self) -> list[float]:
        options = np.zeros(k.N_OPTIONS)
        options[k.DELTA_DRIFT] = self.delta_drift
        options[k.DELTA_WARN] = self.delta_warn
        options[k.N_MIN] = self.n_min
        options[k.N_SPLITS] = self.num_splits
        options[k.LOSS_RANGE] = self.maximum_absolute_value
        options[k.MAX_SIZE] = self.max_size
        options[k.NORMALIZE] = self.normalize
        options[k.SUBSPACE] = self.subspace_threshold
        return options.tolist()

    def _layout(self, width: int) -> Layout:
        window = 2 * self.max_size
        return {
            "options": (np.float64, (k.N_OPTIONS,)),
            "numbers": (np.float64, (k.N_NUMBERS,)),
            "rows": (np.float64, (self.n_min + window, width)),
            "scale": (np.float64, (2, width)),
            "mean": (np.float64, (width,)),
            "components": (np.float64, (int(width * self.encoding_factor), width)),
            "sums": (np.float64, (window + 1, 2)),
            "chances": (np.float64, (width,)),
        }

    def _allocate(self, width: int) -> Any:
        arrays: Any = super()._allocate(width)
        arrays.chances.fill(1.0)
        return arrays

    def _check(self, arrays: Any) -> None:
        check_whole(arrays.numbers, k.TRAINING, 0, self.n_min)
        check_whole(arrays.numbers, k.COUNT, 0, 2 * self.max_size)
        check_whole(arrays.numbers, k.SINCE, 0, 2 * self.max_size)
        if arrays.numbers[k.COUNT] and arrays.numbers[k.TRAINING] != self.n_min:
            raise StateError("array 'numbers': rows were watched before there was a model")
