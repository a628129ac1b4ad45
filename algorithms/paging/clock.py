"""The policies that note that a page was used, and spare it once: Clock and SIEVE."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.errors import StateError

from .clock_kernels import HAND, serve_clock, serve_sieve


class Clock(RingPolicy):
    """FIFO with a second chance: a page that was requested since it was loaded goes to the front, unused, and stays.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Clock
    >>> Clock(capacity=2).access_many([1, 2, 1, 3, 2]).evicted.tolist()
    [-1, -1, -1, 2, 1]
    """

    _flags = (2,)
    _kernel = serve_clock


class Sieve(RingPolicy):
    """FIFO with a hand that picks the victim: it moves from old to new pages, and spares those that were requested.

    Spared pages stay in their place, so that new pages that nobody asks for again are sifted out quickly (Zhang et al.,
    SIEVE is simpler than LRU, 2024).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Sieve
    >>> Sieve(capacity=3).access_many([1, 2, 3, 1, 4, 5, 6]).evicted.tolist()
    [-1, -1, -1, -1, 2, 3, 4]
    """

    _flags = (2,)
    _numbers = 1
    _kernel = serve_sieve

    def _start(self, arrays: Any) -> None:
        super()._start(arrays)
        arrays.numbers[HAND] = -1

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        hand = arrays.numbers[HAND]
        if hand != -1 and not (0 <= hand < len(arrays.pages) and arrays.pages[hand] >= 0):
            raise StateError("array 'numbers': the hand is at no page")
