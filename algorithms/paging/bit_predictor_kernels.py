"""Kernels of the predictor of bits: what is known of a page, what that looks like to a model, and the model itself."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching.arrays import CAPACITY
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import address_of, borrowed, by_address, inlined, kernel, struct

from .hindsight_kernels import FULL, TIME, enter_window, keep, leave_window

RATE, PAIR_RATE, BUILT_IN, WEIGHT_BITS = 2, 3, 4, 5
"""Places in ``options`` after the common ones: learning rates of numbers and of combinations, whether the built-in
model learns, and the binary logarithm of how many weights pages share."""
N_OPTIONS = 6
FREE, PLACE, SETTLED = 6, 7, 8
"""Places in ``numbers``, after those of `hindsight_kernels`: how many nodes are free; the present place in ``recent``;
the first request whose label may not be known."""
N_NUMBERS = 9
GAP, GAP_BEFORE, GAP_BEFORE_THAT, COUNT, DECAYED, LABEL, LABEL_BEFORE = 0, 1, 2, 3, 4, 7, 8
"""Columns of ``history``; of decayed counts there are three."""
N_HISTORY = 9
N_FEATURES = 16
N_BUCKETS = 32  # of gaps, two for each doubling
N_COUNTS = 16
N_PAIRS = 4
FIRST_PAIRS = N_FEATURES
SECOND_PAIRS = FIRST_PAIRS + 3 * N_BUCKETS * N_BUCKETS
THIRD_PAIRS = SECOND_PAIRS + N_BUCKETS * N_COUNTS * N_COUNTS
PAGES = THIRD_PAIRS + 9 * N_BUCKETS * N_COUNTS
"""Where in ``weights`` those of the combinations begin, and those of pages."""
EPSILON = 1e-8  # AdaGrad's guard against division by zero


class PredictorArrays(NamedTuple):
    """State of a predictor of bits that waits ``W`` requests for labels and remembers pages for ``M >= W`` requests.

    A *node* stands for a page that is remembered; ``F`` features are numbers and ``P`` are combinations.

    Attributes
    ----------
    options : float64 [6]
        The parameters, as numbers.
    table : int32 [T]
        Which node has a page, see `streamlearn.caching.table`.
    pages, latest : int64 [M]
        The page of each node, -1 where it is free, and the number of its last request.
    history : float32 [M, 9]
        The last three gaps between requests of the page, 0 where there was none; how often it was requested; decayed
        counts; its last two labels, 1 for what could go, -1 for what was kept, 0 for none.
    features : float32 [M, F]
        What the model saw at the last request.
    pairs : int32 [M, P]
        Places in ``weights`` of the combinations that it saw.
    free : int32 [M]
        Free nodes, the next to be used last.
    recent : int32 [M]
        The node of the page of each of the last M requests, a ring.
    ring : int32 [W, 4]
        See `hindsight_kernels`.
    numbers : int64 [9]
    weights, squares : float64 [F + combinations + pages]
        The model's weights, and sums of their squared gradients.
    """

    options: np.ndarray
    table: np.ndarray
    pages: np.ndarray
    latest: np.ndarray
    history: np.ndarray
    features: np.ndarray
    pairs: np.ndarray
    free: np.ndarray
    recent: np.ndarray
    ring: np.ndarray
    numbers: np.ndarray
    weights: np.ndarray
    squares: np.ndarray


class PredictionArrays(NamedTuple):
    """One call of a predictor.

    Attributes
    ----------
    pages : int64 [n]
    probability : float64 [n]
        Output: how likely each page can go.
    seen : float64 [n, F] or [0, 0]
        Output: the features, where another model than the built-in one predicts.
    judged : float64 [m, F] or [0, 0], labels : int64 [m] or [0]
        Output: features whose labels became known, and these, in the order in which they did; room for a row for each
        request and for each that waits for its label.
    """

    pages: np.ndarray
    probability: np.ndarray
    seen: np.ndarray
    judged: np.ndarray
    labels: np.ndarray


Predictor, PredictorType = struct(PredictorArrays)


@kernel
def make_predictor(a: PredictorArrays) -> Any:
    """Pack a predictor's arrays into the struct that kernels find by its address."""
    return Predictor(
        a.options,
        a.table,
        a.pages,
        a.latest,
        a.history,
        a.features,
        a.pairs,
        a.free,
        a.recent,
        a.ring,
        a.numbers,
        a.weights,
        a.squares,
    )


@kernel
def predictor_address(predictor: Any) -> int:
    """Where a predictor lives."""
    return int(address_of(predictor))


def _example() -> Any:
    number, whole, entries = np.empty(0), np.empty(0, np.int64), np.empty(0, np.int32)
    table, matrix = np.empty((0, 0), np.int32), np.empty((0, 0), np.float32)
    return make_predictor(
        PredictorArrays(
            number, entries, whole, whole, matrix, matrix, table, entries, entries, table, whole, number, number
        )
    )


predictor_at = by_address(_example)
"""In kernels: the predictor at an address."""


@inlined
def opened(address: int) -> PredictorArrays:
    """The arrays of the predictor at an address, for use while somebody keeps it alive."""
    s = predictor_at(address)
    return PredictorArrays(
        borrowed(s.options),
        borrowed(s.table),
        borrowed(s.pages),
        borrowed(s.latest),
        borrowed(s.history),
        borrowed(s.features),
        borrowed(s.pairs),
        borrowed(s.free),
        borrowed(s.recent),
        borrowed(s.ring),
        borrowed(s.numbers),
        borrowed(s.weights),
        borrowed(s.squares),
    )


# -- the model ---------------------------------------------------------------------------------------------------------


@inlined
def probability_of(a: PredictorArrays, node: int) -> float:
    """How likely the page can go, by what was seen of it: logistic regression."""
    score = 0.0
    for i in range(N_FEATURES):
        score += a.weights[i] * a.features[node, i]
    for j in range(N_PAIRS):
        score += a.weights[a.pairs[node, j]]
    return 1.0 / (1.0 + math.exp(-score))


@inlined
def learn(a: PredictorArrays, node: int, label: float) -> None:
    """One step of AdaGrad against the logarithmic loss of what was seen."""
    gradient = probability_of(a, node) - label
    rate = a.options[RATE]
    for i in range(N_FEATURES):
        part = gradient * a.features[node, i]
        a.squares[i] += part * part
        a.weights[i] -= rate * part / math.sqrt(a.squares[i] + EPSILON)
    rate = a.options[PAIR_RATE]
    for j in range(N_PAIRS):
        i = a.pairs[node, j]
        a.squares[i] += gradient * gradient
        a.weights[i] -= rate * gradient / math.sqrt(a.squares[i] + EPSILON)


# -- pages -------------------------------------------------------------------------------------------------------------


@inlined
def log2(number: float) -> float:
    """The binary logarithm of a number >= 1, linear between powers of 2: off by at most 0.09, and soon done."""
    return np.float64(number).view(np.int64) * 2.0**-52 - 1023.0


@inlined
def bucket(logarithm: float, most: int) -> int:
    """Two buckets for each doubling of a number, given its binary logarithm."""
    return min(most - 1, int(2.0 * logarithm))


@inlined
def remember(a: PredictorArrays, node: int, gap: int) -> None:
    """A page is requested, ``gap`` requests after the last time; 0 for a page that is new."""
    history = a.history
    if gap == 0:
        history[node, :] = 0.0
        for h in range(3):
            history[node, DECAYED + h] = 1.0
    else:
        history[node, GAP_BEFORE_THAT] = history[node, GAP_BEFORE]
        history[node, GAP_BEFORE] = history[node, GAP]
        history[node, GAP] = gap
        decay = math.exp(gap * (-math.log(2.0) / 64.0) / a.options[CAPACITY])
        for h in range(2, -1, -1):
            history[node, DECAYED + h] = 1.0 + history[node, DECAYED + h] * decay
            decay *= decay
            decay *= decay
            decay *= decay
    history[node, COUNT] += 1.0


@inlined
def look(a: PredictorArrays, node: int, page: int) -> None:
    """Write what the model sees of a page."""
    f, history, pairs = a.features, a.history, a.pairs
    most, scale = np.float32(len(a.ring)), log2(a.options[CAPACITY] + 1.0)
    is_far = history[node, GAP] == 0.0 or history[node, GAP] >= most  # nothing is known yet of pages that come so late
    gap = log2(min(history[node, GAP], most) + 1.0)
    before = log2(min(history[node, GAP_BEFORE], most) + 1.0)
    before_that = log2(min(history[node, GAP_BEFORE_THAT], most) + 1.0)
    count = log2(history[node, COUNT] + 1.0)
    recent = log2(history[node, DECAYED] + 1.0)
    frequent = log2(history[node, DECAYED + 1] + 1.0)
    label, label_before = int(history[node, LABEL]), int(history[node, LABEL_BEFORE])
    f[node, 0] = 1.0
    f[node, 1] = is_far
    f[node, 2] = 0.0 if gap == 0.0 else 0.25 * (gap - scale)
    f[node, 3] = 0.0 if before == 0.0 else 0.25 * (before - scale)
    f[node, 4] = 0.0 if before_that == 0.0 else 0.25 * (before_that - scale)
    f[node, 5] = before == 0.0
    f[node, 6] = before_that == 0.0
    f[node, 7] = 0.25 * count
    f[node, 8] = 0.5 * recent
    f[node, 9] = 0.5 * frequent
    f[node, 10] = 0.5 * log2(history[node, DECAYED + 2] + 1.0)
    f[node, 11] = 0.5 * label
    f[node, 12] = f[node, 2] * f[node, 2]
    f[node, 13] = f[node, 2] * f[node, 8]
    f[node, 14] = f[node, 2] * f[node, 7]
    f[node, 15] = f[node, 2] * f[node, 11]
    late = 0 if is_far else bucket(gap, N_BUCKETS)
    mixed = np.uint64(page) * np.uint64(0x9E3779B97F4A7C15)
    pairs[node, 0] = FIRST_PAIRS + (late * N_BUCKETS + bucket(before, N_BUCKETS)) * 3 + label + 1
    pairs[node, 1] = SECOND_PAIRS + (late * N_COUNTS + bucket(count, N_COUNTS)) * N_COUNTS + bucket(frequent, N_COUNTS)
    labels = (label + 1) * 3 + label_before + 1
    pairs[node, 2] = THIRD_PAIRS + (labels * N_BUCKETS + late) * N_COUNTS + bucket(recent, N_COUNTS)
    pairs[node, 3] = PAGES + np.int64(mixed >> np.uint64(64 - int(a.options[WEIGHT_BITS])))


# -- requests ----------------------------------------------------------------------------------------------------------


@inlined
def observe(a: Any, page: int, judged: np.ndarray, labels: np.ndarray, m: int) -> tuple[int, int]:
    """Take in a request: learn from the labels that it makes known, then look at its page.

    ``a`` is a `PredictorArrays`, which is as good as a `CacheArrays` to find pages in. Returns the page's node, and how
    many rows ``judged`` has now, if it had ``m``.
    """
    numbers, recent, latest = a.numbers, a.recent, a.latest
    time, place, memory, capacity = numbers[TIME], numbers[PLACE], len(recent), int(a.options[CAPACITY])
    leave_window(numbers, a.ring)
    oldest = max(numbers[SETTLED], numbers[FULL], time - len(a.ring) + 1)  # requests before it are settled now
    node = find(a, page)
    gap = time - latest[node] if node >= 0 else 0
    kept = -1
    if node >= 0 and latest[node] >= oldest:
        kept = node
        latest[node] = time
        keep(numbers, a.ring, gap, capacity)
        oldest = max(oldest, numbers[FULL])
    while kept >= 0 or numbers[SETTLED] < oldest:
        known, label = kept, 0
        if kept >= 0:
            kept = -1
        else:
            request = numbers[SETTLED]
            numbers[SETTLED] = request + 1
            at = place - (time - request)
            known, label = int(recent[at if at >= 0 else at + memory]), 1
            if latest[known] != request:
                continue
        m = settle(a, known, label, judged, labels, m)
    if time >= memory and latest[recent[place]] == time - memory:
        forgotten = int(recent[place])
        drop(a, forgotten)
        a.free[numbers[FREE]] = forgotten
        numbers[FREE] += 1
        if forgotten == node:
            node, gap = -1, 0
    if node < 0:
        numbers[FREE] -= 1
        node = int(a.free[numbers[FREE]])
        put(a, node, page)
    latest[node] = time
    recent[place] = node
    numbers[PLACE] = place + 1 if place + 1 < memory else 0
    remember(a, node, gap)
    look(a, node, page)
    enter_window(numbers, a.ring, capacity)
    return node, m


@inlined
def settle(a: PredictorArrays, node: int, label: int, judged: np.ndarray, labels: np.ndarray, m: int) -> int:
    """A label is known: the built-in model learns it, or it is written down for another model."""
    a.history[node, LABEL_BEFORE] = a.history[node, LABEL]
    a.history[node, LABEL] = 2 * label - 1
    if a.options[BUILT_IN] > 0.0:
        learn(a, node, label)
        return m
    judged[m] = a.features[node]
    labels[m] = label
    return m + 1


@kernel
def predict_rows(address: int, pages: np.ndarray, start: int, stop: int, probability: np.ndarray) -> None:
    """Take in the requests ``start … stop - 1``; how likely their pages can go, from row 0 of ``probability`` on."""
    a = opened(address)
    nothing, no_labels = np.empty((0, 0)), np.empty(0, np.int64)
    for i in range(start, stop):
        node, _ = observe(a, pages[i], nothing, no_labels, 0)
        probability[i - start] = probability_of(a, node)


@kernel
def observe_many(address: int, pages: np.ndarray, seen: np.ndarray, judged: np.ndarray, labels: np.ndarray) -> int:
    """Take in requests for another model: what it is to see of each, and what it is to learn, ``m`` rows of it.

    Parameters
    ----------
    seen : float64 [n, F]
    judged : float64 [m, F]
    labels : int64 [m]
        With room for a row for each request and for each that waits for its label.
    """
    a = opened(address)
    m = 0
    for i in range(len(pages)):
        node, m = observe(a, pages[i], judged, labels, m)
        seen[i] = a.features[node]
    return m
