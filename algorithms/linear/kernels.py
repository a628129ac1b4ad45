"""Kernels of the linear models: rows as standardised numbers and active categories, scores, optimizers' steps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel, struct
from streamlearn.features import (
    LIMIT,
    clipped,
    learn_class,
    learn_scale,
    most_likely,
    probabilities,
    read_categories,
    read_numbers,
    write_proba,
)

TINY = 1e-100  # a squared length below it counts as 0: the step would overflow
EPSILON = 1e-8  # AdaGrad's guard against division by zero, as in River

SGD, ADAGRAD, FTRL = 0, 1, 2
SQUARED, HUBER, ABSOLUTE, AGGRESSIVE = 0, 1, 2, 3
"""Losses of a regression; those of a classification are:"""
LOG, MISTAKES = 0, 1
OPTIMIZER, RATE, INTERCEPT_RATE, DECAYS, L1, L2, BETA, CLIP, STANDARDIZE, LOSS, DELTA = range(11)
"""Places in ``options``."""
N_OPTIONS = 11
AGGRESSIVENESS, MODE = 11, 12
"""Two more places, of the passive-aggressive models only."""
STEPS, KNOWN = 0, 1
"""Places in ``numbers``."""


class LinearArrays(NamedTuple):
    """State of a linear model: ``N`` numeric and ``M`` nominal fields, ``P`` coefficients, room for ``R`` score rows.

    A regression has one row of coefficients. A classification has one for each class, in the order in which the classes
    were first learned.

    Attributes
    ----------
    options : float64 [11] or [13]
        The parameters, as numbers.
    numeric : int64 [N]
        Field numbers of the numeric fields; their coefficients are columns ``1 … N``.
    nominal : int64 [M]
        Field numbers of the nominal fields.
    offset : int64 [M + 1]
        First column of each nominal field's categories.
    numbers : int64 [2]
        Rows learned; classes learned.
    class_of : int64 [R]
        Class of each row of coefficients, -1 where there is none yet.
    row_of : int64 [R]
        Row of coefficients of each class, -1 before it is learned.
    seen, mean, variance : float64 [N]
        Weight, mean and variance of each numeric field.
    scale : float64 [N]
        Cached ``1 / sqrt(variance)``, 0 where the variance is 0; 1 where rows are not standardised.
    coefficient : float64 [R, P]
        Column 0 is the intercept.
    squares : float64 [R, P] or [0, 0]
        Sums of squared gradients (AdaGrad, FTRL).
    dual : float64 [R, P] or [0, 0]
        FTRL's z.
    """

    options: np.ndarray
    numeric: np.ndarray
    nominal: np.ndarray
    offset: np.ndarray
    numbers: np.ndarray
    class_of: np.ndarray
    row_of: np.ndarray
    seen: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    scale: np.ndarray
    coefficient: np.ndarray
    squares: np.ndarray
    dual: np.ndarray


Linear, LinearType = struct(LinearArrays)


@kernel
def make_linear(a: LinearArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Linear(
        a.options,
        a.numeric,
        a.nominal,
        a.offset,
        a.numbers,
        a.class_of,
        a.row_of,
        a.seen,
        a.mean,
        a.variance,
        a.scale,
        a.coefficient,
        a.squares,
        a.dual,
    )


# -- rows --------------------------------------------------------------------------------------------------------------


@inlined
def score(coefficient: np.ndarray, row: int, values: np.ndarray, active: np.ndarray) -> float:
    """Intercept plus coefficients times the row."""
    result: float = coefficient[row, 0]
    for k in range(len(values)):
        result += coefficient[row, 1 + k] * values[k]
    for j in active:
        if j >= 0:
            result += coefficient[row, j]
    return result


# -- steps -------------------------------------------------------------------------------------------------------------


@inlined
def shrunk(x: float, amount: float) -> float:
    """``x`` moved towards 0 by ``amount``, not across it."""
    return math.copysign(max(abs(x) - amount, 0.0), x)


@inlined
def decay(options: np.ndarray, steps: int) -> float:
    """What the schedule divides the rates by after ``steps`` rows."""
    return math.sqrt(steps + 1.0) if options[DECAYS] > 0.0 else 1.0


@inlined
def sgd(weight: float, gradient: float, rate: float, l1: float, l2: float) -> float:
    """The new weight: forward-backward splitting (Duchi and Singer 2009); without l1, plain gradient descent."""
    return shrunk(weight - rate * (gradient + l2 * weight), rate * l1)


@inlined
def adagrad(
    weight: float, squares: np.ndarray, row: int, j: int, gradient: float, rate: float, l1: float, l2: float
) -> float:
    """The new weight: AdaGrad by composite mirror descent (Duchi, Hazan and Singer 2011)."""
    gradient += l2 * weight
    squares[row, j] += gradient * gradient
    own_rate = rate / math.sqrt(squares[row, j] + EPSILON)
    return shrunk(weight - own_rate * gradient, own_rate * l1)


@inlined
def ftrl(
    weight: float,
    squares: np.ndarray,
    dual: np.ndarray,
    row: int,
    j: int,
    gradient: float,
    rate: float,
    options: np.ndarray,
) -> float:
    """The new weight: FTRL-Proximal (McMahan et al. 2013, algorithm 1); ``rate`` is the paper's alpha."""
    if gradient == 0.0:
        return weight
    before = math.sqrt(squares[row, j])
    squares[row, j] += gradient * gradient
    after = math.sqrt(squares[row, j])
    dual[row, j] += gradient - (after - before) / rate * weight
    slowness: float = (options[BETA] + after) / rate + options[L2]
    return -shrunk(dual[row, j], options[L1]) / slowness


@inlined
def descend(
    options: np.ndarray,
    steps: int,
    coefficient: np.ndarray,
    squares: np.ndarray,
    dual: np.ndarray,
    row: int,
    gradient: float,
    values: np.ndarray,
    present: np.ndarray,
    active: np.ndarray,
) -> None:
    """One step of the optimizer against the ``gradient`` of the loss by the score, on what the row has."""
    optimizer, l1, l2 = int(options[OPTIMIZER]), options[L1], options[L2]
    rate = options[RATE] / decay(options, steps)
    w = coefficient[row]
    w[0] -= options[INTERCEPT_RATE] / decay(options, steps) * gradient
    if optimizer == SGD:
        for k in range(len(values)):
            w[1 + k] = sgd(w[1 + k], gradient * values[k], rate, present[k] * l1, present[k] * l2)
        for j in active:
            if j >= 0:
                w[j] = sgd(w[j], gradient, rate, l1, l2)
    elif optimizer == ADAGRAD:
        for k in range(len(values)):
            j = 1 + k
            w[j] = adagrad(w[j], squares, row, j, gradient * values[k], rate, present[k] * l1, present[k] * l2)
        for j in active:
            if j >= 0:
                w[j] = adagrad(w[j], squares, row, j, gradient, rate, l1, l2)
    else:
        for k in range(len(values)):
            w[1 + k] = ftrl(w[1 + k], squares, dual, row, 1 + k, gradient * values[k], rate, options)
        for j in active:
            if j >= 0:
                w[j] = ftrl(w[j], squares, dual, row, j, gradient, rate, options)


@inlined
def squared_length(options: np.ndarray, values: np.ndarray, active: np.ndarray) -> float:
    """Squared length of the row as a passive-aggressive model sees it: the intercept's constant 1 is part of it."""
    square = 1.0 if options[INTERCEPT_RATE] > 0.0 else 0.0
    for value in values:
        square += value * value
    for j in active:
        square += 1.0 if j >= 0 else 0.0
    return square


@inlined
def aggressive(options: np.ndarray, loss: float, square: float, w: float) -> float:
    """Length of the step that undoes the loss, as far as C allows (Crammer et al. 2006, equation 6)."""
    if loss <= 0.0:
        return 0.0
    mode, most = int(options[MODE]), options[AGGRESSIVENESS] * w
    if mode == 2:
        square += 0.5 / most
    if not square > TINY:
        return 0.0
    step = loss / square
    return min(most, step) if mode == 1 else step


# -- classification ----------------------------------------------------------------------------------------------------


@inlined
def all_scores(coefficient: np.ndarray, known: int, values: np.ndarray, active: np.ndarray, scores: np.ndarray) -> int:
    """Fill in each row's score, given that ``known`` classes have been learned; returns the number of rows.

    Up to two classes row 0, of the class learned first, stays at score 0; from the third on every row has its score.
    With a single class learned, row 1 stands for whatever comes second.
    """
    rows = max(known, 2)
    scores[0] = 0.0
    for row in range(first_row(rows), rows):
        scores[row] = score(coefficient, row, values, active)
    return rows


@inlined
def first_row(rows: int) -> int:
    """The first row that has coefficients of its own."""
    return 1 if rows == 2 else 0


@inlined
def by_score(
    options: np.ndarray, rows: int, true: int, values: np.ndarray, active: np.ndarray, w: float, scores: np.ndarray
) -> None:
    """Turn each row's score into the gradient of the loss by it; ``true`` is the row of the label."""
    loss = int(options[LOSS])
    if loss == LOG:
        probabilities(scores, rows)
        scores[true] -= 1.0
        for row in range(rows):
            scores[row] = clipped(scores[row] * w, options[CLIP])
        return
    rival = 1 if true == 0 else 0
    for row in range(rows):
        if row != true and scores[row] > scores[rival]:
            rival = row
    margin = scores[true] - scores[rival]
    if loss == MISTAKES:
        step = clipped(w, options[CLIP]) if margin <= 0.0 else 0.0
    else:
        moving = 1.0 if rows == 2 else 2.0  # with two classes only one row moves
        step = aggressive(options, 1.0 - margin, moving * squared_length(options, values, active), w)
    scores[:rows] = 0.0
    scores[true], scores[rival] = -step, step


@kernel
def advance_classification(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    options, numbers, class_of, row_of = s.options, s.numbers, s.class_of, s.row_of
    numeric, nominal, offset = s.numeric, s.nominal, s.offset
    seen, mean, variance, scale = s.seen, s.mean, s.variance, s.scale
    coefficient, squares, dual = s.coefficient, s.squares, s.dual
    values, present, active = np.empty(len(numeric)), np.empty(len(numeric)), np.empty(len(nominal), np.int64)
    by_row = np.empty(len(row_of))
    always = options[OPTIMIZER] != SGD or options[L1] > 0.0 or options[L2] > 0.0  # a gradient of 0 moves something
    for step in range(start, len(schedule)):
        i = schedule[step]
        learns = i < 0
        if learns:
            i = ~i
            if y[i] < 0 or weight[i] <= 0.0:
                continue
            numbers[KNOWN] = learn_class(y[i], numbers[KNOWN], class_of, row_of)
            if options[STANDARDIZE] > 0.0:
                learn_scale(X, i, weight[i], numeric, seen, mean, variance, scale)
        known = numbers[KNOWN]
        read_numbers(X, i, numeric, mean, scale, values, present)
        read_categories(X, i, nominal, offset, active)
        rows = all_scores(coefficient, known, values, active, by_row)
        if learns:
            by_score(options, rows, row_of[y[i]], values, active, weight[i], by_row)
            for row in range(first_row(rows), rows):
                if by_row[row] != 0.0 or always:
                    descend(
                        options, numbers[STEPS], coefficient, squares, dual, row, by_row[row], values, present, active
                    )
            numbers[STEPS] += 1
            continue
        probabilities(by_row, rows)
        prediction[i] = most_likely(class_of, known, by_row)
        if len(proba):
            write_proba(class_of, known, by_row, proba[i])
    return len(schedule)


# -- regression --------------------------------------------------------------------------------------------------------


@inlined
def slope(options: np.ndarray, error: float) -> float:
    """Derivative of the loss by the prediction, with River's conventions; ``error`` is prediction minus target."""
    loss = int(options[LOSS])
    if loss == SQUARED:
        return 2.0 * error
    if loss == HUBER:
        return clipped(error, options[DELTA])
    return 1.0 if error > 0.0 else -1.0


@inlined
def furthest(options: np.ndarray, steps: int, error: float, values: np.ndarray, active: np.ndarray) -> float:
    """The gradient whose step by SGD carries the prediction just to the target: a larger one would overshoot."""
    square = 0.0
    for value in values:
        square += value * value
    for j in active:
        square += 1.0 if j >= 0 else 0.0
    reach = (options[RATE] * square + options[INTERCEPT_RATE]) / decay(options, steps)
    return abs(error) / reach if reach > 0.0 else np.inf


@kernel
def advance_regression(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    options, numbers, numeric, nominal, offset = s.options, s.numbers, s.numeric, s.nominal, s.offset
    seen, mean, variance, scale = s.seen, s.mean, s.variance, s.scale
    coefficient, squares, dual = s.coefficient, s.squares, s.dual
    values, present, active = np.empty(len(numeric)), np.empty(len(numeric)), np.empty(len(nominal), np.int64)
    for step in range(start, len(schedule)):
        i = schedule[step]
        learns = i < 0
        if learns:
            i = ~i
            if not abs(y[i]) <= LIMIT or weight[i] <= 0.0:
                continue
            if options[STANDARDIZE] > 0.0:
                learn_scale(X, i, weight[i], numeric, seen, mean, variance, scale)
        read_numbers(X, i, numeric, mean, scale, values, present)
        read_categories(X, i, nominal, offset, active)
        result = score(coefficient, 0, values, active)
        if learns:
            error, most = result - y[i], options[CLIP]
            if options[LOSS] == SQUARED and options[OPTIMIZER] == SGD:
                most = min(most, furthest(options, numbers[STEPS], error, values, active))
            if options[LOSS] == AGGRESSIVE:
                square = squared_length(options, values, active)
                gradient = math.copysign(aggressive(options, abs(error) - options[DELTA], square, weight[i]), error)
            else:
                gradient = clipped(slope(options, error) * weight[i], most)
            descend(options, numbers[STEPS], coefficient, squares, dual, 0, gradient, values, present, active)
            numbers[STEPS] += 1
        else:
            prediction[i] = result
    return len(schedule)
