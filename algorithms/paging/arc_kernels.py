"""Kernel of ARC: two lists of cached pages, two of evicted ones, and a target that moves between them."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import FREE, capacity_of, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

ONCE, AGAIN, ONCE_GONE, AGAIN_GONE = 1, 2, 3, 4
"""The lists, T1, T2, B1 and B2 in the paper; their sizes are in ``numbers`` at these places."""
TARGET = 0
"""Place in ``numbers`` of the size that `ONCE` should have, p in the paper."""
N_NUMBERS = 5
LIST = 2
"""Column of ``nodes``: the list that the node is in."""


@inlined
def enter(a: CacheArrays, node: int, target: int) -> None:
    """Move a node to the front of a list."""
    a.numbers[a.nodes[node, LIST]] -= 1
    a.numbers[target] += 1
    a.nodes[node, LIST] = target
    move(a, node, target)


@inlined
def forget(a: CacheArrays, of: int) -> int:
    """Forget the page at the end of a list; the page."""
    node = last(a, of)
    a.numbers[of] -= 1
    move(a, node, FREE)
    return drop(a, node)


@inlined
def evict(a: CacheArrays, came_again: bool) -> int:
    """Evict the last page of one of the lists, and remember it: REPLACE in the paper."""
    once, target = a.numbers[ONCE], a.numbers[TARGET]
    from_once = once > 0 and (once > target or (came_again and once == target))
    node = last(a, ONCE if from_once else AGAIN)
    enter(a, node, ONCE_GONE if from_once else AGAIN_GONE)
    return a.pages[node]


@inlined
def step_arc(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of ARC (Fig. 4 of the paper)."""
    size = capacity_of(a)
    numbers = a.numbers
    node = find(a, page)
    if node >= 0:
        where = a.nodes[node, LIST]
        outcome = HIT
        if where == ONCE_GONE:
            numbers[TARGET] = min(numbers[TARGET] + max(numbers[AGAIN_GONE] // numbers[ONCE_GONE], 1), size)
            outcome = evict(a, False)
        elif where == AGAIN_GONE:
            numbers[TARGET] = max(numbers[TARGET] - max(numbers[ONCE_GONE] // numbers[AGAIN_GONE], 1), 0)
            outcome = evict(a, True)
        enter(a, node, AGAIN)
        return outcome
    outcome = NONE
    if numbers[ONCE] + numbers[ONCE_GONE] == size:
        if numbers[ONCE] < size:
            forget(a, ONCE_GONE)
            if numbers[ONCE] + numbers[AGAIN] == size:
                outcome = evict(a, False)
        else:
            outcome = forget(a, ONCE)
    elif numbers[ONCE] + numbers[AGAIN] == size:
        if numbers[ONCE] + numbers[AGAIN] + numbers[ONCE_GONE] + numbers[AGAIN_GONE] == 2 * size:
            forget(a, AGAIN_GONE)
        outcome = evict(a, False)
    node = last(a, FREE)
    put(a, node, page)
    numbers[ONCE] += 1
    a.nodes[node, LIST] = ONCE
    move(a, node, ONCE)
    return outcome


@kernel
def serve_arc(cache: int, requests: int) -> int:
    """Requests to ARC."""
    return serve(step_arc, cache, requests)
