"""The linear model of a node of a regression tree: standardised fields, learned by stochastic gradient descent."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined

from .regression_arrays import CENTRE, INVERSE, SEEN, VARIANCE

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow
FARTHEST = 10.0  # deviations; values beyond count as that far out, so that an outlier cannot upset a model
MISSING = -1


@inlined
def read_row(
    X: np.ndarray,
    row: int,
    numeric_fields: np.ndarray,
    nominal_fields: np.ndarray,
    first: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Numbers of a row into ``values``, NaN where missing or out of range; its categories' table rows into ``rows``."""
    for j in range(len(numeric_fields)):
        x = X[row, numeric_fields[j]]
        values[j] = x if abs(x) <= LIMIT else math.nan
    for i in range(len(nominal_fields)):
        x = X[row, nominal_fields[i]]
        rows[i] = first[i] + int(x) if 0.0 <= x < first[i + 1] - first[i] else MISSING


@inlined
def model_output(
    coefficients: np.ndarray, scales: np.ndarray, node: int, values: np.ndarray, rows: np.ndarray, z: np.ndarray
) -> float:
    """What a node's model says of a row; its standardised numbers are left in ``z``, 0 where missing."""
    result = coefficients[node, 0]
    for j in range(len(values)):
        x = (values[j] - scales[node, CENTRE, j]) * scales[node, INVERSE, j]
        x = min(max(x, -FARTHEST), FARTHEST) if x == x else 0.0
        z[j] = x
        result += coefficients[node, 1 + j] * x
    for i in range(len(rows)):
        if rows[i] != MISSING:
            result += coefficients[node, 1 + len(values) + rows[i]]
    return result


@inlined
def learn_model(
    coefficients: np.ndarray,
    scales: np.ndarray,
    node: int,
    values: np.ndarray,
    rows: np.ndarray,
    z: np.ndarray,
    error: float,
    w: float,
    rate: float,
) -> None:
    """One step down the squared error, then take the row into the scales.

    A step never goes past the target: where rates, weight and values are so large that it would, it is cut short. So a
    model can't run away, whatever the data.

    Parameters
    ----------
    z : float64 [Dn]
        As `model_output` left it.
    error
        Target minus output.
    """
    reach = 1.0
    for j in range(len(values)):
        reach += z[j] * z[j]
    for i in range(len(rows)):
        reach += rows[i] != MISSING
    step = 2.0 * w * rate
    step = error * (step if step * reach <= 1.0 else 1.0 / reach)
    coefficients[node, 0] += step
    for j in range(len(values)):
        coefficients[node, 1 + j] += step * z[j]
    for i in range(len(rows)):
        if rows[i] != MISSING:
            coefficients[node, 1 + len(values) + rows[i]] += step
    for j in range(len(values)):
        x = values[j]
        if x == x:
            scales[node, SEEN, j] += w
            distance = x - scales[node, CENTRE, j]
            share = w / scales[node, SEEN, j]
            scales[node, CENTRE, j] += share * distance
            spread = scales[node, VARIANCE, j]
            spread += share * (distance * (x - scales[node, CENTRE, j]) - spread)
            scales[node, VARIANCE, j] = spread
            scales[node, INVERSE, j] = 1.0 / math.sqrt(spread) if spread > 0.0 else 0.0
