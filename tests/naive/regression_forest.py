"""The adaptive random forest for regression in plain Python: the oracle of the compiled one.

Written from the description of Gomes, Barddal, Boiko Ferreira and Bifet (2018) and of River's ``ARFRegressor``. Trees
are those of `regression_tree`; ADWIN and the generator of random numbers are the package's own, which have oracles of
their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from naive.regression_tree import LIMIT, WINDOW_ROWS, RegressionTree, sum_of
from streamlearn.algorithms.drift.adwin_kernels import adwin_rise, adwin_size

from streamlearn.random import generator, poisson


class Mean:
    """A running mean."""

    def __init__(self) -> None:
        self.n = self.value = 0.0

    def add(self, number: float) -> None:
        self.n += 1.0
        self.value += (number - self.value) / self.n


class Member:
    """A tree that learns each row a random number of times, and is replaced when its errors rise."""

    def __init__(self, forest: RegressionForest, number: int) -> None:
        self.forest = forest
        self.random = generator(forest.seed, number)
        self.seen: set[int] = set()
        self.tree = self.new_tree()
        self.background: RegressionTree | None = None
        self.warning, self.drift = np.zeros(adwin_size(WINDOW_ROWS)), np.zeros(adwin_size(WINDOW_ROWS))
        self.all_squares, self.squares = Mean(), Mean()
        self.warnings = self.drifts = 0

    def new_tree(self) -> RegressionTree:
        forest = self.forest
        return RegressionTree(
            forest.kinds, max_features=forest.max_features, seen=self.seen, random=self.random, **forest.options
        )

    def vote(self, x: Sequence[float]) -> float | None:
        """None before the tree has learned anything."""
        root = self.tree.root
        return None if root.is_leaf and root.n == 0.0 else self.tree.predict(x)

    def learn(self, x: Sequence[float], y: float, w: float) -> None:
        self.seen |= {j for j, value in enumerate(x) if value == value}
        vote, error = self.vote(x), None
        if vote is not None:
            error = abs(y - vote)
            self.squares.add(error * error)
        times = poisson(self.random, self.forest.lambda_value)
        if times == 0:
            return
        self.tree.learn(x, y, times * w)
        if self.background is not None:
            self.background.learn(x, y, w)
        if error is not None:
            self.all_squares.add(error * error)
            self.watch(error)

    def watch(self, error: float) -> None:
        scale = 3.0 * math.sqrt(self.all_squares.value)
        share = min(error / scale, 1.0) if scale > 0.0 else 0.0
        if not self.forest.drift_delta:
            return
        if self.forest.warning_delta and adwin_rise(self.warning, share, self.forest.warning_delta):
            self.warning[:] = 0.0
            self.background = self.new_tree()
            self.warnings += 1
        if adwin_rise(self.drift, share, self.forest.drift_delta):
            self.warning[:] = self.drift[:] = 0.0
            self.tree, self.background = self.background or self.new_tree(), None
            self.squares = Mean()
            self.drifts += 1


class RegressionForest:
    """Plain-Python twin of `AdaptiveRandomForestRegressor`; ``kinds`` and rows as for `RegressionTree`."""

    def __init__(
        self,
        kinds: Sequence[int],
        *,
        n_models: int = 10,
        max_features: Callable[[int], int],
        aggregation_method: str = "median",
        lambda_value: float = 6,
        disable_weighted_vote: bool = True,
        drift_delta: float | None = 0.001,
        warning_delta: float | None = 0.01,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self.kinds, self.max_features, self.lambda_value, self.seed = list(kinds), max_features, lambda_value, seed
        self.aggregation, self.weighted = aggregation_method, not disable_weighted_vote
        self.drift_delta, self.warning_delta = drift_delta, warning_delta
        self.options = {"grace_period": 50, "delta": 0.01, **options}
        self.members = [Member(self, number) for number in range(n_models)]

    def predict(self, x: Sequence[float]) -> float:
        votes = [(vote, member) for member in self.members if (vote := member.vote(x)) is not None]
        if not votes:
            return 0.0
        if self.aggregation == "median":
            ordered = sorted(vote for vote, _ in votes)
            middle = len(ordered) // 2
            return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])
        if not self.weighted:
            return sum_of(vote for vote, _ in votes) / len(votes)
        least = min(member.squares.value for _, member in votes)
        weights = [1.0 if m.squares.value == least else least / m.squares.value for _, m in votes]
        return sum_of(w * vote for w, (vote, _) in zip(weights, votes, strict=True)) / sum_of(weights)

    def learn(self, x: Sequence[float], y: float, w: float = 1.0) -> None:
        if abs(y) <= LIMIT and 0.0 < w <= LIMIT:
            for member in self.members:
                member.learn(x, y, w)
