"""The policy whose promise without predictions is the best possible, OnlineMin."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import CachePolicy
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError

from .online_min_kernels import (
    CACHED,
    N_COLUMNS,
    N_NUMBERS,
    SUPPORT,
    build_tree,
    line_is_sound,
    serve_online_min,
    start_line,
)


class OnlineMin(CachePolicy):
    """Knows which pages an optimal cache might hold, and evicts, of some of them, that with the least random priority.

    On average over seeds it has at most H(capacity) = 1 + 1/2 + … + 1/capacity times the faults of the optimal policy,
    which no policy without predictions can beat (Brodal, Moruz and Negoescu, OnlineMin: a fast strongly competitive
    randomized paging algorithm, 2015). It remembers three times as many pages as it caches, and takes O(log capacity) a
    request.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import OnlineMin
    >>> OnlineMin(capacity=2).access_many([1, 2, 1, 3, 3]).hits.tolist()
    [False, False, True, False, True]
    """

    _kernel = serve_online_min

    def __init__(self, *, capacity: int, table: str = "dense", seed: int = 0) -> None:
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _layout(self) -> Layout:
        nodes = SUPPORT * self.capacity
        line = 1 << (2 * nodes - 1).bit_length()
        return Layout(nodes, 2 * line, N_COLUMNS, N_NUMBERS, keys=nodes)

    def _start(self, arrays: Any) -> None:
        start_line(arrays)

    def _remembered(self, arrays: Any) -> Any:
        return arrays.nodes[: len(arrays.pages), CACHED] == 0

    def _check(self, arrays: Any) -> None:
        if not line_is_sound(arrays, self.capacity):
            raise StateError("array 'nodes': the layers are broken")
        before = arrays.nodes.copy()
        build_tree(arrays)
        if not np.array_equal(arrays.nodes, before):
            raise StateError("array 'nodes': the tree is not that of the pages")
