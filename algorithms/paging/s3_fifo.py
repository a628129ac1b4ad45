"""The policy of three queues, S3-FIFO."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.errors import StateError
from streamlearn.parameters import check_range

from .s3_fifo_kernels import EVICTED, GHOST, MAIN, N_NUMBERS, QUEUE, SMALL, serve_s3_fifo


class S3FIFO(RingPolicy):
    """Lets new pages pass through a small queue, and keeps in a main queue those that were requested there.

    A page that leaves the small queue without having been requested twice is evicted, but remembered: requested again
    soon, it goes straight to the main queue, where a page is spared once for every request, at most three times (Yang
    et al., FIFO queues are all you need for cache eviction, 2023). While the cache fills for the first time, pages for
    which the small queue is too full go to the main queue, as in the authors' libCacheSim.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    small
        The small queue's share of the capacity, from 0 to 1; it has at least one place.
    ghost
        How many evicted pages are remembered, as a share of the capacity, from 0 to 8.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import S3FIFO
    >>> S3FIFO(capacity=3, small=0.4).access_many([1, 2, 3, 4, 1]).hits.tolist()
    [False, False, False, False, False]
    """

    _rings = 4
    _ghosts = (GHOST,)
    _flags = (4, 4)
    _place = QUEUE
    _numbers = N_NUMBERS
    _kernel = serve_s3_fifo

    def __init__(self, *, capacity: int, table: str = "dense", small: float = 0.1, ghost: float = 0.9) -> None:
        check_range("small", small, 0.0, 1.0)
        check_range("ghost", ghost, 0.0, 8.0)
        self.small = small
        self.ghost = ghost
        super().__init__(capacity=capacity, table=table)

    def _sizes(self) -> tuple[int, int, int]:
        small = max(1, int(self.capacity * self.small))
        return small, self.capacity - small, int(self.capacity * self.ghost)

    def _options(self) -> list[float]:
        return [float(size) for size in self._sizes()]

    def _n_nodes(self) -> int:
        return self.capacity + self._sizes()[2]

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        queues = arrays.numbers[[SMALL, MAIN, GHOST]]
        if not np.array_equal(queues, sizes[[SMALL, MAIN, GHOST]]) or arrays.numbers[EVICTED] not in (0, 1):
            raise StateError("array 'numbers': these are not the sizes of the queues")
        if sizes[GHOST] > self._sizes()[2]:
            raise StateError("array 'nodes': too many evicted pages are remembered")
