"""What the linear regressions that are readouts share: their arrays, and the checks of a saved state."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, Regressor
from streamlearn.errors import StateError
from streamlearn.feature_learner import FeatureLearner
from streamlearn.features import offsets
from streamlearn.schema import Shape

from . import readout_kernels as kernels
from .readouts import Readout
from .regressor_kernels import RegressionArrays, advance_regressor, make_regression

MOST_FEATURES = 2048  # columns beyond it are left out: the state of most readouts is the square of the features


class ReadoutRegressor(FeatureLearner, Regressor):
    """Base of the regressions; a subclass sets the attributes that bear the parameters' names, and gives `_readout`."""

    standardize = False

    _arrays_type = RegressionArrays
    _pack = staticmethod(make_regression)
    _advance = staticmethod(advance_regressor)
    _column_axis = MappingProxyType({"feature_of": 0})

    @abstractmethod
    def _readout(self) -> Readout:
        """The readout of this regression's parameters."""

    def _options(self) -> np.ndarray:
        return np.zeros(0)

    def _layout(self, shape: Shape) -> Layout:
        P = int(offsets(shape)[-1])
        readout = self._readout().layout(min(P, MOST_FEATURES), 1)
        return self._features_layout(shape) | {"feature_of": (np.int64, (P,))} | readout

    def _allocate(self, shape: Shape) -> RegressionArrays:
        arrays: RegressionArrays = super()._allocate(shape)
        arrays.rule[:] = self._readout().rule()
        arrays.feature_of.fill(-1)
        return arrays

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        check_readout(arrays, self._readout().rule())
        check_opened(arrays.feature_of, 0, int(arrays.counts[kernels.FEATURES]))


def check_readout(arrays: Any, rule: np.ndarray) -> None:
    """Refuse a restored readout that does not belong to the parameters, or names features that are not there."""
    if not np.array_equal(arrays.rule, rule):
        raise StateError("array 'rule' does not belong to the parameters")
    features, rows, cursor, resets = arrays.counts.tolist()
    if (
        not 0 <= features <= arrays.weights.shape[1]
        or not 0 <= cursor <= max(features - 1, 0)
        or rows < 0
        or resets < 0
    ):
        raise StateError("array 'counts' is out of range")
    scale, pending = arrays.square_scale.tolist()
    if not 0.0 <= scale <= 10.0 * kernels.LARGEST_SCALE or pending not in (0.0, 1.0):
        raise StateError("array 'square_scale' is out of range")
    for name in ("weights", "square", "pending", "moment", "centre"):
        if not np.isfinite(getattr(arrays, name)).all():
            raise StateError(f"array {name!r} holds NaN or infinity")


def check_opened(feature_of: np.ndarray, first: int, end: int) -> None:
    """Refuse columns whose features are not ``first … end-1``, each once; -1 stands for none."""
    features = np.sort(feature_of[feature_of != -1])
    if not np.array_equal(features, np.arange(first, end)):
        raise StateError("array 'feature_of' does not name every feature once")
