"""Naive Bayes the obvious way: every vote is computed from all the rows learned so far, values kept in lists."""

from __future__ import annotations

import math
from typing import Any


class NaiveBayes:
    """Learns and predicts dicts; `nominal` names the nominal fields."""

    def __init__(self, nominal: set[str]) -> None:
        self.nominal = nominal
        self.fields: list[str] = []  # in order of appearance, as the product is multiplied out
        self.classes: list[Any] = []
        self.categories: dict[str, list[Any]] = {}
        self.rows: list[tuple[dict[str, Any], Any, float]] = []

    def learn(self, x: dict[str, Any], y: Any, w: float) -> None:
        for field, value in x.items():
            if field not in self.fields:
                self.fields.append(field)
            known = self.categories.setdefault(field, [])
            if field in self.nominal and value is not None and value not in known:
                known.append(value)
        if y is None:
            return
        if y not in self.classes:
            self.classes.append(y)
        if w > 0:
            self.rows.append((x, y, w))

    def votes(self, x: dict[str, Any]) -> list[float]:
        """The vote of each class, in order of first appearance."""
        return [self._vote(x, label) for label in self.classes]

    def _vote(self, x: dict[str, Any], label: Any) -> float:
        learned = [w for _, y, w in self.rows if y == label]
        if not learned:
            return 0.0
        vote = total(learned) / total([w for *_, w in self.rows])
        for field in self.fields:
            value = x.get(field)
            observed = [(r[field], y, w) for r, y, w in self.rows if self._usable(field, r.get(field))]
            if self._usable(field, value) and observed:
                own = [(seen, w) for seen, y, w in observed if y == label]
                if field in self.nominal:
                    vote *= self._frequency(field, value, own)
                else:
                    vote *= density(float(value), own)
        return vote

    def _usable(self, field: str, value: Any) -> bool:
        if value is None:
            return False
        return field in self.nominal or (math.isfinite(value) and abs(value) <= 1e100)

    def _frequency(self, field: str, value: Any, own: list[tuple[Any, float]]) -> float:
        if not own:
            return 0.0
        slots = 1 + max(self.categories[field].index(seen) for seen, _ in own)
        return (total([w for seen, w in own if seen == value]) + 1.0) / (total([w for _, w in own]) + slots)


def total(weights: list[float]) -> float:
    """The sum from left to right (`sum` compensates rounding from Python 3.12 on)."""
    result = 0.0
    for weight in weights:
        result += weight
    return result


def density(x: float, own: list[tuple[float, float]]) -> float:
    """Normal density of `x` given weighted values."""
    if not own:
        return 0.0
    mean, weight, spread = own[0][0], own[0][1], 0.0
    for value, w in own[1:]:
        weight += w
        distance = value - mean
        mean += w * distance / weight
        spread += w * distance * (value - mean)
    deviation = math.sqrt(spread / (weight - 1)) if weight > 1 else 0.0
    if deviation == 0.0:
        return float(x == mean)
    distance = x - mean
    return 1 / (math.sqrt(2 * math.pi) * deviation) * math.exp(-(distance * distance / (2 * deviation * deviation)))
