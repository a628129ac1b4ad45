"""What makes a regression tree adaptive: splits watch their errors, and grow an alternate tree where these rise.

Bifet and Gavaldà, *Adaptive learning from evolving data streams*, 2009, for regression in the form of River's
``HoeffdingAdaptiveTreeRegressor``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel
from streamlearn.random import poisson

from ..drift.adwin_kernels import adwin_estimate, adwin_update
from .arrays import NUMERIC
from .leaf_model import LIMIT, model_output, read_row
from .normal import ndtr
from .regression_arrays import (
    ALTERNATES,
    BOOTSTRAP,
    BY_MEAN,
    COLUMNS,
    DEAD,
    DRIFT_DELTA,
    ENOUGH,
    LEAF_MODE,
    LIVE_BLOCKS,
    LIVE_NODES,
    MAX_NODES,
    MIN_WINDOW,
    N_NODES,
    PRUNED,
    SHORT,
    SIGNIFICANCE,
    STARTED,
    SWITCHED,
)
from .regression_kernels import (
    NO_SLOT,
    attempt_split,
    chosen,
    lacks,
    learn_leaf,
    most_branches,
    new_branch,
    new_leaf,
    route,
    step_down,
)

DEVIATIONS = 3.0
"""Errors are given to ADWIN as shares of this many root mean squares of all errors so far, at most 1."""

KEEP, SWITCH, PRUNE = range(3)
"""What to do with an alternate tree."""


@kernel
def advance_monitored(tree: Any, work: Any, start: int) -> int:
    """`regression_kernels.advance` for a monitored tree."""
    if work.X.shape[1] < len(tree.place):
        tree.numbers[SHORT] = COLUMNS
        return start
    numeric = len(tree.numeric_fields)
    values, rows, z = np.empty(numeric), np.empty(len(tree.nominal_fields), np.int64), np.empty(numeric)
    most = len(tree.nodes) if len(work.schedule) > 1 else tree.numbers[ALTERNATES] + 1
    return walk_monitored(tree, work, start, values, rows, z, np.empty(most, np.int64))


@kernel
def walk_monitored(
    tree: Any, work: Any, start: int, values: np.ndarray, rows: np.ndarray, z: np.ndarray, pending: np.ndarray
) -> int:
    """`advance_monitored`, given scratch space for one row: float64 [Dn], int64 [Dm], float64 [Dn], and a stack."""
    values, rows, z = borrowed(values), borrowed(rows), borrowed(z)
    options, nodes, X, schedule = borrowed(tree.options), borrowed(tree.nodes), borrowed(work.X), work.schedule
    mode, multiway = int(options[LEAF_MODE]), most_branches(tree.first, options)
    for step in range(start, len(schedule)):
        operation = schedule[step]
        row = ~operation if operation < 0 else operation
        if operation < 0:
            y, w = work.y[row], work.weight[row]
            if not (abs(y) <= LIMIT and 0.0 < w <= LIMIT):
                continue
            short = lacks(tree.numbers, multiway, len(nodes), len(tree.children), len(tree.used))
            if short != ENOUGH:
                tree.numbers[SHORT] = short
                return step
        read_row(X, row, tree.numeric_fields, tree.nominal_fields, tree.first, values, rows)
        if operation < 0:
            pending[0] = 0
            waiting = 1
            while waiting > 0:
                waiting -= 1
                waiting = learn_from(tree, int(pending[waiting]), X, row, y, w, values, rows, z, pending, waiting)
        else:
            leaf, _, _ = route(X, row, 0, nodes, tree.children, tree.place, tree.first)
            output = 0.0 if mode == BY_MEAN else model_output(tree.coefficients, tree.scales, leaf, values, rows, z)
            work.prediction[row] = chosen(nodes, leaf, mode, output)
    return len(schedule)


@kernel
def learn_from(
    tree: Any,
    start: int,
    X: np.ndarray,
    row: int,
    y: float,
    w: float,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
    pending: np.ndarray,
    waiting: int,
) -> int:
    """Learn a row from node ``start`` down, the root or that of an alternate tree.

    Parameters
    ----------
    pending, waiting
        Stack of nodes from which the row is still to be learned.

    Returns
    -------
    int
        Height of the stack, onto which the alternate trees on the way were put.
    """
    options, nodes, mode = borrowed(tree.options), borrowed(tree.nodes), int(tree.options[LEAF_MODE])
    coefficients, scales = borrowed(tree.coefficients), borrowed(tree.scales)
    subspaces, used = borrowed(tree.subspaces), borrowed(tree.used)
    bins, tables = borrowed(tree.bins), borrowed(tree.tables)
    waiting, leaf, above, slot, output = watch_path(tree, start, X, row, y, values, rows, z, pending, waiting)
    if slot != NO_SLOT:
        grown = new_branch(tree, above, slot)
        if grown >= 0:
            leaf = grown
            if mode != BY_MEAN:
                output = model_output(coefficients, scales, leaf, values, rows, z)
    if options[BOOTSTRAP] != 0.0:
        w *= max(1, poisson(tree.random, 1.0))
    if learn_leaf(
        tree, leaf, y, w, output, values, rows, z, options, nodes, coefficients, scales, subspaces, used, bins, tables
    ):
        attempt_split(tree, leaf)
        if leaf == start and start > 0 and nodes[start].kind >= NUMERIC:
            forget_errors(nodes, nodes[start].parent)  # both are compared on the same rows, from here on
    return waiting


# -- errors ------------------------------------------------------------------------------------------------------------


@kernel
def watch_path(
    tree: Any,
    start: int,
    X: np.ndarray,
    row: int,
    y: float,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
    pending: np.ndarray,
    waiting: int,
) -> tuple[int, int, int, int, float]:
    """Count a row's error at each node from ``start`` down; start, judge, and put in place alternate trees.

    Returns
    -------
    int, int, int, int, float
        Height of the stack; leaf, split and slot as of `regression_kernels.route`; the output of the leaf's model.
    """
    options, nodes, mode = borrowed(tree.options), borrowed(tree.nodes), int(tree.options[LEAF_MODE])
    children, place, first = borrowed(tree.children), borrowed(tree.place), borrowed(tree.first)
    windows, coefficients, scales = borrowed(tree.windows), borrowed(tree.coefficients), borrowed(tree.scales)
    may_start, arrived, at = True, False, start
    leaf, above, slot, output, error = start, -1, NO_SLOT, 0.0, 0.0
    while not arrived:
        leaf, above, slot = route(X, row, at, nodes, children, place, first)
        output = 0.0 if mode == BY_MEAN else model_output(coefficients, scales, leaf, values, rows, z)
        error = min(abs(y - chosen(nodes, leaf, mode, output)), LIMIT)
        if at == 0:
            tree.scale[0] += 1.0
            tree.scale[1] += (error * error - tree.scale[1]) / tree.scale[0]
        scaled = scaled_error(error, tree.scale[1])
        while nodes[at].kind >= NUMERIC:
            rises = watch(nodes, windows[at], at, error, scaled, options[DRIFT_DELTA])
            if rises and nodes[at].alternate < 0 and may_start and tree.numbers[LIVE_NODES] < options[MAX_NODES]:
                start_alternate(tree, at)
                may_start = False
            elif nodes[at].alternate >= 0:
                verdict = judge(nodes, at, options)
                if verdict == SWITCH:
                    put_alternate_in_place(tree, at)
                    break  # what is there now has not seen the row
                if verdict == PRUNE:
                    prune_alternate(tree, at)
                else:
                    pending[waiting] = nodes[at].alternate
                    waiting += 1
            at, missing = step_down(X, row, at, nodes, children, place, first)
            if missing != NO_SLOT:
                at = leaf
        arrived = at == leaf and nodes[leaf].kind < NUMERIC
    track(nodes, leaf, error)
    return waiting, leaf, above, slot, output


@inlined
def scaled_error(error: float, mean_square: float) -> float:
    """An error as ADWIN wants it, in 0 … 1."""
    return min(error / (DEVIATIONS * math.sqrt(mean_square)), 1.0) if mean_square > 0.0 else 0.0


@inlined
def track(nodes: np.ndarray, at: int, error: float) -> None:
    """Count an error at a node."""
    node = nodes[at]
    node.errors += 1.0
    distance = error - node.error_mean
    node.error_mean += distance / node.errors
    node.error_squares += distance * (error - node.error_mean)


@inlined
def forget_errors(nodes: np.ndarray, at: int) -> None:
    """Begin to count a node's errors anew."""
    nodes[at].errors = nodes[at].error_mean = nodes[at].error_squares = 0.0


@inlined
def watch(nodes: np.ndarray, window: np.ndarray, at: int, error: float, scaled: float, delta: float) -> bool:
    """Count an error at a split; whether its errors have risen. Where they have fallen, counting begins anew."""
    before = adwin_estimate(window)
    changed = adwin_update(window, scaled, delta)
    track(nodes, at, error)
    rises = changed and adwin_estimate(window) > before
    if changed and not rises:
        forget_errors(nodes, at)
    return rises


@inlined
def judge(nodes: np.ndarray, at: int, options: np.ndarray) -> int:
    """Compare a split's mean error with that of its alternate tree, by a two-sided z-test, once both have enough."""
    now, other = nodes[at], nodes[nodes[at].alternate]
    if not (now.errors > options[MIN_WINDOW] and other.errors > options[MIN_WINDOW]):
        return KEEP
    spread = other.error_squares / (other.errors - 1.0) / other.errors
    spread += now.error_squares / (now.errors - 1.0) / now.errors
    difference = other.error_mean - now.error_mean
    if not spread > 0.0 or 2.0 * ndtr(-abs(difference) / math.sqrt(spread)) > options[SIGNIFICANCE]:
        return KEEP
    return SWITCH if difference < 0.0 else PRUNE


# -- alternate trees ---------------------------------------------------------------------------------------------------


@kernel
def start_alternate(tree: Any, at: int) -> None:
    """Give a split an alternate tree, a leaf that knows nothing; there must be room."""
    tree.nodes[at].alternate = new_leaf(tree, at, tree.nodes[at].depth)
    forget_errors(tree.nodes, at)
    tree.numbers[ALTERNATES] += 1
    tree.numbers[STARTED] += 1


@kernel
def prune_alternate(tree: Any, at: int) -> None:
    """Give up a split's alternate tree."""
    alternate = tree.nodes[at].alternate
    tree.nodes[at].alternate = -1
    tree.numbers[ALTERNATES] -= 1
    tree.numbers[PRUNED] += 1
    bury(tree, alternate)


@kernel
def put_alternate_in_place(tree: Any, at: int) -> None:
    """Let a split's alternate tree take the split's place."""
    numbers, nodes = tree.numbers, tree.nodes
    alternate, parent = nodes[at].alternate, nodes[at].parent
    nodes[at].alternate = -1
    nodes[alternate].parent = parent
    numbers[ALTERNATES] -= 1
    numbers[SWITCHED] += 1
    bury(tree, at)
    nodes[at] = nodes[alternate]
    nodes[alternate].kind, nodes[alternate].block = DEAD, -1
    tree.coefficients[at] = tree.coefficients[alternate]
    tree.scales[at] = tree.scales[alternate]
    tree.windows[at] = tree.windows[alternate]
    for node in range(alternate + 1, numbers[N_NODES]):
        if nodes[node].parent == alternate:
            nodes[node].parent = at


@kernel
def bury(tree: Any, top: int) -> None:
    """Mark a node and everything below it, alternate trees included, as dead."""
    numbers, nodes = tree.numbers, tree.nodes
    for node in range(top, numbers[N_NODES]):
        above = nodes[node].parent
        dies = node == top or (above >= 0 and nodes[above].kind == DEAD)
        if dies and nodes[node].kind != DEAD:
            nodes[node].kind = DEAD
            numbers[LIVE_NODES] -= 1
            numbers[LIVE_BLOCKS] -= nodes[node].block >= 0
            numbers[ALTERNATES] -= nodes[node].alternate >= 0
            nodes[node].block = -1
