"""What a forest of regression trees knows beside its trees, and how its members' votes become predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct

AGGREGATIONS = ("mean", "median")
BY_AVERAGE, BY_MEDIAN = range(2)

AGGREGATION, WEIGHTED = range(2)
"""Places in ``options``."""
N_OPTIONS = 2


class RegressionForestArrays(NamedTuple):
    """None of this is learned: a member's arrays hold all that it knows. ``M`` members, ``S`` operations a chunk.

    Attributes
    ----------
    options : float64 [2]
        How votes are combined, and whether they are weighted.
    addresses : int64 [M]
        Where the members' structs live.
    places : int64 [M]
        The operation that each member comes to next: one that lacks room waits, while the others go on.
    votes : float64 [M, S]
        What each member predicts, by operation of the chunk; NaN before its tree has learned a row.
    squares : float64 [M, S]
        Mean squared error of each member's tree at that time.
    """

    options: np.ndarray
    addresses: np.ndarray
    places: np.ndarray
    votes: np.ndarray
    squares: np.ndarray


RegressionForest, RegressionForestType = struct(RegressionForestArrays)


@kernel
def make_regression_forest(a: RegressionForestArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return RegressionForest(a.options, a.addresses, a.places, a.votes, a.squares)


@kernel
def combine_votes(s: Any, work: Any, start: int, stop: int) -> None:
    """Turn the members' votes on operations ``start … stop-1`` into predictions; 0 if nobody votes."""
    options, votes, squares = borrowed(s.options), borrowed(s.votes), borrowed(s.squares)
    schedule, prediction = borrowed(work.schedule), borrowed(work.prediction)
    ordered = np.empty(len(votes))
    for step in range(start, stop):
        row, at = schedule[step], step - start
        if row < 0:
            continue
        if options[AGGREGATION] == BY_MEDIAN:
            prediction[row] = median(votes[:, at], ordered)
        elif options[WEIGHTED] != 0.0:
            prediction[row] = weighted_mean(votes[:, at], squares[:, at])
        else:
            prediction[row] = mean(votes[:, at])


@inlined
def mean(votes: np.ndarray) -> float:
    """Mean of the votes that there are."""
    total, n = 0.0, 0
    for i in range(len(votes)):
        if votes[i] == votes[i]:
            total += votes[i]
            n += 1
    return total / n if n > 0 else 0.0


@inlined
def weighted_mean(votes: np.ndarray, squares: np.ndarray) -> float:
    """Mean of the votes, each by the inverse of its member's mean squared error.

    Squares are taken as shares of the least, so that none is too small to divide by; a member without errors so far
    shares all the weight with others of its kind.
    """
    least = np.inf
    for i in range(len(votes)):
        if votes[i] == votes[i]:
            least = min(least, squares[i])
    total, weight = 0.0, 0.0
    for i in range(len(votes)):
        if votes[i] == votes[i]:
            share = 1.0 if squares[i] == least else least / squares[i]
            total += share * votes[i]
            weight += share
    return total / weight if weight > 0.0 else 0.0


@inlined
def median(votes: np.ndarray, ordered: np.ndarray) -> float:
    """Median of the votes that there are, given space for them."""
    n = 0
    for i in range(len(votes)):
        vote = votes[i]
        if vote == vote:
            k = n
            while k > 0 and ordered[k - 1] > vote:
                ordered[k] = ordered[k - 1]
                k -= 1
            ordered[k] = vote
            n += 1
    if n == 0:
        return 0.0
    return ordered[n // 2] if n % 2 else 0.5 * (ordered[n // 2 - 1] + ordered[n // 2])
