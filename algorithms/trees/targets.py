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

from .regression_arrays import HIGH, LOW, MEAN, N_BIN, N_MOMENTS, RESIDUAL, SQUARES, UNEXPLAINED, WEIGHT


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


@inlined
def variance(moments: np.ndarray, squares: int) -> float:
    """Sample variance, 0 up to weight 1."""
    return moments[squares] / (moments[WEIGHT] - 1.0) if moments[WEIGHT] > 1.0 else 0.0


@inlined
def reduction(total: np.ndarray, left: np.ndarray, right: np.ndarray, squares: int) -> float:
    """What share of the variance a split in two takes away."""
    before = variance(total, squares)
    if not before > 0.0:
        return 0.0
    after = left[WEIGHT] * variance(left, squares) + right[WEIGHT] * variance(right, squares)
    return 1.0 - after / (total[WEIGHT] * before)


@inlined
def merit_of(total: np.ndarray, left: np.ndarray, right: np.ndarray, residuals: float) -> float:
    """Merit of a split in two: the share of variance it takes away of the residuals, and of the targets, in mixture."""
    merit = 0.0
    if residuals > 0.0:
        merit += residuals * reduction(total, left, right, UNEXPLAINED)
    if residuals < 1.0:
        merit += (1.0 - residuals) * reduction(total, left, right, SQUARES)
    return merit


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
def best_number_split(
    bins: np.ndarray, n: int, least: float, residuals: float, scratch: np.ndarray
) -> tuple[float, float]:
    """The best threshold between two of ``n`` bins.

    Parameters
    ----------
    least
        Weight that both sides must have.
    residuals
        Their share in the merit.
    scratch : float64 [bins + 1, 5]
        The moments of all targets are left in the last of its first ``n`` rows.

    Returns
    -------
    float, float
        The merit, 0 if there is no threshold that is any good; the threshold.
    """
    for k in range(n):
        for part in range(N_MOMENTS):
            scratch[k, part] = bins[k, part]
        if k > 0:
            merge(scratch[k], scratch[k - 1])
    right = scratch[n]
    right[:] = 0.0
    best, threshold = 0.0, 0.0
    for k in range(n - 1, 0, -1):
        merge(right, bins[k])
        left = scratch[k - 1]
        if left[WEIGHT] >= least and right[WEIGHT] >= least:
            merit = merit_of(scratch[n - 1], left, right, residuals)
            if merit >= best and merit > 0.0:
                best, threshold = merit, between(bins[k - 1, HIGH], bins[k, LOW])
    return best, threshold


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
    table: np.ndarray, least: float, residuals: float, binary_only: bool, scratch: np.ndarray, parts: np.ndarray
) -> tuple[float, int]:
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
    scratch : float64 [v + 1, 5]
        Row ``k`` gets the moments of the categories below ``k``; so the last one those of all.
    parts : float64 [2, 5]
        Scratch space.

    Returns
    -------
    float, int
        The merit, 0 if no split is any good; the category, or -1 for one branch a category.
    """
    v = len(table)
    scratch[0] = 0.0
    present, allowed = 0, True
    for k in range(v):
        scratch[k + 1] = scratch[k]
        merge(scratch[k + 1], table[k])
        if table[k, WEIGHT] > 0.0:
            present += 1
            allowed &= table[k, WEIGHT] >= least
    total = scratch[v]
    best, category = 0.0, 0
    above, rest = parts[0], parts[1]
    above[:] = 0.0
    for k in range(v - 1, -1, -1):
        rest[:] = scratch[k]
        merge(rest, above)
        if table[k, WEIGHT] >= least and rest[WEIGHT] >= least and table[k, WEIGHT] > 0.0:
            merit = merit_of(total, table[k], rest, residuals)
            if merit >= best and merit > 0.0:
                best, category = merit, k
        merge(above, table[k])
    if present > 2 and allowed and not binary_only:
        merit = multiway_merit(total, table, residuals)
        if merit >= best and merit > 0.0:
            best, category = merit, -1
    return best, category


@inlined
def multiway_merit(total: np.ndarray, table: np.ndarray, residuals: float) -> float:
    """Merit of one branch a category."""
    merit = 0.0
    for squares, share in ((SQUARES, 1.0 - residuals), (UNEXPLAINED, residuals)):
        before, after = variance(total, squares), 0.0
        for k in range(len(table)):
            after += table[k, WEIGHT] * variance(table[k], squares)
        if before > 0.0:
            merit += share * (1.0 - after / (total[WEIGHT] * before))
    return merit


@kernel
def category_branches(table: np.ndarray, category: int, branches: np.ndarray) -> None:
    """Write the moments of a category and of the rest into ``branches``, float64 [2, 5]."""
    branches[:] = 0.0
    for k in range(len(table)):
        merge(branches[0 if k == category else 1], table[k])
