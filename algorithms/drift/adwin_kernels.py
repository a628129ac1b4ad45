"""ADWIN as kernels over one float64 row a window, so that trees and ensembles can keep thousands in one matrix.

A window is a row of `adwin_size` numbers, all zero at first; a pool is ``np.zeros((P, adwin_size()))``, and kernels
call ``adwin_update(pool[p], value, delta)``. The row holds five numbers (`WIDTH` … `TOP`), then for each of its ``R``
bucket rows how many buckets it has, then their totals ``[R, M + 1]``, then their sums of squared deviations
``[R, M + 1]``, oldest first. A bucket of row ``r`` stands for ``2**r`` values.
"""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, kernel

WIDTH, TOTAL, VARIANCE, TICK, TOP = range(5)
"""Places in a row: values in the window; their sum; their sum of squared deviations; values since the last check; the
highest bucket row in use."""
HEADER = 5
ROWS = 32
"""Bucket rows by default: a window of up to 5 (2**32 - 1) values."""
MAX_BUCKETS, CLOCK, MIN_WINDOW, GRACE = 5, 32, 5, 10
"""The defaults of the paper's authors, as in MOA."""


def adwin_size(rows: int = ROWS, max_buckets: int = MAX_BUCKETS) -> int:
    """Numbers in a row for windows of up to ``max_buckets * (2**rows - 1)`` values; a full one forgets the oldest."""
    return HEADER + rows * (1 + 2 * (max_buckets + 1))


def adwin_is_sound(pool: np.ndarray, max_buckets: int = MAX_BUCKETS) -> bool:
    """Whether kernels can follow what restored rows ``[P, adwin_size]`` say without leaving them."""
    rows, rest = divmod(pool.shape[-1] - HEADER, adwin_size(1, max_buckets) - HEADER)
    if pool.dtype != np.float64 or pool.ndim != 2 or rows < 1 or rest or not np.isfinite(pool).all():
        return False
    counts = pool[:, HEADER : HEADER + rows]
    used = counts > 0.0
    top = np.where(used.any(1), rows - 1 - used[:, ::-1].argmax(1), 0)
    return bool(
        ((counts >= 0.0) & (counts <= max_buckets) & (counts == np.floor(counts))).all()
        and (pool[:, TOP] == top).all()
        and (pool[:, WIDTH] == counts @ 2.0 ** np.arange(rows)).all()
        and (pool[:, TICK] >= 0.0).all()
    )


@inlined
def adwin_estimate(a: np.ndarray) -> float:
    """Mean of the window, 0 while it is empty."""
    return a[TOTAL] / a[WIDTH] if a[WIDTH] > 0.0 else 0.0


@inlined
def adwin_update(a: np.ndarray, value: float, delta: float) -> bool:
    """Take in a value with the default options; whether the window was cut (the mean rose or fell)."""
    return adwin_step(a, value, delta, CLOCK, MAX_BUCKETS, MIN_WINDOW, GRACE)


@inlined
def adwin_rise(a: np.ndarray, value: float, delta: float) -> bool:
    """As `adwin_update`, but cuts after which the mean is not greater do not count (MOA's filter for errors)."""
    before = adwin_estimate(a)
    return adwin_update(a, value, delta) and adwin_estimate(a) > before


@kernel
def adwin_step(
    a: np.ndarray, value: float, delta: float, clock: int, max_buckets: int, min_window: int, grace: int
) -> bool:
    """Take in a value; whether the window was cut (Bifet and Gavaldà 2007, as in MOA).

    Every ``clock`` values, a window of more than ``grace`` values is tested at each border between buckets that leaves
    more than ``min_window + 1`` values on both sides; the oldest bucket goes for as long as a test finds two means.
    """
    rows = (len(a) - HEADER) // (1 + 2 * (max_buckets + 1))
    _insert(a, value, rows, max_buckets)
    a[TICK] += 1.0
    if a[TICK] < clock:
        return False
    a[TICK] = 0.0
    changed = False
    while a[WIDTH] > grace or changed:
        if not _differs(a, delta, rows, max_buckets, min_window):
            break
        _drop_oldest(a, rows, max_buckets)
        changed = True
    return changed


@inlined
def _insert(a: np.ndarray, value: float, rows: int, max_buckets: int) -> None:
    totals, room = HEADER + rows, max_buckets + 1
    width = a[WIDTH]
    a[WIDTH] = width + 1.0
    if width > 0.0:
        distance = value - a[TOTAL] / width
        a[VARIANCE] += width * distance * distance / (width + 1.0)
    a[TOTAL] += value
    newest = int(a[HEADER])
    a[totals + newest] = value
    a[totals + rows * room + newest] = 0.0
    a[HEADER] = newest + 1.0
    if newest == max_buckets:
        _compress(a, rows, max_buckets)


@inlined
def _compress(a: np.ndarray, rows: int, max_buckets: int) -> None:
    """Merge the two oldest buckets of each row that has one too many, from the newest row on."""
    room = max_buckets + 1
    n = 1.0
    for r in range(rows):
        if a[HEADER + r] < room:
            break
        if r == rows - 1:
            _drop_oldest(a, rows, max_buckets)
            break
        totals = HEADER + rows + r * room
        variances = totals + rows * room
        distance = a[totals] / n - a[totals + 1] / n
        total = a[totals] + a[totals + 1]
        variance = a[variances] + a[variances + 1] + n * n * distance * distance / (n + n)
        for k in range(2, room):
            a[totals + k - 2] = a[totals + k]
            a[variances + k - 2] = a[variances + k]
        a[HEADER + r] -= 2.0
        place = int(a[HEADER + r + 1])
        a[totals + room + place] = total
        a[variances + room + place] = variance
        a[HEADER + r + 1] += 1.0
        a[TOP] = max(a[TOP], r + 1.0)
        n *= 2.0


@inlined
def _drop_oldest(a: np.ndarray, rows: int, max_buckets: int) -> None:
    room = max_buckets + 1
    r = int(a[TOP])
    totals = HEADER + rows + r * room
    variances = totals + rows * room
    n = 2.0**r
    total = a[totals]
    a[WIDTH] -= n
    a[TOTAL] -= total
    distance = total / n - a[TOTAL] / a[WIDTH]
    a[VARIANCE] -= a[variances] + n * a[WIDTH] * distance * distance / (n + a[WIDTH])
    a[HEADER + r] -= 1.0
    left = int(a[HEADER + r])
    for k in range(left):
        a[totals + k] = a[totals + k + 1]
        a[variances + k] = a[variances + k + 1]
    while r > 0 and a[HEADER + r] == 0.0:
        r -= 1
    a[TOP] = r


@inlined
def _differs(a: np.ndarray, delta: float, rows: int, max_buckets: int, min_window: int) -> bool:
    """Whether some border between buckets parts the window into two whose means differ too much."""
    room = max_buckets + 1
    n0, u0, n1, u1 = 0.0, 0.0, a[WIDTH], a[TOTAL]
    confidence = math.log(2.0 * math.log(a[WIDTH]) / delta)
    variance = a[VARIANCE] / a[WIDTH]
    nearly = 1.999 * variance * confidence
    top = int(a[TOP])
    n = 2.0**top
    for r in range(top, -1, -1):
        totals = HEADER + rows + r * room
        count = int(a[HEADER + r])
        if r == 0:
            count -= 1  # nothing would be left behind the newest bucket
        for k in range(count):
            n0 += n
            n1 -= n
            u0 += a[totals + k]
            u1 -= a[totals + k]
            if n0 > min_window + 1 and n1 > min_window + 1:
                m = 1.0 / (n0 - min_window + 1.0) + 1.0 / (n1 - min_window + 1.0)
                difference = abs(u0 / n0 - u1 / n1)
                if difference * difference < nearly * m:
                    continue  # the root alone is greater: no need to take it
                bound = math.sqrt(2.0 * m * variance * confidence) + 2.0 / 3.0 * confidence * m
                if difference > bound:
                    return True
        n *= 0.5
    return False
