"""The compiled stacker: a softmax regression over the members' votes, one weight a member, learned row by row.

Wolpert, *Stacked generalization*, 1992, online. A member ``m`` gives two features to class ``c``: the centred logarithm
of its probability, and whether it would have answered ``c``. A score is the weighted sum over members; weights are
shared by the classes, so that a new class starts with what is known of the members. Steps are scaled by the recent size
of each weight's gradients (RMSprop, Hinton 2012): a member that is always sure moves its weight no faster.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct

KNOWN = 0
"""Place in ``numbers``: the highest class learned, plus 1."""

RATE, FORGET, FLOOR = range(3)
"""Places in ``options``: step size, share of a squared gradient in their average, least probability."""

HEAVIEST = 10.0
"""A row's weight counts up to this: a step of the stacker must stay small."""


class StackerArrays(NamedTuple):
    """State of the stacker of ``M`` members.

    Attributes
    ----------
    numbers : int64 [1]
        See `KNOWN`.
    options : float64 [3]
        Parameters.
    weights : float64 [2, M]
        Of the logarithms of the members' probabilities, and of their answers.
    squares : float64 [2, M]
        Averages of the squared gradients.
    """

    numbers: np.ndarray
    options: np.ndarray
    weights: np.ndarray
    squares: np.ndarray


Stacker, StackerType = struct(StackerArrays)


@kernel
def make_stacker(a: StackerArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Stacker(a.numbers, a.options, a.weights, a.squares)


@inlined
def load_features(probas: np.ndarray, row: int, n: int, floor: float, features: np.ndarray) -> None:
    """Write the centred logarithms of the members' probabilities of the first ``n`` classes, float64 [M, C]."""
    for m in range(probas.shape[1]):
        total = 0.0
        for c in range(n):
            total += probas[row, m, c]
        scale = (1.0 - floor) / total if 0.0 < total < np.inf else 0.0
        mean = 0.0
        for c in range(n):
            features[m, c] = math.log(floor / n + scale * probas[row, m, c])
            mean += features[m, c]
        mean /= n
        for c in range(n):
            features[m, c] -= mean


@inlined
def softmax(features: np.ndarray, answers: np.ndarray, row: int, n: int, weights: np.ndarray, proba: np.ndarray) -> int:
    """Write the probabilities of the first ``n`` classes; the most likely one, the lowest of equals."""
    for c in range(n):
        proba[c] = 0.0
    for m in range(len(features)):
        for c in range(n):
            proba[c] += weights[0, m] * features[m, c]
        if 0 <= answers[row, m] < n:
            proba[answers[row, m]] += weights[1, m]
    best = 0
    for c in range(1, n):
        if proba[c] > proba[best]:
            best = c
    highest, total = proba[best], 0.0
    for c in range(n):
        proba[c] = math.exp(proba[c] - highest)
        total += proba[c]
    for c in range(n):
        proba[c] /= total
    return best


@inlined
def take_step(
    place: int, m: int, gradient: float, w: float, options: np.ndarray, weights: np.ndarray, squares: np.ndarray
) -> None:
    """Move one weight against its gradient, in units of the gradients' recent size.

    The average of their squares starts at 0, so that the first steps are larger, as 1 / sqrt(rows).
    """
    squares[place, m] += options[FORGET] * (gradient * gradient - squares[place, m])
    if squares[place, m] > 0.0:
        weights[place, m] -= options[RATE] * w * gradient / math.sqrt(squares[place, m])


@kernel
def advance(
    stacker: Any,
    probas: np.ndarray,
    answers: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    schedule: np.ndarray,
    prediction: np.ndarray,
    proba: np.ndarray,
) -> None:
    """Execute a schedule over rows of which the members' votes are known.

    Parameters
    ----------
    stacker : Stacker
    probas : float64 [n, M, C]
        The members' probabilities, all zero where a member has no opinion.
    answers : int64 [n, M]
        The classes they would have answered, -1 for none.
    y, weight, schedule, prediction, proba
        See `streamlearn.work`.
    """
    numbers, options = borrowed(stacker.numbers), borrowed(stacker.options)
    weights, squares = borrowed(stacker.weights), borrowed(stacker.squares)
    M, C = probas.shape[1], probas.shape[2]
    features, chances = np.empty((M, C)), np.empty(C)
    for operation in schedule:
        learning = operation < 0
        row = ~operation if learning else operation
        if learning:
            if y[row] < 0 or y[row] >= C or not 0.0 < weight[row] < np.inf:
                continue
            numbers[KNOWN] = max(numbers[KNOWN], y[row] + 1)
        n = numbers[KNOWN]
        if n == 0:
            prediction[row] = -1
            continue
        load_features(probas, row, n, options[FLOOR], features)
        best = softmax(features, answers, row, n, weights, chances)
        if not learning:
            prediction[row] = best
            if len(proba) > 0:
                proba[row] = 0.0
                proba[row, :n] = chances[:n]
            continue
        w = min(weight[row], HEAVIEST)
        for m in range(M):
            gradient = -features[m, y[row]]
            for c in range(n):
                gradient += chances[c] * features[m, c]
            take_step(0, m, gradient, w, options, weights, squares)
            answer = answers[row, m]
            if 0 <= answer < n:
                take_step(1, m, chances[answer] - (answer == y[row]), w, options, weights, squares)
