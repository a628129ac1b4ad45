"""Sequential k-means the obvious way: centres are dicts, a category is a coordinate of its own."""

from __future__ import annotations

from typing import Any


class KMeans:
    """`centers` has the coordinates by field, or by field and category."""

    def __init__(self, nominal: set[str], *, n_clusters: int, halflife: float, p: float) -> None:
        self.nominal, self.k, self.halflife, self.p = nominal, n_clusters, halflife, p
        self.centers: list[dict[Any, Any]] = []
        self.weights: list[float] = []

    def features(self, x: dict[str, Any]) -> dict[str, Any]:
        """What the row has: numbers, and shares of categories."""
        have = {name: v for name, v in x.items() if v is not None and (isinstance(v, str) or abs(v) <= 1e100)}
        return {name: {v: 1.0} if name in self.nominal else float(v) for name, v in have.items()}

    def distance(self, row: dict[str, Any], center: dict[str, Any]) -> float:
        total = 0.0
        for name in row.keys() & center.keys():
            if name in self.nominal:
                for category in row[name].keys() | center[name].keys():
                    total += abs(row[name].get(category, 0.0) - center[name].get(category, 0.0)) ** self.p
            else:
                total += abs(row[name] - center[name]) ** self.p
        return total

    def predict(self, x: dict[str, Any]) -> int:
        distances = [self.distance(self.features(x), center) for center in self.centers]
        return distances.index(min(distances)) if distances else -1

    def learn(self, x: dict[str, Any], w: float) -> None:
        if w == 0:
            return
        row, k = self.features(x), self.predict(x)
        if len(self.centers) < self.k and (k < 0 or self.distance(row, self.centers[k]) > 0):
            k = len(self.centers)
            self.centers.append({})
            self.weights.append(0.0)
        self.weights[k] += w
        step = min(1.0, max(self.halflife * w, w / self.weights[k]))
        center = self.centers[k]
        for name, value in row.items():
            if name not in center:
                center[name] = value
            elif name in self.nominal:
                categories = value.keys() | center[name].keys()
                old = center[name]
                center[name] = {c: old.get(c, 0.0) + step * (value.get(c, 0.0) - old.get(c, 0.0)) for c in categories}
            else:
                center[name] += step * (value - center[name])
