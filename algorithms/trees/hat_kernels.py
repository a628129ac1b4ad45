"""The compiled Hoeffding Adaptive Tree: each split watches its errors by ADWIN, and can be replaced with all below it.

Bifet and Gavaldà, *Adaptive learning from evolving data streams*, 2009, in the form of MOA's ``HoeffdingAdaptiveTree``:
a split whose errors rise gets an *alternate*, a leaf that learns the same rows. The alternate takes the split's place
once its errors are fewer by more than a bound, or, as in MOA, as soon as it would split itself; it is given up once
they are more. Leaves multiply weights by Poisson(1) numbers, but never by zero.

Windows exist where something reads them: at splits and alternates. (MOA's other leaves have one too, but it only
scales a vote that is alone.) Deliberate differences: one generator for the tree, where MOA gives each node the same
sequence; a category that a split has not seen gets a leaf, as in the Hoeffding tree; a row that misses the field of a
split is predicted from the split's class counts; the bounds of the tree are those of ``efdt_kernels.py``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import poisson

from ..drift.adwin_kernels import WIDTH, adwin_estimate, adwin_update
from .arrays import (
    ADAPTIVE,
    ALTERNATE,
    BLOCKS,
    BOOTSTRAP,
    CHILDREN,
    COLUMNS,
    DRIFT_DELTA,
    ENOUGH,
    GRACE,
    INTEGRAL,
    LEAF,
    LEAF_MODE,
    LEAST_WINDOW,
    MAX_BLOCKS,
    MAX_NODES,
    N_ALTERNATES,
    N_BLOCKS,
    N_CHILDREN,
    N_FREE,
    N_FREE_WINDOWS,
    N_NODES,
    N_WINDOWS,
    NODES,
    NUMERIC,
    PRUNED,
    RESTARTS,
    SHORT,
    SIGNIFICANCE,
    SWITCHED,
    WINDOW,
    WINDOWS,
)
from .kernels import (
    LARGEST_WHOLE,
    NO_SLOT,
    PRODUCTS,
    allow_block,
    attempt_split,
    bayes_winner,
    learn_at_leaf,
    majority,
    most_branches,
    new_leaf,
    prefers_bayes,
    route,
    step,
    write_proba,
)
from .surgery import below, free_window, remove_nodes, take_window
from .votes import UNDECIDED, load_row


@kernel
def advance(tree: Any, work: Any, start: int) -> int:
    """Execute the schedule from operation ``start`` on; as `kernels.advance`."""
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
    links, windows, rng = borrowed(tree.links), borrowed(tree.windows), borrowed(tree.rng)
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, prediction, proba = borrowed(work.schedule), borrowed(work.prediction), borrowed(work.proba)
    C = counts.shape[1]
    adaptive = options[LEAF_MODE] == ADAPTIVE
    multiway = most_branches(first, options)
    n_rooms, n_slots = len(nodes), len(children)
    n_blocks, n_windows = len(tree.free_blocks), len(tree.free_windows)

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    y, w = 0, 0.0

    for op in range(start, len(schedule)):
        operation = schedule[op]
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
            short = lacks(numbers, options, nodes[leaf].depth + 1, multiway, n_rooms, n_slots, n_blocks, n_windows)
            if short != ENOUGH:
                numbers[SHORT] = short
                return op
            if slot != NO_SLOT and numbers[N_NODES] < options[MAX_NODES]:
                leaf = new_leaf(tree, leaf, 0)
                children[slot] = leaf

        active = nodes[leaf].kind == LEAF
        by_bayes = prefers_bayes(nodes, leaf, counts, options)
        if (by_bayes or (learning and active and adaptive)) and bayes == UNDECIDED:
            bayes, form = bayes_winner(
                tree, nodes, counts, numeric, tables, constants, leaf, X, row, values, rows, tame, products, votes
            )
        winner = bayes if by_bayes else max(0, majority(counts, leaf, nodes[leaf].length))

        if not learning:
            prediction[row] = winner if nodes[0].length > 0 else -1
            if len(proba) > 0:
                source = votes if by_bayes else counts[leaf]
                write_proba(source, nodes[leaf].length, form if by_bayes else PRODUCTS, proba[row])
            continue

        current = -1
        if w != math.floor(w) or w > LARGEST_WHOLE:
            numbers[INTEGRAL] = 0

        # Down the path: each split takes note of the error, and its alternate, if it has one, learns the row too.
        error = 1.0 if winner != y else 0.0
        at = 0
        while nodes[at].kind >= NUMERIC:
            window = links[at, WINDOW]
            if window < 0:
                window = take_window(tree, at)
            before = adwin_estimate(windows[window])
            changed = adwin_update(windows[window], error, options[DRIFT_DELTA])
            if changed and not before > adwin_estimate(windows[window]):
                begin_alternate(tree, at)
            elif links[at, ALTERNATE] >= 0:
                judge_alternate(tree, at)
                if nodes[at].kind < NUMERIC:  # the alternate is what the rest of the path is now
                    break
            if links[at, ALTERNATE] >= 0 and teach_alternate(
                tree, at, X, row, y, w, values, rows, tame, votes, products
            ):
                at = -1  # it has learned the row, and is the subtree now
                break
            at = step(X, row, nodes, children, place, first, at)
            if at < 0:  # the row misses the field of this split
                break
        if at < 0:
            continue

        if at != leaf:
            leaf, bayes = at, UNDECIDED
        if nodes[leaf].block < 0:
            allow_block(tree, leaf)  # an alternate may have taken the last one
        active = nodes[leaf].kind == LEAF
        if bayes == UNDECIDED and active and adaptive:
            bayes, form = bayes_winner(
                tree, nodes, counts, numeric, tables, constants, leaf, X, row, values, rows, tame, products, votes
            )
        weight = learn_at_leaf(
            tree,
            nodes,
            counts,
            observed,
            numeric,
            tables,
            totals,
            slots,
            constants,
            place,
            first,
            numeric_fields,
            nominal_fields,
            leaf,
            False,
            bayes if active and adaptive else UNDECIDED,
            y,
            w * boost(rng, options),
            values,
            rows,
        )
        if active and weight - nodes[leaf].w_last >= options[GRACE]:
            attempt_split(tree, leaf, weight)
            nodes[leaf].w_last = weight
    return len(schedule)


@inlined
def lacks(
    numbers: np.ndarray,
    options: np.ndarray,
    depth: int,
    multiway: int,
    n_nodes: int,
    n_children: int,
    n_blocks: int,
    n_windows: int,
) -> int:
    """What there is no room for in the worst case of learning one row whose path has ``depth`` splits.

    Each of them may begin an alternate, which takes a block and a window; and one leaf splits.
    """
    in_use = numbers[N_BLOCKS] - numbers[N_FREE]
    if numbers[N_NODES] + depth + max(2, multiway) + 1 > n_nodes:
        return NODES
    if numbers[N_CHILDREN] + multiway > n_children:
        return CHILDREN
    if in_use + depth + 1 > n_blocks and n_blocks < options[MAX_BLOCKS]:
        return BLOCKS
    if numbers[N_WINDOWS] - numbers[N_FREE_WINDOWS] + 2 * depth + 1 > n_windows:
        return WINDOWS
    return ENOUGH


@inlined
def boost(rng: np.ndarray, options: np.ndarray) -> int:
    """What a leaf multiplies a weight by."""
    return max(1, poisson(rng, 1.0)) if options[BOOTSTRAP] != 0.0 else 1


@kernel
def begin_alternate(tree: Any, node: int) -> None:
    """Give a split an empty alternate, in the place of the one it may have."""
    numbers, alternate = tree.numbers, int(tree.links[node, ALTERNATE])
    if alternate >= 0:
        drop_alternate(tree, node)
    if numbers[N_NODES] >= tree.options[MAX_NODES]:
        return
    alternate = new_leaf(tree, node, 0)
    tree.nodes[alternate].depth = tree.nodes[node].depth
    tree.links[node, ALTERNATE] = alternate
    numbers[N_ALTERNATES] += 1


@kernel
def drop_alternate(tree: Any, node: int) -> None:
    """Take a split's alternate away."""
    dead = np.zeros(tree.numbers[N_NODES], np.uint8)
    dead[tree.links[node, ALTERNATE]] = 1
    tree.links[node, ALTERNATE] = -1
    remove_nodes(tree, dead)


@kernel
def judge_alternate(tree: Any, node: int) -> None:
    """Let the alternate take the split's place if its errors are fewer by more than the bound; drop it if more."""
    options = tree.options
    ours = tree.windows[tree.links[node, WINDOW]]
    theirs = tree.windows[tree.links[tree.links[node, ALTERNATE], WINDOW]]
    if not (ours[WIDTH] > options[LEAST_WINDOW] and theirs[WIDTH] > options[LEAST_WINDOW]):
        return
    old, new = adwin_estimate(ours), adwin_estimate(theirs)
    sizes = 1.0 / theirs[WIDTH] + 1.0 / ours[WIDTH]
    bound = math.sqrt(2.0 * old * (1.0 - old) * math.log(2.0 / options[SIGNIFICANCE]) * sizes)
    if bound < old - new:
        take_place(tree, node)
    elif bound < new - old:
        drop_alternate(tree, node)
        tree.numbers[PRUNED] += 1


@kernel
def take_place(tree: Any, node: int) -> None:
    """Let the alternate take the place of a split and of all below it."""
    numbers, nodes, counts, links = tree.numbers, tree.nodes, tree.counts, tree.links
    alternate = int(links[node, ALTERNATE])
    dead = below(tree, node, alternate)
    dead[alternate] = 1
    free_window(tree, node)
    free_window(tree, alternate)
    parent = nodes[node].parent
    nodes[node] = nodes[alternate]
    nodes[node].parent = parent
    counts[node] = counts[alternate]
    links[node] = -1
    for child in range(alternate + 1, numbers[N_NODES]):
        if nodes[child].parent == alternate:
            nodes[child].parent = node
    nodes[alternate].kind, nodes[alternate].block = LEAF, -1
    remove_nodes(tree, dead)
    numbers[SWITCHED] += 1


@kernel
def teach_alternate(
    tree: Any,
    node: int,
    X: np.ndarray,
    row: int,
    y: int,
    w: float,
    values: np.ndarray,
    rows: np.ndarray,
    tame: bool,
    votes: np.ndarray,
    products: np.ndarray,
) -> bool:
    """Let a split's alternate learn a row; whether it thereby took the split's place."""
    numbers, options, nodes, counts = tree.numbers, tree.options, tree.nodes, tree.counts
    alternate = int(tree.links[node, ALTERNATE])
    if nodes[alternate].block < 0:
        allow_block(tree, alternate)
    active = nodes[alternate].kind == LEAF
    adaptive = active and options[LEAF_MODE] == ADAPTIVE
    by_bayes = prefers_bayes(nodes, alternate, counts, options)
    bayes = UNDECIDED
    if by_bayes or adaptive:
        bayes, _ = bayes_winner(
            tree, nodes, counts, tree.numeric, tree.tables, tree.constants, alternate, X, row, values, rows, tame,
            products, votes,
        )  # fmt: skip
    winner = bayes if by_bayes else max(0, majority(counts, alternate, nodes[alternate].length))
    window = tree.links[alternate, WINDOW]
    if window < 0:
        window = take_window(tree, alternate)
    adwin_update(tree.windows[window], 1.0 if winner != y else 0.0, options[DRIFT_DELTA])
    weight = learn_at_leaf(
        tree,
        nodes,
        counts,
        tree.observed,
        tree.numeric,
        tree.tables,
        tree.totals,
        tree.slots,
        tree.constants,
        tree.place,
        tree.first,
        tree.numeric_fields,
        tree.nominal_fields,
        alternate,
        False,
        bayes if adaptive else UNDECIDED,
        y,
        w * boost(tree.rng, options),
        values,
        rows,
    )
    if not active or weight - nodes[alternate].w_last < options[GRACE]:
        return False
    restarts = numbers[RESTARTS]
    attempt_split(tree, alternate, weight)
    nodes[alternate].w_last = weight
    if nodes[alternate].kind == LEAF and numbers[RESTARTS] == restarts:
        return False
    take_place(tree, node)
    return True
