"""Kernels of the combiners: which policy to follow, and how to follow it lazily.

Each of ``m`` policies serves all requests in a cache of its own. The combined cache evicts only when it has to, and
then a page that the followed policy's cache does not have; of these the one that left that cache first. The pages that
the combined cache has and the cache of policy ``e`` lacks are list number ``e``: a page enters it when policy ``e``
evicts it, and leaves it when policy ``e`` loads it again or the combined cache evicts it. Just loaded, a page is in all
caches, thus in no list. So following costs O(m) a request, and changing from one policy to another costs nothing.
"""

from __future__ import annotations

import numpy as np

from streamlearn.caching.arrays import NONE, CacheArrays, arrays_at, requests_at
from streamlearn.caching.rings import capacity_of
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import uniform

USED, FOLLOWED = 0, 1
"""Places in ``numbers``: how many pages the combined cache has, and who is followed; then come the policies' faults."""
N_NUMBERS = 2
RATE = 2
"""Place in ``options``: by how much the bound grows, or by what a weight is multiplied at a fault."""
FLOOR = 3
"""Place in ``options``: the least weight, as a share of the greatest."""


@inlined
def is_listed(a: CacheArrays, node: int, e: int) -> bool:
    """Whether a page is in the list of policy ``e``."""
    return a.nodes[node, 2 * e] >= 0


@inlined
def enlist(a: CacheArrays, node: int, e: int) -> None:
    """Put a page at the front of the list of policy ``e``; its head is the row ``capacity``."""
    top = len(a.pages)
    after = a.nodes[top, 2 * e]
    a.nodes[node, 2 * e] = after
    a.nodes[node, 2 * e + 1] = top
    a.nodes[after, 2 * e + 1] = node
    a.nodes[top, 2 * e] = node


@inlined
def delist(a: CacheArrays, node: int, e: int) -> None:
    """Take a page out of the list of policy ``e``."""
    after, before = a.nodes[node, 2 * e], a.nodes[node, 2 * e + 1]
    a.nodes[before, 2 * e] = after
    a.nodes[after, 2 * e + 1] = before
    a.nodes[node, 2 * e] = NONE


@inlined
def follow(a: CacheArrays, page: int, m: int, hits: np.ndarray, evicted: np.ndarray, i: int) -> tuple[bool, int]:
    """Serve request ``i`` in the combined cache; whether it was a hit, and the page that was evicted.

    Parameters
    ----------
    hits : bool [m, n]
        Whether it was a hit for each policy.
    evicted : int64 [m, n]
        What each policy evicted for it.
    """
    node = find(a, page)
    for e in range(m):
        if hits[e, i]:
            continue
        if node >= 0 and is_listed(a, node, e):
            delist(a, node, e)
        if evicted[e, i] >= 0:
            left = find(a, evicted[e, i])
            if left >= 0:
                enlist(a, left, e)
    if node >= 0:
        return True, NONE
    used = a.numbers[USED]
    out = NONE
    if used < capacity_of(a):
        node = used
        a.numbers[USED] = used + 1
    else:
        node = int(a.nodes[len(a.pages), 2 * a.numbers[FOLLOWED] + 1])
        for e in range(m):
            if is_listed(a, node, e):
                delist(a, node, e)
        out = drop(a, node)
    put(a, node, page)
    return False, out


@inlined
def choose_by_bound(a: CacheArrays, m: int, hits: np.ndarray, i: int) -> None:
    """Follow the next policy whenever the present one's faults exceed a bound, which then grows (Fiat et al.).

    The bound is the only key.
    """
    for e in range(m):
        a.numbers[N_NUMBERS + e] += not hits[e, i]
    while a.numbers[N_NUMBERS + a.numbers[FOLLOWED]] > a.keys[0]:
        a.numbers[FOLLOWED] = (a.numbers[FOLLOWED] + 1) % m
        a.keys[0] *= a.options[RATE]


@inlined
def choose_by_weight(a: CacheArrays, m: int, hits: np.ndarray, i: int) -> None:
    """Follow each policy with a probability that falls with its faults (Blum and Burch).

    The probabilities are the keys. The policy changes as seldom as these allow: it is left only if its probability
    falls, from q to q' with probability (q - q') / q, for one whose probability rises, in proportion to the rise.
    """
    keys = a.keys
    faults = 0
    for e in range(m):
        faults += not hits[e, i]
        a.numbers[N_NUMBERS + e] += not hits[e, i]
    if faults == 0 or faults == m:
        return
    greatest = 0.0
    for e in range(m):
        keys[m + e] = keys[e] * (1.0 if hits[e, i] else a.options[RATE])
        greatest = max(greatest, keys[m + e])
    total = 0.0
    for e in range(m):
        keys[m + e] = max(keys[m + e], greatest * a.options[FLOOR])
        total += keys[m + e]
    rise = 0.0
    for e in range(m):
        keys[m + e] /= total
        rise += max(keys[m + e] - keys[e], 0.0)
    followed = a.numbers[FOLLOWED]
    q, fallen = keys[followed], keys[m + followed]
    if fallen < q and uniform(a.random) * q < q - fallen:
        rest = uniform(a.random) * rise
        for e in range(m):
            gain = keys[m + e] - keys[e]
            if gain > 0.0:
                a.numbers[FOLLOWED] = e
                rest -= gain
                if rest < 0.0:
                    break
    for e in range(m):
        keys[e] = keys[m + e]


@kernel
def serve_by_bound(cache: int, requests: int, m: int, hits: np.ndarray, evicted: np.ndarray) -> None:
    """Requests to the deterministic combiner, given what each policy did."""
    a, work = arrays_at(cache), requests_at(requests)
    pages, out_hits, out_evicted = borrowed(work.pages), borrowed(work.hits), borrowed(work.evicted)
    for i in range(len(pages)):
        choose_by_bound(a, m, hits, i)
        out_hits[i], out_evicted[i] = follow(a, pages[i], m, hits, evicted, i)


@kernel
def serve_by_weight(cache: int, requests: int, m: int, hits: np.ndarray, evicted: np.ndarray) -> None:
    """Requests to the combiner with weights, given what each policy did."""
    a, work = arrays_at(cache), requests_at(requests)
    pages, out_hits, out_evicted = borrowed(work.pages), borrowed(work.hits), borrowed(work.evicted)
    for i in range(len(pages)):
        choose_by_weight(a, m, hits, i)
        out_hits[i], out_evicted[i] = follow(a, pages[i], m, hits, evicted, i)


@kernel
def start_lists(a: CacheArrays) -> None:
    """Make all lists empty."""
    top = len(a.pages)
    a.nodes[:] = NONE
    a.nodes[top] = top


@kernel
def lists_are_sound(a: CacheArrays, absent: np.ndarray) -> bool:
    """Whether the list of each policy has the pages that its cache lacks, and no others.

    Parameters
    ----------
    absent : bool [m, capacity]
        Which of the pages of the combined cache each policy's cache lacks.
    """
    top = len(a.pages)
    for e in range(len(absent)):
        listed, before = 0, top
        node = int(a.nodes[top, 2 * e])
        while node != top:
            if not 0 <= node < top or not absent[e, node] or a.nodes[node, 2 * e + 1] != before or listed == top:
                return False
            listed += 1
            before, node = node, int(a.nodes[node, 2 * e])
        if a.nodes[top, 2 * e + 1] != before:
            return False
        for node in range(top):
            listed -= a.nodes[node, 2 * e] >= 0
        if listed != 0 or absent[e].sum() != (a.nodes[:top, 2 * e] >= 0).sum():
            return False
    return True
