"""What a member of a forest does with a row: online bagging, with or without a watch on its errors.

Bagging is that of Oza and Russell, *Online bagging and boosting*, 2001. Members that watch their errors are those of
the adaptive random forest (Gomes, Bifet, Read, Barddal, Enembreck, Pfahringer, Holmes and Abdessalem, *Adaptive random
forests for evolving data stream classification*, 2017), in the order of MOA's ``AdaptiveRandomForest``:

1. the member takes note whether its tree predicts the row, for the weight of its vote;
2. it draws k from the Poisson distribution (as an option, k is 1); if k is 0 it skips the row, its windows included;
3. its tree learns the row with k times its weight;
4. its background tree, if it has one, learns it with its weight (or, as an option, with the same weight);
5. its windows are given the error of its tree *after* that has learned the row;
6. on a warning it begins a new background tree and a new window for warnings;
7. on a drift the background tree takes the tree's place, with new windows and a new weight of its vote; if there is
   none, the tree begins anew, with a new window for drifts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, kernel
from streamlearn.random import poisson_by, poisson_sums

from ..drift.adwin_kernels import adwin_rise
from ..trees.arrays import ADAPTIVE, ENOUGH, LEAF, LEAF_MODE, NUMERIC
from ..trees.kernels import NO_SLOT, PRODUCTS, majority, prefers_bayes
from ..trees.member_kernels import (
    Space,
    bayes_of,
    clear_at,
    find_leaf,
    learn_at,
    learn_row,
    load_values,
    open_member,
    shortage,
    shortage_at,
    write_shares,
)
from ..trees.one_row import tree_at
from ..trees.votes import UNDECIDED
from .forest_arrays import (
    ACTIVE,
    BACKGROUND,
    CORRECT,
    DRIFT,
    DRIFT_DELTA,
    MEAN,
    N_SEEN,
    SAME_WEIGHT,
    TOTAL,
    WARNING,
    WARNING_DELTA,
    WEIGHTED,
)


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
    n_seen = s.numbers[N_SEEN]
    space = Space(
        np.empty(len(tree.numeric_fields)),
        np.empty(len(tree.nominal_fields), np.int64),
        np.empty(tree.counts.shape[1]),
        np.empty(tree.counts.shape[1]),
        s.seen[:n_seen],
        s.n_draws[n_seen],
    )
    sums = poisson_sums(s.options[MEAN])
    waiting = 0
    for i in range(low, high):
        s.places[i] = learn_member(s, i, work, start, stop, space, sums)
        waiting += s.places[i] < stop
    return waiting


@kernel
def learn_member(s: Any, i: int, work: Any, start: int, stop: int, space: Space, sums: np.ndarray) -> int:
    """Take one member from its place to ``stop``; the operation where it stopped, for lack of room if it is earlier.

    ``sums`` are those of the Poisson distribution.
    """
    slots, hits, addresses = borrowed(s.slots[i]), borrowed(s.hits[i]), borrowed(s.addresses)
    rng, votes, options = borrowed(s.rng[i]), borrowed(s.votes[i]), borrowed(s.options)
    X, targets, weights, schedule = borrowed(work.X), borrowed(work.y), borrowed(work.weight), borrowed(work.schedule)
    sums = borrowed(sums)
    tree = tree_at(addresses[slots[ACTIVE]])
    m = open_member(tree, space)
    C, adaptive = m.counts.shape[1], m.options[LEAF_MODE] == ADAPTIVE
    watching = options[DRIFT_DELTA] > 0.0
    counting = watching or options[WEIGHTED] != 0.0

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    for step in range(max(start, s.places[i]), stop):
        operation = schedule[step]
        learning = operation < 0
        row = ~operation if learning else operation
        y, w, k = targets[row], weights[row], 0
        if learning and (y < 0 or y >= C or not 0.0 < w < np.inf):
            continue
        if row != current:
            leaf, slot = find_leaf(m, X, row)
            tame = load_values(tree, m, X, row, leaf)
            current, bayes = row, UNDECIDED
        if learning:
            if shortage(m, leaf, slot) != ENOUGH:
                return step
            if slots[BACKGROUND] >= 0 and shortage_at(addresses[slots[BACKGROUND]]) != ENOUGH:
                return step
            k = poisson_by(rng, options[MEAN], sums) if options[MEAN] > 0.0 else 1
            if k == 0 and not counting:
                continue

        learned, error = False, 0.0
        while True:  # once, or before and after learning
            by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
            asked = by_bayes or (k > 0 and not learned and adaptive and m.nodes[leaf].kind == LEAF)
            if asked and bayes == UNDECIDED:
                bayes, form = bayes_of(tree, m, X, row, leaf, tame)
            if not learning:
                share = 100.0 * hits[CORRECT] / hits[TOTAL] if options[WEIGHTED] * hits[CORRECT] > 0.0 else 1.0
                write_shares(m, leaf, by_bayes, form, share, votes[step - start])
                break
            winner = bayes if by_bayes else max(0, majority(m.counts, leaf, m.nodes[leaf].length))
            if learned:
                error = 1.0 if winner != y else 0.0
                break
            hits[CORRECT] += w * (winner == y)
            hits[TOTAL] += w
            if k == 0:
                break
            at = learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, k * w)
            current, bayes, learned = -1, UNDECIDED, True
            if not watching:
                break
            if at != leaf or m.nodes[at].kind >= NUMERIC:
                leaf, slot = find_leaf(m, X, row)
                tame = load_values(tree, m, X, row, leaf)
        if not (watching and learned):
            continue
        if slots[BACKGROUND] >= 0:
            weight = k * w if options[SAME_WEIGHT] != 0.0 else w
            learn_at(addresses[slots[BACKGROUND]], rng, X, row, y, weight, space)
        if watch(s, i, error):
            tree = tree_at(addresses[slots[ACTIVE]])
            m = open_member(tree, space)
    return stop


@kernel
def watch(s: Any, i: int, error: float) -> bool:
    """Give a member's windows an error, and do what they demand; whether its tree is another now."""
    slots, windows, alarms, options = s.slots[i], s.windows[i], s.alarms[i], s.options
    if options[WARNING_DELTA] > 0.0 and adwin_rise(windows[WARNING], error, options[WARNING_DELTA]):
        alarms[WARNING] += 1
        windows[WARNING] = 0.0
        slots[BACKGROUND] = 2 * i + len(s.slots) - slots[ACTIVE]
        clear_at(s.addresses[slots[BACKGROUND]])
    if not adwin_rise(windows[DRIFT], error, options[DRIFT_DELTA]):
        return False
    alarms[DRIFT] += 1
    windows[DRIFT] = 0.0
    clear_at(s.addresses[slots[ACTIVE]])
    if slots[BACKGROUND] >= 0:
        slots[ACTIVE], slots[BACKGROUND] = slots[BACKGROUND], -1
        windows[WARNING] = 0.0
    s.hits[i] = 0.0
    return True
