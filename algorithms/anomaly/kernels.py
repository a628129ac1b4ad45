"""Kernels of half-space trees: random trees over the first window's ranges, masses of two windows, scores."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.random import below, uniform

LIMIT = 1e100  # numbers beyond it count as missing

SEEN, BUILT = 0, 1
"""Places in ``numbers``."""
N_NUMBERS = 2
LATEST, REFERENCE = 0, 1
"""Rows of ``mass``."""
SMALL = 0.1  # nodes with less of the window's mass are not looked into: the paper's size limit


class HalfSpaceArrays(NamedTuple):
    """State of `HalfSpaceTrees`: ``d`` fields, ``T`` trees of height ``h``, windows of ``W`` rows.

    A tree is complete: node ``v`` has the children ``2v + 1`` and ``2v + 2``, and ``I = 2**h - 1`` are inner ones.

    Attributes
    ----------
    generator : uint64 [4]
        State of the random numbers.
    categories : int64 [d]
        Number of categories of each nominal field, -1 for a numeric one.
    given : float64 [d, 2]
        Limits of the fields that the parameter names, NaN for others.
    numbers : int64 [2]
        Rows of the latest window so far; whether the trees are built.
    first : float64 [W, d]
        The rows of the first window, until the trees are built of them.
    first_weight : float64 [W]
    feature : int64 [T, I]
        Field by which each inner node splits, -1 where no field had a value.
    threshold : float64 [T, I]
        Smaller numbers go left; of a nominal field, what its categories are shuffled by.
    mass : float64 [2, T, 2 I + 1]
        Weight of the rows that came through each node, in the latest window and in the one before.
    """

    generator: np.ndarray
    categories: np.ndarray
    given: np.ndarray
    numbers: np.ndarray
    first: np.ndarray
    first_weight: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    mass: np.ndarray


HalfSpace, HalfSpaceType = struct(HalfSpaceArrays)


@kernel
def make_half_space(a: HalfSpaceArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return HalfSpace(
        a.generator, a.categories, a.given, a.numbers, a.first, a.first_weight, a.feature, a.threshold, a.mass
    )


@inlined
def read(x: float, categories: int) -> float:
    """A field's value, NaN where it is missing or too large; a new category is divided like any other."""
    known = abs(x) <= LIMIT if categories < 0 else 0.0 <= x < 1e9
    return x if known else math.nan


# -- building ----------------------------------------------------------------------------------------------------------


@kernel
def ranges(generator: np.ndarray, given: np.ndarray, first: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Draw the space that one tree divides: around each field's range, up to three times as wide (section 3 there).

    A field without variation gets a range of width 1, one without values stays without.
    """
    for j in range(len(low)):
        least, most = given[j, 0], given[j, 1]
        if not least <= most:
            least, most = math.inf, -math.inf
            for x in first[:, j]:
                if x == x:
                    least, most = min(least, x), max(most, x)
        low[j], high[j] = least, most
        if least <= most:
            width = most - least if most > least else 1.0
            centre = uniform(generator)
            half = 2.0 * max(centre, 1.0 - centre)
            low[j], high[j] = least + width * (centre - half), least + width * (centre + half)


@kernel
def build(
    generator: np.ndarray,
    categories: np.ndarray,
    given: np.ndarray,
    first: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
) -> None:
    """Build all trees: each node halves the space along a random field (algorithm 1)."""
    d, inner = first.shape[1], feature.shape[1]
    low, high = np.empty(d), np.empty(d)
    path = np.empty(64, np.int64)
    usable = np.empty(d, np.int64)
    for t in range(len(feature)):
        ranges(generator, given, first, low, high)
        n = 0
        for j in range(d):
            if low[j] <= high[j]:
                usable[n] = j
                n += 1
        for v in range(inner):
            feature[t, v], threshold[t, v] = -1, 0.0
            if n == 0:
                continue
            j = usable[below(generator, n)]
            feature[t, v] = j
            if categories[j] >= 0:
                threshold[t, v] = uniform(generator)
                continue
            bottom, top = low[j], high[j]  # what the nodes above have left of it, from the root down
            depth, u = 0, v
            while u > 0:
                path[depth] = u
                depth, u = depth + 1, (u - 1) // 2
            for step in range(depth - 1, -1, -1):
                child = path[step]
                parent = (child - 1) // 2
                if feature[t, parent] == j:
                    if child == 2 * parent + 1:
                        top = threshold[t, parent]
                    else:
                        bottom = threshold[t, parent]
            threshold[t, v] = 0.5 * (bottom + top)


# -- walking -----------------------------------------------------------------------------------------------------------


@inlined
def goes_right(x: float, threshold: float, categories: int) -> bool:
    """On which side of a node a value lies; categories are divided at random, each time anew (splitmix64)."""
    if categories < 0:
        return x >= threshold
    bits = np.uint64(int(x)) + np.uint64(int(threshold * 9007199254740992.0))
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bool((bits >> np.uint64(63)) == np.uint64(1))


@inlined
def next_node(
    row: np.ndarray,
    categories: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    latest: np.ndarray,
    reference: np.ndarray,
    v: int,
) -> int:
    """The child that the row goes to; where it lacks the field, the one with more mass, the left one on ties."""
    left = 2 * v + 1
    j = feature[v]
    x = read(row[j], categories[j]) if j >= 0 else math.nan
    if x == x:
        right = goes_right(x, threshold[v], categories[j])
    else:
        right = latest[left] + reference[left] < latest[left + 1] + reference[left + 1]
    return left + 1 if right else left


@inlined
def learn(
    row: np.ndarray, w: float, categories: np.ndarray, feature: np.ndarray, threshold: np.ndarray, mass: np.ndarray
) -> None:
    """Add the row's weight to each node that it comes through."""
    for t in range(len(feature)):
        latest, reference = borrowed(mass[LATEST, t]), borrowed(mass[REFERENCE, t])
        nodes, thresholds = borrowed(feature[t]), borrowed(threshold[t])
        v = 0
        while v < len(nodes):
            latest[v] += w
            v = next_node(row, categories, nodes, thresholds, latest, reference, v)
        latest[v] += w


@inlined
def score(
    row: np.ndarray, categories: np.ndarray, feature: np.ndarray, threshold: np.ndarray, mass: np.ndarray
) -> float:
    """1 minus the mass around the row, weighted by depth, in units of the greatest possible."""
    found, greatest = 0.0, 0.0
    for t in range(len(feature)):
        latest, reference = borrowed(mass[LATEST, t]), borrowed(mass[REFERENCE, t])
        nodes, thresholds = borrowed(feature[t]), borrowed(threshold[t])
        total = reference[0]
        v, size = 0, 1.0
        found += total
        while v < len(nodes) and reference[v] >= SMALL * total:
            v = next_node(row, categories, nodes, thresholds, latest, reference, v)
            size *= 2.0
            found += reference[v] * size
        greatest += total * (2.0 * (len(nodes) + 1) - 1.0)
    return 1.0 - found / greatest


@kernel
def advance_half_space(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, weight, schedule, prediction = work.X, work.weight, work.schedule, work.prediction
    numbers, categories, first, first_weight = s.numbers, s.categories, s.first, s.first_weight
    feature, threshold, mass = s.feature, s.threshold, s.mass
    window = len(first)
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i >= 0:
            prediction[i] = score(borrowed(X[i]), categories, feature, threshold, mass) if numbers[BUILT] else 0.0
            continue
        i = ~i
        if weight[i] <= 0.0:
            continue
        place = numbers[SEEN]
        numbers[SEEN] += 1
        if numbers[BUILT]:
            learn(borrowed(X[i]), weight[i], categories, feature, threshold, mass)
        else:
            for j in range(len(categories)):
                first[place, j] = read(X[i, j], categories[j])
            first_weight[place] = weight[i]
            if numbers[SEEN] == window:
                build(s.generator, categories, s.given, first, feature, threshold)
                numbers[BUILT] = 1
                for r in range(window):
                    learn(borrowed(first[r]), first_weight[r], categories, feature, threshold, mass)
                first[:] = math.nan
                first_weight[:] = 0.0
        if numbers[SEEN] == window:
            numbers[SEEN] = 0
            mass[REFERENCE] = mass[LATEST]
            mass[LATEST] = 0.0
    return len(schedule)
