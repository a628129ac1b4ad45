"""The policies that evict what was requested, or loaded, longest ago."""

from __future__ import annotations

from streamlearn.caching import RingPolicy

from .recency_kernels import serve_fifo, serve_lru


class LRU(RingPolicy):
    """Evicts the page that was not requested for the longest time.

    At most ``capacity`` times as many faults as the optimal policy (Sleator and Tarjan, 1985), the best that a
    deterministic policy can promise without predictions.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import LRU
    >>> cache = LRU(capacity=2)
    >>> cache.access_many([1, 2, 1, 3, 2]).hits.tolist()
    [False, False, True, False, False]
    >>> cache.access(1)
    Access(hit=False, evicted=3)
    """

    _kernel = serve_lru


class FIFO(RingPolicy):
    """Evicts the page that was loaded first.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import FIFO
    >>> FIFO(capacity=2).access_many([1, 2, 1, 3, 2]).evicted.tolist()
    [-1, -1, -1, 1, -1]
    """

    _kernel = serve_fifo
