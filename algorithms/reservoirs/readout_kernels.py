"""Kernels of linear readouts: recursive least squares, normalised LMS, and ridge regression from sums of products.

A readout has ``M`` rows of weights, one an output, over ``F`` features of which the first is the constant 1. Arrays may
have room for more of both; what is beyond is 0 and takes no part.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel

RLS, NLMS, RIDGE = 0, 1, 2
"""Kinds of readout."""
KEEP_RIDGE, BOUND_TRACE, UNGUARDED = 0, 1, 2
"""What keeps recursive least squares from winding up."""
KIND, FORGETTING, PENALTY, GUARD, STEP, EVERY = range(6)
"""Places in ``rule``; EVERY is the rows between two solutions of a ridge."""
N_RULE = 6
FEATURES, ROWS, CURSOR, RESETS = range(4)
"""Places in ``counts``: features that are open, rows learned, where the guard stands, how often P was made anew."""
N_COUNTS = 4
SCALE, PENDING = 0, 1
"""Places in ``square_scale``: the scale of P; 1 where an update waits."""

EPSILON = 1e-8  # normalised LMS: added to a row's squared length
SLOWEST = 1e-3  # normalised LMS: the least rate at which the features' means follow
MOST = 1e150  # an error beyond it is not learned: its square would overflow
MOST_WEIGHT = 1e12  # a row that weighs more counts as this
LARGEST_SCALE = 1e50  # of P: then it goes into the matrix


class ReadoutArrays(NamedTuple):
    """State of a readout of ``F`` features and ``M`` outputs.

    Attributes
    ----------
    rule : float64 [6]
        The parameters, as numbers.
    counts : int64 [4]
    weights : float64 [M, F]
        Feature 0 is the constant 1.
    square : float64 [F, F] or [0, 0]
        Recursive least squares: P, but for its scale, and for the update that waits. Ridge: the weighted sum of
        products of features, its upper half.
    pending : float64 [2, F] or [0, 0]
        Recursive least squares: the vectors ``g`` and ``h`` of the update that waits, ``square -= g gᵀ + h hᵀ``.
    square_scale : float64 [2]
    moment : float64 [M, F] or [0, 0]
        Ridge: the weighted sums of products of features and targets.
    centre : float64 [F] or [0]
        Normalised LMS: running means of the features.
    """

    rule: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    square: np.ndarray
    pending: np.ndarray
    square_scale: np.ndarray
    moment: np.ndarray
    centre: np.ndarray


# -- outputs -----------------------------------------------------------------------------------------------------------


@inlined
def output(weights: np.ndarray, row: int, x: np.ndarray, F: int) -> float:
    """One row's output: four sums side by side, since a single one waits for each addition."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = F - F % 4
    for j in range(0, whole, 4):
        a += weights[row, j] * x[j]
        b += weights[row, j + 1] * x[j + 1]
        c += weights[row, j + 2] * x[j + 2]
        d += weights[row, j + 3] * x[j + 3]
    for j in range(whole, F):
        a += weights[row, j] * x[j]
    return (a + b) + (c + d)


@kernel
def outputs(r: ReadoutArrays, x: np.ndarray, M: int, out: np.ndarray) -> None:
    """Every output for the features ``x`` into ``out`` [M]."""
    F, weights, centre = r.counts[FEATURES], r.weights, r.centre
    for row in range(M):
        if r.rule[KIND] == NLMS:
            out[row] = weights[row, 0]
            for j in range(1, F):
                out[row] += weights[row, j] * (x[j] - centre[j])
        else:
            out[row] = output(weights, row, x, F)


@inlined
def open_features(r: ReadoutArrays, F: int) -> None:
    """Let the readout have ``F`` features from now on; new ones begin with weight 0, as uncertain as the prior says."""
    for j in range(r.counts[FEATURES], F):
        if r.rule[KIND] == RLS:
            if j == 0:
                r.square_scale[SCALE] = 1.0
            r.square[j, j] = 1.0 / (r.rule[PENALTY] * r.square_scale[SCALE])
    r.counts[FEATURES] = max(r.counts[FEATURES], F)


# -- recursive least squares -------------------------------------------------------------------------------------------

# Going through P costs most, so it is gone through once a row: the update by one row waits, and is made while the next
# one's features are multiplied. Forgetting is a number by which P is scaled. The full square is updated: half of it
# would be less arithmetic, but no whole rows of vector instructions. As products of two entries commute, it stays
# symmetric to the last bit.


@kernel
def update_and_multiply(
    square: np.ndarray, g: np.ndarray, h: np.ndarray, x: np.ndarray, F: int, out: np.ndarray
) -> None:
    """``square -= g gᵀ + h hᵀ; out = square @ x``; four rows at a time, so that ``out`` is gone through less often.

    The compiler makes vector instructions of the inner loop; bounds written in another way have kept it from that.
    """
    out[:F] = 0.0
    for i in range(0, F - 3, 4):
        p0, a0, b0, x0 = square[i], g[i], h[i], x[i]
        p1, a1, b1, x1 = square[i + 1], g[i + 1], h[i + 1], x[i + 1]
        p2, a2, b2, x2 = square[i + 2], g[i + 2], h[i + 2], x[i + 2]
        p3, a3, b3, x3 = square[i + 3], g[i + 3], h[i + 3], x[i + 3]
        for j in range(F):
            gj, hj = g[j], h[j]
            u0 = p0[j] - (a0 * gj + b0 * hj)
            u1 = p1[j] - (a1 * gj + b1 * hj)
            u2 = p2[j] - (a2 * gj + b2 * hj)
            u3 = p3[j] - (a3 * gj + b3 * hj)
            p0[j] = u0
            p1[j] = u1
            p2[j] = u2
            p3[j] = u3
            out[j] += (x0 * u0 + x1 * u1) + (x2 * u2 + x3 * u3)
    for i in range(F - F % 4, F):
        p0, a0, b0, x0 = square[i], g[i], h[i], x[i]
        for j in range(F):
            u0 = p0[j] - (a0 * g[j] + b0 * h[j])
            p0[j] = u0
            out[j] += x0 * u0


@kernel
def multiply(square: np.ndarray, x: np.ndarray, F: int, out: np.ndarray) -> None:
    """``out = square @ x`` for a symmetric matrix."""
    out[:F] = 0.0
    for i in range(F):
        p, a = square[i], x[i]
        for j in range(F):
            out[j] += a * p[j]


@kernel
def settle(r: ReadoutArrays) -> None:
    """Make the update that waits, and put the scale into the matrix."""
    F, square, scale = r.counts[FEATURES], r.square, r.square_scale[SCALE]
    g, h = r.pending[0], r.pending[1]
    for i in range(F):
        p, a, b = square[i], g[i], h[i]
        for j in range(F):
            p[j] = (p[j] - (a * g[j] + b * h[j])) * scale
    r.pending[:] = 0.0
    r.square_scale[SCALE], r.square_scale[PENDING] = 1.0, 0.0


@kernel
def make_anew(r: ReadoutArrays) -> None:
    """Begin again with the prior's P: rounding has made a certainty negative. The weights stay."""
    F = r.counts[FEATURES]
    r.square[:F, :F] = 0.0
    for j in range(F):
        r.square[j, j] = 1.0 / r.rule[PENALTY]
    r.pending[:] = 0.0
    r.square_scale[SCALE], r.square_scale[PENDING] = 1.0, 0.0
    r.counts[RESETS] += 1


@kernel
def learn_rls(r: ReadoutArrays, x: np.ndarray, errors: np.ndarray, M: int, w: float, v: np.ndarray) -> None:
    """One step of recursive least squares; ``v`` [F] is room to work in."""
    F, forgetting, weights, square, scale = r.counts[FEATURES], r.rule[FORGETTING], r.weights, r.square, r.square_scale
    if scale[SCALE] > LARGEST_SCALE:
        settle(r)
    if scale[PENDING] > 0.0:
        update_and_multiply(square, r.pending[0], r.pending[1], x, F, v)
    else:
        multiply(square, x, F, v)
    length = 0.0
    for j in range(F):
        length += x[j] * v[j]
    s = scale[SCALE]
    divisor = forgetting / w + s * length
    if not (length >= 0.0 and divisor > 0.0 and divisor < np.inf):
        make_anew(r)
        return
    for row in range(M):
        rate = errors[row] * s / divisor
        for j in range(F):
            weights[row, j] += rate * v[j]
    root, g = math.sqrt(s / divisor), r.pending[0]
    for j in range(F):
        g[j] = root * v[j]
    r.pending[1, :] = 0.0
    scale[PENDING] = 1.0
    if forgetting == 1.0:
        return
    if r.rule[GUARD] == BOUND_TRACE:
        trace = 0.0
        for j in range(F):
            trace += square[j, j] - g[j] * g[j]
        if s * trace > forgetting * F / r.rule[PENALTY]:
            return
    scale[SCALE] = s / forgetting
    if r.rule[GUARD] == KEEP_RIDGE:
        restore_ridge(r, M, v)


@kernel
def restore_ridge(r: ReadoutArrays, M: int, v: np.ndarray) -> None:
    """Give features back what they forgot of the ridge, one after the other; a round takes no longer than the memory.

    Each is a row of its own that has only this feature, and target 0. So weights solve ordinary normal equations at any
    time, and P never exceeds ``1 / ridge`` by more than a factor e.
    """
    F, forgetting, weights, square, scale = r.counts[FEATURES], r.rule[FORGETTING], r.weights, r.square, r.square_scale
    turns = math.ceil(F * (1.0 - forgetting))
    mass = r.rule[PENALTY] * (1.0 - forgetting ** (F / turns))  # what was forgotten since a feature's last turn
    for turn in range(turns):
        if turn > 0:
            settle(r)
        feature = r.counts[CURSOR] % F
        r.counts[CURSOR] = (feature + 1) % F
        g, h, s = r.pending[0], r.pending[1], scale[SCALE]
        for j in range(F):
            v[j] = square[feature, j] - g[feature] * g[j]
        certainty = 1.0 / mass + s * v[feature]
        if not (v[feature] >= 0.0 and certainty < np.inf):
            make_anew(r)
            return
        for row in range(M):
            rate = weights[row, feature] * s / certainty
            for j in range(F):
                weights[row, j] -= rate * v[j]
        root = math.sqrt(s / certainty)
        for j in range(F):
            h[j] = root * v[j]
        scale[PENDING] = 1.0


# -- normalised LMS ----------------------------------------------------------------------------------------------------


@kernel
def learn_nlms(r: ReadoutArrays, x: np.ndarray, errors: np.ndarray, M: int, w: float) -> None:
    """One step of normalised LMS on features minus their running means; a row of weight w is learned w times."""
    F, weights, centre = r.counts[FEATURES], r.weights, r.centre
    square = EPSILON + 1.0
    for j in range(1, F):
        square += (x[j] - centre[j]) ** 2
    step = 1.0 - (1.0 - r.rule[STEP]) ** w
    for row in range(M):
        rate = step * errors[row] / square
        weights[row, 0] += rate
        for j in range(1, F):
            weights[row, j] += rate * (x[j] - centre[j])
    follow = max(SLOWEST, 1.0 / (r.counts[ROWS] + 1.0))
    for j in range(1, F):
        move = follow * (x[j] - centre[j])
        centre[j] += move
        for row in range(M):  # what the weights say stays the same
            weights[row, 0] += weights[row, j] * move


# -- ridge regression --------------------------------------------------------------------------------------------------


@kernel
def learn_ridge(r: ReadoutArrays, x: np.ndarray, targets: np.ndarray, M: int, w: float) -> None:
    """Add a row to the sums of products; solve for the weights every so many rows, before that after 1, 2, 4, 8, …"""
    F, forgetting = r.counts[FEATURES], r.rule[FORGETTING]
    for i in range(F):
        p, q, a = r.square[i, i:F], x[i:F], w * x[i]
        for j in range(len(q)):
            p[j] = p[j] * forgetting + a * q[j]
    for row in range(M):
        h, a = r.moment[row], w * targets[row]
        for j in range(F):
            h[j] = h[j] * forgetting + a * x[j]
    rows, every = r.counts[ROWS] + 1, int(r.rule[EVERY])
    if rows % every == 0 or (rows < every and rows & (rows - 1) == 0):
        solve_ridge(r, M)


@kernel
def solve_ridge(r: ReadoutArrays, M: int) -> None:
    """Weights from the sums, by Cholesky's factors; they stay as they are where the matrix is singular."""
    F, square = r.counts[FEATURES], r.square
    U = np.empty((F, F))  # the upper factor, row by row: rows are what vector instructions like
    for k in range(F):
        u = U[k]
        for j in range(k, F):
            u[j] = square[k, j]
        u[k] += r.rule[PENALTY]
        whole = k - k % 4
        for m in range(0, whole, 4):
            p, q, s, t = U[m], U[m + 1], U[m + 2], U[m + 3]
            a, b, c, d = p[k], q[k], s[k], t[k]
            for j in range(k, F):
                u[j] -= (a * p[j] + b * q[j]) + (c * s[j] + d * t[j])
        for m in range(whole, k):
            p, a = U[m], U[m, k]
            for j in range(k, F):
                u[j] -= a * p[j]
        if not (u[k] > 0.0 and u[k] < np.inf):
            r.counts[RESETS] += 1
            return
        root = math.sqrt(u[k])
        for j in range(k, F):
            u[j] /= root
    for row in range(M):
        v = r.weights[row]
        v[:F] = r.moment[row, :F]
        for k in range(F):  # Uᵀ z = moment
            v[k] /= U[k, k]
            for j in range(k + 1, F):
                v[j] -= v[k] * U[k, j]
        for k in range(F - 1, -1, -1):  # U v = z
            rest = v[k]
            for j in range(k + 1, F):
                rest -= U[k, j] * v[j]
            v[k] = rest / U[k, k]


# -- all of them -------------------------------------------------------------------------------------------------------


@kernel
def learn(
    r: ReadoutArrays, x: np.ndarray, targets: np.ndarray, out: np.ndarray, M: int, w: float, room: np.ndarray
) -> None:
    """Learn features ``x`` with ``targets`` [M]; leaves the outputs from before in ``out`` [M].

    ``room`` [F] is room to work in; ``targets`` may hold the errors afterwards.
    """
    w = min(w, MOST_WEIGHT)
    outputs(r, x, M, out)
    for row in range(M):
        if not abs(targets[row] - out[row]) <= MOST:
            return
    if r.rule[KIND] == RIDGE:
        learn_ridge(r, x, targets, M, w)
    else:
        for row in range(M):
            targets[row] -= out[row]
        if r.rule[KIND] == RLS:
            learn_rls(r, x, targets, M, w, room)
        else:
            learn_nlms(r, x, targets, M, w)
    r.counts[ROWS] += 1
