"""Linear models the obvious way: dicts of coefficients by field or category, formulas as the papers have them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any


class Scale:
    """Weighted running mean and variance of each numeric field."""

    def __init__(self) -> None:
        self.weight: dict[str, float] = defaultdict(float)
        self.mean: dict[str, float] = defaultdict(float)
        self.variance: dict[str, float] = defaultdict(float)

    def learn(self, numbers: dict[str, float], w: float) -> None:
        for name, x in numbers.items():
            self.weight[name] += w
            distance = x - self.mean[name]
            self.mean[name] += w * distance / self.weight[name]
            self.variance[name] += w * (distance * (x - self.mean[name]) - self.variance[name]) / self.weight[name]

    def scaled(self, name: str, x: float) -> float:
        variance = self.variance[name]
        return (x - self.mean[name]) * (1.0 / math.sqrt(variance)) if variance > 1e-30 * self.mean[name] ** 2 else 0.0


class Coefficients:
    """One row of coefficients and its optimizer."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.o = options
        self.intercept = 0.0
        self.w: dict[Any, float] = defaultdict(float)
        self.n: dict[Any, float] = defaultdict(float)
        self.z: dict[Any, float] = defaultdict(float)

    def score(self, features: dict[Any, float]) -> float:
        return self.intercept + sum(self.w[j] * x for j, x in features.items())

    def descend(self, features: dict[Any, float], gradient: float, steps: int) -> None:
        slowdown = math.sqrt(steps + 1) if self.o["schedule"] == "inverse_sqrt" else 1.0
        rate = self.o["learning_rate"] / slowdown
        self.intercept -= self.o["intercept_lr"] / slowdown * gradient
        for j, x in features.items():
            getattr(self, self.o["optimizer"])(j, gradient * x, rate)

    def sgd(self, j: Any, g: float, rate: float) -> None:
        self.w[j] = soft(self.w[j] - rate * (g + self.o["l2"] * self.w[j]), rate * self.o["l1"])

    def adagrad(self, j: Any, g: float, rate: float) -> None:
        g += self.o["l2"] * self.w[j]
        self.n[j] += g * g
        rate /= math.sqrt(self.n[j] + 1e-8)
        self.w[j] = soft(self.w[j] - rate * g, rate * self.o["l1"])

    def ftrl(self, j: Any, g: float, alpha: float) -> None:
        sigma = (math.sqrt(self.n[j] + g * g) - math.sqrt(self.n[j])) / alpha
        self.z[j] += g - sigma * self.w[j]
        self.n[j] += g * g
        if abs(self.z[j]) <= self.o["l1"]:
            self.w[j] = 0.0
        else:
            shifted = self.z[j] - math.copysign(self.o["l1"], self.z[j])
            self.w[j] = -shifted / ((self.o["beta"] + math.sqrt(self.n[j])) / alpha + self.o["l2"])


class Model:
    """What both models share: rows as features."""

    def __init__(self, nominal: Collection[str], options: dict[str, Any]) -> None:
        self.nominal, self.o = nominal, options
        self.scale = Scale()
        self.steps = 0

    def numbers(self, x: dict[str, Any]) -> dict[str, float]:
        return {
            name: float(value)
            for name, value in sorted(x.items())
            if name not in self.nominal and value is not None and abs(value) <= 1e100
        }

    def features(self, x: dict[str, Any]) -> dict[Any, float]:
        """What the row has: scaled numbers by field, and a 1 by field and category."""
        features: dict[Any, float] = {}
        for name, value in self.numbers(x).items():
            features[name] = self.scale.scaled(name, value) if self.o["standardize"] else value
        for name in self.nominal:
            if x.get(name) is not None:
                features[name, x[name]] = 1.0
        return features

    def learn_features(self, x: dict[str, Any], w: float) -> dict[Any, float]:
        if self.o["standardize"]:
            self.scale.learn(self.numbers(x), w)
        return self.features(x)

    def clipped(self, gradient: float) -> float:
        return min(max(gradient, -self.o["clip_gradient"]), self.o["clip_gradient"])


class LogisticRegression(Model):
    """`rows` has the coefficients of each class in the order in which they were learned."""

    def __init__(self, nominal: set[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.labels: list[Any] = []
        self.rows = [Coefficients(options), Coefficients(options)]

    def proba(self, features: dict[Any, float]) -> list[float]:
        scores = [row.score(features) for row in self.rows]
        return [math.exp(score - max(scores)) / sum(math.exp(s - max(scores)) for s in scores) for score in scores]

    def predict_proba(self, x: dict[str, Any]) -> dict[Any, float]:
        if len(self.labels) == 1:
            return {self.labels[0]: 1.0}
        return dict(zip(self.labels, self.proba(self.features(x)), strict=False))

    def learn(self, x: dict[str, Any], label: Any, w: float) -> None:
        if label is None or w == 0:
            return
        if label not in self.labels:
            self.labels.append(label)
            if len(self.labels) > 2:
                self.rows.append(Coefficients(self.o))
        features = self.learn_features(x, w)
        proba = self.proba(features)
        for r, row in enumerate(self.rows):
            if r > 0 or len(self.rows) > 2:
                gradient = proba[r] - (1.0 if r == self.labels.index(label) else 0.0)
                row.descend(features, self.clipped(gradient * w), self.steps)
        self.steps += 1


class LinearRegression(Model):
    """One row of coefficients."""

    def __init__(self, nominal: set[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.row = Coefficients(options)

    def predict(self, x: dict[str, Any]) -> float:
        return self.row.score(self.features(x))

    def learn(self, x: dict[str, Any], y: float | None, w: float) -> None:
        if y is None or not abs(y) <= 1e100 or w == 0:
            return
        features = self.learn_features(x, w)
        error = self.row.score(features) - y
        if self.o["loss"] == "squared":
            gradient = 2 * error
        elif self.o["loss"] == "huber":
            gradient = max(-self.o["epsilon"], min(error, self.o["epsilon"]))
        else:
            gradient = 1.0 if error > 0 else -1.0
        gradient = self.clipped(gradient * w)
        if self.o["loss"] == "squared" and self.o["optimizer"] == "sgd":
            slowdown = math.sqrt(self.steps + 1) if self.o["schedule"] == "inverse_sqrt" else 1.0
            reach = self.o["learning_rate"] * sum(v * v for v in features.values()) + self.o["intercept_lr"]
            if reach > 0 and abs(gradient) * reach / slowdown > abs(error):
                gradient = math.copysign(abs(error) / (reach / slowdown), error)
        self.row.descend(features, gradient, self.steps)
        self.steps += 1


class Perceptron(Model):
    """`rows` has the coefficients of each class in the order learned; with two classes the first one's stay 0.

    Sums are in the kernel's order (intercept, numbers, categories), so that both round alike: a mistake is a yes or no.
    """

    def __init__(self, nominal: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.labels: list[Any] = []
        self.rows: list[dict[Any, float]] = [defaultdict(float), defaultdict(float)]

    def features(self, x: dict[str, Any]) -> dict[Any, float]:
        return with_constant(super().features(x), self.o)

    def predict_proba(self, x: dict[str, Any]) -> dict[Any, float]:
        if len(self.labels) == 1:
            return {self.labels[0]: 1.0}
        features = self.features(x)
        scores = [dot(row, features) for row in self.rows]
        powers = [math.exp(score - max(scores)) for score in scores]
        return {label: power / sum(powers) for label, power in zip(self.labels, powers, strict=False)}

    def learn(self, x: dict[str, Any], label: Any, w: float) -> None:
        if label is None or w == 0:
            return
        if label not in self.labels:
            self.labels.append(label)
            if len(self.labels) > 2:
                self.rows.append(defaultdict(float))
        features = self.learn_features(x, w)
        scores = [dot(row, features) for row in self.rows]
        true = self.labels.index(label)
        rival = max((r for r in range(len(scores)) if r != true), key=lambda r: scores[r])
        moving = {true: 1.0, rival: -1.0}
        if len(self.rows) == 2:
            del moving[0]
        self.move(features, scores[true] - scores[rival], moving, w)

    def move(self, features: dict[Any, float], margin: float, moving: dict[int, float], w: float) -> None:
        step = self.clipped(w) if margin <= 0 else 0.0
        for r, row in enumerate(self.rows):
            if len(self.rows) == 2 and r == 0:
                continue
            for j, x in features.items():
                penalty = 0.0 if j == "intercept" else self.o["l2"] * row[j]
                row[j] += moving.get(r, 0.0) * step * x - penalty


class PAClassifier(Perceptron):
    """The same with the steps of Crammer et al. 2006."""

    def move(self, features: dict[Any, float], margin: float, moving: dict[int, float], w: float) -> None:
        tau = step_length(self.o, 1.0 - margin, len(moving) * dot(features, features), w)
        for r, sign in moving.items():
            for j, x in features.items():
                self.rows[r][j] += sign * tau * x


class PARegressor(Model):
    """One row of coefficients, one of them of the constant 1."""

    def __init__(self, nominal: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.row: dict[Any, float] = defaultdict(float)

    def features(self, x: dict[str, Any]) -> dict[Any, float]:
        return with_constant(super().features(x), self.o)

    def predict(self, x: dict[str, Any]) -> float:
        return dot(self.row, self.features(x))

    def learn(self, x: dict[str, Any], y: float | None, w: float) -> None:
        if y is None or not abs(y) <= 1e100 or w == 0:
            return
        features = self.learn_features(x, w)
        error = y - dot(self.row, features)
        tau = step_length(self.o, abs(error) - self.o["eps"], dot(features, features), w)
        for j, value in features.items():
            self.row[j] += math.copysign(tau, error) * value


def with_constant(features: dict[Any, float], options: dict[str, Any]) -> dict[Any, float]:
    """The features after a constant 1, unless there is no intercept."""
    return {"intercept": 1.0, **features} if options.get("learn_intercept", True) else features


def dot(coefficients: dict[Any, float], features: dict[Any, float]) -> float:
    """A sum that adds one term after the other, which Python's own does not promise."""
    total = 0.0
    for j, x in features.items():
        total += coefficients[j] * x
    return total


def step_length(options: dict[str, Any], loss: float, length: float, w: float) -> float:
    """Tau of PA, PA-I and PA-II for a row of this squared length; the row's weight multiplies C."""
    if loss <= 0:
        return 0.0
    if options["mode"] == 2:
        return loss / (length + 1 / (2 * options["C"] * w))
    if length == 0:
        return 0.0
    return min(options["C"] * w, loss / length) if options["mode"] == 1 else loss / length


def soft(x: float, amount: float) -> float:
    """`x` moved towards 0 by `amount`, not across it."""
    return math.copysign(max(abs(x) - amount, 0.0), x)
