"""Members of a forest of regression trees: each bags rows, watches its errors, and grows a tree in the background.

Gomes, Barddal, Boiko Ferreira and Bifet, *Adaptive random forests for data stream regression*, 2018, in the form of
River's ``ARFRegressor``. A member is a regression tree whose leaves observe some fields only; the tree that it grows in
the background is its root's alternate tree.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import poisson

from ..drift.adwin_kernels import adwin_rise
from ..trees.leaf_model import LIMIT, model_output, read_row
from ..trees.monitoring import prune_alternate, put_alternate_in_place, scaled_error, start_alternate
from ..trees.regression_arrays import (
    ALTERNATES,
    BY_MEAN,
    COLUMNS,
    DRIFT,
    DRIFT_DELTA,
    ENOUGH,
    ERRORS,
    LEAF_MODE,
    LIVE_NODES,
    MAX_NODES,
    MEAN_SQUARE,
    N_SEEN,
    RESAMPLING,
    SHORT,
    STARTED,
    VOTES,
    VOTES_SQUARE,
    WARNING,
    WARNING_DELTA,
)
from ..trees.regression_kernels import (
    NO_SLOT,
    attempt_split,
    chosen,
    lacks,
    learn_leaf,
    most_branches,
    new_branch,
    route,
)
from ..trees.regression_one_row import tree_at


@kernel
def learn_chunk(s: Any, work: Any, start: int, stop: int, low: int, high: int) -> int:
    """Take members ``low … high-1`` through operations ``start … stop-1``; how many of them wait for room."""
    tree = tree_at(s.addresses[low])
    numeric = len(tree.numeric_fields)
    values, rows, z = np.empty(numeric), np.empty(len(tree.nominal_fields), np.int64), np.empty(numeric)
    waiting = 0
    for i in range(low, high):
        s.places[i] = learn_member(s.addresses[i], s, i, work, start, stop, values, rows, z)
        waiting += s.places[i] < stop
    return waiting


@kernel
def learn_member(
    address: int,
    s: Any,
    i: int,
    work: Any,
    start: int,
    stop: int,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
) -> int:
    """Take one member from its place to ``stop``, given scratch space for a row.

    Returns
    -------
    int
        The operation where it stopped; if that is before ``stop``, ``numbers[SHORT]`` says for lack of what.
    """
    tree = tree_at(address)
    if work.X.shape[1] < len(tree.place):
        tree.numbers[SHORT] = COLUMNS
        return start
    values, rows, z = borrowed(values), borrowed(rows), borrowed(z)
    numbers, options, scale = borrowed(tree.numbers), borrowed(tree.options), borrowed(tree.scale)
    place, first, nodes, children = borrowed(tree.place), borrowed(tree.first), borrowed(tree.nodes), tree.children
    numeric_fields, nominal_fields = borrowed(tree.numeric_fields), borrowed(tree.nominal_fields)
    coefficients, scales, random = borrowed(tree.coefficients), borrowed(tree.scales), borrowed(tree.random)
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, votes, squares = borrowed(work.schedule), borrowed(s.votes[i]), borrowed(s.squares[i])
    mode, resampling = int(options[LEAF_MODE]), options[RESAMPLING]
    multiway = most_branches(first, options)
    n_nodes, n_children, n_blocks = len(nodes), len(children), len(tree.used)

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, above, slot, output = -1, 0, -1, NO_SLOT, 0.0
    for step in range(max(start, s.places[i]), stop):
        operation = schedule[step]
        row = ~operation if operation < 0 else operation
        if operation < 0:
            if not (abs(targets[row]) <= LIMIT and 0.0 < weights[row] <= LIMIT):
                continue
            short = lacks(numbers, multiway, n_nodes, n_children, n_blocks)
            if short != ENOUGH:
                numbers[SHORT] = short
                return step
            if numbers[N_SEEN] < len(place):
                note_fields(tree, X, row)
        if row != current:
            leaf, above, slot = route(X, row, 0, nodes, children, place, first)
            read_row(X, row, numeric_fields, nominal_fields, first, values, rows)
            current = row
            if mode != BY_MEAN:
                output = model_output(coefficients, scales, leaf, values, rows, z)
        new = leaf == 0 and nodes[0].n == 0.0
        vote = math.nan if new else chosen(nodes, leaf, mode, output)
        if operation >= 0:
            votes[step - start], squares[step - start] = vote, scale[VOTES_SQUARE]
            continue

        y, w, error = targets[row], weights[row], 0.0
        if not new:
            error = min(abs(y - vote), LIMIT)
            count_error(scale, VOTES, VOTES_SQUARE, error)
        k = poisson(random, resampling)
        if k == 0:
            continue
        current = -1
        learn_row(tree, leaf, above, slot, output, y, k * w, values, rows, z)
        if numbers[ALTERNATES] > 0:
            top = int(nodes[0].alternate)
            leaf, above, slot = route(X, row, top, nodes, children, place, first)
            if mode != BY_MEAN:
                output = model_output(coefficients, scales, leaf, values, rows, z)
            learn_row(tree, leaf, above, slot, output, y, w, values, rows, z)
        if not new:
            count_error(scale, ERRORS, MEAN_SQUARE, error)
            watch_member(tree, scaled_error(error, scale[MEAN_SQUARE]))
    return stop


@kernel
def note_fields(tree: Any, X: np.ndarray, row: int) -> None:
    """Take note of the fields that a row has."""
    for field in range(len(tree.seen)):
        if tree.seen[field] == 0 and X[row, field] == X[row, field]:
            tree.seen[field] = 1
            tree.numbers[N_SEEN] += 1


@inlined
def count_error(scale: np.ndarray, count: int, mean_square: int, error: float) -> None:
    """Take an error into a mean of squares."""
    scale[count] += 1.0
    scale[mean_square] += (error * error - scale[mean_square]) / scale[count]


@kernel
def learn_row(
    tree: Any,
    leaf: int,
    above: int,
    slot: int,
    output: float,
    y: float,
    w: float,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
) -> None:
    """Learn a row of which `route` gave leaf, split and slot, and the leaf's model the output and ``z``."""
    options, nodes = borrowed(tree.options), borrowed(tree.nodes)
    coefficients, scales, subspaces = borrowed(tree.coefficients), borrowed(tree.scales), borrowed(tree.subspaces)
    used, bins, tables = borrowed(tree.used), borrowed(tree.bins), borrowed(tree.tables)
    if slot != NO_SLOT:
        grown = new_branch(tree, above, slot)
        if grown >= 0:
            leaf = grown
            if options[LEAF_MODE] != BY_MEAN:
                output = model_output(coefficients, scales, leaf, values, rows, z)
    if learn_leaf(
        tree, leaf, y, w, output, values, rows, z, options, nodes, coefficients, scales, subspaces, used, bins, tables
    ):
        attempt_split(tree, leaf)


@kernel
def watch_member(tree: Any, scaled: float) -> None:
    """Show the detectors an error: a warning starts a tree in the background, which a drift puts in place."""
    numbers, options, detectors = tree.numbers, tree.options, tree.detectors
    if options[WARNING_DELTA] > 0.0 and adwin_rise(detectors[WARNING], scaled, options[WARNING_DELTA]):
        detectors[WARNING] = 0.0
        if numbers[ALTERNATES] > 0:
            prune_alternate(tree, 0)
        if numbers[LIVE_NODES] < options[MAX_NODES]:
            start_alternate(tree, 0)
    if options[DRIFT_DELTA] > 0.0 and adwin_rise(detectors[DRIFT], scaled, options[DRIFT_DELTA]):
        detectors[:] = 0.0
        if numbers[ALTERNATES] == 0:
            start_alternate(tree, 0)
            numbers[STARTED] -= 1  # it counts warnings
        put_alternate_in_place(tree, 0)
        tree.scale[VOTES] = tree.scale[VOTES_SQUARE] = 0.0
