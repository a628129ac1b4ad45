"""Rows that pass by a learner before their labels come: some learners want to hear them at once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .batch import Batch
from .learner import Outputs


def process_passing(learner: Any, batch: Batch, schedule: np.ndarray | None, *, proba: bool) -> Outputs:
    """`Learner.process`, where the rows that the schedule predicts are the stream's own rows, each once, in order.

    A learner whose attribute ``hears_rows`` is true learns each of them without label as soon as it was predicted, and
    with its label when the schedule says. Whoever only asks for a prediction calls `Learner.process`.
    """
    if schedule is None or not getattr(learner, "hears_rows", False):
        return learner.process(batch, schedule, proba=proba)
    n, predicted = len(batch), np.flatnonzero(schedule >= 0)
    rows = schedule[predicted]
    y = batch.y
    if y is not None:
        unknown = -1 if y.dtype == np.int64 else np.nan
        y = np.concatenate([y, np.full(len(rows), unknown, y.dtype)])
    weight = batch.weight
    if weight is not None:
        weight = np.concatenate([weight, np.ones(len(rows))])
    doubled = Batch(batch.schema, np.concatenate([batch.X, batch.X[rows]]), y, weight)
    schedule = np.insert(schedule, predicted + 1, ~(n + np.arange(len(rows))))
    outputs: Outputs = learner.process(doubled, schedule, proba=proba)
    made = None if outputs.proba is None else outputs.proba[:n]
    return dataclasses.replace(outputs, prediction=outputs.prediction[:n], proba=made)
