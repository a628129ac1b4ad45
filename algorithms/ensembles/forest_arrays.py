"""The arrays of an ensemble whose members do not depend on each other, and how their votes become predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, kernel, struct

from ..drift.adwin_kernels import adwin_size

N_LEARNED, N_SEEN = range(2)
"""Places in ``numbers``."""
N_NUMBERS = 2

ACTIVE, BACKGROUND = range(2)
"""Places in ``slots``."""
DRIFT, WARNING = range(2)
"""Places in ``windows`` and ``alarms``."""
CORRECT, TOTAL = range(2)
"""Places in ``hits``."""

MEAN, WEIGHTED, DRIFT_DELTA, WARNING_DELTA, SAME_WEIGHT = range(5)
"""Places in ``options``."""
N_OPTIONS = 5

WINDOW_SIZE = adwin_size(rows=24)
"""Numbers in an ADWIN window of up to 84 million errors."""


class ForestArrays(NamedTuple):
    """What a forest knows beside its trees. ``M`` members, ``T`` trees, ``S`` operations a chunk, ``C`` classes.

    Attributes
    ----------
    numbers : int64 [2]
        Rows learned; fields that had a value in a row that was to be learned.
    options : float64 [5]
        Mean of the Poisson numbers, 0 for always 1; whether votes are weighted; confidences of the windows, 0 for
        none; whether a background tree learns with the same Poisson weight as the tree that predicts.
    rng : uint64 [M, 4]
        Each member's generator.
    seen : int32 [D]
        Those fields, in the order in which they first had one: what leaves draw from. Drawing does not depend on what
        else the schema knows, which may be more where the rows of many come at once.
    slots : int64 [M, 2]
        The trees that a member predicts by and that it grows in the background; -1 for none.
    windows : float64 [M, 2, adwin_size]
        ADWIN windows of a member's errors, for drifts and for warnings; none if nobody watches.
    alarms : int64 [M, 2]
        Drifts and warnings so far.
    hits : float64 [M, 2]
        Weight of the rows that a member's tree has predicted right, and of all, since the tree took its place.
    n_draws : int64 [D + 1]
        How many fields a leaf draws, by the number of fields seen.
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
    seen: np.ndarray
    slots: np.ndarray
    windows: np.ndarray
    alarms: np.ndarray
    hits: np.ndarray
    n_draws: np.ndarray
    addresses: np.ndarray
    places: np.ndarray
    votes: np.ndarray


Forest, ForestType = struct(ForestArrays)


@kernel
def make_forest(a: ForestArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Forest(
        a.numbers,
        a.options,
        a.rng,
        a.seen,
        a.slots,
        a.windows,
        a.alarms,
        a.hits,
        a.n_draws,
        a.addresses,
        a.places,
        a.votes,
    )


@kernel
def note_fields(numbers: np.ndarray, seen: np.ndarray, work: Any, start: int, stop: int) -> int:
    """Note which fields have their first value in operation ``start``, if that learns.

    Returns
    -------
    int
        How far the members may go before other fields have theirs: ``stop``, or an operation before it.
    """
    X, schedule = borrowed(work.X), borrowed(work.schedule)
    if numbers[N_SEEN] == len(seen):
        return stop
    known = np.zeros(len(seen), np.uint8)
    for k in range(numbers[N_SEEN]):
        known[seen[k]] = 1
    for step in range(start, stop):
        row = ~schedule[step]
        if row < 0:
            continue
        for field in range(len(seen)):
            if known[field] == 0 and X[row, field] == X[row, field]:
                if step > start:
                    return step
                seen[numbers[N_SEEN]] = field
                numbers[N_SEEN] += 1
    return stop


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
            nothing = 1.0 / proba.shape[1] if numbers[N_LEARNED] > 0 else 0.0  # any class
            for c in range(proba.shape[1]):
                proba[row, c] = total[c] / everything if everything > 0.0 else nothing
