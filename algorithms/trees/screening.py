"""Tells most leaves cheaply that they will not split yet, from merits that are approximated with a known error.

Hardly one attempt to split in ten ends with a split, and each needs hundreds of logarithms and normal distributions, to
the last bit, since a rounding can move a split by a row. But where the distance between the two best fields is below
the Hoeffding bound by more than any error, the approximate merits of this file prove that nothing happens, in a tenth
of the time: their loops vectorise. Whatever they leave open is decided as before.

All weights are shares of the field's whole weight. With ``g(p) = p log2 p``, a split into branches of the shares ``w``,
in which the classes have the shares ``p``, has the merit ``before - sum(g(w)) + sum(g(p))``. Either kind of share sums
to one, so an error of ``e`` in all logarithms moves the merit by 2 e at most; and an error of ``d`` in the distribution
functions moves it by 4 d log2(C / d) at most for ``C`` classes. Here e < 3e-6 and d < 2e-7: in all less than 4e-5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import approximate, bits_of, from_bits, kernel

from .arrays import BINARY_ONLY, CRITERION, GINI, HIGH, LOW, MEAN, MIN_FRACTION, PREPRUNE, SQUARES, WEIGHT
from .observers import N_POINTS, deviation, fields_of, impurity, n_values, threshold_at

ERROR = 1e-4
"""More than any merit is wrong by."""
EDGE = 1e-5
"""A branch whose share is so near to the least one that it must have may or may not have it."""
NARROW, WIDE = 1e-8, 1e100
"""Standard deviations and values within these make no rounding errors that matter."""
UNSURE = np.inf
"""Stands for a merit that is not known well enough."""

LANES = 16
"""Room for `N_POINTS` thresholds in whole vectors, since what is left over is computed one by one."""


@approximate
def rough_log2(x: float) -> float:
    """Logarithm to base 2 of a positive number, wrong by less than 3e-6; something finite for 0."""
    bits = bits_of(x)
    m = from_bits((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000)  # x without its exponent, in [1, 2)
    q = -0.0245685347450879
    q = q * m + 0.2650242925365498
    q = q * m - 1.2292910063585956
    q = q * m + 3.2128002871700616
    q = q * m - 5.261682507812598
    q = q * m + 6.066871451547772
    return ((bits >> 52) - 1023) + (q * m - 3.0291515388993817)


@approximate
def rough_ndtr(z: float) -> float:
    """Probability that a standard normal variable is below ``z``, wrong by less than 2e-7.

    Abramowitz and Stegun, *Handbook of mathematical functions*, 1964, 7.1.28.
    """
    x = abs(z) * 0.7071067811865476
    d = 0.0000430638
    d = d * x + 0.0002765672
    d = d * x + 0.0001520143
    d = d * x + 0.0092705272
    d = d * x + 0.0422820123
    d = d * x + 0.0705230784
    d = d * x + 1.0
    d *= d
    d *= d
    d *= d
    beyond = 0.5 / (d * d)
    return beyond if z < 0.0 else 1.0 - beyond


@kernel
def will_not_split(tree: Any, leaf: int, bound: float) -> bool:
    """Whether it is certain that the best split of a leaf is not better than the second best by more than the bound.

    Parameters
    ----------
    tree : HoeffdingTree
    leaf
        A leaf with a block.
    bound
        The Hoeffding bound.
    """
    length, b, options = tree.nodes[leaf].length, tree.nodes[leaf].block, tree.options
    if options[CRITERION] == GINI or len(tree.gains) > 0:
        return False
    before, min_fraction = impurity(tree.counts[leaf], length, int(options[CRITERION])), options[MIN_FRACTION]
    numeric_fields, nominal_fields = fields_of(tree, b)
    lanes = np.empty((3, max(LANES, tree.counts.shape[1])))
    n, best, second = 0, -np.inf, -np.inf
    for place in range(len(numeric_fields) + len(nominal_fields)):
        i = place - len(numeric_fields)
        if i < 0:
            found, merit = rough_numeric_merit(tree.numeric[b], place, length, before, min_fraction, lanes[:, :LANES])
        else:
            start, values = tree.first[~tree.place[nominal_fields[i]]], n_values(tree.slots[b], i, length)
            table, binary_only = tree.tables[b, start : start + values], options[BINARY_ONLY] != 0.0
            found, merit = rough_nominal_merit(table, tree.totals[b], i, binary_only, before, min_fraction, lanes[0])
        if merit == UNSURE:
            return False
        n += found
        second = max(second, min(best, merit))
        best = max(best, merit)
    if n + (options[PREPRUNE] != 0.0) < 2:
        return False
    return best == -np.inf or best - second < bound - 2.0 * ERROR


@approximate
def rough_numeric_merit(
    gaussians: np.ndarray, j: int, length: int, before: float, min_fraction: float, lanes: np.ndarray
) -> tuple[bool, float]:
    """Whether a numeric field offers a split, and about what `observers.best_numeric_split` finds, or `UNSURE`.

    ``lanes``, float64 [3, `LANES`], is space for thresholds.
    """
    points, left, merits = lanes[0], lanes[1], lanes[2]
    low, high, everything = np.inf, -np.inf, 0.0
    for c in range(length):
        low, high = min(low, gaussians[c, LOW, j]), max(high, gaussians[c, HIGH, j])
        everything += gaussians[c, WEIGHT, j]
    if not low < high:
        return False, -np.inf
    if not (low > -WIDE and high < WIDE and 1.0 / WIDE < everything < WIDE):
        return True, UNSURE
    for k in range(len(points)):
        points[k] = threshold_at(low, high, k)  # exactly these: a class may end at one
        left[k], merits[k] = 0.0, before
    for c in range(length):
        n = gaussians[c, WEIGHT, j]
        if n == 0.0:
            continue
        m, s = gaussians[c, MEAN, j], deviation(n, gaussians[c, SQUARES, j])
        least, largest, share = gaussians[c, LOW, j], gaussians[c, HIGH, j], n / everything
        if not (s == 0.0 or NARROW < s < WIDE):
            return True, UNSURE
        spread, certainty = s > 0.0, 1.0 / max(s, NARROW)
        for k in range(len(points)):
            t = points[k]
            normal, step = rough_ndtr((t - m) * certainty), 1.0 if t <= m else 0.0
            p = normal if spread else step
            p = p if t >= least else 0.0
            p = share * (p if t < largest else 1.0)
            rest = share - p
            left[k] += p
            merits[k] += p * rough_log2(p) + rest * rough_log2(rest)
    for k in range(len(points)):
        w = left[k]
        rest = max(0.0, 1.0 - w)
        merits[k] -= w * rough_log2(w) + rest * rough_log2(rest)
    found, best, nearest = False, -np.inf, np.inf
    for k in range(N_POINTS):
        offered, smaller = low < points[k] < high, min(left[k], 1.0 - left[k])
        found |= offered
        nearest = min(nearest, abs(smaller - min_fraction))
        best = merits[k] if offered & (smaller > min_fraction) & (merits[k] > best) else best
    return found, best if nearest > EDGE else UNSURE


@approximate
def rough_nominal_merit(
    table: np.ndarray,
    totals: np.ndarray,
    i: int,
    binary_only: bool,
    before: float,
    min_fraction: float,
    lanes: np.ndarray,
) -> tuple[bool, float]:
    """Whether a nominal field offers a split, and about what `observers.best_nominal_split` finds, or `UNSURE`.

    ``lanes``, float64 [C or more], is space for classes: all for which there is room, since that makes whole vectors.
    """
    if len(table) == 0:
        return False, -np.inf
    everything = 0.0
    for c in range(table.shape[1]):
        everything += totals[c, i]
    if not 1.0 / WIDE < everything < WIDE:
        return True, UNSURE
    per_weight = 1.0 / everything
    every = lanes[: table.shape[1]]
    for c in range(len(every)):
        every[c] = totals[c, i] * per_weight
    binary = binary_only or len(table) != 2  # of two categories, one branch each is the same
    best, multiway, n_large = -np.inf, before, 0
    for v in range(len(table)):
        w, gain = 0.0, 0.0
        for c in range(len(every)):
            p = table[v, c] * per_weight
            w += p
            gain += p * rough_log2(p)
        rest = max(0.0, 1.0 - w)
        if abs(min(w, rest) - min_fraction) < EDGE:
            return True, UNSURE
        gain -= w * rough_log2(w)
        multiway += gain
        n_large += w > min_fraction
        if binary and w > min_fraction and rest > min_fraction:
            gain += before
            for c in range(len(every)):
                p = max(0.0, every[c] - table[v, c] * per_weight)
                gain += p * rough_log2(p)
            best = max(best, gain - rest * rough_log2(rest))
    if n_large >= 2 and not binary_only:
        best = max(best, multiway)
    return True, best
