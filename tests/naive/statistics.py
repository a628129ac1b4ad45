"""Statistics of learners over streams as the papers put them in words: one loop a sentence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np


def ranks_of(scores: Sequence[float]) -> list[float]:
    """One more than those that are better, and half a place for each equal one."""
    return [
        1.0 + sum(other > own for other in scores) + (sum(other == own for other in scores) - 1) / 2.0 for own in scores
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """The smallest level at which the step-down procedure still rejects each hypothesis."""
    adjusted = []
    for own in p_values:
        smaller = sorted(p for p in p_values if p <= own)
        steps = [(len(p_values) - i) * p for i, p in enumerate(smaller)]
        adjusted.append(min(1.0, max(steps)))
    return adjusted


def exact_friedman(ranks: Sequence[Sequence[float]]) -> float:
    """P-value from every possible order of every stream's ranks."""

    def spread(rows: Sequence[Sequence[float]]) -> float:
        return sum(sum(column) ** 2 for column in zip(*rows, strict=True))

    seen = [spread(rows) for rows in itertools.product(*(itertools.permutations(row) for row in ranks))]
    return sum(value >= spread(ranks) - 1e-9 for value in seen) / len(seen)


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Chance that fair coins fall at least as unevenly."""
    n = only_first + only_second
    gap = abs(only_first - only_second)
    return sum(math.comb(n, heads) for heads in range(n + 1) if abs(2 * heads - n) >= gap) / 2.0**n


def bayesian_signed_rank(
    differences: Sequence[float], rope: float, prior: float, samples: int, seed: int
) -> tuple[float, float, float]:
    """Posterior probabilities that the first is better, equivalent, worse."""
    observed = [0.0, *differences]
    drawn = np.random.default_rng(seed).dirichlet([prior] + [1.0] * len(differences), samples)
    won = [0, 0, 0]
    for weights in drawn.tolist():
        shares = [0.0, 0.0, 0.0]
        for (one, w), (other, v) in itertools.product(zip(observed, weights, strict=True), repeat=2):
            mean = (one + other) / 2.0
            if mean > rope:
                shares[0] += w * v
            elif mean < -rope:
                shares[2] += w * v
            elif abs(mean) < rope:
                shares[1] += w * v
            elif rope == 0.0:
                shares[0] += w * v / 2.0
                shares[2] += w * v / 2.0
            else:
                shares[0 if mean > 0.0 else 2] += w * v / 2.0
                shares[1] += w * v / 2.0
        won[shares.index(max(shares))] += 1
    return won[0] / samples, won[1] / samples, won[2] / samples
