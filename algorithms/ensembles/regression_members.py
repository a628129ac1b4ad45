"""The regression trees of a forest as the few arrays that a state holds, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamlearn.errors import StateError

from ..trees import regression_arrays as tree_arrays
from ..trees.regression_arrays import N_BLOCKS, N_CHILDREN, N_NODES, RegressionTreeArrays, sizes_of
from ..trees.regression_check import check_regression_tree

LENGTHS = {
    "nodes": N_NODES,
    "coefficients": N_NODES,
    "scales": N_NODES,
    "children": N_CHILDREN,
    "subspaces": N_BLOCKS,
    "used": N_BLOCKS,
    "bins": N_BLOCKS,
    "tables": N_BLOCKS,
}
"""Arrays whose length depends on the tree, and the place in ``numbers`` that says how long each is."""
FIXED = ("numbers", "seen", "detectors", "scale", "random")
"""Other arrays in which trees differ."""
PREFIX = "tree_"


def layout(template: RegressionTreeArrays) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Dtype and shape of each array that a state holds of trees like ``template``; the first dimension is left open."""
    arrays = template._asdict()
    shapes = {PREFIX + name: (arrays[name].dtype, (0, *arrays[name].shape)) for name in FIXED}
    return shapes | {PREFIX + name: (arrays[name].dtype, (0, *arrays[name].shape[1:])) for name in LENGTHS}


def joined(trees: Sequence[RegressionTreeArrays]) -> dict[str, np.ndarray]:
    """What was learned, tree after tree, without room for more: ``numbers`` says where each one ends."""
    trimmed = [tree_arrays.trim(tree)._asdict() for tree in trees]
    arrays = {PREFIX + name: np.stack([tree[name] for tree in trimmed]) for name in FIXED}
    return arrays | {PREFIX + name: np.concatenate([tree[name] for tree in trimmed]) for name in LENGTHS}


def parted(saved: Mapping[str, np.ndarray], template: RegressionTreeArrays, n_trees: int) -> list[RegressionTreeArrays]:
    """The trees that `joined` joined.

    Parameters
    ----------
    saved
        Its arrays, of the dtypes and dimensions of `layout`, otherwise of unknown origin.
    template
        An empty tree for the same fields and options.
    n_trees
        How many there must be.

    Raises
    ------
    StateError
        If they are not trees.
    """
    for name in FIXED:
        found, expected = saved[PREFIX + name].shape, (n_trees, *getattr(template, name).shape)
        if found != expected:
            raise StateError(f"array '{PREFIX}{name}': expected {expected}, got {found}")
    numbers = saved[PREFIX + "numbers"]
    parts: dict[str, list[np.ndarray]] = {name: list(saved[PREFIX + name]) for name in FIXED}
    for name, place in LENGTHS.items():
        lengths, n = numbers[:, place], len(saved[PREFIX + name])
        if (lengths < 0).any() or (lengths > n).any() or lengths.sum() != n:
            raise StateError(f"array '{PREFIX}{name}': its length disagrees with '{PREFIX}numbers'")
        parts[name] = np.split(saved[PREFIX + name], np.cumsum(lengths)[:-1])
    expected_sizes, trees = sizes_of(template), []
    for t in range(n_trees):
        own = {name: arrays[t].copy() for name, arrays in parts.items()}
        tree = template._replace(**own, windows=np.empty((len(own["nodes"]), 0)))
        check_regression_tree(tree, expected_sizes)
        if not tree.random.any():
            raise StateError(f"array '{PREFIX}random': a generator's state is zero")
        trees.append(tree)
    return trees
