"""One model per key, as one learner: the hot ones live in memory, the others rest on the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from .. import models
from ..batch import Batch
from ..errors import InputError, SchemaError, StateError
from ..learner import Learner, Outputs, Task, check_schedule, fitting
from ..parameters import check_range
from ..schema import Schema
from .packing import Packing
from .segments import Key, Memory, Segments, Store

_SPARE = 1_000
"""Learners, without arrays, that are kept for the next models to wake."""


@dataclass(slots=True)
class _Hot:
    """A model in memory: whether it learned since it was last appended, its bytes, and which schema it follows."""

    learner: Learner
    version: int
    dirty: bool = False
    nbytes: int = 0


class KeyedModels:
    """One model per key, in place of a learner.

    Each key's rows go to that key's model, in their order: the outputs are those of separate learners, bit for bit,
    whatever is kept in memory and however rows are cut into batches. All models share the schema, and so the codes of
    categories and classes. Keys are compared as text: 7 and "7" are one key. Rows without a key have a model of their
    own.

    Parameters
    ----------
    prototype
        An untrained learner; each key begins with a clone of it.
    directory
        Where models rest that were not used lately; the state then names files there. Without it everything is in
        memory, and in the state.
    max_hot : 1 … 10,000,000
        How many models may stay in memory between batches.
    max_bytes : >= 1, optional
        How many bytes of models may stay in memory between batches.
    max_keys : 1 … 10,000,000
        Without ``directory``: how many keys there may be.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa, streamlearn as sl
    >>> from streamlearn.runtime.keyed import KeyedModels
    >>> schema = sl.Schema.of(["x"], target="y", classes=["a", "b"])
    >>> batch = schema.encode([{"x": 1.0}] * 4, ["a", "b", "a", "b"])
    >>> batch.key = pa.array(["one", "two", "one", "two"])
    >>> keyed = KeyedModels(sl.NaiveBayes())
    >>> keyed.process(batch).prediction.tolist()
    [-1, -1, 0, 1]
    >>> keyed.summary()
    {'keys': 2, 'hot': 2}
    """

    def __init__(
        self,
        prototype: Learner,
        *,
        directory: str | Path | None = None,
        max_hot: int = 10_000,
        max_bytes: int | None = None,
        max_keys: int = 100_000,
    ) -> None:
        check_range("max_hot", max_hot, 1, 10_000_000, kind=int)
        check_range("max_keys", max_keys, 1, 10_000_000, kind=int)
        if max_bytes is not None:
            check_range("max_bytes", max_bytes, 1, 1 << 62, kind=int)
        self.prototype = prototype.clone()
        self.task: Task = prototype.task
        self.max_hot, self.max_bytes, self.max_keys = max_hot, max_bytes, max_keys
        self._cold: Store = Memory() if directory is None else Segments(directory)
        self._bounded = directory is None
        self._hot: OrderedDict[Key, _Hot] = OrderedDict()  # the one used longest ago first
        self._spare: list[Learner] = []
        self._nbytes = 0
        self._unseen = 0  # hot models without a record
        self._forget()

    def _forget(self) -> None:
        self._hot.clear()
        self._nbytes = self._unseen = 0
        self._packing: Packing | None = None  # with the first batch; its schema is what all models follow
        self._followed: Schema | None = None
        self._followed_version = -1
        self._blank: _Hot | None = None

    # -- the engine's verb --------------------------------------------------------------------------------------------

    def process(self, batch: Batch, schedule: np.ndarray | None = None, *, proba: bool = False) -> Outputs:
        """Walk a schedule over a batch, each key's part of it with that key's model (see `Learner.process`).

        Raises
        ------
        SchemaError
            If the batch has no key column, or its schema does not continue that of the batches before.
        InputError
            If the schedule names a row that is not there, or the batch does not fit its schema; or, without a
            directory, if there are too many keys. Nothing was learned then.
        StateError
            If a model that rested can't be read or written; the message names the file.
        """
        if batch.key is None or len(batch.key) != len(batch):
            raise SchemaError("one model per key needs a key in every batch: name its column (schema.key)")
        check_schedule(schedule, len(batch))
        self._follow(batch.schema)
        batch = fitting(batch, self._schema)  # all that a model might refuse is refused here, before any has learned
        parts = _Parts(batch, self.targets(batch), schedule)
        self._check_room(parts)
        outputs = self._blank_model().learner._outputs(len(batch), proba)
        told: dict[str, np.ndarray] = {}
        for part, key in enumerate(parts.keys):
            if parts.is_idle(part):
                continue
            learns = parts.learns(part)
            model = self._model(key, learns)
            rows, own, steps = parts.cut(part, self._schema)
            given = model.learner.process(own, steps, proba=proba)
            outputs.prediction[rows] = given.prediction
            if outputs.proba is not None and given.proba is not None:
                outputs.proba[rows] = given.proba
            for name, values in (given.details or {}).items():
                told.setdefault(name, np.full(len(batch), None, object))[rows] = values
            if learns:
                self._learned(model)
        self._evict()
        outputs.details = told or None
        return outputs

    def targets(self, batch: Batch) -> np.ndarray:
        """The batch's targets, or those that mean "no label"."""
        return self.prototype.targets(batch)

    @property
    def nbytes(self) -> int:
        """Bytes of the models in memory."""
        return self._nbytes

    def summary(self) -> dict[str, int]:
        """Keys so far, and how many of their models are in memory."""
        return {"keys": len(self), "hot": len(self._hot)}

    def __repr__(self) -> str:
        return f"KeyedModels({self.prototype!r})"

    def __len__(self) -> int:
        return len(self._cold) + self._unseen

    def __contains__(self, key: object) -> bool:
        return key in self._hot or (isinstance(key, str | None) and key in self._cold)

    @property
    def _schema(self) -> Schema:
        return cast(Packing, self._packing).schema

    def _follow(self, schema: Schema) -> None:
        """Take over what is new in the stream's schema; models follow when their turn comes."""
        if self._packing is None:
            self._packing = Packing(schema.copy())
        elif schema is not self._followed or schema.version != self._followed_version:
            self._schema.update(schema)
        self._followed, self._followed_version = schema, schema.version

    def _check_room(self, parts: _Parts) -> None:
        if not self._bounded:
            return
        new = sum(parts.learns(part) and key not in self for part, key in enumerate(parts.keys))
        if len(self) + new > self.max_keys:
            raise InputError(
                f"more than {self.max_keys:,} keys in memory: name a directory (checkpoint.dir) where models can rest, "
                "or raise max_keys"
            )

    # -- models -------------------------------------------------------------------------------------------------------

    def _model(self, key: Key, learns: bool) -> _Hot:
        """The key's model, in memory and following the schema; a key that has none gets one when it first learns."""
        model = self._hot.get(key)
        if model is not None:
            self._hot.move_to_end(key)
        elif key in self._cold:
            model = self._hot[key] = self._wake(key)
            self._nbytes += model.nbytes
        elif learns:
            model = self._hot[key] = self._new_model()
            self._unseen += 1
        else:
            model = self._blank_model()
        self._catch_up(model)
        return model

    def _blank_model(self) -> _Hot:
        """A model that learned nothing, for keys that have none."""
        if self._blank is None:
            self._blank = self._new_model()
        self._catch_up(self._blank)
        return self._blank

    def _new_model(self) -> _Hot:
        learner = self._untrained()
        learner._share(self._schema)
        return _Hot(learner, self._schema.version)

    def _untrained(self) -> Learner:
        """A learner that has learned nothing: one that is done with, if there is any, which is quicker than a clone."""
        return self._spare.pop() if self._spare else self.prototype.clone()

    def _wake(self, key: Key) -> _Hot:
        learner = self._untrained()
        learner.restore(cast(Packing, self._packing).unpack(self._cold.read(key)))
        learner._share(self._schema)
        return _Hot(learner, self._schema.version, nbytes=learner.nbytes)

    def _catch_up(self, model: _Hot) -> None:
        if model.version != self._schema.version:
            model.learner._fit()
            model.version = self._schema.version

    def _learned(self, model: _Hot) -> None:
        model.dirty = True
        nbytes = model.learner.nbytes
        self._nbytes += nbytes - model.nbytes
        model.nbytes = nbytes

    def _evict(self) -> None:
        """Let the models rest that were used longest ago; at the end of a batch, so that a full disk costs none."""
        while len(self._hot) > self.max_hot or (
            self.max_bytes is not None and self._nbytes > self.max_bytes and len(self._hot) > 1
        ):
            key, model = next(iter(self._hot.items()))
            self._append(key, model)
            del self._hot[key]
            self._nbytes -= model.nbytes
            if len(self._spare) < _SPARE:
                model.learner.reset()
                self._spare.append(model.learner)

    def _append(self, key: Key, model: _Hot) -> None:
        """Let the store know what the model learned."""
        if not model.dirty:
            return
        self._catch_up(model)
        new = key not in self._cold
        record = cast(Packing, self._packing).pack(model.learner.state(), self._schema.shape)
        self._cold.append(key, record)
        self._unseen -= new
        model.dirty = False

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Bring what was learned to the disk, before a checkpoint that names it."""
        for key, model in self._hot.items():
            self._append(key, model)
        self._cold.sync()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: the files and their lengths, or without a directory the models themselves."""
        self.prepare()
        packing = self._packing
        return {
            "prototype": self._described(),
            "schema": None if packing is None else packing.schema.to_dict(),
            "layouts": [] if packing is None else packing.layouts(),
            "models": self._cold.state(),
        }

    def restore(self, state: Any) -> None:
        """Take over what `state` gave; all models then continue bit for bit.

        Raises
        ------
        StateError
            If the state is not one of this prototype, or a file that it names is missing, short or damaged. The models
            are then as before.
        """
        if not isinstance(state, Mapping) or set(state) != {"prototype", "schema", "layouts", "models"}:
            raise StateError("keyed models have the keys prototype, schema, layouts and models")
        given = state["prototype"]
        if given != self._described():
            kind = given.get("type") if isinstance(given, Mapping) else None
            raise StateError(f"the checkpoint has one {kind!r} per key, with other parameters than {self.prototype!r}")
        packing = None if state["schema"] is None else Packing(Schema.from_dict(state["schema"]))
        if packing is not None:
            packing.restore(state["layouts"])
        self._cold.restore(state["models"])
        self._forget()
        self._packing = packing

    def collect(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Tidy up: rewrite files that are mostly outdated, remove those that no checkpoint names.

        Parameters
        ----------
        kept
            States of all checkpoints that may be restored yet. A checkpoint that can't be read must not be left out:
            call `collect` only when all of them could be.
        """
        states = list(kept)
        if not all(isinstance(state, Mapping) and "models" in state for state in states):
            raise StateError("keyed models: a kept checkpoint's state is none, so nothing is removed")
        self._cold.collect([state["models"] for state in states])

    def close(self) -> None:
        """Close files; what `prepare` did not bring to the disk is lost."""
        self._cold.close()

    def _described(self) -> dict[str, Any]:
        return {key: part for key, part in models.describe(self.prototype).items() if key != "state"}


class _Parts:
    """A batch and its schedule, sorted by key: each key's rows lie together, in their order, and so do its steps."""

    def __init__(self, batch: Batch, y: np.ndarray, schedule: np.ndarray | None) -> None:
        self.keys, codes = _encoded(batch.key)
        n_keys = len(self.keys)
        counts = np.bincount(codes, minlength=n_keys)
        ends = np.cumsum(counts)
        self.order = np.argsort(codes, kind="stable")
        self.X, self.y = batch.X[self.order], y[self.order]
        self.weight = None if batch.weight is None else batch.weight[self.order]
        self.bounds = [0, *ends.tolist()]
        self.steps: np.ndarray | None = None
        if schedule is not None:
            place = np.empty(len(codes), np.int64)
            place[self.order] = np.arange(len(codes)) - np.repeat(ends - counts, counts)
            learns = schedule < 0
            rows = np.where(learns, ~schedule, schedule)
            of_steps = codes[rows]
            by_key = np.argsort(of_steps, kind="stable")
            self.steps = np.where(learns, ~place[rows], place[rows])[by_key]
            self.step_bounds = [0, *np.cumsum(np.bincount(of_steps, minlength=n_keys)).tolist()]
            self._learns = np.bincount(of_steps[learns], minlength=n_keys).tolist()

    def is_idle(self, part: int) -> bool:
        """Whether the schedule does nothing with a key's rows."""
        return self.steps is not None and self.step_bounds[part] == self.step_bounds[part + 1]

    def learns(self, part: int) -> bool:
        """Whether the schedule learns any of a key's rows."""
        return self.steps is None or self._learns[part] > 0

    def cut(self, part: int, schema: Any) -> tuple[np.ndarray, Batch, np.ndarray | None]:
        """A key's rows in the batch, the batch of them, and its steps."""
        start, stop = self.bounds[part], self.bounds[part + 1]
        weight = None if self.weight is None else self.weight[start:stop]
        batch = Batch(schema, self.X[start:stop], self.y[start:stop], weight)
        if self.steps is None:
            return self.order[start:stop], batch, None
        return self.order[start:stop], batch, self.steps[self.step_bounds[part] : self.step_bounds[part + 1]]


def _encoded(column: pa.Array) -> tuple[list[Key], np.ndarray]:
    """The distinct keys of a column, as text and in order of appearance, and for each row which one it has."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    elif pa.types.is_union(column.type):  # of texts and numbers, as decoders make it
        column = pa.array([None if key is None else str(key) for key in column.to_pylist()], pa.string())
    try:
        text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    except pa.ArrowException as error:
        raise SchemaError(f"a key must be a text, a number or a time, not {column.type}: {error}") from None
    encoded = text.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
