"""Kernels of the policies whose order is that of the last requests, or of loading: LRU, FIFO, FLUSH and BITLRU."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import FREE, is_empty, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

QUEUE = 1
"""The one list of LRU and FIFO."""
ROLE = 0
"""Place in ``numbers`` of FLUSH and BITLRU: 0 if the list after `FREE` holds the 1-pages, 1 if the next one does."""


@inlined
def load(a: CacheArrays, page: int, ring: int, victim: int) -> int:
    """Load a page to the front of a list, in the place of a free node or else of the victim; what a step answers."""
    node, evicted = last(a, FREE), NONE
    if is_empty(a, FREE):
        node = victim
        evicted = drop(a, node)
    put(a, node, page)
    move(a, node, ring)
    return evicted


@inlined
def step_lru(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of LRU."""
    node = find(a, page)
    if node < 0:
        return load(a, page, QUEUE, last(a, QUEUE))
    move(a, node, QUEUE)
    return HIT


@inlined
def step_fifo(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of FIFO."""
    return HIT if find(a, page) >= 0 else load(a, page, QUEUE, last(a, QUEUE))


@inlined
def step_bit_lru(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of BITLRU: two lists in the order of the last requests, one for each bit."""
    ones = 1 + a.numbers[ROLE]
    zeros = 3 - ones
    ring = ones if bit else zeros
    node = find(a, page)
    if node < 0:
        return load(a, page, ring, last(a, zeros if is_empty(a, ones) else ones))
    move(a, node, ring)
    return HIT


@inlined
def step_flush(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of FLUSH: as BITLRU, but a fault without any 1-page makes all pages 1-pages: the lists swap roles."""
    node = find(a, page)
    if node < 0 and is_empty(a, FREE) and is_empty(a, 1 + a.numbers[ROLE]):
        a.numbers[ROLE] = 1 - a.numbers[ROLE]
    ones = 1 + a.numbers[ROLE]
    ring = ones if bit else 3 - ones
    if node < 0:
        return load(a, page, ring, last(a, ones))
    move(a, node, ring)
    return HIT


@kernel
def serve_lru(cache: int, requests: int) -> int:
    """Requests to LRU."""
    return serve(step_lru, cache, requests)


@kernel
def serve_fifo(cache: int, requests: int) -> int:
    """Requests to FIFO."""
    return serve(step_fifo, cache, requests)


@kernel
def serve_bit_lru(cache: int, requests: int) -> int:
    """Requests to BITLRU."""
    return serve(step_bit_lru, cache, requests)


@kernel
def serve_flush(cache: int, requests: int) -> int:
    """Requests to FLUSH."""
    return serve(step_flush, cache, requests)
