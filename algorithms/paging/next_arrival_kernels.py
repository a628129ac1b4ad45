"""Kernels of the policies that are told when each page is predicted to be requested next."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.bags import BAG, EMPTY, MEMBERS, draw, draw_of_two, end_of, shift
from streamlearn.caching.heap import insert, settle, take_out
from streamlearn.caching.rings import capacity_of
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

USED = 0
"""Place in ``numbers`` of `BlindOracle`: how many nodes have a page; it has nothing else, and a heap of them all."""

GONE = 3
"""Bag of the pages that were evicted in this phase; bags 1 and 2 hold the unmarked and the marked cached pages, or the
other way round."""
N_BAGS = 4
ROLE, DISTINCT = N_BAGS, N_BAGS + 1
"""Places in ``numbers``: 0 if bag 1 holds the unmarked pages, 1 if bag 2 does; how many pages were requested in this
phase, where that matters."""
N_NUMBERS = 2
HEAP = MEMBERS + N_BAGS
"""First of two columns of ``nodes``: the heap of the unmarked pages."""
CHAIN = HEAP + 2
"""Column of ``nodes``: for an evicted page, how many evictions led to its own, one of the other within the phase."""
FLAGS = HEAP + 2
"""Column of ``nodes``: what `LNonMarker` knows of a page."""
WAS_CACHED, WAS_REQUESTED, LEFT_FOR_CLEAN = 1, 2, 4
"""Flags: cached when the phase began; requested in the phase; evicted for a page that was not cached at its begin."""
N_COLUMNS = HEAP + 3
MOST_CHAIN = 2
"""Place in ``options`` of the chain's length from which on victims are random."""


@inlined
def step_blind_oracle(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of the blind oracle."""
    node, used = find(a, page), a.numbers[USED]
    if node >= 0:
        a.keys[node] = predicted
        settle(a, 0, node, used)
        return HIT
    if used < capacity_of(a):
        put(a, used, page)
        a.keys[used] = predicted
        insert(a, 0, used, used)
        a.numbers[USED] = used + 1
        return NONE
    node = int(a.nodes[0, 0])
    evicted = drop(a, node)
    put(a, node, page)
    a.keys[node] = predicted
    settle(a, 0, node, used)
    return evicted


@inlined
def unmarked(a: CacheArrays) -> int:
    """The bag of the unmarked pages."""
    return 1 + a.numbers[ROLE]


@inlined
def mark(a: CacheArrays, node: int, predicted: float) -> None:
    """Mark a cached page that is requested."""
    if a.nodes[node, BAG] == unmarked(a):
        take_out(a, HEAP, node, a.numbers[unmarked(a)])
    a.keys[node] = predicted
    shift(a, node, 3 - unmarked(a))


@inlined
def start_phase(a: CacheArrays) -> None:
    """Forget the evicted pages, and unmark the cached ones."""
    while a.numbers[GONE] > 0:
        node = end_of(a, GONE)
        drop(a, node)
        shift(a, node, EMPTY)
    already = unmarked(a)
    marked = 3 - already
    while a.numbers[already] > 0:  # none, but in phases that end before all pages are marked
        node = end_of(a, already)
        take_out(a, HEAP, node, a.numbers[already])
        shift(a, node, marked)
    a.numbers[ROLE] = 1 - a.numbers[ROLE]
    for size in range(a.numbers[marked]):
        insert(a, HEAP, int(a.nodes[size, MEMBERS + marked]), size)


@inlined
def exchange(a: CacheArrays, victim: int, node: int, page: int, predicted: float) -> int:
    """Evict the victim, remember it, and load a page, marked, on a node that has it already or on a free one; the page
    that was evicted."""
    if a.nodes[victim, BAG] == unmarked(a):
        take_out(a, HEAP, victim, a.numbers[unmarked(a)])
    shift(a, victim, GONE)
    if node < 0:
        node = end_of(a, EMPTY)
        put(a, node, page)
    a.keys[node] = predicted
    shift(a, node, 3 - unmarked(a))
    return a.pages[victim]


@inlined
def load_free(a: CacheArrays, page: int, predicted: float) -> int:
    """Load a page, marked, into a cache that is not full; its node."""
    node = end_of(a, EMPTY)
    put(a, node, page)
    a.keys[node] = predicted
    shift(a, node, 3 - unmarked(a))
    return node


@inlined
def farthest(a: CacheArrays) -> int:
    """The unmarked page with the latest predicted arrival."""
    return int(a.nodes[0, HEAP])


@inlined
def step_predictive_marker(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of PredictiveMarker."""
    node = find(a, page)
    if node >= 0 and a.nodes[node, BAG] != GONE:
        mark(a, node, predicted)
        return HIT
    if a.numbers[1] + a.numbers[2] < capacity_of(a):
        load_free(a, page, predicted)
        return NONE
    if a.numbers[unmarked(a)] == 0:
        start_phase(a)
        node = NONE
    chain = 1
    if node >= 0:  # it was evicted in this phase
        chain = int(a.nodes[node, CHAIN]) + 1
    victim = farthest(a) if chain <= int(a.options[MOST_CHAIN]) else draw(a, unmarked(a))
    evicted = exchange(a, victim, node, page, predicted)
    a.nodes[victim, CHAIN] = chain
    return evicted


@inlined
def step_l_marker(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of LMarker."""
    node = find(a, page)
    if node >= 0 and a.nodes[node, BAG] != GONE:
        mark(a, node, predicted)
        return HIT
    if a.numbers[1] + a.numbers[2] < capacity_of(a):
        load_free(a, page, predicted)
        return NONE
    if a.numbers[unmarked(a)] == 0:
        start_phase(a)
        node = NONE
    victim = draw(a, unmarked(a)) if node >= 0 else farthest(a)
    return exchange(a, victim, node, page, predicted)


@inlined
def step_l_non_marker(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of LNonMarker."""
    node = find(a, page)
    if node < 0 or a.nodes[node, FLAGS] & WAS_REQUESTED == 0:
        if a.numbers[DISTINCT] == capacity_of(a):
            if node >= 0 and a.nodes[node, BAG] == GONE:
                node = NONE
            start_phase(a)
            a.numbers[DISTINCT] = 0
            for place in range(a.numbers[unmarked(a)]):
                a.nodes[a.nodes[place, MEMBERS + unmarked(a)], FLAGS] = WAS_CACHED
        a.numbers[DISTINCT] += 1
    if node >= 0 and a.nodes[node, BAG] != GONE:
        mark(a, node, predicted)
        a.nodes[node, FLAGS] |= WAS_REQUESTED
        return HIT
    if a.numbers[1] + a.numbers[2] < capacity_of(a):
        a.nodes[load_free(a, page, predicted), FLAGS] = WAS_REQUESTED
        return NONE
    flags = int(a.nodes[node, FLAGS]) if node >= 0 else 0
    if flags & WAS_CACHED == 0:
        victim = farthest(a)
    elif flags & LEFT_FOR_CLEAN:
        victim = draw_of_two(a, unmarked(a), 3 - unmarked(a))
    else:
        victim = draw(a, unmarked(a))
    a.nodes[victim, FLAGS] &= WAS_CACHED | WAS_REQUESTED
    if flags & WAS_CACHED == 0:
        a.nodes[victim, FLAGS] |= LEFT_FOR_CLEAN
    evicted = exchange(a, victim, node, page, predicted)
    a.nodes[find(a, page), FLAGS] = flags & WAS_CACHED | WAS_REQUESTED
    return evicted


@kernel
def serve_blind_oracle(cache: int, requests: int) -> int:
    """Requests to the blind oracle."""
    return serve(step_blind_oracle, cache, requests)


@kernel
def serve_predictive_marker(cache: int, requests: int) -> int:
    """Requests to PredictiveMarker."""
    return serve(step_predictive_marker, cache, requests)


@kernel
def serve_l_marker(cache: int, requests: int) -> int:
    """Requests to LMarker."""
    return serve(step_l_marker, cache, requests)


@kernel
def serve_l_non_marker(cache: int, requests: int) -> int:
    """Requests to LNonMarker."""
    return serve(step_l_non_marker, cache, requests)


@kernel
def start_places(a: CacheArrays, column: int) -> None:
    """Let no node stand in a heap."""
    for node in range(len(a.pages)):
        a.nodes[node, column + 1] = NONE
