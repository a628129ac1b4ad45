"""The deterministic policies that are driven by discard bits: FLUSH, and its practical relative BITLRU."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.errors import StateError

from .recency_kernels import ROLE, serve_bit_lru, serve_flush


class _TwoLists(RingPolicy):
    """What both keep: a list of 1-pages and one of 0-pages, and which is which."""

    advice = "discard"
    _rings = 3
    _numbers = 1

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        if arrays.numbers[ROLE] not in (0, 1):
            raise StateError("array 'numbers': a role is 0 or 1")


class Flush(_TwoLists):
    """Evicts pages whose last bit was 1; when there are none, every cached page becomes such a page.

    With discard bits, of which ``eta0`` are wrong zeros and ``eta1`` wrong ones, it has at most
    ``OPT + (capacity - 1) eta0 + eta1`` faults: optimal if the bits are right. Antoniadis et al. (Paging with Succinct
    Predictions, 2023) state such a bound, as we know second-hand; this form and its proof are ours. Of several pages
    whose bit is 1, the one not requested for the longest time leaves.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Flush, opt
    >>> pages = [1, 2, 3, 1, 2, 4, 1, 2, 3, 4]
    >>> hits, discard_bits = opt(pages, 3)
    >>> cache = Flush(capacity=3)
    >>> int(cache.access_many(pages, discard_bits).hits.sum()) == int(hits.sum()) == 5
    True
    """

    _kernel = serve_flush


class BitLRU(_TwoLists):
    """Evicts pages whose last bit was 1, the one not requested for the longest time first; when there are none, LRU.

    The best of the discard-bit policies in practice where few bits are wrong; no bound is known. If all bits are
    equal, it is LRU.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import BitLRU
    >>> cache = BitLRU(capacity=2)
    >>> cache.access(1), cache.access(2, bit=1), cache.access(3)
    (Access(hit=False, evicted=None), Access(hit=False, evicted=None), Access(hit=False, evicted=2))
    """

    _kernel = serve_bit_lru
