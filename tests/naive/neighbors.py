"""Nearest neighbours the obvious way: a list of rows, the formulas of Weka's distance, and a sort."""

from __future__ import annotations

import math
from typing import Any


def present(x: Any) -> bool:
    """Whether a value counts: not missing, not infinite, not absurd."""
    return x is not None and (isinstance(x, str) or abs(x) <= 1e100)


def power(x: float, p: float) -> float:
    """``x ** p``, infinite where it overflows."""
    try:
        return x * x if p == 2 else x**p
    except OverflowError:
        return math.inf


class Window:
    """The last labelled rows."""

    def __init__(self, nominal: set[str], *, n_neighbors: int, window_size: int, p: float, scale: bool) -> None:
        self.nominal, self.k, self.size, self.p, self.scale = nominal, n_neighbors, window_size, p, scale
        self.fields: list[str] = []
        self.rows: list[tuple[dict[str, Any], Any, float]] = []

    def learn(self, x: dict[str, Any], y: Any, w: float) -> None:
        self.fields += [name for name in x if name not in self.fields]
        if y is None or w == 0 or (not isinstance(y, str) and not abs(y) <= 1e100):
            return
        self.rows = [*self.rows, (x, y, w)][-self.size :]

    def difference(self, name: str, query: Any, other: Any) -> float:
        """Weka's `NormalizableDistance.difference`, where it is defined."""
        known = [x[name] for x, _, _ in self.rows if present(x.get(name))]
        if not known:
            return 0.0
        if name in self.nominal:
            return 0.0 if query is not None and query == other else 1.0
        low, high = min(known), max(known)
        values = [value for value in (query, other) if present(value)]
        if self.scale:
            values = [(value - low) / (high - low) if high > low else 0.0 for value in values]
            low, high = 0.0, 1.0
        if not values:
            return high - low
        if len(values) == 1:
            return max(high - values[0], values[0] - low)
        return float(values[0] - values[1])

    def distance(self, query: dict[str, Any], other: dict[str, Any]) -> float:
        total = 0.0
        for name in self.fields:
            gap = self.difference(name, query.get(name), other.get(name))
            total += power(abs(gap), self.p)
        return total

    def neighbors(self, query: dict[str, Any]) -> list[tuple[float, Any, float]]:
        """Distance, target and weight of the nearest, the nearest first."""
        found = sorted(((self.distance(query, x), y, w) for x, y, w in self.rows), key=lambda row: row[0])
        return [row for row in found if row[0] <= found[min(self.k, len(found)) - 1][0]]


def shares(found: list[tuple[float, Any, float]], p: float, weighted: bool) -> list[tuple[Any, float]]:
    """Target of each neighbour and what it counts."""
    if not weighted:
        return [(y, w) for _, y, w in found]
    if found[0][0] in (0.0, math.inf):
        return [(y, w) for d, y, w in found if d == found[0][0]]
    return [
        (y, w * (found[0][0] / d) ** (1 / p)) for d, y, w in found
    ]  # 1 / d in units of the first, or it may overflow


def votes(found: list[tuple[float, Any, float]], p: float, weighted: bool) -> dict[Any, float]:
    """Votes by class."""
    counted: dict[Any, float] = {}
    for y, share in shares(found, p, weighted):
        counted[y] = counted.get(y, 0.0) + share
    return counted


def mean(found: list[tuple[float, Any, float]], p: float, weighted: bool) -> float:
    """Mean of the neighbours' targets."""
    counted = shares(found, p, weighted)
    return math.fsum(y * share for y, share in counted) / math.fsum(share for _, share in counted)
