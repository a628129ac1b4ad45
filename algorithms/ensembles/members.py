"""The trees of an ensemble as the few arrays that a state holds, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamlearn.errors import StateError

from ..trees import arrays as tree_arrays
from ..trees.arrays import N_BLOCKS, N_CHILDREN, N_NODES, N_NUMBERS, HoeffdingTreeArrays
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

PREFIX = "tree_"


def layout(template: HoeffdingTreeArrays) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Dtype and shape of each array that a state holds of trees like ``template``; the first dimension is left open."""
    arrays = {PREFIX + name: getattr(template, name) for name in ("numbers", *LENGTHS)}
    shapes = {name: (array.dtype, (0, *array.shape[1:])) for name, array in arrays.items()}
    return {**shapes, PREFIX + "numbers": (np.dtype(np.int64), (0, N_NUMBERS))}


def joined(trees: Sequence[HoeffdingTreeArrays]) -> dict[str, np.ndarray]:
    """What was learned, tree after tree, without room for more: ``numbers`` says where each one ends."""
    trimmed = [tree_arrays.trim(tree) for tree in trees]
    parts = {PREFIX + name: np.concatenate([getattr(tree, name) for tree in trimmed]) for name in LENGTHS}
    return {PREFIX + "numbers": np.stack([tree.numbers for tree in trimmed]), **parts}


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
    numbers = saved[PREFIX + "numbers"]
    if numbers.shape != (n_trees, N_NUMBERS):
        raise StateError(f"array '{PREFIX}numbers': expected {(n_trees, N_NUMBERS)}, got {numbers.shape}")
    borders = {}
    for name, place in LENGTHS.items():
        lengths, n = numbers[:, place], len(saved[PREFIX + name])
        if (lengths < 0).any() or (lengths > n).any() or lengths.sum() != n:
            raise StateError(f"array '{PREFIX}{name}': its length disagrees with '{PREFIX}numbers'")
        borders[name] = np.cumsum(lengths)[:-1]
    parts = {name: np.split(saved[PREFIX + name], at) for name, at in borders.items()}
    trees = []
    for t in range(n_trees):
        own = {name: parts[name][t].copy() for name in LENGTHS}
        tree = template._replace(numbers=numbers[t].copy(), **own)
        check_tree(tree)
        trees.append(tree)
    return trees
