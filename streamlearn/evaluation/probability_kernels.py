"""Compiled metrics of class probabilities: squared distance, calibration and ranking, in the same three views.

Squared distances and calibration are sums, kept like those in `kernels`. The area under the ROC curve asks how rows
rank among each other. Over the window it is exact, from the ring's probabilities. Over the whole stream, and in the
fading view, the probabilities of each class are counted in bins, apart for rows of the class and for all others; rows
of one bin count as tied. Learners are often nearly certain, so the bins are fine near 0 and near 1: each halving of
``p``, or of ``1 - p``, has 64 of them, down to 2^-53, where doubles cease to tell ``1 - p`` from 1. Below that ``p``
has one for each halving: products of many densities, as in naive Bayes, spread over hundreds of them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..compiled import inlined, kernel, struct
from .kernels import CUMULATIVE, FADED, FADING, GAIN, GROWTH, RESCALE, WINDOW

PROBABILITY = ("brier", "calibration_error", "roc_auc")
"""The order of the values that `score_view` writes."""
ROC_AUC = 2

LABELLED, POINTS, KNOWN, RANKED = 0, 1, 2, 3
"""Places in ``numbers``."""

EVERY, RANKING = 0, 1
"""Places in ``options``."""

CALIBRATION_BINS = 15  # as Guo et al. (2017)
MAX_RANKED = 128  # classes; each needs a histogram for two views
STEPS, OCTAVES = 64, 52
CENTRE = STEPS * OCTAVES
TAIL = 1022  # bins below 2^-53, down to 0, which has its own
RANK_BINS = TAIL + 2 * CENTRE + 2  # 1 has its own too, and exactly one half


class ProbabilityTallyArrays(NamedTuple):
    """State of the metrics of probabilities; ``capacity`` is the number of classes that there is room for.

    Attributes
    ----------
    numbers : int64 [4]
        Labelled rows, points, classes known, and with those that the learner gave any probability before they came.
    options : int64 [2]
        Labelled rows between two points; whether the area under the ROC curve is wanted.
    scale : float64 [2]
        Growth of a row's weight in the fading view, and the weight of the newest row.
    sums : float64 [3, 2]
        Of each view: weight, and weighted squared distance.
    bins : float64 [3, 15, 3]
        Of each view, by the largest probability: weight, weighted sum of that probability, weight of the rows in which
        it is the true class's.
    ranks : float64 [2, capacity, 7680, 2]
        Of the cumulative and the fading view, by class and by its probability: weight of rows of other classes, weight
        of rows of the class. Empty where nobody asked for the area.
    label : int32 [window]
        Ring of the last labelled rows.
    right : uint8 [window]
    weight, distance, top : float64 [window]
    proba : float64 [capacity, window]
        Empty where nobody asked for the area.
    wanted : int64 [m]
        The metrics to record, as places in `PROBABILITY`.
    points : float64 [p, 3, m]
    values : float64 [3]
        Scratch space of one view's metrics.
    """

    numbers: np.ndarray
    options: np.ndarray
    scale: np.ndarray
    sums: np.ndarray
    bins: np.ndarray
    ranks: np.ndarray
    label: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    distance: np.ndarray
    top: np.ndarray
    proba: np.ndarray
    wanted: np.ndarray
    points: np.ndarray
    values: np.ndarray


ProbabilityTally, ProbabilityTallyType = struct(ProbabilityTallyArrays)


@kernel
def make_probability_tally(a: ProbabilityTallyArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return ProbabilityTally(
        a.numbers,
        a.options,
        a.scale,
        a.sums,
        a.bins,
        a.ranks,
        a.label,
        a.right,
        a.weight,
        a.distance,
        a.top,
        a.proba,
        a.wanted,
        a.points,
        a.values,
    )


@inlined
def rank_bin(p: float) -> int:
    """The bin of a probability; a larger probability is never in a lower bin."""
    q = min(p, 1.0 - p)
    if q <= 0.0:
        return 0 if p < 0.5 else RANK_BINS - 1
    mantissa, exponent = math.frexp(q)  # q = mantissa 2^exponent, with a mantissa from 1/2 to 1, an exponent from -1073
    if exponent < -OCTAVES:  # and p is small: 1 - p is no less than 2^-53
        return exponent + TAIL + OCTAVES
    place = (exponent + OCTAVES) * STEPS + int((mantissa - 0.5) * (2 * STEPS))
    return TAIL + place if p <= 0.5 else RANK_BINS - 2 - place


@inlined
def add_confidence(bins: np.ndarray, top: float, right: int, weight: float) -> None:
    """Add a row to the bins of calibration."""
    b = min(int(top * CALIBRATION_BINS), CALIBRATION_BINS - 1)
    bins[b, 0] += weight
    bins[b, 1] += weight * top
    bins[b, 2] += weight * right


@inlined
def binned_auc(histogram: np.ndarray, floor: float) -> float:
    """Chance that a row of the class ranks above one of another, from its histogram; NaN where either is missing."""
    below, own, area = 0.0, 0.0, 0.0
    for b in range(RANK_BINS):
        others, ours = histogram[b, 0], histogram[b, 1]
        area += ours * (below + 0.5 * others)
        below += others
        own += ours
    return area / (own * below) if own > floor and below > floor else np.nan


@kernel
def exact_auc(p: np.ndarray, c: int, label: np.ndarray, weight: np.ndarray) -> float:
    """Chance that a row of class ``c`` ranks above one of another; ties count half, NaN where either is missing."""
    order = np.argsort(p)
    below, own, area = 0.0, 0.0, 0.0
    j = 0
    while j < len(order):
        level, others, ours = p[order[j]], 0.0, 0.0
        while j < len(order) and not p[order[j]] > level:
            row = order[j]
            if label[row] == c:
                ours += weight[row]
            else:
                others += weight[row]
            j += 1
        area += ours * (below + 0.5 * others)
        below += others
        own += ours
    return area / (own * below) if own > 0.0 and below > 0.0 else np.nan


@kernel
def mean_auc(s: Any, view: int) -> float:
    """The areas' mean over the classes that have one; of two classes the second's, which equals the first's."""
    ranked = s.numbers[RANKED]
    if ranked > MAX_RANKED:
        return np.nan
    rows = min(s.numbers[LABELLED], len(s.label))
    floor = FADED * s.scale[GAIN] if view == FADING else 0.0
    total, classes = 0.0, 0
    for c in range(1 if ranked == 2 else 0, ranked):
        if view == WINDOW:
            area = exact_auc(s.proba[c, :rows], c, s.label[:rows], s.weight[:rows])
        else:
            area = binned_auc(s.ranks[view, c], floor)
        if not math.isnan(area):
            total += area
            classes += 1
    return total / classes if classes else np.nan


@kernel
def gather_window(s: Any) -> None:
    """Sum the window's view afresh from the ring."""
    s.sums[WINDOW] = 0.0
    s.bins[WINDOW] = 0.0
    for j in range(min(s.numbers[LABELLED], len(s.label))):
        s.sums[WINDOW, 0] += s.weight[j]
        s.sums[WINDOW, 1] += s.weight[j] * s.distance[j]
        add_confidence(s.bins[WINDOW], s.top[j], s.right[j], s.weight[j])


@kernel
def score_view(s: Any, view: int) -> None:
    """Turn a view into the metrics named in `PROBABILITY`, in ``values``; all NaN for a view without weight."""
    s.values[:] = np.nan
    total = s.sums[view, 0]
    if total <= 0.0:
        return
    gap = 0.0
    for b in range(CALIBRATION_BINS):
        gap += abs(s.bins[view, b, 2] - s.bins[view, b, 1])
    s.values[0] = s.sums[view, 1] / total
    s.values[1] = gap / total
    if s.options[RANKING]:
        s.values[ROC_AUC] = mean_auc(s, view)


@kernel
def measure_probabilities(s: Any, out: np.ndarray) -> None:
    """Write the wanted metrics of all three views into ``out``, float64 ``[3, m]``."""
    gather_window(s)
    for view in range(3):
        score_view(s, view)
        for j in range(len(s.wanted)):
            out[view, j] = s.values[s.wanted[j]]


@kernel
def fade_sums(s: Any) -> float:
    """Let all earlier rows fade by one step and return the weight of the new row; keep the sums within a double."""
    s.scale[GAIN] *= s.scale[GROWTH]
    if s.scale[GAIN] > RESCALE:
        s.scale[GAIN] /= RESCALE
        s.sums[FADING] /= RESCALE
        s.bins[FADING] /= RESCALE
        s.ranks[FADING] /= RESCALE
    return float(s.scale[GAIN])


@inlined
def introduce(s: Any, ranked: int) -> None:
    """Rank so many classes from now on: in all earlier rows a new one had the probability 0."""
    for c in range(s.numbers[RANKED], min(ranked, s.ranks.shape[1])):
        for view in range(2):
            s.ranks[view, c, 0, 0] = s.sums[view, 0]
    s.numbers[RANKED] = ranked


@kernel
def observe_probabilities(
    s: Any, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray, proba: np.ndarray, start: int
) -> int:
    """Take in rows ``start …`` and return the first row that there was no room for, or ``n``.

    Parameters
    ----------
    s : ProbabilityTally
    y, prediction : int64 [n]
        Class codes; ``y < 0`` is an unlabelled row, which is skipped.
    weight : float64 [n], or [0] for 1 each
    proba : float64 [n, C]
    start
        The first row to take in.
    """
    numbers, sums, bins, ranks, ring = s.numbers, s.sums, s.bins, s.ranks, s.proba
    every, ranking, width, window = s.options[EVERY], s.options[RANKING], proba.shape[1], len(s.label)
    for i in range(start, len(y)):
        truth = y[i]
        if truth < 0:
            continue
        known = max(numbers[KNOWN], truth + 1, prediction[i] + 1)
        total, likely = 0.0, 0
        for c in range(width):
            total += proba[i, c]
            likely = c + 1 if proba[i, c] > 0.0 else likely
        given = 0.0 < total < np.inf
        ranked = min(max(numbers[RANKED], known, likely if given else 0), MAX_RANKED + 1)
        no_room = ranking and ranked > ranks.shape[1] and ranks.shape[1] < MAX_RANKED
        if no_room or numbers[POINTS] == len(s.points):
            return i
        if ranked > numbers[RANKED]:
            introduce(s, ranked)
        numbers[KNOWN] = known
        slot = numbers[LABELLED] % window
        numbers[LABELLED] += 1
        w = weight[i] if len(weight) else 1.0
        gain = w * fade_sums(s)

        distance, top, best = 0.0, -1.0, 0
        for c in range(max(known, width, ranked)):
            if given:
                p = min(max(proba[i, c] / total, 0.0), 1.0) if c < width else 0.0
            else:
                p = 1.0 / known if c < known else 0.0
            distance += (p - (c == truth)) ** 2
            if p > top:
                top, best = p, c
            if ranking and c < ranked and c < ranks.shape[1]:
                b, own = rank_bin(p), int(c == truth)
                ranks[CUMULATIVE, c, b, own] += w
                ranks[FADING, c, b, own] += gain
                ring[c, slot] = p
        right = int(best == truth)

        sums[CUMULATIVE, 0] += w
        sums[CUMULATIVE, 1] += w * distance
        sums[FADING, 0] += gain
        sums[FADING, 1] += gain * distance
        add_confidence(bins[CUMULATIVE], top, right, w)
        add_confidence(bins[FADING], top, right, gain)
        s.label[slot], s.right[slot], s.weight[slot] = truth, right, w
        s.distance[slot], s.top[slot] = distance, top

        if numbers[LABELLED] % every == 0:
            measure_probabilities(s, s.points[numbers[POINTS]])
            numbers[POINTS] += 1
    return len(y)
