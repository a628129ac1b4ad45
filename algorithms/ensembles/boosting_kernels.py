"""Online boosting: each member learns a row with a weight that depends on how the members before it fared on that row.

Oza and Russell, *Online bagging and boosting*, 2001, as MOA's ``OzaBoost``; Chen, Lin and Lu, *An online boosting
algorithm with theoretical justifications*, 2012, as MOA's ``OnlineSmoothBoost``.

What a member leaves for the next one is a few numbers a row. So a chunk of rows passes through one member after the
other, as in a forest: when a member comes to a row, all before it have learned it, and none behind it matters.

Deliberate differences from MOA: where no member of ``OzaBoost`` has a say, since the first is never wrong, or mostly,
all vote alike (MOA then always predicts the first class); the weight of a row multiplies what is added up of it,
so that ``OzaBoost``'s balance holds with weights too, and counts in ``OnlineSmoothBoost`` at all.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.random import normal, poisson

from ..trees.arrays import ADAPTIVE, ENOUGH, LEAF, LEAF_MODE, NUMERIC
from ..trees.kernels import NO_SLOT, PRODUCTS, majority, prefers_bayes
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

RULE, GAMMA = range(2)
"""Places in ``options``."""
N_OPTIONS = 2

OZA, SMOOTH = range(2)
"""Values of ``options[RULE]``."""

RIGHT, WRONG = range(2)
"""Places in ``tallies``."""

MEAN, SEEN = range(2)
"""Places in ``carried`` of a row that `OZA` learns: the mean of the next member's Poisson number; weight so far."""
MARGIN, SHARE = range(2)
"""Places in ``carried`` of a row that `SMOOTH` learns: by how much members were right; how much the next learns."""
TALK = 0
"""Place in ``carried`` of a row that `OZA` predicts: who votes."""
LAST, NONE, ALL = range(3)
"""Values of ``carried[TALK]``: those that have a say, none from here on, or all alike, since the first has none."""

NORMAL_FROM = 100.0
"""Mean from which on a Poisson number is taken from the normal distribution, as in MOA."""
LARGEST_MEAN = 1e9


class BoosterArrays(NamedTuple):
    """What a booster knows beside its ``M`` trees; room for ``S`` operations a chunk, ``C`` classes.

    Attributes
    ----------
    numbers : int64 [1]
        Rows learned.
    options : float64 [2]
        `RULE` and `GAMMA`.
    rng : uint64 [M, 4]
        Each member's generator.
    tallies : float64 [M, 2]
        The weight that each member had right, and wrong.
    seen : float64 [1]
        The weight of all rows.
    addresses : int64 [M]
        Where the trees' structs live.
    places : int64 [M]
        The operation that each member comes to next.
    votes : float64 [M, S, C]
        What each member votes, by operation of the chunk.
    carried : float64 [S, 2]
        What the last member left for the next one, by operation of the chunk.
    """

    numbers: np.ndarray
    options: np.ndarray
    rng: np.ndarray
    tallies: np.ndarray
    seen: np.ndarray
    addresses: np.ndarray
    places: np.ndarray
    votes: np.ndarray
    carried: np.ndarray


Booster, BoosterType = struct(BoosterArrays)


@kernel
def make_booster(a: BoosterArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Booster(a.numbers, a.options, a.rng, a.tallies, a.seen, a.addresses, a.places, a.votes, a.carried)


@kernel
def learn_chunk(s: Any, work: Any, start: int, stop: int) -> int:
    """Take all members through operations ``start … stop-1``; how many wait for room, or for a member before them."""
    tree = tree_at(s.addresses[0])
    space = new_space(len(tree.numeric_fields), len(tree.nominal_fields), tree.counts.shape[1])
    waiting, reached = 0, stop
    for i in range(len(s.addresses)):
        reached = min(reached, learn_member(s.addresses[i], s, i, work, start, reached, space))
        s.places[i] = reached
        waiting += reached < stop
    return waiting


@kernel
def learn_member(address: int, s: Any, i: int, work: Any, start: int, stop: int, space: Space) -> int:
    """Take one member from its place to ``stop``; the operation where it stopped, for lack of room if it is earlier."""
    tree = tree_at(address)
    m = open_member(tree, space)
    rng, votes, carried, tally = borrowed(s.rng[i]), borrowed(s.votes[i]), borrowed(s.carried), borrowed(s.tallies[i])
    X, targets, weights, schedule = borrowed(work.X), borrowed(work.y), borrowed(work.weight), borrowed(work.schedule)
    oza, gamma = s.options[RULE] == OZA, s.options[GAMMA]
    C, adaptive = m.counts.shape[1], m.options[LEAF_MODE] == ADAPTIVE

    # What is known of the current row, so that learning it can use what predicting it found out.
    current, leaf, slot, tame = -1, 0, NO_SLOT, False
    bayes, form = UNDECIDED, PRODUCTS
    for step in range(max(start, s.places[i]), stop):
        operation, at = schedule[step], step - start
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

        learned = False
        while True:  # once, or before and after learning
            by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
            asked = by_bayes or (learning and not learned and adaptive and m.nodes[leaf].kind == LEAF)
            if asked and bayes == UNDECIDED:
                bayes, form = bayes_of(tree, m, X, row, leaf, tame)
            if not learning:
                scale = say_of(tally, i, carried[at]) if oza else 1.0
                if scale > 0.0:
                    write_shares(m, leaf, by_bayes, form, scale, votes[at])
                else:
                    votes[at] = 0.0
                break
            right = y == (bayes if by_bayes else max(0, majority(m.counts, leaf, m.nodes[leaf].length)))
            if learned:
                break
            if i == 0:
                begin_row(s, carried[at], oza, w)
            share = float(times(rng, carried[at, MEAN])) if oza else share_of(carried[at], right, gamma)
            if not 0.0 < share * w < np.inf:
                break
            learner = learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, share * w)
            current, bayes, learned = -1, UNDECIDED, True
            if not oza:
                break
            if learner != leaf or m.nodes[leaf].kind >= NUMERIC:
                leaf, slot = find_leaf(m, X, row)
        if learning and oza:
            weigh(tally, carried[at], right, w)
    return stop


@inlined
def begin_row(s: Any, carried: np.ndarray, oza: bool, w: float) -> None:
    """What the first member finds of a row that is to be learned."""
    if oza:
        s.seen[0] += w
        carried[MEAN], carried[SEEN] = 1.0, s.seen[0]
    else:
        carried[MARGIN], carried[SHARE] = 0.0, 1.0


@inlined
def share_of(carried: np.ndarray, right: bool, gamma: float) -> float:
    """How much of a row a member learns that had it right or not before; leaves the next one's share."""
    share = carried[SHARE]
    margin = carried[MARGIN] + ((1.0 if right else -1.0) - gamma / (2.0 + gamma))
    carried[MARGIN] = margin
    carried[SHARE] = 1.0 if margin <= 0.0 else math.pow(1.0 - gamma, margin / 2.0)
    return share


@inlined
def weigh(tally: np.ndarray, carried: np.ndarray, right: bool, w: float) -> None:
    """Add up what a member has right or wrong of a row, after learning it; leaves the next one's mean."""
    side = RIGHT if right else WRONG
    tally[side] += carried[MEAN] * w
    mean = carried[MEAN] * (carried[SEEN] / (2.0 * tally[side]))
    carried[MEAN] = mean if mean < LARGEST_MEAN else LARGEST_MEAN


@inlined
def times(rng: np.ndarray, mean: float) -> int:
    """The next Poisson number, of whatever mean."""
    if mean < NORMAL_FROM:
        return poisson(rng, mean)
    return int(max(0.0, mean + math.sqrt(mean) * normal(rng)))


@inlined
def say_of(tally: np.ndarray, i: int, carried: np.ndarray) -> float:
    """How much member ``i`` has to say: the logarithm of its odds to be right, or 0, or as all."""
    weight = tally[RIGHT] + tally[WRONG]
    error = tally[WRONG] / weight if weight > 0.0 else 0.0
    say = math.log(1.0 / (error / (1.0 - error))) if 0.0 < error <= 0.5 else 0.0
    if i == 0:
        carried[TALK] = LAST if say > 0.0 else ALL
    if carried[TALK] == LAST and not say > 0.0:
        carried[TALK] = NONE
    return say if carried[TALK] == LAST else 1.0 if carried[TALK] == ALL else 0.0
