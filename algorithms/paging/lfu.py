"""The policy that evicts what was requested least often, LFU."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError

from .lfu_kernels import LIST, chain_is_sound, serve_lfu, start_chain


class LFU(RingPolicy):
    """Evicts the page that was requested least often since it was loaded; of several, the one not requested longest.

    A request takes constant time. Pages that were popular once stay long: see `WTinyLFU` for a policy that forgets.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import LFU
    >>> LFU(capacity=2).access_many([1, 1, 2, 3, 1]).evicted.tolist()
    [-1, -1, -1, 2, -1]
    """

    _place = LIST
    _kernel = serve_lfu

    def _layout(self) -> Layout:
        return Layout(self.capacity, self.capacity + 2, 5, self.capacity + 2)

    def _start(self, arrays: Any) -> None:
        super()._start(arrays)
        start_chain(arrays)

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        if not chain_is_sound(arrays, sizes):
            raise StateError("array 'nodes': the lists of pages with equal counts are broken")
