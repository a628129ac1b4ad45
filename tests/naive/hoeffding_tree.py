"""The Hoeffding tree in plain Python: slow, obvious, plain products for naive Bayes; the oracle of the compiled one.

Written from the description of MOA's `HoeffdingTree` (Domingos and Hulten, 2000; Holmes, Kirkby and Pfahringer, 2005)
with dicts and lists. A class vector is a list that is as long as the highest class it was ever given, plus one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from scipy.special import ndtr

NEVER = -math.inf


# -- class vectors -----------------------------------------------------------------------------------------------------


def add(vector: list[float], index: int, amount: float) -> None:
    """Add to an entry of a vector that grows as needed, even if the amount is zero."""
    while len(vector) <= index:
        vector.append(0.0)
    vector[index] += amount


def total(vector: Sequence[float]) -> float:
    """Sum in order (the builtin ``sum`` compensates rounding errors since Python 3.12)."""
    result = 0.0
    for value in vector:
        result += value
    return result


def first_largest(vector: Sequence[float], if_empty: int) -> int:
    """Index of the largest entry, the lowest one of equals; an entry that is not a number never wins over another."""
    best = if_empty
    for index, value in enumerate(vector):
        if index == 0 or value > vector[best]:
            best = index
    return best


# -- merits ------------------------------------------------------------------------------------------------------------


def entropy(vector: Sequence[float]) -> float:
    """In bits."""
    result, weight = 0.0, 0.0
    for value in vector:
        if value > 0.0:
            result -= value * (math.log(value) / math.log(2.0))
            weight += value
    return (result + weight * (math.log(weight) / math.log(2.0))) / weight if weight > 0.0 else 0.0


def gini(vector: Sequence[float]) -> float:
    """The squares are subtracted one by one, as in MOA; a power (``** 2``) could differ from them in the last bit."""
    weight = total(vector)
    if weight <= 0.0:
        return 0.0
    result = 1.0
    for value in vector:
        share = value / weight
        result -= share * share
    return result


def merit(before: list[float], branches: list[list[float]], criterion: str, min_fraction: float) -> float:
    """Merit of a split, or minus infinity if fewer than two branches hold more than ``min_fraction`` of the weight."""
    weights = [total(branch) for branch in branches]
    everything = total(weights)
    if everything <= 0.0 or len([w for w in weights if w / everything > min_fraction]) < 2:
        return NEVER
    if criterion == "gini":
        return 1.0 - total([w / everything * gini(b) for w, b in zip(weights, branches, strict=True)])
    after = total([w * entropy(b) for w, b in zip(weights, branches, strict=True)]) / everything
    return entropy(before) - after


# -- observers ---------------------------------------------------------------------------------------------------------


@dataclass
class Split:
    """A candidate: its test, the class vectors of its branches, its merit."""

    kind: str  # "numeric", "binary" or "multiway"
    attribute: int
    value: float
    branches: list[list[float]]
    merit: float = NEVER


class Gaussian:
    """Values of one attribute in one class."""

    def __init__(self) -> None:
        self.n, self.mean, self.S = 0.0, 0.0, 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, x: float, w: float) -> None:
        self.low, self.high = min(self.low, x), max(self.high, x)
        if self.n == 0.0:
            self.mean, self.n = x, w
            return
        self.n += w
        d = x - self.mean
        self.mean += w * d / self.n
        self.S += w * d * (x - self.mean)

    @property
    def deviation(self) -> float:
        return math.sqrt(self.S / (self.n - 1.0)) if self.n > 1.0 else 0.0

    def density(self, x: float) -> float:
        s = self.deviation
        if s > 0.0:
            d = x - self.mean
            return 1.0 / (math.sqrt(2.0 * math.pi) * s) * math.exp(-(d * d / (2.0 * s * s)))
        return 1.0 if x == self.mean else 0.0

    def weight_beside(self, t: float) -> tuple[float, float]:
        """Estimated weight of the values <= t and of those > t."""
        s = self.deviation
        equal = self.density(t) * self.n
        if s > 0.0:
            less = float(ndtr((t - self.mean) / s)) * self.n - equal
        else:
            less = self.n - equal if t < self.mean else 0.0
        return less + equal, max(0.0, self.n - equal - less)


class NumericObserver:
    def __init__(self) -> None:
        self.of_class: dict[int, Gaussian] = {}

    def says_nothing_about(self, x: float) -> bool:
        return not math.isfinite(x) or not self.of_class

    def observe(self, x: float, y: int, w: float) -> None:
        if math.isfinite(x):
            self.of_class.setdefault(y, Gaussian()).add(x, w)

    def probability(self, x: float, y: int) -> float:
        return self.of_class[y].density(x) if y in self.of_class else 0.0

    def candidates(self, attribute: int, binary_only: bool) -> list[Split]:
        if not self.of_class:
            return []
        low = min(g.low for g in self.of_class.values())
        high = max(g.high for g in self.of_class.values())
        points = {(high - low) / 11.0 * (k + 1) + low for k in range(10)}
        return [self._split(attribute, t) for t in sorted(points) if low < t < high]

    def _split(self, attribute: int, t: float) -> Split:
        left: list[float] = []
        right: list[float] = []
        for y, g in sorted(self.of_class.items()):
            if t < g.low:
                add(right, y, g.n)
            elif t >= g.high:
                add(left, y, g.n)
            else:
                below, above = g.weight_beside(t)
                add(left, y, below)
                add(right, y, above)
        return Split("numeric", attribute, t, [left, right])


class NominalObserver:
    def __init__(self) -> None:
        self.of_class: dict[int, list[float]] = {}

    def says_nothing_about(self, x: float) -> bool:
        return math.isnan(x) or x < 0 or not self.of_class

    def observe(self, x: float, y: int, w: float) -> None:
        if x >= 0:
            add(self.of_class.setdefault(y, []), int(x), w)

    def probability(self, x: float, y: int) -> float:
        if y not in self.of_class:
            return 0.0
        table = self.of_class[y]
        return ((table[int(x)] if x < len(table) else 0.0) + 1.0) / (total(table) + len(table))

    def candidates(self, attribute: int, binary_only: bool) -> list[Split]:
        n_values = max((len(table) for table in self.of_class.values()), default=0)
        splits = []
        if n_values and not binary_only:
            splits.append(Split("multiway", attribute, math.nan, [[] for _ in range(n_values)]))
            for y, table in sorted(self.of_class.items()):
                for v, weight in enumerate(table):
                    add(splits[0].branches[v], y, weight)
        for value in range(n_values):
            equal: list[float] = []
            rest: list[float] = []
            for y, table in sorted(self.of_class.items()):
                for v, weight in enumerate(table):
                    add(equal if v == value else rest, y, weight)
            splits.append(Split("binary", attribute, float(value), [equal, rest]))
        return splits


Observer = NumericObserver | NominalObserver


# -- the tree ----------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    """A leaf, until it is given a split."""

    counts: list[float]
    depth: int
    active: bool = True
    observers: list[Observer] | None = None
    mc_ok: float = 0.0
    nb_ok: float = 0.0
    w_last: float = 0.0
    split: Split | None = None
    children: dict[int, Node] = field(default_factory=dict)


@dataclass
class NaiveHoeffdingTree:
    """See `streamlearn.algorithms.trees.kernels` for the parameters; ``nominal`` says it of each attribute."""

    nominal: list[bool]
    grace: float = 200.0
    delta: float = 1e-7
    tau: float = 0.05
    leaf: str = "nba"
    nb_threshold: float = 0.0
    criterion: str = "info_gain"
    binary_only: bool = False
    preprune: bool = True
    min_branch_fraction: float = 0.01
    max_share: float = 1.0
    max_depth: float = math.inf
    max_nodes: float = math.inf
    max_blocks: float = math.inf

    node_type: ClassVar[type[Node]] = Node

    def __post_init__(self) -> None:
        self.root = self.node_type([], 0)
        self.growing = True
        self.n_nodes = 1
        self.attempts = self.restarts = 0

    def nodes(self) -> list[Node]:
        """All nodes, parents before their children."""
        found = [self.root]
        for node in found:
            found += [child for _, child in sorted(node.children.items())]
        return found

    def add_attribute(self, nominal: bool) -> None:
        """Append a column."""
        self.nominal.append(nominal)
        for node in self.nodes():
            if node.observers is not None:
                node.observers.append(NominalObserver() if nominal else NumericObserver())

    # -- routing

    def branch(self, split: Split, x: Sequence[float]) -> int | None:
        value = x[split.attribute]
        if math.isnan(value):
            return None
        if split.kind == "numeric":
            return 0 if value <= split.value else 1
        if value < 0:
            return None
        if split.kind == "binary":
            return 0 if value == split.value else 1
        return int(value)

    def route(self, x: Sequence[float]) -> tuple[Node, int | None]:
        """The node where the row ends; if that node is a split, also the branch where a child is missing, if any."""
        node = self.root
        while node.split is not None:
            branch = self.branch(node.split, x)
            if branch not in node.children:
                return node, branch
            node = node.children[branch]
        return node, None

    # -- prediction

    def bayes_votes(self, node: Node, x: Sequence[float]) -> list[float]:
        votes = []
        weight = total(node.counts)
        for y, count in enumerate(node.counts):
            vote = count / weight if weight != 0.0 else math.nan
            for value, observer in zip(x, node.observers or [], strict=False):
                if not observer.says_nothing_about(value):
                    vote *= observer.probability(value, y)
            votes.append(vote)
        return votes

    def votes(self, x: Sequence[float]) -> list[float]:
        return self.votes_at(self.route(x)[0], x)

    def votes_at(self, node: Node, x: Sequence[float]) -> list[float]:
        if node.split is not None or not node.active or self.leaf == "mc":
            return node.counts
        if self.leaf == "nb" and total(node.counts) < self.nb_threshold:
            return node.counts
        if self.leaf == "nba" and node.mc_ok > node.nb_ok:
            return node.counts
        return self.bayes_votes(node, x)

    def predict(self, x: Sequence[float]) -> int:
        if not self.root.counts:
            return -1
        return first_largest(self.votes(x), 0)

    def proba(self, x: Sequence[float]) -> list[float]:
        """Votes that sum to 1; all zero if no vote is positive or their sum is not a number."""
        votes = self.votes(x)
        weight = total(votes)
        return [v / weight for v in votes] if 0.0 < weight < math.inf else [0.0 for _ in votes]

    # -- learning

    def learn(self, x: Sequence[float], y: int, w: float = 1.0) -> None:
        if y < 0 or not 0.0 < w < math.inf:
            return
        node, branch = self.route(x)
        if node.split is not None:
            if branch is None:
                return
            if self.n_nodes >= self.max_nodes:
                self.growing = False
                return
            node.children[branch] = node = self.node_type([], node.depth + 1)
            self.n_nodes += 1
        if node.active and node.observers is None and not self.has_block():
            node.active = self.growing = False
        weight = self.learn_at_leaf(node, x, y, w)
        if node.active and self.growing and weight - node.w_last >= self.grace:
            self.attempt_split(node, weight)
            node.w_last = weight

    def has_block(self) -> bool:
        """Whether one more node may keep statistics."""
        return len([n for n in self.nodes() if n.observers is not None]) < self.max_blocks

    def learn_at_leaf(self, node: Node, x: Sequence[float], y: int, w: float) -> float:
        """Add a row to a leaf; its weight."""
        if node.active and self.leaf == "nba":
            if first_largest(node.counts, -1) == y:
                node.mc_ok += w
            if first_largest(self.bayes_votes(node, x), 0) == y:
                node.nb_ok += w
        add(node.counts, y, w)
        if node.active:
            if node.observers is None:
                node.observers = self.new_observers()
            for value, observer in zip(x, node.observers, strict=True):
                observer.observe(value, y, w)
        return total(node.counts)

    def new_observers(self) -> list[Observer]:
        return [NominalObserver() if nominal else NumericObserver() for nominal in self.nominal]

    def best_of(self, node: Node, attribute: int, observer: Observer) -> Split | None:
        best = None
        for split in observer.candidates(attribute, self.binary_only):
            split.merit = merit(node.counts, split.branches, self.criterion, self.min_branch_fraction)
            if best is None or split.merit > best.merit:
                best = split
        return best

    def may_split(self, node: Node, weight: float) -> bool:
        if len([c for c in node.counts if c != 0.0]) < 2 or node.depth >= self.max_depth:
            return False
        return not max(node.counts) / weight > self.max_share

    def candidates(self, node: Node) -> list[Split]:
        """The best split on each attribute and, with pre-pruning, not to split; worst first."""
        found: list[Split | None] = [self.best_of(node, i, o) for i, o in enumerate(node.observers or [])]
        splits = [split for split in found if split is not None]
        if self.preprune:
            splits.insert(0, Split("null", -1, math.nan, []))
        by_merit: Callable[[Split], float] = lambda split: split.merit  # noqa: E731
        splits.sort(key=by_merit)
        return splits

    def bound(self, length: int, weight: float) -> float:
        R = 1.0 if self.criterion == "gini" else math.log(max(2, length)) / math.log(2.0)
        return math.sqrt(R * R * math.log(1.0 / self.delta) / (2.0 * weight))

    def attempt_split(self, node: Node, weight: float) -> None:
        if not self.may_split(node, weight):
            return
        self.attempts += 1
        splits = self.candidates(node)
        if len(splits) >= 2:
            bound = self.bound(len(node.counts), weight)
            if not (splits[-1].merit - splits[-2].merit > bound or bound < self.tau):
                return
        if not splits:
            return
        if splits[-1].merit > NEVER:
            self.split(node, splits[-1])
        elif self.preprune:
            self.restarts += 1
            node.observers, node.mc_ok, node.nb_ok = None, 0.0, 0.0

    def split(self, node: Node, split: Split) -> None:
        if self.n_nodes + len(split.branches) > self.max_nodes:
            self.growing = False
            return
        node.split, node.observers = split, None
        for branch, counts in enumerate(split.branches):
            node.children[branch] = self.node_type(list(counts), node.depth + 1, w_last=total(counts))
        self.n_nodes += len(split.branches)
