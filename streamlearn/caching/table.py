"""Which node has a page: a dense table with an entry for each page, or a hash table that is bounded by the cache.

The hash table probes linearly and moves entries back when one is removed, so it holds no tombstones and never grows.
"""

from __future__ import annotations

import numpy as np

from ..compiled import inlined, kernel
from .arrays import HASHED, NONE, CacheArrays

LARGEST_DENSE = (1 << 27) - 1
"""Greatest page of a dense table, which then takes 512 MiB."""


def hashed_size(nodes: int) -> int:
    """Entries of a hash table for so many nodes: a power of two, at most half of them in use."""
    return max(4, 1 << (2 * nodes - 1).bit_length())


@inlined
def home(page: int, size: int) -> int:
    """Where in a hash table of ``size`` entries the search for a page begins (Fibonacci hashing, then folded)."""
    mixed = np.uint64(page) * np.uint64(0x9E3779B97F4A7C15)
    return int(np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(size - 1)))


@inlined
def find(a: CacheArrays, page: int) -> int:
    """The node that has a page, or -1."""
    table = a.table
    if a.options[HASHED] == 0.0:
        return int(table[page])
    size = len(table)
    at = home(page, size)
    while True:
        node = int(table[at])
        if node < 0 or a.pages[node] == page:
            return node
        at = (at + 1) & (size - 1)


@inlined
def put(a: CacheArrays, node: int, page: int) -> None:
    """Give a page that has no node to a node that has no page."""
    a.pages[node] = page
    table = a.table
    if a.options[HASHED] == 0.0:
        table[page] = node
        return
    size = len(table)
    at = home(page, size)
    while table[at] >= 0:
        at = (at + 1) & (size - 1)
    table[at] = node


@inlined
def drop(a: CacheArrays, node: int) -> int:
    """Take its page away from a node; the page."""
    page = a.pages[node]
    a.pages[node] = NONE
    table = a.table
    if a.options[HASHED] == 0.0:
        table[page] = NONE
        return page
    size = len(table)
    mask = size - 1
    hole = home(page, size)
    while table[hole] != node:
        hole = (hole + 1) & mask
    at = hole
    while True:
        at = (at + 1) & mask
        moved = int(table[at])
        if moved < 0:
            break
        start = home(a.pages[moved], size)
        if ((at - start) & mask) >= ((at - hole) & mask):  # its search would pass the hole
            table[hole] = moved
            hole = at
    table[hole] = NONE
    return page


@kernel
def fill(a: CacheArrays) -> int:
    """Enter all pages into an empty table; the number of a node whose page another has, or -1."""
    for node in range(len(a.pages)):
        page = a.pages[node]
        if page < 0:
            continue
        if find(a, page) >= 0:
            return node
        put(a, node, page)
    return NONE
