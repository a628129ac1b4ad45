"""Kernel of W-TinyLFU: a small LRU list before a segmented one, and a sketch of how often pages were requested."""

from __future__ import annotations

import numpy as np

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import FREE, capacity_of, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

WINDOW, PROBATION, PROTECTED = 1, 2, 3
"""The lists; their sizes are in ``numbers`` at these places."""
COUNTED = 0
"""Place in ``numbers``: requests counted since the last halving."""
SKETCH = 4
"""Place in ``numbers`` of the sketch: words of sixteen 4-bit counters, a power of two of them."""
MOST_WINDOW, MOST_PROTECTED, MOST_COUNTED = 2, 3, 4
"""Places in ``options``."""
LIST = 2
"""Column of ``nodes``: the list that the node is in."""
N_HASHES = 4


@inlined
def counter(a: CacheArrays, page: int, hashed: int) -> tuple[int, int]:
    """The word and the shift of a page's counter under one of the hash functions."""
    mixed = np.uint64(page) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    stride = (mixed >> np.uint64(36)) | np.uint64(1)
    word = (mixed + np.uint64(hashed) * stride) & np.uint64(len(a.numbers) - SKETCH - 1)
    shift = (mixed >> np.uint64(4 * hashed + 46)) & np.uint64(15)
    return SKETCH + int(np.int64(word)), 4 * int(np.int64(shift))


@inlined
def frequency(a: CacheArrays, page: int) -> int:
    """How often a page was requested lately, or somewhat more; at most 15."""
    least = 15
    for hashed in range(N_HASHES):
        word, shift = counter(a, page, hashed)
        least = min(least, (a.numbers[word] >> shift) & 15)
    return least


@inlined
def count(a: CacheArrays, page: int) -> None:
    """Count a request, and halve all counters when it is time."""
    least = frequency(a, page)
    for hashed in range(N_HASHES):
        word, shift = counter(a, page, hashed)
        raised = np.int64((a.numbers[word] >> shift) & 15 == least) & np.int64(least < 15)  # no branch to mispredict
        a.numbers[word] += raised << shift
    a.numbers[COUNTED] += 1
    if a.numbers[COUNTED] >= int(a.options[MOST_COUNTED]):
        a.numbers[COUNTED] //= 2
        for word in range(SKETCH, len(a.numbers)):
            a.numbers[word] = (a.numbers[word] >> 1) & np.int64(0x7777777777777777)


@inlined
def enter(a: CacheArrays, node: int, target: int) -> None:
    """Move a node to the front of a list."""
    a.numbers[a.nodes[node, LIST]] -= 1
    a.numbers[target] += 1
    a.nodes[node, LIST] = target
    move(a, node, target)


@inlined
def step_tiny_lfu(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of W-TinyLFU."""
    count(a, page)
    numbers = a.numbers
    node = find(a, page)
    if node >= 0:
        where = a.nodes[node, LIST]
        if where == PROBATION:
            enter(a, node, PROTECTED)
            if numbers[PROTECTED] > int(a.options[MOST_PROTECTED]):
                enter(a, last(a, PROTECTED), PROBATION)
        else:
            move(a, node, where)
        return HIT
    evicted = NONE
    cached = numbers[WINDOW] + numbers[PROBATION] + numbers[PROTECTED]
    if numbers[WINDOW] == int(a.options[MOST_WINDOW]):
        candidate = last(a, WINDOW)
        if cached == capacity_of(a):
            victim = candidate
            if cached > numbers[WINDOW]:
                rival = last(a, PROBATION if numbers[PROBATION] > 0 else PROTECTED)
                if frequency(a, a.pages[candidate]) > frequency(a, a.pages[rival]):
                    victim = rival
            numbers[a.nodes[victim, LIST]] -= 1
            evicted = drop(a, victim)
            move(a, victim, FREE)
            if victim != candidate:
                enter(a, candidate, PROBATION)
        else:
            enter(a, candidate, PROBATION)
    node = last(a, FREE)
    put(a, node, page)
    numbers[WINDOW] += 1
    a.nodes[node, LIST] = WINDOW
    move(a, node, WINDOW)
    return evicted


@kernel
def serve_tiny_lfu(cache: int, requests: int) -> int:
    """Requests to W-TinyLFU."""
    return serve(step_tiny_lfu, cache, requests)
