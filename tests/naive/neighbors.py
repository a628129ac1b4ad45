"""Nearest neighbours the obvious way: a list of rows, the formulas of Weka's distance, and a sort."""

from __future__ import annotations

import math
from typing import Any


def present(x: Any) -> bool:
    """Whether a value counts: not missing, not infinite, not absurd."""
    return x is not None and (isinstance(x, str) or abs(x) <= 1e100)


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
        if name in self.nominal:
            return 0.0 if query is not None and query == other else 1.0
        known = [x[name] for x, _, _ in self.rows if present(x.get(name))]
        low, high = (min(known), max(known)) if known else (0.0, 0.0)
        if self.scale:

            def scaled(value: float) -> float:
                return (value - low) / (high - low) if high > low else 0.0

            query, other = (scaled(v) if present(v) else None for v in (query, other))
            low, high = 0.0, 1.0
        if not present(query) and not present(other):
            return high - low
        if present(query) and present(other):
            return float(query - other)
        value = query if present(query) else other
        return max(high - value, value - low) if self.scale or known else max(0.0 - value, value - 0.0, 1.0 - value)

    def distance(self, query: dict[str, Any], other: dict[str, Any]) -> float:
        total = 0.0
        for name in self.fields:
            gap = self.difference(name, query.get(name), other.get(name))
            total += gap * gap if self.p == 2 else abs(gap) ** self.p
        return total

    def neighbors(self, query: dict[str, Any]) -> list[tuple[float, Any, float]]:
        """Distance, target and weight of the nearest, the nearest first."""
        found = sorted(((self.distance(query, x), y, w) for x, y, w in self.rows), key=lambda row: row[0])
        return [row for row in found if row[0] <= found[min(self.k, len(found)) - 1][0]]


def shares(found: list[tuple[float, Any, float]], p: float, weighted: bool) -> list[tuple[Any, float]]:
    """Target of each neighbour and what it counts."""
    if not weighted:
        return [(y, w) for _, y, w in found]
    if found[0][0] == 0.0:
        return [(y, w) for d, y, w in found if d == 0.0]
    return [(y, w / d ** (1 / p)) for d, y, w in found]


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
