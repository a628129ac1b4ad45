"""Kernels that judge in hindsight, as requests come, which of them the optimal policy would have kept in the cache.

Hawkeye's OPTgen (Jain and Lin, 2016), for caches that load every requested page: a page is kept from one request to its
next if at every request in between there was room. The *occupancy* of a request counts the page that it requests and
the pages that were kept across it. An interval that ends now takes room at all requests after its beginning, that is at
the end of the timeline: so of two requests, the later with as high an occupancy, the earlier will never be full without
the later being full too, and only the latest request that is full decides: whatever was requested before it and did
not come again since can't have been kept, and that is known at once. What is kept is therefore not the
occupancies but their *peaks*, requests whose occupancy is higher than that of all later ones; a request that is none
points to the peak that stands for it, as in a disjoint-set forest. A judgement takes constant time, amortised, where a
segment tree takes a step for each level.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import inlined, kernel

TIME, SLOT, FULL, FRONT, BACK, HEIGHT = range(6)
"""Places in ``numbers``: requests so far; the place of the present one in ``ring``; the latest request that is full;
places of the first and the last peak, -1 for none; the occupancy of the first peak."""
POINTER, BEFORE, AFTER, DROP = range(4)
"""Columns of ``ring``, which has a row for each request of the window: the way to its peak; the peaks before and after;
how much higher its occupancy is than that of the next peak, or than 0."""
N_RING_COLUMNS = 4


@inlined
def start_judging(numbers: np.ndarray) -> None:
    """No request yet."""
    numbers[TIME] = numbers[SLOT] = numbers[HEIGHT] = 0
    numbers[FULL] = numbers[FRONT] = numbers[BACK] = -1


@inlined
def remove_first_peak(numbers: np.ndarray, ring: np.ndarray) -> None:
    """The first peak is full, or leaves the window."""
    first = numbers[FRONT]
    following = ring[first, AFTER]
    numbers[HEIGHT] -= ring[first, DROP]
    numbers[FRONT] = following
    if following >= 0:
        ring[following, BEFORE] = -1
    else:
        numbers[BACK] = -1


@inlined
def merge_into(numbers: np.ndarray, ring: np.ndarray, peak: int, later: int) -> None:
    """A peak is no higher any more than the next one, which stands for it from now on."""
    ring[peak, POINTER] = later
    before = ring[peak, BEFORE]
    ring[later, BEFORE] = before
    if before >= 0:
        ring[before, AFTER] = later
    else:
        numbers[FRONT] = later


@inlined
def peak_of(ring: np.ndarray, slot: int) -> int:
    """The peak that stands for a request; the way there is shortened."""
    while ring[slot, POINTER] != slot:
        ring[slot, POINTER] = ring[ring[slot, POINTER], POINTER]
        slot = ring[slot, POINTER]
    return slot


@inlined
def leave_window(numbers: np.ndarray, ring: np.ndarray) -> None:
    """The oldest request makes place for the present one."""
    if numbers[FRONT] == numbers[SLOT]:
        remove_first_peak(numbers, ring)


@inlined
def keep(numbers: np.ndarray, ring: np.ndarray, gap: int, capacity: int) -> None:
    """The optimal policy kept the page requested now since its request ``gap`` requests ago, which is not before `FULL`
    and in the window: it takes room at the requests in between."""
    if gap == 1:
        return
    slot = numbers[SLOT] - gap + 1
    if slot < 0:
        slot += len(ring)
    peak = peak_of(ring, slot)
    before = ring[peak, BEFORE]
    ring[numbers[BACK], DROP] += 1
    if before >= 0:
        ring[before, DROP] -= 1
        if ring[before, DROP] == 0:
            merge_into(numbers, ring, before, peak)
        return
    numbers[HEIGHT] += 1
    if numbers[HEIGHT] >= capacity:
        behind = numbers[SLOT] - peak
        numbers[FULL] = numbers[TIME] - (behind if behind > 0 else behind + len(ring))
        remove_first_peak(numbers, ring)


@inlined
def enter_window(numbers: np.ndarray, ring: np.ndarray, capacity: int) -> None:
    """The present request takes its own room, and time goes on."""
    slot, back = numbers[SLOT], numbers[BACK]
    ring[slot, POINTER] = slot
    ring[slot, BEFORE], ring[slot, AFTER], ring[slot, DROP] = back, -1, 1
    numbers[BACK] = slot
    if back < 0:
        numbers[FRONT], numbers[HEIGHT] = slot, 1
        if capacity == 1:
            numbers[FULL] = numbers[TIME]
            remove_first_peak(numbers, ring)
    else:
        ring[back, AFTER] = slot
        ring[back, DROP] -= 1
        if ring[back, DROP] == 0:
            merge_into(numbers, ring, back, slot)
    numbers[TIME] += 1
    numbers[SLOT] = slot + 1 if slot + 1 < len(ring) else 0


@kernel
def judge(pages: np.ndarray, bound: int, capacity: int, window: int, bits: np.ndarray, known: np.ndarray) -> None:
    """Judge requests whose pages are below ``bound``; see `hindsight.hindsight_bits`."""
    numbers, ring = np.empty(6, np.int64), np.zeros((window, N_RING_COLUMNS), np.int32)
    start_judging(numbers)
    latest = np.full(bound, -1, np.int64)
    settled = 0
    for i in range(len(pages)):
        leave_window(numbers, ring)
        before = latest[pages[i]]
        if before >= max(numbers[FULL], i - window + 1, 0):
            bits[before] = 0
            known[before] = i
            keep(numbers, ring, i - before, capacity)
        while settled < numbers[FULL]:
            known[settled] = min(known[settled], i)
            settled += 1
        enter_window(numbers, ring, capacity)
        latest[pages[i]] = i


@kernel
def judge_state_is_sound(numbers: np.ndarray, ring: np.ndarray, capacity: int) -> bool:
    """Whether restored arrays can't lead the kernels astray: all ways end at peaks, and the peaks are one list."""
    size = len(ring)
    time, slot, front, back = numbers[TIME], numbers[SLOT], numbers[FRONT], numbers[BACK]
    if not 0 <= time < 1 << 62 or slot != time % size or not -1 <= numbers[FULL] < max(time, 1):
        return False
    if not (-1 <= front < size and -1 <= back < size) or (front < 0) != (back < 0):
        return False
    oldest = max(time - size, 0)  # of the requests in the window
    height, steps, before, peak = 0, 0, -1, front
    age_before = size + 1
    while peak >= 0:
        age = (slot - peak - 1) % size  # 0 for the latest request
        if steps > size or age >= age_before or time - 1 - age < oldest:
            return False
        if ring[peak, BEFORE] != before or ring[peak, POINTER] != peak or not 1 <= ring[peak, DROP] <= capacity:
            return False
        if not -1 <= ring[peak, AFTER] < size:
            return False
        height += ring[peak, DROP]
        before, age_before, steps, peak = peak, age, steps + 1, int(ring[peak, AFTER])
    if before != back or height != (numbers[HEIGHT] if front >= 0 else 0) or height >= max(capacity, 2):
        return False
    full = numbers[FULL]
    for age in range(min(time, size)):  # from the latest request to the oldest: ways lead to later ones
        if time - 1 - age <= full:
            break
        row = (slot - 1 - age) % size
        to = int(ring[row, POINTER])
        if not 0 <= to < size:
            return False
        if (slot - to - 1) % size > age or (to == row and not _is_peak(numbers, ring, row)):
            return False
    return True


@inlined
def _is_peak(numbers: np.ndarray, ring: np.ndarray, row: int) -> bool:
    before: Any = ring[row, BEFORE]
    return numbers[FRONT] == row or (0 <= before < len(ring) and ring[before, AFTER] == row and before != row)
