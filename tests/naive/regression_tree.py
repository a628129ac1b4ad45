"""The regression trees in plain Python: slow, obvious, nodes as objects; the oracle of the compiled ones.

Written from the description of FIMT-DD (Ikonomovska, Gama and Džeroski, 2011) and of the adaptive tree (Bifet and
Gavaldà, 2009). Rows are lists, nominal values codes. ADWIN and the generator of random numbers are the package's own,
which have oracles of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from streamlearn.algorithms.drift.adwin_kernels import adwin_estimate, adwin_size, adwin_update
from streamlearn.algorithms.trees.normal import ndtr

from streamlearn.random import below, generator, poisson

LIMIT = 1e100
WINDOW_ROWS = 20


@dataclass
class Moments:
    """Weight, mean and squared deviations of targets and of residuals; of a bin also its least and greatest value."""

    n: float = 0.0
    y: list[float] = field(default_factory=lambda: [0.0, 0.0])
    residual: list[float] = field(default_factory=lambda: [0.0, 0.0])
    low: float = 0.0
    high: float = 0.0

    def add(self, y: float, residual: float, w: float) -> None:
        self.n += w
        share = w / self.n
        for part, value in ((self.y, y), (self.residual, residual)):
            distance = value - part[0]
            part[0] += share * distance
            part[1] += w * distance * (value - part[0])

    def merge(self, other: Moments) -> None:
        if other.n == 0.0:
            return
        n, share = self.n, other.n / (self.n + other.n)
        self.n = n + other.n
        for mine, its in ((self.y, other.y), (self.residual, other.residual)):
            distance = its[0] - mine[0]
            mine[0] += distance * share
            mine[1] += its[1] + distance * distance * (n * share)

    def copy(self) -> Moments:
        return Moments(self.n, list(self.y), list(self.residual), self.low, self.high)


class Merits:
    """Shares of the variance of residuals and targets that splits of these groups in two or more take away.

    A side's variance comes from sums, over its groups, of w (m - M) and of squares + w (m - M)^2: w and m are a group's
    weight and mean, M is the mean of all.
    """

    def __init__(self, groups: Sequence[Moments], residuals: float) -> None:
        self.n = sum_of(group.n for group in groups)
        self.means = {
            part: sum_of(group.n * getattr(group, part)[0] for group in groups) / self.n for part in ("y", "residual")
        }
        self.squares = dict.fromkeys(self.means, 0.0)
        for group in groups:
            for part in self.squares:
                self.squares[part] += self.sums(group, part)[1]
        self.most, self.price = 0.0, {}
        for part, share in (("y", 1.0 - residuals), ("residual", residuals)):
            before = spread(self.n, 0.0, self.squares[part])
            self.most += share if before > 0.0 else 0.0
            self.price[part] = share / before if before > 0.0 else 0.0

    def sums(self, group: Moments, part: str) -> tuple[float, float]:
        mean, squares = getattr(group, part)
        distance = mean - self.means[part]
        return group.n * distance, squares + group.n * distance * distance

    def merit(self, n: float, left: dict[str, tuple[float, float]], alone: dict[str, float] | None = None) -> float:
        """Of a split in two, given weight and sums of one side, and its spread if that is known from elsewhere."""
        result = self.most
        for part, (deviation, squares) in left.items():
            after = spread(n, deviation, squares) if alone is None else alone[part]
            after += spread(self.n - n, deviation, self.squares[part] - squares)
            result -= self.price[part] * after
        return result


def spread(n: float, deviation: float, squares: float) -> float:
    """Variance times weight."""
    return max(n * squares - deviation * deviation, 0.0) / (n - 1.0) if n > 1.0 else 0.0


# -- observers ---------------------------------------------------------------------------------------------------------


def observe(bins: list[Moments], room: int, x: float, y: float, residual: float, w: float) -> None:
    """Take a value into a list of intervals that has room for so many."""
    for b in bins:
        if b.low <= x <= b.high:
            b.add(y, residual, w)
            return
    if len(bins) == room:
        most = 4.0 * sum_of(b.n for b in bins) / room
        merged = [bins[0]]
        for b in bins[1:]:
            if merged[-1].n + b.n <= most:
                merged[-1].merge(b)
                merged[-1].high = b.high
            else:
                merged.append(b)
        bins[:] = merged
        observe(bins, room, x, y, residual, w)
        return
    bins.insert(sum(b.high < x for b in bins), Moments(w, [y, 0.0], [residual, 0.0], x, x))


def sum_of(numbers: Any) -> float:
    """Sum in order (the builtin ``sum`` compensates rounding errors since Python 3.12)."""
    result = 0.0
    for number in numbers:
        result += number
    return result


@dataclass
class Split:
    """A candidate: what it is worth, what it tests, and the moments of its branches by category or side."""

    merit: float
    point: float
    branches: dict[int, Moments]


def best_number_split(bins: list[Moments], least: float, residuals: float) -> tuple[Split | None, float]:
    """The best threshold, the lowest of equals; and the weight of all bins."""
    if len(bins) < 2:
        return None, 0.0
    merits, best = Merits(bins, residuals), None
    n, left = 0.0, {"y": (0.0, 0.0), "residual": (0.0, 0.0)}
    for b, above in itertools.pairwise(bins):
        n += b.n
        for part, (deviation, squares) in left.items():
            more = merits.sums(b, part)
            left[part] = deviation + more[0], squares + more[1]
        if n >= least and merits.n - n >= least:
            worth = merits.merit(n, left)
            if worth > (best.merit if best is not None else 0.0):
                middle = 0.5 * b.high + 0.5 * above.low
                best = Split(worth, middle if b.high <= middle < above.low else b.high, {})
    if best is not None:
        best.branches = {0: Moments(), 1: Moments()}
        for b in bins:
            best.branches[0 if b.high <= best.point else 1].merge(b)
    return best, merits.n


def best_category_split(
    table: list[Moments], least: float, residuals: float, binary_only: bool
) -> tuple[Split | None, float]:
    """The best category against the rest, the lowest of equals, or one branch a category; and the table's weight."""
    present = {k: cell for k, cell in enumerate(table) if cell.n > 0.0}
    if not present:
        return None, 0.0
    merits = Merits(table, residuals)
    best: Split | None = None
    together = merits.most
    for k, cell in present.items():
        alone = {"y": spread(cell.n, 0.0, cell.y[1]), "residual": spread(cell.n, 0.0, cell.residual[1])}
        together -= merits.price["y"] * alone["y"] + merits.price["residual"] * alone["residual"]
        if cell.n >= least and merits.n - cell.n >= least:
            worth = merits.merit(cell.n, {part: merits.sums(cell, part) for part in alone}, alone)
            if worth > (best.merit if best is not None else 0.0):
                best = Split(worth, float(k), {})
    if best is not None:
        best.branches = {0: Moments(), 1: Moments()}
        for k, cell in enumerate(table):
            best.branches[0 if k == best.point else 1].merge(cell)
    allowed = len(present) > 2 and not binary_only and min(cell.n for cell in present.values()) >= least
    if allowed and together > 0.0 and (best is None or together >= best.merit):
        best = Split(together, -1.0, present)
    return best, merits.n


# -- the tree ----------------------------------------------------------------------------------------------------------


class Model:
    """Linear regression over standardised numbers and categories."""

    def __init__(self, kinds: Sequence[int]) -> None:
        self.kinds = kinds
        self.intercept = 0.0
        self.slopes = [0.0 if room == 0 else [0.0] * room for room in kinds]
        self.scales = [[0.0, 0.0, 0.0, 0.0] for _ in kinds]  # weight, mean, variance, 1 / deviation

    def copy(self) -> Model:
        twin = Model(self.kinds)
        twin.intercept = self.intercept
        twin.slopes = [slope if isinstance(slope, float) else list(slope) for slope in self.slopes]
        twin.scales = [list(scale) for scale in self.scales]
        return twin

    def terms(self, x: Sequence[float]) -> list[tuple[int, float]]:
        """Fields that a row has, numbers first, with their standardised values."""
        found = []
        for j, room in enumerate(self.kinds):
            if room == 0 and x[j] == x[j]:
                z = (x[j] - self.scales[j][1]) * self.scales[j][3]
                found.append((j, min(max(z, -10.0), 10.0)))
        return found + [(j, 1.0) for j, room in enumerate(self.kinds) if room and x[j] == x[j]]

    def output(self, x: Sequence[float]) -> float:
        result = self.intercept
        for j, z in self.terms(x):
            slope = self.slopes[j]
            result += slope * z if isinstance(slope, float) else slope[int(x[j])]
        return result

    def learn(self, x: Sequence[float], error: float, w: float, rate: float) -> None:
        terms = self.terms(x)
        reach = 1.0
        for _, z in terms:
            reach += z * z
        step = 2.0 * w * rate
        step = error * (step if step * reach <= 1.0 else 1.0 / reach)
        self.intercept += step
        for j, z in terms:
            slope = self.slopes[j]
            if isinstance(slope, float):
                self.slopes[j] = slope + step * z
            else:
                slope[int(x[j])] += step
        for j, scale in enumerate(self.scales):
            if self.kinds[j] == 0 and x[j] == x[j]:
                scale[0] += w
                distance, share = x[j] - scale[1], w / scale[0]
                scale[1] += share * distance
                scale[2] += share * (distance * (x[j] - scale[1]) - scale[2])
                scale[3] = 1.0 / math.sqrt(scale[2]) if scale[2] > 0.0 else 0.0


class Node:
    """A leaf, until it has children."""

    def __init__(self, kinds: Sequence[int], depth: int, model: Model) -> None:
        self.depth, self.model = depth, model
        self.n = self.mean = self.mean_error = self.model_error = 0.0
        self.seen = self.tried = 0.0
        self.observers: list[list[Moments]] = [[] if room == 0 else [Moments() for _ in range(room)] for room in kinds]
        self.observed: list[int] | None = None
        self.feature = -1
        self.point = 0.0
        self.children: dict[int, Node] = {}
        self.usual: Node | None = None
        self.track = [0.0, 0.0, 0.0]
        self.window = np.zeros(adwin_size(WINDOW_ROWS))
        self.alternate: Node | None = None

    @property
    def is_leaf(self) -> bool:
        return not self.children

    def branch(self, x: Sequence[float], kinds: Sequence[int]) -> tuple[Node, int | None]:
        """The child for a row, and the category for which there should be one."""
        assert self.usual is not None
        value = x[self.feature]
        if math.isnan(value):
            return self.usual, None
        if kinds[self.feature] == 0:
            return self.children[0 if value <= self.point else 1], None
        if self.point >= 0.0:
            return self.children[0 if value == self.point else 1], None
        if int(value) in self.children:
            return self.children[int(value)], None
        return self.usual, int(value)


class RegressionTree:
    """Plain-Python twin of `HoeffdingTreeRegressor`, and of the adaptive one if ``adaptive``.

    ``kinds`` has 0 for each numeric field, and for each nominal one the number of its categories. ``learn`` and
    ``predict`` take rows with NaN where a value is missing. With ``max_features``, a leaf observes so
    many of the fields ``seen`` before it learned its first row.
    """

    def __init__(
        self,
        kinds: Sequence[int],
        *,
        grace_period: float = 200,
        delta: float = 1e-7,
        tau: float = 0.05,
        leaf_prediction: str = "adaptive",
        residual_weight: float = 0.75,
        learning_rate: float = 0.01,
        model_selector_decay: float = 0.95,
        min_samples_split: float = 5,
        binary_split: bool = False,
        n_bins: int = 32,
        adaptive: bool = False,
        bootstrap_sampling: bool = True,
        drift_window_threshold: int = 300,
        drift_delta: float = 0.002,
        switch_significance: float = 0.05,
        seed: int = 0,
        max_features: Callable[[int], int] | None = None,
        seen: set[int] | None = None,
        random: np.ndarray | None = None,
    ) -> None:
        self.kinds = list(kinds)
        self.grace_period, self.delta, self.tau = grace_period, delta, tau
        self.mode, self.rate, self.decay = leaf_prediction, learning_rate, model_selector_decay
        self.residuals = residual_weight if leaf_prediction != "mean" else 0.0
        self.least, self.binary, self.n_bins = min_samples_split, binary_split, n_bins
        self.adaptive, self.bootstrap = adaptive, bootstrap_sampling
        self.min_window, self.drift_delta, self.significance = drift_window_threshold, drift_delta, switch_significance
        self.random = generator(seed) if random is None else random
        self.max_features, self.seen = max_features, set() if seen is None else seen
        self.error_weight = self.mean_square = 0.0
        self.root = Node(self.kinds, 0, Model(self.kinds))

    # -- predicting

    def clean(self, x: Sequence[float]) -> list[float]:
        """Routing sees infinities, everything else does not."""
        return [v if abs(v) <= LIMIT else math.nan for v in x]

    def leaf_of(self, top: Node, x: Sequence[float]) -> tuple[Node, Node | None, int | None]:
        """The leaf, and the first split on the way that lacks a child for a category, with the category."""
        at, above, category = top, None, None
        while not at.is_leaf:
            below, missing = at.branch(x, self.kinds)
            if missing is not None and above is None:
                above, category = at, missing
            at = below
        return at, above, category

    def says(self, leaf: Node, output: float) -> float:
        by_mean = self.mode == "mean" or (self.mode == "adaptive" and leaf.mean_error < leaf.model_error)
        return leaf.mean if by_mean or not math.isfinite(output) else output

    def predict(self, x: Sequence[float]) -> float:
        leaf, _, _ = self.leaf_of(self.root, x)
        return self.says(leaf, leaf.model.output(self.clean(x)))

    # -- learning

    def learn(self, x: Sequence[float], y: float, w: float = 1.0) -> None:
        if not (abs(y) <= LIMIT and 0.0 < w <= LIMIT):
            return
        if not self.adaptive:
            leaf, above, category = self.leaf_of(self.root, x)
            self.learn_leaf(self.with_branch(leaf, above, category), self.clean(x), y, w)
            return
        pending: list[tuple[Node, Node | None]] = [(self.root, None)]
        while pending:
            top, owner = pending.pop()
            pending += self.learn_from(top, owner, x, y, w)

    def with_branch(self, leaf: Node, above: Node | None, category: int | None) -> Node:
        if above is None or category is None:
            return leaf
        above.children[category] = self.heir(above)
        return above.children[category]

    def heir(self, parent: Node) -> Node:
        node = Node(self.kinds, parent.depth + 1, parent.model.copy())
        node.mean_error, node.model_error = parent.mean_error, parent.model_error
        return node

    def learn_leaf(self, leaf: Node, x: Sequence[float], y: float, w: float) -> None:
        output = leaf.model.output(x) if self.mode != "mean" else 0.0
        residual = y - output if self.mode != "mean" else y
        if self.mode == "adaptive":
            leaf.mean_error = self.decay * leaf.mean_error + (y - leaf.mean) * (y - leaf.mean)
            leaf.model_error = self.decay * leaf.model_error + (y - output) * (y - output)
        if self.mode != "mean":
            if leaf.n == 0.0 and leaf.model.intercept == 0.0:
                leaf.model.intercept = output = y
            leaf.model.learn(x, y - output, w, self.rate)
        leaf.n += w
        leaf.mean += w * (y - leaf.mean) / leaf.n
        if leaf.observed is None and (self.max_features is None or self.seen):
            leaf.observed = self.fields_to_observe()
        for j, value in enumerate(x):
            if j not in (leaf.observed or []):
                continue
            if value == value and self.kinds[j] == 0:
                observe(leaf.observers[j], self.n_bins, value, y, residual, w)
            elif value == value:
                leaf.observers[j][int(value)].add(y, residual, w)
        if leaf.observed is None:
            return
        leaf.seen += w
        if leaf.seen - leaf.tried >= self.grace_period:
            leaf.tried = leaf.seen
            self.attempt_split(leaf)

    def fields_to_observe(self) -> list[int]:
        """All fields, or, in a forest, some drawn at random: each with the chance that completes the number."""
        if self.max_features is None:
            return list(range(len(self.kinds)))
        numbers_first = sorted(range(len(self.kinds)), key=lambda j: (self.kinds[j] > 0, j))
        candidates = [j for j in numbers_first if j in self.seen]
        drawn: list[int] = []
        for passed, j in enumerate(candidates):
            if below(self.random, len(candidates) - passed) < self.max_features(len(candidates)) - len(drawn):
                drawn.append(j)
        return drawn

    def attempt_split(self, leaf: Node) -> None:
        best: Split | None = None
        best_merit, second, feature = 0.0, 0.0, -1
        assert leaf.observed is not None
        for j, room in enumerate(self.kinds):
            if j not in leaf.observed:
                continue
            if room == 0:
                split, known = best_number_split(leaf.observers[j], self.least, self.residuals)
            else:
                split, known = best_category_split(leaf.observers[j], self.least, self.residuals, self.binary)
            worth = split.merit * known / leaf.seen if split is not None else 0.0
            if worth > best_merit:
                best, best_merit, second, feature = split, worth, best_merit, j
            elif worth > second:
                second = worth
        if best is None:
            return
        bound = math.sqrt(math.log(1.0 / self.delta) / (2.0 * leaf.seen))
        if not (second / best_merit < 1.0 - bound or bound < self.tau):
            return
        for key, moments in best.branches.items():
            child = self.heir(leaf)
            child.n, child.mean = moments.n, moments.y[0]
            leaf.children[key] = child
        leaf.feature, leaf.point = feature, best.point
        leaf.usual = leaf.children[max(best.branches, key=lambda key: (best.branches[key].n, -key))]
        leaf.track = [0.0, 0.0, 0.0]

    # -- adapting

    def learn_from(
        self, top: Node, owner: Node | None, x: Sequence[float], y: float, w: float
    ) -> list[tuple[Node, Node | None]]:
        """Learn from a node down; the alternate trees on the way, from which the row is to be learned too."""
        found: list[tuple[Node, Node | None]] = []
        may_start, at, parent = True, top, owner
        while True:
            leaf, above, category = self.leaf_of(at, x)
            error = abs(y - self.says(leaf, leaf.model.output(self.clean(x))))
            if at is self.root:
                self.error_weight += 1.0
                self.mean_square += (error * error - self.mean_square) / self.error_weight
            scale = 3.0 * math.sqrt(self.mean_square)
            scaled = min(error / scale, 1.0) if scale > 0.0 else 0.0
            switched = False
            while not at.is_leaf:
                rises = self.watch(at, error, scaled)
                if rises and at.alternate is None and may_start:
                    at.alternate = Node(self.kinds, at.depth, Model(self.kinds))
                    at.track = [0.0, 0.0, 0.0]
                    may_start = False
                elif at.alternate is not None:
                    verdict = self.judge(at)
                    if verdict == "switch":
                        at = self.replace(at, parent)
                        switched = True
                        break
                    if verdict == "prune":
                        at.alternate = None
                    else:
                        found.append((at.alternate, at))
                parent = at
                at, missing = at.branch(x, self.kinds)
                if missing is not None:
                    at = leaf
            if not switched:
                break
        self.count(leaf, error)
        leaf = self.with_branch(leaf, above, category)
        if self.bootstrap:
            w *= max(1, poisson(self.random, 1.0))
        self.learn_leaf(leaf, self.clean(x), y, w)
        if leaf is top and owner is not None and not leaf.is_leaf:
            owner.track = [0.0, 0.0, 0.0]
        return found

    def count(self, node: Node, error: float) -> None:
        node.track[0] += 1.0
        distance = error - node.track[1]
        node.track[1] += distance / node.track[0]
        node.track[2] += distance * (error - node.track[1])

    def watch(self, node: Node, error: float, scaled: float) -> bool:
        before = adwin_estimate(node.window)
        changed = adwin_update(node.window, scaled, self.drift_delta)
        self.count(node, error)
        rises = changed and adwin_estimate(node.window) > before
        if changed and not rises:
            node.track = [0.0, 0.0, 0.0]
        return bool(rises)

    def judge(self, node: Node) -> str:
        assert node.alternate is not None
        now, other = node.track, node.alternate.track
        if not (now[0] > self.min_window and other[0] > self.min_window):
            return "keep"
        spread = other[2] / (other[0] - 1.0) / other[0] + now[2] / (now[0] - 1.0) / now[0]
        if not spread > 0.0 or 2.0 * ndtr(-abs(other[1] - now[1]) / math.sqrt(spread)) > self.significance:
            return "keep"
        return "switch" if other[1] < now[1] else "prune"

    def replace(self, node: Node, parent: Node | None) -> Node:
        """Put a split's alternate tree in its place."""
        new = node.alternate
        assert new is not None
        if node is self.root:
            self.root = new
        else:
            assert parent is not None
            if parent.alternate is node:
                parent.alternate = new
            for key, child in parent.children.items():
                if child is node:
                    parent.children[key] = new
            if parent.usual is node:
                parent.usual = new
        return new

    def n_nodes(self) -> int:
        """Of the tree itself."""
        nodes, n = [self.root], 0
        while nodes:
            n += 1
            nodes += nodes.pop().children.values()
        return n
