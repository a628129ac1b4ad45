"""Regression by the nearest of the last rows."""

from __future__ import annotations

from streamlearn.array_learner import Regressor
from streamlearn.parameters import check_choice
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_regressor
from .neighbors import NearestNeighbors

AGGREGATIONS = {"mean": kernels.EQUAL, "weighted_mean": kernels.BY_DISTANCE, "median": kernels.MEDIAN}


class KNNRegressor(NearestNeighbors, Regressor):
    """Mean or median of the nearest among the last rows learned, found by comparing with every one of them.

    Distances, missing values and ties are those of `KNNClassifier`. Targets that are missing, infinite or beyond ±1e100
    are not learned; before the first one the prediction is 0.

    Parameters
    ----------
    n_neighbors : int, in [1, window_size]
        How many neighbours count; all that are as near as the last of them do.
    window_size : int, in [1, 1000000]
        How many of the last labelled rows are kept.
    aggregation_method : "mean", "median" or "weighted_mean"
        What is predicted of the neighbours' targets; a weighted mean counts them by the inverse of the distance, and
        rows at distance 0, if there are any, alone.
    p : float, in [1, 100]
        Minkowski's power: 1 is the Manhattan distance, 2 the Euclidean one.
    scale : bool
        Whether numeric fields are scaled by their range in the window.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A row's weight multiplies what it counts among the neighbours. River's ``KNNRegressor`` has the same parameters; it
    does not scale, and by default it searches approximately.

    References
    ----------
    Altman, An introduction to kernel and nearest-neighbor nonparametric regression, The American Statistician 46, 1992.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.KNNRegressor(n_neighbors=2)
    >>> for i in range(50):
    ...     model.learn_one({"x": float(i)}, 3.0 * i)
    >>> model.predict_one({"x": 20.5})
    61.5
    """

    _advance = staticmethod(advance_regressor)

    def __init__(
        self,
        *,
        n_neighbors: int = 10,
        window_size: int = 1000,
        aggregation_method: str = "mean",
        p: float = 2.0,
        scale: bool = True,
        schema: Schema | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.window_size = window_size
        self.aggregation_method = aggregation_method
        self.p = p
        self.scale = scale
        self._check_parameters()
        check_choice("aggregation_method", aggregation_method, tuple(AGGREGATIONS))
        super().__init__(schema=schema)

    def _vote(self) -> int:
        return AGGREGATIONS[self.aggregation_method]
