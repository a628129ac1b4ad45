"""The policy that lets only popular pages replace others, W-TinyLFU."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import RingPolicy
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError
from streamlearn.parameters import check_range

from .tiny_lfu_kernels import COUNTED, LIST, SKETCH, WINDOW, serve_tiny_lfu


class WTinyLFU(RingPolicy):
    """Lets new pages into a small window; one that leaves it stays only if it was requested more often than another.

    How often pages were requested lately is estimated by a sketch of 4-bit counters, all of which are halved from time
    to time. The other page is the last one of a segmented LRU list, in which pages requested again are protected
    (Einziger, Friedman and Manes, TinyLFU, 2017). There is no doorkeeper, and no lottery for pages turned away.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    window
        The window's share of the capacity, from 0 to 1; it has at least one place.
    protected
        The share of the rest in which pages are protected, from 0 to 1.
    sample
        Requests until the counters are halved, in multiples of the capacity, from 1 to 1000.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import WTinyLFU
    >>> WTinyLFU(capacity=2).access_many([1, 1, 2, 3, 1]).evicted.tolist()
    [-1, -1, -1, 2, -1]
    """

    _rings = 4
    _flags = (4,)
    _place = LIST
    _kernel = serve_tiny_lfu

    def __init__(
        self, *, capacity: int, table: str = "dense", window: float = 0.01, protected: float = 0.8, sample: int = 10
    ) -> None:
        check_range("window", window, 0.0, 1.0)
        check_range("protected", protected, 0.0, 1.0)
        check_range("sample", sample, 1, 1000, kind=int)
        self.window = window
        self.protected = protected
        self.sample = sample
        super().__init__(capacity=capacity, table=table)

    def _layout(self) -> Layout:
        words = 1 << max(self.capacity - 1, 255).bit_length()
        return super()._layout()._replace(numbers=SKETCH + words)

    def _options(self) -> list[float]:
        window = max(1, int(self.window * self.capacity))
        protected = int(self.protected * (self.capacity - window))
        return [float(window), float(protected), float(max(self.sample * self.capacity, 64))]

    def _check_numbers(self, arrays: Any, sizes: np.ndarray) -> None:
        window, _, most_counted = self._options()
        numbers = arrays.numbers
        if not np.array_equal(numbers[1:SKETCH], sizes[1:]) or sizes[WINDOW] > window:
            raise StateError("array 'numbers': these are not the sizes of the lists")
        if sizes[1:].sum() > sizes[WINDOW] and sizes[WINDOW] < window:
            raise StateError("array 'numbers': the window must be full before others have pages")
        if not 0 <= numbers[COUNTED] < most_counted:
            raise StateError("array 'numbers': no such count of requests")
