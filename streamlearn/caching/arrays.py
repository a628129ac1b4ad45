"""What cache policies are made of: their state as arrays, the requests they are shown, and the loop over these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..compiled import address_of, borrowed, by_address, inlined, inlined_with, kernel, struct

HIT, NONE = -2, -1
"""What a step answers besides the page it evicted: a hit, or a fault for which there was a free place."""
CAPACITY, HASHED = 0, 1
"""Places in ``options``: how many pages the cache holds, and whether its table is hashed."""
N_COMMON_OPTIONS = 2


class CacheArrays(NamedTuple):
    """State of a cache policy.

    A *node* stands for a page that is cached, or remembered after its eviction, or for nothing as long as it is free.

    Attributes
    ----------
    options : float64 [O]
        The parameters, as numbers.
    table : int32 [T]
        Which node has a page (-1: none): entry ``page``, or hashed, see `streamlearn.caching.table`. It follows from
        ``pages``, so no state holds it.
    pages : int64 [M]
        The page of each node, -1 where it is free.
    nodes : int32 [R, W]
        What is known of each node, a column for each thing; rows from ``M`` on are the heads of lists.
    keys : float64 [K]
        Numbers that are not whole, such as the predicted next arrival for each node.
    numbers : int64 [N]
        Sizes of lists and other counts.
    random : uint64 [4] or [0]
        The generator of random numbers.
    """

    options: np.ndarray
    table: np.ndarray
    pages: np.ndarray
    nodes: np.ndarray
    keys: np.ndarray
    numbers: np.ndarray
    random: np.ndarray


class RequestArrays(NamedTuple):
    """Requests for a cache, and what it does.

    Attributes
    ----------
    pages : int64 [n]
    bits : uint8 [n] or [0]
        The bit that comes with each request; none: all are 0.
    predicted : float64 [n] or [0]
        When each page is predicted to be requested next.
    hits : bool [n]
        Output: whether the page was cached.
    evicted : int64 [n]
        Output: the page that had to leave, -1 where none had to.
    """

    pages: np.ndarray
    bits: np.ndarray
    predicted: np.ndarray
    hits: np.ndarray
    evicted: np.ndarray


Cache, CacheType = struct(CacheArrays)
Requests, RequestsType = struct(RequestArrays)


@kernel
def make_cache(a: CacheArrays) -> Any:
    """Pack a policy's arrays into the struct that kernels take."""
    return Cache(a.options, a.table, a.pages, a.nodes, a.keys, a.numbers, a.random)


@kernel
def make_requests(a: RequestArrays) -> Any:
    """Pack the arrays of one call into the struct that kernels take."""
    return Requests(a.pages, a.bits, a.predicted, a.hits, a.evicted)


@kernel
def cache_address(cache: Any) -> int:
    """Where a cache lives."""
    return int(address_of(cache))


@kernel
def requests_address(requests: Any) -> int:
    """Where requests live."""
    return int(address_of(requests))


def _example_cache() -> Any:
    none = np.empty(0, np.int32)
    return make_cache(
        CacheArrays(
            np.empty(0),
            none,
            np.empty(0, np.int64),
            np.empty((0, 0), np.int32),
            np.empty(0),
            np.empty(0, np.int64),
            np.empty(0, np.uint64),
        )
    )


def _example_requests() -> Any:
    none = np.empty(0, np.int64)
    return make_requests(RequestArrays(none, np.empty(0, np.uint8), np.empty(0), np.empty(0, np.bool_), none))


cache_at = by_address(_example_cache)
"""In kernels: the state of a policy at an address."""
requests_at = by_address(_example_requests)
"""In kernels: the requests at an address."""


@inlined
def arrays_at(cache: int) -> CacheArrays:
    """The arrays of the state at an address, for the kernel that was given the address."""
    state = cache_at(cache)
    return CacheArrays(
        borrowed(state.options),
        borrowed(state.table),
        borrowed(state.pages),
        borrowed(state.nodes),
        borrowed(state.keys),
        borrowed(state.numbers),
        borrowed(state.random),
    )


@inlined_with
def serve(step: Callable[..., int], cache: int, requests: int) -> int:
    """Show requests to a policy in order, by the addresses of both; what it answered to the last one.

    Parameters
    ----------
    step
        The policy: ``step(cache, page, bit, predicted) -> int``, `HIT`, `NONE`, or the page that it evicted; ``cache``
        is a `CacheArrays`.
    """
    arrays, work = arrays_at(cache), requests_at(requests)
    pages, bits, predicted = borrowed(work.pages), borrowed(work.bits), borrowed(work.predicted)
    hits, evicted = borrowed(work.hits), borrowed(work.evicted)
    with_bits, with_predictions = len(bits) > 0, len(predicted) > 0
    outcome = NONE
    for i in range(len(pages)):
        bit = np.int64(bits[i]) if with_bits else np.int64(0)
        outcome = step(arrays, pages[i], bit, predicted[i] if with_predictions else 0.0)
        hits[i] = outcome == HIT
        evicted[i] = max(outcome, NONE)
    return outcome
