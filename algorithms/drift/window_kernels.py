"""Steps of the detectors that keep a window of past values, or of summaries of them (see `kernels`)."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, undivided
from streamlearn.detector_kernels import DRIFT, IN_CONTROL, LEVEL, watch
from streamlearn.random import below

from .adwin_kernels import TOTAL as ADWIN_TOTAL
from .adwin_kernels import WIDTH as ADWIN_WIDTH
from .adwin_kernels import adwin_step
from .kernels import FIRST, FOURTH, SECOND, THIRD, N, begins, level_of

# -- ADWIN -------------------------------------------------------------------------------------------------------------


@inlined
def adwin_level(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """ADWIN; its window is the one row of ``window``."""
    a = window[0]
    before = a[ADWIN_TOTAL] / a[ADWIN_WIDTH]
    changed = adwin_step(a, x, options[3], options[4], int(options[5]), options[6], options[7])
    return level_of(changed and (options[8] == 0.0 or a[ADWIN_TOTAL] / a[ADWIN_WIDTH] > before), False)


@undivided
def adwin(monitor: int, signal: int) -> int:
    """ADWIN over a signal."""
    return watch(adwin_level, monitor, signal)


# -- RDDM (Barros et al. 2017) -----------------------------------------------------------------------------------------

P, P_MIN, S_MIN, STORED, OLDEST, NEXT, INSTANCE, WARNED_AT, WARNED_PLACE, STALE = range(3, 13)
"""Places of RDDM's numbers: error rate; its minimum, and the deviation there; values stored in the ring, place of the
oldest, place of the next; values since ever; when the present warning began, and its place in the ring + 1, 0 without
one; whether the concept became too long."""


@inlined
def relearn(numbers: np.ndarray, ring: np.ndarray, warm_start: float, minima: bool) -> None:
    """The error rate from the stored values alone; its minimum too, if it was forgotten."""
    n, p = 1.0, 0.0
    place = int(numbers[OLDEST])
    for _ in range(int(numbers[STORED])):
        p += (ring[place] - p) / n
        s = math.sqrt(p * (1.0 - p) / n)
        if minima and n > warm_start and p + s < numbers[P_MIN] + numbers[S_MIN]:
            numbers[P_MIN], numbers[S_MIN] = p, s
        n += 1.0
        place = (place + 1) % len(ring)
    numbers[N], numbers[P] = n - 1.0, p


@inlined
def rddm_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """DDM that remembers its last values and starts again from them after drifts and in concepts that last too long."""
    warm_start, warning, drift, longest, most_warnings = options[3], options[4], options[5], options[6], options[7]
    ring = window[0]
    size = len(ring)
    drifted = numbers[LEVEL] == DRIFT
    if drifted or numbers[INSTANCE] == 0.0:
        numbers[P_MIN] = numbers[S_MIN] = np.inf
    if drifted or numbers[STALE] > 0.0:
        if numbers[WARNED_PLACE] > 0.0:  # the new concept began with the warning
            numbers[OLDEST] = numbers[WARNED_PLACE] - 1.0
            stored = (numbers[NEXT] - numbers[OLDEST] + size) % size
            numbers[STORED] = stored if stored > 0.0 else size
        relearn(numbers, ring, warm_start, drifted)
        numbers[WARNED_AT] = numbers[WARNED_PLACE] = numbers[STALE] = 0.0
    last = int(numbers[NEXT])
    ring[last] = x
    numbers[NEXT] = (last + 1) % size
    if numbers[STORED] < size:
        numbers[STORED] += 1.0
    else:
        numbers[OLDEST] = (numbers[OLDEST] + 1.0) % size
        if numbers[WARNED_PLACE] == last + 1.0:
            numbers[WARNED_PLACE] = 0.0
    numbers[INSTANCE] += 1.0
    numbers[N] += 1.0
    n = numbers[N]
    numbers[P] += (x - numbers[P]) / n
    p = numbers[P]
    s = math.sqrt(p * (1.0 - p) / n)
    if n + 1.0 <= warm_start:
        return IN_CONTROL
    if p + s < numbers[P_MIN] + numbers[S_MIN]:
        numbers[P_MIN], numbers[S_MIN] = p, s
    drifts = p + s > numbers[P_MIN] + drift * numbers[S_MIN]
    warns = p + s > numbers[P_MIN] + warning * numbers[S_MIN]
    too_long = warns and numbers[WARNED_AT] > 0.0 and numbers[WARNED_AT] + most_warnings <= numbers[INSTANCE]
    if (drifts and numbers[WARNED_AT] == 0.0) or (not drifts and too_long):
        numbers[OLDEST], numbers[STORED] = last, 1.0
        numbers[WARNED_AT] = numbers[WARNED_PLACE] = 0.0
    elif warns and not drifts and numbers[WARNED_AT] == 0.0:
        numbers[WARNED_AT], numbers[WARNED_PLACE] = numbers[INSTANCE], last + 1.0
    elif not warns and not drifts:
        numbers[WARNED_AT] = numbers[WARNED_PLACE] = 0.0
        numbers[STALE] = 1.0 if n + 1.0 > longest else 0.0
    return level_of(drifts or too_long, warns)


@undivided
def rddm(monitor: int, signal: int) -> int:
    """RDDM over a signal."""
    return watch(rddm_step, monitor, signal)


# -- STEPD (Nishida and Yamauchi 2007) ---------------------------------------------------------------------------------

PLACE = 5
"""Place, among STEPD's numbers, of the next value's place in the ring."""


@inlined
def stepd_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """The test of equal proportions between the last values and all before them."""
    drift, warning = options[FIRST], options[SECOND]
    WRONG_RECENT, WRONG_BEFORE = 3, 4
    ring = window[0]
    size = len(ring)
    if begins(numbers):
        ring[:] = 0.0
    place = int(numbers[PLACE])
    oldest = ring[place]
    ring[place] = x
    numbers[PLACE] = (place + 1) % size
    numbers[N] += 1.0
    numbers[WRONG_RECENT] += x - oldest
    numbers[WRONG_BEFORE] += oldest
    before = numbers[N] - size
    if before < size:
        return IN_CONTROL
    right_before, right_recent = before - numbers[WRONG_BEFORE], size - numbers[WRONG_RECENT]
    inverse = 1.0 / before + 1.0 / size
    p = (right_before + right_recent) / (before + size)
    if p * (1.0 - p) == 0.0:
        return IN_CONTROL
    z = abs(right_before / before - right_recent / size) - inverse / 2.0
    if z <= 0.0:
        return IN_CONTROL
    z /= math.sqrt(p * (1.0 - p) * inverse)
    chance = math.erfc(z / math.sqrt(2.0))
    return level_of(chance < drift, chance < warning)


@undivided
def stepd(monitor: int, signal: int) -> int:
    """STEPD over a signal."""
    return watch(stepd_step, monitor, signal)


# -- KSWIN (Raab et al. 2020) ------------------------------------------------------------------------------------------

DISTANCE = 3
"""Place of KSWIN's last statistic, times the size of the samples."""


@inlined
def sample(values: np.ndarray, n: int, random: np.ndarray, into: np.ndarray) -> None:
    """Draw ``len(into)`` of the first ``n`` values without replacement; it puts them in front."""
    for i in range(len(into)):
        j = i + below(random, n - i)
        values[i], values[j] = values[j], values[i]
        into[i] = values[i]


@inlined
def greatest_distance(a: np.ndarray, b: np.ndarray) -> int:
    """Greatest difference between how many of the sorted ``a`` and of the sorted ``b`` are up to any value."""
    i, j, greatest = 0, 0, 0
    while i < len(a) and j < len(b):
        value = min(a[i], b[j])
        while i < len(a) and a[i] == value:
            i += 1
        while j < len(b) and b[j] == value:
            j += 1
        greatest = max(greatest, abs(i - j))
    return greatest


@inlined
def kswin_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """The Kolmogorov-Smirnov test between the last values and as many of those before them, drawn at random."""
    critical, size = options[FIRST], int(options[SECOND])
    values, shuffled, recent, drawn = window[0], window[1], window[2, :size], window[3, :size]
    length = len(values)
    n = int(numbers[N])
    if numbers[LEVEL] == DRIFT:  # only the last values are of the new concept
        for i in range(size):
            values[i] = values[length - size + i]
        n = size
    if n == length:
        for i in range(length - 1):
            values[i] = values[i + 1]
        n -= 1
    values[n] = x
    n += 1
    numbers[N] = n
    numbers[DISTANCE] = 0.0
    if n < length:
        return IN_CONTROL
    shuffled[:] = values
    sample(shuffled, length - size, random, drawn)
    recent[:] = values[length - size :]
    drawn.sort()
    recent.sort()
    numbers[DISTANCE] = greatest_distance(drawn, recent)
    return level_of(numbers[DISTANCE] >= critical, False)


@undivided
def kswin(monitor: int, signal: int) -> int:
    """KSWIN over a signal."""
    return watch(kswin_step, monitor, signal)


# -- SEED (Huang et al. 2014) ------------------------------------------------------------------------------------------

WIDTH, SUM, SQUARES, BLOCKS, SINCE = 3, 4, 5, 6, 7
"""Places of SEED's numbers: the window's values, sum and sum of squared deviations; its blocks; blocks begun since the
last compression."""
BLOCK_N, BLOCK_SUM, BLOCK_SQUARES = 0, 1, 2
"""Rows of SEED's window: what each block, the oldest first, holds."""


@inlined
def merge_blocks(numbers: np.ndarray, window: np.ndarray, first_step: float, once: bool) -> None:
    """Merge neighbours whose means differ little, more willingly the older they are; or the two oldest, ``once``."""
    n = int(numbers[BLOCKS])
    epsilon = 0.0
    for i in range(1 if once else n - 1, 0, -1):
        epsilon += first_step
        counts, sums = window[BLOCK_N], window[BLOCK_SUM]
        if once or abs(sums[i - 1] / counts[i - 1] - sums[i] / counts[i]) < epsilon:
            for row in range(3):
                window[row, i - 1] = window[row, i] + window[row, i - 1]
            window[BLOCK_N, i] = 0.0
    kept = 0
    for i in range(n):
        if window[BLOCK_N, i] > 0.0:
            window[:, kept] = window[:, i]
            kept += 1
    numbers[BLOCKS] = kept


@inlined
def seed_cut(numbers: np.ndarray, window: np.ndarray, delta: float) -> int:
    """The newest border between blocks whose two sides have different means, or 0."""
    width = numbers[WIDTH]
    confidence = math.log(2.0 * math.log(width) / delta)
    variance = numbers[SQUARES] / width
    n0, n1, u0, u1 = width, 0.0, numbers[SUM], 0.0
    for i in range(int(numbers[BLOCKS]) - 1, 0, -1):
        n0 -= window[BLOCK_N, i]
        n1 += window[BLOCK_N, i]
        u0 -= window[BLOCK_SUM, i]
        u1 += window[BLOCK_SUM, i]
        m = 1.0 / n0 + 1.0 / n1
        if abs(u1 / n1 - u0 / n0) > math.sqrt(2.0 * m * variance * confidence) + 2.0 / 3.0 * confidence * m:
            return i
    return 0


@inlined
def seed_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """Blocks of values instead of ADWIN's buckets; borders between like blocks go now and then."""
    delta, block_size, first_step, term = options[FIRST], options[SECOND], options[THIRD], options[FOURTH]
    if numbers[BLOCKS] == 0.0:
        numbers[BLOCKS] = 1.0
    tail = int(numbers[BLOCKS]) - 1
    if window[BLOCK_N, tail] == block_size:
        if tail > 0 and numbers[SINCE] > term:
            numbers[SINCE] = 0.0
            merge_blocks(numbers, window, first_step, False)
        if numbers[BLOCKS] == window.shape[1]:
            merge_blocks(numbers, window, 0.0, True)
        tail = int(numbers[BLOCKS])
        window[:, tail] = 0.0
        numbers[BLOCKS] += 1.0
        numbers[SINCE] += 1.0
    window[BLOCK_N, tail] += 1.0
    window[BLOCK_SUM, tail] += x
    numbers[SUM] += x
    numbers[WIDTH] += 1.0
    numbers[N] += 1.0
    width = numbers[WIDTH]
    if width >= 2.0:
        distance = x - numbers[SUM] / (width - 1.0)
        squares = (width - 1.0) * distance * distance / width
        numbers[SQUARES] += squares
        window[BLOCK_SQUARES, tail] += squares
    if numbers[N] % block_size != 0.0 or numbers[BLOCKS] < 2.0:
        return IN_CONTROL
    cut = seed_cut(numbers, window, delta)
    for i in range(cut - 1, -1, -1):
        numbers[WIDTH] -= window[BLOCK_N, i]
        numbers[SUM] -= window[BLOCK_SUM, i]
        numbers[SQUARES] -= window[BLOCK_SQUARES, i]
    numbers[BLOCKS] -= cut
    for i in range(int(numbers[BLOCKS]) if cut > 0 else 0):
        window[:, i] = window[:, i + cut]
    return level_of(cut > 0, False)


@undivided
def seed(monitor: int, signal: int) -> int:
    """SEED over a signal."""
    return watch(seed_step, monitor, signal)
