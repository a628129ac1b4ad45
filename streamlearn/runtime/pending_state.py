"""The check of waiting rows that come out of a checkpoint, before anything is done with them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from .. import columns
from ..errors import StateError
from ..schema import MAX_CLASSES, Schema
from . import pending_kernels as kernels
from .ids import ids_from_arrays, is_id
from .waiting_rows import Kept


class SavedLabels:
    """A state of `PendingLabels`: nothing in it leads a kernel out of its arrays, or a learner out of its categories.

    Raises
    ------
    StateError
        If something does.
    """

    def __init__(self, state: Any, schema: Schema, *, nominal: bool) -> None:
        _keys(state, "all", "clock rows width classes counters waiting predictions early done")
        self.waiting = _keys(state["waiting"], "waiting", "ids X weight since number version keys")
        self.early = _keys(state["early"], "early", "ids target since")
        self.done = _keys(state["done"], "done", "ids status")
        self.waiting_ids, self.early_ids, self.done_ids = (
            ids_from_arrays(part["ids"]) for part in (self.waiting, self.early, self.done)
        )
        self.rows = len(self.waiting_ids)
        self._check_ids()
        self.clock = _clock(state["clock"])
        self.numbers = [_whole(state[name], name) for name in ("rows", "width", "classes")]
        counters = _keys(state["counters"], "counters", " ".join(kernels.COUNTERS))
        self.counters = [_whole(counters[name], name) for name in kernels.COUNTERS]
        self._check_waiting(schema)
        self._check_early_and_done(schema, nominal)
        self.keys = self._checked_keys(self.waiting["keys"])
        self.predictions = self._checked_predictions(state["predictions"], schema, nominal)

    def _check_ids(self) -> None:
        ids = self.ids
        if len(set(ids)) < len(ids):
            raise StateError("pending labels: an id is there twice")
        if not set(map(type, ids)) <= {str, int} and not all(map(is_id, ids)):
            raise StateError("pending labels: an id is none")

    @property
    def ids(self) -> list[Hashable]:
        """Those of rows that wait, of early labels, and of what is done."""
        return [*self.waiting_ids, *self.early_ids, *self.done_ids]

    def _check_waiting(self, schema: Schema) -> None:
        n, d, shape = self.rows, len(schema.fields), schema.shape
        if self.numbers[1] > d or self.numbers[2] > len(schema.classes):
            raise StateError("pending labels: more fields or classes than the schema has")
        _arrays(
            self.waiting,
            X=(np.float64, (n, d)),
            weight=(np.float64, (n,)),
            since=(np.float64, (n,)),
            number=(np.int64, (n,)),
            version=(np.int64, (n,)),
        )
        X = np.ascontiguousarray(self.waiting["X"])
        if columns.first_bad_code(X, shape.cardinality, shape.nominal) is not None:
            raise StateError("pending labels: a category that the schema does not have")
        weight, number = self.waiting["weight"], self.waiting["number"]
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise StateError("pending labels: a weight must be a finite number >= 0")
        if (number < 0).any() or (number >= self.numbers[0]).any():
            raise StateError("pending labels: a row has a number that was not taken")
        self._check_times(self.waiting["since"])

    def _check_early_and_done(self, schema: Schema, nominal: bool) -> None:
        n, m = len(self.early_ids), len(self.done_ids)
        _arrays(self.early, target=(np.float64, (n,)), since=(np.float64, (n,)))
        _arrays(self.done, status=(np.int8, (m,)))
        target, status = self.early["target"], self.done["status"]
        codes = (target >= 0) & (target < len(schema.classes)) & (target == np.floor(target))
        if not (codes if nominal else np.isfinite(target)).all():
            raise StateError("pending labels: an early label is none of the schema's")
        if ((status < kernels.LABELLED) | (status > kernels.DROPPED)).any():
            raise StateError("pending labels: an id is done in a way that there is not")
        self._check_times(self.early["since"])

    def _check_times(self, since: np.ndarray) -> None:
        """The lists are in the order of time: `_expire` relies on it."""
        if np.isnan(since).any() or (since[1:] < since[:-1]).any() or (since > self.clock).any():
            raise StateError("pending labels: times do not rise to the clock")

    def _checked_keys(self, saved: Any) -> list[Hashable] | None:
        if saved is None:
            return None
        keys = ids_from_arrays(saved)
        if len(keys) != self.rows:
            raise StateError(f"pending labels: {self.rows} rows, and {len(keys)} keys")
        return keys

    def _checked_predictions(self, saved: Any, schema: Schema, nominal: bool) -> dict[str, Kept | None]:
        if not isinstance(saved, list):
            raise StateError("pending labels: predictions are a list")
        found: dict[str, Kept | None] = {}
        for part in saved:
            _keys(part, "predictions", "learner prediction proba made")
            name, prediction, proba = part["learner"], part["prediction"], part["proba"]
            if not isinstance(name, str) or name in found:
                raise StateError("pending labels: a learner is there twice, or has no name")
            _arrays(part, made=(np.bool_, (self.rows,)))
            if proba is not None:
                _arrays(part, proba=(np.float64, (self.rows, len(schema.classes))))
            if prediction is None:
                if part["made"].any() or proba is not None:
                    raise StateError(f"pending labels: {name} has no predictions")
                found[name] = None
                continue
            kind = np.int64 if nominal else np.float64
            _arrays(part, prediction=(kind, (self.rows,)))
            if nominal and ((prediction < -1) | (prediction >= MAX_CLASSES)).any():
                raise StateError(f"pending labels: {name} predicted a class that there can't be")
            found[name] = Kept(prediction, proba, part["made"])
        return found


def _clock(value: Any) -> float:
    if value is None:
        return -np.inf
    if not isinstance(value, float) or not np.isfinite(value):
        raise StateError("pending labels: the clock is no time")
    return value


def _keys(value: Any, what: str, names: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or set(value) != set(names.split()):
        raise StateError(f"pending labels, {what}: expected the keys {names}")
    return value


def _arrays(part: Mapping[str, Any], **expected: tuple[Any, tuple[int, ...]]) -> None:
    for name, (dtype, shape) in expected.items():
        array = part[name]
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            raise StateError(f"pending labels: {name} must be {np.dtype(dtype)} {list(shape)}")


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise StateError(f"pending labels: {name} must be a whole number >= 0")
    return value
