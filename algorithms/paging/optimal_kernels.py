"""Kernels of what only hindsight knows: next arrivals, the optimal policy, phases."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import inlined, kernel


@kernel
def arrivals(pages: np.ndarray, bound: int) -> np.ndarray:
    """When each page is requested next, ``2n - i`` for never after request ``i``; see `optimal.next_arrivals`.

    Parameters
    ----------
    pages : int64 [n]
        Numbers below ``bound``.
    """
    n = len(pages)
    after = np.empty(n, np.int64)
    seen = np.full(bound, -1, np.int64)
    for i in range(n - 1, -1, -1):
        page = pages[i]
        following = seen[page]
        after[i] = following if following >= 0 else 2 * n - i
        seen[page] = i
    return after


@inlined
def highest_bit(word: np.uint64) -> int:
    """The place of the highest bit of a word that is not 0."""
    place = 0
    for width in (32, 16, 8, 4, 2, 1):
        upper = word >> np.uint64(width)
        if upper != np.uint64(0):
            word = upper
            place += width
    return place


@kernel
def longest_forward_distance(after: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Serve requests optimally, given when each page comes next; whether each was a hit, and its discard bit.

    A cached page is known by its next arrival, a number that no other page has: so the cache is a set of numbers below
    ``n``, and request ``i`` is a hit if the set has ``i``. The set is a tree of bits, 64 to a word, whose upper levels
    tell which words below have a bit: adding, removing and finding the greatest take a step a level. Pages that do not
    come again are a queue, since the one whose last request is the longest ago leaves first, and before all others.
    """
    n = len(after)
    hits, discarded = np.zeros(n, np.bool_), np.zeros(n, np.uint8)
    before = np.empty(n, np.int64)  # the request before each next arrival
    finished = np.empty(n, np.int64)  # last requests of pages that are still cached: a queue
    first, end, cached = 0, 0, 0
    starts = np.zeros(12, np.int64)
    depth, size = 0, max(n, 1)
    while True:
        size = (size + 63) // 64
        starts[depth + 1] = starts[depth] + size
        depth += 1
        if size == 1:
            break
    words = np.zeros(starts[depth], np.uint64)
    one = np.uint64(1)
    for i in range(n):
        if words[i >> 6] >> np.uint64(i & 63) & one:
            hits[i] = True
            at = i
            for level in range(depth):
                place = starts[level] + (at >> 6)
                words[place] &= ~(one << np.uint64(at & 63))
                if words[place] != np.uint64(0):
                    break
                at >>= 6
        elif cached < k:
            cached += 1
        elif first < end:
            discarded[finished[first]] = 1
            first += 1
        else:
            at = 0
            for level in range(depth - 1, -1, -1):
                at = (at << 6) | highest_bit(words[starts[level] + at])
            discarded[before[at]] = 1
            for level in range(depth):
                place = starts[level] + (at >> 6)
                words[place] &= ~(one << np.uint64(at & 63))
                if words[place] != np.uint64(0):
                    break
                at >>= 6
        following = after[i]
        if following >= n:
            finished[end] = i
            end += 1
            continue
        before[following] = i
        at = following
        for level in range(depth):
            place = starts[level] + (at >> 6)
            word = words[place]
            words[place] = word | (one << np.uint64(at & 63))
            if word != np.uint64(0):
                break
            at >>= 6
    return hits, discarded


@kernel
def phases(pages: np.ndarray, bound: int, k: int) -> np.ndarray:
    """Which pages are not requested in the phase after the present one; see `optimal.phase_bits`.

    Parameters
    ----------
    pages : int64 [n]
        Numbers below ``bound``.
    """
    n = len(pages)
    phase = np.empty(n, np.int64)
    latest = np.full(bound, -1, np.int64)
    present, distinct = 0, 0
    for i in range(n):
        if latest[pages[i]] != present:
            if distinct == k:
                present += 1
                distinct = 0
            latest[pages[i]] = present
            distinct += 1
        phase[i] = present
    bits = np.ones(n, np.uint8)
    latest[:] = -1  # the earliest later phase in which a page is requested, once the loop has passed that phase
    here = np.full(bound, -1, np.int64)
    for i in range(n - 1, -1, -1):
        page = pages[i]
        if here[page] != phase[i]:
            latest[page] = here[page]
            here[page] = phase[i]
        bits[i] = latest[page] != phase[i] + 1
    return bits
