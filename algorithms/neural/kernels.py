"""Kernels of the multilayer perceptron: rows as lists of inputs, one pass forward, one pass back.

Sums run over inputs in the outer loop and over units in the inner one, so that the compiler can use vector instructions
without changing the order in which anything is added.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.features import (
    LIMIT,
    ROUNDING,
    clipped,
    learn_class,
    learn_scale,
    most_likely,
    probabilities,
    read_categories,
    read_numbers,
    write_proba,
)
from streamlearn.random import uniform

FURTHEST = (
    5.0  # standardised inputs are cut off here: a value from outside the usual range must not outweigh all others
)
HEAVIEST = 1e4  # weights stay within: no rate and no weight of a row can carry them out of the range of numbers
EPSILON = 1e-8  # AdaGrad's guard against division by zero

SGD, ADAGRAD = 0, 1
RELU, TANH = 0, 1
OPTIMIZER, RATE, INTERCEPT_RATE, KEEP, L2, CLIP, ACTIVATION, SKIP, STANDARDIZE = range(9)
"""Places in ``options``; KEEP is what is kept of a sum of squared gradients when the next one is added."""
N_OPTIONS = 9
KNOWN = 1
"""Place in ``numbers``."""
SEEN, MEAN, VARIANCE = range(3)
"""Places in ``target``."""


class NetworkArrays(NamedTuple):
    """State of a network of ``L`` hidden layers: ``N`` numeric and ``M`` nominal fields, ``P`` inputs, ``R`` outputs.

    A regression has one output. A classification has one for each class, in the order in which the classes were first
    learned. ``W`` is the size of the largest hidden layer.

    Attributes
    ----------
    options : float64 [9]
        The parameters, as numbers.
    numeric : int64 [N]
        Field numbers of the numeric fields; their inputs are ``1 … N``.
    nominal : int64 [M]
        Field numbers of the nominal fields.
    offset : int64 [M + 1]
        First input of each nominal field's categories.
    numbers : int64 [2]
        Rows learned; classes learned.
    class_of : int64 [R]
        Class of each output, -1 where there is none yet.
    row_of : int64 [R]
        Output of each class, -1 before it is learned.
    seen, mean, variance : float64 [N]
        Weight, mean and variance of each numeric field.
    scale : float64 [N]
        Cached ``1 / sqrt(variance)``, 0 where the variance is 0; 1 where rows are not standardised.
    target : float64 [3]
        Weight, mean and variance of a regression's targets.
    sizes : int64 [L]
        Units of each hidden layer.
    random : uint64 [4]
        State of the generator that draws first weights.
    drawn : uint8 [P]
        1 for inputs whose weights were drawn; the others' are 0.
    first : float64 [P, sizes[0]]
        Weights from the inputs to the first hidden layer; input 0 is the constant 1.
    deep : float64 [L - 1, W + 1, W]
        Weights from each hidden layer to the next; row ``W`` is that of the constant 1.
    last : float64 [R, W]
        Weights from the last hidden layer to the outputs.
    direct : float64 [P, R]
        Weights from the inputs straight to the outputs; row 0 has the outputs' intercepts.
    first_squares, deep_squares, last_squares, direct_squares
        Sums of squared gradients of each of these weights (AdaGrad).
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
    target: np.ndarray
    sizes: np.ndarray
    random: np.ndarray
    drawn: np.ndarray
    first: np.ndarray
    deep: np.ndarray
    last: np.ndarray
    direct: np.ndarray
    first_squares: np.ndarray
    deep_squares: np.ndarray
    last_squares: np.ndarray
    direct_squares: np.ndarray


Network, NetworkType = struct(NetworkArrays)


@kernel
def make_network(a: NetworkArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Network(
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
        a.target,
        a.sizes,
        a.random,
        a.drawn,
        a.first,
        a.deep,
        a.last,
        a.direct,
        a.first_squares,
        a.deep_squares,
        a.last_squares,
        a.direct_squares,
    )


# -- first weights -----------------------------------------------------------------------------------------------------


@inlined
def reach(options: np.ndarray, n: int) -> float:
    """Bound of the uniform first weights of a unit with ``n`` inputs: He et al. 2015 (ReLU), Glorot et al. 2010."""
    return math.sqrt((6.0 if options[ACTIVATION] == RELU else 3.0) / n)


@kernel
def draw_deep(a: NetworkArrays) -> None:
    """Draw the weights between hidden layers."""
    W = a.deep.shape[2]
    for layer in range(len(a.deep)):
        n = a.sizes[layer]
        bound = reach(a.options, n + 1)
        for j in range(n + 1):
            for k in range(a.sizes[layer + 1]):
                a.deep[layer, j if j < n else W, k] = bound * (2.0 * uniform(a.random) - 1.0)


@inlined
def draw_first(
    options: np.ndarray, index: np.ndarray, n: int, first: np.ndarray, drawn: np.ndarray, random: np.ndarray
) -> None:
    """Draw the weights of inputs that are learned for the first time.

    Only now, as then it does not matter how early the input was announced: by the schema, or by the row itself.
    """
    bound = reach(options, n)
    for a in range(n):
        j = index[a]
        if drawn[j] == 0:
            drawn[j] = 1
            for k in range(first.shape[1]):
                first[j, k] = bound * (2.0 * uniform(random) - 1.0)


# -- forward -----------------------------------------------------------------------------------------------------------


@inlined
def list_inputs(
    options: np.ndarray, values: np.ndarray, active: np.ndarray, index: np.ndarray, value: np.ndarray
) -> int:
    """List the inputs that are not 0, the constant first, in ``index`` and ``value``; returns how many there are."""
    furthest = FURTHEST if options[STANDARDIZE] > 0.0 else np.inf
    index[0], value[0], n = 0, 1.0, 1
    for k in range(len(values)):
        if values[k] != 0.0:
            index[n], value[n] = 1 + k, min(max(values[k], -furthest), furthest)
            n += 1
    for j in active:
        if j >= 0:
            index[n], value[n] = j, 1.0
            n += 1
    return n


@inlined
def activate(options: np.ndarray, units: np.ndarray) -> None:
    """Replace sums by activations."""
    if options[ACTIVATION] == RELU:
        for k in range(len(units)):
            units[k] = max(units[k], 0.0)
    else:
        for k in range(len(units)):
            units[k] = math.tanh(units[k])


@inlined
def to_first(
    options: np.ndarray, index: np.ndarray, value: np.ndarray, n: int, first: np.ndarray, units: np.ndarray
) -> None:
    """The first hidden layer's activations, from the inputs."""
    units[:] = 0.0
    for a in range(n):
        weights, x = first[index[a]], value[a]
        for k in range(len(units)):
            units[k] += x * weights[k]
    activate(options, units)


@inlined
def to_next(options: np.ndarray, before: np.ndarray, deep: np.ndarray, units: np.ndarray) -> None:
    """A further hidden layer's activations, from the layer before."""
    intercepts = deep[len(deep) - 1]
    for k in range(len(units)):
        units[k] = intercepts[k]
    for j in range(len(before)):
        weights, x = deep[j], before[j]
        for k in range(len(units)):
            units[k] += x * weights[k]
    activate(options, units)


@inlined
def to_outputs(
    options: np.ndarray,
    index: np.ndarray,
    value: np.ndarray,
    n: int,
    units: np.ndarray,
    last: np.ndarray,
    direct: np.ndarray,
    rows: int,
    outputs: np.ndarray,
) -> None:
    """The first ``rows`` outputs, from the last hidden layer and from the inputs."""
    for row in range(rows):
        total, weights = direct[0, row], last[row]
        for k in range(len(units)):
            total += units[k] * weights[k]
        outputs[row] = total
    if options[SKIP] > 0.0:
        for a in range(1, n):
            weights, x = direct[index[a]], value[a]
            for row in range(rows):
                outputs[row] += x * weights[row]


# -- back --------------------------------------------------------------------------------------------------------------


@inlined
def step(options: np.ndarray, weights: np.ndarray, squares: np.ndarray, slopes: np.ndarray, x: float) -> None:
    """One step of the optimizer for the weights from one input, which is ``x``, to units of these ``slopes``.

    Units of slope 0 learn nothing, so their sums of squares forget nothing.
    """
    rate, keep, l2 = options[RATE], options[KEEP], options[L2]
    if options[OPTIMIZER] == ADAGRAD:
        for k in range(len(slopes)):
            learns = slopes[k] != 0.0
            gradient = slopes[k] * x + (l2 * weights[k] if learns else 0.0)
            squares[k] = squares[k] * (keep if learns else 1.0) + gradient * gradient
            weights[k] -= rate * gradient / math.sqrt(squares[k] + EPSILON)
            weights[k] = min(max(weights[k], -HEAVIEST), HEAVIEST)
    else:
        for k in range(len(slopes)):
            weights[k] -= rate * (slopes[k] * x + (l2 * weights[k] if slopes[k] != 0.0 else 0.0))
            weights[k] = min(max(weights[k], -HEAVIEST), HEAVIEST)


@inlined
def through(options: np.ndarray, units: np.ndarray, slopes: np.ndarray) -> None:
    """Turn the loss's slopes by the activations into its slopes by the sums."""
    if options[ACTIVATION] == RELU:
        for k in range(len(units)):
            slopes[k] = slopes[k] if units[k] > 0.0 else 0.0
    else:
        for k in range(len(units)):
            slopes[k] *= 1.0 - units[k] * units[k]


@inlined
def from_outputs(
    options: np.ndarray,
    units: np.ndarray,
    last: np.ndarray,
    last_squares: np.ndarray,
    outputs: np.ndarray,
    rows: int,
    slopes: np.ndarray,
    column: np.ndarray,
) -> None:
    """Step the weights of the outputs by the gradients in ``outputs``; the hidden layer's slopes into ``slopes``."""
    slopes[:] = 0.0
    for row in range(rows):
        weights, gradient = last[row], outputs[row]
        for k in range(len(units)):
            slopes[k] += gradient * weights[k]
        for k in range(len(units)):
            column[k] = gradient * units[k]
        step(options, weights, last_squares[row], column[: len(units)], 1.0)
    through(options, units, slopes)


@inlined
def from_next(
    options: np.ndarray,
    before: np.ndarray,
    deep: np.ndarray,
    deep_squares: np.ndarray,
    slopes_before: np.ndarray,
    slopes: np.ndarray,
) -> None:
    """Step the weights between two hidden layers; the slopes of the one before into ``slopes_before``."""
    for j in range(len(before)):
        total, weights = 0.0, deep[j]
        for k in range(len(slopes)):
            total += slopes[k] * weights[k]
        slopes_before[j] = total
        if before[j] != 0.0:
            step(options, weights, deep_squares[j], slopes, before[j])
    step(options, deep[len(deep) - 1], deep_squares[len(deep) - 1], slopes, 1.0)
    through(options, before, slopes_before)


@kernel
def descend(
    s: Any,
    index: np.ndarray,
    value: np.ndarray,
    n: int,
    units: np.ndarray,
    slopes: np.ndarray,
    column: np.ndarray,
    outputs: np.ndarray,
    rows: int,
) -> None:
    """One step of all weights against the gradients by the outputs, which are in ``outputs`` [rows]."""
    options, sizes = s.options, s.sizes
    first, first_squares = borrowed(s.first), borrowed(s.first_squares)
    direct, direct_squares = borrowed(s.direct), borrowed(s.direct_squares)
    deep, deep_squares = borrowed(s.deep), borrowed(s.deep_squares)
    top = len(sizes) - 1
    here = slopes[top, : sizes[top]]
    from_outputs(options, units[top, : sizes[top]], s.last, s.last_squares, outputs, rows, here, column)
    for layer in range(top, 0, -1):
        below = sizes[layer - 1]
        from_next(
            options,
            units[layer - 1, :below],
            deep[layer - 1],
            deep_squares[layer - 1],
            slopes[layer - 1, :below],
            slopes[layer, : sizes[layer]],
        )
    for a in range(n):
        step(options, first[index[a]], first_squares[index[a]], slopes[0, : sizes[0]], value[a])
    for row in range(rows):
        direct[0, row] -= options[INTERCEPT_RATE] * outputs[row]
        direct[0, row] = min(max(direct[0, row], -HEAVIEST), HEAVIEST)
    if options[SKIP] > 0.0:
        for a in range(1, n):
            j = index[a]
            step(options, direct[j, :rows], direct_squares[j, :rows], outputs[:rows], value[a])


# -- schedules ---------------------------------------------------------------------------------------------------------


@kernel
def forward(
    s: Any, index: np.ndarray, value: np.ndarray, n: int, units: np.ndarray, rows: int, outputs: np.ndarray
) -> None:
    """The first ``rows`` outputs for the listed inputs; the activations stay in ``units``."""
    options, sizes, deep = s.options, s.sizes, borrowed(s.deep)
    to_first(options, index, value, n, s.first, units[0, : sizes[0]])
    for layer in range(1, len(sizes)):
        to_next(options, units[layer - 1, : sizes[layer - 1]], deep[layer - 1], units[layer, : sizes[layer]])
    top = len(sizes) - 1
    to_outputs(options, index, value, n, units[top, : sizes[top]], s.last, s.direct, rows, outputs)


@kernel
def advance_mlp_classifier(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    options, numbers, class_of, row_of = s.options, s.numbers, s.class_of, s.row_of
    numeric, nominal, offset = s.numeric, s.nominal, s.offset
    seen, mean, variance, scale = s.seen, s.mean, s.variance, s.scale
    N, M, W, L = len(numeric), len(nominal), s.last.shape[1], len(s.sizes)
    values, present, active = np.empty(N), np.empty(N), np.empty(M, np.int64)
    index, value, outputs = np.empty(1 + N + M, np.int64), np.empty(1 + N + M), np.empty(len(row_of))
    units, slopes, column = np.empty((L, W)), np.empty((L, W)), np.empty(W)
    for operation in range(start, len(schedule)):
        i = schedule[operation]
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
        n = list_inputs(options, values, active, index, value)
        if learns:
            draw_first(options, index, n, s.first, s.drawn, s.random)
        forward(s, index, value, n, units, known, outputs)
        probabilities(outputs, known)
        if learns:
            outputs[row_of[y[i]]] -= 1.0
            for row in range(known):
                outputs[row] = clipped(outputs[row] * weight[i], options[CLIP])
            descend(s, index, value, n, units, slopes, column, outputs, known)
            numbers[0] += 1
            continue
        prediction[i] = most_likely(class_of, known, outputs)
        if len(proba):
            write_proba(class_of, known, outputs, proba[i])
    return len(schedule)


@kernel
def advance_mlp_regressor(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    options, numbers, target = s.options, s.numbers, s.target
    numeric, nominal, offset = s.numeric, s.nominal, s.offset
    seen, mean, variance, scale = s.seen, s.mean, s.variance, s.scale
    N, M, W, L = len(numeric), len(nominal), s.last.shape[1], len(s.sizes)
    values, present, active = np.empty(N), np.empty(N), np.empty(M, np.int64)
    index, value, outputs = np.empty(1 + N + M, np.int64), np.empty(1 + N + M), np.empty(1)
    units, slopes, column = np.empty((L, W)), np.empty((L, W)), np.empty(W)
    for operation in range(start, len(schedule)):
        i = schedule[operation]
        learns = i < 0
        if learns:
            i = ~i
            if not abs(y[i]) <= LIMIT or weight[i] <= 0.0:
                continue
            learn_target(target, y[i], weight[i])
            if options[STANDARDIZE] > 0.0:
                learn_scale(X, i, weight[i], numeric, seen, mean, variance, scale)
        read_numbers(X, i, numeric, mean, scale, values, present)
        read_categories(X, i, nominal, offset, active)
        n = list_inputs(options, values, active, index, value)
        if learns:
            draw_first(options, index, n, s.first, s.drawn, s.random)
        forward(s, index, value, n, units, 1, outputs)
        deviation = math.sqrt(target[VARIANCE])
        if learns:
            if target[VARIANCE] > ROUNDING * target[MEAN] * target[MEAN]:
                error = outputs[0] - (y[i] - target[MEAN]) / deviation
                outputs[0] = clipped(error * weight[i], options[CLIP])
                descend(s, index, value, n, units, slopes, column, outputs, 1)
            numbers[0] += 1
        else:
            prediction[i] = target[MEAN] + deviation * outputs[0]
    return len(schedule)


@inlined
def learn_target(target: np.ndarray, y: float, w: float) -> None:
    """Update the targets' mean and variance (West 1979)."""
    target[SEEN] += w
    distance = y - target[MEAN]
    target[MEAN] += w * distance / target[SEEN]
    target[VARIANCE] += w * (distance * (y - target[MEAN]) - target[VARIANCE]) / target[SEEN]
