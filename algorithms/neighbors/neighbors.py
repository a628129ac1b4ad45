"""What the two learners by nearest neighbours share: their parameters and the arrays of their state."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import ArrayLearner, Layout
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_range
from streamlearn.schema import Shape

from . import kernels
from .kernels import NeighborsArrays, make_neighbors


class NearestNeighbors(ArrayLearner):
    """Base of the learners that keep a window; a subclass sets the attributes that bear the parameters' names."""

    n_neighbors: int
    window_size: int
    p: float
    scale: bool

    _arrays_type = NeighborsArrays
    _pack = staticmethod(make_neighbors)

    def _check_parameters(self) -> None:
        check_range("n_neighbors", self.n_neighbors, 1, 100_000, kind=int)
        check_range("window_size", self.window_size, 1, 1_000_000, kind=int)
        check_range("p", self.p, 1.0, 100.0)
        if not isinstance(self.scale, bool):
            raise OptionError(f"scale must be True or False, got {self.scale!r}")
        if self.n_neighbors > self.window_size:
            raise OptionError(
                f"n_neighbors must be <= window_size, got n_neighbors={self.n_neighbors}, "
                f"window_size={self.window_size}"
            )

    def _vote(self) -> int:
        """What neighbours count, as the kernels read it."""
        raise NotImplementedError

    def _layout(self, shape: Shape) -> Layout:
        d, window = len(shape.cardinality), self.window_size
        return {
            "options": (np.float64, (kernels.N_OPTIONS,)),
            "categories": (np.int64, (d,)),
            "numbers": (np.int64, (kernels.N_NUMBERS,)),
            "values": (np.float64, (d, window)),
            "scaled": (np.float64, (d, window)),
            "low": (np.float64, (d,)),
            "high": (np.float64, (d,)),
            "target": (np.float64, (window,)),
            "weight": (np.float64, (window,)),
        }

    def _allocate(self, shape: Shape) -> NeighborsArrays:
        d, window = len(shape.cardinality), self.window_size
        return NeighborsArrays(
            options=np.array([self.n_neighbors, self.p, self.scale, self._vote()], np.float64),
            categories=_categories(shape),
            numbers=np.array([0, 0, shape.n_classes], np.int64),
            values=np.full((d, window), np.nan),
            scaled=np.full((d, window), np.nan),
            low=np.full(d, np.inf),
            high=np.full(d, -np.inf),
            target=np.zeros(window),
            weight=np.zeros(window),
        )

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> NeighborsArrays:
        grown: NeighborsArrays = super()._grow(arrays, old, new)
        grown.categories[:] = _categories(new)
        grown.numbers[kernels.CLASSES] = new.n_classes
        return grown

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        expected = self._allocate(shape)
        for name in ("options", "categories"):
            if not np.array_equal(getattr(arrays, name), getattr(expected, name)):
                raise StateError(f"array {name!r} does not fit the parameters and the schema")
        filled, place, classes = arrays.numbers.tolist()
        full = filled == self.window_size
        if not 0 <= filled <= self.window_size or not (0 <= place < self.window_size if full else place == filled):
            raise StateError(f"array 'numbers': {filled} rows and place {place} in a window of {self.window_size}")
        if classes != shape.n_classes:
            raise StateError(f"array 'numbers': {classes} classes where the schema has {shape.n_classes}")
        known = arrays.target[:filled]
        if shape.n_classes and not np.isin(known, np.arange(shape.n_classes)).all():
            raise StateError(f"array 'target': a row's class is not one of the {shape.n_classes} classes")
        if not np.isfinite(known).all():
            raise StateError("array 'target': a row's target is not a number")
        if not (np.isfinite(arrays.weight[:filled]) & (arrays.weight[:filled] > 0.0)).all():
            raise StateError("array 'weight': a row's weight is not a finite number > 0")


def _categories(shape: Shape) -> np.ndarray:
    pairs = zip(shape.cardinality, shape.nominal, strict=True)
    return np.array([size if nominal else -1 for size, nominal in pairs], np.int64)
