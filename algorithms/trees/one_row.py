"""The tree's kernel for single rows, which cost too little to be handed over as structs."""

from __future__ import annotations

from streamlearn.compiled import by_address, kernel
from streamlearn.work import class_work_at

from .arrays import allocate, make_tree, tree_options
from .kernels import advance

tree_at = by_address(lambda: make_tree(allocate((0,), 2, tree_options())))


@kernel
def advance_one(tree: int, work: int) -> int:
    """`advance` over a tree and a work that are given by their addresses."""
    return advance(tree_at(tree), class_work_at(work), 0)
