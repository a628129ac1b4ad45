"""Kernels of the nearest neighbours: a window kept scaled column by column, distances to all of it, votes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow

NEIGHBORS, POWER, SCALE, VOTE = range(4)
"""Places in ``options``."""
N_OPTIONS = 4
EQUAL, BY_DISTANCE, MEDIAN = 0, 1, 2
"""What neighbours count: values of ``options[VOTE]``."""
FILLED, NEXT, CLASSES = range(3)
"""Places in ``numbers``."""
N_NUMBERS = 3


class NeighborsArrays(NamedTuple):
    """State of the nearest neighbours: ``d`` fields, a window of ``W`` rows.

    The window is a ring: the next row takes the place of the oldest.

    Attributes
    ----------
    options : float64 [4]
        The parameters, as numbers.
    categories : int64 [d]
        Number of categories of each nominal field, -1 for a numeric one.
    numbers : int64 [3]
        Rows in the window; where the next one goes; classes of the target (0: regression).
    values : float64 [d, W]
        The rows as they came, a field after the other; NaN where missing and where there is no row yet.
    scaled : float64 [d, W]
        The same, numeric fields moved to 0 … 1 by their present range.
    low, high : float64 [d]
        Range of each field in the window, codes of nominal fields included; inf and -inf where no row has a value.
    target : float64 [W]
        Class codes or values.
    weight : float64 [W]
    """

    options: np.ndarray
    categories: np.ndarray
    numbers: np.ndarray
    values: np.ndarray
    scaled: np.ndarray
    low: np.ndarray
    high: np.ndarray
    target: np.ndarray
    weight: np.ndarray


Neighbors, NeighborsType = struct(NeighborsArrays)


@kernel
def make_neighbors(a: NeighborsArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Neighbors(a.options, a.categories, a.numbers, a.values, a.scaled, a.low, a.high, a.target, a.weight)


# -- the window --------------------------------------------------------------------------------------------------------


@inlined
def read(x: float, categories: int) -> float:
    """A field's value, NaN where it is missing, too large, or a category not learned yet."""
    known = abs(x) <= LIMIT if categories < 0 else 0.0 <= x < categories
    return x if known else math.nan


@inlined
def scale(x: float, low: float, high: float) -> float:
    """``x`` in units of the range; 0 where the field does not vary, as in Weka."""
    return (x - low) / (high - low) if high > low else (0.0 if x == x else x)


@inlined
def new_low(column: np.ndarray, low: float, gone: float, x: float) -> float:
    """The column's least value after ``x`` took the place of ``gone``, given the one before; NaN are passed over."""
    if x <= low:
        return x
    if gone != low:
        return low
    result = math.inf
    for value in column:
        if value < result:
            result = value
            if value == low:  # there is none below it
                break
    return result


@inlined
def new_high(column: np.ndarray, high: float, gone: float, x: float) -> float:
    """The column's greatest value after ``x`` took the place of ``gone``, given the one before."""
    if x >= high:
        return x
    if gone != high:
        return high
    result = -math.inf
    for value in column:
        if value > result:
            result = value
            if value == high:
                break
    return result


@inlined
def remember(
    options: np.ndarray,
    categories: np.ndarray,
    numbers: np.ndarray,
    values: np.ndarray,
    scaled: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    X: np.ndarray,
    i: int,
) -> int:
    """Put row ``i`` into the window, in the place of the oldest row once it is full; returns the place.

    A column is scaled anew only where its range changed.
    """
    place = numbers[NEXT]
    for j in range(len(categories)):
        column, moved = borrowed(values[j]), borrowed(scaled[j])
        x, gone = read(X[i, j], categories[j]), column[place]
        column[place] = x
        before_low, before_high = low[j], high[j]
        low[j], high[j] = new_low(column, before_low, gone, x), new_high(column, before_high, gone, x)
        if categories[j] >= 0 or options[SCALE] == 0.0:
            moved[place] = x
        elif low[j] == before_low and high[j] == before_high:
            moved[place] = scale(x, low[j], high[j])
        else:
            bottom, top = low[j], high[j]
            for r in range(len(column)):
                moved[r] = scale(column[r], bottom, top)
    numbers[NEXT] = place + 1 if place + 1 < values.shape[1] else 0
    numbers[FILLED] = max(numbers[FILLED], place + 1)
    return int(place)


# -- distances ---------------------------------------------------------------------------------------------------------


@inlined
def powered(difference: float, p: float) -> float:
    """The absolute difference to the power of ``p``."""
    if p == 2.0:
        return difference * difference
    if p == 1.0:
        return abs(difference)
    return float(abs(difference) ** p)


@inlined
def measure(
    options: np.ndarray,
    categories: np.ndarray,
    n: int,
    scaled: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    X: np.ndarray,
    i: int,
    distance: np.ndarray,
) -> None:
    """Distances, to the power of ``p``, between row ``i`` and the ``n`` rows of the window.

    Field by field, so that the loops over the window vectorise; each sum is over the fields in their order, as in MOA.
    A missing number is as far away as the range allows (Weka's rule); categories differ by 1 or not at all. Fields that
    no row of the window has don't count, so that a field may appear at any time.
    """
    p = options[POWER]
    distance[:n] = 0.0
    for j in range(len(categories)):
        if not low[j] <= high[j]:
            continue
        column = borrowed(scaled[j])
        x = read(X[i, j], categories[j])
        if categories[j] >= 0:
            for r in range(n):
                distance[r] += 0.0 if column[r] == x else 1.0  # NaN equals nothing
            continue
        bottom, top = low[j], high[j]
        if options[SCALE] != 0.0:
            x, bottom, top = scale(x, bottom, top), 0.0, 1.0
        if x == x:
            missing = max(top - x, x - bottom)
            for r in range(n):
                value = column[r]
                distance[r] += powered(x - value if value == value else missing, p)
        else:
            for r in range(n):
                value = column[r]
                distance[r] += powered(max(top - value, value - bottom) if value == value else top - bottom, p)


@inlined
def reach(distance: np.ndarray, n: int, nearest: np.ndarray) -> float:
    """The distance within which the neighbours lie: that of the last of the ``len(nearest)`` nearest of ``n`` rows.

    Afterwards the first entries of ``nearest`` are the least distances, in ascending order.
    """
    k = min(len(nearest), n)
    nearest[:] = math.inf
    limit = math.inf
    for r in range(n):
        x = distance[r]
        if x < limit:
            place = k - 1
            while place > 0 and nearest[place - 1] > x:
                nearest[place] = nearest[place - 1]
                place -= 1
            nearest[place] = x
            limit = nearest[k - 1]
    return limit


@inlined
def closeness(distance: float, least: float, p: float) -> float:
    """What a vote counts by inverse distance, in units of the nearest one's; where that is at 0, no other counts."""
    return 1.0 if distance == least else (least / distance) ** (1.0 / p)


# -- classification ----------------------------------------------------------------------------------------------------


@kernel
def advance_classifier(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weights, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    options, categories, numbers, values, scaled = s.options, s.categories, s.numbers, s.values, s.scaled
    low, high, target, weight = s.low, s.high, s.target, s.weight
    distance, nearest = np.empty(len(target)), np.empty(int(options[NEIGHBORS]))
    votes = np.empty(numbers[CLASSES])
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            i = ~i
            if y[i] >= 0 and weights[i] > 0.0:
                place = remember(options, categories, numbers, values, scaled, low, high, X, i)
                target[place], weight[place] = y[i], weights[i]
            continue
        n = numbers[FILLED]
        if n == 0:
            prediction[i] = -1
            if len(proba):
                proba[i] = 0.0
            continue
        measure(options, categories, n, scaled, low, high, X, i, distance)
        limit = reach(distance, n, nearest)
        votes[:] = 0.0
        for r in range(n):
            if distance[r] <= limit:
                share = closeness(distance[r], nearest[0], options[POWER]) if options[VOTE] == BY_DISTANCE else 1.0
                votes[int(target[r])] += weight[r] * share
        best = 0
        for c in range(1, len(votes)):
            if votes[c] > votes[best]:
                best = c
        prediction[i] = best
        if len(proba):
            total = votes.sum()
            for c in range(len(votes)):
                proba[i, c] = votes[c] / total
    return len(schedule)


# -- regression --------------------------------------------------------------------------------------------------------


@inlined
def median(value: np.ndarray, share: np.ndarray, m: int) -> float:
    """The weighted median of the first ``m`` values, which get sorted: half the weight lies on either side of it."""
    total = 0.0
    for a in range(m):
        total += share[a]
        v, w, place = value[a], share[a], a
        while place > 0 and value[place - 1] > v:
            value[place], share[place] = value[place - 1], share[place - 1]
            place -= 1
        value[place], share[place] = v, w
    below = 0.0
    for a in range(m):
        below += share[a]
        if 2.0 * below == total and a + 1 < m:
            return float(0.5 * (value[a] + value[a + 1]))
        if 2.0 * below >= total:
            return float(value[a])
    return float(value[m - 1])


@kernel
def advance_regressor(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weights, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    options, categories, numbers, values, scaled = s.options, s.categories, s.numbers, s.values, s.scaled
    low, high, target, weight = s.low, s.high, s.target, s.weight
    distance, nearest = np.empty(len(target)), np.empty(int(options[NEIGHBORS]))
    value, share = np.empty(len(target)), np.empty(len(target))
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            i = ~i
            if abs(y[i]) <= LIMIT and weights[i] > 0.0:
                place = remember(options, categories, numbers, values, scaled, low, high, X, i)
                target[place], weight[place] = y[i], weights[i]
            continue
        n = numbers[FILLED]
        if n == 0:
            prediction[i] = 0.0
            continue
        measure(options, categories, n, scaled, low, high, X, i, distance)
        limit = reach(distance, n, nearest)
        m = 0
        for r in range(n):
            if distance[r] <= limit:
                near = closeness(distance[r], nearest[0], options[POWER]) if options[VOTE] == BY_DISTANCE else 1.0
                value[m], share[m] = target[r], weight[r] * near
                m += 1
        if options[VOTE] == MEDIAN:
            prediction[i] = median(value, share, m)
            continue
        mean, total = 0.0, 0.0
        for a in range(m):
            if share[a] > 0.0:
                total += share[a]
                mean += (value[a] - mean) * (share[a] / total)
        prediction[i] = mean
    return len(schedule)
