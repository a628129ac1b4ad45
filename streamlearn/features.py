"""Rows as models with coefficients see them: standardised numbers and active categories, each with its own column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .array_learner import capacity
from .compiled import inlined
from .schema import Shape

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow
ROUNDING = 1e-30  # a variance below this share of the squared mean is what rounding left of 0

# -- columns -----------------------------------------------------------------------------------------------------------


def places(shape: Shape) -> dict[str, Any]:
    """The arrays that say which field has which columns: ``numeric``, ``nominal`` and ``offset``.

    Column 0 is the intercept's; columns ``1 … N`` are the numeric fields'; nominal field ``m`` has the columns from
    ``offset[m]`` on, one a category, with room for more.
    """
    is_nominal = np.array(shape.nominal, np.bool_)
    return {
        "numeric": np.flatnonzero(~is_nominal).astype(np.int64),
        "nominal": np.flatnonzero(is_nominal).astype(np.int64),
        "offset": offsets(shape),
    }


def offsets(shape: Shape) -> np.ndarray:
    """First column of each nominal field, and the number of columns."""
    rooms = [capacity(n) for n, nominal in zip(shape.cardinality, shape.nominal, strict=True) if nominal]
    numeric = len(shape.nominal) - len(rooms)
    return np.cumsum([1 + numeric, *rooms], dtype=np.int64)


def moved_columns(new: np.ndarray, old: np.ndarray, numeric: int) -> np.ndarray:
    """Where each column of the ``old`` offsets, with that many numeric fields, is among those of the ``new`` ones."""
    moved = [np.arange(old[m], old[m + 1]) + new[m] - old[m] for m in range(len(old) - 1)]
    return np.concatenate([np.arange(1 + numeric), *moved])


# -- rows --------------------------------------------------------------------------------------------------------------


@inlined
def learn_scale(
    X: np.ndarray,
    i: int,
    w: float,
    numeric: np.ndarray,
    seen: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    scale: np.ndarray,
) -> None:
    """Update means, variances and scales by row ``i`` (West 1979)."""
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        if not abs(x) <= LIMIT:
            continue
        seen[k] += w
        distance = x - mean[k]
        mean[k] += w * distance / seen[k]
        variance[k] += w * (distance * (x - mean[k]) - variance[k]) / seen[k]
        scale[k] = 1.0 / math.sqrt(variance[k]) if variance[k] > ROUNDING * mean[k] * mean[k] else 0.0


@inlined
def read_numbers(
    X: np.ndarray,
    i: int,
    numeric: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    present: np.ndarray,
) -> None:
    """Standardised numbers of row ``i`` into ``values`` [N], with 1 in ``present`` [N]; 0 in both where missing."""
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        here = abs(x) <= LIMIT
        values[k] = (x - mean[k]) * scale[k] if here else 0.0
        present[k] = 1.0 if here else 0.0


@inlined
def read_categories(X: np.ndarray, i: int, nominal: np.ndarray, offset: np.ndarray, active: np.ndarray) -> None:
    """Columns of row ``i``'s categories, -1 where missing or never seen, into ``active`` [M]."""
    for m in range(len(nominal)):
        x = X[i, nominal[m]]
        inside = 0.0 <= x < offset[m + 1] - offset[m]
        active[m] = offset[m] + int(x) if inside else -1


# -- classes -----------------------------------------------------------------------------------------------------------


@inlined
def learn_class(y: int, known: int, class_of: np.ndarray, row_of: np.ndarray) -> int:
    """Give class ``y`` the next row if it has none; returns the number of classes known then."""
    if row_of[y] >= 0:
        return known
    row_of[y], class_of[known] = known, y
    return known + 1


@inlined
def probabilities(scores: np.ndarray, rows: int) -> None:
    """Turn scores into probabilities in place: by the sigmoid for two rows, by the softmax for more."""
    if rows == 2:
        scores[1] = 1.0 / (1.0 + math.exp(scores[0] - scores[1]))
        scores[0] = 1.0 - scores[1]
        return
    greatest, total = -np.inf, 0.0
    for row in range(rows):
        greatest = max(greatest, scores[row])
    for row in range(rows):
        scores[row] = math.exp(scores[row] - greatest)
        total += scores[row]
    for row in range(rows):
        scores[row] /= total


@inlined
def most_likely(class_of: np.ndarray, known: int, proba: np.ndarray) -> int:
    """The learned class of the greatest probability, the lowest code on ties; -1 before the first."""
    best = 0
    for row in range(1, known):
        if proba[row] > proba[best] or (proba[row] == proba[best] and class_of[row] < class_of[best]):
            best = row
    return int(class_of[best])


@inlined
def write_proba(class_of: np.ndarray, known: int, by_row: np.ndarray, proba: np.ndarray) -> None:
    """Put the probabilities of the rows where their classes are; 0 for classes that were not learned."""
    proba[:] = 0.0
    for row in range(known):
        proba[class_of[row]] = by_row[row] if known > 1 else 1.0


@inlined
def clipped(gradient: float, most: float) -> float:
    """``gradient`` within ``-most … most``."""
    return min(max(gradient, -most), most)
