"""Kernels of the linear models: rows as standardised numbers and active categories, scores, and the optimizers' steps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel, struct

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow
EPSILON = 1e-8  # AdaGrad's guard against division by zero, as in River

SGD, ADAGRAD, FTRL = 0, 1, 2
SQUARED, HUBER, ABSOLUTE = 0, 1, 2
OPTIMIZER, RATE, INTERCEPT_RATE, DECAYS, L1, L2, BETA, CLIP, STANDARDIZE, LOSS, DELTA = range(11)
"""Places in ``options``."""
N_OPTIONS = 11
STEPS, KNOWN = 0, 1
"""Places in ``numbers``."""


class LinearArrays(NamedTuple):
    """State of a linear model: ``N`` numeric and ``M`` nominal fields, ``P`` coefficients, room for ``R`` score rows.

    A regression has one row of coefficients. A classification has one for each class, in the order in which the classes
    were first learned.

    Attributes
    ----------
    options : float64 [11]
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


@kernel
def widened(X: np.ndarray, width: int) -> np.ndarray:
    """The rows with missing values in the columns that they lack, having been encoded before the schema grew."""
    wide = np.full((len(X), width), np.nan)
    wide[:, : X.shape[1]] = X
    return wide


@inlined
def learn_scale(s: Any, X: np.ndarray, i: int, w: float) -> None:
    """Update means, variances and scales by row ``i`` (West 1979)."""
    numeric, seen, mean, variance, scale = s.numeric, s.seen, s.mean, s.variance, s.scale
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        if not abs(x) <= LIMIT:
            continue
        seen[k] += w
        distance = x - mean[k]
        mean[k] += w * distance / seen[k]
        variance[k] += w * (distance * (x - mean[k]) - variance[k]) / seen[k]
        scale[k] = 1.0 / math.sqrt(variance[k]) if variance[k] > 0.0 else 0.0


@inlined
def read_row(s: Any, X: np.ndarray, i: int, values: np.ndarray, active: np.ndarray) -> None:
    """Row ``i`` as standardised ``values`` [N], 0 where missing, and ``active`` columns [M], -1 where missing."""
    numeric, nominal, offset, mean, scale = s.numeric, s.nominal, s.offset, s.mean, s.scale
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        values[k] = (x - mean[k]) * scale[k] if abs(x) <= LIMIT else 0.0
    for m in range(len(nominal)):
        x = X[i, nominal[m]]
        inside = 0.0 <= x < offset[m + 1] - offset[m]
        active[m] = offset[m] + int(x) if inside else -1


@inlined
def score(s: Any, row: int, values: np.ndarray, active: np.ndarray) -> float:
    """Intercept plus coefficients times the row."""
    coefficient = s.coefficient
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
def sgd(s: Any, row: int, j: int, gradient: float, rate: float, options: np.ndarray) -> None:
    """Forward-backward splitting (Duchi and Singer 2009); without l1, plain gradient descent."""
    weight = s.coefficient[row, j]
    weight -= rate * (gradient + options[L2] * weight)
    s.coefficient[row, j] = shrunk(weight, rate * options[L1])


@inlined
def adagrad(s: Any, row: int, j: int, gradient: float, rate: float, options: np.ndarray) -> None:
    """AdaGrad, the diagonal version with composite mirror descent (Duchi, Hazan and Singer 2011)."""
    weight = s.coefficient[row, j]
    gradient += options[L2] * weight
    s.squares[row, j] += gradient * gradient
    own_rate = rate / math.sqrt(s.squares[row, j] + EPSILON)
    s.coefficient[row, j] = shrunk(weight - own_rate * gradient, own_rate * options[L1])


@inlined
def ftrl(s: Any, row: int, j: int, gradient: float, rate: float, options: np.ndarray) -> None:
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1); ``rate`` is the paper's alpha."""
    if gradient == 0.0:
        return
    before = math.sqrt(s.squares[row, j])
    s.squares[row, j] += gradient * gradient
    after = math.sqrt(s.squares[row, j])
    s.dual[row, j] += gradient - (after - before) / rate * s.coefficient[row, j]
    s.coefficient[row, j] = -shrunk(s.dual[row, j], options[L1]) / ((options[BETA] + after) / rate + options[L2])


@inlined
def descend(s: Any, row: int, gradient: float, values: np.ndarray, active: np.ndarray) -> None:
    """One step of the optimizer against the ``gradient`` of the loss by the row's score."""
    options = s.options
    optimizer = int(options[OPTIMIZER])
    decay = math.sqrt(s.numbers[STEPS] + 1.0) if options[DECAYS] > 0.0 else 1.0
    rate = options[RATE] / decay
    s.coefficient[row, 0] -= options[INTERCEPT_RATE] / decay * gradient
    if optimizer == SGD:
        for k in range(len(values)):
            sgd(s, row, 1 + k, gradient * values[k], rate, options)
        for j in active:
            if j >= 0:
                sgd(s, row, j, gradient, rate, options)
    elif optimizer == ADAGRAD:
        for k in range(len(values)):
            adagrad(s, row, 1 + k, gradient * values[k], rate, options)
        for j in active:
            if j >= 0:
                adagrad(s, row, j, gradient, rate, options)
    else:
        for k in range(len(values)):
            ftrl(s, row, 1 + k, gradient * values[k], rate, options)
        for j in active:
            if j >= 0:
                ftrl(s, row, j, gradient, rate, options)


@inlined
def clipped(gradient: float, most: float) -> float:
    """``gradient`` within ``-most … most``."""
    return min(max(gradient, -most), most)


# -- classification ----------------------------------------------------------------------------------------------------


@inlined
def probabilities(s: Any, known: int, values: np.ndarray, active: np.ndarray, proba: np.ndarray) -> int:
    """Fill in each row's probability, given that ``known`` classes have been learned; returns the number of rows.

    Up to two classes the model is the sigmoid: row 0, of the class learned first, stays at score 0. From the third on
    every row has its score. With a single class learned, row 1 stands for whatever comes second.
    """
    if known > 2:
        softmax(s, known, values, active, proba)
        return known
    proba[1] = 1.0 / (1.0 + math.exp(-score(s, 1, values, active)))
    proba[0] = 1.0 - proba[1]
    return 2


@kernel
def softmax(s: Any, rows: int, values: np.ndarray, active: np.ndarray, proba: np.ndarray) -> None:
    """Probabilities of three classes and more."""
    greatest, total = -np.inf, 0.0
    for row in range(rows):
        proba[row] = score(s, row, values, active)
        greatest = max(greatest, proba[row])
    for row in range(rows):
        proba[row] = math.exp(proba[row] - greatest)
        total += proba[row]
    for row in range(rows):
        proba[row] /= total


@kernel
def learn_label(
    s: Any, X: np.ndarray, i: int, label: int, w: float, values: np.ndarray, active: np.ndarray, proba: np.ndarray
) -> None:
    """One step against the gradient of the log loss of row ``i``."""
    numbers, row_of, options = s.numbers, s.row_of, s.options
    if row_of[label] < 0:
        row_of[label] = numbers[KNOWN]
        s.class_of[numbers[KNOWN]] = label
        numbers[KNOWN] += 1
    if options[STANDARDIZE] > 0.0:
        learn_scale(s, X, i, w)
    read_row(s, X, i, values, active)
    rows = probabilities(s, numbers[KNOWN], values, active, proba)
    proba[row_of[label]] -= 1.0
    for row in range(1 if rows == 2 else 0, rows):
        descend(s, row, clipped(proba[row] * w, options[CLIP]), values, active)
    numbers[STEPS] += 1


@inlined
def most_likely(class_of: np.ndarray, known: int, proba: np.ndarray) -> int:
    """The learned class of the greatest probability, the lowest code on ties."""
    best = 0
    for row in range(1, known):
        if proba[row] > proba[best] or (proba[row] == proba[best] and class_of[row] < class_of[best]):
            best = row
    return int(class_of[best])


@kernel
def advance_logistic(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    width = len(s.numeric) + len(s.nominal)
    if X.shape[1] < width:
        X = widened(X, width)
    values, active = np.empty(len(s.numeric)), np.empty(len(s.nominal), np.int64)
    by_row = np.empty(len(s.row_of))
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            if y[~i] >= 0 and weight[~i] > 0.0:
                learn_label(s, X, ~i, y[~i], weight[~i], values, active, by_row)
            continue
        known = s.numbers[KNOWN]
        prediction[i] = s.class_of[0] if known else -1
        if known > 1:
            read_row(s, X, i, values, active)
            probabilities(s, known, values, active, by_row)
            prediction[i] = most_likely(s.class_of, known, by_row)
        if len(proba):
            proba[i] = 0.0
            for row in range(known):
                proba[i, s.class_of[row]] = by_row[row] if known > 1 else 1.0
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


@kernel
def advance_regression(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    width = len(s.numeric) + len(s.nominal)
    if X.shape[1] < width:
        X = widened(X, width)
    options, values, active = s.options, np.empty(len(s.numeric)), np.empty(len(s.nominal), np.int64)
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i >= 0:
            read_row(s, X, i, values, active)
            prediction[i] = score(s, 0, values, active)
        elif abs(y[~i]) <= LIMIT and weight[~i] > 0.0:
            if options[STANDARDIZE] > 0.0:
                learn_scale(s, X, ~i, weight[~i])
            read_row(s, X, ~i, values, active)
            gradient = slope(options, score(s, 0, values, active) - y[~i])
            descend(s, 0, clipped(gradient * weight[~i], options[CLIP]), values, active)
            s.numbers[STEPS] += 1
    return len(schedule)
