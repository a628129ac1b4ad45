"""Looks at a regression tree from outside: counts, importances, drawings."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

import numpy as np

from streamlearn.schema import Schema

from .arrays import NUMERIC
from .inspection import TreeView
from .regression_arrays import BY_EITHER, BY_MEAN, DEAD, LEAF_MODE, N_NODES, RegressionTreeArrays, trim


class RegressionTreeView(TreeView):
    """A regression tree's nodes with the names of its schema, alternate trees left out.

    Parameters
    ----------
    arrays
        The tree's arrays; None before the first data.
    schema
        The schema that encoded its rows.
    """

    def __init__(self, arrays: RegressionTreeArrays | None, schema: Schema | None) -> None:
        super().__init__(cast(Any, None if arrays is None else without_alternates(arrays)), schema)

    def importances(self) -> dict[Hashable, float]:
        """Share of each field in the splits' merit times the weight they were decided on."""
        if self._a is None or self._schema is None:
            return {}
        splits = self._nodes[self._nodes["kind"] >= NUMERIC]
        gains = np.zeros(len(self._schema.fields))
        np.add.at(gains, splits["feature"], splits["merit"] * splits["n"])
        total = gains.sum()
        return dict(zip(self._schema.names, (gains / total if total > 0.0 else gains).tolist(), strict=True))

    def decides_by(self, node: int) -> str:
        """How a leaf predicts."""
        assert self._a is not None
        record, mode = self._nodes[node], self._a.options[LEAF_MODE]
        by_mean = mode == BY_MEAN or (mode == BY_EITHER and record["mean_error"] < record["model_error"])
        return "mean" if by_mean else "linear model"

    def _leaf(self, node: int) -> str:
        record = self._nodes[node]
        if record["n"] == 0.0:
            return "(nothing learned yet)"
        return f"{record['mean']:.6g} (mean of {record['n']:,.0f}; {self.decides_by(node)})"


def without_alternates(a: RegressionTreeArrays) -> RegressionTreeArrays:
    """A copy that holds the tree itself only."""
    nodes = a.nodes.copy()
    for node in range(1, int(a.numbers[N_NODES])):
        parent = nodes[nodes["parent"][node]]
        if parent["kind"] == DEAD or parent["alternate"] == node:
            nodes["kind"][node], nodes["block"][node] = DEAD, -1
    nodes["alternate"] = -1
    return trim(a._replace(nodes=nodes))
