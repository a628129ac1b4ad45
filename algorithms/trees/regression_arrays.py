"""The arrays in which a regression tree lives: what each holds, how they are made, packed closely, and given more room.

A tree is a table of nodes, in which children come after their parents. A leaf that collects statistics for its next
split owns a *block*: its observers of every field. Kernels only ever append nodes and blocks; what has died meanwhile
leaves when the arrays are `rebuilt`, which keeps the order of the rest, so that no result depends on when that happens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import kernel, struct
from streamlearn.errors import StateError

from ..drift.adwin_kernels import adwin_size
from .arrays import MULTIWAY, NUMERIC, widest_split

(
    N_NODES,
    N_CHILDREN,
    N_BLOCKS,
    LIVE_NODES,
    LIVE_BLOCKS,
    ALTERNATES,
    STARTED,
    SWITCHED,
    PRUNED,
    N_SEEN,
    SHORT,
) = range(11)
"""Places in ``numbers``."""
N_NUMBERS = 11

ENOUGH, NODES, CHILDREN, BLOCKS, COLUMNS = range(5)
"""What ``numbers[SHORT]`` says that `advance` stopped for."""

(
    GRACE,
    DELTA,
    TAU,
    LEAF_MODE,
    DECAY,
    MIN_SAMPLES,
    BINARY_ONLY,
    RATE,
    MAX_DEPTH,
    MAX_NODES,
    MAX_BLOCKS,
    BOOTSTRAP,
    MIN_WINDOW,
    SIGNIFICANCE,
    DRIFT_DELTA,
    RESIDUALS,
    RESAMPLING,
    WARNING_DELTA,
) = range(18)
"""Places in ``options``."""
N_OPTIONS = 18

BY_MEAN, BY_MODEL, BY_EITHER = range(3)
"""Values of ``options[LEAF_MODE]``; `PREDICTIONS` has their names."""
PREDICTIONS = ("mean", "model", "adaptive")

DEAD = -1
"""Kind of a node that is no longer part of the tree; the other kinds are those of `arrays`, without INACTIVE."""

WEIGHT, MEAN, SQUARES, RESIDUAL, UNEXPLAINED = range(5)
"""Places in moments: weight; mean and squared deviations of the targets; the same of what the leaf's model missed."""
N_MOMENTS = 5
LOW, HIGH = 5, 6
"""Further places in a bin: the least and the greatest value in it."""
N_BIN = 7

SEEN, CENTRE, VARIANCE, INVERSE = range(4)
"""Places in the scale of a numeric field: weight, mean, variance, 1 / deviation (0 where the field has not varied)."""
N_SCALE = 4

WINDOW_ROWS = 20
"""Bucket rows of an ADWIN: it remembers up to five million errors."""

WARNING, DRIFT = range(2)
"""Rows of ``detectors``."""

ERRORS, MEAN_SQUARE, VOTES, VOTES_SQUARE = range(4)
"""Places in ``scale``."""

NO_FIELD = -(2**31)
"""In ``subspaces``: no field."""

NODE = np.dtype(
    [
        ("threshold", np.float64),  # of a split: t, or the category v
        ("merit", np.float64),  # of a split: the variance that it took away
        ("n", np.float64),  # weight of the targets, inherited and learned, and their mean; of a split, when it split
        ("mean", np.float64),
        ("seen", np.float64),  # of a leaf: weight that its observers have seen
        ("tried", np.float64),  # of a leaf: that weight at the last attempt to split
        ("mean_error", np.float64),  # faded sums of squared errors of the mean, and of the model
        ("model_error", np.float64),
        ("errors", np.float64),  # of a monitored node: how many absolute errors, their mean, squared deviations
        ("error_mean", np.float64),
        ("error_squares", np.float64),
        ("feature", np.int32),  # of a split: the column it tests
        ("child", np.int32),  # first of two adjacent child nodes; of a MULTIWAY node: its first slot in children
        ("usual", np.int32),  # of a split: the child for rows that miss the field
        ("block", np.int32),  # of a leaf: its observers, or -1
        ("parent", np.int32),  # -1 at the root; of the root of an alternate tree, the split it may replace
        ("alternate", np.int32),  # of a split: the root of its alternate tree, or -1
        ("depth", np.int16),
        ("kind", np.int16),
    ]
)


class RegressionTreeArrays(NamedTuple):
    """State of a regression tree.

    ``D`` fields, of which ``Dn`` numeric and ``Dm`` nominal; room for ``V`` categories over all nominal fields, for
    ``N`` nodes, ``B`` blocks and ``K`` children; ``P = 1 + Dn + V`` coefficients a node, or none if leaves predict
    means. ``R`` random words and ``A`` numbers for a window of errors, if the tree is monitored, else none. If the tree
    is a member of a forest, each leaf observes ``S`` fields, of which up to ``O = min(S, Dn)`` are numeric, else all.

    Attributes
    ----------
    numbers : int64 [11]
        Nodes, children and blocks in the arrays; those of the first and the last that are alive; alternate trees alive,
        ever started, ever put in place, ever given up; fields that a member has seen; what there is no room for.
    options : float64 [18]
        Parameters, see `tree_options`.
    place : int32 [D]
        Of a numeric field, its index among the numeric ones; of a nominal field, ``~`` its index among the nominal.
    numeric_fields : int32 [Dn]
    nominal_fields : int32 [Dm]
        Columns of the numeric and of the nominal fields.
    first : int32 [Dm + 1]
        First row of each nominal field in a block's table; field ``i`` has room for ``first[i+1] - first[i]`` codes.
    nodes : NODE [N]
        Node 0 is the root.
    children : int32 [K]
        Child nodes of MULTIWAY nodes by category, -1 where there is none yet.
    coefficients : float64 [N, P]
        Linear model of each node: intercept, numeric fields, categories.
    scales : float64 [N, 4, Dn]
        What the model standardises numeric fields by; no rows' worth if leaves predict means.
    seen : uint8 [D] or [0]
        Whether a member has learned a row that had the field: its leaves draw among these, so that it does not matter
        how early a batch makes later fields known.
    draws : int32 [D + 1] or [0]
        How many fields a member's leaf draws, by the number of fields seen.
    subspaces : int32 [B, S]
        The fields that a block of a member observes, by their ``place``: first the numeric ones, then the nominal ones,
        then `NO_FIELD`.
    used : int32 [B, O]
        Bins in use.
    bins : float64 [B, O, bins, 7]
        Numeric observers: moments by intervals of the field, in ascending order; ``O = Dn`` if all are observed.
    tables : float64 [B, V, 5]
        Nominal observers: moments by category.
    windows : float64 [N, A]
        ADWIN over the errors of each node.
    detectors : float64 [2, A] or [0, 0]
        ADWIN over the errors of a member, for warnings and for drifts.
    scale : float64 [4]
        Weight and mean of all squared errors, by which the errors in the windows are scaled; of a member, also those
        since its tree took its place.
    random : uint64 [R]
        Generator of the bootstrap's weights, and of a member's subspaces.
    """

    numbers: np.ndarray
    options: np.ndarray
    place: np.ndarray
    numeric_fields: np.ndarray
    nominal_fields: np.ndarray
    first: np.ndarray
    nodes: np.ndarray
    children: np.ndarray
    coefficients: np.ndarray
    scales: np.ndarray
    seen: np.ndarray
    draws: np.ndarray
    subspaces: np.ndarray
    used: np.ndarray
    bins: np.ndarray
    tables: np.ndarray
    windows: np.ndarray
    detectors: np.ndarray
    scale: np.ndarray
    random: np.ndarray


RegressionTree, RegressionTreeType = struct(RegressionTreeArrays)


@kernel
def make_regression_tree(a: RegressionTreeArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return RegressionTree(
        a.numbers,
        a.options,
        a.place,
        a.numeric_fields,
        a.nominal_fields,
        a.first,
        a.nodes,
        a.children,
        a.coefficients,
        a.scales,
        a.seen,
        a.draws,
        a.subspaces,
        a.used,
        a.bins,
        a.tables,
        a.windows,
        a.detectors,
        a.scale,
        a.random,
    )


class Sizes(NamedTuple):
    """How much room the arrays have.

    Attributes
    ----------
    cardinality
        Room for categories of each field, at least 1; 0 for a numeric field.
    bins
        Bins of a numeric observer.
    models, monitored
        Whether nodes have linear models, and windows of their errors.
    nodes, blocks, children
        Room for nodes, for leaves with observers, and for children of multiway splits.
    draws
        Fields that a leaf of a forest's member draws, by how many there are; none for a tree that is no member.
    """

    cardinality: tuple[int, ...]
    bins: int
    models: bool
    monitored: bool
    nodes: int
    blocks: int
    children: int
    draws: tuple[int, ...] = ()


def layout(sizes: Sizes) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """For each array: its dtype and its shape."""
    D, B = len(sizes.cardinality), sizes.blocks
    Dm, V = sum(size > 0 for size in sizes.cardinality), sum(sizes.cardinality)
    Dn = D - Dm
    member = len(sizes.draws) > 0
    S = max(1, sizes.draws[-1]) if member else 0
    O = min(S, Dn) if member else Dn
    window = adwin_size(WINDOW_ROWS)
    return {
        "numbers": (np.int64, (N_NUMBERS,)),
        "options": (np.float64, (N_OPTIONS,)),
        "place": (np.int32, (D,)),
        "numeric_fields": (np.int32, (Dn,)),
        "nominal_fields": (np.int32, (Dm,)),
        "first": (np.int32, (Dm + 1,)),
        "nodes": (NODE, (sizes.nodes,)),
        "children": (np.int32, (sizes.children,)),
        "coefficients": (np.float64, (sizes.nodes, 1 + Dn + V if sizes.models else 0)),
        "scales": (np.float64, (sizes.nodes, N_SCALE, Dn if sizes.models else 0)),
        "seen": (np.uint8, (D if member else 0,)),
        "draws": (np.int32, (len(sizes.draws),)),
        "subspaces": (np.int32, (B, S)),
        "used": (np.int32, (B, O)),
        "bins": (np.float64, (B, O, sizes.bins, N_BIN)),
        "tables": (np.float64, (B, V, N_MOMENTS)),
        "windows": (np.float64, (sizes.nodes, window if sizes.monitored else 0)),
        "detectors": (np.float64, (2, window) if member else (0, 0)),
        "scale": (np.float64, (4,)),
        "random": (np.uint64, (4 if sizes.monitored or member else 0,)),
    }


def allocate(sizes: Sizes, options: np.ndarray, random: np.ndarray) -> RegressionTreeArrays:
    """The arrays of an empty tree: one leaf.

    Parameters
    ----------
    sizes
        Room, of which there will be at least what a first row may need.
    options : float64 [18]
        The parameters.
    random : uint64 [4] or [0]
        The generator's first state.
    """
    widest = widest_split(sizes.cardinality)
    a = _empty(
        sizes._replace(
            nodes=max(sizes.nodes, widest + 3), children=max(sizes.children, widest), blocks=max(sizes.blocks, 1)
        )
    )
    a.options[:], a.random[:] = options, random
    a.numbers[[N_NODES, LIVE_NODES]] = 1
    for name in ("block", "parent", "alternate", "usual"):
        a.nodes[name][0] = -1
    return a


def _empty(sizes: Sizes) -> RegressionTreeArrays:
    """Arrays with the fields laid out and nothing in them."""
    a = RegressionTreeArrays(**{name: np.zeros(shape, dtype) for name, (dtype, shape) in layout(sizes).items()})
    room = np.array(sizes.cardinality, np.int64)
    nominal = room > 0
    a.place[nominal] = ~np.arange(nominal.sum())
    a.place[~nominal] = np.arange((~nominal).sum())
    a.numeric_fields[:] = np.flatnonzero(~nominal)
    a.nominal_fields[:] = np.flatnonzero(nominal)
    a.first[1:] = np.cumsum(room[nominal])
    a.draws[:] = sizes.draws
    return a


def sizes_of(a: RegressionTreeArrays) -> Sizes:
    """How much room the arrays have."""
    cardinality = np.zeros(len(a.place), np.int64)
    cardinality[a.nominal_fields] = np.diff(a.first)
    return Sizes(
        tuple(cardinality.tolist()),
        a.bins.shape[2],
        a.coefficients.shape[1] > 0,
        a.windows.shape[1] > 0,
        len(a.nodes),
        len(a.used),
        len(a.children),
        tuple(a.draws.tolist()),
    )


def extend(a: RegressionTreeArrays) -> RegressionTreeArrays:
    """Room for what `advance` stopped for: by leaving out what has died if that is a good part, else by doubling.

    Raises
    ------
    StateError
        If it did not stop for lack of room, or for lack of columns in the rows.
    """
    sizes, short, numbers = sizes_of(a), a.numbers[SHORT], a.numbers
    if short == COLUMNS:
        raise StateError(f"the rows have fewer columns than the tree has fields, {len(a.place)}")
    if short not in (NODES, CHILDREN, BLOCKS):
        raise StateError("array 'numbers': the tree stopped in the middle of a batch though it had room; it is damaged")
    times = int(numbers[ALTERNATES]) + 1  # what `regression_kernels.lacks` asks for
    widest = widest_split(sizes.cardinality)
    nodes = a.nodes[: numbers[N_NODES]]
    fans = nodes["feature"][nodes["kind"] == MULTIWAY]
    in_use = {
        "nodes": int(numbers[LIVE_NODES]) + times * (widest + 2),
        "blocks": int(numbers[LIVE_BLOCKS]) + times,
        "children": sum(sizes.cardinality[field] for field in fans) + times * widest,
    }
    larger = {name: n + getattr(sizes, name) for name, n in in_use.items() if n > 0.75 * getattr(sizes, name)}
    sizes = sizes._replace(**larger)
    return rebuilt(a, sizes)


def trim(a: RegressionTreeArrays) -> RegressionTreeArrays:
    """A copy without dead nodes and without room for more: what was learned, not when room was made for it."""
    return rebuilt(a, sizes_of(a)._replace(nodes=0, blocks=0, children=0))


def rebuilt(a: RegressionTreeArrays, sizes: Sizes) -> RegressionTreeArrays:
    """A copy without dead nodes and blocks, with the room that ``sizes`` asks for, or what is in use if that is more.

    Fields and categories may be more than before, in which case they come at the end.
    """
    old = sizes_of(a)
    nodes = a.nodes[: a.numbers[N_NODES]]
    alive = np.flatnonzero(nodes["kind"] != DEAD)
    moved_to = np.full(len(nodes) + 1, -1, np.int32)  # one more, so that -1 stays -1
    moved_to[alive] = np.arange(len(alive))
    nodes = nodes[alive].copy()

    split = nodes["kind"] >= NUMERIC
    pairs = split & (nodes["kind"] != MULTIWAY)
    for name, which in (("parent", slice(None)), ("alternate", slice(None)), ("usual", split), ("child", pairs)):
        nodes[name][which] = moved_to[nodes[name][which]]
    owners = np.flatnonzero(nodes["block"] >= 0)
    owners = owners[np.argsort(nodes["block"][owners])]
    blocks = nodes["block"][owners]
    nodes["block"][owners] = np.arange(len(blocks))
    children = _moved_children(a, nodes, moved_to, old.cardinality, sizes.cardinality)

    b = _empty(
        sizes._replace(
            nodes=max(sizes.nodes, len(nodes)),
            blocks=max(sizes.blocks, len(blocks)),
            children=max(sizes.children, len(children)),
        )
    )
    n, m, Dn = len(nodes), len(blocks), len(a.numeric_fields)
    S, O = a.subspaces.shape[1], a.used.shape[1]
    b.numbers[:], b.options[:], b.scale[:], b.random[:] = a.numbers, a.options, a.scale, a.random
    b.detectors[:], b.seen[: len(a.seen)] = a.detectors, a.seen
    b.numbers[N_NODES] = b.numbers[LIVE_NODES] = n
    b.numbers[N_BLOCKS] = b.numbers[LIVE_BLOCKS] = m
    b.numbers[N_CHILDREN], b.numbers[SHORT] = len(children), ENOUGH
    b.nodes[:n], b.children[: len(children)] = nodes, children
    b.windows[:n] = a.windows[alive]
    b.subspaces[:m, :S], b.subspaces[:m, S:] = a.subspaces[blocks], NO_FIELD
    b.used[:m, :O], b.bins[:m, :O] = a.used[blocks], a.bins[blocks]
    if old.models:
        b.scales[:n, :, :Dn] = a.scales[alive]
        b.coefficients[:n, : 1 + Dn] = a.coefficients[alive, : 1 + Dn]
    shift, old_shift = 1 + len(b.numeric_fields), 1 + Dn
    for i in range(len(a.nominal_fields)):
        start, stop, to = a.first[i], a.first[i + 1], b.first[i]
        b.tables[:m, to : to + stop - start] = a.tables[blocks, start:stop]
        if old.models:
            columns = a.coefficients[alive, old_shift + start : old_shift + stop]
            b.coefficients[:n, shift + to : shift + to + stop - start] = columns
    return b


def _moved_children(
    a: RegressionTreeArrays, nodes: np.ndarray, moved_to: np.ndarray, old: tuple[int, ...], new: tuple[int, ...]
) -> np.ndarray:
    """The children of the multiway nodes left, each with room for as many categories as its field has now."""
    multiway = np.flatnonzero(nodes["kind"] == MULTIWAY)
    multiway = multiway[np.argsort(nodes["child"][multiway])]
    children = np.full(sum(new[field] for field in nodes["feature"][multiway]), -1, np.int32)
    end = 0
    for node in multiway:
        field, start = nodes["feature"][node], nodes["child"][node]
        children[end : end + old[field]] = moved_to[a.children[start : start + old[field]]]
        nodes["child"][node] = end
        end += new[field]
    return children
