"""The compiled Hoeffding tree: routes rows, predicts, learns and splits, exactly as MOA's does.

Domingos and Hulten, *Mining high-speed data streams*, 2000; leaves that choose between majority class and naive Bayes:
Holmes, Kirkby and Pfahringer, *Stress-testing Hoeffding trees*, 2005. Deliberate differences from MOA, none of which
its published figures depend on:

- A split of merit minus infinity (it would leave all weight in one branch) is never made. With pre-pruning the leaf
  restarts instead: fresh observers, counts kept, as MOA's memory manager makes of a pre-pruned leaf in effect.
- Instead of estimating bytes, growth ends for good when a split needs more than `MAX_NODES` nodes or a leaf needs more
  than `MAX_BLOCKS` blocks; the latter becomes inactive and learns counts only.
- Infinite values are ignored by observers and votes alike; tests compare them as numbers.
- The rule of two large branches holds for the Gini criterion too, so that not to split has merit minus infinity there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel

from .arrays import (
    ADAPTIVE,
    ATTEMPTS,
    BAYES,
    BINARY,
    BINARY_ONLY,
    BLOCKS,
    CHILDREN,
    COLUMNS,
    CRITERION,
    DELTA,
    ENOUGH,
    FAMILY,
    GINI,
    GRACE,
    GROWING,
    HIGH,
    INACTIVE,
    INTEGRAL,
    LEAF,
    LEAF_MODE,
    LOG,
    LOW,
    MAX_BLOCKS,
    MAX_DEPTH,
    MAX_NODES,
    MAX_SHARE,
    MIN_FRACTION,
    MULTIWAY,
    N_BLOCKS,
    N_CHILDREN,
    N_FREE,
    N_INACTIVE,
    N_NODES,
    NB_THRESHOLD,
    NODES,
    NUMERIC,
    PLAIN,
    PREPRUNE,
    RESTARTS,
    SHORT,
    SPLITS,
    TAU,
)
from .observers import (
    LN2,
    best_nominal_split,
    best_numeric_split,
    comes_first,
    fields_of,
    impurity,
    n_values,
    nominal_branches,
    numeric_branches,
    observe_nominal,
    observe_numeric,
    observer_of,
    weight_of,
)
from .screening import will_not_split
from .votes import HOPELESS, UNDECIDED, cache_constant, load_row, log_votes, plain_votes

NO_SLOT = -1

LOGS, PRODUCTS = range(2)
"""What the votes of the current row are: logarithms, or plain products."""

LARGEST_WHOLE = 2.0**20
"""Sums of whole weights up to this are exact over 2**33 rows."""


# -- routing -----------------------------------------------------------------------------------------------------------


@inlined
def route(
    X: np.ndarray, row: int, nodes: np.ndarray, children: np.ndarray, place: np.ndarray, first: np.ndarray
) -> tuple[int, int]:
    """Follow a row down the tree.

    Returns
    -------
    int, int
        The node where it ends, a leaf unless a value is missing or its category has no child; in the latter case also
        the place in ``children`` of the child that is not there, otherwise -1.
    """
    at = 0
    while nodes[at].kind >= NUMERIC:
        kind, child = nodes[at].kind, nodes[at].child
        x = X[row, nodes[at].feature]
        if kind == NUMERIC:
            if math.isnan(x):
                return at, NO_SLOT
            at = child + (1 - (x <= nodes[at].threshold))  # no branch: a processor can't foresee it
        elif not x >= 0.0:
            return at, NO_SLOT
        elif kind == BINARY:
            at = child if x == nodes[at].threshold else child + 1
        else:
            i = ~place[nodes[at].feature]
            if x >= first[i + 1] - first[i]:
                return at, NO_SLOT
            slot = child + int(x)
            if children[slot] < 0:
                return at, slot
            at = children[slot]
    return at, NO_SLOT


@inlined
def step(
    X: np.ndarray, row: int, nodes: np.ndarray, children: np.ndarray, place: np.ndarray, first: np.ndarray, at: int
) -> int:
    """The child of a split to which a row goes; -1 if there is none, as `route` has it."""
    x, child = X[row, nodes[at].feature], nodes[at].child
    if nodes[at].kind == NUMERIC:
        if math.isnan(x):
            return -1
        return child + (1 - (x <= nodes[at].threshold))
    if not x >= 0.0:
        return -1
    if nodes[at].kind == BINARY:
        return child if x == nodes[at].threshold else child + 1
    i = ~place[nodes[at].feature]
    return children[child + int(x)] if x < first[i + 1] - first[i] else -1


@kernel
def find_leaves(tree: Any, X: np.ndarray, leaves: np.ndarray) -> None:
    """Write the node in which each row ends into ``leaves``, int64 [n]."""
    for row in range(len(X)):
        leaves[row], _ = route(X, row, tree.nodes, tree.children, tree.place, tree.first)


@kernel
def find_path(tree: Any, X: np.ndarray, row: int) -> np.ndarray:
    """The nodes that a row passes, int64 [depth + 1], from the root to where it ends."""
    at, _ = route(X, row, tree.nodes, tree.children, tree.place, tree.first)
    n = 1
    above = tree.nodes[at].parent
    while above >= 0:
        n += 1
        above = tree.nodes[above].parent
    path = np.empty(n, np.int64)
    for k in range(n - 1, -1, -1):
        path[k] = at
        at = tree.nodes[at].parent
    return path


# -- predicting --------------------------------------------------------------------------------------------------------


@inlined
def majority(counts: np.ndarray, node: int, length: int) -> int:
    """The class with the largest count, the lowest one of equals; -1 if none is known."""
    if length == 0:
        return -1
    best, most = 0, counts[node, 0]
    for c in range(1, length):
        leads = counts[node, c] > most
        most = counts[node, c] if leads else most
        best = c if leads else best
    return best


@inlined
def node_weight(counts: np.ndarray, node: int, length: int) -> float:
    """Sum of a node's counts, in order."""
    weight = 0.0
    for c in range(length):
        weight += counts[node, c]
    return weight


@inlined
def prefers_bayes(nodes: np.ndarray, leaf: int, counts: np.ndarray, options: np.ndarray) -> bool:
    """Whether a node predicts by naive Bayes rather than by its counts."""
    if nodes[leaf].kind != LEAF:
        return False
    if options[LEAF_MODE] == ADAPTIVE:
        return bool(nodes[leaf].mc_ok <= nodes[leaf].nb_ok)
    if options[LEAF_MODE] == BAYES:
        return bool(node_weight(counts, leaf, nodes[leaf].length) >= options[NB_THRESHOLD])
    return False


@inlined
def bayes_winner(
    tree: Any,
    nodes: np.ndarray,
    counts: np.ndarray,
    numeric: np.ndarray,
    tables: np.ndarray,
    constants: np.ndarray,
    leaf: int,
    X: np.ndarray,
    row: int,
    values: np.ndarray,
    rows: np.ndarray,
    tame: bool,
    products: np.ndarray,
    votes: np.ndarray,
) -> tuple[int, int]:
    """Write a leaf's naive Bayes votes; the class that wins, and what the votes are, `LOGS` or `PRODUCTS`."""
    b, length = nodes[leaf].block, nodes[leaf].length
    if tame and b >= 0:
        winner = log_votes(b, counts, leaf, length, values, rows, numeric, tables, constants, products, votes)
        if winner != UNDECIDED:
            return winner, LOGS
    return plain_votes(tree, leaf, X, row, votes), PRODUCTS


@kernel
def write_proba(votes: np.ndarray, length: int, form: int, proba: np.ndarray) -> None:
    """Write votes, scaled to sum to 1, into ``proba``, float64 [C]; all zero if no vote is positive."""
    proba[:] = 0.0
    n = min(length, len(proba))
    best = -np.inf
    for c in range(n):
        best = max(best, votes[c])
    total = 0.0
    for c in range(n):
        p = votes[c]
        if form == LOGS:
            p = math.exp(p - best) if best > HOPELESS else 0.0
        proba[c] = p
        total += p
    for c in range(n):
        proba[c] = proba[c] / total if 0.0 < total < np.inf else 0.0


# -- learning ----------------------------------------------------------------------------------------------------------


@kernel
def new_leaf(tree: Any, parent: int, length: int) -> int:
    """Append a leaf; its counts are there already."""
    numbers, nodes = tree.numbers, tree.nodes
    leaf = int(numbers[N_NODES])
    numbers[N_NODES] += 1
    nodes[leaf].kind, nodes[leaf].block = LEAF, -1
    nodes[leaf].parent, nodes[leaf].depth = parent, nodes[parent].depth + 1
    nodes[leaf].length = length
    nodes[leaf].mc_ok, nodes[leaf].nb_ok = 0.0, 0.0
    nodes[leaf].w_last = weight_of(tree.counts[leaf], length)
    if len(tree.links) > 0:
        tree.links[leaf] = -1
    return leaf


@kernel
def take_block(tree: Any, leaf: int) -> int:
    """Give a leaf an empty block; there must be one."""
    numbers = tree.numbers
    if numbers[N_FREE] > 0:
        numbers[N_FREE] -= 1
        b = int(tree.free_blocks[numbers[N_FREE]])
    else:
        b = int(numbers[N_BLOCKS])
        numbers[N_BLOCKS] += 1
    tree.nodes[leaf].block = b
    tree.observed[b] = 0
    tree.numeric[b] = 0.0
    tree.numeric[b, :, LOW] = np.inf
    tree.numeric[b, :, HIGH] = -np.inf
    tree.tables[b] = 0.0
    tree.totals[b] = 0.0
    tree.slots[b] = 0
    tree.constants[b] = 0.0
    tree.constants[b, :, LOG] = -np.inf
    if len(tree.n_fields) > 0:
        tree.fields[b] = 0
        tree.n_fields[b] = 0
    if len(tree.ages) > 0:
        tree.gains[b] = 0.0
        tree.ages[b] = 0
    return b


@kernel
def free_block(tree: Any, leaf: int) -> None:
    """Take a leaf's block back."""
    numbers = tree.numbers
    tree.free_blocks[numbers[N_FREE]] = tree.nodes[leaf].block
    numbers[N_FREE] += 1
    tree.nodes[leaf].block = -1


@kernel
def allow_block(tree: Any, leaf: int) -> None:
    """Make a leaf without a block inactive if it cannot take one, and active if it can."""
    numbers, node = tree.numbers, tree.nodes[leaf]
    full = numbers[N_BLOCKS] - numbers[N_FREE] >= tree.options[MAX_BLOCKS]
    numbers[N_INACTIVE] += full - (node.kind == INACTIVE)
    node.kind = INACTIVE if full else LEAF


@kernel
def mark_observed(
    tree: Any, b: int, leaf: int, length: int, weight: float, values: np.ndarray, rows: np.ndarray
) -> None:
    """Note which fields now have a value in the block, and cache all classes' constants, which that may change."""
    numeric_fields, nominal_fields = fields_of(tree, b)
    for j in range(len(numeric_fields)):
        if abs(values[j]) < np.inf:
            tree.observed[b, numeric_fields[j]] = 1
    for i in range(len(nominal_fields)):
        if rows[i] >= 0:
            tree.observed[b, nominal_fields[i]] = 1
    for c in range(length):
        cache_constant(
            b,
            c,
            tree.counts[leaf, c],
            weight,
            tree.numeric,
            tree.totals,
            tree.slots,
            tree.observed,
            numeric_fields,
            nominal_fields,
            tree.constants,
        )


@inlined
def learn_at_leaf(
    tree: Any,
    nodes: np.ndarray,
    counts: np.ndarray,
    observed: np.ndarray,
    numeric: np.ndarray,
    tables: np.ndarray,
    totals: np.ndarray,
    slots: np.ndarray,
    constants: np.ndarray,
    place: np.ndarray,
    first: np.ndarray,
    numeric_fields: np.ndarray,
    nominal_fields: np.ndarray,
    leaf: int,
    new: bool,
    bayes: int,
    y: int,
    w: float,
    values: np.ndarray,
    rows: np.ndarray,
) -> float:
    """Add a row to a leaf, which has a block or can take one unless it is inactive; the leaf's weight.

    ``new`` says that it has just taken its block; ``bayes`` is the class that naive Bayes gave the row, or `UNDECIDED`
    if nobody asked. `walk` spells this out for the plain tree: its loop is 5 % slower with the call.
    """
    length, b = nodes[leaf].length, nodes[leaf].block
    active = nodes[leaf].kind == LEAF
    if bayes != UNDECIDED:
        nodes[leaf].mc_ok += w * (majority(counts, leaf, length) == y)
        nodes[leaf].nb_ok += w * (bayes == y)
    counts[leaf, y] += w
    if y >= length:
        length = y + 1
        nodes[leaf].length = length
    weight = node_weight(counts, leaf, length)
    if not active:
        return weight
    if b < 0:
        b = take_block(tree, leaf)
        new = True
    new |= observe_numeric(numeric, b, y, values, w)
    new |= observe_nominal(tables, totals, slots, nominal_fields, place, first, b, y, rows, w)
    if new:
        mark_observed(tree, b, leaf, length, weight, values, rows)
    else:
        cache_constant(
            b,
            y,
            counts[leaf, y],
            weight,
            numeric,
            totals,
            slots,
            observed,
            numeric_fields,
            nominal_fields,
            constants,
        )
    return weight


@kernel
def most_branches(first: np.ndarray, options: np.ndarray) -> int:
    """The most branches that a MULTIWAY node can have; 0 if there can't be one."""
    most = 0
    for i in range(len(first) - 1):
        most = max(most, first[i + 1] - first[i])
    return most if options[BINARY_ONLY] == 0.0 else 0


@inlined
def lacks(
    numbers: np.ndarray,
    options: np.ndarray,
    new_block: bool,
    multiway: int,
    n_nodes: int,
    n_children: int,
    n_blocks: int,
) -> int:
    """What there is no room for in the worst case of learning one row: a new leaf that takes a block and splits."""
    growing = (numbers[GROWING] != 0) | (options[FAMILY] != PLAIN)  # an anytime tree replaces splits all the same
    full = numbers[N_FREE] == 0 and numbers[N_BLOCKS] == n_blocks and numbers[N_BLOCKS] < options[MAX_BLOCKS]
    short = ENOUGH
    if numbers[N_NODES] + (max(2, multiway) + 1 if growing else 1) > n_nodes:
        short = NODES
    elif growing and numbers[N_CHILDREN] + multiway > n_children:
        short = CHILDREN
    elif new_block and full:
        short = BLOCKS
    return short


@kernel
def advance(tree: Any, work: Any, start: int) -> int:
    """Execute the schedule from operation ``start`` on.

    Parameters
    ----------
    tree : HoeffdingTree
    work : Work
        See `streamlearn.work`. A prediction is -1 before the first row was learned. Rows with ``y < 0`` or a weight
        that is not a positive number are not learned.
    start
        The first operation.

    Returns
    -------
    int
        The first operation that was not executed, for lack of room that ``numbers[SHORT]`` names (see
        `arrays.extend`), or the length of the schedule.
    """
    if work.X.shape[1] < len(tree.place):
        tree.numbers[SHORT] = COLUMNS
        return start
    values, rows = np.empty(len(tree.numeric_fields)), np.empty(len(tree.nominal_fields), np.int64)
    C = tree.counts.shape[1]
    return walk(tree, work, start, values, rows, np.empty(C), np.empty(C))


@kernel
def walk(
    tree: Any,
    work: Any,
    start: int,
    values: np.ndarray,
    rows: np.ndarray,
    votes: np.ndarray,
    products: np.ndarray,
) -> int:
    """`advance`, given scratch space for one row: float64 [Dn], int64 [Dm], and twice float64 [C]."""
    values, rows, votes, products = borrowed(values), borrowed(rows), borrowed(votes), borrowed(products)
    numbers, options = borrowed(tree.numbers), borrowed(tree.options)
    place, first = borrowed(tree.place), borrowed(tree.first)
    numeric_fields, nominal_fields = borrowed(tree.numeric_fields), borrowed(tree.nominal_fields)
    nodes, counts, children = borrowed(tree.nodes), borrowed(tree.counts), borrowed(tree.children)
    observed, constants = borrowed(tree.observed), borrowed(tree.constants)
    numeric, tables = borrowed(tree.numeric), borrowed(tree.tables)
    totals, slots = borrowed(tree.totals), borrowed(tree.slots)
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, prediction, proba = borrowed(work.schedule), borrowed(work.prediction), borrowed(work.proba)
    C = counts.shape[1]
    adaptive = options[LEAF_MODE] == ADAPTIVE
    multiway = most_branches(first, options)
    n_rooms, n_slots, n_blocks = len(nodes), len(children), len(tree.free_blocks)

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    y, w = 0, 0.0

    for step in range(start, len(schedule)):
        operation = schedule[step]
        learning = operation < 0
        row = ~operation if learning else operation
        if learning:
            y, w = targets[row], weights[row]
            if y < 0 or y >= C or not 0.0 < w < np.inf:
                continue
        if row != current:
            leaf, slot = route(X, row, nodes, children, place, first)
            tame = load_row(X, row, numeric_fields, nominal_fields, place, first, values, rows)
            current, bayes = row, UNDECIDED

        if learning:
            if nodes[leaf].kind >= NUMERIC:
                if slot == NO_SLOT:
                    continue
                if numbers[N_NODES] >= options[MAX_NODES]:
                    numbers[GROWING] = 0
                    continue
            new_block = nodes[leaf].kind != INACTIVE and nodes[leaf].block < 0
            short = lacks(numbers, options, new_block, multiway, n_rooms, n_slots, n_blocks)
            if short != ENOUGH:
                numbers[SHORT] = short
                return step
            if slot != NO_SLOT:
                children[slot] = new_leaf(tree, leaf, 0)
                leaf = children[slot]
            if new_block and numbers[N_BLOCKS] - numbers[N_FREE] >= options[MAX_BLOCKS]:
                nodes[leaf].kind = INACTIVE
                numbers[N_INACTIVE] += 1
                numbers[GROWING] = 0

        length = nodes[leaf].length
        active = nodes[leaf].kind == LEAF
        by_bayes = (active and adaptive) if learning else prefers_bayes(nodes, leaf, counts, options)
        if by_bayes and bayes == UNDECIDED:
            bayes, form = bayes_winner(
                tree, nodes, counts, numeric, tables, constants, leaf, X, row, values, rows, tame, products, votes
            )

        if not learning:
            if nodes[0].length == 0:
                prediction[row] = -1
            elif by_bayes:
                prediction[row] = bayes
            else:
                prediction[row] = max(0, majority(counts, leaf, length))
            if len(proba) > 0:
                source = votes if by_bayes else counts[leaf]
                write_proba(source, length, form if by_bayes else PRODUCTS, proba[row])
            continue

        current = -1
        if active and adaptive:
            nodes[leaf].mc_ok += w * (majority(counts, leaf, length) == y)
            nodes[leaf].nb_ok += w * (bayes == y)
        counts[leaf, y] += w
        if y >= length:
            length = y + 1
            nodes[leaf].length = length
        if not active:
            continue
        if w != math.floor(w) or w > LARGEST_WHOLE:
            numbers[INTEGRAL] = 0

        b = nodes[leaf].block
        if b < 0:
            b = take_block(tree, leaf)
        new = observe_numeric(numeric, b, y, values, w)
        new |= observe_nominal(tables, totals, slots, nominal_fields, place, first, b, y, rows, w)
        weight = node_weight(counts, leaf, length)
        if new or new_block:
            mark_observed(tree, b, leaf, length, weight, values, rows)
        else:
            cache_constant(
                b,
                y,
                counts[leaf, y],
                weight,
                numeric,
                totals,
                slots,
                observed,
                numeric_fields,
                nominal_fields,
                constants,
            )
        if numbers[GROWING] and weight - nodes[leaf].w_last >= options[GRACE]:
            attempt_split(tree, leaf, weight)
            nodes[leaf].w_last = weight
    return len(schedule)


# -- splitting ---------------------------------------------------------------------------------------------------------


@kernel
def attempt_split(tree: Any, leaf: int, weight: float) -> None:
    """Split a leaf if its best split is better than the second best by more than the Hoeffding bound, or in a tie.

    Not to split at all is a candidate of merit minus infinity: it comes second where only one field offers a split, and
    wins where none does.
    """
    if not may_split(tree, leaf, weight):
        return
    options, node = tree.options, tree.nodes[leaf]
    tree.numbers[ATTEMPTS] += 1
    preprune = options[PREPRUNE] != 0.0
    bound = hoeffding_bound(options, node.length, weight)
    if bound >= options[TAU] and will_not_split(tree, leaf, bound):
        return
    branches = np.empty((2, tree.counts.shape[1]))
    n, best, second, feature, kind, threshold = choose_split(tree, leaf, branches)
    if n + preprune > 1 and not (best - second > bound or bound < options[TAU]):
        return
    if best > -np.inf:
        if split_leaf(tree, leaf, feature, kind, threshold, best, branches):
            free_block(tree, leaf)
    elif preprune:
        restart(tree, leaf)


@kernel
def may_split(tree: Any, leaf: int, weight: float) -> bool:
    """Whether a leaf has classes to part and is not too deep."""
    options, node, counts = tree.options, tree.nodes[leaf], tree.counts[leaf]
    present, largest = 0, 0.0
    for c in range(node.length):
        present += counts[c] != 0.0
        largest = max(largest, counts[c])
    return bool(present >= 2 and node.depth < options[MAX_DEPTH] and not largest / weight > options[MAX_SHARE])


@kernel
def hoeffding_bound(options: np.ndarray, length: int, weight: float) -> float:
    """How far an average of merits may be off, for class vectors of a length."""
    R = 1.0 if options[CRITERION] == GINI else math.log(max(2, length)) / LN2
    return math.sqrt(R * R * math.log(1.0 / options[DELTA]) / (2.0 * weight))


@kernel
def restart(tree: Any, leaf: int) -> None:
    """Let a leaf start its statistics anew."""
    tree.numbers[RESTARTS] += 1
    free_block(tree, leaf)
    tree.nodes[leaf].mc_ok, tree.nodes[leaf].nb_ok = 0.0, 0.0


@kernel
def choose_split(tree: Any, leaf: int, branches: np.ndarray) -> tuple[int, float, float, int, int, float]:
    """The best split of a node over all fields; of equal merits the later field wins. Anytime trees add merits up.

    Returns
    -------
    int, float, float, int, int, float
        Fields that offer a split; the best and the second best merit (minus infinity where there is none); the best
        one's field, kind of node, and threshold or category.
    """
    length, b, criterion = tree.nodes[leaf].length, tree.nodes[leaf].block, int(tree.options[CRITERION])
    before = impurity(tree.counts[leaf], length, criterion)
    n, best, second = 0, -np.inf, -np.inf
    feature, kind, threshold = -1, NUMERIC, 0.0
    numeric_fields, nominal_fields = fields_of(tree, b)
    j, i = 0, 0
    while j < len(numeric_fields) or i < len(nominal_fields):
        if comes_first(numeric_fields, j, nominal_fields, i):
            field, place, j = int(numeric_fields[j]), j, j + 1
        else:
            field, place, i = int(nominal_fields[i]), ~i, i + 1
        found, merit, point, test = best_split(tree, b, field, place, length, before, criterion, branches)
        n += found
        if found and len(tree.gains) > 0:
            tree.gains[b, field] += merit
        if found and merit >= best:
            best, second = merit, best
            feature, kind, threshold = field, test, point
        elif found and merit > second:
            second = merit
    return n, best, second, feature, kind, threshold


@kernel
def best_split(
    tree: Any, b: int, field: int, place: int, length: int, before: float, criterion: int, branches: np.ndarray
) -> tuple[bool, float, float, int]:
    """The best split on one field: whether there is one, its merit, its threshold or category, its kind of node.

    ``place`` is the number of the field's observer in the block, as `observer_of` has it.
    """
    min_fraction = tree.options[MIN_FRACTION]
    if place >= 0:
        found, merit, t = best_numeric_split(tree.numeric[b], place, length, before, criterion, min_fraction, branches)
        return found, merit, t, NUMERIC
    i, start = ~place, tree.first[~tree.place[field]]
    table = tree.tables[b, start : start + n_values(tree.slots[b], i, length)]
    found, merit, v = best_nominal_split(
        table,
        tree.totals[b],
        tree.slots[b],
        i,
        length,
        tree.options[BINARY_ONLY] != 0.0,
        tree.numbers[INTEGRAL] != 0,
        before,
        criterion,
        min_fraction,
        branches,
    )
    return found, merit, float(v), MULTIWAY if v < 0 else BINARY


@kernel
def split_leaf(
    tree: Any, leaf: int, feature: int, kind: int, threshold: float, merit: float, branches: np.ndarray
) -> bool:
    """Turn a leaf into a split whose children inherit the class weights that its observers estimate for them.

    Returns
    -------
    bool
        Whether there may be so many nodes. The leaf's block is still the split's.
    """
    numbers, node, counts = tree.numbers, tree.nodes[leaf], tree.counts
    b, length = node.block, node.length
    place, column = observer_of(tree, b, feature), tree.place[feature]
    n_branches = n_values(tree.slots[b], ~place, length) if kind == MULTIWAY else 2
    if numbers[N_NODES] + n_branches > tree.options[MAX_NODES]:
        if tree.options[FAMILY] == PLAIN:  # in the others, subtrees may go and make room again
            numbers[GROWING] = 0
        return False
    numbers[SPLITS] += 1
    node.feature, node.kind, node.threshold, node.merit = feature, kind, threshold, merit
    node.mc_ok, node.nb_ok, node.w_last = 0.0, 0.0, 0.0
    if kind == MULTIWAY:
        start, stop = tree.first[~column], tree.first[~column + 1]
        node.child = numbers[N_CHILDREN]
        numbers[N_CHILDREN] += stop - start
        for slot in range(node.child, numbers[N_CHILDREN]):
            tree.children[slot] = -1
        for v in range(n_branches):
            child, n = numbers[N_NODES], 0
            for c in range(length):
                counts[child, c] = tree.tables[b, start + v, c]
                if tree.slots[b, c, ~place] > v:
                    n = c + 1
            tree.children[node.child + v] = new_leaf(tree, leaf, n)
    else:
        if kind == NUMERIC:
            lengths = numeric_branches(tree.numeric[b], place, length, threshold, branches)
        else:
            start = tree.first[~column]
            table = tree.tables[b, start : start + n_values(tree.slots[b], ~place, length)]
            lengths = nominal_branches(table, tree.slots[b], ~place, length, int(threshold), branches)
        node.child = numbers[N_NODES]
        for side in range(2):
            for c in range(length):
                counts[node.child + side, c] = branches[side, c]
            new_leaf(tree, leaf, lengths[side])
    return True
