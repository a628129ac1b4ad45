"""DriftMoE the obvious way: NumPy for the router, one weight vector an input; the plain trees of `hoeffding_tree`.

Numbers of the router are float32, and sums are made in the kernels' order, so that both agree bit for bit. Rows are
lists of codes and numbers, NaN where a value is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from naive.adwin import NaiveADWIN
from naive.hoeffding_tree import NaiveHoeffdingTree, first_largest

from streamlearn.random import below, generator, uniform

f32 = np.float32
Vector = np.ndarray


class Weights:
    """The weights from one input to all units, Adam's moments, and the slopes since the last step."""

    def __init__(self, units: int) -> None:
        self.w, self.m, self.v, self.g = (np.zeros(units, f32) for _ in range(4))

    def step(self, rate: float, number: int) -> None:
        bias, root = f32(rate / (1 - math.pow(0.9, number))), f32(1 / math.sqrt(1 - math.pow(0.999, number)))
        self.m = f32(0.9) * self.m + f32(1 - 0.9) * self.g
        self.v = f32(0.999) * self.v + f32(1 - 0.999) * (self.g * self.g)
        self.m[np.abs(self.m) < f32(1e-30)] = 0
        self.v[self.v < f32(1e-30)] = 0
        self.w = self.w - bias * self.m / (np.sqrt(self.v) * root + f32(1e-8))
        self.g = np.zeros_like(self.g)


COLUMNS = 16
"""Room for outputs; those in use are ``known``."""


class Router:
    """Linear - ReLU - dropout - Linear - ReLU - Linear, trained by Adam on the sum of slopes of a batch."""

    def __init__(self, o: dict[str, Any]) -> None:
        self.o, self.random = o, generator(o["seed"])
        self.h1, self.h2 = o["hidden_layer_sizes"]
        self.first: dict[Any, Weights] = {"one": Weights(self.h1)}
        self.second = [Weights(self.h2) for _ in range(self.h1 + 1)]
        self.last = [Weights(COLUMNS) for _ in range(self.h2 + 1)]
        self.known: list[int] = []
        self.draw(self.second[:-1], math.sqrt(6 / (self.h1 + self.h2)))
        self.rows = self.steps = 0

    def draw(self, layer: Sequence[Weights], bound: float) -> None:
        for weights in layer:
            for k in range(len(weights.w)):
                weights.w[k] = bound * (2 * uniform(self.random) - 1)

    def add_outputs(self, outputs: Sequence[int]) -> None:
        self.known = sorted({*self.known, *outputs})
        bound = math.sqrt(6 / (self.h2 + len(self.known)))
        for weights in self.last[:-1]:
            for k in outputs:
                weights.w[k] = bound * (2 * uniform(self.random) - 1)

    def meet(self, inputs: dict[Any, float]) -> None:
        for name in inputs:
            if name not in self.first:
                self.first[name] = Weights(self.h1)
                self.draw([self.first[name]], math.sqrt(6 / (len(inputs) - 1 + self.h1)))

    def kept(self) -> Vector:
        """Which units of the first layer stay in the present step."""
        rate = self.o["dropout"]
        if rate == 0:
            return np.ones(self.h1, f32)
        random = generator(self.o["seed"], self.steps)
        return np.array([0 if uniform(random) < rate else 1 / (1 - rate) for _ in range(self.h1)], f32)

    def forward(self, inputs: dict[Any, float]) -> tuple[Vector, Vector, Vector]:
        """Activations of both hidden layers, and the logits. Inputs without weights count for nothing."""
        below = np.zeros(self.h1, f32)
        for name, x in inputs.items():
            if name in self.first:
                below = below + f32(x) * self.first[name].w
        below = np.maximum(below, f32(0)) * self.kept()
        above = self.second[-1].w
        for x, weights in zip(below, self.second, strict=False):
            above = above + x * weights.w
        above = np.maximum(above, f32(0))
        logits = self.last[-1].w
        for x, weights in zip(above, self.last, strict=False):
            logits = logits + x * weights.w
        return below, above, logits

    def learn(self, inputs: dict[Any, float], targets: dict[int, float], w: float) -> None:
        below, above, logits = self.forward(inputs)
        scale = 1 / (len(targets) * self.o["batch_size"])
        slopes = np.zeros(COLUMNS, f32)
        for k, target in targets.items():
            slopes[k] = (sigmoid(logits[k]) - target) * w * scale
        above_slopes, below_slopes = np.zeros(self.h2, f32), np.zeros(self.h1, f32)
        for j in range(self.h2):
            if above[j] > 0:
                above_slopes[j] = inner(self.last[j].w, slopes)
                self.last[j].g += above[j] * slopes
        self.last[-1].g += slopes
        for j in range(self.h1):
            if below[j] > 0:
                below_slopes[j] = inner(self.second[j].w, above_slopes)
                self.second[j].g += below[j] * above_slopes
        self.second[-1].g += above_slopes
        below_slopes = below_slopes * self.kept()
        for name, x in inputs.items():
            self.first[name].g += f32(x) * below_slopes
        self.rows += 1
        if self.rows == self.o["batch_size"]:
            self.rows = 0
            self.steps += 1
            for weights in [*self.first.values(), *self.second, *self.last]:
                weights.step(self.o["learning_rate"], self.steps)


def inner(a: Vector, b: Vector) -> np.float32:
    """Inner product in eight lanes; what is left over comes at the end."""
    s = np.zeros(8, f32)
    whole = len(a) - len(a) % 8
    for start in range(0, whole, 8):
        s = s + a[start : start + 8] * b[start : start + 8]
    total = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]))
    for k in range(whole, len(a)):
        total = total + a[k] * b[k]
    return f32(total)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-float(z)))


class Inputs:
    """What the router sees of a row."""

    def __init__(self, nominal: Sequence[bool], normalize: bool) -> None:
        self.nominal, self.normalize = nominal, normalize
        self.met: set[tuple[int, float]] = set()
        self.seen, self.mean, self.variance = ([0.0] * len(nominal) for _ in range(3))

    def of(self, x: Sequence[float]) -> dict[Any, float]:
        numbers: dict[Any, float] = {"one": 1.0}
        categories: dict[Any, float] = {}
        for i, value in enumerate(x):
            if self.nominal[i]:
                if (i, value) in self.met:
                    categories[(i, value) if self.normalize else i] = 1.0 if self.normalize else value
            elif abs(value) <= 1e100:
                numbers[i] = self.standardised(i, value) if self.normalize else max(-1e6, min(value, 1e6))
        return numbers | categories

    def standardised(self, i: int, value: float) -> float:
        spread = self.variance[i] > 1e-30 * self.mean[i] * self.mean[i]
        scaled = (value - self.mean[i]) * (1 / math.sqrt(self.variance[i])) if spread else 0.0
        return max(-5.0, min(scaled, 5.0))

    def meet(self, x: Sequence[float]) -> None:
        self.met |= {(i, v) for i, v in enumerate(x) if self.nominal[i] and not math.isnan(v)}

    def learn(self, x: Sequence[float], w: float) -> None:
        for i, value in enumerate(x):
            if not self.nominal[i] and abs(value) <= 1e100:
                self.seen[i] += w
                distance = value - self.mean[i]
                self.mean[i] += w * distance / self.seen[i]
                self.variance[i] += w * (distance * (value - self.mean[i]) - self.variance[i]) / self.seen[i]


class Expert:
    """A tree, and with recycling the tree that may follow it."""

    def __init__(self, make: Any) -> None:
        self.make, self.tree, self.next = make, make(), None
        self.warning, self.drift = NaiveADWIN(0.01), NaiveADWIN(0.001)

    @property
    def trained(self) -> bool:
        return bool(self.tree.root.counts)

    def answer(self, x: Sequence[float]) -> int:
        return first_largest(self.tree.votes(x), 0)

    def vote(self, x: Sequence[float], y: int, normalize: bool) -> float:
        votes = self.tree.proba(x) if normalize else self.tree.votes(x)
        return votes[y] if y < len(votes) else 0.0

    def learn(self, x: Sequence[float], y: int, w: float, recycle: bool) -> None:
        error = float(self.answer(x) != y)  # of two classes: whether it gives the right one more than half
        self.tree.learn(x, y, w)
        if not recycle:
            return
        if self.next is not None:
            self.next.learn(x, y, w)
        if rises(self.warning, error):
            self.next, self.warning = self.make(), NaiveADWIN(0.01)
        if rises(self.drift, error):
            self.tree, self.next = self.next or self.make(), None
            self.warning, self.drift = NaiveADWIN(0.01), NaiveADWIN(0.001)


def rises(window: NaiveADWIN, error: float) -> bool:
    before = window.estimation
    return window.update(error) and window.estimation > before


class DataMixture:
    """MoE-Data: experts for all classes; the router learns which ones are right."""

    def __init__(self, nominal: Sequence[bool], tree: dict[str, Any], o: dict[str, Any]) -> None:
        self.o = o
        self.inputs = Inputs(nominal, o["normalize"])
        self.router = Router(o)
        self.router.add_outputs(range(o["n_models"]))
        self.experts = [Expert(lambda: NaiveHoeffdingTree(list(nominal), **tree)) for _ in range(o["n_models"])]
        self.learned = False

    def leader(self, x: Sequence[float]) -> int:
        logits = self.router.forward(self.inputs.of(x))[2]
        asked = [k for k, e in enumerate(self.experts) if e.trained or self.o["count_untrained"]]
        return max(asked, key=lambda k: (logits[k], -k), default=0)

    def predict(self, x: Sequence[float]) -> int:
        if not self.learned:
            return -1
        if not self.o["joint_vote"]:
            return self.experts[self.leader(x)].answer(x)
        logits = self.router.forward(self.inputs.of(x))[2]
        total: list[float] = [0.0] * COLUMNS
        asked = [k for k in self.ranked(logits) if self.experts[k].trained or self.o["count_untrained"]]
        for k in sorted(asked[: self.o["top_k"]]):
            for c, share in enumerate(self.experts[k].tree.proba(x)):
                total[c] += sigmoid(logits[k]) * share
        return total.index(max(total))

    def ranked(self, logits: Vector) -> list[int]:
        return sorted(range(len(self.experts)), key=lambda k: (-logits[k], k))

    def learn(self, x: Sequence[float], y: int, w: float) -> None:
        self.learned = True
        self.inputs.meet(x)
        inputs = self.inputs.of(x)
        self.router.meet(inputs)
        logits = self.router.forward(inputs)[2]
        chosen = set(self.ranked(logits)[: self.o["top_k"]])
        if self.o["exploration"] > 0 and uniform(self.router.random) < self.o["exploration"]:
            chosen.add(below(self.router.random, len(self.experts)))
        right = [e.answer(x) == y and (e.trained or self.o["count_untrained"]) for e in self.experts]
        if not any(right):
            votes = [e.vote(x, y, self.o["normalize_votes"]) for e in self.experts]
            right[votes.index(max(votes))] = True
        for k in sorted(chosen):
            self.experts[k].learn(x, y, w, self.o["recycle"])
        self.router.learn(inputs, {k: float(r) for k, r in enumerate(right)}, w)
        self.inputs.learn(x, w)


class TaskMixture:
    """MoE-Task: one expert a class. As published, line by line: the experts' answers make the router's mask.

    With votes (corrected): the answer is the router's, the experts', or that of the product of both, whichever was
    right most often lately.
    """

    def __init__(self, nominal: Sequence[bool], tree: dict[str, Any], o: dict[str, Any]) -> None:
        self.o = o
        self.inputs = Inputs(nominal, o["normalize"])
        self.router = Router(o)
        self.make = lambda: NaiveHoeffdingTree(list(nominal), **tree)
        self.experts: dict[int, Expert] = {}
        self.heads = [0.0, 0.0, 0.0]

    def answers(self, x: Sequence[float]) -> list[int]:
        """By the router, by the experts, by both."""
        logits = self.router.forward(self.inputs.of(x))[2]
        own = {c: self.experts[c].vote(x, 1, True) for c in self.router.known}
        both = {c: (own[c] + 1e-3) * sigmoid(logits[c]) for c in own}
        scores: list[Any] = [logits, own, both]
        return [max(self.router.known, key=lambda c: (score[c], -c)) for score in scores]

    def predict(self, x: Sequence[float]) -> int:
        if not self.router.known:
            return -1
        return self.answers(x)[self.heads.index(max(self.heads)) if self.o["expert_votes"] else 0]

    def learn(self, x: Sequence[float], y: int, w: float) -> None:
        self.inputs.meet(x)
        inputs = self.inputs.of(x)
        self.router.meet(inputs)
        if y not in self.experts:
            self.experts[y] = Expert(self.make)
            self.router.add_outputs([y])
        mask = {c: float(e.answer(x) == 1 and y == c) for c, e in self.experts.items()}
        if not any(mask.values()):
            mask[y] = 1.0
        for head, answer in enumerate(self.answers(x)):
            self.heads[head] = 0.999 * self.heads[head] + (answer == y)
        for c, expert in self.experts.items():
            expert.learn(x, int(y == c), w, self.o["recycle"])
        self.router.learn(inputs, mask, w)
        self.inputs.learn(x, w)
