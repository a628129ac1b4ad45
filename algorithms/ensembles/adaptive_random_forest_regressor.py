"""Adaptive random forest for regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from streamlearn.array_learner import Layout, Regressor
from streamlearn.errors import StateError
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape

from ..trees import regression_arrays as tree_arrays
from ..trees.regression_arrays import ENOUGH, SHORT, RegressionTreeArrays, Sizes, make_regression_tree
from ..trees.regression_growth import RegressionGrowth
from ..trees.regression_one_row import tree_address
from ..trees.regression_view import RegressionTreeView
from . import regression_members as members
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

CHUNK = 1024


class RegressionForest(NamedTuple):
    own: RegressionForestArrays
    trees: list[RegressionTreeArrays]


class AdaptiveRandomForestRegressor(RegressionGrowth, Regressor):
    """X."""

    _arrays_type = dict
    _pack = staticmethod(lambda arrays: make_regression_forest(arrays.own))
    _learn_chunk = staticmethod(learn_chunk)

    def __init__(
        self,
        *,
        n_models: int = 10,
        max_features: int | float | str | None = 0.6,
        aggregation_method: str = "mean",
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
        check_choice("aggregation_method", aggregation_method, AGGREGATIONS)
        check_range("lambda_value", lambda_value, 0, 30, open_low=True)
        check_flag("disable_weighted_vote", disable_weighted_vote)
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

    def _options(self) -> np.ndarray:
        options = super()._options()
        options[tree_arrays.RESAMPLING] = self.lambda_value
        options[tree_arrays.DRIFT_DELTA] = self.drift_delta or 0.0
        options[tree_arrays.WARNING_DELTA] = self.warning_delta or 0.0
        return options

    def _subspace(self, n: int) -> int:
        m = self.max_features
        if m is None:
            return max(1, n)
        if m == "sqrt":
            k = round(n**0.5)
        elif m == "log2":
            k = round(np.log2(max(n, 1)))
        elif isinstance(m, float):
            k = round(m * n)
        else:
            k = m
        return max(1, min(k, n))

    def _sizes(self, shape: Shape) -> Sizes:
        return super()._sizes(shape)._replace(subspace=self._subspace(len(shape.nominal)))

    def _empty_tree(self, shape: Shape, member: int = 0) -> RegressionTreeArrays:
        return tree_arrays.allocate(self._sizes(shape), self._options(), generator(self.seed, member))

    def _own(self) -> RegressionForestArrays:
        M = self.n_models
        options = np.zeros(N_OPTIONS)
        options[AGGREGATION] = AGGREGATIONS.index(self.aggregation_method)
        options[WEIGHTED] = not self.disable_weighted_vote
        return RegressionForestArrays(
            options, np.zeros(M, np.int64), np.zeros(M, np.int64), np.zeros((M, CHUNK)), np.zeros((M, CHUNK))
        )

    def _layout(self, shape: Shape) -> Layout:
        return members.layout(self._empty_tree(shape))

    def _used(self, arrays: Any) -> Any:
        return _Saved(members.joined(arrays.trees))

    def _unpack(self, saved: Mapping[str, Any], shape: Shape) -> Any:
        flat: Any = super()._unpack(saved, shape)
        return RegressionForest(self._own(), members.parted(flat, self._empty_tree(shape), self.n_models))

    def _check(self, arrays: Any, shape: Shape) -> None:
        """Done by `_unpack`."""

    def _allocate(self, shape: Shape) -> Any:
        return RegressionForest(self._own(), [self._empty_tree(shape, member) for member in range(self.n_models)])

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Any:
        sizes = self._sizes(new)
        wanted = {"cardinality": sizes.cardinality, "subspace": sizes.subspace}
        trees = []
        for tree in arrays.trees:
            now = tree_arrays.sizes_of(tree)
            larger = now._replace(**wanted)
            trees.append(tree if larger == now else tree_arrays.rebuilt(tree, larger))
        return RegressionForest(arrays.own, trees)

    def _extend(self, arrays: Any) -> Any:
        short = [tree.numbers[SHORT] != ENOUGH for tree in arrays.trees]
        trees = [tree_arrays.extend(tree) if lacks else tree for tree, lacks in zip(arrays.trees, short, strict=True)]
        return RegressionForest(arrays.own, trees)

    def _set(self, arrays: Any) -> None:
        old = () if self._arrays is None else self._arrays.trees
        held = {id(tree): struct for tree, struct in zip(old, self._structs, strict=True)}
        structs = [held.get(id(tree)) or make_regression_tree(tree) for tree in arrays.trees]
        arrays.own.addresses[:] = [tree_address(struct) for struct in structs]
        super()._set(arrays)
        self._structs = structs

    def _forget(self) -> None:
        super()._forget()
        self._structs: list[Any] = []

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.places[:] = 0
        for start in range(0, steps, CHUNK):
            self._work_off(work, start, min(start + CHUNK, steps))

    def _work_off(self, work: Any, start: int, stop: int) -> None:
        while self._learn_chunk(self._struct, work, start, stop, 0, self.n_models) > 0:
            self._set(self._extend(self._arrays))
        combine_votes(self._struct, work, start, stop)

    def _operation(self, work: Any) -> Callable[[], int]:
        return partial(self._one_operation, work)

    def _one_operation(self, work: Any) -> int:
        self._run(work, 1)
        return 1

    @property
    def members(self) -> list[RegressionTreeView]:
        if self._arrays is None:
            return [RegressionTreeView(None, None)] * self.n_models
        return [RegressionTreeView(tree, self._live) for tree in self._arrays.trees]


class _Saved(dict[str, np.ndarray]):
    """Arrays by name, as a named tuple shows them."""

    def _asdict(self) -> dict[str, np.ndarray]:
        return self
