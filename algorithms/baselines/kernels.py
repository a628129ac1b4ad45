"""Kernels of the baselines: the last label, and the most frequent one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import kernel, struct


class LastArrays(NamedTuple):
    """State of `NoChangeClassifier`.

    Attributes
    ----------
    last : int64 [1]
        Code of the label learned last, -1 before the first.
    """

    last: np.ndarray


Last, LastType = struct(LastArrays)


@kernel
def make_last(a: LastArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Last(a.last)


@kernel
def advance_last(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    y, weight, schedule, prediction, proba = work.y, work.weight, work.schedule, work.prediction, work.proba
    last = s.last
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            if y[~i] >= 0 and weight[~i] > 0.0:
                last[0] = y[~i]
            continue
        prediction[i] = last[0]
        if len(proba):
            proba[i] = 0.0
            if last[0] >= 0:
                proba[i, last[0]] = 1.0
    return len(schedule)


class FrequencyArrays(NamedTuple):
    """State of `PriorClassifier`; ``C`` is the number of classes that there is room for.

    Attributes
    ----------
    weight : float64 [C]
        Weight learned of each class.
    total : float64 [1]
        Weight learned in all.
    best : int64 [1]
        The class with the greatest weight, the lowest code on ties; -1 before the first label.
    """

    weight: np.ndarray
    total: np.ndarray
    best: np.ndarray


Frequency, FrequencyType = struct(FrequencyArrays)


@kernel
def make_frequency(a: FrequencyArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Frequency(a.weight, a.total, a.best)


@kernel
def advance_frequency(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    y, weight, schedule, prediction, proba = work.y, work.weight, work.schedule, work.prediction, work.proba
    learned, total, best = s.weight, s.total, s.best
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            label, w = y[~i], weight[~i]
            if label >= 0 and w > 0.0:
                learned[label] += w
                total[0] += w
                leader = best[0]
                if leader < 0 or learned[label] > learned[leader]:
                    best[0] = label
                elif learned[label] == learned[leader]:
                    best[0] = min(label, leader)
            continue
        prediction[i] = best[0]
        for c in range(proba.shape[1]):
            proba[i, c] = learned[c] / total[0] if best[0] >= 0 else 0.0
    return len(schedule)
