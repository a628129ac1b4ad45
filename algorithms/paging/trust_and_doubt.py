"""The policy that trusts a predicted cache page by page, Trust&Doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamlearn.caching.arrays import CacheArrays
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError

from .composite import CompositePolicy, Spec
from .trust_and_doubt_kernels import (
    FLAGS,
    N_COLUMNS,
    N_NUMBERS,
    PREDICTED,
    REAL,
    nodes_are_sound,
    serve_trust_and_doubt,
    start_nodes,
)


class TrustAndDoubt(CompositePolicy):
    """Trusts a predicted cache page by page, and doubts it for longer and longer where it was wrong.

    The predicted cache is that of `BlindOracle` with the same predictions. O(min(log(1 + eta / OPT), log capacity))
    times the optimal faults on average, where ``eta`` says how far the predicted cache is from an optimal one
    (Antoniadis et al., Online metric algorithms with untrusted predictions, 2020, made lazy as there). The page that
    leaves the real cache is the one not requested for the longest time, of those that the algorithm's own cache lacks;
    the published code takes the one loaded first. A fault takes time in proportion to the capacity, a new phase too:
    this is for comparisons, not for large caches.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import TrustAndDoubt, next_arrivals
    >>> pages = [1, 2, 3, 1, 2]
    >>> TrustAndDoubt(capacity=2).access_many(pages, predicted=next_arrivals(pages)).evicted.tolist()
    [-1, -1, 2, -1, 3]
    """

    advice = "next arrival"
    _kernel = serve_trust_and_doubt

    def __init__(self, *, capacity: int, table: str = "dense", seed: int = 0) -> None:
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _specs(self) -> Sequence[Spec]:
        return ["blind_oracle"]

    def _layout(self) -> Layout:
        nodes = 4 * self.capacity + 3  # three caches, the arrivals of a phase, and the requested page
        return Layout(nodes, 0, N_COLUMNS, N_NUMBERS, keys=2 * nodes)

    def _start(self, arrays: CacheArrays) -> None:
        start_nodes(arrays)

    def _remembered(self, arrays: CacheArrays) -> np.ndarray:
        return arrays.nodes[:, FLAGS] & REAL == 0

    def _check(self, arrays: CacheArrays) -> None:
        if not nodes_are_sound(arrays, self.capacity):
            raise StateError("array 'nodes': flags and counts do not fit together")
        predicted = np.sort(arrays.pages[(arrays.pages >= 0) & (arrays.nodes[:, FLAGS] & PREDICTED > 0)])
        if not np.array_equal(predicted, self._parts[0].cached):
            raise StateError("array 'nodes': the predicted cache is another one")
