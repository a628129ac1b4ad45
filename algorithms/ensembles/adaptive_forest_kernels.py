"""The adaptive random forest: members that watch their errors, and grow a new tree in the background when they rise.

Gomes, Bifet, Read, Barddal, Enembreck, Pfahringer, Holmes and Abdessalem, *Adaptive random forests for evolving data
stream classification*, 2017, in the form of MOA's ``AdaptiveRandomForest``. What a member does with a row:

1. it takes note whether its tree predicts the row, for the weight of its vote;
2. it draws k from the Poisson distribution; if k is 0 it skips the row, its detectors included;
3. its tree learns the row with k times its weight, its background tree, if it has one, with its weight;
4. its detectors are given the error of the tree *after* it has learned the row;
5. on a warning it begins a new background tree, and a new window for warnings;
6. on a drift the background tree takes the tree's place, with new windows and a new weight of its vote; if there is
   none, the tree begins anew, with a new window for drifts.

Deliberate difference: MOA's leaves draw m fields but observe only the first m - 1 of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, kernel
from streamlearn.random import poisson

from ..drift.adwin_kernels import adwin_rise
from ..trees.arrays import ENOUGH, NUMERIC
from ..trees.kernels import NO_SLOT, PRODUCTS, majority, prefers_bayes
from ..trees.member_kernels import (
    Space,
    bayes_of,
    clear_tree,
    find_leaf,
    leaf_winner,
    learn_row,
    load_values,
    new_space,
    open_member,
    shortage,
    write_shares,
)
from ..trees.one_row import tree_at
from ..trees.votes import UNDECIDED
from .forest_arrays import ACTIVE, BACKGROUND, CORRECT, DRIFT, TOTAL, WARNING

MEAN, WEIGHTED, DRIFT_DELTA, WARNING_DELTA = range(4)
"""Places in ``options``: of the Poisson numbers; whether votes are weighted; of the ADWIN windows, 0 for none."""


@kernel
def learn_chunk(s: Any, work: Any, start: int, stop: int, low: int, high: int) -> int:
    """Take members through operations ``start … stop-1``; see `forest`.

    Parameters
    ----------
    s : Forest
    work : Work
    low, high
        Members ``low … high-1``.

    Returns
    -------
    int
        How many members wait for room.
    """
    tree = tree_at(s.addresses[0])
    space = new_space(len(tree.numeric_fields), len(tree.nominal_fields), tree.counts.shape[1])
    waiting = 0
    for i in range(low, high):
        s.places[i] = learn_member(s, i, work, start, stop, space)
        waiting += s.places[i] < stop
    return waiting


@kernel
def learn_member(s: Any, i: int, work: Any, start: int, stop: int, space: Space) -> int:
    """Take one member from its place to ``stop``; the operation where it stopped, for lack of room if it is earlier."""
    slots, hits = borrowed(s.slots[i]), borrowed(s.hits[i])
    rng, votes = borrowed(s.rng[i]), borrowed(s.votes[i])
    X, targets, weights = borrowed(work.X), borrowed(work.y), borrowed(work.weight)
    schedule, options = borrowed(work.schedule), borrowed(s.options)
    tree = tree_at(s.addresses[slots[ACTIVE]])
    m = open_member(tree, space)
    C = m.counts.shape[1]
    grown = tree_at(s.addresses[max(0, slots[BACKGROUND])])
    g = open_member(grown, space)

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    grown_leaf, grown_slot = 0, NO_SLOT
    for step in range(max(start, s.places[i]), stop):
        operation = schedule[step]
        row = operation if operation >= 0 else ~operation
        y, w = targets[row], weights[row]
        if operation < 0 and (y < 0 or y >= C or not 0.0 < w < np.inf):
            continue
        if row != current:
            leaf, slot = find_leaf(m, X, row)
            tame = load_values(tree, m, X, row, leaf)
            current, bayes = row, UNDECIDED
        by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
        if by_bayes and bayes == UNDECIDED:
            bayes, form = bayes_of(tree, m, X, row, leaf, tame)
        if operation >= 0:
            share = 100.0 * hits[CORRECT] / hits[TOTAL] if options[WEIGHTED] * hits[CORRECT] > 0.0 else 1.0
            write_shares(m, leaf, by_bayes, form, share, votes[step - start])
            continue

        if shortage(m, leaf, slot) != ENOUGH:
            return step
        if slots[BACKGROUND] >= 0:
            grown_leaf, grown_slot = find_leaf(g, X, row)
            if shortage(g, grown_leaf, grown_slot) != ENOUGH:
                return step
        current = -1
        winner = bayes if by_bayes else max(0, majority(m.counts, leaf, m.nodes[leaf].length))
        hits[CORRECT] += w * (winner == y)
        hits[TOTAL] += w
        k = poisson(rng, options[MEAN])
        if k == 0:
            continue
        at = learn_row(tree, m, rng, X, row, leaf, slot, tame, bayes, y, k * w)
        error = 0.0
        if options[DRIFT_DELTA] > 0.0:
            if at != leaf or m.nodes[at].kind >= NUMERIC:
                leaf, slot = find_leaf(m, X, row)
                tame = load_values(tree, m, X, row, leaf)
            error = 1.0 if leaf_winner(tree, m, X, row, leaf, tame) != y else 0.0
        if slots[BACKGROUND] >= 0:
            tame = load_values(grown, g, X, row, grown_leaf)
            learn_row(grown, g, rng, X, row, grown_leaf, grown_slot, tame, UNDECIDED, y, w)
        if watch(s, i, error):
            tree = tree_at(s.addresses[slots[ACTIVE]])
            m = open_member(tree, space)
            grown = tree_at(s.addresses[max(0, slots[BACKGROUND])])
            g = open_member(grown, space)
    return stop


@kernel
def watch(s: Any, i: int, error: float) -> bool:
    """Give a member's detectors an error, and do what they demand; whether its trees are others now."""
    slots, windows, alarms, options = s.slots[i], s.windows[i], s.alarms[i], s.options
    if not options[DRIFT_DELTA] > 0.0:
        return False
    warned = options[WARNING_DELTA] > 0.0 and adwin_rise(windows[WARNING], error, options[WARNING_DELTA])
    if warned:
        alarms[WARNING] += 1
        windows[WARNING] = 0.0
        slots[BACKGROUND] = 2 * i + len(s.slots) - slots[ACTIVE]
        clear_tree(tree_at(s.addresses[slots[BACKGROUND]]))
    drifted = adwin_rise(windows[DRIFT], error, options[DRIFT_DELTA])
    if drifted:
        alarms[DRIFT] += 1
        windows[DRIFT] = 0.0
        clear_tree(tree_at(s.addresses[slots[ACTIVE]]))
        if slots[BACKGROUND] >= 0:
            slots[ACTIVE], slots[BACKGROUND] = slots[BACKGROUND], -1
            windows[WARNING] = 0.0
            s.hits[i] = 0.0
    return warned or drifted
