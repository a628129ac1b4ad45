"""Half-space trees the obvious way: given the splits, masses are counts of the rows that pass a node."""

from __future__ import annotations

import numpy as np


class HalfSpaceTrees:
    """Numeric fields only; the splits are those of the trees under test."""

    def __init__(self, feature: np.ndarray, threshold: np.ndarray, window_size: int) -> None:
        self.feature, self.threshold, self.size = feature, threshold, window_size
        self.reference: list[tuple[np.ndarray, float]] = []
        self.latest: list[tuple[np.ndarray, float]] = []

    def way(self, tree: int, x: np.ndarray) -> list[int]:
        """Nodes that a row passes, from the root to its leaf."""
        nodes = [0]
        while nodes[-1] < self.feature.shape[1]:
            v = nodes[-1]
            nodes.append(2 * v + (2 if x[self.feature[tree, v]] >= self.threshold[tree, v] else 1))
        return nodes

    def learn(self, x: np.ndarray, w: float) -> None:
        self.latest.append((x, w))
        if len(self.latest) == self.size:
            self.reference, self.latest = self.latest, []

    def score(self, x: np.ndarray) -> float:
        if not self.reference:
            return 0.0
        total = sum(w for _, w in self.reference)
        found = greatest = 0.0
        for tree in range(len(self.feature)):
            for depth, node in enumerate(self.way(tree, x)):
                mass = sum(w for row, w in self.reference if node in self.way(tree, row))
                found += mass * 2**depth
                if mass < 0.1 * total:
                    break
            greatest += sum(total * 2**depth for depth in range(len(self.way(tree, x))))
        return 1.0 - found / greatest
