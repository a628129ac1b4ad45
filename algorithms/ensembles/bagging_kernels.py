"""Online bagging: every member learns every row as often as a Poisson number says.

Oza and Russell, *Online bagging and boosting*, 2001, as MOA's ``OzaBag``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, kernel
from streamlearn.random import poisson

from ..trees.arrays import ENOUGH
from ..trees.kernels import NO_SLOT, PRODUCTS, prefers_bayes
from ..trees.member_kernels import (
    Space,
    bayes_of,
    find_leaf,
    learn_row,
    load_values,
    new_space,
    open_member,
    shortage,
    write_shares,
)
from ..trees.one_row import tree_at
from ..trees.votes import UNDECIDED

MEAN = 0
"""Place in ``options``: of the Poisson numbers."""


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
        s.places[i] = learn_member(s.addresses[i], s, i, work, start, stop, space)
        waiting += s.places[i] < stop
    return waiting


@kernel
def learn_member(address: int, s: Any, i: int, work: Any, start: int, stop: int, space: Space) -> int:
    """Take one member from its place to ``stop``; the operation where it stopped, for lack of room if it is earlier."""
    tree = tree_at(address)
    m = open_member(tree, space)
    rng, votes = borrowed(s.rng[i]), borrowed(s.votes[i])
    X, targets, weights, schedule = (
        borrowed(work.X), borrowed(work.y), borrowed(work.weight), borrowed(work.schedule)
    )  # fmt: skip
    mean, C = s.options[MEAN], m.counts.shape[1]

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    for step in range(max(start, s.places[i]), stop):
        operation = schedule[step]
        row = operation if operation >= 0 else ~operation
        if operation < 0 and (targets[row] < 0 or targets[row] >= C or not 0.0 < weights[row] < np.inf):
            continue
        if row != current:
            leaf, slot = find_leaf(m, X, row)
            tame = load_values(tree, m, X, row, leaf)
            current, bayes = row, UNDECIDED
        if operation >= 0:
            by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
            if by_bayes and bayes == UNDECIDED:
                bayes, form = bayes_of(tree, m, X, row, leaf, tame)
            write_shares(m, leaf, by_bayes, form, 1.0, votes[step - start])
            continue
        if shortage(m, leaf, slot) != ENOUGH:
            return step
        k = poisson(rng, mean)
        if k > 0:
            learn_row(tree, m, rng, X, row, leaf, slot, tame, bayes, targets[row], k * weights[row])
            current = -1
    return stop
