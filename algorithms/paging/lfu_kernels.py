"""Kernels of LFU: lists of pages with equal counts, themselves in a list that rises with the count."""

from __future__ import annotations

import numpy as np

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import FREE, NEXT, PREVIOUS, head, is_empty, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

LIST = 2
"""Column of ``nodes``: for a node the list it is in."""
ABOVE, BELOW = 3, 4
"""Columns of ``nodes`` for the heads of lists: the lists with the next greater and the next smaller count.

`FREE`, the list of free nodes, begins and ends this chain; lists without pages are in a chain of their own, by `ABOVE`.
"""
UNUSED = 0
"""Place in ``numbers`` of the first list without pages; from there on, the counts of the lists."""


@inlined
def insert_above(a: CacheArrays, ring: int, count: int) -> int:
    """Put an unused list above another one; the list."""
    fresh = a.numbers[UNUSED]
    top = head(a, fresh)
    a.numbers[UNUSED] = a.nodes[top, ABOVE]
    above = a.nodes[head(a, ring), ABOVE]
    a.nodes[top, ABOVE] = above
    a.nodes[top, BELOW] = ring
    a.nodes[head(a, above), BELOW] = fresh
    a.nodes[head(a, ring), ABOVE] = fresh
    a.numbers[fresh] = count
    return fresh


@inlined
def release(a: CacheArrays, ring: int) -> None:
    """Take a list without pages out of the chain."""
    top = head(a, ring)
    above, below = a.nodes[top, ABOVE], a.nodes[top, BELOW]
    a.nodes[head(a, below), ABOVE] = above
    a.nodes[head(a, above), BELOW] = below
    a.nodes[top, ABOVE] = a.numbers[UNUSED]
    a.numbers[UNUSED] = ring


@inlined
def step_lfu(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of LFU."""
    node = find(a, page)
    if node >= 0:
        ring = int(a.nodes[node, LIST])
        count = a.numbers[ring] + 1
        target = int(a.nodes[head(a, ring), ABOVE])
        if target == FREE or a.numbers[target] != count:
            if a.nodes[node, NEXT] == a.nodes[node, PREVIOUS]:  # it is alone: its list gets the greater count
                a.numbers[ring] = count
                return HIT
            target = insert_above(a, ring, count)
        move(a, node, target)
        a.nodes[node, LIST] = target
        if is_empty(a, ring):
            release(a, ring)
        return HIT
    evicted = NONE
    lowest = int(a.nodes[head(a, FREE), ABOVE])
    if is_empty(a, FREE):
        node = last(a, lowest)
        evicted = drop(a, node)
        move(a, node, FREE)
        if is_empty(a, lowest):
            release(a, lowest)
            lowest = int(a.nodes[head(a, FREE), ABOVE])
    if lowest == FREE or a.numbers[lowest] != 1:
        lowest = insert_above(a, FREE, 1)
    node = last(a, FREE)
    put(a, node, page)
    move(a, node, lowest)
    a.nodes[node, LIST] = lowest
    return evicted


@kernel
def serve_lfu(cache: int, requests: int) -> int:
    """Requests to LFU."""
    return serve(step_lfu, cache, requests)


@kernel
def start_chain(a: CacheArrays) -> None:
    """Make all lists but that of the free nodes unused."""
    n_lists = len(a.nodes) - len(a.pages)
    a.nodes[head(a, FREE), ABOVE] = a.nodes[head(a, FREE), BELOW] = FREE
    for ring in range(1, n_lists):
        a.nodes[head(a, ring), ABOVE] = (ring + 1) % n_lists
    a.numbers[UNUSED] = 1


@kernel
def chain_is_sound(a: CacheArrays, sizes: np.ndarray) -> bool:
    """Whether the lists with pages are a chain of rising counts, and the others another chain.

    Parameters
    ----------
    sizes : int64 [lists]
        How many pages each list has.
    """
    n_lists = len(sizes)
    for row in range(len(a.pages), len(a.nodes)):
        if not (0 <= a.nodes[row, ABOVE] < n_lists and 0 <= a.nodes[row, BELOW] < n_lists):
            return False
    ring, below, count, seen = int(a.nodes[head(a, FREE), ABOVE]), FREE, 0, 1
    while ring != FREE:
        if seen == n_lists or sizes[ring] == 0 or a.numbers[ring] <= count or a.nodes[head(a, ring), BELOW] != below:
            return False
        count, below, ring, seen = a.numbers[ring], ring, int(a.nodes[head(a, ring), ABOVE]), seen + 1
    if a.nodes[head(a, FREE), BELOW] != below:
        return False
    ring = a.numbers[UNUSED]
    while ring != FREE:
        if not 0 < ring < n_lists or seen == n_lists or sizes[ring] > 0:
            return False
        ring, seen = int(a.nodes[head(a, ring), ABOVE]), seen + 1
    return seen == n_lists
