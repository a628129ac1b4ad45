"""Checks that a tree from a file cannot lead a kernel out of its arrays or into an endless loop.

A checksum says that a file is what somebody wrote, not that he meant well. Numbers that only go into arithmetic may be
anything; whatever is used as an index, or followed from node to node, is verified here.
"""

from __future__ import annotations

import numpy as np

from streamlearn.errors import StateError

from ..drift.adwin_kernels import adwin_is_sound
from .arrays import (
    ADAPTING,
    ALTERNATE,
    ANYTIME,
    BINARY,
    CHAINED,
    CRITERIA,
    CRITERION,
    DEEPEST,
    FAMILY,
    INACTIVE,
    LEAF_MODE,
    LEAF_MODES,
    MULTIWAY,
    N_BLOCKS,
    N_CHILDREN,
    N_FREE,
    N_FREE_WINDOWS,
    N_INACTIVE,
    N_NODES,
    N_OPTIONS,
    N_WINDOWS,
    NUMERIC,
    SUBSPACE,
    WINDOW,
    HoeffdingTreeArrays,
    alternates_of,
    layout,
    sizes_of,
)


def check_tree(a: HoeffdingTreeArrays) -> None:
    """Verify that the arrays hold a tree.

    Parameters
    ----------
    a
        Arrays of unknown origin; only that they are NumPy arrays is taken for granted.

    Raises
    ------
    StateError
        If anything is out of range; the message names the array.
    """
    _check_fields(a)
    _check_options(a)
    _check_shapes(a)
    _check_numbers(a)
    _check_links(a)
    _check_nodes(a)
    _check_children(a)
    _check_blocks(a)


def _require(holds: object, array: str, problem: str) -> None:
    if not holds:
        raise StateError(f"array {array!r}: {problem}; the tree is damaged")


def _within(values: np.ndarray, low: int, stop: int) -> bool:
    return bool(((values >= low) & (values < stop)).all())


def _check_fields(a: HoeffdingTreeArrays) -> None:
    """The field layout, on which all shapes depend."""
    for name in ("place", "numeric_fields", "nominal_fields", "first"):
        array = getattr(a, name)
        _require(array.dtype == np.int32 and array.ndim == 1, name, "expected int32 of one dimension")
    nominal = a.place < 0
    _require((a.place[nominal] == ~np.arange(nominal.sum())).all(), "place", "nominal fields are not in order")
    _require((a.place[~nominal] == np.arange((~nominal).sum())).all(), "place", "numeric fields are not in order")
    for name, fields in (("numeric_fields", ~nominal), ("nominal_fields", nominal)):
        _require(np.array_equal(getattr(a, name), np.flatnonzero(fields)), name, "it disagrees with 'place'")
    starts = a.first.astype(np.int64)
    _require(len(starts) == nominal.sum() + 1 and starts[0] == 0, "first", "it disagrees with 'place'")
    _require((np.diff(starts) >= 1).all(), "first", "a nominal field has no room")


def _check_options(a: HoeffdingTreeArrays) -> None:
    """The options, of which the family says what the arrays hold."""
    _require(
        a.options.dtype == np.float64 and a.options.shape == (N_OPTIONS,), "options", f"expected {N_OPTIONS} numbers"
    )
    _require(np.isfinite(a.options).all(), "options", "a parameter is not finite")
    _require(a.options[LEAF_MODE] in range(len(LEAF_MODES)), "options", "there is no such leaf prediction")
    _require(a.options[FAMILY] in range(ADAPTING + 1), "options", "there is no such family of trees")
    _require(a.options[CRITERION] in range(len(CRITERIA)), "options", "there is no such criterion")
    _require(a.options[SUBSPACE] in range(len(a.place) + 1), "options", "a subspace has fields that are not there")


def _check_shapes(a: HoeffdingTreeArrays) -> None:
    """Dtypes and shapes; `sizes_of` takes the room from ``nodes``, ``counts``, ``children`` and ``free_blocks``."""
    for name, dimensions in (("nodes", 1), ("counts", 2), ("children", 1), ("free_blocks", 1)):
        _require(getattr(a, name).ndim == dimensions, name, f"expected {dimensions} dimension(s)")
    for name, (dtype, shape) in layout(sizes_of(a)).items():
        array = getattr(a, name)
        expected = f"expected {np.dtype(dtype).name} {shape}, got {array.dtype.name} {array.shape}"
        _require(array.dtype == dtype and array.shape == shape and array.flags.c_contiguous, name, expected)
    _require(a.counts.shape[1] >= 1, "counts", "there is no room for a class")


def _check_numbers(a: HoeffdingTreeArrays) -> None:
    numbers = a.numbers
    room = sizes_of(a)
    _require(1 <= numbers[N_NODES] <= room.nodes, "numbers", "the number of nodes is out of range")
    _require(0 <= numbers[N_CHILDREN] <= room.children, "numbers", "the number of children is out of range")
    _require(0 <= numbers[N_BLOCKS] <= room.blocks, "numbers", "the number of blocks is out of range")
    _require(0 <= numbers[N_FREE] <= numbers[N_BLOCKS], "numbers", "the number of free blocks is out of range")
    _require((numbers >= 0).all(), "numbers", "a counter is negative")


def _check_links(a: HoeffdingTreeArrays) -> None:
    """What a family keeps beside each node: chains of an anytime tree, windows and alternates of an adaptive one."""
    n, kind = int(a.numbers[N_NODES]), a.nodes["kind"][: a.numbers[N_NODES]]
    if a.options[FAMILY] == ANYTIME:
        _require(a.links[0, CHAINED] <= 0, "links", "the root is chained to a node above it")
    if a.options[FAMILY] != ADAPTING:
        return
    n_windows, n_free = int(a.numbers[N_WINDOWS]), int(a.numbers[N_FREE_WINDOWS])
    _require(n_windows <= len(a.free_windows), "numbers", "the number of windows is out of range")
    _require(n_free <= n_windows, "numbers", "the number of free windows is out of range")
    window, alternate = a.links[:n, WINDOW], a.links[:n, ALTERNATE]
    _require(_within(window, -1, n_windows) and _within(alternate, -1, n), "links", "a node's link leads nowhere")
    in_use = np.sort(np.concatenate([window[window >= 0], a.free_windows[:n_free]]))
    _require(np.array_equal(in_use, np.arange(n_windows)), "free_windows", "a window has no owner, or two")
    masters, alternates = alternates_of(a)
    _require((kind[masters] >= NUMERIC).all(), "links", "a leaf has an alternate")
    _require((kind[alternates] <= INACTIVE).all(), "links", "an alternate is not a leaf")
    _require((window[alternates] >= 0).all(), "links", "an alternate has no window")
    _require(adwin_is_sound(a.windows[:n_windows]), "windows", "a window's buckets disagree with its width")


def _check_nodes(a: HoeffdingTreeArrays) -> None:
    """Each node by itself."""
    nodes = a.nodes[: a.numbers[N_NODES]]
    kind, feature, depth = nodes["kind"], nodes["feature"], nodes["depth"]
    _require(_within(kind, 0, MULTIWAY + 1), "nodes", "there is no such kind of node")
    _require(_within(nodes["length"], 0, a.counts.shape[1] + 1), "nodes", "a node knows more classes than there are")
    _require((kind == INACTIVE).sum() == a.numbers[N_INACTIVE], "numbers", "inactive leaves are miscounted")
    splits = kind >= NUMERIC
    _require(_within(feature[splits], 0, len(a.place)), "nodes", "a split is on a field that is not there")
    numeric = a.place[feature[splits]] >= 0
    _require(((kind[splits] == NUMERIC) == numeric).all(), "nodes", "a split does not fit the kind of its field")
    parent = nodes["parent"]
    _require(parent[0] == -1 and depth[0] == 0, "nodes", "the root has a parent")
    _require((parent[1:] >= 0).all(), "nodes", "a node has no parent")
    _require((parent[1:] < np.arange(1, len(nodes))).all(), "nodes", "a node comes before its parent")
    below = np.ones(len(nodes), np.int64)
    below[alternates_of(a)[1]] = 0
    _require((depth[1:] == (depth[parent] + below)[1:]).all(), "nodes", "a node's depth disagrees with its parent's")
    _require(_within(depth, 0, DEEPEST + 1), "nodes", "a node is too deep")


def _check_children(a: HoeffdingTreeArrays) -> None:
    """The nodes form one tree: each but the root is the child or the alternate of exactly one split, its parent."""
    nodes = a.nodes[: a.numbers[N_NODES]]
    child = nodes["child"].astype(np.int64)
    pairs = np.flatnonzero((nodes["kind"] == NUMERIC) | (nodes["kind"] == BINARY))
    fans = np.flatnonzero(nodes["kind"] == MULTIWAY)

    room = np.diff(a.first)[~a.place[nodes["feature"][fans]]].astype(np.int64)
    order = np.argsort(child[fans], kind="stable")
    ends = np.cumsum(room[order])
    _require(np.array_equal(child[fans][order], ends - room[order]), "nodes", "splits share children or leave gaps")
    _require(room.sum() == a.numbers[N_CHILDREN], "numbers", "children are miscounted")
    slots = a.children[: a.numbers[N_CHILDREN]]
    _require(_within(slots, -1, len(nodes)), "children", "a child is not there")

    owners = np.repeat(fans[order], room[order])[slots >= 0]
    masters, alternates = alternates_of(a)
    parents = np.concatenate([pairs, pairs, owners, masters])
    children = np.concatenate([child[pairs], child[pairs] + 1, slots[slots >= 0], alternates])
    by_child = np.argsort(children, kind="stable")
    _require(np.array_equal(children[by_child], np.arange(1, len(nodes))), "nodes", "a node has no parent, or two")
    _require(np.array_equal(parents[by_child], nodes["parent"][1:]), "nodes", "a node's parent is not its parent")


def _check_blocks(a: HoeffdingTreeArrays) -> None:
    """Each block belongs to one active leaf or is free; its slots are within the field's room."""
    nodes, n_blocks = a.nodes[: a.numbers[N_NODES]], int(a.numbers[N_BLOCKS])
    free = a.free_blocks[: a.numbers[N_FREE]]
    owned = nodes["block"] >= 0
    _require(_within(nodes["block"], -1, n_blocks), "nodes", "a leaf's block is not there")
    if a.options[FAMILY] == ANYTIME:
        _require(owned[nodes["kind"] >= NUMERIC].all(), "nodes", "a split has no block")
        owners = nodes["kind"] != INACTIVE
    else:
        owners = nodes["kind"] < INACTIVE
    _require(owners[owned].all(), "nodes", "a node that keeps no statistics has a block")
    in_use = np.sort(np.concatenate([nodes["block"][owned], free]))
    _require(np.array_equal(in_use, np.arange(n_blocks)), "free_blocks", "a block has no owner, or two")
    if a.options[SUBSPACE]:
        _check_subspaces(a)
        return
    room = np.diff(a.first)
    _require(((a.slots >= 0) & (a.slots <= room)).all(), "slots", "a category is beyond its field's room")


def _check_subspaces(a: HoeffdingTreeArrays) -> None:
    """Each block observes fields of the right kind, in their order, and at most as many as it has observers for."""
    n, Bn = int(a.numbers[N_BLOCKS]), a.numeric.shape[3]
    room = np.diff(a.first)
    sides = ((a.fields[:n, :Bn], False, a.n_fields[:n, 0]), (a.fields[:n, Bn:], True, a.n_fields[:n, 1]))
    for fields, nominal, lengths in sides:
        width = fields.shape[1]
        _require(_within(lengths, 0, width + 1), "n_fields", "a block has more fields than observers")
        used = np.arange(width) < lengths[:, None]
        _require(_within(fields, 0, max(1, len(a.place))), "fields", "a field is not there")
        _require(((a.place[fields] < 0) == nominal)[used].all(), "fields", "a field is of the wrong kind")
        ascends = fields[:, 1:] > fields[:, :-1]
        _require(ascends[used[:, 1:]].all(), "fields", "a block's fields are not in order")
        if nominal and width:
            most = np.where(used, room[np.where(used, ~a.place[fields], 0)], 0)
            within = (a.slots[:n] >= 0) & (a.slots[:n] <= most[:, None, :])
            _require(within.all(), "slots", "a category is beyond its field's room")
    _require(_within(a.drawn, 0, 2) and a.drawn.sum() <= a.options[SUBSPACE], "drawn", "too many fields are drawn")
