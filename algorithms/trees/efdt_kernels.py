"""The compiled Extremely Fast Decision Tree: splits at once if a split helps, and comes back to replace it by a better.

Manapragada, Webb and Salehi, *Extremely Fast Decision Tree*, 2018, in the form of MOA's ``EFDT``: every node on a row's
path learns the row; every `REEVALUATE` rows the splits on the path of that row are held against their alternatives.
What MOA does beyond the paper is kept, since its figures depend on it: the sums of merits go from the leaf to the split
it becomes while the number of attempts starts anew; a merit of minus infinity stays in the sum; a leaf may not split on
the nominal fields of the nominal splits right above it; after a replacement the row is learned no further down.

Deliberate differences: nodes and blocks, not bytes, bound the tree (see ``kernels.py``), and only for as long as no
subtree dies: a split that finds no room is put off, a leaf that finds no block counts classes until there is one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, kernel

from .arrays import (
    ADAPTIVE,
    AGE,
    ATTEMPTS,
    BORN,
    CHAINED,
    COLUMNS,
    ENOUGH,
    GRACE,
    INTEGRAL,
    LEAF,
    LEAF_MODE,
    LEARNED,
    MAX_NODES,
    MULTIWAY,
    N_NODES,
    NUMERIC,
    PREPRUNE,
    REEVALUATE,
    REPLACED,
    SHORT,
    TAU,
    TRIED,
)
from .kernels import (
    LARGEST_WHOLE,
    NO_SLOT,
    PRODUCTS,
    allow_block,
    bayes_winner,
    choose_split,
    hoeffding_bound,
    lacks,
    learn_at_leaf,
    majority,
    may_split,
    most_branches,
    new_leaf,
    prefers_bayes,
    restart,
    route,
    split_leaf,
    step,
    write_proba,
)
from .observers import n_values, observe_nominal, observe_numeric, weight_of
from .surgery import below, remove_nodes
from .votes import UNDECIDED, load_row

WORTHLESS = 1e-10
"""A leaf does not split for a merit below this."""


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
    totals, slots, ages = borrowed(tree.totals), borrowed(tree.slots), borrowed(tree.ages)
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, prediction, proba = borrowed(work.schedule), borrowed(work.prediction), borrowed(work.proba)
    C = counts.shape[1]
    adaptive = options[LEAF_MODE] == ADAPTIVE
    multiway = most_branches(first, options)
    n_rooms, n_slots, n_blocks = len(nodes), len(children), len(tree.free_blocks)
    grace, period = int(options[GRACE]), int(options[REEVALUATE])

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
            new_block = nodes[leaf].kind >= NUMERIC or nodes[leaf].block < 0
            short = lacks(numbers, options, new_block, multiway, n_rooms, n_slots, n_blocks)
            if short != ENOUGH:
                numbers[SHORT] = short
                return op
            if slot != NO_SLOT and numbers[N_NODES] < options[MAX_NODES]:
                leaf = new_leaf(tree, leaf, 0)
                children[slot] = leaf
            if nodes[leaf].kind < NUMERIC and nodes[leaf].block < 0:
                allow_block(tree, leaf)

        active = nodes[leaf].kind == LEAF
        by_bayes = (active and adaptive) if learning else prefers_bayes(nodes, leaf, counts, options)
        if by_bayes and bayes == UNDECIDED:
            bayes, form = bayes_winner(
                tree, nodes, counts, numeric, tables, constants, leaf, X, row, values, rows, tame, products, votes
            )

        if not learning:
            length = nodes[leaf].length
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
        if w != math.floor(w) or w > LARGEST_WHOLE:
            numbers[INTEGRAL] = 0
        looking = numbers[LEARNED] % period == 0
        numbers[LEARNED] += 1

        at = 0
        while nodes[at].kind >= NUMERIC:
            b = nodes[at].block
            counts[at, y] += w
            if y >= nodes[at].length:
                nodes[at].length = y + 1
            observe_numeric(numeric, b, y, values, w)
            observe_nominal(tables, totals, slots, nominal_fields, place, first, b, y, rows, w)
            if looking and replace_split(tree, at):
                break
            if at == leaf:  # the row misses the field of this split
                break
            at = step(X, row, nodes, children, place, first, at)
        if at != leaf or nodes[at].kind >= NUMERIC:
            continue

        asked = bayes if active and adaptive else UNDECIDED
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
            asked,
            y,
            w,
            values,
            rows,
        )
        if active:
            b = nodes[leaf].block
            ages[b, AGE] += 1
            if ages[b, AGE] % grace == 0:
                attempt_split(tree, leaf, weight)
    return len(schedule)


@kernel
def attempt_split(tree: Any, leaf: int, weight: float) -> None:
    """Split a leaf if its best split is better than none by more than the Hoeffding bound, on average, or in a tie."""
    if not may_split(tree, leaf, weight):
        return
    options, node = tree.options, tree.nodes[leaf]
    b = node.block
    tree.numbers[ATTEMPTS] += 1
    tree.ages[b, TRIED] += 1
    preprune = options[PREPRUNE] != 0.0
    branches = np.empty((2, tree.counts.shape[1]))
    n, best, _, feature, kind, threshold = choose_split(tree, leaf, branches)
    if n == 0:
        if preprune:
            restart(tree, leaf)
            tree.links[leaf, CHAINED] = -1
        return
    if n + preprune > 1:
        bound = hoeffding_bound(options, node.length, weight)
        average = tree.gains[b, feature] / tree.ages[b, TRIED]
        if best < WORTHLESS or not (average > bound or bound < options[TAU]):
            return
        if is_used(tree, leaf, feature):
            return
    if best > -np.inf:
        split(tree, leaf, feature, kind, threshold, best, branches)


@kernel
def is_used(tree: Any, node: int, feature: int) -> bool:
    """Whether one of the nominal splits right above a leaf is on a field."""
    while tree.links[node, CHAINED] > 0:
        node = tree.nodes[node].parent
        if tree.nodes[node].feature == feature:
            return True
    return False


@kernel
def split(tree: Any, node: int, feature: int, kind: int, threshold: float, merit: float, branches: np.ndarray) -> None:
    """Turn a leaf into a split that keeps its block."""
    b, length, before = tree.nodes[node].block, tree.nodes[node].length, int(tree.numbers[N_NODES])
    if split_leaf(tree, node, feature, kind, threshold, merit, branches):
        tree.ages[b, TRIED] = 0
        tree.ages[b, BORN] = length
        for child in range(before, tree.numbers[N_NODES]):
            tree.links[child, CHAINED] = 1 if kind != NUMERIC else -1


@kernel
def replace_split(tree: Any, node: int) -> bool:
    """Replace a split, and all below it, if another has been better by more than the bound on average; say if so."""
    options, b, current = tree.options, tree.nodes[node].block, tree.nodes[node].feature
    tree.ages[b, TRIED] += 1
    branches = np.empty((2, tree.counts.shape[1]))
    n, best, _, feature, kind, threshold = choose_split(tree, node, branches)
    if n == 0 or best == -np.inf:
        return False
    length, tried = tree.nodes[node].length, tree.ages[b, TRIED]
    bound = hoeffding_bound(options, tree.ages[b, BORN], weight_of(tree.counts[node], length))
    gain = tree.gains[b, feature] / tried - tree.gains[b, current] / tried
    if not (gain > bound or (bound < options[TAU] and gain > options[TAU] / 2.0)):
        return False
    dead = below(tree, node, -1)
    n_branches = n_values(tree.slots[b], ~tree.place[feature], length) if kind == MULTIWAY else 2
    if tree.numbers[N_NODES] - dead.sum() + n_branches > options[MAX_NODES]:
        return False
    tree.nodes[node].kind = LEAF
    remove_nodes(tree, dead)
    tree.links[node, CHAINED] = -1
    tree.numbers[REPLACED] += 1
    split(tree, node, feature, kind, threshold, best, branches)
    return True
