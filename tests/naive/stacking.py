"""Stacking the obvious way: one dictionary of weights a member, one row at a time."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any


class Stacking:
    """Members with ``predict_one``, ``predict_proba_one`` and ``learn_one``; classes in order of appearance."""

    def __init__(
        self, members: Sequence[Any], learning_rate: float = 0.001, memory: float = 1000, floor: float = 0.01
    ) -> None:
        self.members = list(members)
        self.learning_rate, self.memory, self.floor = learning_rate, memory, floor
        self.classes: list[Hashable] = []
        self.weights = [{"log": 1.0 / len(members), "answer": 0.0} for _ in members]
        self.squares = [{"log": 0.0, "answer": 0.0} for _ in members]

    def _features(self, x: Mapping[Hashable, Any]) -> list[dict[str, dict[Hashable, float]]]:
        """Of each member and kind of feature, a number by class."""
        features = []
        for member in self.members:
            proba, answer = member.predict_proba_one(x), member.predict_one(x)
            total = sum(proba.get(c, 0.0) for c in self.classes)
            logs = {}
            for c in self.classes:
                p = proba.get(c, 0.0) / total if total > 0 else 0.0
                logs[c] = math.log(self.floor / len(self.classes) + (1 - self.floor) * p)
            mean = sum(logs.values()) / len(logs)
            features.append(
                {
                    "log": {c: value - mean for c, value in logs.items()},
                    "answer": {c: float(answer is not None and c == answer) for c in self.classes},
                }
            )
        return features

    def _proba(self, features: list[dict[str, dict[Hashable, float]]]) -> dict[Hashable, float]:
        scores = {
            c: sum(w[kind] * f[kind][c] for w, f in zip(self.weights, features, strict=True) for kind in w)
            for c in self.classes
        }
        highest = max(scores.values())
        chances = {c: math.exp(score - highest) for c, score in scores.items()}
        return {c: chance / sum(chances.values()) for c, chance in chances.items()}

    def predict_proba(self, x: Mapping[Hashable, Any]) -> dict[Hashable, float]:
        return self._proba(self._features(x)) if self.classes else {}

    def learn(self, x: Mapping[Hashable, Any], y: Hashable, w: float = 1.0) -> None:
        if y not in self.classes:
            self.classes.append(y)
        features = self._features(x)
        proba = self._proba(features)
        for weights, squares, of in zip(self.weights, self.squares, features, strict=True):
            for kind, values in of.items():
                gradient = sum((proba[c] - (c == y)) * value for c, value in values.items())
                if kind == "answer" and not any(values.values()):
                    continue
                squares[kind] += (gradient**2 - squares[kind]) / self.memory
                if squares[kind] > 0:
                    weights[kind] -= self.learning_rate * min(w, 10.0) * gradient / math.sqrt(squares[kind])
        for member in self.members:
            member.learn_one(x, y, w)
