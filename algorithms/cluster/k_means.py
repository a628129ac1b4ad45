"""Sequential k-means: centres that follow the stream."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import StateError
from streamlearn.parameters import check_range
from streamlearn.schema import Schema, Shape
from streamlearn.unsupervised import Clusterer

from .kernels import N_OPTIONS, MeansArrays, advance_means, make_means


class KMeans(Clusterer):
    """Moves the nearest of its centres towards each row that it learns; a row's cluster is that of the nearest centre.

    The first ``n_clusters`` distinct rows become the centres. A centre's step is one over the number of its rows, so
    that it is their mean (MacQueen), but never less than ``halflife``, so that it goes on following a stream that
    drifts.

    A nominal field counts as one coordinate a category, 0 or 1; a category not learned yet differs from all. What a row
    or a centre lacks adds nothing to their distance: missing values, infinities, numbers beyond ±1e100. Fields with
    large numbers dominate: put a `StandardScaler` in front where units differ.

    Parameters
    ----------
    n_clusters : int, in [1, 10000]
        How many centres there are, once as many distinct rows were seen.
    halflife : float, in [0, 1]
        The least share of the way to the row that a centre moves. It has River's name, though it is no half-life; with
        0 nothing is forgotten.
    p : float, in [1, 100]
        Minkowski's power: 1 is the Manhattan distance, 2 the Euclidean one.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    River's ``KMeans`` draws its first centres from a normal distribution (``mu``, ``sigma``, ``seed``), far from the
    data unless these are scaled to it; here nothing is random. From there on both agree if ``halflife`` is 0.5, River's
    default, or more.

    A row's weight multiplies its step; rows of weight 0 are not learned. Ties go to the cluster with the lowest number.
    Both verbs cost O(n_clusters × coordinates).

    References
    ----------
    MacQueen, Some methods for classification and analysis of multivariate observations, Berkeley Symposium on
    Mathematical Statistics and Probability, 1967. Sculley, Web-scale k-means clustering, WWW 2010.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.KMeans(n_clusters=2)
    >>> for i in range(100):
    ...     model.learn_one({"x": 1.0 + i % 3 if i % 2 else 20.0 + i % 3})
    >>> model.predict_one({"x": 19.0}), model.predict_one({"x": 3.0})
    (0, 1)
    >>> [round(center["x"]) for center in model.centers.values()]
    [21, 2]
    """

    _arrays_type = MeansArrays
    _pack = staticmethod(make_means)
    _advance = staticmethod(advance_means)

    def __init__(
        self, *, n_clusters: int = 5, halflife: float = 0.05, p: float = 2.0, schema: Schema | None = None
    ) -> None:
        check_range("n_clusters", n_clusters, 1, 10_000, kind=int)
        check_range("halflife", halflife, 0.0, 1.0)
        check_range("p", p, 1.0, 100.0)
        self.n_clusters = n_clusters
        self.halflife = halflife
        self.p = p
        super().__init__(schema=schema)

    @property
    def centers(self) -> dict[int, dict[Hashable, Any]]:
        """Each cluster's centre: numbers, and shares of the categories of nominal fields, without what it lacks."""
        with self._lock:
            if self._live is None:
                return {}
            found: dict[int, dict[Hashable, Any]] = {}
            for k in range(int(self._arrays.clusters[0])):
                values = self._arrays.center[k]
                found[k] = {}
                for f, start in zip(self._live.fields, self._arrays.offset.tolist(), strict=False):
                    if np.isnan(values[start]):
                        continue
                    shares = zip(f.categories, values[start:].tolist(), strict=False)
                    found[k][f.name] = dict(shares) if f.kind == "nominal" else float(values[start])
            return found

    def _layout(self, shape: Shape) -> Layout:
        d = len(shape.cardinality)
        return {
            "options": (np.float64, (N_OPTIONS,)),
            "categories": (np.int64, (d,)),
            "offset": (np.int64, (d + 1,)),
            "clusters": (np.int64, (1,)),
            "weight": (np.float64, (self.n_clusters,)),
            "center": (np.float64, (self.n_clusters, _offsets(shape)[-1])),
        }

    def _allocate(self, shape: Shape) -> MeansArrays:
        arrays: MeansArrays = super()._allocate(shape)
        arrays.options[:] = self.halflife, self.p
        arrays.categories[:] = _categories(shape)
        arrays.offset[:] = _offsets(shape)
        arrays.center[:] = np.nan
        return arrays

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> MeansArrays:
        grown = self._allocate(new)
        grown.clusters[:], grown.weight[:] = arrays.clusters, arrays.weight
        for j, size in enumerate(_sizes(old)):
            before, after = arrays.offset[j], grown.offset[j]
            known = ~np.isnan(arrays.center[:, before])
            grown.center[known, after : grown.offset[j + 1]] = 0.0  # a new category has had no share
            grown.center[:, after : after + size] = arrays.center[:, before : before + size]
        return grown

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        expected = self._allocate(shape)
        for name in ("options", "categories", "offset"):
            if not np.array_equal(getattr(arrays, name), getattr(expected, name)):
                raise StateError(f"array {name!r} does not fit the parameters and the schema")
        if not 0 <= arrays.clusters[0] <= self.n_clusters:
            raise StateError(f"array 'clusters': {arrays.clusters[0]} of at most {self.n_clusters}")
        if not (np.isfinite(arrays.weight) & (arrays.weight >= 0.0)).all() or np.isinf(arrays.center).any():
            raise StateError("arrays 'weight' and 'center' must hold finite numbers")


def _categories(shape: Shape) -> list[int]:
    pairs = zip(shape.cardinality, shape.nominal, strict=True)
    return [size if nominal else -1 for size, nominal in pairs]


def _sizes(shape: Shape) -> list[int]:
    """Coordinates of each field; a nominal field has room for more categories."""
    return [1 if size < 0 else capacity(size) for size in _categories(shape)]


def _offsets(shape: Shape) -> list[int]:
    return [0, *np.cumsum(_sizes(shape), dtype=np.int64).tolist()]
