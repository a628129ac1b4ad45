"""The contract of every learner: what people call, derived once from the one verb that each learner gives."""

from __future__ import annotations

import dataclasses
import threading
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
import river.base

from .batch import Batch
from .errors import InputError, OptionError, SchemaError, StateError
from .parameters import call_of, parameters_of
from .schema import Schema
from .work import learning, predicting

Task = Literal["classification", "regression", "transformation", "anomaly", "clustering", "caching"]
SUPERVISED: tuple[Task, ...] = ("classification", "regression")
"""Tasks that need targets; learners of the others take them, and don't look at them."""
SCORED: tuple[Task, ...] = ("regression", "anomaly")
"""Tasks whose predictions are numbers, not codes."""


@dataclass(slots=True)
class Outputs:
    """What `Learner.process` gives back for a batch.

    Parameters
    ----------
    prediction : int64 [n] or float64 [n]
        Class codes or clusters (-1: nothing learned yet), hits (1) or misses (0), values or scores; rows that the
        schedule does not predict keep -1 or 0.
    proba : float64 [n, C] or None
        Class probabilities, if they were asked for.
    details : dict of object [n], optional
        What else the learner says of each row, by name: values that JSON can hold, None where there is nothing to say.
    """

    prediction: np.ndarray
    proba: np.ndarray | None = None
    details: dict[str, np.ndarray] | None = None


class Learner(river.base.Estimator):
    """Base of everything that learns from a stream.

    A learner has parameters (its constructor's keywords, unchanged by learning), a `Schema` (given, or inferred from
    the first data), and a state made of arrays. A subclass gives `_process`, `_forget`, `state` and `restore`; the
    verbs over dicts, matrices, tables and labels are derived from them here. Labels come back as they went in.

    A learner may be used from several threads: calls on one learner run one after the other.
    """

    task: Task
    hears_rows: bool = False
    """Whether rows matter before their labels come: see `streamlearn.passing`."""

    def __init__(self, *, schema: Schema | None = None) -> None:
        if schema is not None and not isinstance(schema, Schema):
            raise OptionError(f"schema must be a Schema, got {type(schema).__name__}")
        self.schema = schema
        self._lock = threading.Lock()
        self._live: Schema | None = None
        self._followed: Schema | None = None  # the schema of the batches so far, and its version then
        self._followed_version = -1
        self._forget()
        if schema is not None:
            self._bind(schema.copy())

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @abstractmethod
    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        """Walk ``schedule`` over an accepted batch (see `process`)."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop what was learned; the schema is bound again by the caller."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything learned, as nested dicts and lists of arrays (copies) and JSON values."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the learner then continues bit for bit.

        Raises
        ------
        StateError
            If the state does not fit this learner, which is then unchanged.
        """

    def _fit(self) -> None:
        """Follow the schema after it was bound or grew."""

    # -- the engine's verb ----------------------------------------------------------------------------------------

    def process(self, batch: Batch, schedule: np.ndarray | None = None, *, proba: bool = False) -> Outputs:
        """Walk a schedule over a batch: the one verb that the engine needs.

        Parameters
        ----------
        batch
            Encoded rows; the learner takes over what is new in the batch's schema.
        schedule : int64 [m], optional
            ``i >= 0`` predicts row ``i``, ``~i`` learns it, in this order. By default each row is predicted, then
            learned.
        proba
            Whether to return class probabilities.

        Raises
        ------
        SchemaError
            If the batch was encoded by a schema that does not continue the learner's own.
        InputError
            If the schedule names a row that is not there, or the batch was made by hand and does not fit its schema.
        """
        with self._lock:
            batch = self._accept(batch)
            check_schedule(schedule, len(batch))
            return self._process(batch, schedule, proba)

    def _accept(self, batch: Batch) -> Batch:
        """Bind to the batch's schema, or follow its growth; the batch, made to fit."""
        schema = batch.schema
        if self._live is None:
            self._bind(schema.copy())
        elif schema is not self._live and (schema is not self._followed or schema.version != self._followed_version):
            self._live.update(schema)
            self._fit()
        if schema is not self._live:
            self._followed, self._followed_version = schema, schema.version
        return fitting(batch, cast(Schema, self._live))

    def _bind(self, schema: Schema) -> None:
        wanted = {"classification": "nominal", "regression": "numeric"}.get(self.task)
        if wanted is not None and schema.target_kind != wanted:
            raise SchemaError(
                f"{type(self).__name__} needs a {wanted} target, but {schema.target or 'y'!r} is {schema.target_kind}"
            )
        self._live = schema
        self._fit()

    def _share(self, schema: Schema) -> None:
        """Follow a schema that somebody else lets grow, instead of a copy; they call `_fit` whenever it grew."""
        if self._live is None:
            self._bind(schema)
        else:
            self._live, self._followed = schema, None
            self._fit()

    # -- many rows ------------------------------------------------------------------------------------------------

    def learn_many(self, X: Any, y: Any = None, w: Any = None) -> None:
        """Learn rows in order.

        Parameters
        ----------
        X
            A matrix [n, d], a list of dicts, an Arrow table, a data frame, or a `Batch`.
        y : array-like [n]
            Targets; None and NaN mean "no label", such rows are skipped.
        w : array-like [n], optional
            Weights, finite and >= 0; 1 by default.

        Raises
        ------
        SchemaError, InputError
            If something doesn't fit; the message names the field and the row, and nothing is learned.
        """
        with self._lock:
            batch = self._encode_labelled(X, y, w)
            self._process(batch, learning(len(batch)), False)

    def predict_many(self, X: Any) -> np.ndarray:
        """Predict each row.

        Parameters
        ----------
        X
            A matrix [n, d], a list of dicts, an Arrow table, a data frame, or a `Batch`.

        Returns
        -------
        ndarray [n]
            Labels as they came, None before the first was learned; float64 values or anomaly scores, 0 before the
            first was learned; or clusters, -1 before the first was learned.
        """
        return self._decode(self._predict(X, False))

    def predict_proba_many(self, X: Any) -> np.ndarray:
        """Class probabilities of each row, float64 [n, C]; the columns are `classes`."""
        return cast(np.ndarray, self._predict(X, True).proba)

    def test_then_train_many(self, X: Any, y: Any = None, w: Any = None) -> np.ndarray:
        """Predict each row before learning it, row by row inside the kernel; parameters and result as above."""
        with self._lock:
            outputs = self._process(self._encode_labelled(X, y, w), None, False)
        return self._decode(outputs)

    @property
    def classes(self) -> list[Hashable]:
        """Class labels known so far, in code order."""
        return [] if self._live is None else list(self._live.classes)

    def _encode(self, X: Any, y: Any = None, w: Any = None, *, grow: bool) -> Batch:
        if isinstance(X, Batch):
            return self._accept(X)
        if self._live is None:
            kind: Any = "numeric" if self.task == "regression" else "nominal"
            self._bind(Schema.infer(X, target_kind=kind))
        live = cast(Schema, self._live)
        before = live.version
        try:
            return live.encode(X, y, weight=w, grow=grow)
        finally:  # whatever was added before an error: the arrays must have room for it
            if live.version != before:
                self._fit()

    def _encode_labelled(self, X: Any, y: Any, w: Any) -> Batch:
        if self.task in SUPERVISED:
            batch = self._encode(X, y, w, grow=True)
            if batch.y is None:
                raise InputError(f"{type(self).__name__}: there are no targets: pass y")
            return batch
        if y is not None and not isinstance(X, Mapping) and len(y) != len(X):
            raise SchemaError(f"X has {len(X)} rows, y has {len(y)}")
        return self._encode(X, None, w, grow=True)

    def _predict(self, X: Any, proba: bool) -> Outputs:
        with self._lock:
            if self._live is None and not isinstance(X, Batch):
                return self._outputs(1 if isinstance(X, Mapping) else len(X), proba)
            batch = self._encode(X, grow=False)
            return self._process(batch, predicting(len(batch)), proba)

    def _outputs(self, n: int, proba: bool) -> Outputs:
        """Outputs for ``n`` rows that say "nothing learned yet"."""
        if self.task in SCORED:
            return Outputs(np.zeros(n))
        proba = proba and self.task == "classification"
        return Outputs(np.full(n, -1, np.int64), np.zeros((n, len(self.classes))) if proba else None)

    def targets(self, batch: Batch) -> np.ndarray:
        """The batch's targets, or those that mean "no label"."""
        if batch.y is not None:
            return batch.y
        return np.full(len(batch), np.nan) if self.task == "regression" else np.full(len(batch), -1, np.int64)

    def _decode(self, outputs: Outputs) -> np.ndarray:
        if self.task != "classification":
            return outputs.prediction
        if self._live is None:
            return np.full(len(outputs.prediction), None, object)
        return self._live.decode_labels(outputs.prediction)

    # -- one row --------------------------------------------------------------------------------------------------

    def learn_one(self, x: Mapping[Hashable, Any], y: Any = None, w: float = 1.0) -> None:
        """Learn one row.

        Parameters
        ----------
        x
            Field values by name; None, NaN and an absent field are missing values.
        y
            The target; None means "no label", the row is then skipped.
        w
            The row's weight, a finite number >= 0.

        Raises
        ------
        SchemaError, InputError
            If something doesn't fit; the message names the field, and nothing is learned.
        """
        self.learn_many([x], [y], None if w == 1.0 else [w])

    def predict_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> Any:
        """Predict one row: the most likely label (None before the first was learned), or a float."""
        prediction = self.predict_many([x])
        return prediction.item(0) if prediction.dtype != object else prediction[0]

    def predict_proba_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> dict[Any, float]:
        """The probability of each known label for one row; empty before the first label was learned."""
        return dict(zip(self.classes, self.predict_proba_many([x])[0].tolist(), strict=True))

    # -- life -----------------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters, as they are set."""
        return parameters_of(self)

    @property
    def nbytes(self) -> int:
        """Size of the learner's state in bytes."""
        return _nbytes(self.state())

    @property
    def parts(self) -> Sequence[Learner]:
        """The learners that it is made of, each with a state of its own; none by default."""
        return ()

    def summary(self) -> dict[str, int]:
        """A few figures that describe what was learned, such as a tree's nodes; none by default."""
        return {}

    def reset(self) -> None:
        """Forget everything learned; the parameters and a given schema stay."""
        with self._lock:
            self._live = self._followed = None
            self._forget()
            if self.schema is not None:
                self._bind(self.schema.copy())

    def save(self, path: str | Path) -> None:
        """Write parameters and state to a file that holds arrays and JSON only (read it with `streamlearn.load`).

        The file appears whole or not at all, and is flushed to the disk.

        Raises
        ------
        StateError
            If the learner is not registered, or a label is of a kind that files can't hold.
        OSError
            If the disk refuses; an older file of that name is then untouched.
        """
        from . import container, models

        container.save(path, models.describe(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a learner of this class from a file that `save` wrote.

        Raises
        ------
        StateError
            If the file is damaged, made by a newer version, or holds another kind of learner.
        """
        from . import models

        learner = models.load(path)
        if not isinstance(learner, cls):
            raise StateError(f"{path} holds a {type(learner).__name__}, not a {cls.__name__}")
        return learner

    def __repr__(self) -> str:
        return call_of(self)

    def __str__(self) -> str:
        return repr(self)

    def __or__(self, other: Any) -> Any:
        """``transformer | learner``: ours with ours makes a `Chain`, with River's a pipeline of River."""
        if isinstance(other, Learner):
            from .chain import chained

            return chained(self, other)
        return super().__or__(other)

    def __getstate__(self) -> dict[str, Any]:
        return {"params": self.params, "schema": self.schema, "state": self.state()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        type(self).__init__(self, schema=pickled["schema"], **pickled["params"])
        self.restore(pickled["state"])

    @property
    def _raw_memory_usage(self) -> int:  # what River's checks read
        return self.nbytes

    @property
    def _multiclass(self) -> bool:  # what River's checks read
        return True


def check_schedule(schedule: np.ndarray | None, n: int) -> None:
    """Refuse a schedule that names a row outside ``0 … n-1``."""
    if schedule is not None and len(schedule) and not (-n <= schedule.min() and schedule.max() < n):
        raise InputError(f"the schedule names rows outside 0 … {n - 1}")


def fitting(batch: Batch, schema: Schema) -> Batch:
    """The batch, made as wide as the schema is by now; refused if it would lead a kernel out of its arrays."""
    n, d = len(batch), len(schema.fields)
    if batch.X.ndim != 2 or batch.X.shape[1] > d or batch.X.dtype != np.float64:
        raise InputError(f"the batch's X must be float64 [{n}, {d}], got {batch.X.dtype} {batch.X.shape}")
    y = batch.y
    if y is not None and schema.target_kind == "nominal" and n:
        classes = len(schema.classes)
        if y.shape != (n,) or y.dtype != np.int64 or y.max() >= classes:
            raise InputError(
                f"the batch's y must be class codes, int64 [{n}] below {classes}, "
                f"got {y.dtype} {y.shape} up to {y.max()}"
            )
    if batch.X.shape[1] == d:
        return batch
    X = np.full((n, d), np.nan)  # rows encoded before the schema grew miss its new fields
    X[:, : batch.X.shape[1]] = batch.X
    return dataclasses.replace(batch, X=X)


def _nbytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, Mapping):
        return sum(_nbytes(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return sum(_nbytes(part) for part in value)
    return 0
