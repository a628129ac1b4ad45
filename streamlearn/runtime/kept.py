"""Predictions as they were made, of rows that wait for their labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..learner import Outputs


class Kept(NamedTuple):
    """A learner's predictions of some rows.

    Attributes
    ----------
    prediction : int64 [n] or float64 [n]
    proba : float64 [n, C] or None
        Classes that a learner did not know then have probability 0.
    made : bool [n]
        Whether it predicted the row at all: it may have joined later, or failed.
    """

    prediction: np.ndarray
    proba: np.ndarray | None
    made: np.ndarray

    @classmethod
    def of(cls, outputs: Outputs | None, late: int, n: int, failed: Collection[int], *, proba: bool) -> Kept:
        """What a learner predicted of the last ``n`` of ``late + n`` rows."""
        if outputs is None:
            return cls(np.zeros(n), None, np.zeros(n, bool))
        made = np.ones(n, bool)
        made[[row - late for row in failed if row >= late]] = False
        probabilities = outputs.proba[late:] if proba and outputs.proba is not None else None
        return cls(outputs.prediction[late:], probabilities, made)

    def at(self, places: np.ndarray) -> Kept:
        """Those of some of the rows."""
        proba = None if self.proba is None else self.proba[places]
        return Kept(self.prediction[places], proba, self.made[places])

    def followed_by(self, new: Kept) -> Kept:
        """These, then ``new`` ones."""
        if not len(self.made):
            return new
        n = len(self.made)
        prediction = np.concatenate([self.prediction.astype(new.prediction.dtype), new.prediction])
        proba = None
        if new.proba is not None:
            classes = new.proba.shape[1] if self.proba is None else max(new.proba.shape[1], self.proba.shape[1])
            proba = np.zeros((len(prediction), classes))
            proba[n:, : new.proba.shape[1]] = new.proba
            if self.proba is not None:
                proba[:n, : self.proba.shape[1]] = self.proba
        return Kept(prediction, proba, np.concatenate([self.made, new.made]))


@dataclass(slots=True)
class KeptPredictions:
    """A learner's predictions of the rows that wait, by slot; `prediction` and `proba` from the first of them on."""

    prediction: np.ndarray | None = None
    proba: np.ndarray | None = None
    made: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def resize(self, slots: int) -> None:
        """Make room."""
        self.made = resized(self.made, slots, False)
        if self.prediction is not None:
            self.prediction = resized(self.prediction, slots, 0)
        if self.proba is not None:
            self.proba = resized(self.proba, slots, 0.0)

    def at(self, slots: np.ndarray) -> Kept:
        """What was kept in these slots; zeros where nothing was predicted."""
        made = self.made[slots]
        prediction = np.zeros(len(slots)) if self.prediction is None else np.where(made, self.prediction[slots], 0)
        proba = None if self.proba is None else np.where(made[:, np.newaxis], self.proba[slots], 0.0)
        return Kept(prediction, proba, made)

    def put(self, slots: np.ndarray, kept: Kept) -> None:
        """Keep predictions in these slots."""
        self.made[slots] = kept.made
        if not kept.made.any():
            return
        if self.prediction is None:
            self.prediction = np.zeros(len(self.made), kept.prediction.dtype)
        self.prediction[slots] = kept.prediction
        if kept.proba is None:
            if self.proba is not None:
                self.proba[slots] = 0.0
            return
        classes = kept.proba.shape[1]
        self.proba = np.zeros((len(self.made), classes)) if self.proba is None else widened(self.proba, classes, 0.0)
        self.proba[slots, :classes] = kept.proba
        self.proba[slots, classes:] = 0.0

    def state(self, learner: str, slots: np.ndarray, classes: int) -> dict[str, Any]:
        """What was kept in these slots, as arrays."""
        kept = self.at(slots)
        return {
            "learner": learner,
            "prediction": None if self.prediction is None else kept.prediction,
            "proba": None if kept.proba is None else widened(kept.proba, classes, 0.0),
            "made": kept.made,
        }

    @classmethod
    def restored(cls, kept: Kept | None, slots: int) -> KeptPredictions:
        """Predictions in the first slots of so many."""
        if kept is None:
            return cls(made=np.zeros(slots, bool))
        made = cls(kept.prediction, kept.proba, kept.made)
        made.resize(slots)
        return made


def resized(array: np.ndarray, size: int, fill: Any) -> np.ndarray:
    """A copy with more rows."""
    larger = np.full((size, *array.shape[1:]), fill, array.dtype)
    larger[: len(array)] = array
    return larger


def widened(X: np.ndarray, width: int, fill: float) -> np.ndarray:
    """A matrix with at least so many columns."""
    if X.shape[1] >= width:
        return X
    wider = np.full((len(X), width), fill)
    wider[:, : X.shape[1]] = X
    return wider
