"""Rows that wait for their labels, as columns: their fields as seen, and each learner's prediction as made."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..batch import Batch
from ..learner import Outputs
from .ids import ids_to_arrays


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
        self.made = resized(self.made, slots)
        if self.prediction is not None:
            self.prediction = resized(self.prediction, slots)
        if self.proba is not None:
            self.proba = resized(self.proba, slots)

    def at(self, slots: np.ndarray) -> Kept:
        """What was kept in these slots; zeros where nothing was predicted."""
        made = self.made[slots]
        prediction = np.zeros(len(slots)) if self.prediction is None else self.prediction[slots]
        proba = None if self.proba is None else self.proba[slots]
        if not made.all():
            prediction[~made] = 0
            if proba is not None:
                proba[~made] = 0.0
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
        """What was kept in these slots, as arrays; None where all are zeros, whatever was there before."""
        kept = self.at(slots)
        return {
            "learner": learner,
            "prediction": kept.prediction if kept.made.any() else None,
            "proba": None if kept.proba is None or not kept.proba.any() else widened(kept.proba, classes, 0.0),
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


class WaitingRows:
    """Columns of rows, each of which has a slot.

    Parameters
    ----------
    learners
        Whose predictions are kept, in `made`.
    """

    def __init__(self, learners: Sequence[str]) -> None:
        self.slots = 0
        self.made = {name: KeptPredictions() for name in learners}
        self._X = np.empty((0, 0))
        self._version = np.zeros(0, np.int64)
        self._weight: np.ndarray | None = None  # None while all are 1
        self._keys: list[Hashable] | None = None  # None where rows have none

    @property
    def nbytes(self) -> int:
        """Size of the columns."""
        columns = [self._X, self._version, self._weight]
        columns += [column for made in self.made.values() for column in (made.prediction, made.proba, made.made)]
        return sum(column.nbytes for column in columns if column is not None)

    def reserve(self, slots: int, width: int) -> None:
        """Make room for so many rows of so many fields; fields that come later are missing in the rows before."""
        self._X = widened(self._X, width, np.nan)
        if slots <= self.slots:
            return
        more = slots - self.slots
        self._X, self._version = resized(self._X, slots), resized(self._version, slots)
        if self._weight is not None:
            self._weight = resized(self._weight, slots)
        if self._keys is not None:
            self._keys += [None] * more
        for made in self.made.values():
            made.resize(slots)
        self.slots = slots

    def put(self, slots: np.ndarray, batch: Batch, rows: np.ndarray, version: int) -> None:
        """Keep some rows of a batch."""
        self._X[slots] = widened(batch.X[rows], self._X.shape[1], np.nan)
        self._version[slots] = version
        if batch.weight is not None and self._weight is None:
            self._weight = np.ones(self.slots)
        if self._weight is not None:
            self._weight[slots] = 1.0 if batch.weight is None else batch.weight[rows]
        if batch.key is None and self._keys is None:
            return
        if self._keys is None:
            self._keys = [None] * self.slots
        keys = [None] * len(batch) if batch.key is None else batch.key.to_pylist()
        for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
            self._keys[slot] = keys[row]

    def before(self, slots: np.ndarray, batch: Batch) -> Batch:
        """The rows in these slots, then those of a batch."""
        late, n = len(slots), len(batch)
        if not late:
            return Batch(batch.schema, batch.X, None, batch.weight, key=batch.key)
        X = np.empty((late + n, self._X.shape[1]))
        X[:late] = self._X[slots]
        X[late:, : batch.X.shape[1]] = batch.X
        X[late:, batch.X.shape[1] :] = np.nan
        weight = None
        if batch.weight is not None or self._weight is not None:
            of_late = np.ones(late) if self._weight is None else self._weight[slots]
            weight = np.concatenate([of_late, np.ones(n) if batch.weight is None else batch.weight])
        return Batch(batch.schema, X, None, weight, key=self._keys_before(slots, batch.key, n))

    def _keys_before(self, slots: np.ndarray, new: pa.Array | None, n: int) -> pa.Array | None:
        if self._keys is None and new is None:
            return None
        late = [None] * len(slots) if self._keys is None else [self._keys[slot] for slot in slots.tolist()]
        if new is None:
            return pa.array([*late, *[None] * n])
        try:
            return pa.concat_arrays([pa.array(late, new.type), new])
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # keys of another kind than before
            return pa.array([*late, *new.to_pylist()])

    def fields(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What was kept in these slots, to be looked at: fields, and the model's version."""
        return self._X[slots], self._version[slots]

    def state(self, slots: np.ndarray) -> dict[str, Any]:
        """What was kept in these slots, as arrays; predictions are apart, see `KeptPredictions.state`."""
        return {
            "X": self._X[slots],
            "weight": np.ones(len(slots)) if self._weight is None else self._weight[slots],
            "version": self._version[slots],
            "keys": None if self._keys is None else ids_to_arrays([self._keys[slot] for slot in slots.tolist()]),
        }

    def restore(
        self, saved: Mapping[str, Any], keys: list[Hashable] | None, predictions: Mapping[str, Kept | None]
    ) -> None:
        """Fill the first slots with what `state` gave."""
        n = len(saved["X"])
        self._X[:n], self._version[:n] = saved["X"], saved["version"]
        if (saved["weight"] != 1.0).any():
            self._weight = resized(saved["weight"], self.slots)
        if keys is not None:
            self._keys = [*keys, *[None] * (self.slots - n)]
        self.made = {name: KeptPredictions.restored(predictions.get(name), self.slots) for name in self.made}


def resized(array: np.ndarray, size: int) -> np.ndarray:
    """A copy with more rows: zeros, which take no memory before they are written."""
    larger = np.zeros((size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


def widened(X: np.ndarray, width: int, fill: float) -> np.ndarray:
    """A matrix with at least so many columns."""
    if X.shape[1] >= width:
        return X
    wider = np.full((len(X), width), fill)
    wider[:, : X.shape[1]] = X
    return wider
