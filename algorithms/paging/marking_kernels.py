"""Kernels of the policies that mark what is requested and evict at random: Marker, MARK0, BITRAND, MARK&PREDICT."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.bags import EMPTY, draw, end_of, shift
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

ONES = 3
"""MARK0's bag of 1-pages; its bags 1 and 2 hold the unmarked and the marked 0-pages, and swap these roles."""
N_BAGS = 4
ROLE = N_BAGS
"""Place in ``numbers`` of the role: 0 if bag 1 holds the unmarked, 1 if bag 2 does."""


@inlined
def step_mark0(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of MARK0; of Marker, if all bits are 0."""
    node, outcome = find(a, page), HIT
    if node < 0:
        outcome = NONE
        if a.numbers[EMPTY] > 0:
            node = end_of(a, EMPTY)
        else:
            if a.numbers[ONES] > 0:
                node = draw(a, ONES)
            else:
                if a.numbers[1 + a.numbers[ROLE]] == 0:  # a new phase: all pages are unmarked
                    a.numbers[ROLE] = 1 - a.numbers[ROLE]
                node = draw(a, 1 + a.numbers[ROLE])
            outcome = drop(a, node)
        put(a, node, page)
    shift(a, node, ONES if bit else 2 - a.numbers[ROLE])
    return outcome


@kernel
def serve_mark0(cache: int, requests: int) -> int:
    """Requests to MARK0."""
    return serve(step_mark0, cache, requests)
