"""Kernel of OnlineMin: the layers of pages that an optimal cache might hold, as a line of time with marks on it.

Each request takes the next place on the line, and each page in a layer stands where it was requested last. A layer
begins at a mark, and all pages from there to the next mark are in it; the first page is always at a mark. So two
neighbouring layers become one when the mark between them goes, and a page's layer is that of the last mark before it.
A tree over the places has sums of "marks less cached pages", their least prefix, and the cached page with the least
priority, so that every step takes O(log capacity). When the line is full, its places are numbered anew.
"""

from __future__ import annotations

import numpy as np

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import capacity_of
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel
from streamlearn.random import uniform

TIME, CACHED, MARKED = 0, 1, 2
"""Columns of ``nodes`` for pages: the place on the line, whether the page is cached, whether a layer begins there."""
SPARE = 3
"""Column of ``nodes`` for pages: which nodes have no page, the first `SPARES` rows."""
SUM, LOW, BEST, MARKS, OWNER = 0, 1, 2, 3, 4
"""Columns of ``nodes`` for the tree: marks less cached pages below, the least prefix of that sum, the cached node with
the least priority, how many marks there are, and, for leaves, who stands there (-1: nobody)."""
N_COLUMNS = 5
CLOCK, SPARES, HELD = 0, 1, 2
"""Places in ``numbers``: the next place on the line, nodes without a page, cached pages."""
N_NUMBERS = 3
SUPPORT = 3
"""Most pages in layers, in multiples of the capacity."""


@inlined
def line_length(a: CacheArrays) -> int:
    """How many places the line has, a power of two."""
    return (len(a.nodes) - len(a.pages)) // 2


@inlined
def lesser(a: CacheArrays, one: int, other: int) -> int:
    """Of two nodes, or -1 for none, the one with the smaller priority."""
    if one < 0 or (other >= 0 and a.keys[other] < a.keys[one]):
        return other
    return one


@inlined
def combine(a: CacheArrays, at: int) -> None:
    """Make a row of the tree from the two below it; the root is 1."""
    base, nodes = len(a.pages), a.nodes
    left, right, row = base + 2 * at, base + 2 * at + 1, base + at
    nodes[row, SUM] = nodes[left, SUM] + nodes[right, SUM]
    nodes[row, LOW] = min(nodes[left, LOW], nodes[left, SUM] + nodes[right, LOW])
    nodes[row, BEST] = lesser(a, nodes[left, BEST], nodes[right, BEST])
    nodes[row, MARKS] = nodes[left, MARKS] + nodes[right, MARKS]


@inlined
def set_leaf(a: CacheArrays, place: int, owner: int) -> int:
    """Let a node, or nobody, stand at a place; the leaf, whose ancestors are not right yet."""
    leaf = line_length(a) + place
    row = len(a.pages) + leaf
    cached = owner >= 0 and a.nodes[owner, CACHED] == 1
    marked = owner >= 0 and a.nodes[owner, MARKED] == 1
    a.nodes[row, SUM] = a.nodes[row, LOW] = np.int64(marked) - np.int64(cached)
    a.nodes[row, BEST] = owner if cached else NONE
    a.nodes[row, MARKS] = np.int64(marked)
    a.nodes[row, OWNER] = owner
    return leaf


@kernel
def stand(a: CacheArrays, place: int, owner: int) -> None:
    """Let a node, or nobody, stand at a place."""
    at = set_leaf(a, place, owner) >> 1
    while at > 0:
        combine(a, at)
        at >>= 1


@inlined
def last_mark(a: CacheArrays, place: int) -> int:
    """The last mark at a place or before it; -1 if there is none."""
    base, at = len(a.pages), line_length(a) + place
    if a.nodes[base + at, MARKS] == 0:
        while at > 1 and (at & 1 == 0 or a.nodes[base + at - 1, MARKS] == 0):
            at >>= 1
        if at <= 1:
            return NONE
        at -= 1
        while at < line_length(a):
            at = 2 * at + (a.nodes[base + 2 * at + 1, MARKS] > 0)
    return at - line_length(a)


@inlined
def next_mark(a: CacheArrays, place: int) -> int:
    """The first mark after a place; the clock if there is none."""
    base, at = len(a.pages), line_length(a) + place
    while at > 1 and (at & 1 == 1 or a.nodes[base + at + 1, MARKS] == 0):
        at >>= 1
    if at <= 1:
        return a.numbers[CLOCK]
    at += 1
    while at < line_length(a):
        at = 2 * at + (a.nodes[base + 2 * at, MARKS] == 0)
    return at - line_length(a)


@inlined
def end_of_full_layers(a: CacheArrays, place: int) -> int:
    """The first place from ``place`` on up to which there are as many cached pages as marks."""
    base, size = len(a.pages), line_length(a)
    at, before = size + place, 0
    up = at
    while up > 1:
        if up & 1:
            before += a.nodes[base + up - 1, SUM]
        up >>= 1
    while before + a.nodes[base + at, LOW] > 0:
        before += a.nodes[base + at, SUM]
        while at & 1:
            at >>= 1
        if at == 0:
            return size - 1
        at += 1
    while at < size:
        at *= 2
        if before + a.nodes[base + at, LOW] > 0:
            before += a.nodes[base + at, SUM]
            at += 1
    return at - size


@inlined
def best_until(a: CacheArrays, place: int) -> int:
    """The cached node with the least priority at a place or before it."""
    base, at = len(a.pages), line_length(a) + place
    best = int(a.nodes[base + at, BEST])
    while at > 1:
        if at & 1:
            best = lesser(a, a.nodes[base + at - 1, BEST], best)
        at >>= 1
    return best


@inlined
def unmark(a: CacheArrays, place: int, requested: int) -> None:
    """Take a mark away: its layer joins the one before, or, if there is none, its pages leave the layers.

    Parameters
    ----------
    requested
        The node of the page that is requested, which stays; -1 for none.
    """
    owner = int(a.nodes[len(a.pages) + line_length(a) + place, OWNER])
    a.nodes[owner, MARKED] = 0
    stand(a, place, owner)
    if last_mark(a, place) >= 0:
        return
    for at in range(place, next_mark(a, place)):
        owner = int(a.nodes[len(a.pages) + line_length(a) + at, OWNER])
        if owner >= 0 and owner != requested:
            stand(a, at, NONE)
            drop(a, owner)
            a.nodes[a.numbers[SPARES], SPARE] = owner
            a.numbers[SPARES] += 1


@kernel
def build_tree(a: CacheArrays) -> None:
    """Make the tree from where the pages stand."""
    size = line_length(a)
    for place in range(size):
        set_leaf(a, place, NONE)
    for node in range(len(a.pages)):
        if a.pages[node] >= 0:
            set_leaf(a, a.nodes[node, TIME], node)
    for at in range(size - 1, 0, -1):
        combine(a, at)


@kernel
def renumber(a: CacheArrays) -> None:
    """Let the pages stand at the beginning of the line, in the same order."""
    size, free = line_length(a), 0
    for place in range(size):
        owner = a.nodes[len(a.pages) + size + place, OWNER]
        if owner >= 0:
            a.nodes[owner, TIME] = free
            free += 1
    a.numbers[CLOCK] = free
    build_tree(a)


@inlined
def step_online_min(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of OnlineMin."""
    size = capacity_of(a)
    if a.numbers[CLOCK] == line_length(a):
        renumber(a)
    node = find(a, page)
    full = a.numbers[HELD] == size
    crowded = node < 0 and a.numbers[SPARES] == 0  # "forgiveness": the first layer is given up
    outcome = HIT
    if node < 0 or a.nodes[node, CACHED] == 0:
        outcome = NONE
        if full:
            until = a.numbers[CLOCK]
            if crowded:
                until = end_of_full_layers(a, next_mark(a, 0) if last_mark(a, 0) < 0 else 0)
            elif node >= 0:
                until = end_of_full_layers(a, a.nodes[node, TIME])
            victim = best_until(a, min(until, line_length(a) - 1))
            outcome = a.pages[victim]
            a.nodes[victim, CACHED] = 0
            stand(a, a.nodes[victim, TIME], victim)
        else:
            a.numbers[HELD] += 1
    if node >= 0:
        unmark(a, last_mark(a, a.nodes[node, TIME]), node)
        stand(a, a.nodes[node, TIME], NONE)
    else:
        if crowded:
            unmark(a, next_mark(a, 0) if last_mark(a, 0) < 0 else 0, NONE)
        elif full:
            unmark(a, last_mark(a, a.numbers[CLOCK]), NONE)
        a.numbers[SPARES] -= 1
        node = int(a.nodes[a.numbers[SPARES], SPARE])
        put(a, node, page)
        a.keys[node] = uniform(a.random)
    a.nodes[node, TIME] = a.numbers[CLOCK]
    a.nodes[node, CACHED] = a.nodes[node, MARKED] = 1
    stand(a, a.numbers[CLOCK], node)
    a.numbers[CLOCK] += 1
    return outcome


@kernel
def serve_online_min(cache: int, requests: int) -> int:
    """Requests to OnlineMin."""
    return serve(step_online_min, cache, requests)


@kernel
def start_line(a: CacheArrays) -> None:
    """Make the line empty; the first node is the next to be used."""
    n = len(a.pages)
    for node in range(n):
        a.nodes[node, SPARE] = n - 1 - node
    a.numbers[SPARES] = n
    build_tree(a)


@kernel
def line_is_sound(a: CacheArrays, capacity: int) -> bool:
    """Whether the pages stand at different places of the line, from a mark on, as many cached as there are marks.

    The tree is not looked at: it follows.
    """
    n, clock, spares, held = len(a.pages), a.numbers[CLOCK], a.numbers[SPARES], a.numbers[HELD]
    if not (0 <= clock <= line_length(a) and 0 <= spares <= n and 0 <= held <= capacity):
        return False
    owners = np.full(clock, NONE, np.int64)
    marks = cached = 0
    for node in range(n):
        if a.pages[node] < 0:
            continue
        time = a.nodes[node, TIME]
        if not 0 <= time < clock or owners[time] >= 0 or not 0.0 <= a.keys[node] <= 1.0:
            return False
        if not (0 <= a.nodes[node, CACHED] <= 1 and 0 <= a.nodes[node, MARKED] <= 1):
            return False
        owners[time] = node
        cached += a.nodes[node, CACHED]
        marks += a.nodes[node, MARKED]
    if cached != held or marks != held:
        return False
    ahead, standing = 0, 0
    for time in range(clock):
        if owners[time] >= 0:
            standing += 1
            ahead += a.nodes[owners[time], MARKED] - a.nodes[owners[time], CACHED]
            if ahead < 0 or (standing == 1 and a.nodes[owners[time], MARKED] == 0):
                return False
    if standing + spares != n or (standing > held and held < capacity):
        return False
    seen = np.zeros(n, np.bool_)
    for place in range(spares):
        node = a.nodes[place, SPARE]
        if not 0 <= node < n or seen[node] or a.pages[node] >= 0:
            return False
        seen[node] = True
    return True
