"""Kernels of the policies that evict at random: Marker, MARK0, BITRAND, and MARK&PREDICT."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.bags import EMPTY, draw, end_of, shift
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

N_BAGS = 5
"""The free nodes, and four bags whose meaning depends on the policy."""
ROLE = N_BAGS
"""Place in ``numbers``: 0 if the unmarked pages are in bags 1 and 3, 1 if they are in bags 2 and 4.

When all pages are marked and the marks go, no page moves: the bags swap roles.
"""
ONES = 3
"""MARK0's bag of 1-pages, marked or not; its other bags, 1 and 2, hold 0-pages."""


@inlined
def replace(a: CacheArrays, victim: int, page: int) -> int:
    """Load a page in the place of another; the page that was evicted."""
    evicted = drop(a, victim)
    put(a, victim, page)
    return evicted


@inlined
def step_mark0(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of MARK0."""
    node, outcome = find(a, page), HIT
    if node < 0:
        if a.numbers[EMPTY] > 0:
            node, outcome = end_of(a, EMPTY), NONE
            put(a, node, page)
        else:
            if a.numbers[ONES] > 0:
                node = draw(a, ONES)
            else:
                if a.numbers[1 + a.numbers[ROLE]] == 0:  # a new phase: all pages are unmarked
                    a.numbers[ROLE] = 1 - a.numbers[ROLE]
                node = draw(a, 1 + a.numbers[ROLE])
            outcome = replace(a, node, page)
    shift(a, node, ONES if bit else 2 - a.numbers[ROLE])
    return outcome


@inlined
def step_bit_rand(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of BITRAND: MARK0 without marks, so that bag 1 has all 0-pages."""
    node, outcome = find(a, page), HIT
    if node < 0:
        if a.numbers[EMPTY] > 0:
            node, outcome = end_of(a, EMPTY), NONE
            put(a, node, page)
        else:
            node = draw(a, ONES if a.numbers[ONES] > 0 else 1)
            outcome = replace(a, node, page)
    shift(a, node, ONES if bit else 1)
    return outcome


@inlined
def step_flush_rand(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of FLUSH with random victims: bags 1 and 2 hold 1-pages and 0-pages, or the other way round."""
    node, outcome = find(a, page), HIT
    if node < 0:
        if a.numbers[EMPTY] > 0:
            node, outcome = end_of(a, EMPTY), NONE
            put(a, node, page)
        else:
            if a.numbers[1 + a.numbers[ROLE]] == 0:  # the flush: all pages are 1-pages
                a.numbers[ROLE] = 1 - a.numbers[ROLE]
            node = draw(a, 1 + a.numbers[ROLE])
            outcome = replace(a, node, page)
    shift(a, node, 1 + a.numbers[ROLE] if bit else 2 - a.numbers[ROLE])
    return outcome


@inlined
def step_mark_and_predict(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of MARK&PREDICT: bags 1 and 2 hold the 0-pages, 3 and 4 the 1-pages."""
    node, outcome = find(a, page), HIT
    if node < 0:
        if a.numbers[EMPTY] > 0:
            node, outcome = end_of(a, EMPTY), NONE
            put(a, node, page)
        else:
            zeros = 1 + a.numbers[ROLE]
            if a.numbers[zeros] + a.numbers[zeros + 2] == 0:  # a new phase: all pages are unmarked
                a.numbers[ROLE] = 1 - a.numbers[ROLE]
                zeros = 3 - zeros
            node = draw(a, zeros + 2 if a.numbers[zeros + 2] > 0 else zeros)
            outcome = replace(a, node, page)
    shift(a, node, (4 if bit else 2) - a.numbers[ROLE])
    return outcome


@inlined
def step_marker(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of Marker: MARK0 without 1-pages."""
    return step_mark0(a, page, 0, predicted)


@kernel
def serve_mark0(cache: int, requests: int) -> int:
    """Requests to MARK0."""
    return serve(step_mark0, cache, requests)


@kernel
def serve_bit_rand(cache: int, requests: int) -> int:
    """Requests to BITRAND."""
    return serve(step_bit_rand, cache, requests)


@kernel
def serve_flush_rand(cache: int, requests: int) -> int:
    """Requests to FLUSH with random victims."""
    return serve(step_flush_rand, cache, requests)


@kernel
def serve_mark_and_predict(cache: int, requests: int) -> int:
    """Requests to MARK&PREDICT."""
    return serve(step_mark_and_predict, cache, requests)


@kernel
def serve_marker(cache: int, requests: int) -> int:
    """Requests to Marker."""
    return serve(step_marker, cache, requests)
