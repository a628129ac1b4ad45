"""Kernel of Trust&Doubt: which pages to keep, given a predicted cache that is trusted page by page.

It decides on the contents of a *goal*, a cache that may load pages that nobody requests; the *real* cache follows the
goal lazily. The names are the paper's: a phase has as many arrivals (first requests) as the cache has places; pages
that were cached when it began are *stale*, or *ancient* if the phase before had not requested them either; a page that
is not stale and arrives when no ancient pages are left is *clean*. For each clean page q there is a page p_q that the
predictor would do without: it is kept out of the goal while q trusts it. A request for p_q makes q doubt, for an
interval of arrivals that doubles each time.
"""

from __future__ import annotations

import numpy as np

from streamlearn.caching.arrays import NONE, CacheArrays, arrays_at, requests_at
from streamlearn.caching.rings import capacity_of
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import next_bits

GOAL, PREDICTED, REAL, ARRIVED, STALE, ANCIENT = 1, 2, 4, 8, 16, 32
"""Flags: in the goal, in the predicted cache, in the real cache; requested in this phase; stale; ancient."""
N_FLAGS = 6
FLAGS, OUT, HOLDER, TRUSTED, SINCE, LENGTH, CLEAN, SPARE = 0, 1, 2, 3, 4, 5, 6, 7
"""Columns of ``nodes``: the flags; for a clean page q, the node of p_q (-1: none); for p_q, the node of q (-1: none);
whether q trusts; arrivals when its interval began; the interval's length; in row i, the i-th clean page of the phase;
and in row i, the i-th node without a page."""
N_COLUMNS = 8
CLOCK, ARRIVALS, ANCIENTS, IN_GOAL, IN_REAL, CLEANS, SPARES, STARTED = 0, 1, 2, 3, 4, 5, 6, 7
"""Places in ``numbers``: requests so far; arrivals in the phase; ancient pages left; pages in the goal and in the real
cache; clean pages; nodes without a page; whether the first phase is over."""
N_NUMBERS = 8
LONGEST = 1 << 28
"""Intervals do not double beyond it."""


@inlined
def has(a: CacheArrays, node: int, flags: int) -> bool:
    """Whether a node has one of the flags."""
    return a.nodes[node, FLAGS] & flags != 0


@inlined
def raise_flag(a: CacheArrays, node: int, flag: int) -> None:
    """Give a node a flag."""
    a.nodes[node, FLAGS] |= flag


@inlined
def lower_flag(a: CacheArrays, node: int, flag: int) -> None:
    """Take a flag from a node."""
    a.nodes[node, FLAGS] &= ~flag


@inlined
def last_seen(a: CacheArrays, node: int) -> float:
    """When the page was requested last."""
    return float(a.keys[len(a.pages) + node])


@kernel
def oldest(a: CacheArrays, some: int, none: int, free_only: bool) -> int:
    """The page not requested for the longest time, of those with one of some flags and without any of others; or -1.

    Parameters
    ----------
    free_only
        Whether to pass over pages that are p_q for some q.
    """
    best = NONE
    for node in range(len(a.pages)):
        if a.pages[node] < 0 or not has(a, node, some) or has(a, node, none):
            continue
        if free_only and a.nodes[node, HOLDER] >= 0:
            continue
        if best < 0 or last_seen(a, node) < last_seen(a, best):
            best = node
    return best


@kernel
def unmarked_stale(a: CacheArrays, cached: bool) -> int:
    """The unmarked stale page with the least priority in the goal; or with the greatest outside it, and not trusted."""
    best = NONE
    for node in range(len(a.pages)):
        if a.pages[node] < 0 or not has(a, node, STALE) or has(a, node, ARRIVED) or has(a, node, GOAL) != cached:
            continue
        holder = a.nodes[node, HOLDER]
        if not cached and holder >= 0 and a.nodes[holder, TRUSTED] == 1:
            continue
        if best < 0 or (a.keys[node] < a.keys[best]) == cached:
            best = node
    return best


@inlined
def leave_out(a: CacheArrays, q: int) -> None:
    """Choose p_q anew: unmarked stale or requested in this phase, not in the predicted cache, and no other's."""
    before = a.nodes[q, OUT]
    if before >= 0:
        a.nodes[before, HOLDER] = NONE
    chosen = oldest(a, STALE | ARRIVED, PREDICTED, True)
    a.nodes[q, OUT] = chosen
    if chosen >= 0:
        a.nodes[chosen, HOLDER] = q


@inlined
def priority(word: np.uint64, page: int) -> float:
    """The random priority that a page has in a phase, from 0 to below 1 (the finaliser of MurmurHash3)."""
    mixed = word ^ np.uint64(page)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return float(((mixed ^ (mixed >> np.uint64(33))) >> np.uint64(11)) * 2.0**-53)


@kernel
def start_phase(a: CacheArrays, requested: int) -> None:
    """Sort the pages of the goal into stale and ancient ones, and forget what belongs to no cache."""
    numbers = a.numbers
    numbers[ARRIVALS] = numbers[ANCIENTS] = numbers[CLEANS] = 0
    word = next_bits(a.random)
    for node in range(len(a.pages)):
        if a.pages[node] < 0:
            continue
        recent = has(a, node, ARRIVED) or node == requested
        lower_flag(a, node, ARRIVED | STALE | ANCIENT)
        a.nodes[node, OUT] = a.nodes[node, HOLDER] = NONE
        a.nodes[node, TRUSTED] = 0
        if has(a, node, GOAL):
            raise_flag(a, node, STALE if recent else ANCIENT)
            numbers[ANCIENTS] += not recent
            a.keys[node] = priority(word, a.pages[node])
        elif node != requested and not has(a, node, PREDICTED | REAL):
            drop(a, node)
            a.nodes[numbers[SPARES], SPARE] = node
            numbers[SPARES] += 1
    numbers[STARTED] = 1


@kernel
def update_goal(a: CacheArrays, node: int) -> None:
    """Let the goal serve a request for a page that has a node."""
    numbers, nodes = a.numbers, a.nodes
    arrives = not has(a, node, ARRIVED)
    if arrives and numbers[ARRIVALS] == capacity_of(a):
        start_phase(a, node)
    if arrives:
        numbers[ARRIVALS] += 1
        raise_flag(a, node, ARRIVED)
    if numbers[STARTED] == 0:
        if not has(a, node, GOAL):
            raise_flag(a, node, GOAL)
            numbers[IN_GOAL] += 1
        return
    if numbers[ANCIENTS] > 0:
        if has(a, node, ANCIENT):
            lower_flag(a, node, ANCIENT)
            numbers[ANCIENTS] -= 1
        if not has(a, node, GOAL):
            victim = oldest(a, ANCIENT, PREDICTED, False)
            if victim < 0:
                victim = oldest(a, ANCIENT, 0, False)
            lower_flag(a, victim, ANCIENT | GOAL)
            numbers[ANCIENTS] -= 1
            raise_flag(a, node, GOAL)
        return
    if not has(a, node, GOAL):
        victim = unmarked_stale(a, True)
        if victim >= 0:
            lower_flag(a, victim, GOAL)
            raise_flag(a, node, GOAL)
    if arrives and not has(a, node, STALE):
        nodes[numbers[CLEANS], CLEAN] = node
        numbers[CLEANS] += 1
        nodes[node, OUT] = NONE
        leave_out(a, node)
        nodes[node, TRUSTED] = nodes[node, LENGTH] = 1
        nodes[node, SINCE] = numbers[ARRIVALS] - 1
    doubting = int(nodes[node, HOLDER])
    if doubting >= 0:
        leave_out(a, doubting)
        nodes[doubting, TRUSTED] = 0
        nodes[doubting, SINCE] = numbers[ARRIVALS]
    if not arrives:
        return
    for place in range(numbers[CLEANS]):
        q = int(nodes[place, CLEAN])
        if numbers[ARRIVALS] - nodes[q, SINCE] != nodes[q, LENGTH]:
            continue
        nodes[q, SINCE] = numbers[ARRIVALS]
        if nodes[q, TRUSTED] == 0:
            nodes[q, LENGTH] = min(2 * nodes[q, LENGTH], LONGEST)
            nodes[q, TRUSTED] = 1
        out = int(nodes[q, OUT])
        if out >= 0 and out != node and has(a, out, GOAL):
            back = unmarked_stale(a, False)
            if back >= 0:
                lower_flag(a, out, GOAL)
                raise_flag(a, back, GOAL)


@inlined
def node_of(a: CacheArrays, page: int) -> int:
    """The node of a page, a new one if it has none."""
    node = find(a, page)
    if node < 0:
        a.numbers[SPARES] -= 1
        node = int(a.nodes[a.numbers[SPARES], SPARE])
        put(a, node, page)
        a.nodes[node, FLAGS] = a.nodes[node, TRUSTED] = 0
        a.nodes[node, OUT] = a.nodes[node, HOLDER] = NONE
    return node


@kernel
def serve_trust_and_doubt(cache: int, requests: int, m: int, hits: np.ndarray, evicted: np.ndarray) -> None:
    """Requests to Trust&Doubt, given what the predicted cache did.

    Parameters
    ----------
    hits : bool [1, n]
    evicted : int64 [1, n]
    """
    a, work = arrays_at(cache), requests_at(requests)
    pages, out_hits, out_evicted = borrowed(work.pages), borrowed(work.hits), borrowed(work.evicted)
    numbers = a.numbers
    for i in range(len(pages)):
        node = node_of(a, pages[i])
        if evicted[0, i] >= 0:
            lower_flag(a, find(a, evicted[0, i]), PREDICTED)
        raise_flag(a, node, PREDICTED)
        a.keys[len(a.pages) + node] = numbers[CLOCK]
        numbers[CLOCK] += 1
        update_goal(a, node)
        out_hits[i] = has(a, node, REAL)
        out_evicted[i] = NONE
        if out_hits[i]:
            continue
        if numbers[IN_REAL] < capacity_of(a):
            numbers[IN_REAL] += 1
        else:
            victim = oldest(a, REAL, GOAL, False)
            if victim < 0:
                victim = oldest(a, REAL, 0, False)
            lower_flag(a, victim, REAL)
            out_evicted[i] = a.pages[victim]
        raise_flag(a, node, REAL)


@kernel
def start_nodes(a: CacheArrays) -> None:
    """Make all nodes free; the first is the next to be used."""
    n = len(a.pages)
    for node in range(n):
        a.nodes[node, SPARE] = n - 1 - node
        a.nodes[node, OUT] = a.nodes[node, HOLDER] = NONE
    a.numbers[SPARES] = n


@kernel
def nodes_are_sound(a: CacheArrays, capacity: int) -> bool:
    """Whether flags and counts fit together, and every node that another names is there."""
    n, numbers = len(a.pages), a.numbers
    for place in range(N_NUMBERS):
        if not 0 <= numbers[place] < 1 << 53:
            return False
    if numbers[SPARES] > n or numbers[CLEANS] > numbers[ARRIVALS] or numbers[ARRIVALS] > capacity:
        return False
    counts = np.zeros(N_FLAGS, np.int64)
    pages = 0
    for node in range(n):
        flags = a.nodes[node, FLAGS]
        for column in (OUT, HOLDER):
            if not -1 <= a.nodes[node, column] < n:
                return False
        if not (0 <= a.nodes[node, TRUSTED] <= 1 and 0 <= flags < 1 << N_FLAGS):
            return False
        if not (0 <= a.nodes[node, SINCE] <= capacity and 0 <= a.nodes[node, LENGTH] <= LONGEST):
            return False
        if a.pages[node] < 0:
            continue
        pages += 1
        for flag in range(N_FLAGS):
            counts[flag] += (flags >> flag) & 1
        out, holder = a.nodes[node, OUT], a.nodes[node, HOLDER]
        if (out >= 0 and a.nodes[out, HOLDER] != node) or (holder >= 0 and a.nodes[holder, OUT] != node):
            return False
        if flags & ANCIENT and (flags & GOAL == 0 or flags & (STALE | ARRIVED)):
            return False
    if (
        pages + numbers[SPARES] != n
        or pages > 3 * capacity + 1 + numbers[ARRIVALS]
        or counts[0] != numbers[IN_GOAL]
        or counts[2] != numbers[IN_REAL]
    ):
        return False
    if counts[3] != numbers[ARRIVALS] or counts[5] != numbers[ANCIENTS] or counts[0] != counts[2]:
        return False
    if counts[1] != counts[0] or counts[0] > capacity or counts[4] > capacity or numbers[STARTED] > 1:
        return False
    if numbers[STARTED] == 0 and (counts[4] > 0 or counts[5] > 0 or counts[0] != counts[3] or numbers[CLEANS] > 0):
        return False
    if numbers[STARTED] == 1 and counts[0] != capacity:
        return False
    seen = np.zeros(n, np.bool_)
    for place in range(numbers[SPARES]):
        node = a.nodes[place, SPARE]
        if not 0 <= node < n or seen[node] or a.pages[node] >= 0:
            return False
        seen[node] = True
    for place in range(numbers[CLEANS]):
        node = a.nodes[place, CLEAN]
        if not 0 <= node < n or a.pages[node] < 0 or a.nodes[node, FLAGS] & ARRIVED == 0:
            return False
    return True
