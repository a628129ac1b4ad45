"""Kernels of sequential k-means: distances to the centres, and the step of the nearest one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow

HALFLIFE, POWER = 0, 1
"""Places in ``options``."""
N_OPTIONS = 2


class MeansArrays(NamedTuple):
    """State of `KMeans`: ``d`` fields, ``k`` clusters, ``P`` coordinates.

    A numeric field has one coordinate, a nominal one has one for each category and room for more.

    Attributes
    ----------
    options : float64 [2]
        The parameters, as numbers.
    categories : int64 [d]
        Number of categories of each nominal field, -1 for a numeric one.
    offset : int64 [d + 1]
        First coordinate of each field; the last entry is ``P``.
    clusters : int64 [1]
        Clusters that have a centre.
    weight : float64 [k]
        Weight of the rows of each cluster.
    center : float64 [k, P]
        Numbers, and shares of categories; NaN where no row of the cluster had a value.
    """

    options: np.ndarray
    categories: np.ndarray
    offset: np.ndarray
    clusters: np.ndarray
    weight: np.ndarray
    center: np.ndarray


Means, MeansType = struct(MeansArrays)


@kernel
def make_means(a: MeansArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Means(a.options, a.categories, a.offset, a.clusters, a.weight, a.center)


@inlined
def read(x: float, categories: int) -> float:
    """A field's value, NaN where it is missing, too large, or a category not learned yet."""
    known = abs(x) <= LIMIT if categories < 0 else 0.0 <= x < categories
    return x if known else math.nan


@inlined
def powered(difference: float, p: float) -> float:
    """The absolute difference to the power of ``p``."""
    return difference * difference if p == 2.0 else float(abs(difference) ** p)


@inlined
def distance(row: np.ndarray, categories: np.ndarray, offset: np.ndarray, center: np.ndarray, p: float) -> float:
    """Distance to the power of ``p``; what the row or the centre lacks does not count, a new category is unlike any."""
    total = 0.0
    for j in range(len(categories)):
        x, place = row[j], offset[j]
        if categories[j] < 0:
            x = read(x, -1)
        if not (x == x and center[place] == center[place]):
            continue
        if categories[j] < 0:
            total += powered(x - center[place], p)
        else:
            room = offset[j + 1] - place
            for c in range(room):
                total += powered((1.0 if c == x else 0.0) - center[place + c], p)
            if x >= room:
                total += 1.0
    return total


@inlined
def move(row: np.ndarray, categories: np.ndarray, offset: np.ndarray, center: np.ndarray, step: float) -> None:
    """Move a centre towards the row by a share of the way; coordinates that it has not got yet are taken over."""
    for j in range(len(categories)):
        x, place = read(row[j], categories[j]), offset[j]
        if x != x:
            continue
        new = center[place] != center[place]
        if categories[j] < 0:
            center[place] = x if new else center[place] + step * (x - center[place])
            continue
        for c in range(offset[j + 1] - place):
            here = 1.0 if c == x else 0.0
            center[place + c] = here if new else center[place + c] + step * (here - center[place + c])


@kernel
def advance_means(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, weights, schedule, prediction = work.X, work.weight, work.schedule, work.prediction
    options, categories, offset, clusters = s.options, s.categories, s.offset, s.clusters
    weight, center = s.weight, s.center
    for step in range(start, len(schedule)):
        i = schedule[step]
        learns = i < 0
        if learns:
            i = ~i
            if weights[i] <= 0.0:
                continue
        row = borrowed(X[i])
        nearest, least = -1, math.inf
        for k in range(clusters[0]):
            far = distance(row, categories, offset, borrowed(center[k]), options[POWER])
            if far < least or nearest < 0:
                nearest, least = k, far
        if not learns:
            prediction[i] = nearest
            continue
        if clusters[0] < len(weight) and (nearest < 0 or least > 0.0):
            nearest = clusters[0]
            clusters[0] += 1
        weight[nearest] += weights[i]
        share = min(1.0, max(options[HALFLIFE] * weights[i], weights[i] / weight[nearest]))
        move(row, categories, offset, borrowed(center[nearest]), share)
    return len(schedule)
