"""The policy that balances recency and frequency by itself, ARC."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.errors import StateError

from .arc_kernels import AGAIN, AGAIN_GONE, LIST, N_NUMBERS, ONCE, ONCE_GONE, TARGET, serve_arc


class ARC(RingPolicy):
    """Keeps pages that were requested once apart from those requested again, and learns how much room each should have.

    It remembers as many evicted pages as it caches: a request for one of them tells which of the two lists was too
    short (Megiddo and Modha, ARC: a self-tuning, low overhead replacement cache, 2003). The list's target moves by
    whole pages.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import ARC
    >>> ARC(capacity=2).access_many([1, 1, 2, 3, 1]).hits.tolist()
    [False, True, False, False, True]
    """

    _rings = 5
    _ghosts = (ONCE_GONE, AGAIN_GONE)
    _flags = (5,)
    _place = LIST
    _numbers = N_NUMBERS
    _kernel = serve_arc

    def _n_nodes(self) -> int:
        return 2 * self.capacity

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        numbers = arrays.numbers
        if not np.array_equal(numbers[1:], sizes[1:]) or not 0 <= numbers[TARGET] <= self.capacity:
            raise StateError("array 'numbers': these are not the sizes of the lists, or no target")
        cached, gone = sizes[ONCE] + sizes[AGAIN], sizes[ONCE_GONE] + sizes[AGAIN_GONE]
        if sizes[ONCE] + sizes[ONCE_GONE] > self.capacity or (gone and cached < self.capacity):
            raise StateError("array 'numbers': lists have no such sizes")
