"""Kernels of the scalers: running statistics of the numeric fields, and rows rewritten by them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel, struct

ROUNDING = 1e-30  # a variance below this share of the squared mean is what rounding left of 0
LIMIT = 1e100  # numbers beyond it are not learned: their squares would overflow


class MomentsArrays(NamedTuple):
    """State of `StandardScaler`, for ``N`` numeric fields.

    Attributes
    ----------
    numeric : int64 [N]
        Field numbers of the numeric fields.
    weight, mean : float64 [N]
        Weight and mean of the values learned.
    variance : float64 [N] or [0]
        Their variance around the mean; empty where values are not divided by the standard deviation.
    """

    numeric: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


Moments, MomentsType = struct(MomentsArrays)


@kernel
def make_moments(a: MomentsArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Moments(a.numeric, a.weight, a.mean, a.variance)


class RangesArrays(NamedTuple):
    """State of `MinMaxScaler`, for ``N`` numeric fields.

    Attributes
    ----------
    numeric : int64 [N]
        Field numbers of the numeric fields.
    low, high : float64 [N]
        Least and greatest value learned; inf and -inf before the first.
    """

    numeric: np.ndarray
    low: np.ndarray
    high: np.ndarray


Ranges, RangesType = struct(RangesArrays)


@kernel
def make_ranges(a: RangesArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Ranges(a.numeric, a.low, a.high)


@kernel
def advance_moments(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, weight, schedule, out = work.X, work.weight, work.schedule, work.out
    numeric, seen, mean, variance = s.numeric, s.weight, s.mean, s.variance
    count, with_std = len(numeric), len(variance) > 0
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            i = ~i
            if weight[i] > 0.0:
                learn_moments(X, i, weight[i], count, numeric, seen, mean, variance)
        out[step] = X[i]
        for k in range(count):
            x = X[i, numeric[k]]
            if not math.isfinite(x):
                continue
            if not with_std:
                out[step, numeric[k]] = x - mean[k]
            elif variance[k] > ROUNDING * mean[k] * mean[k]:
                out[step, numeric[k]] = (x - mean[k]) / math.sqrt(variance[k])
            else:
                out[step, numeric[k]] = 0.0
    return len(schedule)


@inlined
def learn_moments(
    X: np.ndarray,
    i: int,
    w: float,
    count: int,
    numeric: np.ndarray,
    seen: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Update weighted means and variances by row ``i`` (West 1979)."""
    for k in range(count):
        x = X[i, numeric[k]]
        if not abs(x) <= LIMIT:
            continue
        seen[k] += w
        distance = x - mean[k]
        mean[k] += w * distance / seen[k]
        if len(variance):
            variance[k] += w * (distance * (x - mean[k]) - variance[k]) / seen[k]


@kernel
def advance_ranges(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, weight, schedule, out = work.X, work.weight, work.schedule, work.out
    numeric, low, high = s.numeric, s.low, s.high
    count = len(numeric)
    for step in range(start, len(schedule)):
        i = schedule[step]
        learns = False
        if i < 0:
            i = ~i
            learns = weight[i] > 0.0
        out[step] = X[i]
        for k in range(count):
            x = X[i, numeric[k]]
            if learns and abs(x) <= LIMIT:
                low[k] = min(low[k], x)
                high[k] = max(high[k], x)
            if math.isfinite(x):
                out[step, numeric[k]] = (x - low[k]) / (high[k] - low[k]) if low[k] < high[k] else 0.0
    return len(schedule)
