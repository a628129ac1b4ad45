"""Checks that a regression tree from a file cannot lead a kernel out of its arrays or into an endless loop."""

from __future__ import annotations

import numpy as np

from streamlearn.errors import StateError

from ..drift.adwin_kernels import adwin_is_sound
from .arrays import BINARY, DEEPEST, LEAF, MULTIWAY, NUMERIC
from .regression_arrays import (
    ALTERNATES,
    DEAD,
    LIVE_BLOCKS,
    LIVE_NODES,
    N_BLOCKS,
    N_CHILDREN,
    N_NODES,
    N_SEEN,
    NO_FIELD,
    RegressionTreeArrays,
    Sizes,
    layout,
    sizes_of,
)


def check_regression_tree(a: RegressionTreeArrays, expected: Sizes) -> None:
    """Verify that the arrays hold a tree, trimmed as a state is.

    Parameters
    ----------
    a
        Arrays of the right dtypes and dimensions, otherwise of unknown origin.
    expected
        What the learner's schema and parameters make of the sizes, whatever the room for nodes, blocks and children.

    Raises
    ------
    StateError
        If anything is out of range; the message names the array.
    """
    _check_shapes(a, expected)
    _check_numbers(a)
    _check_nodes(a)
    _check_children(a)
    _check_blocks(a)


def _require(holds: object, array: str, problem: str) -> None:
    if not holds:
        raise StateError(f"array {array!r}: {problem}; the tree is damaged")


def _within(values: np.ndarray, low: int, stop: int) -> bool:
    return bool(((values >= low) & (values < stop)).all())


def _check_shapes(a: RegressionTreeArrays, expected: Sizes) -> None:
    sizes = expected._replace(nodes=len(a.nodes), blocks=len(a.used), children=len(a.children))
    for name, (dtype, shape) in layout(sizes).items():
        array = getattr(a, name)
        said = f"expected {np.dtype(dtype).name} {shape}, got {array.dtype.name} {array.shape}"
        _require(array.dtype == dtype and array.shape == shape and array.flags.c_contiguous, name, said)
    room = np.array(sizes.cardinality, np.int64)
    nominal = room > 0
    _require((a.place[nominal] == ~np.arange(nominal.sum())).all(), "place", "nominal fields are not in order")
    _require((a.place[~nominal] == np.arange((~nominal).sum())).all(), "place", "numeric fields are not in order")
    _require(np.array_equal(a.numeric_fields, np.flatnonzero(~nominal)), "numeric_fields", "it disagrees with 'place'")
    _require(np.array_equal(a.nominal_fields, np.flatnonzero(nominal)), "nominal_fields", "it disagrees with 'place'")
    _require(np.array_equal(a.first, np.cumsum([0, *room[nominal]])), "first", "it disagrees with the schema")


def _check_numbers(a: RegressionTreeArrays) -> None:
    numbers, sizes = a.numbers, sizes_of(a)
    _require((numbers >= 0).all() and (numbers < 2**48).all(), "numbers", "a count is out of range")
    for total, alive, room in (
        (N_NODES, LIVE_NODES, sizes.nodes),
        (N_BLOCKS, LIVE_BLOCKS, sizes.blocks),
        (N_CHILDREN, N_CHILDREN, sizes.children),
    ):
        _require(numbers[total] == numbers[alive] == room, "numbers", "it disagrees with the other arrays")
    _require(sizes.nodes >= 1, "nodes", "there is no root")


def _check_nodes(a: RegressionTreeArrays) -> None:
    """Each node by itself."""
    nodes = a.nodes
    kind, feature, depth, parent = nodes["kind"], nodes["feature"], nodes["depth"], nodes["parent"]
    _require(np.isin(kind, (LEAF, NUMERIC, BINARY, MULTIWAY)).all() and DEAD not in kind, "nodes", "no such kind")
    splits = kind >= NUMERIC
    _require(_within(feature[splits], 0, len(a.place)), "nodes", "a split is on a field that is not there")
    numeric = a.place[feature[splits]] >= 0
    _require(((kind[splits] == NUMERIC) == numeric).all(), "nodes", "a split does not fit the kind of its field")
    _require(parent[0] == -1 and depth[0] == 0, "nodes", "the root has a parent")
    _require(_within(parent[1:], 0, len(nodes)), "nodes", "a node has no parent")
    _require((parent[1:] < np.arange(1, len(nodes))).all(), "nodes", "a node comes before its parent")
    _require(_within(depth, 0, DEEPEST + 1), "nodes", "a node is too deep")
    alternate = np.zeros(len(nodes), np.int64)
    owners = np.flatnonzero(nodes["alternate"] >= 0)
    _require(_within(nodes["alternate"], -1, len(nodes)), "nodes", "an alternate tree is not there")
    _require((nodes["alternate"][owners] > owners).all(), "nodes", "an alternate tree comes before its split")
    member = a.subspaces.shape[1] > 0
    _require(
        (owners == 0).all() if member else splits[owners].all(), "nodes", "a node that can't has an alternate tree"
    )
    alternate[nodes["alternate"][owners]] = 1
    _require(len(owners) == alternate.sum() == a.numbers[ALTERNATES], "numbers", "alternate trees are miscounted")
    _require((depth[1:] == (depth[parent] + 1 - alternate)[1:]).all(), "nodes", "a depth disagrees with the parent's")
    if a.windows.shape[1]:
        _require(adwin_is_sound(a.windows), "windows", "a window contradicts itself")
    if member:
        seen = a.seen.astype(np.int64)
        _require(_within(seen, 0, 2) and seen.sum() == a.numbers[N_SEEN], "seen", "fields are miscounted")
        _require(adwin_is_sound(a.detectors), "detectors", "a window contradicts itself")


def _check_children(a: RegressionTreeArrays) -> None:
    """The nodes form one tree: each but the root is the child, or the alternate, of exactly one split, its parent."""
    nodes = a.nodes
    child = nodes["child"].astype(np.int64)
    pairs = np.flatnonzero((nodes["kind"] == NUMERIC) | (nodes["kind"] == BINARY))
    fans = np.flatnonzero(nodes["kind"] == MULTIWAY)
    splits, owners = np.flatnonzero(nodes["kind"] >= NUMERIC), np.flatnonzero(nodes["alternate"] >= 0)

    room = np.diff(a.first)[~a.place[nodes["feature"][fans]]].astype(np.int64)
    order = np.argsort(child[fans], kind="stable")
    ends = np.cumsum(room[order])
    _require(np.array_equal(child[fans][order], ends - room[order]), "nodes", "splits share children or leave gaps")
    _require(room.sum() == len(a.children), "children", "children are miscounted")
    _require(_within(a.children, -1, len(nodes)), "children", "a child is not there")

    present = a.children >= 0
    parents = np.concatenate([pairs, pairs, np.repeat(fans[order], room[order])[present], owners])
    children = np.concatenate([child[pairs], child[pairs] + 1, a.children[present], nodes["alternate"][owners]])
    by_child = np.argsort(children, kind="stable")
    _require(np.array_equal(children[by_child], np.arange(1, len(nodes))), "nodes", "a node has no parent, or two")
    _require(np.array_equal(parents[by_child], nodes["parent"][1:]), "nodes", "a node's parent is not its parent")
    usual = nodes["usual"][splits]
    _require(_within(usual, 1, len(nodes)), "nodes", "a split has no usual branch")
    right = (nodes["parent"][usual] == splits) & (usual != nodes["alternate"][splits])
    _require(right.all(), "nodes", "a split's usual branch is not its own")


def _check_blocks(a: RegressionTreeArrays) -> None:
    """Each block belongs to one leaf; its bins are within its room."""
    _require(_within(a.nodes["block"], -1, len(a.used)), "nodes", "a leaf's block is not there")
    owned = a.nodes["block"] >= 0
    _require((a.nodes["kind"][owned] == LEAF).all(), "nodes", "a node that is no leaf has a block")
    in_use = np.sort(a.nodes["block"][owned])
    _require(np.array_equal(in_use, np.arange(len(a.used))), "nodes", "a block has no owner, or two")
    _require(_within(a.used, 0, a.bins.shape[2] + 1), "used", "more bins are in use than there are")
    fields, slots, O = a.subspaces.astype(np.int64), np.arange(a.subspaces.shape[1]), a.used.shape[1]
    numeric, nominal = fields >= 0, (fields < 0) & (fields != NO_FIELD)
    _require((fields[numeric] < len(a.numeric_fields)).all(), "subspaces", "a field is not there")
    _require((~fields[nominal] < len(a.nominal_fields)).all(), "subspaces", "a field is not there")
    _require(not numeric[:, slots >= O].any(), "subspaces", "a numeric field has no observer")
