"""The router of a mixture of experts: a small network in float32 that scores experts, and its steps of Adam.

Each layer is one array, ``float32 [4, inputs + 1, units]``: weights, and beside them Adam's two moments and the sums of
slopes since the last step. A row of weights belongs to one input, so that inputs which are 0 (an absent category, half
of the hidden units) cost nothing, and the inner loops run along memory. Sums are made in a fixed order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.random import restart, uniform

WEIGHT, MOMENT, SQUARE, SLOPE = range(4)
"""Places in a layer."""
N_PLANES = 4

FURTHEST = 1e6
"""Inputs are cut off here, so that no row can carry float32 out of its range."""
HEAVIEST = np.float32(1e4)
STEEPEST = np.float32(1e15)
"""Bounds of weights and slopes, for the same reason; no ordinary stream comes near them."""
NEGLIGIBLE = np.float32(1e-30)
"""Moments below it become 0: the processor is slow with the denormal numbers that they would decay to."""
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants (Kingma and Ba, 2015)."""
LANES = 8
ZERO = np.float32(0.0)


class Router(NamedTuple):
    """A network of two hidden layers, borrowed for the rows of one call, and space for one row.

    Attributes
    ----------
    first, second, last : float32 [4, inputs (+ 1), units]
        The layers. The constant is input 0 of the first layer, and the last input of the others.
    drawn : uint8 [inputs]
        1 for inputs of the first layer whose weights were drawn; the others' are 0.
    index, value : int64 and float32 [inputs of one row]
        The row: inputs that are there, the constant first.
    kept : float32 [units of the first layer] or [0]
        Dropout, see `draw_kept`; empty for none.
    below, above : float32 [units]
        Activations of the two hidden layers.
    logits : float32 [outputs]
    active, level : int64 and float32 [most units]
        A list of the active units of one layer.
    slopes, slopes_below, slopes_above : float32 [outputs], [units], [units]
        Of the loss by the logits, by the hidden layers' sums.
    random : uint64 [4]
        A generator that is restarted for each row.
    """

    first: np.ndarray
    second: np.ndarray
    last: np.ndarray
    drawn: np.ndarray
    index: np.ndarray  # type: ignore[assignment]  # a tuple has a method of that name
    value: np.ndarray
    kept: np.ndarray
    below: np.ndarray
    above: np.ndarray
    logits: np.ndarray
    active: np.ndarray
    level: np.ndarray
    slopes: np.ndarray
    slopes_below: np.ndarray
    slopes_above: np.ndarray
    random: np.ndarray


# -- weights -----------------------------------------------------------------------------------------------------------


@kernel
def draw_weights(layer: np.ndarray, inputs: int, units: int, random: np.ndarray) -> None:
    """Xavier-uniform weights (Glorot and Bengio, 2010) for a whole layer; its intercepts, the last row, stay 0."""
    bound = math.sqrt(6.0 / (inputs + units))
    for j in range(inputs):
        for k in range(units):
            layer[WEIGHT, j, k] = bound * (2.0 * uniform(random) - 1.0)


@kernel
def draw_inputs(layer: np.ndarray, index: np.ndarray, n: int, drawn: np.ndarray, random: np.ndarray) -> None:
    """Draw the weights of inputs that are learned for the first time; ``index[0]`` is the constant, which has its own.

    Only now, as then it does not matter how early the input was announced: by the schema, or by the row itself.
    """
    units = layer.shape[2]
    bound = math.sqrt(6.0 / (n - 1 + units)) if n > 1 else 0.0
    for a in range(1, n):
        j = index[a]
        if drawn[j] == 0:
            drawn[j] = 1
            for k in range(units):
                layer[WEIGHT, j, k] = bound * (2.0 * uniform(random) - 1.0)


@kernel
def draw_output(layer: np.ndarray, k: int, outputs: int, random: np.ndarray) -> None:
    """Draw the weights of an output that appears while the stream runs, the ``outputs``-th one."""
    inputs = layer.shape[1] - 1
    bound = math.sqrt(6.0 / (inputs + outputs))
    for j in range(inputs):
        layer[WEIGHT, j, k] = bound * (2.0 * uniform(random) - 1.0)


# -- dropout -----------------------------------------------------------------------------------------------------------


@kernel
def draw_kept(random: np.ndarray, seed: np.uint64, step: int, rate: float, kept: np.ndarray) -> None:
    """Which hidden units stay in a step: ``1 / (1 - rate)`` for those, 0 for those that drop out.

    It depends on the step only: predicting a row and learning it see the same network, and predicting changes nothing.
    """
    restart(random, seed, step)
    scale = np.float32(1.0 / (1.0 - rate))
    for k in range(len(kept)):
        kept[k] = ZERO if uniform(random) < rate else scale


# -- forward -----------------------------------------------------------------------------------------------------------


@inlined
def add_rows(weights: np.ndarray, index: np.ndarray, value: np.ndarray, n: int, units: np.ndarray) -> None:
    """Add ``value[a] * weights[index[a]]`` for all ``a``, in their order; four at a time, which saves loads of sums."""
    size = len(units)
    a = 0
    while a + 4 <= n:
        w0, w1, w2, w3 = weights[index[a]], weights[index[a + 1]], weights[index[a + 2]], weights[index[a + 3]]
        x0, x1, x2, x3 = value[a], value[a + 1], value[a + 2], value[a + 3]
        for k in range(size):
            units[k] = (((units[k] + x0 * w0[k]) + x1 * w1[k]) + x2 * w2[k]) + x3 * w3[k]
        a += 4
    while a < n:
        w0, x0 = weights[index[a]], value[a]
        for k in range(size):
            units[k] += x0 * w0[k]
        a += 1


@inlined
def list_active(units: np.ndarray, index: np.ndarray, value: np.ndarray) -> int:
    """List the units that are not 0 in ``index`` and ``value``; returns how many there are."""
    n = 0
    for k in range(len(units)):
        index[n], value[n] = k, units[k]
        n += units[k] != ZERO
    return n


@kernel
def forward(r: Router, n: int) -> None:
    """Write the logits of all outputs for the ``n`` inputs that are listed."""
    below, above, logits, kept = r.below, r.above, r.logits, r.kept
    below[:] = ZERO
    add_rows(r.first[WEIGHT], r.index, r.value, n, below)
    for k in range(len(below)):
        below[k] = max(below[k], ZERO)
    for k in range(len(kept)):
        below[k] *= kept[k]
    above[:] = r.second[WEIGHT, len(below)]
    add_rows(r.second[WEIGHT], r.active, r.level, list_active(below, r.active, r.level), above)
    for k in range(len(above)):
        above[k] = max(above[k], ZERO)
    logits[:] = r.last[WEIGHT, len(above)]
    add_rows(r.last[WEIGHT], r.active, r.level, list_active(above, r.active, r.level), logits)


@inlined
def sigmoid(z: float) -> float:
    """``1 / (1 + exp(-z))``, in double precision."""
    return 1.0 / (1.0 + math.exp(-np.float64(z)))


# -- back --------------------------------------------------------------------------------------------------------------


@inlined
def dot(a: np.ndarray, b: np.ndarray) -> np.float32:
    """Inner product, summed in eight lanes, as vector instructions do."""
    size = len(a)
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = ZERO
    whole = size - size % LANES
    for k in range(0, whole, LANES):
        s0 += a[k] * b[k]
        s1 += a[k + 1] * b[k + 1]
        s2 += a[k + 2] * b[k + 2]
        s3 += a[k + 3] * b[k + 3]
        s4 += a[k + 4] * b[k + 4]
        s5 += a[k + 5] * b[k + 5]
        s6 += a[k + 6] * b[k + 6]
        s7 += a[k + 7] * b[k + 7]
    total = ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
    for k in range(whole, size):
        total += a[k] * b[k]
    return np.float32(total)


@inlined
def add_scaled(row: np.ndarray, x: np.float32, slopes: np.ndarray) -> None:
    """``row += x * slopes``."""
    for k in range(len(slopes)):
        row[k] += x * slopes[k]


@kernel
def backward(r: Router, n: int) -> None:
    """Add the slopes of the row that `forward` saw, given those by the logits, to the layers' sums."""
    below, above = r.below, r.above
    first, second, last = r.first, r.second, r.last
    slopes, slopes_below, slopes_above = r.slopes, r.slopes_below, r.slopes_above
    for j in range(len(above)):
        slopes_above[j] = ZERO
        if above[j] > ZERO:
            slopes_above[j] = dot(last[WEIGHT, j], slopes)
            add_scaled(last[SLOPE, j], above[j], slopes)
    add_scaled(last[SLOPE, len(above)], np.float32(1.0), slopes)
    for j in range(len(below)):
        slopes_below[j] = ZERO
        if below[j] > ZERO:
            slopes_below[j] = dot(second[WEIGHT, j], slopes_above)
            add_scaled(second[SLOPE, j], below[j], slopes_above)
    add_scaled(second[SLOPE, len(below)], np.float32(1.0), slopes_above)
    for k in range(len(r.kept)):
        slopes_below[k] *= r.kept[k]
    for a in range(n):
        add_scaled(first[SLOPE, r.index[a]], r.value[a], slopes_below)


# -- Adam --------------------------------------------------------------------------------------------------------------


@kernel
def adam_step(layer: np.ndarray, drawn: np.ndarray, rate: float, number: int) -> None:
    """One step of Adam by the sums of slopes, which begin anew.

    Parameters
    ----------
    layer : float32 [4, inputs, units]
    drawn : uint8 [inputs] or empty
        Inputs that have weights; empty where all have.
    rate
        The learning rate.
    number
        Of this step, from 1 on.
    """
    bias = np.float32(rate / (1.0 - math.pow(BETA_1, number)))
    root = np.float32(1.0 / math.sqrt(1.0 - math.pow(BETA_2, number)))
    keep, take = np.float32(BETA_1), np.float32(1.0 - BETA_1)
    keep_square, take_square = np.float32(BETA_2), np.float32(1.0 - BETA_2)
    epsilon = np.float32(EPSILON)
    for j in range(layer.shape[1]):
        if len(drawn) > 0 and drawn[j] == 0:
            continue
        weights, moments, squares, slopes = layer[WEIGHT, j], layer[MOMENT, j], layer[SQUARE, j], layer[SLOPE, j]
        for k in range(layer.shape[2]):
            slope = min(max(slopes[k], -STEEPEST), STEEPEST)
            moment = keep * moments[k] + take * slope
            square = keep_square * squares[k] + take_square * (slope * slope)
            moment = ZERO if abs(moment) < NEGLIGIBLE else moment
            square = ZERO if square < NEGLIGIBLE else square
            weight = weights[k] - bias * moment / (np.sqrt(square) * root + epsilon)
            weights[k] = min(max(weight, -HEAVIEST), HEAVIEST)
            moments[k], squares[k], slopes[k] = moment, square, ZERO


@kernel
def step(r: Router, rate: float, number: int) -> None:
    """One step of Adam for all layers; ``number`` counts steps from 1 on."""
    adam_step(r.first, r.drawn, rate, number)
    adam_step(r.second, r.drawn[:0], rate, number)
    adam_step(r.last, r.drawn[:0], rate, number)
