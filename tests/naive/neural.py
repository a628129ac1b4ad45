"""The multilayer perceptron the obvious way: dicts of inputs, lists of units, one weight at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from naive.linear import Model

from streamlearn.random import generator, uniform

Vector = list[float]


class Layer:
    """Weights from named inputs to units, with AdaGrad's sums."""

    def __init__(self, units: int) -> None:
        self.units = units
        self.w: dict[Any, Vector] = defaultdict(lambda: [0.0] * self.units)
        self.s: dict[Any, Vector] = defaultdict(lambda: [0.0] * self.units)

    def sums(self, inputs: dict[Any, float]) -> Vector:
        return [sum(x * self.w[j][k] for j, x in inputs.items()) for k in range(self.units)]

    def slopes_of_inputs(self, inputs: dict[Any, float], slopes: Vector) -> dict[Any, float]:
        return {j: sum(slope * w for slope, w in zip(slopes, self.w[j], strict=True)) for j in inputs}

    def step(self, o: dict[str, Any], inputs: dict[Any, float], slopes: Vector) -> None:
        keep = 1.0 - 1.0 / o["memory"] if o["memory"] else 1.0
        for j, x in inputs.items():
            for k, slope in enumerate(slopes):
                if slope * x == 0.0:
                    continue
                gradient = slope * x + o["l2"] * self.w[j][k]
                rate = o["learning_rate"]
                if o["optimizer"] == "adagrad":
                    self.s[j][k] = keep * self.s[j][k] + gradient * gradient
                    rate /= math.sqrt(self.s[j][k] + 1e-8)
                self.w[j][k] = max(-1e4, min(self.w[j][k] - rate * gradient, 1e4))


class Network(Model):
    """Hidden layers, the outputs' layer, the direct layer; ``None`` names the constant 1."""

    def __init__(self, nominal: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.random = generator(options["seed"])
        sizes = options["hidden_layer_sizes"]
        self.hidden = [Layer(size) for size in sizes]
        for layer, n in zip(self.hidden[1:], sizes, strict=False):
            for j in [*range(n), None]:
                layer.w[j] = self.drawn(layer.units, n + 1)
        self.last, self.direct = Layer(0), Layer(0)
        self.intercepts: Vector = []
        self.met: set[Any] = set()

    def drawn(self, units: int, n: int) -> Vector:
        bound = math.sqrt((6 if self.o["activation"] == "relu" else 3) / n)
        return [bound * (2 * uniform(self.random) - 1) for _ in range(units)]

    def add_output(self) -> None:
        for layer in (self.last, self.direct):
            layer.units += 1
            for vector in [*layer.w.values(), *layer.s.values()]:
                vector.append(0.0)
        self.intercepts.append(0.0)

    def inputs(self, x: dict[str, Any]) -> dict[Any, float]:
        """In the kernel's order: the constant, the numbers, the categories."""
        furthest = 5.0 if self.o["standardize"] else math.inf
        features = self.features(x)
        return {None: 1.0} | {j: max(-furthest, min(v, furthest)) for j, v in features.items() if v != 0.0}

    def forward(self, inputs: dict[Any, float]) -> tuple[list[dict[Any, float]], Vector]:
        """The inputs of every layer of weights, and the outputs."""
        below = [inputs]
        for layer in self.hidden:
            sums = layer.sums(below[-1])
            units = [max(v, 0.0) if self.o["activation"] == "relu" else math.tanh(v) for v in sums]
            below.append(dict(enumerate(units)) | {None: 1.0})
        top = {j: x for j, x in below[-1].items() if j is not None}
        outputs = [a + b for a, b in zip(self.last.sums(top), self.intercepts, strict=True)]
        if self.o["skip_connection"]:
            direct = self.direct.sums({j: x for j, x in inputs.items() if j is not None})
            outputs = [a + b for a, b in zip(outputs, direct, strict=True)]
        return below, outputs

    def draw_first(self, inputs: dict[Any, float]) -> None:
        for j in inputs:
            if j not in self.met:
                self.met.add(j)
                self.hidden[0].w[j] = self.drawn(self.hidden[0].units, len(inputs))

    def back(self, below: list[dict[Any, float]], gradients: Vector) -> None:
        top = {j: x for j, x in below[-1].items() if j is not None}
        slopes_of_units = self.last.slopes_of_inputs(top, gradients)
        self.last.step(self.o, top, gradients)
        for layer, inputs, units in reversed(list(zip(self.hidden, below, below[1:], strict=False))):
            slopes = [slopes_of_units[k] * self.bend(units[k]) for k in range(layer.units)]
            slopes_of_units = layer.slopes_of_inputs(inputs, slopes)
            layer.step(self.o, inputs, slopes)
        for row, gradient in enumerate(gradients):
            self.intercepts[row] = max(-1e4, min(self.intercepts[row] - self.o["intercept_lr"] * gradient, 1e4))
        if self.o["skip_connection"]:
            self.direct.step(self.o, {j: x for j, x in below[0].items() if j is not None}, gradients)

    def bend(self, unit: float) -> float:
        return (1.0 if unit > 0 else 0.0) if self.o["activation"] == "relu" else 1.0 - unit * unit


class MLPClassifier(Network):
    """One output a class, in the order in which they were learned."""

    def __init__(self, nominal: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.labels: list[Any] = []

    def predict_proba(self, x: dict[str, Any]) -> dict[Any, float]:
        return dict(zip(self.labels, softmax(self.forward(self.inputs(x))[1]), strict=True))

    def learn(self, x: dict[str, Any], label: Any, w: float) -> None:
        if label is None or w == 0:
            return
        if label not in self.labels:
            self.labels.append(label)
            self.add_output()
        self.learn_features(x, w)
        inputs = self.inputs(x)
        self.draw_first(inputs)
        below, outputs = self.forward(inputs)
        proba = softmax(outputs)
        true = self.labels.index(label)
        self.back(below, [self.clipped(w * (p - (1.0 if r == true else 0.0))) for r, p in enumerate(proba)])


class MLPRegressor(Network):
    """One output: the target in deviations from its mean."""

    def __init__(self, nominal: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__(nominal, options)
        self.weight = self.mean = self.variance = 0.0
        self.add_output()

    def predict(self, x: dict[str, Any]) -> float:
        return self.mean + math.sqrt(self.variance) * self.forward(self.inputs(x))[1][0]

    def learn(self, x: dict[str, Any], y: float | None, w: float) -> None:
        if y is None or not abs(y) <= 1e100 or w == 0:
            return
        self.weight += w
        distance = y - self.mean
        self.mean += w * distance / self.weight
        self.variance += w * (distance * (y - self.mean) - self.variance) / self.weight
        self.learn_features(x, w)
        inputs = self.inputs(x)
        self.draw_first(inputs)
        if self.variance > 1e-30 * self.mean * self.mean:
            below, outputs = self.forward(inputs)
            error = outputs[0] - (y - self.mean) / math.sqrt(self.variance)
            self.back(below, [self.clipped(error * w)])


def softmax(scores: Vector) -> Vector:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]
