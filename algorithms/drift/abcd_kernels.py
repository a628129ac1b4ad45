"""ABCD as a kernel: principal components of the first rows, the errors they leave, and the test on these."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import address_of, by_address, inlined, kernel, struct, undivided
from streamlearn.detector_kernels import DETECTIONS, DRIFT, IN_CONTROL, LARGEST, LEVEL, REFUSED, WARNING, signal_at

DELTA_DRIFT, DELTA_WARN, N_MIN, N_SPLITS, LOSS_RANGE, MAX_SIZE, NORMALIZE, SUBSPACE = range(8)
"""Places in ``options``."""
N_OPTIONS = 8
TRAINING, COUNT, SINCE, P_VALUE, SEVERITY = 2, 3, 4, 5, 6
"""Places in ``numbers``, after the common ones: rows collected for training; rows watched since; and of the last drift,
the rows since the change, its chance and its severity."""
N_NUMBERS = 7
BORDER = 30
"""Rows that a side of a split has at least, as in the authors' program."""
SWEEPS = 30  # Jacobi's method needs some 8


class RowMonitorArrays(NamedTuple):
    """State for rows of ``d`` numbers, ``c`` components, and windows of up to ``2 W`` rows.

    Attributes
    ----------
    options : float64 [8]
        The parameters, as numbers.
    numbers : float64 [7]
        Level, drifts, and the places above.
    rows : float64 [n_min + 2 W, d]
        Rows collected for training, then rows watched, in order.
    scale : float64 [2, d]
        Least value and range of each field in the training rows.
    mean : float64 [d]
        Of the scaled training rows.
    components : float64 [c, d]
        Their directions of greatest variance.
    sums : float64 [2 W + 1, 2]
        Sums of the losses and of their squares up to each row watched.
    chances : float64 [d]
        At the last drift: of each field, the chance of its change if there was none; 1 before.
    """

    options: np.ndarray
    numbers: np.ndarray
    rows: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    sums: np.ndarray
    chances: np.ndarray


RowMonitor, RowMonitorType = struct(RowMonitorArrays)


@kernel
def make_row_monitor(a: RowMonitorArrays) -> Any:
    """Pack the arrays into the struct that the kernel takes."""
    return RowMonitor(a.options, a.numbers, a.rows, a.scale, a.mean, a.components, a.sums, a.chances)


@kernel
def row_monitor_address(monitor: Any) -> int:
    """Where a monitor lives."""
    return int(address_of(monitor))


def _example() -> Any:
    line, table = np.empty(0), np.empty((0, 0))
    return make_row_monitor(RowMonitorArrays(line, line, table, table, line, table, table, line))


row_monitor_at = by_address(_example)


# -- the model of the rows ---------------------------------------------------------------------------------------------


@kernel
def principal_directions(A: np.ndarray, vectors: np.ndarray) -> None:
    """Jacobi's method: the eigenvectors of the symmetric ``A`` into the rows of ``vectors``; ``A`` becomes diagonal."""
    d = len(A)
    vectors[:] = 0.0
    for i in range(d):
        vectors[i, i] = 1.0
    for _ in range(SWEEPS):
        off = 0.0
        for p in range(d):
            for q in range(p + 1, d):
                off += A[p, q] * A[p, q]
        if off == 0.0:
            break
        for p in range(d):
            for q in range(p + 1, d):
                if A[p, q] == 0.0:
                    continue
                theta = (A[q, q] - A[p, p]) / (2.0 * A[p, q])
                t = math.copysign(1.0, theta) / (abs(theta) + math.hypot(theta, 1.0))
                cosine = 1.0 / math.sqrt(t * t + 1.0)
                sine = t * cosine
                for k in range(d):
                    a, b = A[k, p], A[k, q]
                    A[k, p], A[k, q] = cosine * a - sine * b, sine * a + cosine * b
                for k in range(d):
                    a, b = A[p, k], A[q, k]
                    A[p, k], A[q, k] = cosine * a - sine * b, sine * a + cosine * b
                A[p, q] = A[q, p] = 0.0
                for k in range(d):
                    a, b = vectors[p, k], vectors[q, k]
                    vectors[p, k], vectors[q, k] = cosine * a - sine * b, sine * a + cosine * b


@inlined
def scaled(x: float, low: float, span: float) -> float:
    """``x`` by the range of the training rows; far outside, all values are alike."""
    return min(max((x - low) / span, -1.0), 2.0)


@kernel
def train(rows: np.ndarray, normalize: bool, scale: np.ndarray, mean: np.ndarray, components: np.ndarray) -> None:
    """Ranges, means and principal components of ``rows``."""
    n, d = rows.shape
    for j in range(d):
        low, high = rows[:, j].min(), rows[:, j].max()
        scale[0, j] = low if normalize else 0.0
        scale[1, j] = high - low if normalize and high > low else 1.0
    Z = np.empty((n, d))
    mean[:] = 0.0
    for i in range(n):
        for j in range(d):
            x = rows[i, j]
            Z[i, j] = scaled(x, scale[0, j], scale[1, j]) if normalize else x
            mean[j] += Z[i, j] / n
    covariance, vectors = np.zeros((d, d)), np.empty((d, d))
    for i in range(n):
        for j in range(d):
            for k in range(d):
                covariance[j, k] += (Z[i, j] - mean[j]) * (Z[i, k] - mean[k]) / n
    principal_directions(covariance, vectors)
    for c in range(len(components)):
        best = 0
        for j in range(d):
            if covariance[j, j] > covariance[best, best]:
                best = j
        components[c] = vectors[best]
        covariance[best, best] = -1.0


@inlined
def residuals(
    row: np.ndarray,
    normalize: bool,
    scale: np.ndarray,
    mean: np.ndarray,
    components: np.ndarray,
    left: np.ndarray,
) -> float:
    """What the components leave of a row into ``left`` [d]; the mean of its squares."""
    d = len(row)
    for j in range(d):
        left[j] = (scaled(row[j], scale[0, j], scale[1, j]) if normalize else row[j]) - mean[j]
    for c in range(len(components)):
        along = 0.0
        for j in range(d):
            along += components[c, j] * left[j]
        for j in range(d):
            left[j] -= along * components[c, j]
    loss = 0.0
    for j in range(d):
        loss += left[j] * left[j] / d
    return loss


# -- the test ----------------------------------------------------------------------------------------------------------


@inlined
def bernstein(difference: float, n0: float, variance0: float, n1: float, variance1: float, loss_range: float) -> float:
    """Bound on the chance that two means differ so much if nothing changed (the paper's bound)."""
    share = n1 / (n0 + n1)
    part0, part1 = share * difference, (1.0 - share) * difference
    e0 = n0 * part0 * part0 / (2.0 * (variance0 + loss_range * part0 / 3.0 + 2e-7))
    e1 = n1 * part1 * part1 / (2.0 * (variance1 + loss_range * part1 / 3.0 + 2e-7))
    return 2.0 * (math.exp(-e0) + math.exp(-e1))


@inlined
def chance_at(sums: np.ndarray, k: int, n: int, loss_range: float) -> float:
    """The bound for the losses of the first ``k`` rows against those of the other ``n - k``."""
    n0, n1 = float(k), float(n - k)
    mean0, mean1 = sums[k, 0] / n0, (sums[n, 0] - sums[k, 0]) / n1
    variance0 = max(0.0, sums[k, 1] / n0 - mean0 * mean0)
    variance1 = max(0.0, (sums[n, 1] - sums[k, 1]) / n1 - mean1 * mean1)
    return bernstein(abs(mean1 - mean0), n0, variance0, n1, variance1, loss_range)


@inlined
def best_split(sums: np.ndarray, n: int, n_splits: int, loss_range: float) -> tuple[int, float]:
    """The split of least chance among ``n_splits`` evenly spaced ones, the newest first; and that chance."""
    split, least = 0, np.inf
    step = max(1, (n - 2 * BORDER) // n_splits)
    for j in range(n_splits):
        k = n - BORDER - j * step
        if k < BORDER:
            break
        chance = chance_at(sums, k, n, loss_range)
        if chance < least:
            split, least = k, chance
    return split, least


@kernel
def locate(
    rows: np.ndarray,
    split: int,
    options: np.ndarray,
    scale: np.ndarray,
    mean: np.ndarray,
    components: np.ndarray,
    chances: np.ndarray,
) -> float:
    """The chance of each field's change into ``chances``; the severity of the change in the fields that changed."""
    n, d = rows.shape
    normalize, loss_range = options[NORMALIZE] > 0.0, options[LOSS_RANGE]
    squares, left = np.empty((n, d)), np.empty(d)
    for i in range(n):
        residuals(rows[i], normalize, scale, mean, components, left)
        squares[i] = left * left
    losses, fields = np.zeros(n), 0
    for j in range(d):
        before, after = squares[:split, j], squares[split:, j]
        difference = abs(after.mean() - before.mean())
        chances[j] = bernstein(difference, split, before.var(), n - split, after.var(), loss_range)
        if chances[j] < options[SUBSPACE]:
            losses += squares[:, j]
            fields += 1
    if fields == 0:
        for j in range(d):
            losses += squares[:, j]
    spread = losses[:split].std()
    return abs(losses[split:].mean() - losses[:split].mean()) / spread if spread > 0.0 else np.inf


# -- the detector ------------------------------------------------------------------------------------------------------


@inlined
def forget_oldest(rows: np.ndarray, sums: np.ndarray, numbers: np.ndarray, first: int, size: int) -> None:
    """Keep the newest ``size`` of the watched rows, and begin the sums there."""
    dropped = int(numbers[COUNT]) - size
    for i in range(size):
        rows[first + i] = rows[first + i + dropped]
    base0, base1 = sums[dropped, 0], sums[dropped, 1]
    for i in range(size + 1):
        sums[i, 0] = sums[i + dropped, 0] - base0
        sums[i, 1] = sums[i + dropped, 1] - base1
    numbers[COUNT] = size


@inlined
def start_from_the_change(rows: np.ndarray, numbers: np.ndarray, n_min: int) -> None:
    """The rows since the change, the newest of them, become the first rows for training."""
    since, count = int(numbers[SINCE]), int(numbers[COUNT])
    kept = min(since, n_min)
    for i in range(kept):
        rows[i] = rows[n_min + count - kept + i]
    numbers[TRAINING], numbers[COUNT] = kept, 0.0


@undivided
def abcd(monitor: int, signal: int) -> int:
    """ABCD over a signal of rows, both given by address."""
    s, work = row_monitor_at(monitor), signal_at(signal)
    options, numbers, rows, sums = s.options, s.numbers, s.rows, s.sums
    scale, mean, components = s.scale, s.mean, s.components
    values, levels = work.values, work.levels
    n_min, n_splits, max_size = int(options[N_MIN]), int(options[N_SPLITS]), int(options[MAX_SIZE])
    normalize, loss_range = options[NORMALIZE] > 0.0, options[LOSS_RANGE]
    left = np.empty(values.shape[1])
    level = IN_CONTROL
    for i in range(len(values)):
        for j in range(values.shape[1]):
            if not abs(values[i, j]) <= LARGEST:
                return REFUSED
        if numbers[LEVEL] == DRIFT:
            start_from_the_change(rows, numbers, n_min)
            if numbers[TRAINING] == n_min:
                train(rows[:n_min], normalize, scale, mean, components)
        level = IN_CONTROL
        if numbers[TRAINING] < n_min:
            rows[int(numbers[TRAINING])] = values[i]
            numbers[TRAINING] += 1.0
            if numbers[TRAINING] == n_min:
                train(rows[:n_min], normalize, scale, mean, components)
        else:
            if numbers[COUNT] == 2 * max_size:
                forget_oldest(rows, sums, numbers, n_min, max_size)
            loss = residuals(values[i], normalize, scale, mean, components, left)
            n = int(numbers[COUNT])
            rows[n_min + n] = values[i]
            sums[n + 1, 0] = sums[n, 0] + loss
            sums[n + 1, 1] = sums[n, 1] + loss * loss
            numbers[COUNT] = n + 1.0
            if n + 1 > 2 * BORDER:
                split, chance = best_split(sums, n + 1, n_splits, loss_range)
                if chance < options[DELTA_DRIFT]:
                    level = DRIFT
                    numbers[DETECTIONS] += 1.0
                    numbers[SINCE], numbers[P_VALUE] = n + 1 - split, chance
                    window = rows[n_min : n_min + n + 1]
                    numbers[SEVERITY] = locate(window, split, options, scale, mean, components, s.chances)
                elif chance < options[DELTA_WARN]:
                    level = WARNING
        numbers[LEVEL] = level
        levels[i] = level
    return level
