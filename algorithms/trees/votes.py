"""The naive Bayes vote of a leaf: fast in log space, exact where that could matter.

By definition class ``c`` gets the plain product ``counts[c] / W * p_1 * p_2 * …``, in the order of the fields, and the
lowest of the classes with the largest product wins: underflow to zero and ties are part of the definition, as in MOA.
`log_votes` finds the same class from logarithms, most of which are cached, and says so when it can't be sure: when two
classes are closer than rounding errors, or a product might leave the range of a double on its way. `products` then
computes the definition.

A field of which the leaf has seen no value in any class, a missing value and an infinite one contribute no factor. A
class of which an observed field has seen no value gets the factor 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import inlined, kernel

from .arrays import INTEGRAL, INVERSE, LOG, MEAN, PEAK, SQUARES, WEIGHT
from .observers import CERTAIN, comes_first, density, deviation, fields_of, weight_of

MISSING, UNSEEN = -1, -2
"""What stands for a table row where the category is missing, or is one that the table has no room for."""

TINY, HUGE = 1e-120, 1e120
"""Numbers between these, and zero, are *tame*: their differences can be squared, and only equal ones differ by zero."""

BIG = 2.0**332  # products of numbers in [FAINT, STRONG] are rescaled when they pass this or its inverse
SMALL = 2.0**-332
LOG_BIG = 332.0 * math.log(2.0)
FAINT, STRONG = 1e-90, 1e90

ROOM = 640.0
"""Logarithms within ±640 stay clear of underflow (-708) even after a division by the leaf's weight, below e**60."""
HOPELESS = -1e20
"""A log vote below this has a factor that is zero in double precision."""
CLOSE = 1e-9
"""Relative to their size, log votes differ by more than their rounding errors if they differ by more than this."""

UNDECIDED = -1


@inlined
def load_row(
    X: np.ndarray,
    row: int,
    numeric_fields: np.ndarray,
    nominal_fields: np.ndarray,
    place: np.ndarray,
    first: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
) -> bool:
    """Copy a row's numeric values into ``values``, the table rows of its categories into ``rows``.

    The fields are those of the block that is to observe the row: all, or its subspace.

    Returns
    -------
    bool
        Whether nothing is missing and all numbers are tame.
    """
    tame = True
    for j in range(len(numeric_fields)):
        x = X[row, numeric_fields[j]]
        values[j] = x
        size = abs(x)
        tame &= (size == 0.0) | ((size > TINY) & (size < HUGE))
    for i in range(len(nominal_fields)):
        x = X[row, nominal_fields[i]]
        table = ~place[nominal_fields[i]]
        room = first[table + 1] - first[table]
        if x >= 0.0:
            rows[i] = first[table] + int(x) if x < room else UNSEEN
        else:
            rows[i] = MISSING
            tame = False
    return tame


@inlined
def cache_constant(
    b: int,
    c: int,
    count: float,
    weight: float,
    numeric: np.ndarray,
    totals: np.ndarray,
    slots: np.ndarray,
    observed: np.ndarray,
    numeric_fields: np.ndarray,
    nominal_fields: np.ndarray,
    constants: np.ndarray,
) -> None:
    """Cache what of class ``c``'s log vote does not depend on the row.

    That is ``log(count) - sum(log(2 pi var) / 2) - sum(log(total + slots))``: one logarithm of a product that is
    rescaled by powers of two before it leaves the range of a double.
    """
    tame = (count > 1e-20) & (weight < 1e25)
    unseen = False
    product, scale = count * count, 0
    peak, peak_scale = 1.0, 0
    for j in range(len(numeric_fields)):
        factor = numeric[b, c, INVERSE, j]
        if FAINT <= factor <= STRONG:
            factor *= 0.5 / math.pi
            product *= factor
            if product > BIG:
                product *= SMALL
                scale += 1
            elif product < SMALL:
                product *= BIG
                scale -= 1
            peak *= factor if factor > 1.0 else 1.0
            if peak > BIG:
                peak *= SMALL
                peak_scale += 1
        elif factor == CERTAIN:
            m = abs(numeric[b, c, MEAN, j])
            tame &= (numeric[b, c, SQUARES, j] == 0.0) & ((m == 0.0) | ((m > TINY) & (m < HUGE)))
        elif numeric[b, c, WEIGHT, j] > 0.0:
            tame = False
        else:
            unseen |= observed[b, numeric_fields[j]] != 0
    vote = 0.5 * (math.log(product) + scale * LOG_BIG)
    if len(nominal_fields) > 0:
        product, scale = 1.0, 0
        for i in range(len(nominal_fields)):
            n = slots[b, c, i]
            unseen |= (n == 0) & (observed[b, nominal_fields[i]] != 0)
            product *= totals[b, c, i] + n if n > 0 else 1.0
            if product > BIG:
                product *= SMALL
                scale += 1
        vote -= math.log(product) + scale * LOG_BIG
    bound = 0.5 * LOG_BIG * (peak_scale + 1) if peak > 1.0 else 0.0
    constants[b, c, LOG] = -np.inf if unseen else vote
    constants[b, c, PEAK] = bound if tame | unseen else np.inf


@inlined
def log_votes(
    b: int,
    counts: np.ndarray,
    leaf: int,
    length: int,
    values: np.ndarray,
    rows: np.ndarray,
    numeric: np.ndarray,
    tables: np.ndarray,
    constants: np.ndarray,
    products: np.ndarray,
    votes: np.ndarray,
) -> int:
    """Write the classes' log votes, but for the common ``-log(W)``, and return the winner or `UNDECIDED`.

    For rows without a missing or untame value only. ``products`` and ``votes`` are float64 [C] of scratch space.
    """
    for c in range(length):
        votes[c] = constants[b, c, LOG]
    if len(rows) > 0:
        add_nominal_votes(b, counts, leaf, length, rows, tables, products, votes)
    best, second, peak, winner = -np.inf, -np.inf, 0.0, 0
    for c in range(length):
        distance = 0.0
        for j in range(len(values)):
            d = values[j] - numeric[b, c, MEAN, j]
            distance += d * d * numeric[b, c, INVERSE, j]
        vote = votes[c] - 0.5 * distance
        votes[c] = vote
        # No branches on what a processor can't foresee: a wrong guess would wait for all this arithmetic.
        leads = vote > best
        runner_up = best if leads else vote
        second = runner_up if runner_up > second else second
        best = vote if leads else best
        winner = c if leads else winner
        top = constants[b, c, PEAK]
        peak = top if top > peak else peak
    if (peak <= ROOM) & (best < HOPELESS):
        winner = 0
    elif (peak > ROOM) | (best - peak < -ROOM) | (best - second < CLOSE * (1.0 + abs(best) + abs(second))):
        winner = UNDECIDED
    return winner


@inlined
def add_nominal_votes(
    b: int,
    counts: np.ndarray,
    leaf: int,
    length: int,
    rows: np.ndarray,
    tables: np.ndarray,
    products: np.ndarray,
    votes: np.ndarray,
) -> None:
    """Add the logarithms of the nominal numerators ``weight + 1``, as few as fit into the range of a double."""
    weight = 2.0
    for c in range(length):
        weight += counts[leaf, c]
    at_once = max(1, int(ROOM / math.log(weight)))
    start = 0
    while start < len(rows):
        stop = min(len(rows), start + at_once)
        for c in range(len(products)):  # all for which there is room: whole vectors
            products[c] = 1.0
        for i in range(start, stop):
            row = rows[i]
            if row >= 0:
                for c in range(len(products)):
                    products[c] *= tables[b, row, c] + 1.0
        for c in range(length):
            votes[c] += math.log(products[c])
        start = stop


@kernel
def plain_votes(tree: Any, leaf: int, X: np.ndarray, row: int, votes: np.ndarray) -> int:
    """Write the votes by definition, as plain products, and return the winner.

    Parameters
    ----------
    tree : HoeffdingTree
    leaf
        A leaf, with or without observers.
    X : float64 [n, D]
    votes : float64 [C]
        Output; only as many entries as the leaf knows of classes.
    """
    b, length = tree.nodes[leaf].block, tree.nodes[leaf].length
    counts = tree.counts[leaf]
    weight = weight_of(counts, length)
    winner = 0
    for c in range(length):
        vote = counts[c] / weight
        if b >= 0:
            numeric_fields, nominal_fields = fields_of(tree, b)
            j, i = 0, 0
            while j < len(numeric_fields) or i < len(nominal_fields):  # in the order of the fields
                if comes_first(numeric_fields, j, nominal_fields, i):
                    field, x = numeric_fields[j], X[row, numeric_fields[j]]
                    if tree.observed[b, field] and abs(x) < np.inf:
                        vote *= numeric_factor(tree.numeric[b, c], j, x)
                    j += 1
                else:
                    field, x = nominal_fields[i], X[row, nominal_fields[i]]
                    if tree.observed[b, field] and x >= 0.0:
                        vote *= nominal_factor(tree, b, c, i, tree.first[~tree.place[field]], x)
                    i += 1
        votes[c] = vote
        if vote > votes[winner]:
            winner = c
    return winner


@kernel
def numeric_factor(gaussian: np.ndarray, j: int, x: float) -> float:
    """Density of ``x`` in a class; ``gaussian`` is float64 [6, Dn]."""
    n = gaussian[WEIGHT, j]
    if n == 0.0:
        return 0.0
    return density(x, gaussian[MEAN, j], deviation(n, gaussian[SQUARES, j]))


@kernel
def nominal_factor(tree: Any, b: int, c: int, i: int, start: int, x: float) -> float:
    """Laplace estimate of a category's probability in a class; the field's rows in the table begin at ``start``."""
    n = tree.slots[b, c, i]
    if n == 0:
        return 0.0
    total = tree.totals[b, c, i]
    if not tree.numbers[INTEGRAL]:
        total = 0.0
        for v in range(n):
            total += tree.tables[b, start + v, c]
    weight = tree.tables[b, start + int(x), c] if x < n else 0.0
    return float((weight + 1.0) / (total + n))
