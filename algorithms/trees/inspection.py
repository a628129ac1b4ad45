"""Looks at a tree from outside: counts, importances, drawings, and why a row got its prediction."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamlearn.schema import Schema

from .arrays import (
    ADAPTIVE,
    BAYES,
    BINARY,
    INACTIVE,
    LEAF,
    LEAF_MODE,
    N_NODES,
    NB_THRESHOLD,
    NUMERIC,
    HoeffdingTreeArrays,
    alternates_of,
)
from .kernels import find_path


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a row got its prediction.

    Attributes
    ----------
    path : list of str
        The tests that the row passed, from the root.
    ended_at : str
        "leaf", or "split" where the row misses the field of a split or has a category that it has not seen.
    counts : dict
        Weight of each class where the row ended.
    decided_by : str
        "majority class" or "naive Bayes".
    prediction
        The label.
    probabilities : dict
        By label.
    """

    path: list[str]
    ended_at: str
    counts: dict[Hashable, float]
    decided_by: str
    prediction: Hashable
    probabilities: dict[Hashable, float]

    def __str__(self) -> str:
        lines = [f"{'  ' * depth}{test}" for depth, test in enumerate(self.path)]
        counts = ", ".join(f"{label}: {weight:g}" for label, weight in self.counts.items())
        shares = ", ".join(f"{label}: {share:.3f}" for label, share in self.probabilities.items())
        lines.append(f"ends at a {self.ended_at} with {counts}")
        lines.append(f"predicts {self.prediction!r} by {self.decided_by} ({shares})")
        return "\n".join(lines)


class Branch(NamedTuple):
    """A child of a split and the test that leads to it."""

    child: int
    test: str


class TreeView:
    """A tree's nodes with the names of its schema.

    Parameters
    ----------
    arrays
        The tree's arrays; None before the first data.
    schema
        The schema that encoded its rows.
    """

    def __init__(self, arrays: HoeffdingTreeArrays | None, schema: Schema | None) -> None:
        self._a, self._schema = arrays, schema

    @property
    def _nodes(self) -> np.ndarray:
        return np.empty(0) if self._a is None else self._a.nodes[: self._a.numbers[N_NODES]]

    @property
    def _n_alternates(self) -> int:
        """Alternates, each a leaf, which predict nothing and so are not shown."""
        return 0 if self._a is None else len(alternates_of(self._a)[1])

    @property
    def n_nodes(self) -> int:
        """Splits and leaves; a tree that has seen nothing is one leaf."""
        return max(1, len(self._nodes) - self._n_alternates)

    @property
    def n_leaves(self) -> int:
        """Leaves, inactive ones included."""
        return 1 if self._a is None else int((self._nodes["kind"] <= INACTIVE).sum()) - self._n_alternates

    @property
    def height(self) -> int:
        """Splits on the longest path."""
        return 0 if self._a is None else int(self._nodes["depth"].max())

    def importances(self) -> dict[Hashable, float]:
        """Share of each field in the splits' merit times the weight they were decided on."""
        if self._a is None or self._schema is None:
            return {}
        splits = np.flatnonzero(self._nodes["kind"] >= NUMERIC)
        gains = np.zeros(len(self._schema.fields))
        weights = self._a.counts[splits].sum(axis=1)
        # A merit compares all of a leaf's weight with what its observers saw, so it may come out below zero.
        merits = np.maximum(self._nodes["merit"][splits], 0.0)
        np.add.at(gains, self._nodes["feature"][splits], merits * weights)
        total = gains.sum()
        return dict(zip(self._schema.names, (gains / total if total > 0.0 else gains).tolist(), strict=True))

    # -- tests in words -----------------------------------------------------------------------------------------------

    def branches(self, node: int) -> list[Branch]:
        """The children of a node with the tests that lead to them; empty for a leaf."""
        assert self._a is not None
        assert self._schema is not None
        record = self._nodes[node]
        if record["kind"] <= INACTIVE:
            return []
        field, child = self._schema.fields[record["feature"]], int(record["child"])
        if record["kind"] == NUMERIC:
            t = f"{record['threshold']:.6g}"
            return [Branch(child, f"{field.name} <= {t}"), Branch(child + 1, f"{field.name} > {t}")]
        if record["kind"] == BINARY:
            value = field.categories[int(record["threshold"])]
            return [Branch(child, f"{field.name} = {value}"), Branch(child + 1, f"{field.name} ≠ {value}")]
        slots = self._a.children[child : child + len(field.categories)]
        return [Branch(int(c), f"{field.name} = {v}") for c, v in zip(slots, field.categories, strict=False) if c >= 0]

    def class_counts(self, node: int) -> dict[Hashable, float]:
        """Weight of each class at a node: of a leaf, inherited and learned; of a split, when it split."""
        assert self._a is not None
        assert self._schema is not None
        return dict(zip(self._schema.classes, self._a.counts[node].tolist(), strict=False))

    def decides_by(self, node: int) -> str:
        """How a node predicts."""
        assert self._a is not None
        record, mode = self._nodes[node], self._a.options[LEAF_MODE]
        bayes = record["kind"] == LEAF and (
            (mode == ADAPTIVE and record["mc_ok"] <= record["nb_ok"])
            or (mode == BAYES and self._a.counts[node].sum() >= self._a.options[NB_THRESHOLD])
        )
        return "naive Bayes" if bayes else "majority class"

    def _leaf(self, node: int) -> str:
        counts = self.class_counts(node)
        weight = sum(counts.values())
        label = max(counts, key=lambda name: counts[name], default=None)
        if weight == 0.0:
            return "(nothing learned yet)"
        return f"{label} ({100 * counts[label] / weight:.0f} % of {weight:,.0f}; {self.decides_by(node)})"

    # -- drawings -----------------------------------------------------------------------------------------------------

    def to_text(self, max_depth: int | None = None) -> str:
        """Indented text, a line a test, with what the leaves predict."""
        if self._a is None or self._schema is None:
            return "(nothing learned yet)"
        if not self.branches(0):
            return self._leaf(0)
        lines = []
        for depth, branch in self._walk(max_depth):
            leaf = not self.branches(branch.child)
            cut = " …" if not leaf and max_depth is not None and depth + 1 >= max_depth else ""
            lines.append("│  " * depth + branch.test + (f": {self._leaf(branch.child)}" if leaf else cut))
        return "\n".join(lines)

    def _walk(self, max_depth: int | None) -> Iterator[tuple[int, Branch]]:
        """Branches with their depth, depth first; a stack, since trees may be deeper than Python's recursion."""
        stack = [(0, branch) for branch in reversed(self.branches(0))]
        while stack:
            depth, branch = stack.pop()
            if max_depth is not None and depth >= max_depth:
                continue
            yield depth, branch
            stack += [(depth + 1, below) for below in reversed(self.branches(branch.child))]

    def to_graphviz(self, max_depth: int | None = None) -> str:
        """Graphviz' dot language."""
        lines = ["digraph tree {", '  node [shape=box, fontname="sans-serif", style=rounded];']
        if self._a is not None and self._schema is not None:
            lines.append(f"  n0 [label={_quoted(self._node_label(0))}];")
            parents = {branch.child: node for node in range(len(self._nodes)) for branch in self.branches(node)}
            for _, branch in self._walk(max_depth):
                lines.append(f"  n{branch.child} [label={_quoted(self._node_label(branch.child))}];")
                lines.append(f"  n{parents[branch.child]} -> n{branch.child} [label={_quoted(branch.test)}];")
        return "\n".join([*lines, "}"])

    def _node_label(self, node: int) -> str:
        assert self._schema is not None
        if not self.branches(node):
            return self._leaf(node)
        return str(self._schema.fields[self._nodes[node]["feature"]].name)

    # -- one row ------------------------------------------------------------------------------------------------------

    def explain(
        self, tree: Any, X: np.ndarray, prediction: Hashable, probabilities: dict[Hashable, float]
    ) -> Explanation:
        """Follow the first row of ``X``, float64 [n, d], down the tree."""
        path = find_path(tree, X, 0).tolist()
        tests = []
        for above, below in itertools.pairwise(path):
            tests += [branch.test for branch in self.branches(above) if branch.child == below]
        end = path[-1]
        return Explanation(
            path=tests,
            ended_at="leaf" if self._nodes[end]["kind"] <= INACTIVE else "split",
            counts=self.class_counts(end),
            decided_by=self.decides_by(end),
            prediction=prediction,
            probabilities=probabilities,
        )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
