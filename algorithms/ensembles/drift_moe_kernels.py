"""The compiled DriftMoE: a router says which tree answers a row, and which ones learn it.

*DriftMoE: A Mixture of Experts Approach to Handle Concept Drifts*, 2025. Rows are walked one by one, since whether the
experts are right trains the router, and the router says which experts learn.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.features import LIMIT, learn_scale
from streamlearn.random import below, uniform

from ..drift.adwin_kernels import adwin_rise
from ..trees.arrays import ADAPTIVE, ENOUGH, LEAF, LEAF_MODE
from ..trees.kernels import PRODUCTS, majority, node_weight, prefers_bayes, write_proba
from ..trees.member_kernels import (
    Member,
    Space,
    bayes_of,
    clear_at,
    find_leaf,
    learn_at,
    learn_row,
    load_values,
    new_space,
    open_member,
    shortage_at,
    vote_at,
)
from ..trees.one_row import tree_at
from ..trees.votes import UNDECIDED
from .router_kernels import FURTHEST, Router, backward, draw_inputs, draw_kept, draw_output, forward, sigmoid, step

N_LEARNED, COLLECTED, STEPS, N_OUTPUTS, RECYCLED = range(5)
"""Places in ``numbers``: rows learned; rows in the router's present batch; its steps of Adam; its outputs in use;
experts that were replaced."""
N_NUMBERS = 5

(
    TASK,
    BATCH,
    RATE,
    DROPOUT,
    TOP_K,
    NORMALIZE,
    EXPERT_VOTES,
    EXPLORATION,
    NORMALIZE_VOTES,
    COUNT_UNTRAINED,
    RECYCLE,
    JOINT_VOTE,
) = range(12)
"""Places in ``options``."""
N_OPTIONS = 12

SIDE, GROWING = range(2)
"""Places in ``experts``: which of an expert's two trees predicts, and whether the other one is growing."""
CHOSEN, ANSWERED, RIGHT, LEARNED = range(4)
"""Places in ``tallies``: rows for which an expert was the router's first choice; of those, rows that it got right; rows
that it would have got right, chosen or not; rows that it learned."""
N_TALLIES = 4
BY_ROUTER, BY_EXPERTS, BY_BOTH = range(3)
"""Places in ``heads``: ways to answer, where there is one expert a class."""
N_HEADS = 3
FADING = 0.999  # what a way's record keeps with each row

STEADY = 5.0  # standardised inputs are cut off here
WARNING, DRIFT = 0.01, 0.001
"""Confidences of the ADWIN windows of an expert's errors (Gomes et al., 2017)."""
HEAVY = 1000.0  # the most that one row weighs for the router
DOUBT = 1e-3  # no expert is so sure that the router can't overrule it


class DriftMoEArrays(NamedTuple):
    """What a mixture knows beside its trees.

    ``K`` experts, ``N`` numeric and ``M`` nominal fields, ``V`` columns (the constant, the numeric fields, all
    categories), ``P`` inputs of the router, ``R`` outputs.

    Attributes
    ----------
    numbers : int64 [5]
        See `N_LEARNED` and those after it.
    options : float64 [12]
        The parameters, see `TASK` and those after it.
    seed : uint64 [1]
        Of the dropout.
    numeric, nominal : int64 [N], [M]
        Field numbers.
    offset : int64 [M + 1]
        First column of each nominal field.
    met : uint8 [V]
        1 for categories that were learned; others count as missing.
    drawn : uint8 [P]
        Inputs whose weights were drawn. With normalised inputs they are the columns; otherwise one a field, the numeric
        ones first.
    known : uint8 [R]
        Outputs in use.
    seen, mean, variance, scale : float64 [N]
        Of each numeric field, as `streamlearn.features.learn_scale` keeps them.
    first : float32 [4, P, H1]
    second : float32 [4, H1 + 1, H2]
    last : float32 [4, H2 + 1, R]
        The router's layers.
    rng : uint64 [4]
        The generator of weights, and of experts that learn by chance.
    experts : int64 [K, 2]
        See `SIDE`; expert ``k`` has the trees ``S k … S k + S - 1``, where ``S`` is 2 if experts are replaced, else 1.
    windows : float64 [K, 2, adwin_size]
        Errors on rows that the expert learned: for the warning, for the drift. Empty if experts are not replaced.
    tallies : int64 [K, 4]
        See `CHOSEN`.
    heads : float64 [3]
        How often each way to answer was right lately, see `BY_ROUTER`.
    addresses : int64 [trees]
        Where the trees' structs live.
    """

    numbers: np.ndarray
    options: np.ndarray
    seed: np.ndarray
    numeric: np.ndarray
    nominal: np.ndarray
    offset: np.ndarray
    met: np.ndarray
    drawn: np.ndarray
    known: np.ndarray
    seen: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    scale: np.ndarray
    first: np.ndarray
    second: np.ndarray
    last: np.ndarray
    rng: np.ndarray
    experts: np.ndarray
    windows: np.ndarray
    tallies: np.ndarray
    heads: np.ndarray
    addresses: np.ndarray


DriftMoE, DriftMoEType = struct(DriftMoEArrays)


@kernel
def make_mixture(a: DriftMoEArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return DriftMoE(
        a.numbers,
        a.options,
        a.seed,
        a.numeric,
        a.nominal,
        a.offset,
        a.met,
        a.drawn,
        a.known,
        a.seen,
        a.mean,
        a.variance,
        a.scale,
        a.first,
        a.second,
        a.last,
        a.rng,
        a.experts,
        a.windows,
        a.tallies,
        a.heads,
        a.addresses,
    )


# -- the router's inputs -----------------------------------------------------------------------------------------------


@kernel
def list_inputs(s: Any, X: np.ndarray, row: int, zeros: bool, index: np.ndarray, value: np.ndarray) -> int:
    """List the router's inputs for a row, the constant first; those that are 0 only if asked for.

    As published: each field's number or category code, as it stands. Normalised: standardised numbers, and an input of
    its own for each category. What is missing, infinite, or a category that was never learned is left out.
    """
    numeric, nominal, offset, met, mean, scale = s.numeric, s.nominal, s.offset, s.met, s.mean, s.scale
    normalize = s.options[NORMALIZE] > 0.0
    index[0], value[0], n = 0, 1.0, 1
    for k in range(len(numeric)):
        x = X[row, numeric[k]]
        if not abs(x) <= LIMIT:
            continue
        if normalize:
            x = min(max((x - mean[k]) * scale[k], -STEADY), STEADY)
        x = min(max(x, -FURTHEST), FURTHEST)
        index[n], value[n] = 1 + k, x
        n += (x != 0.0) | zeros
    for m in range(len(nominal)):
        x = X[row, nominal[m]]
        if not (0.0 <= x < offset[m + 1] - offset[m]) or met[offset[m] + int(x)] == 0:
            continue
        if normalize:
            index[n], value[n] = offset[m] + int(x), 1.0
        else:
            index[n], value[n] = 1 + len(numeric) + m, x
        n += normalize | (x != 0.0) | zeros
    return n


@kernel
def meet(s: Any, r: Router, X: np.ndarray, row: int) -> bool:
    """Draw the weights of inputs that a row brings for the first time; whether it brings any, or a new category."""
    nominal, offset, met = s.nominal, s.offset, s.met
    news = False
    for m in range(len(nominal)):
        x = X[row, nominal[m]]
        if 0.0 <= x < offset[m + 1] - offset[m] and met[offset[m] + int(x)] == 0:
            met[offset[m] + int(x)] = 1
            news = True
    n = list_inputs(s, X, row, True, r.index, r.value)
    for a in range(n):
        news |= r.drawn[r.index[a]] == 0
    if news:
        draw_inputs(r.first, r.index, n, r.drawn, s.rng)
    return news


@kernel
def score(s: Any, r: Router, X: np.ndarray, row: int) -> int:
    """Write the router's logits for a row; how many inputs are listed."""
    n = list_inputs(s, X, row, False, r.index, r.value)
    if len(r.kept) > 0:
        draw_kept(r.random, s.seed[0], s.numbers[STEPS], s.options[DROPOUT], r.kept)
    forward(r, n)
    return n


@kernel
def step_if_full(s: Any, r: Router, n: int) -> None:
    """Count a row whose slopes were added; a full batch makes a step."""
    numbers = s.numbers
    backward(r, n)
    numbers[COLLECTED] += 1
    if numbers[COLLECTED] >= s.options[BATCH]:
        numbers[COLLECTED] = 0
        numbers[STEPS] += 1
        step(r, s.options[RATE], numbers[STEPS])


@inlined
def slope(z: float, target: float, w: float, scale: float) -> np.float32:
    """Of the binary cross-entropy by a logit; ``scale`` is one over the number of terms that the loss averages."""
    return np.float32((sigmoid(z) - target) * min(w, HEAVY) * scale)


# -- experts -----------------------------------------------------------------------------------------------------------


@inlined
def tree_of(s: Any, k: int) -> int:
    """The address of the tree by which expert ``k`` predicts."""
    sides = len(s.addresses) // len(s.experts)
    return int(s.addresses[sides * k + s.experts[k, SIDE]])


@inlined
def other_tree_of(s: Any, k: int) -> int:
    """The address of the expert's other tree."""
    return int(s.addresses[2 * k + 1 - s.experts[k, SIDE]])


@inlined
def vote_for(m: Member, leaf: int, by_bayes: bool, form: int, y: int) -> float:
    """The vote for class ``y`` as MOA's trees give it, not normalised: a count, or a product of densities."""
    length = m.nodes[leaf].length
    if y >= length:
        return 0.0
    if not by_bayes:
        return float(m.counts[leaf, y])
    if form == PRODUCTS:
        return float(m.votes[y])
    return math.exp(m.votes[y]) / node_weight(m.counts, leaf, length)


@inlined
def share_for(m: Member, leaf: int, by_bayes: bool, form: int, y: int, shares: np.ndarray) -> float:
    """The vote for class ``y`` as a share of all votes."""
    if by_bayes:
        write_proba(m.votes, m.nodes[leaf].length, form, shares)
    else:
        write_proba(m.counts[leaf], m.nodes[leaf].length, PRODUCTS, shares)
    return float(shares[y])


@kernel
def choose(s: Any, logits: np.ndarray, trained_only: bool, chosen: np.ndarray) -> None:
    """Set ``chosen``, uint8 [K], to 1 for the experts of the largest logits, the first of equals."""
    K, options = len(s.experts), s.options
    chosen[:] = 0
    for _ in range(min(K, int(options[TOP_K]))):
        best = -1
        for k in range(K):
            better = chosen[k] == 0 and (best < 0 or logits[k] > logits[best])
            if better and not (trained_only and not knows(tree_of(s, k))):
                best = k
        if best >= 0:
            chosen[best] = 1


@kernel
def predict_by_experts(
    s: Any, logits: np.ndarray, work: Any, row: int, chosen: np.ndarray, space: Space, shares: np.ndarray
) -> None:
    """The answer of the first expert; or that of the first `TOP_K`, weighted by the sigmoids."""
    proba, best = work.proba, 0
    if s.options[JOINT_VOTE] == 0.0:
        work.prediction[row] = vote_at(tree_of(s, leader(s, logits)), work.X, row, space, shares)
        if len(proba) > 0:
            proba[row] = shares[: proba.shape[1]]
        return
    choose(s, logits, s.options[COUNT_UNTRAINED] == 0.0, chosen)
    total, everything = np.zeros(len(shares)), 0.0
    for k in range(len(chosen)):
        if chosen[k] != 0:
            vote_at(tree_of(s, k), work.X, row, space, shares)
            for c in range(len(shares)):
                total[c] += sigmoid(logits[k]) * shares[c]
    for c in range(len(total)):
        best = c if total[c] > total[best] else best
        everything += total[c]
    work.prediction[row] = best
    if len(proba) > 0:
        for c in range(proba.shape[1]):
            proba[row, c] = total[c] / everything if everything > 0.0 else 0.0


@kernel
def leader(s: Any, logits: np.ndarray) -> int:
    """The expert that answers: that of the largest logit, the first of equals; those that know nothing are passed over
    where they don't count."""
    pass_over = s.options[COUNT_UNTRAINED] == 0.0
    best = -1
    for k in range(len(s.experts)):
        if pass_over and not knows(tree_of(s, k)):
            continue
        if best < 0 or logits[k] > logits[best]:
            best = k
    return max(best, 0)


@kernel
def knows(address: int) -> bool:
    """Whether a tree has learned a row."""
    return bool(tree_at(address).nodes[0].length > 0)


@kernel
def replace_if_drifting(s: Any, k: int, wrong: bool) -> None:
    """Look for drift in the errors of an expert that learned a row, as adaptive random forests do (Gomes et al., 2017).

    A warning starts a tree in the background, which learns what the expert learns; a drift puts it in the place of the
    expert's tree.
    """
    experts, warning, drift = s.experts[k], s.windows[k, 0], s.windows[k, 1]
    error = 1.0 if wrong else 0.0
    if adwin_rise(warning, error, WARNING):
        clear_at(other_tree_of(s, k))
        experts[GROWING] = 1
        warning[:] = 0.0
    if adwin_rise(drift, error, DRIFT):
        clear_at(tree_of(s, k))
        if experts[GROWING] != 0:
            experts[SIDE] = 1 - experts[SIDE]
        experts[GROWING] = 0
        warning[:] = 0.0
        drift[:] = 0.0
        s.numbers[RECYCLED] += 1


@kernel
def learn_by_experts(
    s: Any,
    X: np.ndarray,
    row: int,
    y: int,
    w: float,
    first: int,
    chosen: np.ndarray,
    right: np.ndarray,
    space: Space,
    shares: np.ndarray,
) -> None:
    """Ask all experts about a row, then let the chosen ones learn it.

    Parameters
    ----------
    first
        The expert that answers.
    chosen : uint8 [K]
        The experts that learn.
    right : uint8 [K]
        Output: which experts are right; if none is, the one with the largest vote for the true class passes for it.
    shares : float64 [C]
        Scratch space.
    """
    options, experts, tallies, rng = s.options, s.experts, s.tallies, s.rng
    normalize, recycle = options[NORMALIZE_VOTES] > 0.0, options[RECYCLE] > 0.0
    untrained_count = options[COUNT_UNTRAINED] > 0.0
    nobody, closest, largest = True, 0, 0.0
    tallies[first, CHOSEN] += 1
    for k in range(len(experts)):
        tree = tree_at(tree_of(s, k))
        m = open_member(tree, space)
        leaf, slot = find_leaf(m, X, row)
        tame = load_values(tree, m, X, row, leaf)
        by_bayes = prefers_bayes(m.nodes, leaf, m.counts, m.options)
        bayes, form = UNDECIDED, PRODUCTS
        winner = max(0, majority(m.counts, leaf, m.nodes[leaf].length))
        if by_bayes:
            winner, form = bayes_of(tree, m, X, row, leaf, tame)
            bayes = winner
        hit = winner == y and (untrained_count or m.nodes[0].length > 0)
        right[k] = hit
        tallies[k, RIGHT] += hit
        tallies[first, ANSWERED] += hit and k == first
        if hit:
            nobody = False
        elif nobody:
            vote = share_for(m, leaf, by_bayes, form, y, shares) if normalize else vote_for(m, leaf, by_bayes, form, y)
            if vote > largest:
                closest, largest = k, vote
        if chosen[k] != 0:
            tallies[k, LEARNED] += 1
            if bayes == UNDECIDED and m.nodes[leaf].kind == LEAF and m.options[LEAF_MODE] == ADAPTIVE:
                bayes, _ = bayes_of(tree, m, X, row, leaf, tame)
            learn_row(tree, m, rng, X, row, leaf, slot, bayes, y, w)
            if recycle:
                if experts[k, GROWING] != 0:
                    learn_at(other_tree_of(s, k), rng, X, row, y, w, space)
                replace_if_drifting(s, k, winner != y)
    if nobody:
        right[closest] = 1


# -- schedules ---------------------------------------------------------------------------------------------------------


@kernel
def lacks_room(s: Any) -> bool:
    """Whether a tree may lack room to learn one more row; all that do have noted it."""
    short = False
    for address in s.addresses:
        short |= shortage_at(address) != ENOUGH
    return short


@kernel
def open_router(s: Any) -> Any:
    """The router, and space for one row."""
    below_size, above_size = s.first.shape[2], s.second.shape[2]
    most, outputs = max(below_size, above_size), s.last.shape[2]
    inputs = 1 + len(s.numeric) + len(s.nominal)
    dropped = below_size if s.options[DROPOUT] > 0.0 else 0
    return Router(
        s.first,
        s.second,
        s.last,
        s.drawn,
        np.empty(inputs, np.int64),
        np.empty(inputs, np.float32),
        np.empty(dropped, np.float32),
        np.empty(below_size, np.float32),
        np.empty(above_size, np.float32),
        np.zeros(outputs, np.float32),
        np.empty(most, np.int64),
        np.empty(most, np.float32),
        np.zeros(outputs, np.float32),
        np.empty(below_size, np.float32),
        np.empty(above_size, np.float32),
        np.empty(4, np.uint64),
    )


@inlined
def lent(r: Router) -> Router:
    """The same, borrowed: loops over it count no references. The caller's caller holds it."""
    return Router(
        borrowed(r.first),
        borrowed(r.second),
        borrowed(r.last),
        borrowed(r.drawn),
        borrowed(r.index),
        borrowed(r.value),
        borrowed(r.kept),
        borrowed(r.below),
        borrowed(r.above),
        borrowed(r.logits),
        borrowed(r.active),
        borrowed(r.level),
        borrowed(r.slopes),
        borrowed(r.slopes_below),
        borrowed(r.slopes_above),
        borrowed(r.random),
    )


@kernel
def advance(s: Any, work: Any, start: int) -> int:
    """Execute the schedule from operation ``start`` on; returns the first one that was not, for lack of room.

    Parameters
    ----------
    s : DriftMoE
    work : Work
        See `streamlearn.work`. A prediction is -1 before the first row was learned. Rows with ``y < 0`` or a weight
        that is not a positive number are not learned.
    start
        The first operation.
    """
    tree = tree_at(s.addresses[0])
    space = new_space(len(tree.numeric_fields), len(tree.nominal_fields), tree.counts.shape[1])
    return walk(s, work, start, open_router(s), space)


@kernel
def walk(s: Any, work: Any, start: int, router: Router, space: Space) -> int:
    """`advance`, given space for one row."""
    r, X, schedule = lent(router), borrowed(work.X), borrowed(work.schedule)
    K, C = len(s.experts), len(space.votes)
    chosen, right, shares = np.empty(K, np.uint8), np.empty(K, np.uint8), np.empty(C)
    scores = np.empty((N_HEADS, len(s.known)))
    task = s.options[TASK] > 0.0
    trees_learn = not task or s.options[EXPERT_VOTES] > 0.0
    current = -1  # the row whose logits are there
    for at in range(start, len(schedule)):
        operation = schedule[at]
        row = operation if operation >= 0 else ~operation
        if operation >= 0:
            if s.numbers[N_LEARNED] == 0:
                work.prediction[row] = -1
                continue
            score(s, r, X, row)
            current = row
            if task:
                predict_task(s, r.logits, work, row, space, scores)
            else:
                predict_by_experts(s, r.logits, work, row, chosen, space, shares)
            continue
        y, w = work.y[row], work.weight[row]
        if y < 0 or not 0.0 < w < np.inf or y >= (len(s.known) if task else C):
            continue
        if trees_learn and lacks_room(s):
            return at
        news = meet(s, r, X, row)
        if task:
            news |= meet_class(s, r, y)
        n = list_inputs(s, X, row, False, r.index, r.value)  # `meet` listed more
        if news or row != current:
            n = score(s, r, X, row)
        current = -1
        if task:
            learn_task(s, r, X, row, y, w, space, scores)
        else:
            first = leader(s, r.logits)
            choose(s, r.logits, False, chosen)
            if s.options[EXPLORATION] > 0.0 and uniform(s.rng) < s.options[EXPLORATION]:
                chosen[below(s.rng, K)] = 1
            learn_by_experts(s, X, row, y, w, first, chosen, right, space, shares)
            scale = 1.0 / (K * s.options[BATCH])
            for k in range(K):
                r.slopes[k] = slope(r.logits[k], float(right[k]), w, scale)
        step_if_full(s, r, n)
        if s.options[NORMALIZE] > 0.0:
            learn_scale(X, row, w, s.numeric, s.seen, s.mean, s.variance, s.scale)
        s.numbers[N_LEARNED] += 1
    return len(schedule)


# -- one expert a class ------------------------------------------------------------------------------------------------


@kernel
def meet_class(s: Any, r: Router, y: int) -> bool:
    """Give the router an output for a class that is learned for the first time; whether it is."""
    if s.known[y] != 0:
        return False
    s.known[y] = 1
    s.numbers[N_OUTPUTS] += 1
    draw_output(r.last, y, s.numbers[N_OUTPUTS], s.rng)
    return True


@kernel
def score_classes(s: Any, logits: np.ndarray, X: np.ndarray, row: int, space: Space, scores: np.ndarray) -> int:
    """Write what each way to answer gives each class, up to a factor, into ``scores`` [3, R]; the way that is taken.

    By the router: the sigmoids of its logits. By the experts: what each gives its own class. By both: the product.
    """
    known, heads = s.known, s.heads
    by_experts = s.options[EXPERT_VOTES] > 0.0
    shares = np.empty(len(space.votes))
    scores[:] = 0.0
    for c in range(len(known)):
        if known[c] == 0:
            continue
        scores[BY_ROUTER, c] = sigmoid(logits[c])
        if by_experts:
            vote_at(tree_of(s, c), X, row, space, shares)
            scores[BY_EXPERTS, c] = shares[1]
            scores[BY_BOTH, c] = (shares[1] + DOUBT) * scores[BY_ROUTER, c]
    best = BY_ROUTER
    for head in range(N_HEADS):
        best = head if by_experts and heads[head] > heads[best] else best
    return best


@inlined
def first_best(s: Any, logits: np.ndarray, scores: np.ndarray, head: int) -> int:
    """The class that a way to answer gives a row, the lowest of equals; by the router, that of the largest logit."""
    known, best = s.known, -1
    for c in range(len(known)):
        if known[c] != 0:
            if head == BY_ROUTER:
                best = c if best < 0 or logits[c] > logits[best] else best
            else:
                best = c if best < 0 or scores[head, c] > scores[head, best] else best
    return best


@kernel
def predict_task(s: Any, logits: np.ndarray, work: Any, row: int, space: Space, scores: np.ndarray) -> None:
    """The class, and the probabilities, that the way which was right most often lately gives a row."""
    head = score_classes(s, logits, work.X, row, space, scores)
    work.prediction[row] = first_best(s, logits, scores, head)
    if len(work.proba) == 0:
        return
    proba, total = work.proba[row], 0.0
    for c in range(len(proba)):
        total += scores[head, c]
    for c in range(len(proba)):
        proba[c] = scores[head, c] / total if total > 0.0 else 0.0


@kernel
def learn_task(s: Any, r: Router, X: np.ndarray, row: int, y: int, w: float, space: Space, scores: np.ndarray) -> None:
    """The router's slopes for a row whose target is its class, which the mask of the published method comes to in every
    case; then, if experts have votes, let all of them learn whether it is theirs."""
    known, heads, options = s.known, s.heads, s.options
    scale = 1.0 / (s.numbers[N_OUTPUTS] * options[BATCH])
    for c in range(len(known)):
        r.slopes[c] = slope(r.logits[c], 1.0 if c == y else 0.0, w, scale) if known[c] != 0 else np.float32(0.0)
    if options[EXPERT_VOTES] == 0.0:
        return
    score_classes(s, r.logits, X, row, space, scores)
    for head in range(N_HEADS):
        heads[head] = FADING * heads[head] + (first_best(s, r.logits, scores, head) == y)
    for k in range(len(known)):
        if known[k] == 0:
            continue
        wrong = (scores[BY_EXPERTS, k] > 0.5) != (k == y)
        s.tallies[k, RIGHT] += not wrong
        s.tallies[k, LEARNED] += 1
        learn_at(tree_of(s, k), s.rng, X, row, int(k == y), w, space)
        if options[RECYCLE] > 0.0:
            if s.experts[k, GROWING] != 0:
                learn_at(other_tree_of(s, k), s.rng, X, row, int(k == y), w, space)
            replace_if_drifting(s, k, wrong)
