"""EFDT and the Hoeffding Adaptive Tree in the obvious way, on top of the obvious Hoeffding tree.

Written from the description of MOA's ``EFDT`` (Manapragada, Webb and Salehi, 2018) and ``HoeffdingAdaptiveTree`` (Bifet
and Gavaldà, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from naive.adwin import NaiveADWIN
from naive.hoeffding_tree import (
    NEVER,
    NaiveHoeffdingTree,
    Node,
    Split,
    add,
    first_largest,
    total,
)

JAVA_SEED = 1 ^ 0x5DEECE66D
"""State of a new ``java.util.Random(1)``."""


@dataclass
class AnytimeNode(Node):
    """``age`` counts rows, ``tried`` attempts, ``born`` classes at the split; ``used`` bars nominal attributes."""

    age: int = 0
    tried: int = 0
    born: int = 0
    gains: dict[int, float] = field(default_factory=dict)
    used: list[int] = field(default_factory=list)


@dataclass
class NaiveEFDT(NaiveHoeffdingTree):
    """See `streamlearn.algorithms.trees.efdt_kernels`."""

    reevaluate: int = 2000
    node_type: ClassVar[type[Node]] = AnytimeNode

    def __post_init__(self) -> None:
        super().__post_init__()
        self.learned = self.replaced = 0

    def learn(self, x: Sequence[float], y: int, w: float = 1.0) -> None:
        if y < 0 or not 0.0 < w < math.inf:
            return
        node, branch = self.route(x)
        if node.split is not None and branch is not None and self.n_nodes < self.max_nodes:
            node.children[branch] = AnytimeNode([], node.depth + 1)
            self.n_nodes += 1
        looking = self.learned % self.reevaluate == 0
        self.learned += 1
        node = self.root
        while node.split is not None:
            assert isinstance(node, AnytimeNode)
            assert node.observers is not None
            add(node.counts, y, w)
            for value, observer in zip(x, node.observers, strict=True):
                observer.observe(value, y, w)
            if looking and self.replace(node):
                return
            way = self.branch(node.split, x)
            if way not in node.children:
                return
            node = node.children[way]
        assert isinstance(node, AnytimeNode)
        if node.observers is None:
            node.active = self.has_block()
        weight = self.learn_at_leaf(node, x, y, w)
        if node.active:
            node.age += 1
            if node.age % self.grace == 0:
                self.attempt_split(node, weight)

    def gather(self, node: AnytimeNode) -> list[Split]:
        """The candidates, after their merits were added up."""
        node.tried += 1
        splits = self.candidates(node)
        for split in splits:
            node.gains[split.attribute] = node.gains.get(split.attribute, 0.0) + split.merit
        node.gains[-1] = 0.0  # not to split has no merit to gain
        return splits

    def attempt_split(self, node: Node, weight: float) -> None:
        assert isinstance(node, AnytimeNode)
        if not self.may_split(node, weight):
            return
        self.attempts += 1
        splits = self.gather(node)
        if not splits:
            return
        best = splits[-1]
        if len(splits) >= 2:
            bound = self.bound(len(node.counts), weight)
            average = node.gains[best.attribute] / node.tried
            if best.merit < 1e-10 or not (average > bound or bound < self.tau) or best.attribute in node.used:
                return
        elif best.kind == "null":
            self.restarts += 1
            node.observers, node.mc_ok, node.nb_ok = None, 0.0, 0.0
            node.age, node.tried, node.gains, node.used = 0, 0, {}, []
            return
        if best.merit > NEVER and self.n_nodes + len(best.branches) <= self.max_nodes:
            self.split(node, best, node.used)

    def split(self, node: Node, split: Split, used: Sequence[int] = ()) -> None:
        assert isinstance(node, AnytimeNode)
        observers = node.observers
        super().split(node, split)
        node.observers, node.tried, node.born = observers, 0, len(node.counts)
        for child in node.children.values():
            assert isinstance(child, AnytimeNode)
            child.used = [] if split.kind == "numeric" else [*used, split.attribute]

    def replace(self, node: AnytimeNode) -> bool:
        assert node.split is not None
        best = self.gather(node)[-1:]
        if not best or best[0].merit == NEVER:
            return False
        bound = self.bound(node.born, total(node.counts))
        gain = node.gains[best[0].attribute] / node.tried - node.gains[node.split.attribute] / node.tried
        if not (gain > bound or (bound < self.tau and gain > self.tau / 2.0)):
            return False
        stump = self.n_nodes - len(below(node))
        if stump + len(best[0].branches) > self.max_nodes:
            return False
        self.n_nodes = stump
        self.replaced += 1
        node.children = {}
        self.split(node, best[0])
        return True


def below(node: Node) -> list[Node]:
    """All nodes below one."""
    found = list(node.children.values())
    for child in found:
        found += child.children.values()
    return found


@dataclass
class AdaptiveNode(Node):
    """A split has a window of errors and may have an alternate, which has a window too."""

    window: NaiveADWIN | None = None
    alternate: AdaptiveNode | None = None
    random: int = JAVA_SEED


@dataclass
class NaiveHAT(NaiveHoeffdingTree):
    """See `streamlearn.algorithms.trees.hat_kernels`; ``poisson`` draws for a leaf, ``new_categories`` get a leaf."""

    poisson: Callable[[Node], int] = lambda leaf: 1
    drift_delta: float = 0.002
    least_window: float = 300.0
    significance: float = 0.05
    new_categories: bool = True
    node_type: ClassVar[type[Node]] = AdaptiveNode

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begun = self.switched = self.pruned = 0

    def nodes(self) -> list[Node]:
        """All nodes, alternates after the children of their splits."""
        found: list[Node] = [self.root]
        for node in found:
            found += [child for _, child in sorted(node.children.items())]
            alternate = getattr(node, "alternate", None)
            found += [alternate] if alternate else []
        return found

    def has_room(self, n: int) -> bool:
        self.n_nodes = len(self.nodes())
        return self.n_nodes + n <= self.max_nodes

    def learn(self, x: Sequence[float], y: int, w: float = 1.0) -> None:
        if y < 0 or not 0.0 < w < math.inf:
            return
        node, branch = self.route(x)
        missing = node.split is not None and branch is not None
        if missing and self.new_categories and self.has_room(1):
            assert branch is not None
            node.children[branch] = node = AdaptiveNode([], node.depth + 1)
        lost = missing and not self.new_categories
        error = float(y != (0 if lost else first_largest(self.votes_at(node, x), 0)))
        node = self.root
        while node.split is not None:
            assert isinstance(node, AdaptiveNode)
            node.window = node.window or NaiveADWIN(self.drift_delta)
            before = node.window.estimation
            if node.window.update(error) and not before > node.window.estimation:
                node.alternate = None
                if self.has_room(1):
                    node.alternate = AdaptiveNode([], node.depth)
                    self.begun += 1
            elif node.alternate is not None:
                self.judge(node)
                if node.split is None:
                    break
            if node.alternate is not None and self.teach(node.alternate, x, y, w):
                self.take_place(node)
                return
            way = self.branch(node.split, x)
            if way not in node.children:
                return
            node = node.children[way]
        self.teach(node, x, y, w, alternate=False)

    def teach(self, leaf: Node, x: Sequence[float], y: int, w: float, alternate: bool = True) -> bool:
        """Let a leaf learn a row; whether it split, or found that it had no split to make."""
        assert isinstance(leaf, AdaptiveNode)
        if leaf.observers is None:
            leaf.active = self.has_block()
        if alternate:
            leaf.window = leaf.window or NaiveADWIN(self.drift_delta)
            leaf.window.update(float(first_largest(self.votes_at(leaf, x), 0) != y))
        weight = self.learn_at_leaf(leaf, x, y, w * max(1, self.poisson(leaf)))
        restarts = self.restarts
        if leaf.active and weight - leaf.w_last >= self.grace:
            self.attempt_split(leaf, weight)
            leaf.w_last = weight
        if self.restarts > restarts:
            leaf.random = JAVA_SEED
        return leaf.split is not None or self.restarts > restarts

    def split(self, node: Node, split: Split) -> None:
        if self.has_room(len(split.branches)):
            super().split(node, split)

    def judge(self, node: AdaptiveNode) -> None:
        assert node.alternate is not None
        ours, theirs = node.window, node.alternate.window
        assert ours is not None
        assert theirs is not None
        if not (ours.width > self.least_window and theirs.width > self.least_window):
            return
        old, new = ours.estimation, theirs.estimation
        sizes = 1.0 / theirs.width + 1.0 / ours.width
        bound = math.sqrt(2.0 * old * (1.0 - old) * math.log(2.0 / self.significance) * sizes)
        if bound < old - new:
            self.take_place(node)
        elif bound < new - old:
            node.alternate = None
            self.pruned += 1

    def take_place(self, node: AdaptiveNode) -> None:
        """The split becomes what its alternate is."""
        alternate = node.alternate
        assert alternate is not None
        vars(node).update(vars(alternate))
        node.window = node.alternate = None
        self.switched += 1


def java_poisson(leaf: Node) -> int:
    """The leaf's next Poisson(1) number as MOA draws it: each node has a ``java.util.Random(1)`` of its own."""
    assert isinstance(leaf, AdaptiveNode)
    parts = []
    for bits in (26, 27):
        leaf.random = (leaf.random * 0x5DEECE66D + 0xB) % 2**48
        parts.append(leaf.random >> (48 - bits))
    threshold = ((parts[0] << 27) + parts[1]) / 2.0**53 * math.exp(1.0)
    product, reached, i = 1.0, 1.0, 1
    while i < 100 and reached <= threshold:
        product *= 1.0 / i
        reached += product
        i += 1
    return i - 1
