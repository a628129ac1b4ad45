"""Observers of one leaf: what it learns of each field and class, and the best split that each field offers.

Numeric fields keep a Gaussian a class, nominal fields a table of weights (Pfahringer, Holmes and Kirkby, *Handling
numeric attributes in Hoeffding trees*, 2008). The order of every sum and product is MOA's, since a rounding can move a
split by one row.

Arrays are those of `HoeffdingTreeArrays`; ``b`` is a block, ``c`` or ``y`` a class, ``j`` a numeric and ``i`` a nominal
field, ``length`` the number of classes that the leaf knows of.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import inlined, kernel

from .arrays import GINI, HIGH, INVERSE, LOW, MEAN, SQUARES, WEIGHT
from .normal import ndtr

ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
LN2 = math.log(2.0)

N_POINTS = 10
"""Candidate thresholds of a numeric field."""

CERTAIN = 1e300
"""Stands for 1 / 0, the inverse of a variance that is zero, without making 0 * inf."""


# -- which fields ------------------------------------------------------------------------------------------------------


@inlined
def fields_of(tree: Any, b: int) -> tuple[np.ndarray, np.ndarray]:
    """The numeric and the nominal fields that a block observes, each ascending: its ``j``-th and ``i``-th."""
    if len(tree.n_fields) == 0:
        return tree.numeric_fields, tree.nominal_fields
    n_numeric, n_nominal, start = tree.n_fields[b, 0], tree.n_fields[b, 1], tree.numeric.shape[3]
    return tree.fields[b, :n_numeric], tree.fields[b, start : start + n_nominal]


@inlined
def comes_first(numeric_fields: np.ndarray, j: int, nominal_fields: np.ndarray, i: int) -> bool:
    """Whether numeric field ``j`` comes before nominal field ``i``; one that is beyond the end comes last."""
    return i >= len(nominal_fields) or (j < len(numeric_fields) and numeric_fields[j] < nominal_fields[i])


@kernel
def observer_of(tree: Any, b: int, field: int) -> int:
    """The number of a field's observer in a block that observes it: ``j`` if numeric, ``~i`` if nominal."""
    if len(tree.n_fields) == 0:
        return int(tree.place[field])
    numeric_fields, nominal_fields = fields_of(tree, b)
    if tree.place[field] >= 0:
        return int(np.searchsorted(numeric_fields, field))
    return ~int(np.searchsorted(nominal_fields, field))


# -- learning ----------------------------------------------------------------------------------------------------------


@inlined
def observe_numeric(numeric: np.ndarray, b: int, y: int, values: np.ndarray, w: float) -> bool:
    """Add one row's numeric values, float64 [Bn], to the Gaussians of class ``y``; say if one of them is the first.

    Weighted Welford; a value that is not finite is left out. One loop without branches, so that it vectorises.
    """
    new = False
    for j in range(len(values)):
        x = values[j]
        n, m, S = numeric[b, y, WEIGHT, j], numeric[b, y, MEAN, j], numeric[b, y, SQUARES, j]
        low, high, inverse = numeric[b, y, LOW, j], numeric[b, y, HIGH, j], numeric[b, y, INVERSE, j]
        seen, first = abs(x) < np.inf, n == 0.0
        d = x - m
        n_after = n + w
        m_after = x if first else m + w * d / n_after
        S_after = 0.0 if first else S + w * d * (x - m_after)
        spread = (n_after > 1.0) & (S_after > 0.0)
        numeric[b, y, WEIGHT, j] = n_after if seen else n
        numeric[b, y, MEAN, j] = m_after if seen else m
        numeric[b, y, SQUARES, j] = S_after if seen else S
        numeric[b, y, LOW, j] = x if seen & (x < low) else low
        numeric[b, y, HIGH, j] = x if seen & (x > high) else high
        certainty = (n_after - 1.0) / S_after if spread else CERTAIN
        numeric[b, y, INVERSE, j] = certainty if seen else inverse
        new |= seen & first
    return new


@inlined
def observe_nominal(
    tables: np.ndarray,
    totals: np.ndarray,
    slots: np.ndarray,
    nominal_fields: np.ndarray,
    place: np.ndarray,
    first: np.ndarray,
    b: int,
    y: int,
    rows: np.ndarray,
    w: float,
) -> bool:
    """Add one row's categories to the tables of class ``y``; say if one of them is the first of its field and class.

    ``rows``, int64 [Bm], holds each field's row in the block's table, negative if missing or without room.
    """
    new = False
    for i in range(len(rows)):
        row = rows[i]
        if row >= 0:
            code = row - first[~place[nominal_fields[i]]]
            tables[b, row, y] += w
            totals[b, y, i] += w
            new |= slots[b, y, i] == 0
            if code >= slots[b, y, i]:
                slots[b, y, i] = code + 1
    return new


# -- a Gaussian --------------------------------------------------------------------------------------------------------


@inlined
def deviation(n: float, S: float) -> float:
    """Standard deviation; 0 up to a weight of 1."""
    return math.sqrt(S / (n - 1.0)) if n > 1.0 else 0.0


@kernel
def density(x: float, m: float, s: float) -> float:
    """Normal density; with ``s == 0``, 1 at the mean and 0 elsewhere."""
    if s > 0.0:
        d = x - m
        return 1.0 / (ROOT_TWO_PI * s) * math.exp(-(d * d / (2.0 * s * s)))
    return 1.0 if x == m else 0.0


# -- merits ------------------------------------------------------------------------------------------------------------


@kernel
def weight_of(vector: np.ndarray, length: int) -> float:
    """Sum of the first ``length`` entries, in order."""
    weight = 0.0
    for c in range(length):
        weight += vector[c]
    return weight


@kernel
def impurity(vector: np.ndarray, length: int, criterion: int) -> float:
    """Entropy (bits) or Gini impurity of a class vector; 0 for an empty one."""
    weight = weight_of(vector, length)
    if criterion == GINI:
        gini = 1.0 if weight > 0.0 else 0.0
        for c in range(length):
            share = vector[c] / weight if weight > 0.0 else 0.0
            gini -= share * share
        return gini
    entropy, positive = 0.0, 0.0
    for c in range(length):
        d = vector[c]
        if d > 0.0:
            entropy -= d * (math.log(d) / LN2)
            positive += d
    return (entropy + positive * (math.log(positive) / LN2)) / positive if positive > 0.0 else 0.0


@kernel
def merit_of(before: float, branches: np.ndarray, length: int, criterion: int, min_fraction: float) -> float:
    """Merit of a split into ``branches``, float64 [k, C]; minus infinity if it leaves fewer than two large branches.

    Parameters
    ----------
    before
        Impurity of the leaf.
    min_fraction
        A branch is large if it holds more than this share of the weight.
    """
    everything = 0.0
    for v in range(len(branches)):
        everything += weight_of(branches[v], length)
    large = 0
    for v in range(len(branches)):
        large += weight_of(branches[v], length) / everything > min_fraction
    if large < 2:  # the usual case of a rare category against all others: no logarithms
        return -np.inf
    after = 0.0
    for v in range(len(branches)):
        weight = weight_of(branches[v], length)
        share = weight / everything if criterion == GINI else weight
        after += share * impurity(branches[v], length, criterion)
    merit = 1.0 - after if criterion == GINI else before - after / everything
    return merit if merit == merit else -np.inf  # not a number: weights beyond the range of a double


# -- split candidates --------------------------------------------------------------------------------------------------


@kernel
def numeric_branches(gaussians: np.ndarray, j: int, length: int, t: float, branches: np.ndarray) -> tuple[int, int]:
    """Estimate the class weights at or below ``t`` and above it.

    Parameters
    ----------
    gaussians : float64 [C, 6, Dn]
        Numeric observers of one leaf.
    branches : float64 [2, C]
        Output.

    Returns
    -------
    int, int
        Length of either class vector: the highest class that was given anything, zero included, plus one.
    """
    n_left, n_right = 0, 0
    for c in range(length):
        n = gaussians[c, WEIGHT, j]
        left, right = 0.0, 0.0
        if n > 0.0:
            if t < gaussians[c, LOW, j]:
                right, n_right = n, c + 1
            elif t >= gaussians[c, HIGH, j]:
                left, n_left = n, c + 1
            else:
                m, s = gaussians[c, MEAN, j], deviation(n, gaussians[c, SQUARES, j])
                equal = density(t, m, s) * n
                if s > 0.0:
                    less = ndtr((t - m) / s) * n - equal
                elif t < m:
                    less = n - equal
                else:
                    less = 0.0
                left, right = less + equal, max(0.0, n - equal - less)
                n_left = n_right = c + 1
        branches[0, c], branches[1, c] = left, right
    return n_left, n_right


@inlined
def threshold_at(low: float, high: float, k: int) -> float:
    """The ``k``-th of the candidate thresholds between two values."""
    return (high - low) / (N_POINTS + 1.0) * (k + 1) + low


@kernel
def best_numeric_split(
    gaussians: np.ndarray,
    j: int,
    length: int,
    before: float,
    criterion: int,
    min_fraction: float,
    branches: np.ndarray,
) -> tuple[bool, float, float]:
    """The best of ten equally spaced thresholds.

    Returns
    -------
    bool, float, float
        Whether there is a threshold at all, its merit, the threshold.
    """
    low, high = np.inf, -np.inf
    for c in range(length):
        low, high = min(low, gaussians[c, LOW, j]), max(high, gaussians[c, HIGH, j])
    found, best, threshold = False, -np.inf, 0.0
    if not low < high:
        return found, best, threshold
    for k in range(N_POINTS):
        t = threshold_at(low, high, k)
        if low < t < high:
            numeric_branches(gaussians, j, length, t, branches)
            merit = merit_of(before, branches, length, criterion, min_fraction)
            if not found or merit > best:
                found, best, threshold = True, merit, t
    return found, best, threshold


@kernel
def n_values(slots: np.ndarray, i: int, length: int) -> int:
    """Highest category seen in any class, plus one; ``slots`` is int32 [C, Dm]."""
    most = 0
    for c in range(length):
        most = max(most, slots[c, i])
    return most


@kernel
def nominal_branches(
    table: np.ndarray, slots: np.ndarray, i: int, length: int, v: int, branches: np.ndarray
) -> tuple[int, int]:
    """The class weights of category ``v`` and of all others.

    Parameters
    ----------
    table : float64 [values, C]
        The field's nominal observer.
    slots : int32 [C, Dm]
    branches : float64 [2, C]
        Output.

    Returns
    -------
    int, int
        Length of either class vector, as in `numeric_branches`.
    """
    n_equal, n_rest = 0, 0
    for c in range(length):
        branches[1, c] = 0.0
    for u in range(len(table)):
        if u != v:
            for c in range(length):
                branches[1, c] += table[u, c]
    for c in range(length):
        branches[0, c] = table[v, c]
        if slots[c, i] > v:
            n_equal = c + 1
        if slots[c, i] > 1 or (slots[c, i] == 1 and v != 0):
            n_rest = c + 1
    return n_equal, n_rest


@kernel
def best_nominal_split(
    table: np.ndarray,
    totals: np.ndarray,
    slots: np.ndarray,
    i: int,
    length: int,
    binary_only: bool,
    integral: bool,
    before: float,
    criterion: int,
    min_fraction: float,
    branches: np.ndarray,
) -> tuple[bool, float, int]:
    """The better of one branch a category and the best "v or not v"; the former wins a tie.

    With whole weights the rest of a category is the total less its weight, exactly, whatever the order of the sums;
    with others it is summed afresh for each category, as MOA does.

    Returns
    -------
    bool, float, int
        Whether there is a split at all, its merit, the category (-1 for one branch a category).
    """
    found, best, value = False, -np.inf, -1
    values = len(table)
    if values > 0 and not binary_only:
        found, best = True, merit_of(before, table, length, criterion, min_fraction)
    for v in range(values):
        if integral:
            for c in range(length):
                branches[0, c], branches[1, c] = table[v, c], totals[c, i] - table[v, c]
        else:
            nominal_branches(table, slots, i, length, v, branches)
        merit = merit_of(before, branches, length, criterion, min_fraction)
        if not found or merit > best:
            found, best, value = True, merit, v
    return found, best, value
