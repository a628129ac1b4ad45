"""Compiled prequential metrics: one pass over the rows feeds three views (cumulative, fading, window) and the curve.

A *view* is a tally of weights. For classification it is float64 ``[capacity + 1, 3]``: row 0 holds the weight that the
majority-class predictor got right, the weight that the no-change predictor got right, and the weighted log loss; row
``1 + c`` holds, of class ``c``, its support, how much was predicted as ``c``, and how much of that rightly. No metric
needs more than these margins, so a point costs O(classes); the full confusion matrix is kept for the whole stream only.
For regression a view is float64 ``[5]``: weight, absolute error, squared error, the targets' squared deviations from
their mean, and that mean.

The fading view multiplies every earlier row by the fading factor at each new row. Instead of shrinking all sums, the
weight of new rows grows by the inverse factor; all metrics are ratios, in which the common scale cancels. The window's
view is summed afresh from a ring of the last rows whenever a point is due: add-and-subtract would leave rounding errors
behind, which fractional weights turn into phantom classes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..compiled import inlined, kernel, struct

CUMULATIVE, FADING, WINDOW = 0, 1, 2

SEEN, LABELLED, UNPREDICTED, POINTS, KNOWN, MAJORITY, PREVIOUS = 0, 1, 2, 3, 4, 5, 6
"""Places in ``numbers``; regression uses the first four."""
N_NUMBERS = 7

EVERY, DECLARED = 0, 1
"""Places in ``options``."""

GROWTH, GAIN = 0, 1
"""Places in ``scale``: the factor from row to row, and the newest row's weight in the fading view."""

MAJORITY_RIGHT, PREVIOUS_RIGHT = 1, 2
"""Bits of the ring's ``flags``."""

RESCALE = 2.0**300  # a power of two, so that rescaling the fading sums never rounds
FADED = 1e-9  # of a row's weight: a class below it has left the fading view
UNDEFINED = 1e-12  # a chance agreement this close to 1 leaves kappa undefined
CLIP = 1e-15

# The order of the values that `score_classes` and `score_values` write.
CLASSIFICATION = (
    "accuracy",
    "balanced_accuracy",
    "kappa",
    "kappa_m",
    "kappa_t",
    "f1_micro",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "precision_weighted",
    "recall_macro",
    "recall_weighted",
    "g_mean",
    "log_loss",
)
G_MEAN = 12
REGRESSION = ("mae", "mse", "rmse", "r2")


class ClassTallyArrays(NamedTuple):
    """State of the classification metrics; ``capacity`` is the number of classes that there is room for.

    Attributes
    ----------
    numbers : int64 [7]
        Rows seen, labelled rows, rows without a prediction, points; classes known, majority class, previous label.
    options : int64 [2]
        Labelled rows between two points; whether a missing prediction counts as class 0.
    scale : float64 [2]
        Growth of a row's weight in the fading view, and the weight of the newest row.
    tally : float64 [3, capacity + 1, 3]
        The views; the window's is scratch space, filled when asked for.
    confusion : float64 [k, k]
        Weight by true and predicted class, over the whole stream, of the first ``k`` classes.
    label, guess : int32 [window]
        Ring of the last labelled rows; a guess of -1 is a missing prediction.
    flags : uint8 [window]
    weight : float64 [window]
    loss : float64 [window] or [0]
        Log loss of each row; empty where nobody asked for it.
    wanted : int64 [m]
        The metrics to record, as places in `CLASSIFICATION`.
    point_row : int64 [p]
    points : float64 [p, 3, m]
    class_points : float64 [p, k, 3]
        At each point the window's support, predicted weight and hits of the first ``k`` classes, at most 50.
    values : float64 [14]
        Scratch space of one view's metrics.
    """

    numbers: np.ndarray
    options: np.ndarray
    scale: np.ndarray
    tally: np.ndarray
    confusion: np.ndarray
    label: np.ndarray
    guess: np.ndarray
    flags: np.ndarray
    weight: np.ndarray
    loss: np.ndarray
    wanted: np.ndarray
    point_row: np.ndarray
    points: np.ndarray
    class_points: np.ndarray
    values: np.ndarray


ClassTally, ClassTallyType = struct(ClassTallyArrays)


@kernel
def make_class_tally(a: ClassTallyArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return ClassTally(
        a.numbers,
        a.options,
        a.scale,
        a.tally,
        a.confusion,
        a.label,
        a.guess,
        a.flags,
        a.weight,
        a.loss,
        a.wanted,
        a.point_row,
        a.points,
        a.class_points,
        a.values,
    )


class ValueTallyArrays(NamedTuple):
    """State of the regression metrics.

    Attributes
    ----------
    numbers : int64 [7]
    options : int64 [2]
    scale : float64 [2]
    tally : float64 [3, 5]
    target, error, weight : float64 [window]
        Ring of the last labelled rows; the error of a row without a prediction is NaN.
    wanted : int64 [m]
        The metrics to record, as places in `REGRESSION`.
    point_row : int64 [p]
    points : float64 [p, 3, m]
    values : float64 [4]
    """

    numbers: np.ndarray
    options: np.ndarray
    scale: np.ndarray
    tally: np.ndarray
    target: np.ndarray
    error: np.ndarray
    weight: np.ndarray
    wanted: np.ndarray
    point_row: np.ndarray
    points: np.ndarray
    values: np.ndarray


ValueTally, ValueTallyType = struct(ValueTallyArrays)


@kernel
def make_value_tally(a: ValueTallyArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return ValueTally(
        a.numbers,
        a.options,
        a.scale,
        a.tally,
        a.target,
        a.error,
        a.weight,
        a.wanted,
        a.point_row,
        a.points,
        a.values,
    )


@inlined
def fade(scale: np.ndarray, sums: np.ndarray) -> float:
    """Let all earlier rows fade by one step and return the weight of the new row; keep the sums within a double."""
    scale[GAIN] *= scale[GROWTH]
    if scale[GAIN] > RESCALE:
        scale[GAIN] /= RESCALE
        for j in range(sums.size):
            sums.flat[j] /= RESCALE
    return float(scale[GAIN])


# -- classification ----------------------------------------------------------------------------------------------------


@inlined
def add_row(view: np.ndarray, truth: int, guess: int, weight: float, flags: int, loss: float) -> None:
    """Add one labelled row to a view; products instead of branches, which a processor can't foresee here."""
    view[0, 0] += weight * (flags & MAJORITY_RIGHT)
    view[0, 1] += weight * ((flags & PREVIOUS_RIGHT) >> 1)
    view[0, 2] += weight * loss
    view[1 + truth, 0] += weight
    if guess >= 0:
        view[1 + guess, 1] += weight
        view[1 + truth, 2] += weight * (guess == truth)


@inlined
def row_loss(proba: np.ndarray, i: int, truth: int, known: int) -> float:
    """Log loss of row ``i`` in nats: probabilities scaled to sum to 1, then clipped; a row without any is uniform."""
    total = 0.0
    for c in range(proba.shape[1]):
        total += proba[i, c]
    p = 1.0 / known
    if 0.0 < total < np.inf:
        p = proba[i, truth] / total if truth < proba.shape[1] else 0.0
    return -math.log(min(max(p, CLIP), 1.0 - CLIP))


@inlined
def agreement(observed: float, chance: float) -> float:
    """Agreement beyond chance, (p0 - pc) / (1 - pc); NaN where chance alone is always right."""
    return (observed - chance) / (1.0 - chance) if chance < 1.0 - UNDEFINED else np.nan


@kernel
def score_classes(view: np.ndarray, known: int, floor: float, values: np.ndarray) -> None:
    """Turn a view into the metrics named in `CLASSIFICATION`; all NaN for a view without weight.

    G-mean is left out. A class takes part in a macro average if its support or its predictions weigh more than
    ``floor``. An undefined precision, recall or F1 counts as 0, as scikit-learn's ``zero_division=0`` has it.
    """
    values[:] = np.nan
    total, predicted, right, chance = 0.0, 0.0, 0.0, 0.0
    precision_sum, recall_sum, f1_sum, recall_occurring = 0.0, 0.0, 0.0, 0.0
    precision_weighted, f1_weighted = 0.0, 0.0
    present, occurring = 0, 0
    for c in range(1, known + 1):
        support, guessed, hit = view[c, 0], view[c, 1], view[c, 2]
        precision = hit / guessed if guessed > 0.0 else 0.0
        recall = hit / support if support > 0.0 else 0.0
        f1 = 2.0 * hit / (support + guessed) if hit > 0.0 else 0.0
        total += support
        predicted += guessed
        right += hit
        chance += support * guessed
        precision_weighted += support * precision
        f1_weighted += support * f1
        if support > floor or guessed > floor:
            present += 1
            precision_sum += precision
            recall_sum += recall
            f1_sum += f1
        if support > floor:
            occurring += 1
            recall_occurring += recall
    if total <= 0.0:
        return
    accuracy = right / total
    values[0] = accuracy
    values[1] = recall_occurring / occurring
    values[2] = agreement(accuracy, chance / (total * total))
    values[3] = agreement(accuracy, view[0, 0] / total)
    values[4] = agreement(accuracy, view[0, 1] / total)
    values[5] = 2.0 * right / (total + predicted)
    values[6] = f1_sum / present
    values[7] = f1_weighted / total
    values[8] = precision_sum / present
    values[9] = precision_weighted / total
    values[10] = recall_sum / present
    values[11] = accuracy  # recalls weighted by support: the supports cancel
    values[13] = view[0, 2] / total


@kernel
def g_mean(view: np.ndarray, known: int, floor: float) -> float:
    """Geometric mean of the recalls of the classes whose support weighs more than ``floor``; NaN without any."""
    occurring, logs = 0, 0.0
    for c in range(1, known + 1):
        if view[c, 0] > floor:
            occurring += 1
            logs += math.log(view[c, 2] / view[c, 0]) if view[c, 2] > 0.0 else -np.inf
    return math.exp(logs / occurring) if occurring else np.nan


@kernel
def gather_class_window(s: Any) -> None:
    """Sum the window's view afresh from the ring."""
    view = s.tally[WINDOW]
    view[: s.numbers[KNOWN] + 1] = 0.0
    for j in range(min(s.numbers[LABELLED], len(s.label))):
        loss = s.loss[j] if len(s.loss) else 0.0
        add_row(view, s.label[j], s.guess[j], s.weight[j], s.flags[j], loss)


@kernel
def measure_classes(s: Any, out: np.ndarray) -> None:
    """Write the wanted metrics of all three views into ``out``, float64 ``[3, m]``."""
    gather_class_window(s)
    for view in range(3):
        floor = FADED * s.scale[GAIN] if view == FADING else 0.0
        score_classes(s.tally[view], s.numbers[KNOWN], floor, s.values)
        for j in range(len(s.wanted)):
            if s.wanted[j] == G_MEAN:  # its logarithms cost as much as all the others together
                s.values[G_MEAN] = g_mean(s.tally[view], s.numbers[KNOWN], floor)
            out[view, j] = s.values[s.wanted[j]]


@kernel
def keep_classes(s: Any, kept: np.ndarray) -> None:
    """Keep the margins of each class in the window that was just measured, float64 ``[k, 3]``."""
    for c in range(min(s.numbers[KNOWN], len(kept))):
        for j in range(3):
            kept[c, j] = s.tally[WINDOW, 1 + c, j]


@kernel
def observe_classes(
    s: Any, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray, proba: np.ndarray, start: int
) -> int:
    """Take in rows ``start …`` and return the first row that there was no room for, or ``n``.

    Room runs out when a class code reaches the capacity or the points are full; the caller makes room and calls again.

    Parameters
    ----------
    s : ClassTally
    y, prediction : int64 [n]
        Class codes; ``y < 0`` is an unlabelled row, which is skipped, ``prediction < 0`` is a missing prediction.
    weight : float64 [n], or [0] for 1 each
    proba : float64 [n, C], or [0, 0] where log loss isn't wanted
    start
        The first row to take in.
    """
    numbers, cumulative, fading = s.numbers, s.tally[CUMULATIVE], s.tally[FADING]
    label, guesses, flag_ring, weights, losses = s.label, s.guess, s.flags, s.weight, s.loss
    confusion, point_row, scale = s.confusion, s.point_row, s.scale
    capacity, window, every, declared = len(cumulative) - 1, len(label), s.options[EVERY], s.options[DECLARED]
    slot = numbers[LABELLED] % window
    until_point = every - numbers[LABELLED] % every
    for i in range(start, len(y)):
        truth, guess = y[i], prediction[i]
        if truth >= 0 and (truth >= capacity or guess >= capacity or numbers[POINTS] == len(point_row)):
            return i
        numbers[SEEN] += 1
        if truth < 0:
            continue
        if guess < 0:
            guess = 0 if declared else -1
            numbers[UNPREDICTED] += 1
        numbers[LABELLED] += 1
        numbers[KNOWN] = max(numbers[KNOWN], truth + 1, guess + 1)
        w = weight[i] if len(weight) else 1.0
        loss = row_loss(proba, i, truth, numbers[KNOWN]) if len(losses) else 0.0

        # Majority class and no change, as MOA's evaluator has them: the majority already counts this label, the
        # lowest code wins a tie, and the label before the first is class 0.
        majority = numbers[MAJORITY]
        support, best = cumulative[1 + truth, 0] + w, cumulative[1 + majority, 0]
        overtakes = (support > best) | ((support == best) & (truth < majority))
        majority = truth if overtakes else majority
        flags = MAJORITY_RIGHT * (majority == truth) + PREVIOUS_RIGHT * (numbers[PREVIOUS] == truth)
        numbers[MAJORITY], numbers[PREVIOUS] = majority, truth

        add_row(cumulative, truth, guess, w, flags, loss)
        add_row(fading, truth, guess, w * fade(scale, fading), flags, loss)
        if guess >= 0 and truth < len(confusion) and guess < len(confusion):
            confusion[truth, guess] += w
        label[slot], guesses[slot], flag_ring[slot], weights[slot] = truth, guess, flags, w
        if len(losses):
            losses[slot] = loss
        slot = slot + 1 if slot + 1 < window else 0

        until_point -= 1
        if until_point == 0:
            until_point = every
            point_row[numbers[POINTS]] = numbers[SEEN]
            measure_classes(s, s.points[numbers[POINTS]])
            keep_classes(s, s.class_points[numbers[POINTS]])
            numbers[POINTS] += 1
    return len(y)


# -- regression --------------------------------------------------------------------------------------------------------


@inlined
def add_value(view: np.ndarray, target: float, error: float, weight: float) -> None:
    """Add one predicted row to a view; mean and squared deviations by West's weighted update (1979)."""
    if weight > 0.0:
        view[0] += weight
        view[1] += weight * abs(error)
        view[2] += weight * error * error
        deviation = target - view[4]
        view[4] += deviation * (weight / view[0])
        view[3] += weight * deviation * (target - view[4])


@kernel
def score_values(view: np.ndarray, values: np.ndarray) -> None:
    """Turn a view into the metrics named in `REGRESSION`; all NaN for a view without weight."""
    values[:] = np.nan
    if view[0] <= 0.0:
        return
    values[0] = view[1] / view[0]
    values[1] = view[2] / view[0]
    values[2] = math.sqrt(values[1])
    if view[3] > 0.0:
        values[3] = 1.0 - view[2] / view[3]


@kernel
def gather_value_window(s: Any) -> None:
    """Sum the window's view afresh from the ring."""
    s.tally[WINDOW] = 0.0
    for j in range(min(s.numbers[LABELLED], len(s.target))):
        if not math.isnan(s.error[j]):
            add_value(s.tally[WINDOW], s.target[j], s.error[j], s.weight[j])


@kernel
def measure_values(s: Any, out: np.ndarray) -> None:
    """Write the wanted metrics of all three views into ``out``, float64 ``[3, m]``."""
    gather_value_window(s)
    for view in range(3):
        score_values(s.tally[view], s.values)
        for j in range(len(s.wanted)):
            out[view, j] = s.values[s.wanted[j]]


@kernel
def observe_values(s: Any, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray, start: int) -> int:
    """Take in rows ``start …`` and return the first row for whose point there was no room, or ``n``.

    Parameters
    ----------
    s : ValueTally
    y, prediction : float64 [n]
        A ``y`` that isn't finite is an unlabelled row, which is skipped; a prediction that isn't finite is counted as
        missing and left out of the errors.
    weight : float64 [n], or [0] for 1 each
    start
        The first row to take in.
    """
    numbers, cumulative, fading = s.numbers, s.tally[CUMULATIVE], s.tally[FADING]
    targets, errors, weights = s.target, s.error, s.weight
    point_row, scale = s.point_row, s.scale
    window, every = len(targets), s.options[EVERY]
    slot = numbers[LABELLED] % window
    until_point = every - numbers[LABELLED] % every
    for i in range(start, len(y)):
        target, guess = y[i], prediction[i]
        if math.isfinite(target) and numbers[POINTS] == len(point_row):
            return i
        numbers[SEEN] += 1
        if not math.isfinite(target):
            continue
        numbers[LABELLED] += 1
        w = weight[i] if len(weight) else 1.0
        gain = fade(scale, fading[:4])  # all but the mean
        error = guess - target if math.isfinite(guess) else np.nan
        if math.isfinite(guess):
            add_value(cumulative, target, error, w)
            add_value(fading, target, error, w * gain)
        else:
            numbers[UNPREDICTED] += 1
        targets[slot], errors[slot], weights[slot] = target, error, w
        slot = slot + 1 if slot + 1 < window else 0

        until_point -= 1
        if until_point == 0:
            until_point = every
            point_row[numbers[POINTS]] = numbers[SEEN]
            measure_values(s, s.points[numbers[POINTS]])
            numbers[POINTS] += 1
    return len(y)
