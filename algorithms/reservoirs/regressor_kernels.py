"""Kernel of the linear regressions that are readouts of a row's own fields."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel, struct
from streamlearn.features import LIMIT

from .readout_kernels import FEATURES, ReadoutArrays, learn, open_features, outputs


class RegressionArrays(NamedTuple):
    """State of a regression: ``N`` numeric and ``M`` nominal fields, ``P`` columns, room for ``F`` features.

    Attributes
    ----------
    options, numeric, nominal, offset, numbers, class_of, row_of, seen, mean, variance, scale
        Of `FeatureLearner`; only the places of the columns are used.
    feature_of : int64 [P]
        The feature that each column has become, in the order in which they were first learned; -1 before.
    rule, counts, weights, square, pending, square_scale, moment, centre
        The readout's, see `ReadoutArrays`.
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
    feature_of: np.ndarray
    rule: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    square: np.ndarray
    pending: np.ndarray
    square_scale: np.ndarray
    moment: np.ndarray
    centre: np.ndarray


Regression, RegressionType = struct(RegressionArrays)


@kernel
def make_regression(a: RegressionArrays) -> Any:
    """Pack the arrays into the struct that the kernel takes."""
    return Regression(
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
        a.feature_of,
        a.rule,
        a.counts,
        a.weights,
        a.square,
        a.pending,
        a.square_scale,
        a.moment,
        a.centre,
    )


@inlined
def opened(feature_of: np.ndarray, column: int, known: int, room: int) -> int:
    """Make a column the next feature if it is none yet, and there is room; the number of features then."""
    if feature_of[column] >= 0 or known == room:
        return known
    feature_of[column] = known
    return known + 1


@inlined
def open_columns(
    X: np.ndarray,
    i: int,
    numeric: np.ndarray,
    nominal: np.ndarray,
    offset: np.ndarray,
    feature_of: np.ndarray,
    F: int,
    room: int,
) -> int:
    """Make features of all that row ``i`` has; returns how many there are then."""
    for k in range(len(numeric)):
        if abs(X[i, numeric[k]]) <= LIMIT:
            F = opened(feature_of, 1 + k, F, room)
    for m in range(len(nominal)):
        code = X[i, nominal[m]]
        if 0.0 <= code < offset[m + 1] - offset[m]:
            F = opened(feature_of, offset[m] + int(code), F, room)
    return F


@inlined
def read_features(
    X: np.ndarray,
    i: int,
    numeric: np.ndarray,
    nominal: np.ndarray,
    offset: np.ndarray,
    feature_of: np.ndarray,
    x: np.ndarray,
) -> None:
    """Features of row ``i`` as they are, the constant first; what is missing or was not learned is 0."""
    x[:] = 0.0
    x[0] = 1.0
    for k in range(len(numeric)):
        value, feature = X[i, numeric[k]], feature_of[1 + k]
        if feature >= 0 and abs(value) <= LIMIT:
            x[feature] = value
    for m in range(len(nominal)):
        code = X[i, nominal[m]]
        if 0.0 <= code < offset[m + 1] - offset[m] and feature_of[offset[m] + int(code)] >= 0:
            x[feature_of[offset[m] + int(code)]] = 1.0


@kernel
def advance_regressor(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    numeric, nominal, offset, feature_of = s.numeric, s.nominal, s.offset, s.feature_of
    readout = ReadoutArrays(s.rule, s.counts, s.weights, s.square, s.pending, s.square_scale, s.moment, s.centre)
    M, F = readout.weights.shape
    x, room, target, out = np.empty(F), np.empty(F), np.empty(M), np.empty(M)
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i >= 0:
            read_features(X, i, numeric, nominal, offset, feature_of, x)
            outputs(readout, x, M, out)
            prediction[i] = out[0]
            continue
        i = ~i
        if not abs(y[i]) <= LIMIT or weight[i] <= 0.0:
            continue
        known = opened(feature_of, 0, readout.counts[FEATURES], F)
        open_features(readout, open_columns(X, i, numeric, nominal, offset, feature_of, known, F))
        read_features(X, i, numeric, nominal, offset, feature_of, x)
        target[0] = y[i]
        learn(readout, x, target, out, M, weight[i], room)
    return len(schedule)
