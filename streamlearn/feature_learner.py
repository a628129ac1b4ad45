"""What learners share that see rows as columns of features: the arrays about fields, scales and classes."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from .array_learner import ArrayLearner, Layout, capacity
from .errors import StateError
from .features import moved_columns, offsets, places
from .schema import Shape


class FeatureLearner(ArrayLearner):
    """Base of learners whose arrays begin with those of `_features_layout` (see `streamlearn.features`).

    A class gets its row of outputs when it is first learned, so rows are in that order; a regression has one row.
    """

    standardize: bool
    _column_axis: ClassVar[MappingProxyType[str, int]]
    """The axis along which an array has one entry a column; growing moves these entries to where the columns go."""

    @abstractmethod
    def _options(self) -> np.ndarray:
        """The parameters as the kernels read them, float64."""

    def _features_layout(self, shape: Shape) -> Layout:
        M = sum(shape.nominal)
        N = len(shape.nominal) - M
        R = self._rows(shape)
        return {
            "options": (np.float64, self._options().shape),
            "numeric": (np.int64, (N,)),
            "nominal": (np.int64, (M,)),
            "offset": (np.int64, (M + 1,)),
            "numbers": (np.int64, (2,)),
            "class_of": (np.int64, (R,)),
            "row_of": (np.int64, (R,)),
            "seen": (np.float64, (N,)),
            "mean": (np.float64, (N,)),
            "variance": (np.float64, (N,)),
            "scale": (np.float64, (N,)),
        }

    def _rows(self, shape: Shape) -> int:
        """Rows of outputs to make room for."""
        return capacity(shape.n_classes) if self.task == "classification" else 1

    def _allocate(self, shape: Shape) -> Any:
        arrays = super()._allocate(shape)
        arrays.class_of.fill(-1)
        arrays.row_of.fill(-1)
        arrays.scale.fill(0.0 if self.standardize else 1.0)
        return arrays._replace(options=self._options(), **places(shape))

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Any:
        if self._layout(old) == self._layout(new):
            return arrays
        grown = self._allocate(new)
        to = moved_columns(offsets(new), offsets(old), len(arrays.numeric))
        for name, before in arrays._asdict().items():
            place: list[Any] = [slice(0, size) for size in before.shape]
            if name in self._column_axis and before.size:
                place[self._column_axis[name]] = to
            getattr(grown, name)[tuple(place)] = before
        return grown._replace(**places(new))

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        for name, expected in {"options": self._options(), **places(shape)}.items():
            if not np.array_equal(getattr(arrays, name), expected):
                raise StateError(f"array {name!r} does not belong to the parameters and the schema")
        known = int(arrays.numbers[1])
        if not 0 <= known <= shape.n_classes:
            raise StateError(f"array 'numbers': {known} is not a number of classes, 0 … {shape.n_classes}")
        classes = arrays.class_of[:known]
        row_of = np.full(len(arrays.row_of), -1)
        if ((classes < 0) | (classes >= shape.n_classes)).any():
            raise StateError("array 'class_of' names a class that is not there")
        row_of[classes] = np.arange(known)
        if not np.array_equal(row_of, arrays.row_of) or len(set(classes.tolist())) < known:
            raise StateError("the arrays 'class_of' and 'row_of' contradict each other")
