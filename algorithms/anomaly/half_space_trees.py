"""Half-space trees: anomalies are rows in places where few rows were, in the window before."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape
from streamlearn.unsupervised import AnomalyDetector

from . import kernels
from .kernels import HalfSpaceArrays, advance_half_space, make_half_space


class HalfSpaceTrees(AnomalyDetector):
    """Scores rows by how empty their surroundings were in the last full window, from 0 (crowded) to 1 (empty).

    An ensemble of random trees divides the space of the fields, once, by the ranges of the first window: so fields need
    no scaling. Each tree divides a space of its own, wider than those ranges, so rows outside them are told apart too.
    The trees then stay; the masses in their nodes follow the stream, window by window. Until the first window is full
    every score is 0.

    Numbers that are missing, infinite or beyond ±1e100, and missing categories, follow the heavier branch. A node by a
    nominal field divides its categories at random. Fields that had no value in the first window are left out.

    Parameters
    ----------
    n_trees : int, in [1, 1000]
        Number of trees.
    height : int, in [1, 16]
        Splits between a root and a leaf; a tree has ``2 ** (height + 1) - 1`` nodes.
    window_size : int, in [2, 1000000]
        Rows of a window.
    limits : mapping of names to pairs, optional
        The range of fields for which it is known, such as ``{"share": (0, 1)}``, instead of the first window's.
    seed : int
        Of the random trees.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A score is River's: 1 minus the masses on the row's way, each times 2 to the power of its depth, summed and in units
    of what a row would have that all rows coincide with. The paper takes the last node of the way only; both rank much
    alike. River's trees take the ranges from ``limits``, [0, 1] by default, and split at random points; these
    are the paper's: halves of a space drawn around the ranges.

    A row's weight multiplies its mass; rows of weight 0 are not learned. A window has as many rows, of any weight.

    Scoring and learning cost O(n_trees × height), whatever the number of fields.

    References
    ----------
    Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.HalfSpaceTrees(window_size=100, seed=1)
    >>> for i in range(200):
    ...     model.learn_one({"load": 50.0 + i % 7, "host": "a" if i % 2 else "b"})
    >>> usual, odd = {"load": 53.0, "host": "a"}, {"load": 95.0, "host": "a"}
    >>> model.score_one(usual) < model.score_one(odd)
    True
    """

    _arrays_type = HalfSpaceArrays
    _pack = staticmethod(make_half_space)
    _advance = staticmethod(advance_half_space)

    def __init__(
        self,
        *,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 250,
        limits: Mapping[Hashable, tuple[float, float]] | None = None,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_range("n_trees", n_trees, 1, 1000, kind=int)
        check_range("height", height, 1, 16, kind=int)
        check_range("window_size", window_size, 2, 1_000_000, kind=int)
        check_range("seed", seed, -(2**63), 2**64 - 1, kind=int)
        _check_limits(limits)
        self.n_trees = n_trees
        self.height = height
        self.window_size = window_size
        self.limits = limits
        self.seed = seed
        super().__init__(schema=schema)

    def _layout(self, shape: Shape) -> Layout:
        d, inner = len(shape.cardinality), 2**self.height - 1
        return {
            "generator": (np.uint64, (4,)),
            "categories": (np.int64, (d,)),
            "given": (np.float64, (d, 2)),
            "numbers": (np.int64, (kernels.N_NUMBERS,)),
            "first": (np.float64, (self.window_size, d)),
            "first_weight": (np.float64, (self.window_size,)),
            "feature": (np.int64, (self.n_trees, inner)),
            "threshold": (np.float64, (self.n_trees, inner)),
            "mass": (np.float64, (2, self.n_trees, 2 * inner + 1)),
        }

    def _allocate(self, shape: Shape) -> HalfSpaceArrays:
        arrays: HalfSpaceArrays = super()._allocate(shape)
        arrays.generator[:] = generator(self.seed)
        arrays.first[:] = np.nan
        self._describe_fields(arrays, shape)
        return arrays

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> HalfSpaceArrays:
        grown: HalfSpaceArrays = super()._grow(arrays, old, new)
        self._describe_fields(grown, new)
        return grown

    def _describe_fields(self, arrays: HalfSpaceArrays, shape: Shape) -> None:
        limits = self.limits or {}
        names = cast(Schema, self._live).names
        for j, (name, size, nominal) in enumerate(zip(names, shape.cardinality, shape.nominal, strict=True)):
            arrays.categories[j] = size if nominal else -1
            arrays.given[j] = limits.get(name, (math.nan, math.nan))

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        d = len(shape.cardinality)
        sizes = [size if nominal else -1 for size, nominal in zip(shape.cardinality, shape.nominal, strict=True)]
        if arrays.categories.tolist() != sizes:
            raise StateError("array 'categories' does not fit the schema")
        seen, built = arrays.numbers.tolist()
        if not 0 <= seen < self.window_size or built not in (0, 1):
            raise StateError(f"array 'numbers': {seen} rows in a window of {self.window_size}, built {built}")
        if not arrays.generator.any():
            raise StateError("array 'generator' is all zeros, which is no state of a generator")
        if not ((arrays.feature >= -1) & (arrays.feature < d)).all():
            raise StateError(f"array 'feature': a node splits by a field that is not one of the {d}")
        nominal_nodes = np.isin(arrays.feature, np.flatnonzero(shape.nominal))
        shuffles = arrays.threshold[nominal_nodes]
        if not np.isfinite(arrays.threshold).all() or not ((shuffles >= 0.0) & (shuffles < 1.0)).all():
            raise StateError("array 'threshold': a node's threshold is out of range")
        if not (np.isfinite(arrays.mass) & (arrays.mass >= 0.0)).all():
            raise StateError("array 'mass': a mass is not a finite number >= 0")
        if built and not (arrays.mass[kernels.REFERENCE, :, 0] > 0.0).all():
            raise StateError("array 'mass': a tree is built, but has none")


def _check_limits(limits: Any) -> None:
    """Refuse limits that are not a mapping of names to increasing pairs."""
    if limits is None:
        return
    if not isinstance(limits, Mapping):
        raise OptionError(f"limits must be a mapping of field names to (low, high), got {limits!r}")
    for name, pair in limits.items():
        numbers = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(x, (int, float)) for x in pair)
        if not numbers or not -1e100 <= pair[0] < pair[1] <= 1e100:
            raise OptionError(f"limits of {name!r} must be (low, high) with low < high, within ±1e100, got {pair!r}")
