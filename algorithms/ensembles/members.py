"""The trees of an ensemble as the few arrays that a state holds, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamlearn.errors import StateError

from ..trees import arrays as tree_arrays
from ..trees.arrays import N_BLOCKS, N_CHILDREN, N_NODES, SHARED, SUBSPACE, HoeffdingTreeArrays
from ..trees.check import check_tree

LENGTHS = {
    "nodes": N_NODES,
    "counts": N_NODES,
    "children": N_CHILDREN,
    "free_blocks": N_BLOCKS,
    "observed": N_BLOCKS,
    "numeric": N_BLOCKS,
    "tables": N_BLOCKS,
    "totals": N_BLOCKS,
    "slots": N_BLOCKS,
    "constants": N_BLOCKS,
}
"""Arrays in which trees differ, and the place in ``numbers`` that says how much of each is used."""
IN_SUBSPACES = {"fields": N_BLOCKS, "n_fields": N_BLOCKS}
"""The same, for trees that draw fields."""

PREFIX = "tree_"


def lengths_of(template: HoeffdingTreeArrays) -> dict[str, int]:
    """`LENGTHS` for trees like ``template``."""
    return LENGTHS | (IN_SUBSPACES if template.options[SUBSPACE] else {})


def whole(template: HoeffdingTreeArrays) -> tuple[str, ...]:
    """Arrays in which trees like ``template`` differ, and which are equally long in all."""
    return ("numbers", "drawn") if template.options[SHARED] else ("numbers",)


def layout(template: HoeffdingTreeArrays) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Dtype and shape of each array that a state holds of trees like ``template``; the first dimension is left open."""
    shapes = {name: getattr(template, name) for name in lengths_of(template)}
    stacked = {name: getattr(template, name)[None] for name in whole(template)}
    arrays = {**stacked, **shapes}
    return {PREFIX + name: (array.dtype, (0, *array.shape[1:])) for name, array in arrays.items()}


def joined(trees: Sequence[HoeffdingTreeArrays]) -> dict[str, np.ndarray]:
    """What was learned, tree after tree, without room for more: ``numbers`` says where each one ends."""
    trimmed = [tree_arrays.trim(tree) for tree in trees]
    stacked = {PREFIX + name: np.stack([getattr(tree, name) for tree in trimmed]) for name in whole(trees[0])}
    parts = {PREFIX + name: np.concatenate([getattr(tree, name) for tree in trimmed]) for name in lengths_of(trees[0])}
    return {**stacked, **parts}


def parted(saved: Mapping[str, np.ndarray], template: HoeffdingTreeArrays, n_trees: int) -> list[HoeffdingTreeArrays]:
    """The trees that `joined` joined.

    Parameters
    ----------
    saved
        Its arrays, of the dtypes and dimensions of `layout`, otherwise of unknown origin.
    template
        An empty tree for the same fields, classes and options.
    n_trees
        How many there must be.

    Raises
    ------
    StateError
        If they are not trees.
    """
    for name in whole(template):
        shape, expected = saved[PREFIX + name].shape, (n_trees, *getattr(template, name).shape)
        if shape != expected:
            raise StateError(f"array '{PREFIX}{name}': expected {expected}, got {shape}")
    numbers = saved[PREFIX + "numbers"]
    parts = {}
    for name, place in lengths_of(template).items():
        lengths, array = numbers[:, place], saved[PREFIX + name]
        if (lengths < 0).any() or (lengths > len(array)).any() or lengths.sum() != len(array):
            raise StateError(f"array '{PREFIX}{name}': its length disagrees with '{PREFIX}numbers'")
        parts[name] = np.split(array, np.cumsum(lengths)[:-1])
    trees = []
    for t in range(n_trees):
        own = {name: part[t].copy() for name, part in parts.items()}
        own |= {name: saved[PREFIX + name][t].copy() for name in whole(template)}
        tree = template._replace(**own)
        check_tree(tree)
        trees.append(tree)
    return trees
