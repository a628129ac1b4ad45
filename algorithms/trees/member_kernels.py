"""One Hoeffding tree among many: what the kernels of an ensemble do with a member, row by row.

A kernel *opens* a member once for many rows: `open_member` borrows its arrays, so that loops count no references. Then,
for each row,

    leaf, slot = find_leaf(m, X, row)                            # where it ends
    tame = load_values(tree, m, X, row, leaf)                    # its values, as the leaf's observers want them
    bayes, form = bayes_of(tree, m, X, row, leaf, tame)          # what naive Bayes gives it, if `prefers_bayes`
    if shortage(m, leaf, slot) == ENOUGH:                        # else Python extends the tree first
        learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, w)

and `write_shares` writes the leaf's votes as a distribution. Ensembles that ask one member after the other about each
row do it through an address: `vote_at`, `learn_at`, `clear_at` and `shortage_at` do all of this for one row.

Members are plain Hoeffding trees (``options[FAMILY] == PLAIN``). Where ``options[SUBSPACE]`` is ``n > 0``, each leaf
that learns its first row draws at most ``n`` fields, the only ones it observes: ``n_draws`` of the ``candidates`` in
`Space`. With ``options[SHARED]`` the tree's first leaf that learns draws for all, unless ``tree.drawn`` marks some
fields already.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import below

from .arrays import (
    ADAPTIVE,
    ENOUGH,
    GRACE,
    GROWING,
    INACTIVE,
    INTEGRAL,
    LEAF,
    LEAF_MODE,
    MAX_BLOCKS,
    MAX_NODES,
    N_BLOCKS,
    N_FREE,
    N_INACTIVE,
    N_NODES,
    NUMERIC,
    SHORT,
)
from .kernels import (
    LARGEST_WHOLE,
    NO_SLOT,
    PRODUCTS,
    attempt_split,
    bayes_winner,
    lacks,
    learn_at_leaf,
    majority,
    most_branches,
    new_leaf,
    prefers_bayes,
    route,
    take_block,
    write_proba,
)
from .observers import fields_of
from .one_row import tree_at
from .votes import UNDECIDED, load_row


class Space(NamedTuple):
    """Space for what is known of one row.

    Attributes
    ----------
    values : float64 [Dn]
    rows : int64 [Dm]
        The row's numeric values, and the table rows of its categories.
    votes, products : float64 [C]
    candidates : int32 [n]
        The fields that a leaf may draw from, and
    n_draws : int
        how many it draws; for trees that observe subspaces.
    """

    values: np.ndarray
    rows: np.ndarray
    votes: np.ndarray
    products: np.ndarray
    candidates: np.ndarray
    n_draws: int


@inlined
def new_space(n_numeric: int, n_nominal: int, n_classes: int) -> Space:
    """Space for trees that observe all of so many fields, with so much room for classes; its maker holds it."""
    nothing = np.empty(0, np.int32)
    return Space(
        np.empty(n_numeric), np.empty(n_nominal, np.int64), np.empty(n_classes), np.empty(n_classes), nothing, 0
    )  # fmt: skip


class Member(NamedTuple):
    """A tree's arrays, borrowed (see `HoeffdingTreeArrays`), and `Space` for one row.

    Attributes
    ----------
    multiway : int
        The most branches a split can have.
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
    n_fields: np.ndarray
    multiway: int
    values: np.ndarray
    rows: np.ndarray
    votes: np.ndarray
    products: np.ndarray
    candidates: np.ndarray
    n_draws: int


@inlined
def open_member(tree: Any, space: Space) -> Member:
    """Borrow a tree's arrays and the space; the kernel's caller holds both."""
    return Member(
        borrowed(tree.numbers),
        borrowed(tree.options),
        borrowed(tree.place),
        borrowed(tree.numeric_fields),
        borrowed(tree.nominal_fields),
        borrowed(tree.first),
        borrowed(tree.nodes),
        borrowed(tree.counts),
        borrowed(tree.children),
        borrowed(tree.free_blocks),
        borrowed(tree.observed),
        borrowed(tree.numeric),
        borrowed(tree.tables),
        borrowed(tree.totals),
        borrowed(tree.slots),
        borrowed(tree.constants),
        borrowed(tree.n_fields),
        most_branches(tree.first, tree.options),
        borrowed(space.values),
        borrowed(space.rows),
        borrowed(space.votes),
        borrowed(space.products),
        borrowed(space.candidates),
        space.n_draws,
    )


@inlined
def find_leaf(m: Member, X: np.ndarray, row: int) -> tuple[int, int]:
    """Where a row ends, as `kernels.route` has it."""
    return route(X, row, m.nodes, m.children, m.place, m.first)


@inlined
def load_values(tree: Any, m: Member, X: np.ndarray, row: int, leaf: int) -> bool:
    """Load a row as the observers of its leaf want it; whether nothing is missing and all numbers are tame."""
    if len(m.n_fields) == 0:
        return load_row(X, row, m.numeric_fields, m.nominal_fields, m.place, m.first, m.values, m.rows)
    b = m.nodes[leaf].block
    if b < 0:
        return False
    numeric_fields, nominal_fields = fields_of(tree, b)
    return load_row(X, row, numeric_fields, nominal_fields, m.place, m.first, m.values, m.rows)


# -- predicting --------------------------------------------------------------------------------------------------------


@inlined
def bayes_of(tree: Any, m: Member, X: np.ndarray, row: int, leaf: int, tame: bool) -> tuple[int, int]:
    """Write a leaf's naive Bayes votes; the class that wins, and what the votes are, `LOGS` or `PRODUCTS`."""
    b, n_numeric, n_nominal = m.nodes[leaf].block, len(m.values), len(m.rows)
    if len(m.n_fields) > 0 and b >= 0:
        n_numeric, n_nominal = m.n_fields[b, 0], m.n_fields[b, 1]
    return bayes_winner(
        tree, m.nodes, m.counts, m.numeric, m.tables, m.constants, leaf, X, row, m.values[:n_numeric],
        m.rows[:n_nominal], tame, m.products, m.votes,
    )  # fmt: skip


@inlined
def write_shares(m: Member, leaf: int, by_bayes: bool, form: int, scale: float, shares: np.ndarray) -> bool:
    """Write the votes of a leaf, scaled to sum to ``scale``, all zero if none is positive; whether one is.

    Parameters
    ----------
    by_bayes, form
        Whether the leaf predicts by naive Bayes, whose votes are in ``m.votes`` in this form.
    shares : float64 [C]
        Output.
    """
    length = m.nodes[leaf].length
    if by_bayes:
        write_proba(m.votes, length, form, shares)
    else:
        write_proba(m.counts[leaf], length, PRODUCTS, shares)
    total = 0.0
    for c in range(len(shares)):
        total += shares[c]
        shares[c] *= scale
    return total > 0.0


# -- learning ----------------------------------------------------------------------------------------------------------


@inlined
def shortage(m: Member, leaf: int, slot: int) -> int:
    """What there is no room for in the worst case of learning one row; noted in ``numbers[SHORT]`` for `extend`."""
    new_block = slot != NO_SLOT or (m.nodes[leaf].kind == LEAF and m.nodes[leaf].block < 0)
    short = lacks(m.numbers, m.options, new_block, m.multiway, len(m.nodes), len(m.children), len(m.free_blocks))
    if short != ENOUGH:
        m.numbers[SHORT] = short
    return short


@inlined
def learn_row(
    tree: Any,
    m: Member,
    rng: np.ndarray,
    X: np.ndarray,
    row: int,
    leaf: int,
    slot: int,
    bayes: int,
    y: int,
    w: float,
) -> int:
    """Let a tree that has room learn a row that was found and loaded.

    Parameters
    ----------
    rng : uint64 [4]
        The member's generator, for leaves that draw their fields.
    bayes
        The class that naive Bayes gives the row at this leaf; only an active leaf that chooses by it needs to know it.
    y, w
        A class with room in the arrays; a positive, finite weight.

    Returns
    -------
    int
        The leaf that learned it (it may be a split now); -1 if the row ends at a split whose field it misses.
    """
    numbers, options, nodes = m.numbers, m.options, m.nodes
    if nodes[leaf].kind >= NUMERIC:
        if slot == NO_SLOT:
            return -1
        if numbers[N_NODES] >= options[MAX_NODES]:
            numbers[GROWING] = 0
            return -1
        m.children[slot] = new_leaf(tree, leaf, 0)
        leaf, bayes = m.children[slot], 0
    new_block = nodes[leaf].kind == LEAF and nodes[leaf].block < 0
    if new_block and numbers[N_BLOCKS] - numbers[N_FREE] >= options[MAX_BLOCKS]:
        nodes[leaf].kind, new_block = INACTIVE, False
        numbers[N_INACTIVE] += 1
        numbers[GROWING] = 0
    active = nodes[leaf].kind == LEAF
    if not active or options[LEAF_MODE] != ADAPTIVE:
        bayes = UNDECIDED
    if active and (w != math.floor(w) or w > LARGEST_WHOLE):
        numbers[INTEGRAL] = 0
    numeric_fields, nominal_fields = m.numeric_fields, m.nominal_fields
    values, rows = m.values, m.rows
    if len(m.n_fields) > 0 and active:
        if new_block:
            give_fields(tree, take_block(tree, leaf), rng, m.candidates, m.n_draws)
            load_values(tree, m, X, row, leaf)
        numeric_fields, nominal_fields = fields_of(tree, nodes[leaf].block)
        values, rows = values[: len(numeric_fields)], rows[: len(nominal_fields)]
    weight = learn_at_leaf(
        tree, nodes, m.counts, m.observed, m.numeric, m.tables, m.totals, m.slots, m.constants, m.place, m.first,
        numeric_fields, nominal_fields, leaf, new_block, bayes, y, w, values, rows,
    )  # fmt: skip
    if active and numbers[GROWING] and weight - nodes[leaf].w_last >= options[GRACE]:
        attempt_split(tree, leaf, weight)
        nodes[leaf].w_last = weight
    return leaf


@kernel
def draw_fields(rng: np.ndarray, candidates: np.ndarray, n: int, drawn: np.ndarray) -> None:
    """Draw ``n`` candidates without replacement: mark them in ``drawn``, uint8 [D].

    The first ``n`` steps of a Fisher-Yates shuffle of the candidates, int32, with one random number a step.
    """
    order = candidates.copy()
    for k in range(min(n, len(order))):
        other = k + below(rng, len(order) - k)
        order[k], order[other] = order[other], order[k]
        drawn[order[k]] = 1


@kernel
def give_fields(tree: Any, b: int, rng: np.ndarray, candidates: np.ndarray, n: int) -> None:
    """Say which fields a new block observes: those that its tree draws for all, or, if it draws none, its own."""
    drawn = tree.drawn
    if len(drawn) == 0:
        drawn = np.zeros(len(tree.place), np.uint8)
    if not drawn.any():
        draw_fields(rng, candidates, n, drawn)
    n_numeric, n_nominal, start = 0, 0, tree.numeric.shape[3]
    for field in range(len(drawn)):
        if drawn[field] != 0 and tree.place[field] >= 0:
            tree.fields[b, n_numeric] = field
            n_numeric += 1
        elif drawn[field] != 0:
            tree.fields[b, start + n_nominal] = field
            n_nominal += 1
    tree.n_fields[b, 0], tree.n_fields[b, 1] = n_numeric, n_nominal


@kernel
def clear_tree(tree: Any) -> None:
    """Make a tree what it was before its first row, in the room that it has."""
    numbers, nodes = tree.numbers, tree.nodes
    tree.counts[: numbers[N_NODES]] = 0.0  # a new leaf expects it
    tree.free_blocks[: numbers[N_BLOCKS]] = 0
    for at in range(numbers[N_NODES]):  # new nodes keep of these what they don't need: it would show in a state
        node = nodes[at]
        node.threshold = node.mc_ok = node.nb_ok = node.w_last = node.merit = 0.0
        node.feature = node.child = node.length = node.depth = node.kind = 0
    nodes[0].block = nodes[0].parent = -1
    numbers[:] = 0
    numbers[N_NODES] = numbers[GROWING] = numbers[INTEGRAL] = 1
    tree.drawn[:] = 0


# -- one row of one tree, by address -----------------------------------------------------------------------------------


@kernel
def vote_at(address: int, X: np.ndarray, row: int, space: Space, shares: np.ndarray) -> int:
    """What a tree gives a row.

    Parameters
    ----------
    address
        Of the tree's struct, which somebody holds.
    space : Space
    shares : float64 [C]
        Output: the tree's votes, scaled to sum to 1, all zero if none is positive; of length 0 if nobody wants them.

    Returns
    -------
    int
        The class that wins; 0 if the tree knows none.
    """
    tree = tree_at(address)
    m = open_member(tree, space)
    leaf, _ = find_leaf(m, X, row)
    by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
    winner, form = max(0, majority(m.counts, leaf, m.nodes[leaf].length)), PRODUCTS
    if by_bayes:
        winner, form = bayes_of(tree, m, X, row, leaf, load_values(tree, m, X, row, leaf))
    if len(shares) > 0:
        write_shares(m, leaf, by_bayes, form, 1.0, shares)
    return winner


@kernel
def learn_at(address: int, rng: np.ndarray, X: np.ndarray, row: int, y: int, w: float, space: Space) -> None:
    """Let a tree learn a row, for which `shortage_at` found room; ``y`` and ``w`` as in `learn_row`."""
    tree = tree_at(address)
    m = open_member(tree, space)
    leaf, slot = find_leaf(m, X, row)
    tame = load_values(tree, m, X, row, leaf)
    bayes = UNDECIDED
    if m.nodes[leaf].kind == LEAF and m.options[LEAF_MODE] == ADAPTIVE:
        bayes, _ = bayes_of(tree, m, X, row, leaf, tame)
    learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, w)


@kernel
def shortage_at(address: int) -> int:
    """What a tree may lack to learn one more row, whatever row; `ENOUGH` if nothing. Noted for `extend`."""
    tree = tree_at(address)
    numbers, options = tree.numbers, tree.options
    multiway = most_branches(tree.first, options)
    n_blocks = len(tree.free_blocks)
    short = lacks(numbers, options, True, multiway, len(tree.nodes), len(tree.children), n_blocks)
    if short != ENOUGH:
        numbers[SHORT] = short
    return short


@kernel
def clear_at(address: int) -> None:
    """`clear_tree` of the tree at an address."""
    clear_tree(tree_at(address))
