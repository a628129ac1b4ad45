"""The arrays in which a Hoeffding tree lives: what each holds, how they are made, and how they get more room.

A tree is a table of nodes. A leaf that has learned a row since it became a leaf owns a *block*: its observers of every
field and class. Leaves that never learn (a split on a field of 300 categories makes 300 leaves) cost one node each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import kernel, struct
from streamlearn.errors import StateError

N_NODES, N_CHILDREN, N_BLOCKS, N_FREE, GROWING, N_INACTIVE, ATTEMPTS, RESTARTS, INTEGRAL, SHORT = range(10)
"""Places in ``numbers``."""
N_NUMBERS = 10

ENOUGH, NODES, CHILDREN, BLOCKS, COLUMNS = range(5)
"""What ``numbers[SHORT]`` says that `advance` stopped for."""

(
    GRACE,
    DELTA,
    TAU,
    LEAF_MODE,
    NB_THRESHOLD,
    CRITERION,
    BINARY_ONLY,
    PREPRUNE,
    MIN_FRACTION,
    MAX_SHARE,
    MAX_DEPTH,
    MAX_NODES,
    MAX_BLOCKS,
) = range(13)
"""Places in ``options``."""
N_OPTIONS = 13

MAJORITY, BAYES, ADAPTIVE = range(3)
"""Values of ``options[LEAF_MODE]``; `LEAF_MODES` has their names."""
LEAF_MODES = ("mc", "nb", "nba")

INFO_GAIN, GINI = range(2)
"""Values of ``options[CRITERION]``; `CRITERIA` has their names."""
CRITERIA = ("info_gain", "gini")

LEAF, INACTIVE, NUMERIC, BINARY, MULTIWAY = range(5)
"""Kinds of node: two of leaf, then tests x <= t, x == v, and one branch for each category."""

WEIGHT, MEAN, SQUARES, LOW, HIGH, INVERSE = range(6)
"""Places in a numeric observer: n, mean, S (squared deviations), least and largest value, 1 / variance."""
N_MOMENTS = 6

LOG, PEAK = range(2)
"""Places in ``constants``."""

DEEPEST = 32_000

NODE = np.dtype(
    [
        ("threshold", np.float64),  # of a split: t, or the category v
        ("mc_ok", np.float64),  # of a leaf: weight that its majority class would have got right
        ("nb_ok", np.float64),  # of a leaf: weight that naive Bayes would have got right
        ("w_last", np.float64),  # of a leaf: its weight at the last attempt to split
        ("merit", np.float64),  # of a split: its merit when it was chosen
        ("feature", np.int32),  # of a split: the column it tests
        ("child", np.int32),  # first of two adjacent child nodes; of a MULTIWAY node: its first slot in children
        ("block", np.int32),  # of a leaf: its observers, or -1
        ("parent", np.int32),  # -1 at the root
        ("length", np.int32),  # classes this node knows of: the highest one it was ever given, plus one
        ("depth", np.int16),
        ("kind", np.int16),
    ]
)


class HoeffdingTreeArrays(NamedTuple):
    """State of a Hoeffding tree.

    ``D`` fields, of which ``Dn`` numeric and ``Dm`` nominal; room for ``C`` classes, for ``V`` categories over all
    nominal fields, for ``N`` nodes, ``B`` blocks and ``K`` children. No result depends on how much room there is.

    Attributes
    ----------
    numbers : int64 [10]
        Nodes, children and blocks ever handed out; free blocks; whether the tree may grow; inactive leaves; attempts
        to split; leaves restarted by pre-pruning; whether all weights were whole numbers; what there is no room for.
    options : float64 [13]
        Parameters, see `tree_options`.
    place : int32 [D]
        Of a numeric field, its index among the numeric ones; of a nominal field, ``~`` its index among the nominal.
    numeric_fields : int32 [Dn]
    nominal_fields : int32 [Dm]
        Columns of the numeric and of the nominal fields.
    first : int32 [Dm + 1]
        First row of each nominal field in a block's table; field ``i`` has room for ``first[i+1] - first[i]`` codes.
    nodes : NODE [N]
        Node 0 is the root; children come after their parents.
    counts : float64 [N, C]
        Weight by class: of a leaf, what it inherited and learned; of a split, frozen when it split.
    children : int32 [K]
        Child nodes of MULTIWAY nodes by category, -1 where there is none yet; each node owns as many as its field has
        room for categories.
    free_blocks : int32 [B]
        Stack of the blocks that were given back.
    observed : uint8 [B, D]
        Whether the block has seen a value of the field, in whatever class.
    numeric : float64 [B, C, 6, Dn]
        Numeric observers.
    tables : float64 [B, V, C]
        Nominal observers: weight by category and class.
    totals : float64 [B, C, Dm]
        Weight of the table by class and field.
    slots : int32 [B, C, Dm]
        Highest category seen by class and field, plus one.
    constants : float64 [B, C, 2]
        Of the class's naive Bayes vote, the logarithm of all that does not depend on the row, and a bound of the sum
        of the logarithms of its factors that exceed 1 (infinite if only plain products are safe).
    """

    numbers: np.ndarray
    options: np.ndarray
    place: np.ndarray
    numeric_fields: np.ndarray
    nominal_fields: np.ndarray
    first: np.ndarray
    nodes: np.ndarray
    counts: np.ndarray
    children: np.ndarray
    free_blocks: np.ndarray
    observed: np.ndarray
    numeric: np.ndarray
    tables: np.ndarray
    totals: np.ndarray
    slots: np.ndarray
    constants: np.ndarray


HoeffdingTree, HoeffdingTreeType = struct(HoeffdingTreeArrays)


@kernel
def make_tree(a: HoeffdingTreeArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return HoeffdingTree(
        a.numbers,
        a.options,
        a.place,
        a.numeric_fields,
        a.nominal_fields,
        a.first,
        a.nodes,
        a.counts,
        a.children,
        a.free_blocks,
        a.observed,
        a.numeric,
        a.tables,
        a.totals,
        a.slots,
        a.constants,
    )


class Sizes(NamedTuple):
    """How much room the arrays have.

    Attributes
    ----------
    cardinality
        Room for categories of each field, at least 1; 0 for a numeric field.
    n_classes
        Room for classes.
    nodes, blocks, children
        Room for nodes, for leaves with observers, and for children of multiway splits.
    """

    cardinality: tuple[int, ...]
    n_classes: int
    nodes: int
    blocks: int
    children: int


def tree_options(
    *,
    grace_period: float = 200.0,
    delta: float = 1e-7,
    tau: float = 0.05,
    leaf: str = "nba",
    nb_threshold: float = 0.0,
    criterion: str = "info_gain",
    binary_only: bool = False,
    preprune: bool = True,
    min_branch_fraction: float = 0.01,
    max_share: float = 1.0,
    max_depth: float = DEEPEST,
    max_nodes: float = 2**24,
    max_blocks: float = 2**20,
) -> np.ndarray:
    """The parameters of a tree as a vector, float64 [13]; MOA's defaults.

    Parameters
    ----------
    grace_period
        Weight that a leaf learns between two attempts to split.
    delta
        Allowed probability of a wrong split, in (0, 1).
    tau
        Hoeffding bound below which a tie is broken, >= 0.
    leaf : "mc", "nb" or "nba"
        Leaves predict the majority class, by naive Bayes, or by whichever of the two was right more often.
    nb_threshold
        Weight from which on an "nb" leaf uses naive Bayes.
    criterion : "info_gain" or "gini"
    binary_only
        Whether nominal fields split in two only, never one branch a category.
    preprune
        Whether not to split is a candidate too.
    min_branch_fraction
        At least two branches must hold more than this share of the weight.
    max_share
        No attempt to split where one class holds a larger share of the weight; 1 for no limit.
    max_depth, max_nodes
        A leaf at this depth never splits; a split that would need more nodes ends all growth.
    max_blocks
        Leaves with observers; a leaf that would need one more becomes inactive and ends all growth.
    """
    options = np.zeros(N_OPTIONS)
    options[GRACE], options[DELTA], options[TAU] = grace_period, delta, tau
    options[LEAF_MODE], options[CRITERION] = LEAF_MODES.index(leaf), CRITERIA.index(criterion)
    options[NB_THRESHOLD], options[MIN_FRACTION], options[MAX_SHARE] = nb_threshold, min_branch_fraction, max_share
    options[BINARY_ONLY], options[PREPRUNE] = binary_only, preprune
    options[MAX_DEPTH], options[MAX_NODES], options[MAX_BLOCKS] = min(max_depth, DEEPEST), max_nodes, max_blocks
    return options


def layout(sizes: Sizes) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """For each array: its dtype and its shape."""
    D, C, B = len(sizes.cardinality), sizes.n_classes, sizes.blocks
    Dm, V = sum(size > 0 for size in sizes.cardinality), sum(sizes.cardinality)
    Dn = D - Dm
    return {
        "numbers": (np.int64, (N_NUMBERS,)),
        "options": (np.float64, (N_OPTIONS,)),
        "place": (np.int32, (D,)),
        "numeric_fields": (np.int32, (Dn,)),
        "nominal_fields": (np.int32, (Dm,)),
        "first": (np.int32, (Dm + 1,)),
        "nodes": (NODE, (sizes.nodes,)),
        "counts": (np.float64, (sizes.nodes, C)),
        "children": (np.int32, (sizes.children,)),
        "free_blocks": (np.int32, (B,)),
        "observed": (np.uint8, (B, D)),
        "numeric": (np.float64, (B, C, N_MOMENTS, Dn)),
        "tables": (np.float64, (B, V, C)),
        "totals": (np.float64, (B, C, Dm)),
        "slots": (np.int32, (B, C, Dm)),
        "constants": (np.float64, (B, C, 2)),
    }


def sizes_of(a: HoeffdingTreeArrays) -> Sizes:
    """How much room the arrays have."""
    cardinality = np.zeros(len(a.place), np.int64)
    cardinality[a.nominal_fields] = np.diff(a.first)
    return Sizes(tuple(cardinality.tolist()), a.counts.shape[1], len(a.nodes), len(a.free_blocks), len(a.children))


def widest_split(cardinality: Sequence[int]) -> int:
    """The most branches that a split can have."""
    return max(2, *cardinality, 2)


def allocate(cardinality: Sequence[int], n_classes: int, options: np.ndarray) -> HoeffdingTreeArrays:
    """The arrays of an empty tree: one leaf that knows no class.

    Parameters
    ----------
    cardinality : length D
        Room for categories of each field, at least 1 for a nominal field; 0 marks a numeric one.
    n_classes
        Room for classes, at least 1.
    options : float64 [13]
        See `tree_options`.
    """
    widest = widest_split(cardinality)
    a = _empty(Sizes(tuple(cardinality), n_classes, 2 * widest + 16, 2, 2 * widest))
    a.options[:] = options
    a.numbers[N_NODES] = a.numbers[GROWING] = a.numbers[INTEGRAL] = 1
    a.nodes["block"][0] = a.nodes["parent"][0] = -1
    return a


def _empty(sizes: Sizes) -> HoeffdingTreeArrays:
    """Arrays with the fields laid out and nothing in them."""
    a = HoeffdingTreeArrays(**{name: np.zeros(shape, dtype) for name, (dtype, shape) in layout(sizes).items()})
    room = np.array(sizes.cardinality, np.int64)
    nominal = room > 0
    a.place[nominal] = ~np.arange(nominal.sum())
    a.place[~nominal] = np.arange((~nominal).sum())
    a.numeric_fields[:] = np.flatnonzero(~nominal)
    a.nominal_fields[:] = np.flatnonzero(nominal)
    a.first[1:] = np.cumsum(room[nominal])
    a.numeric[:, :, LOW] = np.inf
    a.numeric[:, :, HIGH] = -np.inf
    a.constants[:, :, LOG] = -np.inf
    return a


def extend(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """Double the room for what `advance` stopped for.

    Raises
    ------
    StateError
        If it did not stop for lack of room, or for lack of columns in the rows.
    """
    sizes, short = sizes_of(a), a.numbers[SHORT]
    widest = widest_split(sizes.cardinality)
    if short == NODES:
        return grow(a, sizes._replace(nodes=2 * sizes.nodes + widest))
    if short == CHILDREN:
        return grow(a, sizes._replace(children=2 * sizes.children + widest))
    if short == BLOCKS:
        return grow(a, sizes._replace(blocks=2 * sizes.blocks + 1))
    if short == COLUMNS:
        raise StateError(f"the rows have fewer columns than the tree has fields, {len(a.place)}")
    raise StateError("array 'numbers': the tree stopped in the middle of a batch though it had room; it is damaged")


def trim(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """The arrays without room for more nodes, children and blocks; views of the same memory.

    A state that is compared or saved is best trimmed: it says what was learned, not when room was made for it.
    """
    n_nodes, n_children, n_blocks = (int(a.numbers[n]) for n in (N_NODES, N_CHILDREN, N_BLOCKS))
    trimmed = {"nodes": n_nodes, "counts": n_nodes, "children": n_children}
    blocks = ("free_blocks", "observed", "numeric", "tables", "totals", "slots", "constants")
    trimmed.update(dict.fromkeys(blocks, n_blocks))
    return a._replace(**{name: getattr(a, name)[:n] for name, n in trimmed.items()})


def grow(a: HoeffdingTreeArrays, sizes: Sizes) -> HoeffdingTreeArrays:
    """A copy of the tree with more room.

    Parameters
    ----------
    a
        The tree; it is left as it was.
    sizes
        At least the present `sizes_of` it, entry by entry; further fields are appended at the end.
    """
    old = sizes_of(a)
    children, start = _moved_children(a, old.cardinality, sizes.cardinality)
    widest = widest_split(sizes.cardinality)
    b = _empty(
        sizes._replace(
            nodes=max(sizes.nodes, int(a.numbers[N_NODES]) + widest + 1),
            children=max(sizes.children, len(children) + widest),
        )
    )
    b.numbers[:], b.options[:] = a.numbers, a.options
    b.numbers[N_CHILDREN], b.numbers[SHORT] = len(children), ENOUGH
    b.nodes[: len(a.nodes)] = a.nodes
    multiway = a.nodes["kind"][: len(start)] == MULTIWAY
    b.nodes["child"][: len(start)][multiway] = start[multiway]
    b.counts[: len(a.nodes), : old.n_classes] = a.counts
    b.children[: len(children)] = children

    B, C, Dn, Dm = old.blocks, old.n_classes, len(a.numeric_fields), len(a.nominal_fields)
    b.free_blocks[:B] = a.free_blocks
    b.observed[:B, : len(a.place)] = a.observed
    b.numeric[:B, :C, :, :Dn] = a.numeric
    b.totals[:B, :C, :Dm] = a.totals
    b.slots[:B, :C, :Dm] = a.slots
    b.constants[:B, :C] = a.constants
    for i in range(Dm):
        rows = a.tables[:, a.first[i] : a.first[i + 1]]
        b.tables[:B, b.first[i] : b.first[i] + rows.shape[1], :C] = rows
    return b


def _moved_children(
    a: HoeffdingTreeArrays, old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The children in use, each node with room for as many categories as its field has now; where each node's start."""
    used, nodes = a.children[: a.numbers[N_CHILDREN]], a.nodes[: a.numbers[N_NODES]]
    start = nodes["child"].copy()
    if old == new[: len(old)]:
        return used, start
    multiway = np.flatnonzero(nodes["kind"] == MULTIWAY)
    features = nodes["feature"][multiway]
    room = np.array(new, np.int64)[features]
    start[multiway] = np.cumsum(room) - room
    children = np.full(int(room.sum()), -1, np.int32)
    for node, feature, before in zip(multiway, features, nodes["child"][multiway], strict=True):
        children[start[node] : start[node] + old[feature]] = used[before : before + old[feature]]
    return children, start
