"""The adaptive random forest for regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, Regressor
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape

from ..trees import regression_arrays as tree_arrays
from ..trees.regression_arrays import RegressionTreeArrays, Sizes, make_regression_tree
from ..trees.regression_growth import RegressionGrowth
from ..trees.regression_one_row import tree_address
from ..trees.regression_view import RegressionTreeView
from . import regression_members as members
from .adaptive_random_forest import check_max_features, number_of_features
from .held_trees import Ensemble, Saved
from .member_major import MemberMajor
from .regression_forest_arrays import (
    AGGREGATION,
    AGGREGATIONS,
    N_OPTIONS,
    WEIGHTED,
    RegressionForestArrays,
    combine_votes,
    make_regression_forest,
)
from .regression_forest_kernels import learn_chunk

MOST_VOTES = 2**19
"""Numbers in the room for votes, and for their squared errors, at most about: 4 MiB each."""


class AdaptiveRandomForestRegressor(MemberMajor, RegressionGrowth, Regressor):
    """Regression trees that each learn random weights and fields of the stream, and are replaced when they drift.

    A tree learns a row with a weight from the Poisson distribution, and each of its leaves considers a few fields only,
    drawn at random: so trees differ, and the median or the mean of what they predict has lower errors than any one's.
    An ADWIN window of each tree's errors warns when they rise: a new tree then begins to grow in the background, and
    takes the place of the old one when a second window is certain of a drift.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Trees.
    max_features : float in (0, 1], int >= 1, "sqrt", "log2" or None
        Fields that a leaf considers: a share of all, rounded; a number, at most all; the rounded root or binary
        logarithm of their number; or all.
    aggregation_method : "median" or "mean"
        How the trees' predictions become one.
    lambda_value : float in (0, 100]
        Mean of the Poisson distribution.
    disable_weighted_vote : bool
        Whether all trees count the same. If not, the mean weights each tree by the inverse of its mean squared error
        since it took its place; a median has no weights.
    drift_delta : float in (0, 1) or None
        Confidence of the windows that replace trees; smaller ones alarm later. None: trees are never replaced, and
        there are no warnings either.
    warning_delta : float in (0, 1) or None
        Confidence of the windows that begin background trees. None: on a drift a tree begins anew.
    grace_period, max_depth, delta, tau, leaf_prediction, residual_weight, learning_rate, model_selector_decay
        Of the trees: see `HoeffdingTreeRegressor`.
    min_samples_split, binary_split, n_bins
        Of the trees: see `HoeffdingTreeRegressor`.
    max_nodes, max_active_leaves : int >= 1
        Of each tree and the tree in its background together: see `HoeffdingTreeRegressor`. Of ``d`` numeric fields, a
        leaf has observers for those it considers only.
    seed : int
        Of the random numbers.
    threads : int in 1 … 1024
        Threads that share the trees' work on a batch; results do not depend on it.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing values, infinities and unseen categories are treated as by `HoeffdingTreeRegressor`. A tree that has learned
    nothing yet does not vote; without any vote the prediction is 0. Fields that appear while the stream goes on are
    considered by leaves that begin after that.

    Names and meaning of the parameters are River's and MOA's, with these differences. Defaults are those of MOA's
    ``AdaptiveRandomForestRegressor`` (River's forest differs in ``max_features="sqrt"``), but for 10 trees, River's
    number; for the median, which single trees that go astray do not move; and for leaves that predict by linear models
    or means, as River's do, while MOA's know means only. ADWIN is given the error as a share of three root mean squares
    of all errors so far, and only its rise counts: MOA gives it the prediction, whatever the target was, and River the
    error with its sign, which does not see errors that grow to both sides. The error is that before the tree has
    learned the row. A background tree learns rows with their own weights, as in MOA; River multiplies them by the
    Poisson number. River's weighted mean divides by the number of trees once too often.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> rng = np.random.default_rng(1)
    >>> X = rng.random((6000, 5))
    >>> y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    >>> forest = sl.AdaptiveRandomForestRegressor(seed=1).test_then_train_many(X, y)
    >>> tree = sl.HoeffdingTreeRegressor().test_then_train_many(X, y)
    >>> bool(np.abs(forest - y).mean() < 0.9 * np.abs(tree - y).mean())
    True

    References
    ----------
    H. Gomes, J. Barddal, L. Boiko Ferreira, A. Bifet: Adaptive random forests for data stream regression. ESANN 2018.
    """

    _pack = staticmethod(make_regression_forest)
    _advance = _learn_chunk = staticmethod(learn_chunk)
    _make_tree = staticmethod(make_regression_tree)
    _tree_address = staticmethod(tree_address)
    _tree_with_room = staticmethod(tree_arrays.extend)
    _short = tree_arrays.SHORT

    def __init__(
        self,
        *,
        n_models: int = 10,
        max_features: float | str | None = 0.6,
        aggregation_method: str = "median",
        lambda_value: float = 6,
        disable_weighted_vote: bool = True,
        drift_delta: float | None = 0.001,
        warning_delta: float | None = 0.01,
        grace_period: float = 50,
        max_depth: int | None = None,
        delta: float = 0.01,
        tau: float = 0.05,
        leaf_prediction: str = "adaptive",
        residual_weight: float = 0.75,
        learning_rate: float = 0.01,
        model_selector_decay: float = 0.95,
        min_samples_split: float = 5,
        binary_split: bool = False,
        n_bins: int = 32,
        max_nodes: int = 1_000_000,
        max_active_leaves: int = 32_768,
        seed: int = 0,
        threads: int = 1,
        schema: Schema | None = None,
    ) -> None:
        check_range("n_models", n_models, 1, 10_000, kind=int)
        check_max_features(max_features)
        check_choice("aggregation_method", aggregation_method, AGGREGATIONS)
        check_range("lambda_value", lambda_value, 0, 100, open_low=True)
        check_flag("disable_weighted_vote", disable_weighted_vote)
        for name, confidence in (("drift_delta", drift_delta), ("warning_delta", warning_delta)):
            if confidence is not None:
                check_range(name, confidence, 0, 1, open_low=True)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        check_range("threads", threads, 1, 1024, kind=int)
        self.n_models, self.max_features, self.lambda_value = n_models, max_features, lambda_value
        self.aggregation_method, self.disable_weighted_vote = aggregation_method, disable_weighted_vote
        self.drift_delta, self.warning_delta = drift_delta, warning_delta
        self.seed, self.threads = seed, threads
        self._set_growth(
            grace_period=grace_period,
            max_depth=max_depth,
            delta=delta,
            tau=tau,
            leaf_prediction=leaf_prediction,
            residual_weight=residual_weight,
            learning_rate=learning_rate,
            model_selector_decay=model_selector_decay,
            min_samples_split=min_samples_split,
            binary_split=binary_split,
            n_bins=n_bins,
            max_nodes=max_nodes,
            max_active_leaves=max_active_leaves,
        )
        super().__init__(schema=schema)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _options(self) -> np.ndarray:
        options = super()._options()
        options[tree_arrays.RESAMPLING] = self.lambda_value
        if self.drift_delta is not None:
            options[tree_arrays.DRIFT_DELTA] = self.drift_delta
            options[tree_arrays.WARNING_DELTA] = self.warning_delta or 0.0
        return options

    def _sizes(self, shape: Shape) -> Sizes:
        draws = tuple(number_of_features(self.max_features, n) for n in range(len(shape.nominal) + 1))
        return super()._sizes(shape)._replace(draws=draws)

    def _empty_tree(self, shape: Shape, member: int) -> RegressionTreeArrays:
        return tree_arrays.allocate(self._sizes(shape), self._options(), generator(self.seed, member))

    def _own(self) -> RegressionForestArrays:
        """Room to work in."""
        M = self.n_models
        options = np.zeros(N_OPTIONS)
        options[AGGREGATION] = AGGREGATIONS.index(self.aggregation_method)
        options[WEIGHTED] = not self.disable_weighted_vote
        votes = (M, min(1024, max(16, MOST_VOTES // M)))
        return RegressionForestArrays(
            options, np.zeros(M, np.int64), np.zeros(M, np.int64), np.zeros(votes), np.zeros(votes)
        )

    def _allocate(self, shape: Shape) -> Ensemble:
        return Ensemble(self._own(), [self._empty_tree(shape, member) for member in range(self.n_models)])

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Ensemble:
        sizes = self._sizes(new)
        return Ensemble(arrays.own, [_grown(tree, sizes) for tree in arrays.trees])

    # -- state --------------------------------------------------------------------------------------------------------

    def _layout(self, shape: Shape) -> Layout:
        return members.layout(self._empty_tree(shape, 0))

    def _used(self, arrays: Any) -> Any:
        return Saved(members.joined(arrays.trees))

    def _unpack(self, saved: Any, shape: Shape) -> Ensemble:
        flat: Any = super()._unpack(saved, shape)
        return Ensemble(self._own(), members.parted(flat, self._empty_tree(shape, 0), self.n_models))

    def _check(self, arrays: Any, shape: Shape) -> None:
        """Nothing is left to check: `members.parted` has refused what are no trees."""

    # -- the core -----------------------------------------------------------------------------------------------------

    def _combine(self, work: Any, start: int, stop: int) -> None:
        combine_votes(self._struct, work, start, stop)

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def members(self) -> list[RegressionTreeView]:
        """The trees that predict, each as a `RegressionTreeView`."""
        if self._arrays is None:
            return [RegressionTreeView(None, None)] * self.n_models
        return [RegressionTreeView(tree, self._live) for tree in self._arrays.trees]

    def summary(self) -> dict[str, int]:
        """Nodes and leaves of all trees, the depth of the deepest, and how often trees were warned of and replaced.

        Returns
        -------
        dict
            Keys ``nodes``, ``leaves``, ``depth``, ``warnings``, ``drifts``.
        """
        views = self.members
        return {
            "nodes": sum(view.n_nodes for view in views),
            "leaves": sum(view.n_leaves for view in views),
            "depth": max(view.height for view in views),
            "warnings": self.n_warnings_detected(),
            "drifts": self.n_drifts_detected(),
        }

    def n_drifts_detected(self, tree_id: int | None = None) -> int:
        """Drifts so far: of a tree, or of all."""
        return self._count(tree_arrays.SWITCHED, tree_id)

    def n_warnings_detected(self, tree_id: int | None = None) -> int:
        """Background trees begun so far: of a tree, or of all."""
        return self._count(tree_arrays.STARTED, tree_id)

    def _count(self, place: int, tree_id: int | None) -> int:
        if tree_id is not None:
            check_range("tree_id", tree_id, 0, self.n_models - 1, kind=int)
        if self._arrays is None:
            return 0
        counts = [int(tree.numbers[place]) for tree in self._arrays.trees]
        return sum(counts) if tree_id is None else counts[tree_id]


def _grown(tree: RegressionTreeArrays, sizes: Sizes) -> RegressionTreeArrays:
    """A tree with room for more fields and categories."""
    now = tree_arrays.sizes_of(tree)
    larger = now._replace(cardinality=sizes.cardinality, draws=sizes.draws)
    return tree if larger == now else tree_arrays.rebuilt(tree, larger)
