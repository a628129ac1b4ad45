"""The compiled regression tree: routes rows, predicts, learns and splits.

Hoeffding trees whose leaves hold linear models: Ikonomovska, Gama and Džeroski, *Learning model trees from evolving
data streams*, 2011 (FIMT-DD), in the form of River's ``HoeffdingTreeRegressor``. `monitoring` adds what makes a tree
adaptive.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import below

from .arrays import BINARY, LEAF, MULTIWAY, NUMERIC
from .leaf_model import LIMIT, learn_model, model_output, read_row
from .regression_arrays import (
    ALTERNATES,
    BINARY_ONLY,
    BLOCKS,
    BY_EITHER,
    BY_MEAN,
    CHILDREN,
    COLUMNS,
    DECAY,
    DELTA,
    ENOUGH,
    GRACE,
    LEAF_MODE,
    LIVE_BLOCKS,
    LIVE_NODES,
    MAX_BLOCKS,
    MAX_DEPTH,
    MAX_NODES,
    MEAN,
    MIN_SAMPLES,
    N_BLOCKS,
    N_CHILDREN,
    N_MOMENTS,
    N_NODES,
    N_SEEN,
    NO_FIELD,
    NODES,
    RATE,
    RESIDUALS,
    SHORT,
    TAU,
    WEIGHT,
)
from .targets import (
    add_target,
    best_category_split,
    best_number_split,
    category_branches,
    number_branches,
    observe_number,
)

NO_SLOT = -1
LARGEST_ERROR = 1e150


# -- routing -----------------------------------------------------------------------------------------------------------


@inlined
def step_down(
    X: np.ndarray, row: int, at: int, nodes: np.ndarray, children: np.ndarray, place: np.ndarray, first: np.ndarray
) -> tuple[int, int]:
    """The child of a split to which a row goes, and the place in ``children`` where it should have had one, or -1."""
    kind, child, usual = nodes[at].kind, nodes[at].child, nodes[at].usual
    x = X[row, nodes[at].feature]
    if kind == NUMERIC:
        below = child + (1 - (x <= nodes[at].threshold))  # no branch: a processor can't foresee it
        return usual if math.isnan(x) else below, NO_SLOT
    if not x >= 0.0:
        return usual, NO_SLOT
    if kind == BINARY:
        return child if x == nodes[at].threshold else child + 1, NO_SLOT
    i = ~place[nodes[at].feature]
    if x >= first[i + 1] - first[i]:
        return usual, NO_SLOT
    slot = child + int(x)
    below = children[slot]
    return (below, NO_SLOT) if below >= 0 else (usual, slot)


@inlined
def route(
    X: np.ndarray, row: int, start: int, nodes: np.ndarray, children: np.ndarray, place: np.ndarray, first: np.ndarray
) -> tuple[int, int, int]:
    """Follow a row down from node ``start``; where it misses a split's field, along the usual branch.

    Returns
    -------
    int, int, int
        The leaf; the first node on the way that has no child for the row's category and the place in ``children`` where
        it would be, or twice -1.
    """
    at, above, slot = start, -1, NO_SLOT
    while nodes[at].kind >= NUMERIC:
        below, missing = step_down(X, row, at, nodes, children, place, first)
        if missing != NO_SLOT and slot == NO_SLOT:
            above, slot = at, missing
        at = below
    return at, above, slot


@kernel
def find_leaf(tree: Any, X: np.ndarray, row: int) -> int:
    """The leaf in which a row ends."""
    leaf, _, _ = route(X, row, 0, tree.nodes, tree.children, tree.place, tree.first)
    return leaf


@inlined
def chosen(nodes: np.ndarray, leaf: int, mode: int, output: float) -> float:
    """What a leaf predicts, given its model's output."""
    by_mean = mode == BY_MEAN or (mode == BY_EITHER and nodes[leaf].mean_error < nodes[leaf].model_error)
    return nodes[leaf].mean if by_mean or not abs(output) < np.inf else output


# -- learning ----------------------------------------------------------------------------------------------------------


@kernel
def new_leaf(tree: Any, parent: int, depth: int) -> int:
    """Append a leaf without anything learned; there must be room."""
    numbers, nodes = tree.numbers, tree.nodes
    leaf = int(numbers[N_NODES])
    numbers[N_NODES] += 1
    numbers[LIVE_NODES] += 1
    node = nodes[leaf]
    node.kind, node.parent, node.depth = LEAF, parent, depth
    node.block = node.alternate = node.usual = -1
    return leaf


@kernel
def inherit(tree: Any, leaf: int, parent: int) -> None:
    """Let a leaf begin with its parent's model."""
    tree.coefficients[leaf] = tree.coefficients[parent]
    tree.scales[leaf] = tree.scales[parent]
    tree.nodes[leaf].mean_error = tree.nodes[parent].mean_error
    tree.nodes[leaf].model_error = tree.nodes[parent].model_error


@kernel
def new_branch(tree: Any, parent: int, slot: int) -> int:
    """A leaf for a category that a split has no child for; if the tree may not grow, the usual one."""
    if tree.numbers[LIVE_NODES] >= tree.options[MAX_NODES]:
        return -1
    leaf = new_leaf(tree, parent, tree.nodes[parent].depth + 1)
    inherit(tree, leaf, parent)
    tree.children[slot] = leaf
    return leaf


@inlined
def learn_leaf(
    tree: Any,
    leaf: int,
    y: float,
    w: float,
    output: float,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
    options: np.ndarray,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    scales: np.ndarray,
    subspaces: np.ndarray,
    used: np.ndarray,
    bins: np.ndarray,
    tables: np.ndarray,
) -> bool:
    """Let a leaf learn a row, given its model's output; whether it is time for an attempt to split."""
    node = nodes[leaf]
    mode = int(options[LEAF_MODE])
    residual = y - output if mode != BY_MEAN else y
    if mode == BY_EITHER:
        by_mean, by_model = min(abs(y - node.mean), LARGEST_ERROR), min(abs(y - output), LARGEST_ERROR)
        node.mean_error = options[DECAY] * node.mean_error + by_mean * by_mean
        node.model_error = options[DECAY] * node.model_error + by_model * by_model
    if mode != BY_MEAN:
        if node.n == 0.0 and coefficients[leaf, 0] == 0.0:
            coefficients[leaf, 0] = output = y  # a model of nothing starts at its first target
        learn_model(coefficients, scales, leaf, values, rows, z, y - output, w, options[RATE])
    node.n += w
    node.mean += w * (y - node.mean) / node.n

    b = node.block
    if b < 0:
        if len(tree.seen) > 0 and tree.numbers[N_SEEN] == 0:
            return False
        if node.depth >= options[MAX_DEPTH] or tree.numbers[LIVE_BLOCKS] >= options[MAX_BLOCKS]:
            return False
        b = take_block(tree, leaf)
    observed = subspaces.shape[1]
    if observed == 0:
        for j in range(len(values)):
            if values[j] == values[j]:
                used[b, j] = observe_number(bins[b, j], used[b, j], values[j], y, residual, w)
        for i in range(len(rows)):
            if rows[i] >= 0:
                add_target(tables[b, rows[i]], y, residual, w)
    for slot in range(observed):
        place = subspaces[b, slot]
        if place >= 0:
            x = values[place]
            if x == x:
                used[b, slot] = observe_number(bins[b, slot], used[b, slot], x, y, residual, w)
        elif place != NO_FIELD and rows[~place] >= 0:
            add_target(tables[b, rows[~place]], y, residual, w)
    node.seen += w
    return node.seen - node.tried >= options[GRACE]


@kernel
def take_block(tree: Any, leaf: int) -> int:
    """Give a leaf an empty block; there must be room."""
    numbers = tree.numbers
    b = int(numbers[N_BLOCKS])
    numbers[N_BLOCKS] += 1
    numbers[LIVE_BLOCKS] += 1
    tree.nodes[leaf].block = b
    if tree.subspaces.shape[1] > 0:
        draw_subspace(tree, b)
    return b


@kernel
def draw_subspace(tree: Any, b: int) -> None:
    """Choose the fields that a block observes, every choice with the same chance (Knuth's selection sampling)."""
    numeric, left = len(tree.numeric_fields), tree.numbers[N_SEEN]
    wanted, found = tree.draws[left], 0
    for i in range(len(tree.place)):
        field = tree.numeric_fields[i] if i < numeric else tree.nominal_fields[i - numeric]
        if tree.seen[field] != 0:
            if below(tree.random, left) < wanted - found:
                tree.subspaces[b, found] = tree.place[field]
                found += 1
            left -= 1
    tree.subspaces[b, found:] = NO_FIELD


@inlined
def slot_of(subspaces: np.ndarray, b: int, place: int) -> int:
    """Where a block keeps its observer of a field, or -1 where it has none; for a nominal field, only whether."""
    if subspaces.shape[1] == 0:
        return max(place, 0)
    for slot in range(subspaces.shape[1]):
        if subspaces[b, slot] == place:
            return slot
    return -1


@kernel
def most_branches(first: np.ndarray, options: np.ndarray) -> int:
    """The most branches that a MULTIWAY node can have; 0 if there can't be one."""
    most = 0
    for i in range(len(first) - 1):
        most = max(most, first[i + 1] - first[i])
    return most if options[BINARY_ONLY] == 0.0 else 0


@inlined
def lacks(numbers: np.ndarray, multiway: int, n_nodes: int, n_children: int, n_blocks: int) -> int:
    """What there is no room for in the worst case of learning one row.

    That is, in the tree and in each alternate tree: a new category's leaf, which takes a block and splits, and a new
    alternate tree.
    """
    times = numbers[ALTERNATES] + 1
    short = ENOUGH
    if numbers[N_NODES] + times * (max(2, multiway) + 2) > n_nodes:
        short = NODES
    elif numbers[N_CHILDREN] + times * multiway > n_children:
        short = CHILDREN
    elif numbers[N_BLOCKS] + times > n_blocks:
        short = BLOCKS
    return short


@kernel
def advance(tree: Any, work: Any, start: int) -> int:
    """Execute the schedule from operation ``start`` on, in a tree that is not monitored.

    Parameters
    ----------
    tree : RegressionTree
    work : Work
        See `streamlearn.work`. A prediction is 0 before the first row was learned. Rows whose target is missing or
        beyond ±1e100, or whose weight is not a positive number up to 1e100, are not learned.
    start
        The first operation.

    Returns
    -------
    int
        The first operation that was not executed, for lack of room that ``numbers[SHORT]`` names (see
        `regression_arrays.extend`), or the length of the schedule.
    """
    if work.X.shape[1] < len(tree.place):
        tree.numbers[SHORT] = COLUMNS
        return start
    numeric = len(tree.numeric_fields)
    return walk(tree, work, start, np.empty(numeric), np.empty(len(tree.nominal_fields), np.int64), np.empty(numeric))


@kernel
def walk(tree: Any, work: Any, start: int, values: np.ndarray, rows: np.ndarray, z: np.ndarray) -> int:
    """`advance`, given scratch space for one row: float64 [Dn], int64 [Dm], float64 [Dn]."""
    values, rows, z = borrowed(values), borrowed(rows), borrowed(z)
    numbers, options = borrowed(tree.numbers), borrowed(tree.options)
    place, first = borrowed(tree.place), borrowed(tree.first)
    numeric_fields, nominal_fields = borrowed(tree.numeric_fields), borrowed(tree.nominal_fields)
    nodes, children = borrowed(tree.nodes), borrowed(tree.children)
    coefficients, scales = borrowed(tree.coefficients), borrowed(tree.scales)
    subspaces, used = borrowed(tree.subspaces), borrowed(tree.used)
    bins, tables = borrowed(tree.bins), borrowed(tree.tables)
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, prediction = borrowed(work.schedule), borrowed(work.prediction)
    mode = int(options[LEAF_MODE])
    multiway = most_branches(first, options)

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, above, slot, output = -1, 0, -1, NO_SLOT, 0.0
    for step in range(start, len(schedule)):
        operation = schedule[step]
        learning = operation < 0
        row = ~operation if learning else operation
        if learning and not (abs(targets[row]) <= LIMIT and 0.0 < weights[row] <= LIMIT):
            continue
        if learning:
            short = lacks(numbers, multiway, len(nodes), len(children), len(used))
            if short != ENOUGH:
                numbers[SHORT] = short
                return step
        if row != current:
            leaf, above, slot = route(X, row, 0, nodes, children, place, first)
            read_row(X, row, numeric_fields, nominal_fields, first, values, rows)
            current = row
            if mode != BY_MEAN:
                output = model_output(coefficients, scales, leaf, values, rows, z)
        if not learning:
            prediction[row] = chosen(nodes, leaf, mode, output)
            continue

        current = -1
        if slot != NO_SLOT:
            grown = new_branch(tree, above, slot)
            if grown >= 0:
                leaf = grown
                if mode != BY_MEAN:
                    output = model_output(coefficients, scales, leaf, values, rows, z)
        y, w = targets[row], weights[row]
        if learn_leaf(
            tree,
            leaf,
            y,
            w,
            output,
            values,
            rows,
            z,
            options,
            nodes,
            coefficients,
            scales,
            subspaces,
            used,
            bins,
            tables,
        ):
            attempt_split(tree, leaf)
    return len(schedule)


# -- splitting ---------------------------------------------------------------------------------------------------------


@kernel
def attempt_split(tree: Any, leaf: int) -> None:
    """Split a leaf if the second best field's merit is below the best one's by the Hoeffding bound, or in a tie.

    The bound is one on the mean of ratios of merits, as in FIMT-DD: it needs no range of the targets.
    """
    options, node = tree.options, tree.nodes[leaf]
    node.tried = node.seen
    best, second, feature, point = 0.0, 0.0, -1, 0.0
    for field in range(len(tree.place)):
        merit, where = best_split(tree, node.block, field, node.seen)
        if merit > best:
            best, second, feature, point = merit, best, field, where
        elif merit > second:
            second = merit
    if feature < 0:
        return
    bound = math.sqrt(math.log(1.0 / options[DELTA]) / (2.0 * node.seen))
    if second / best < 1.0 - bound or bound < options[TAU]:
        split_leaf(tree, leaf, feature, point, best)


@kernel
def best_split(tree: Any, b: int, field: int, weight: float) -> tuple[float, float]:
    """The best split on a field: its merit, and its threshold, category, or -1 for one branch a category.

    The merit is the reduction of variance among the rows that have the field, times their share of all rows.
    """
    place, least, residuals = tree.place[field], tree.options[MIN_SAMPLES], tree.options[RESIDUALS]
    slot = slot_of(tree.subspaces, b, place)
    if slot < 0:
        return 0.0, 0.0
    if place >= 0:
        n = tree.used[b, slot]
        if n < 2:
            return 0.0, 0.0
        merit, point, known = best_number_split(tree.bins[b, slot], n, least, residuals)
    else:
        table = tree.tables[b, tree.first[~place] : tree.first[~place + 1]]
        merit, category, known = best_category_split(table, least, residuals, tree.options[BINARY_ONLY] != 0.0)
        point = float(category)
    return (merit * known / weight, point) if merit > 0.0 else (0.0, point)


@kernel
def split_leaf(tree: Any, leaf: int, feature: int, point: float, merit: float) -> None:
    """Turn a leaf into a split whose children begin with its model and with their own share of the targets."""
    numbers, node, place = tree.numbers, tree.nodes[leaf], tree.place[feature]
    b, depth = node.block, node.depth + 1
    kind = NUMERIC if place >= 0 else (MULTIWAY if point < 0.0 else BINARY)
    start, stop = (tree.first[~place], tree.first[~place + 1]) if place < 0 else (0, 0)
    table = tree.tables[b, start:stop]
    n_branches = 2
    if kind == MULTIWAY:
        n_branches = 0
        for k in range(len(table)):
            n_branches += table[k, WEIGHT] > 0.0
    if numbers[LIVE_NODES] + n_branches > tree.options[MAX_NODES]:
        return
    if kind == MULTIWAY:
        node.child = numbers[N_CHILDREN]
        numbers[N_CHILDREN] += stop - start
        heaviest = 0.0
        for k in range(len(table)):
            tree.children[node.child + k] = -1
            if table[k, WEIGHT] > 0.0:
                child = split_off(tree, leaf, depth, table[k])
                tree.children[node.child + k] = child
                if table[k, WEIGHT] > heaviest:
                    heaviest, node.usual = table[k, WEIGHT], child
    else:
        branches = np.empty((2, N_MOMENTS))
        if kind == NUMERIC:
            slot = slot_of(tree.subspaces, b, place)
            number_branches(tree.bins[b, slot], tree.used[b, slot], point, branches)
        else:
            category_branches(table, int(point), branches)
        node.child = split_off(tree, leaf, depth, branches[0])
        split_off(tree, leaf, depth, branches[1])
        node.usual = node.child if branches[0, WEIGHT] >= branches[1, WEIGHT] else node.child + 1
    node.kind, node.feature, node.threshold, node.merit = kind, feature, point, merit
    node.block = -1
    node.errors = node.error_mean = node.error_squares = 0.0
    numbers[LIVE_BLOCKS] -= 1


@kernel
def split_off(tree: Any, parent: int, depth: int, moments: np.ndarray) -> int:
    """A leaf of a new split, which inherits."""
    leaf = new_leaf(tree, parent, depth)
    inherit(tree, leaf, parent)
    node = tree.nodes[leaf]
    node.n, node.mean = moments[WEIGHT], moments[MEAN]
    return leaf
