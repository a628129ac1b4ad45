"""The arrays in which a Hoeffding tree lives: what each holds, how they are made, and how they get more room.

A tree is a table of nodes. A leaf that has learned a row since it became a leaf owns a *block*: its observers of every
field and class. Leaves that never learn (a split on a field of 300 categories makes 300 leaves) cost one node each.

In a forest a block observes a *subspace*, a few of the fields only: those that its leaf has drawn, or those that its
tree has drawn for all leaves. Observers are then numbered within the block's own fields.

Three families share the table. In an *anytime* tree (EFDT) splits keep their blocks. In an *adaptive* tree (HAT) splits
own an ADWIN window of their errors and may have an alternate, a leaf that learns beside them and may take their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import kernel, struct
from streamlearn.errors import StateError

from ..drift.adwin_kernels import adwin_size

(
    N_NODES,
    N_CHILDREN,
    N_BLOCKS,
    N_FREE,
    GROWING,
    N_INACTIVE,
    ATTEMPTS,
    RESTARTS,
    INTEGRAL,
    SHORT,
    LEARNED,
    SPLITS,
    REPLACED,
    N_WINDOWS,
    N_FREE_WINDOWS,
    N_ALTERNATES,
    SWITCHED,
    PRUNED,
) = range(18)
"""Places in ``numbers``."""
N_NUMBERS = 18

ENOUGH, NODES, CHILDREN, BLOCKS, COLUMNS, WINDOWS = range(6)
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
    FAMILY,
    REEVALUATE,
    DRIFT_DELTA,
    LEAST_WINDOW,
    SIGNIFICANCE,
    BOOTSTRAP,
    SUBSPACE,
    SHARED,
) = range(21)
"""Places in ``options``."""
N_OPTIONS = 21

PLAIN, ANYTIME, ADAPTING = range(3)
"""Values of ``options[FAMILY]``: Hoeffding tree, EFDT, HAT."""

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

CHAINED = 0
"""Place in ``links`` of an anytime tree: 1 if a node may not split on the nominal fields of the splits right above."""
WINDOW, ALTERNATE = range(2)
"""Places in ``links`` of an adaptive tree: a node's ADWIN window, and its alternate; -1 for none."""
N_LINKS = 2

AGE, TRIED, BORN = range(3)
"""Places in ``ages``: rows learned, attempts to split since the node became what it is, its length at that moment."""
N_AGES = 3

DEEPEST = 32_000

WINDOW_SIZE = adwin_size(rows=24)
"""Numbers in an ADWIN window of up to 84 million errors."""

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
    """State of a Hoeffding tree of whatever family.

    ``D`` fields, of which ``Dn`` numeric and ``Dm`` nominal; a block has observers of at most ``Bn`` numeric and ``Bm``
    nominal ones (without subspaces, of all); room for ``C`` classes, for ``V`` categories over all
    nominal fields, for ``N`` nodes, ``B`` blocks, ``K`` children and ``W`` windows. No result depends on how much room
    there is. Arrays that the family does not use are empty.

    Attributes
    ----------
    numbers : int64 [18]
        Nodes, children and blocks ever handed out; free blocks; whether the tree may grow; inactive leaves; attempts
        to split; leaves restarted by pre-pruning; whether all weights were whole numbers; what there is no room for;
        rows learned (anytime); leaves split; splits replaced by better ones (anytime); windows ever handed out; free
        windows; alternates begun, switched to, given up (adaptive).
    options : float64 [21]
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
    numeric : float64 [B, C, 6, Bn]
        Numeric observers.
    tables : float64 [B, V, C]
        Nominal observers: weight by category and class.
    totals : float64 [B, C, Bm]
        Weight of the table by class and field.
    slots : int32 [B, C, Bm]
        Highest category seen by class and field, plus one.
    constants : float64 [B, C, 2]
        Of the class's naive Bayes vote, the logarithm of all that does not depend on the row, and a bound of the sum
        of the logarithms of its factors that exceed 1 (infinite if only plain products are safe).
    drawn : uint8 [D]
        Where the tree draws for all leaves: whether it has drawn the field.
    fields : int32 [B, Bn + Bm]
        In subspaces: a block's numeric fields, ascending, and from place ``Bn`` on its nominal ones.
    n_fields : int32 [B, 2]
        In subspaces: how many numeric and nominal fields a block has.
    links : int32 [N, 2]
        Anytime: `CHAINED`. Adaptive: `WINDOW` and `ALTERNATE`. -1 for none.
    gains : float64 [B, D]
        Anytime: sums of the merits that a field had at the node's attempts to split.
    ages : int64 [B, 3]
        Anytime: `AGE`, `TRIED` and `BORN`.
    windows : float64 [W, adwin_size]
        Adaptive: ADWIN windows of errors.
    free_windows : int32 [W]
        Adaptive: stack of the windows that were given back.
    rng : uint64 [4]
        Adaptive: the generator of the Poisson weights.
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
    drawn: np.ndarray
    fields: np.ndarray
    n_fields: np.ndarray
    links: np.ndarray
    gains: np.ndarray
    ages: np.ndarray
    windows: np.ndarray
    free_windows: np.ndarray
    rng: np.ndarray


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
        a.drawn,
        a.fields,
        a.n_fields,
        a.links,
        a.gains,
        a.ages,
        a.windows,
        a.free_windows,
        a.rng,
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
    windows
        Room for ADWIN windows; 0 unless the tree is adaptive.
    family
        `PLAIN`, `ANYTIME` or `ADAPTING`.
    subspace
        Fields that a block observes; 0 for all.
    shared
        Whether all blocks observe the same ones.
    """

    cardinality: tuple[int, ...]
    n_classes: int
    nodes: int
    blocks: int
    children: int
    windows: int = 0
    family: int = PLAIN
    subspace: int = 0
    shared: bool = False


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
    family: int = PLAIN,
    reevaluate: float = 2000.0,
    drift_delta: float = 0.002,
    least_window: float = 300.0,
    significance: float = 0.05,
    bootstrap: bool = True,
    subspace: int = 0,
    shared: bool = False,
) -> np.ndarray:
    """The parameters of a tree as a vector, float64 [21]; MOA's defaults.

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
        Nodes with observers; a leaf that would need one more becomes inactive and ends all growth.
    family
        `PLAIN`, `ANYTIME` or `ADAPTING`.
    reevaluate
        Anytime: rows between two looks at the splits on the path of a row.
    drift_delta
        Adaptive: confidence of the ADWIN windows.
    least_window
        Adaptive: errors that a split and its alternate must both have more of before they are compared.
    significance
        Adaptive: allowed probability of a wrong comparison.
    bootstrap
        Adaptive: whether leaves multiply weights by Poisson numbers.
    subspace
        Fields that a block observes, drawn at random; 0 for all.
    shared
        Whether the tree draws them once, for all its blocks.
    """
    options = np.zeros(N_OPTIONS)
    options[GRACE], options[DELTA], options[TAU] = grace_period, delta, tau
    options[LEAF_MODE], options[CRITERION] = LEAF_MODES.index(leaf), CRITERIA.index(criterion)
    options[NB_THRESHOLD], options[MIN_FRACTION], options[MAX_SHARE] = nb_threshold, min_branch_fraction, max_share
    options[BINARY_ONLY], options[PREPRUNE] = binary_only, preprune
    options[MAX_DEPTH], options[MAX_NODES], options[MAX_BLOCKS] = min(max_depth, DEEPEST), max_nodes, max_blocks
    options[FAMILY], options[REEVALUATE] = family, reevaluate
    options[DRIFT_DELTA], options[LEAST_WINDOW] = drift_delta, least_window
    options[SIGNIFICANCE], options[BOOTSTRAP] = significance, bootstrap
    options[SUBSPACE], options[SHARED] = subspace, shared
    return options


def layout(sizes: Sizes) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """For each array: its dtype and its shape."""
    D, C, B = len(sizes.cardinality), sizes.n_classes, sizes.blocks
    Dm, V = sum(size > 0 for size in sizes.cardinality), sum(sizes.cardinality)
    Dn = D - Dm
    Bn, Bm = (min(sizes.subspace, Dn), min(sizes.subspace, Dm)) if sizes.subspace else (Dn, Dm)
    in_subspaces = B if sizes.subspace else 0
    anytime, adaptive, W = sizes.family == ANYTIME, sizes.family == ADAPTING, sizes.windows
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
        "numeric": (np.float64, (B, C, N_MOMENTS, Bn)),
        "tables": (np.float64, (B, V, C)),
        "totals": (np.float64, (B, C, Bm)),
        "slots": (np.int32, (B, C, Bm)),
        "constants": (np.float64, (B, C, 2)),
        "drawn": (np.uint8, (D if sizes.shared else 0,)),
        "fields": (np.int32, (in_subspaces, Bn + Bm)),
        "n_fields": (np.int32, (in_subspaces, 2)),
        "links": (np.int32, (sizes.nodes if anytime or adaptive else 0, N_LINKS)),
        "gains": (np.float64, (B if anytime else 0, D)),
        "ages": (np.int64, (B if anytime else 0, N_AGES)),
        "windows": (np.float64, (W, WINDOW_SIZE)),
        "free_windows": (np.int32, (W,)),
        "rng": (np.uint64, (4 if adaptive else 0,)),
    }


def sizes_of(a: HoeffdingTreeArrays) -> Sizes:
    """How much room the arrays have."""
    cardinality = np.zeros(len(a.place), np.int64)
    cardinality[a.nominal_fields] = np.diff(a.first)
    return Sizes(
        tuple(cardinality.tolist()),
        a.counts.shape[1],
        len(a.nodes),
        len(a.free_blocks),
        len(a.children),
        len(a.free_windows),
        int(a.options[FAMILY]),
        int(a.options[SUBSPACE]),
        bool(a.options[SHARED]),
    )


def alternates_of(a: HoeffdingTreeArrays) -> tuple[np.ndarray, np.ndarray]:
    """The splits that have an alternate, and their alternates, int64; none unless the tree is adaptive."""
    if a.options[FAMILY] != ADAPTING:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    alternate = a.links[: a.numbers[N_NODES], ALTERNATE].astype(np.int64)
    masters = np.flatnonzero(alternate >= 0)
    return masters, alternate[masters]


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
    options : float64 [21]
        See `tree_options`.
    """
    widest, family = widest_split(cardinality), int(options[FAMILY])
    windows = 2 if family == ADAPTING else 0
    subspace, shared = int(options[SUBSPACE]), bool(options[SHARED])
    room = Sizes(tuple(cardinality), n_classes, 2 * widest + 16, 2, 2 * widest, windows, family, subspace, shared)
    a = _empty(room)
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
    a.links[:] = -1
    return a


def extend(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """Make room for what `advance` stopped for: twice as much, or, of many blocks, half as much again.

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
        more = max(sizes.blocks // 2, min(sizes.blocks + 1, 64))  # they are what takes memory
        return grow(a, sizes._replace(blocks=sizes.blocks + more))
    if short == WINDOWS:
        return grow(a, sizes._replace(windows=2 * sizes.windows + 1))
    if short == COLUMNS:
        raise StateError(f"the rows have fewer columns than the tree has fields, {len(a.place)}")
    raise StateError("array 'numbers': the tree stopped in the middle of a batch though it had room; it is damaged")


def trim(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """The arrays without room for more nodes, children, blocks and windows; views of the same memory.

    A state that is compared or saved is best trimmed: it says what was learned, not when room was made for it.
    """
    n_nodes, n_children, n_blocks = (int(a.numbers[n]) for n in (N_NODES, N_CHILDREN, N_BLOCKS))
    trimmed = {"nodes": n_nodes, "counts": n_nodes, "links": n_nodes, "children": n_children}
    blocks = ("free_blocks", "observed", "numeric", "tables", "totals", "slots", "constants")
    trimmed.update(dict.fromkeys((*blocks, "fields", "n_fields", "gains", "ages"), n_blocks))
    trimmed.update(dict.fromkeys(("windows", "free_windows"), int(a.numbers[N_WINDOWS])))
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
    b.options[SUBSPACE] = sizes.subspace
    b.numbers[N_CHILDREN], b.numbers[SHORT] = len(children), ENOUGH
    b.nodes[: len(a.nodes)] = a.nodes
    multiway = a.nodes["kind"][: len(start)] == MULTIWAY
    b.nodes["child"][: len(start)][multiway] = start[multiway]
    b.counts[: len(a.nodes), : old.n_classes] = a.counts
    b.children[: len(children)] = children

    B, C, Bn, Bm = old.blocks, old.n_classes, a.numeric.shape[3], a.totals.shape[2]
    b.free_blocks[:B] = a.free_blocks
    b.observed[:B, : len(a.place)] = a.observed
    b.numeric[:B, :C, :, :Bn] = a.numeric
    b.totals[:B, :C, :Bm] = a.totals
    b.slots[:B, :C, :Bm] = a.slots
    if old.subspace:
        b.fields[:B, :Bn], b.n_fields[:B] = a.fields[:, :Bn], a.n_fields
        b.fields[:B, b.numeric.shape[3] : b.numeric.shape[3] + Bm] = a.fields[:, Bn:]
    b.constants[:B, :C] = a.constants
    for name in ("drawn", "links", "gains", "ages", "windows", "free_windows", "rng"):
        before = getattr(a, name)
        getattr(b, name)[tuple(slice(0, size) for size in before.shape)] = before
    for i in range(len(a.nominal_fields)):
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
