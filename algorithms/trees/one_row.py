"""The trees' kernels for single rows, which cost too little to be handed over as structs."""

from __future__ import annotations

from typing import Any

from streamlearn.compiled import address_of, by_address, kernel
from streamlearn.work import class_work_at

from . import efdt_kernels, hat_kernels
from .arrays import allocate, make_tree, tree_options
from .kernels import advance

tree_at = by_address(lambda: make_tree(allocate((0,), 2, tree_options())))


@kernel
def tree_address(tree: Any) -> int:
    """Where a tree lives."""
    return int(address_of(tree))


@kernel
def advance_one(tree: int, work: int) -> int:
    """`kernels.advance` over a tree and a work that are given by their addresses."""
    return advance(tree_at(tree), class_work_at(work), 0)


efdt_advance, hat_advance = efdt_kernels.advance, hat_kernels.advance


@kernel
def efdt_advance_one(tree: int, work: int) -> int:
    """`efdt_kernels.advance` over a tree and a work that are given by their addresses."""
    return efdt_advance(tree_at(tree), class_work_at(work), 0)


@kernel
def hat_advance_one(tree: int, work: int) -> int:
    """`hat_kernels.advance` over a tree and a work that are given by their addresses."""
    return hat_advance(tree_at(tree), class_work_at(work), 0)
