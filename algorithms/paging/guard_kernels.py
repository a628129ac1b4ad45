"""Kernel of GUARD on top of bits: pages that were evicted by mistake are guarded until the phase ends."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.bags import BAG, EMPTY, draw_of_two, end_of, shift
from streamlearn.caching.rings import capacity_of
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

GUARDED_0, GUARDED_1 = 5, 6
"""Bags of the guarded pages, by their bits; bags 1 and 2 hold the 0-pages, 3 and 4 the 1-pages, of each the old ones
and those requested in this phase, or the other way round."""
N_BAGS = 7
ROLE, HAND, PHASE, ERRORS = N_BAGS, N_BAGS + 1, N_BAGS + 2, N_BAGS + 3
"""Places in ``numbers``: whether bags 1 and 3 hold the old pages (0) or bags 2 and 4 do (1); the place for the next
evicted page; the number of the phase; evicted pages that were requested in it."""
N_NUMBERS = 4
RELAX = 2
"""Place in ``options``."""
EVICTED_IN = 1
"""Column of ``nodes`` where a node remembers an evicted page: the phase's number, modulo 2**30."""
PHASES = 1 << 30


@inlined
def remember(a: CacheArrays, page: int) -> None:
    """Remember a page that was evicted, in the place of the one that was evicted the longest ago."""
    size = capacity_of(a)
    node = size + a.numbers[HAND]
    if a.pages[node] >= 0:
        drop(a, node)
    put(a, node, page)
    a.nodes[node, EVICTED_IN] = a.numbers[PHASE]
    a.numbers[HAND] = (a.numbers[HAND] + 1) % (len(a.pages) - size)


@inlined
def start_phase(a: CacheArrays) -> None:
    """Make all cached pages old and unguarded."""
    a.numbers[ROLE] = 1 - a.numbers[ROLE]
    old = 1 + a.numbers[ROLE]
    while a.numbers[GUARDED_0] > 0:
        shift(a, end_of(a, GUARDED_0), old)
    while a.numbers[GUARDED_1] > 0:
        shift(a, end_of(a, GUARDED_1), old + 2)
    a.numbers[PHASE] = (a.numbers[PHASE] + 1) % PHASES
    a.numbers[ERRORS] = 0


@inlined
def step_guard(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of GUARD."""
    size = capacity_of(a)
    node = find(a, page)
    if 0 <= node < size:
        if a.nodes[node, BAG] >= GUARDED_0:
            shift(a, node, GUARDED_1 if bit else GUARDED_0)
        else:
            shift(a, node, (4 if bit else 2) - a.numbers[ROLE])
        return HIT
    gone_in = -1
    if node >= size:
        gone_in = int(a.nodes[node, EVICTED_IN])
        drop(a, node)
    if a.numbers[EMPTY] > 0:
        node = end_of(a, EMPTY)
        put(a, node, page)
        shift(a, node, (4 if bit else 2) - a.numbers[ROLE])
        return NONE
    old = 1 + a.numbers[ROLE]
    if a.numbers[old] + a.numbers[old + 2] == 0:
        start_phase(a)
        old = 3 - old
    guard = gone_in == a.numbers[PHASE]
    if guard:
        a.numbers[ERRORS] += 1
        guard = a.numbers[ERRORS] >= int(a.options[RELAX])
    if guard:
        victim = draw_of_two(a, old, old + 2)
    elif a.numbers[3] + a.numbers[4] > 0:
        victim = draw_of_two(a, 3, 4)
    else:
        victim = draw_of_two(a, 1, 2)
    evicted = drop(a, victim)
    put(a, victim, page)
    remember(a, evicted)
    if guard:
        shift(a, victim, GUARDED_1 if bit else GUARDED_0)
    else:
        shift(a, victim, (4 if bit else 2) - a.numbers[ROLE])
    return evicted


@kernel
def serve_guard(cache: int, requests: int) -> int:
    """Requests to GUARD."""
    return serve(step_guard, cache, requests)
