"""The arrays of an ensemble whose members do not depend on each other, and how their votes become predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, kernel, struct

from ..drift.adwin_kernels import adwin_size

N_LEARNED = 0
"""Place in ``numbers``."""
N_NUMBERS = 1

ACTIVE, BACKGROUND = range(2)
"""Places in ``slots``."""
DRIFT, WARNING = range(2)
"""Places in ``windows`` and ``alarms``."""
CORRECT, TOTAL = range(2)
"""Places in ``hits``."""

WINDOW_SIZE = adwin_size(rows=24)
"""Numbers in an ADWIN window of up to 84 million errors."""


class ForestArrays(NamedTuple):
    """What a forest knows beside its trees. ``M`` members, ``T`` trees, ``S`` operations a chunk, ``C`` classes.

    Arrays that an algorithm does not use are empty.

    Attributes
    ----------
    numbers : int64 [1]
        Rows learned.
    options : float64 [K]
        The algorithm's parameters.
    rng : uint64 [M, 4]
        Each member's generator.
    slots : int64 [M, 2]
        The trees that a member predicts by and that it grows in the background; -1 for none.
    windows : float64 [M, 2, adwin_size]
        ADWIN windows of a member's errors, for drifts and for warnings.
    alarms : int64 [M, 2]
        Drifts and warnings so far.
    hits : float64 [M, 2]
        Weight of the rows that a member's tree has predicted right, and of all, since the tree took its place.
    addresses : int64 [T]
        Where the trees' structs live.
    places : int64 [M]
        The operation that each member comes to next: one that lacks room waits, while the others go on.
    votes : float64 [M, S, C]
        What each member votes, by operation of the chunk.
    """

    numbers: np.ndarray
    options: np.ndarray
    rng: np.ndarray
    slots: np.ndarray
    windows: np.ndarray
    alarms: np.ndarray
    hits: np.ndarray
    addresses: np.ndarray
    places: np.ndarray
    votes: np.ndarray


Forest, ForestType = struct(ForestArrays)


@kernel
def make_forest(a: ForestArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Forest(
        a.numbers, a.options, a.rng, a.slots, a.windows, a.alarms, a.hits, a.addresses, a.places, a.votes
    )  # fmt: skip


@kernel
def combine_votes(numbers: np.ndarray, votes: np.ndarray, work: Any, start: int, stop: int) -> None:
    """Turn the members' votes on operations ``start … stop-1`` into predictions, summing them in the members' order.

    Parameters
    ----------
    numbers : int64 [1 or more]
        `N_LEARNED` is counted here, since predictions are -1 before the first row.
    votes : float64 [M, S, C]
    work : Work
    """
    votes, schedule, targets, weights = (
        borrowed(votes),
        borrowed(work.schedule),
        borrowed(work.y),
        borrowed(work.weight),
    )
    prediction, proba = borrowed(work.prediction), borrowed(work.proba)
    M, C = votes.shape[0], votes.shape[2]
    total = np.empty(C)
    for step in range(start, stop):
        row = schedule[step]
        if row < 0:
            y, w = targets[~row], weights[~row]
            numbers[N_LEARNED] += (y >= 0) & (y < C) & (w > 0.0) & (w < np.inf)
            continue
        total[:] = 0.0
        for i in range(M):
            for c in range(C):
                total[c] += votes[i, step - start, c]
        best, everything = 0, 0.0
        for c in range(C):
            best = c if total[c] > total[best] else best
            everything += total[c]
        prediction[row] = best if numbers[N_LEARNED] > 0 else -1
        if len(proba) > 0:
            for c in range(proba.shape[1]):
                proba[row, c] = total[c] / everything if everything > 0.0 else 0.0
