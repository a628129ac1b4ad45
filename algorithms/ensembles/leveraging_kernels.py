"""Leveraging bagging: members learn rows with random weights, and when errors rise anywhere the worst one starts anew.

Bifet, Holmes and Pfahringer, *Leveraging bagging for evolving data streams*, 2010, as MOA's ``LeveragingBag``.

A member can be replaced because of another one's errors, so no member may run ahead of the others. But ADWIN looks for
a cut at every 32nd row only: up to the next row at which some window does, the *border*, members are independent, and
the rows pass through one member after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.random import below, poisson, poisson_by, poisson_sums, uniform

from ..drift.adwin_kernels import CLOCK, TICK, adwin_estimate, adwin_rise
from ..trees.arrays import ADAPTIVE, ENOUGH, LEAF, LEAF_MODE, NUMERIC
from ..trees.kernels import NO_SLOT, PRODUCTS, majority, prefers_bayes
from ..trees.member_kernels import (
    Space,
    bayes_of,
    clear_at,
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

N_LEARNED, N_CHANGES = range(2)
"""Places in ``numbers``."""
N_NUMBERS = 2

METHOD, W, ADWIN_DELTA = range(3)
"""Places in ``options``."""
N_OPTIONS = 3

BAG, ME, HALF, WT, SUBAG = range(5)
"""Values of ``options[METHOD]``; `METHODS` has their names."""
METHODS = ("bag", "me", "half", "wt", "subag")

BORDER, RISEN = range(2)
"""Places in ``border``."""


class LeveragingArrays(NamedTuple):
    """What leveraging bagging knows beside its ``M`` trees; room for ``S`` operations a chunk, ``C`` classes.

    Attributes
    ----------
    numbers : int64 [2]
        Rows learned; how often errors rose.
    options : float64 [3]
        `METHOD`, `W` and `ADWIN_DELTA`.
    rng : uint64 [M, 4]
        Each member's generator.
    windows : float64 [M, adwin_size]
        Each member's errors.
    addresses : int64 [M]
        Where the trees' structs live.
    places : int64 [M]
        The operation that each member comes to next.
    votes : float64 [M, S, C]
        What each member votes, by operation of the chunk.
    border : int64 [2]
        The operation to which members may go; whether one found there that its errors rose.
    """

    numbers: np.ndarray
    options: np.ndarray
    rng: np.ndarray
    windows: np.ndarray
    addresses: np.ndarray
    places: np.ndarray
    votes: np.ndarray
    border: np.ndarray


Leveraging, LeveragingType = struct(LeveragingArrays)


@kernel
def make_leveraging(a: LeveragingArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Leveraging(a.numbers, a.options, a.rng, a.windows, a.addresses, a.places, a.votes, a.border)


@kernel
def learn_chunk(s: Any, work: Any, start: int, stop: int) -> int:
    """Take all members through operations ``start … stop-1``, from border to border; how many wait for room."""
    tree = tree_at(s.addresses[0])
    space = new_space(len(tree.numeric_fields), len(tree.nominal_fields), tree.counts.shape[1])
    sums = poisson_sums(s.options[W])
    border = s.border
    while True:
        waiting = 0
        for i in range(len(s.addresses)):
            s.places[i] = learn_member(s.addresses[i], s, i, work, start, border[BORDER], space, sums)
            waiting += s.places[i] < border[BORDER]
        if waiting > 0:
            return waiting
        if border[RISEN] != 0:
            border[RISEN] = 0
            renew_worst(s)
        if border[BORDER] >= stop:
            return 0
        border[BORDER] = next_border(s, work, max(start, border[BORDER]), stop, tree.counts.shape[1])


@kernel
def next_border(s: Any, work: Any, start: int, stop: int, n_classes: int) -> int:
    """The operation behind the one at which the next window looks for a cut, or ``stop`` if that is earlier."""
    schedule, targets, weights = borrowed(work.schedule), borrowed(work.y), borrowed(work.weight)
    left = 0
    for i in range(len(s.windows)):
        left = max(left, int(s.windows[i, TICK]))
    left = CLOCK - left
    for step in range(start, stop):
        if schedule[step] < 0:
            y, w = targets[~schedule[step]], weights[~schedule[step]]
            left -= 0 <= y < n_classes and 0.0 < w < np.inf
            if left <= 0:
                return step + 1
    return stop


@kernel
def renew_worst(s: Any) -> None:
    """Replace the member with the most errors in its window by an empty one."""
    s.numbers[N_CHANGES] += 1
    worst, most = -1, 0.0
    for i in range(len(s.windows)):
        error = adwin_estimate(s.windows[i])
        if error > most:
            worst, most = i, error
    if worst >= 0:
        clear_at(s.addresses[worst])
        s.windows[worst] = 0.0


@kernel
def learn_member(address: int, s: Any, i: int, work: Any, start: int, stop: int, space: Space, sums: np.ndarray) -> int:
    """Take one member from its place to ``stop``; the operation where it stopped, for lack of room if it is earlier.

    ``sums`` are those of the Poisson distribution with mean `W`.
    """
    tree = tree_at(address)
    m = open_member(tree, space)
    rng, votes, window = borrowed(s.rng[i]), borrowed(s.votes[i]), borrowed(s.windows[i])
    X, targets, weights, schedule = borrowed(work.X), borrowed(work.y), borrowed(work.weight), borrowed(work.schedule)
    method, mean, delta = s.options[METHOD], s.options[W], s.options[ADWIN_DELTA]
    sums = borrowed(sums)
    C, adaptive = m.counts.shape[1], m.options[LEAF_MODE] == ADAPTIVE

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    for step in range(max(start, s.places[i]), stop):
        operation = schedule[step]
        learning = operation < 0
        row = ~operation if learning else operation
        y, w = targets[row], weights[row]
        if learning and (y < 0 or y >= C or not 0.0 < w < np.inf):
            continue
        if row != current:
            leaf, slot = find_leaf(m, X, row)
            tame = load_values(tree, m, X, row, leaf)
            current, bayes = row, UNDECIDED
        if learning and shortage(m, leaf, slot) != ENOUGH:
            return step

        learned, wrong = False, False
        while True:  # once, or before and after learning
            by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
            asked = by_bayes or (learning and not learned and adaptive and m.nodes[leaf].kind == LEAF)
            if asked and bayes == UNDECIDED:
                bayes, form = bayes_of(tree, m, X, row, leaf, tame)
            if not learning:
                write_shares(m, leaf, by_bayes, form, 1.0, votes[step - start])
                break
            wrong = y != (bayes if by_bayes else max(0, majority(m.counts, leaf, m.nodes[leaf].length)))
            if learned:
                break
            k = times(method, mean, sums, rng, window, wrong)
            if k == 0 or not k * w < np.inf:
                break
            learner = learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, k * w)
            current, bayes, learned = -1, UNDECIDED, True
            if learner != leaf or m.nodes[leaf].kind >= NUMERIC:
                leaf, slot = find_leaf(m, X, row)
        if learning and adwin_rise(window, 1.0 if wrong else 0.0, delta):
            s.border[RISEN] = 1
    return stop


@inlined
def times(method: float, mean: float, sums: np.ndarray, rng: np.ndarray, window: np.ndarray, wrong: bool) -> int:
    """How often a member learns a row, which it gets right or wrong."""
    if method == BAG:
        return poisson_by(rng, mean, sums)
    if method == ME:
        error = adwin_estimate(window)
        rate = error / (1.0 - error) if error < 1.0 else np.inf
        return 1 if wrong or uniform(rng) < rate else 0
    if method == HALF:
        return below(rng, 2)
    if method == WT:
        return 1 + poisson(rng, 1.0)
    return 1 if poisson(rng, 1.0) > 0 else 0
