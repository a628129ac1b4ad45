"""The scalers the obvious way: every statistic is computed from all values learned so far."""

from __future__ import annotations

import math
from typing import Any


class Values:
    """Remembers every number of every field that is not nominal."""

    def __init__(self, nominal: set[str]) -> None:
        self.nominal = nominal
        self.values: dict[str, list[tuple[float, float]]] = {}

    def learn(self, x: dict[str, Any], w: float) -> None:
        for name, value in x.items():
            if name not in self.nominal and value is not None and abs(value) <= 1e100 and w > 0:
                self.values.setdefault(name, []).append((float(value), w))

    def transform(self, x: dict[str, Any]) -> dict[str, Any]:
        """The row without its missing values, as `transform_one` gives it."""
        row = {}
        for name, value in x.items():
            if value is None or value != value:
                continue
            row[name] = value if name in self.nominal or math.isinf(value) else self.scaled(name, float(value))
        return row

    def scaled(self, name: str, value: float) -> float:
        raise NotImplementedError


class Standard(Values):
    def scaled(self, name: str, value: float) -> float:
        seen = self.values.get(name, [])
        if len({v for v, _ in seen}) < 2:
            return 0.0
        total = math.fsum(w for _, w in seen)
        mean = math.fsum(v * w for v, w in seen) / total
        variance = math.fsum(w * (v - mean) * (v - mean) for v, w in seen) / total
        return (value - mean) / math.sqrt(variance)


class MinMax(Values):
    def scaled(self, name: str, value: float) -> float:
        seen = [v for v, _ in self.values.get(name, [])]
        if not seen or min(seen) == max(seen):
            return 0.0
        return (value - min(seen)) / (max(seen) - min(seen))
