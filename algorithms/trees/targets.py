"""Moments of targets, and the bounded observers that keep them by intervals of a numeric field and by category.

A numeric observer is a list of *bins* in ascending order. A bin is an interval, from the least to the greatest value
it holds, with the moments of the targets there. A value in no bin becomes a bin of its own; when there is no room for
it, neighbours merge until none of the rest could without holding more than a fixed share of all weight. So the observer
is exact up to as many different values as there are bins, as the E-BST of FIMT-DD (Ikonomovska et al. 2011) is, and
beyond that has its borders where the data are, whatever the field's scale and outliers: a quantising observer (as
Mastelini and de Carvalho 2021) that needs no radius. The moments on both sides of a gap between bins are exact anyhow.
"""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import inlined, kernel

from .regression_arrays import HIGH, LOW, MEAN, N_BIN, RESIDUAL, SQUARES, UNEXPLAINED, WEIGHT


@inlined
def add_target(moments: np.ndarray, y: float, residual: float, w: float) -> None:
    """Take a target into moments, float64 [5 or more] (West 1979)."""
    moments[WEIGHT] += w
    share = w / moments[WEIGHT]
    distance = y - moments[MEAN]
    moments[MEAN] += share * distance
    moments[SQUARES] += w * distance * (y - moments[MEAN])
    distance = residual - moments[RESIDUAL]
    moments[RESIDUAL] += share * distance
    moments[UNEXPLAINED] += w * distance * (residual - moments[RESIDUAL])


@inlined
def merge(into: np.ndarray, other: np.ndarray) -> None:
    """Take the second moments into the first (Chan, Golub and LeVeque 1979)."""
    n, m = into[WEIGHT], other[WEIGHT]
    if m > 0.0:
        share = m / (n + m)
        into[WEIGHT] = n + m
        for mean, squares in ((MEAN, SQUARES), (RESIDUAL, UNEXPLAINED)):
            distance = other[mean] - into[mean]
            into[mean] += distance * share
            into[squares] += other[squares] + distance * distance * (n * share)


# -- merits ------------------------------------------------------------------------------------------------------------
#
# The merit of a split is the share of variance that it takes away: of the residuals, and of the targets, in mixture. It
# comes from sums of w (m - M) and of squares + w (m - M)^2 over the bins or categories on one side, where m is a bin's
# mean and M that of all. They cost additions only; the other side's are what is left of all.


@inlined
def spread(n: float, deviation: float, squares: float) -> float:
    """Sample variance times weight of a side with such sums; 0 up to weight 1."""
    return max(n * squares - deviation * deviation, 0.0) / (n - 1.0) if n > 1.0 else 0.0


@inlined
def centres(moments: np.ndarray, n: int) -> tuple[float, float, float]:
    """Weight of the first ``n`` rows of moments, and their means of targets and of residuals."""
    weight, y, residual = 0.0, 0.0, 0.0
    for k in range(n):
        weight += moments[k, WEIGHT]
        y += moments[k, WEIGHT] * moments[k, MEAN]
        residual += moments[k, WEIGHT] * moments[k, RESIDUAL]
    return weight, y / weight, residual / weight


@inlined
def prices(
    moments: np.ndarray, n: int, weight: float, y: float, residual: float, residuals: float
) -> tuple[float, float, float, float, float]:
    """What a merit is worked out from, given the share of residuals in it.

    Returns
    -------
    float, float, float, float, float
        Squares of all targets and of all residuals; the merit of a split that leaves no spread; by how much each unit
        of the targets' spread lowers it, and each of the residuals'. A part that has not varied counts nothing.
    """
    all_y, all_residuals = 0.0, 0.0
    for k in range(n):
        distance = moments[k, MEAN] - y
        all_y += moments[k, SQUARES] + moments[k, WEIGHT] * distance * distance
        distance = moments[k, RESIDUAL] - residual
        all_residuals += moments[k, UNEXPLAINED] + moments[k, WEIGHT] * distance * distance
    most, of_y, of_residuals = 0.0, 0.0, 0.0
    before = spread(weight, 0.0, all_y)
    if before > 0.0:
        most += 1.0 - residuals
        of_y = (1.0 - residuals) / before
    before = spread(weight, 0.0, all_residuals)
    if before > 0.0:
        most += residuals
        of_residuals = residuals / before
    return all_y, all_residuals, most, of_y, of_residuals


# -- bins --------------------------------------------------------------------------------------------------------------


@inlined
def find_bin(bins: np.ndarray, n: int, x: float) -> int:
    """The first of ``n`` bins that does not lie below ``x``; ``n`` if all do."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        below = bins[middle, HIGH] < x
        low = middle + 1 if below else low
        high = high if below else middle
    return low


@inlined
def observe_number(bins: np.ndarray, n: int, x: float, y: float, residual: float, w: float) -> int:
    """Take a value and its target into an observer, float64 [bins, 7]; the bins in use from now on."""
    i = find_bin(bins, n, x)
    if i < n and bins[i, LOW] <= x:
        add_target(bins[i], y, residual, w)
        return n
    return insert_bin(bins, n, i, x, y, residual, w)


@kernel
def insert_bin(bins: np.ndarray, n: int, i: int, x: float, y: float, residual: float, w: float) -> int:
    """Make a bin for a value that lies before bin ``i`` and in none; the number of bins afterwards."""
    if n == len(bins):
        n = merge_neighbours(bins)
        i = find_bin(bins, n, x)
        if i < n and bins[i, LOW] <= x:
            add_target(bins[i], y, residual, w)
            return n
    for k in range(n, i, -1):
        for part in range(N_BIN):
            bins[k, part] = bins[k - 1, part]
    bins[i, WEIGHT], bins[i, MEAN], bins[i, RESIDUAL] = w, y, residual
    bins[i, SQUARES] = bins[i, UNEXPLAINED] = 0.0
    bins[i, LOW] = bins[i, HIGH] = x
    return n + 1


@kernel
def merge_neighbours(bins: np.ndarray) -> int:
    """Merge bins, from the lowest on, while two together hold at most 4 / bins of the weight; how many are left.

    That is at most half of them and one: any two neighbours left hold more than that together.
    """
    total = 0.0
    for k in range(len(bins)):
        total += bins[k, WEIGHT]
    most = 4.0 * total / len(bins)
    last = 0
    for k in range(1, len(bins)):
        if bins[last, WEIGHT] + bins[k, WEIGHT] <= most:
            merge(bins[last], bins[k])
            bins[last, HIGH] = bins[k, HIGH]
        else:
            last += 1
            for part in range(N_BIN):
                bins[last, part] = bins[k, part]
    if last == len(bins) - 1:  # only a state that nobody learned, with weights that are no numbers, gets here
        last -= 1
    bins[last + 1 :] = 0.0
    return last + 1


@kernel
def best_number_split(bins: np.ndarray, n: int, least: float, residuals: float) -> tuple[float, float, float]:
    """The best threshold between two of ``n`` bins, the lowest of equals.

    Parameters
    ----------
    least
        Weight that both sides must have.
    residuals
        Their share in the merit.

    Returns
    -------
    float, float, float
        The merit, 0 if there is no threshold that is any good; the threshold; the weight of all bins.
    """
    weight, y, residual = centres(bins, n)
    all_y, all_residuals, most, of_y, of_residuals = prices(bins, n, weight, y, residual, residuals)
    best, last = 0.0, 0
    left, y_sum, y_squares, residual_sum, residual_squares = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n - 1):
        w = bins[k, WEIGHT]
        left += w
        step = w * (bins[k, MEAN] - y)
        y_sum += step
        y_squares += bins[k, SQUARES] + step * (bins[k, MEAN] - y)
        step = w * (bins[k, RESIDUAL] - residual)
        residual_sum += step
        residual_squares += bins[k, UNEXPLAINED] + step * (bins[k, RESIDUAL] - residual)
        right = weight - left
        if left >= least and right >= least:
            after_y = spread(left, y_sum, y_squares) + spread(right, y_sum, all_y - y_squares)
            after_residuals = spread(left, residual_sum, residual_squares)
            after_residuals += spread(right, residual_sum, all_residuals - residual_squares)
            merit = most - of_y * after_y - of_residuals * after_residuals
            if merit > best:
                best, last = merit, k
    return best, between(bins[last, HIGH], bins[last + 1, LOW]), weight


@inlined
def between(low: float, high: float) -> float:
    """A threshold t with low <= t < high, half-way if numbers allow."""
    middle = 0.5 * low + 0.5 * high
    return middle if low <= middle < high else low


@kernel
def number_branches(bins: np.ndarray, n: int, threshold: float, branches: np.ndarray) -> None:
    """Write the moments on both sides of a threshold into ``branches``, float64 [2, 5]."""
    branches[:] = 0.0
    for k in range(n):
        merge(branches[0 if bins[k, HIGH] <= threshold else 1], bins[k])


# -- tables ------------------------------------------------------------------------------------------------------------


@kernel
def best_category_split(
    table: np.ndarray, least: float, residuals: float, binary_only: bool
) -> tuple[float, int, float]:
    """The best split on a nominal field: one category against the rest, or one branch a category.

    Parameters
    ----------
    table : float64 [v, 5]
        Moments by category.
    least
        Weight that each branch must have.
    residuals
        Their share in the merit.
    binary_only
        Whether one branch a category is no choice.

    Returns
    -------
    float, int, float
        The merit, 0 if no split is any good; the category, the first of equals, or -1 for one branch a category; the
        weight of all.
    """
    v = len(table)
    weight, y, residual = centres(table, v)
    if not weight > 0.0:
        return 0.0, 0, 0.0
    all_y, all_residuals, most, of_y, of_residuals = prices(table, v, weight, y, residual, residuals)
    best, category = 0.0, 0
    present, allowed, together = 0, True, most
    for k in range(v):
        n = table[k, WEIGHT]
        if not n > 0.0:
            continue
        present += 1
        allowed &= n >= least
        alone_y, alone_residuals = spread(n, 0.0, table[k, SQUARES]), spread(n, 0.0, table[k, UNEXPLAINED])
        together -= of_y * alone_y + of_residuals * alone_residuals
        rest = weight - n
        if n >= least and rest >= least:
            distance = table[k, MEAN] - y
            squares = all_y - (table[k, SQUARES] + n * distance * distance)
            after_y = alone_y + spread(rest, n * distance, squares)
            distance = table[k, RESIDUAL] - residual
            squares = all_residuals - (table[k, UNEXPLAINED] + n * distance * distance)
            after_residuals = alone_residuals + spread(rest, n * distance, squares)
            merit = most - of_y * after_y - of_residuals * after_residuals
            if merit > best:
                best, category = merit, k
    if present > 2 and allowed and not binary_only and together >= best and together > 0.0:
        best, category = together, -1
    return best, category, weight


@kernel
def category_branches(table: np.ndarray, category: int, branches: np.ndarray) -> None:
    """Write the moments of a category and of the rest into ``branches``, float64 [2, 5]."""
    branches[:] = 0.0
    for k in range(len(table)):
        merge(branches[0 if k == category else 1], table[k])
