"""The regression trees' kernels for single rows, which cost too little to be handed over as structs."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import address_of, by_address, kernel
from streamlearn.work import value_work_at

from .monitoring import advance_monitored
from .regression_arrays import N_OPTIONS, RegressionTreeArrays, Sizes, allocate, make_regression_tree
from .regression_kernels import advance


def _example() -> RegressionTreeArrays:
    """A tree of no fields, for its type."""
    return allocate(Sizes((), 8, False, False, 1, 1, 1), np.zeros(N_OPTIONS), np.zeros(0, np.uint64))


tree_at = by_address(lambda: make_regression_tree(_example()))


@kernel
def tree_address(tree: Any) -> int:
    """Where a tree lives."""
    return int(address_of(tree))


@kernel
def advance_one(tree: int, work: int) -> int:
    """`advance` over a tree and a work that are given by their addresses."""
    return advance(tree_at(tree), value_work_at(work), 0)


@kernel
def advance_monitored_one(tree: int, work: int) -> int:
    """`advance_monitored` over a tree and a work that are given by their addresses."""
    return advance_monitored(tree_at(tree), value_work_at(work), 0)
