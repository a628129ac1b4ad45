"""What a compiled learner is asked to do: rows, their targets, and the order in which to predict and to learn them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiled import address_of, by_address, kernel, struct


class WorkArrays(NamedTuple):
    """One call of a learner's ``advance`` kernel.

    Attributes
    ----------
    X : float64 [n, d]
        Rows; nominal fields as category codes, missing values as NaN.
    y : int64 [n] (class codes) or float64 [n] (regression)
    weight : float64 [n]
    schedule : int64 [m]
        What to do, in order: ``i >= 0`` predicts row ``i``, ``~i < 0`` learns row ``i``.
    prediction : int64 [n] or float64 [n]
        Output: the predicted class code, -1 where the learner has seen no label yet; or the predicted value.
    proba : float64 [n, C]
        Output: class probabilities; shape ``[0, 0]`` where nobody asked for them.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    schedule: np.ndarray
    prediction: np.ndarray
    proba: np.ndarray


Work, WorkType = struct(WorkArrays)


@kernel
def make_work(arrays: WorkArrays) -> Any:
    """Pack the arrays of one call into the struct that kernels take."""
    return Work(arrays.X, arrays.y, arrays.weight, arrays.schedule, arrays.prediction, arrays.proba)


@kernel
def work_address(work: Any) -> int:
    """Where a work lives."""
    return int(address_of(work))


def _example(kind: type[np.generic]) -> Any:
    """A struct of no rows, for its type."""
    none = np.empty((0, 0))
    return make_work(WorkArrays(none, np.empty(0, kind), none[0:0].ravel(), predicting(0), np.empty(0, kind), none))


class_work_at = by_address(lambda: _example(np.int64))
"""In kernels: the work of a classifier at an address."""
value_work_at = by_address(lambda: _example(np.float64))
"""In kernels: the work of a regressor at an address."""


def predicting(n: int) -> np.ndarray:
    """Schedule that predicts rows ``0 … n-1``."""
    return np.arange(n, dtype=np.int64)


def learning(n: int) -> np.ndarray:
    """Schedule that learns rows ``0 … n-1``."""
    return ~np.arange(n, dtype=np.int64)


def test_then_train(n: int) -> np.ndarray:
    """Schedule that predicts, then learns, each of the rows ``0 … n-1``."""
    schedule = np.empty(2 * n, np.int64)
    schedule[0::2] = np.arange(n)
    schedule[1::2] = ~np.arange(n)
    return schedule
