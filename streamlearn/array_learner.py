"""Learners whose state is a named tuple of arrays and whose core is one compiled function."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import river.base

from .batch import Batch
from .errors import InputError, StateError
from .learner import SCORED, Learner, Outputs, Task
from .schema import Schema, Shape
from .work import WorkArrays, learning, make_work, predicting, test_then_train, work_address

Layout = dict[str, tuple[Any, tuple[int, ...]]]
"""For each array of a learner's state: its dtype and its shape."""


def capacity(n: int, least: int = 2) -> int:
    """The size to allocate for ``n`` things that may grow: the next power of two, at least ``least``."""
    return max(least, 1 << max(0, n - 1).bit_length())


class ArrayLearner(Learner):
    """Base of learners with compiled kernels.

    A subclass names the tuple of its arrays (`_arrays_type`), the kernel that packs them into one struct (`_pack`), the
    kernel ``advance(struct, work, start) -> done`` (`_advance`, see `streamlearn.work`), and gives their `_layout`.
    ``advance`` stops early only for lack of room; it is called again after `_extend`.
    """

    _arrays_type: ClassVar[Any]
    _pack: ClassVar[Any]
    _advance: ClassVar[Any]
    _advance_one: ClassVar[Any] = None
    """Optional, for speed: ``advance`` for one row, ``(struct, work) -> done`` by address (`compiled.by_address`)."""
    _address_of: ClassVar[Any] = None
    """Comes with it: the kernel that says where a struct lives."""

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @abstractmethod
    def _layout(self, shape: Shape) -> Layout:
        """Dtypes and shapes of the arrays for data of this shape."""

    def _allocate(self, shape: Shape) -> Any:
        """The arrays before the first row; zeros unless a subclass knows better."""
        return self._arrays_type(*(np.zeros(size, dtype) for dtype, size in self._layout(shape).values()))

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Any:
        """The arrays for a larger shape; old entries keep their indices in every dimension."""
        fresh = self._allocate(new)
        for before, after in zip(arrays, fresh, strict=True):
            after[tuple(slice(0, size) for size in before.shape)] = before
        return fresh

    def _extend(self, arrays: Any) -> Any:
        """More room where `_advance` stopped; only learners whose arrays grow with the stream need this."""
        raise StateError(f"{type(self).__name__} stopped in the middle of a batch: its state is damaged")

    def _used(self, arrays: Any) -> Any:
        """The part of the arrays that a state holds, without room whose size depends on more than the shape."""
        return arrays

    def _check(self, arrays: Any, shape: Shape) -> None:
        """Refuse restored arrays that could lead a kernel astray; by default the layout is compared."""
        for name, (dtype, size) in self._layout(shape).items():
            array = getattr(arrays, name)
            if array.dtype != dtype or array.shape != size:
                raise StateError(f"array {name!r}: expected {np.dtype(dtype)} {size}, got {array.dtype} {array.shape}")

    # -- state ----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._arrays: Any = None
        self._struct: Any = None
        self._shape: Shape | None = None
        self._row: _Row | None = None

    def _fit(self) -> None:
        shape = cast(Schema, self._live).shape
        if self._arrays is None:
            self._set(self._allocate(shape))
        elif shape != self._shape:
            self._set(self._grow(self._arrays, cast(Shape, self._shape), shape))
        self._shape, self._row = shape, None

    def _set(self, arrays: Any) -> None:
        self._arrays, self._struct = arrays, type(self)._pack(arrays)
        self._row = None  # its calls know the arrays

    def state(self) -> dict[str, Any]:
        if self._live is None:
            return {"schema": None, "arrays": None}
        arrays = {}
        for name, array in self._used(self._arrays)._asdict().items():
            fields = array.dtype.names
            arrays[name] = {f: array[f].copy() for f in fields} if fields else array.copy()
        return {"schema": self._live.to_dict(), "arrays": arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"schema", "arrays"}:
            raise StateError(f"{type(self).__name__}: a state has the keys 'schema' and 'arrays'")
        if state["schema"] is None:
            self.reset()
            return
        schema = Schema.from_dict(state["schema"])
        arrays = self._unpack(state["arrays"], schema.shape)
        self._check(arrays, schema.shape)
        with self._lock:
            self._live, self._followed = schema, None
            self._shape, self._row = schema.shape, None
            self._set(arrays)

    def _unpack(self, saved: Any, shape: Shape) -> Any:
        """The named tuple of arrays out of a state, copied, with the dtypes that kernels expect."""
        layout = self._layout(shape)
        if not isinstance(saved, Mapping) or set(saved) != set(layout):
            raise StateError(f"{type(self).__name__}: expected the arrays {', '.join(layout)}")
        return self._arrays_type(
            **{name: _joined(name, saved[name], np.dtype(dtype), len(size)) for name, (dtype, size) in layout.items()}
        )

    @property
    def nbytes(self) -> int:
        return 0 if self._arrays is None else sum(array.nbytes for array in self._arrays)

    # -- the core -------------------------------------------------------------------------------------------------

    def _run(self, work: Any, steps: int) -> None:
        """Let the kernel walk a schedule of ``steps`` operations, giving it room whenever it asks."""
        advance = self._advance
        done = advance(self._struct, work, 0)
        while done < steps:
            self._set(self._extend(self._arrays))
            done = advance(self._struct, work, done)

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        n = len(batch)
        if schedule is None:
            schedule = test_then_train(n)
        outputs = self._outputs(n, proba)
        work = make_work(
            WorkArrays(
                batch.X,
                self.targets(batch),
                np.ones(n) if batch.weight is None else batch.weight,
                schedule,
                outputs.prediction,
                np.empty((0, 0)) if outputs.proba is None else outputs.proba,
            )
        )
        self._run(work, len(schedule))
        return outputs

    # -- one row, without any allocation --------------------------------------------------------------------------

    def _new_row(self) -> _Row:
        """Buffers that fit the present schema and the present arrays."""
        self._row = _Row(cast(Schema, self._live), self._outputs(1, True), self.task, self._operation)
        return self._row

    def _operation(self, work: Any) -> Callable[[], int]:
        """A call that lets the kernel do the one operation of ``work``; it gives 0 where there was no room for it."""
        if self._advance_one is None:
            return partial(type(self)._advance, self._struct, work, 0)
        return partial(type(self)._advance_one, self._address_of(self._struct), work_address(work))

    def _known_row(self, x: Mapping[Hashable, Any]) -> _Row:
        """Encode a row without growing the schema."""
        row = self._row or self._new_row()
        if not row.encode(x):
            cast(Schema, self._live).encode_row(x, row.X, grow=False)
        return row

    def learn_one(self, x: Mapping[Hashable, Any], y: Any = None, w: float = 1.0) -> None:
        if not 0.0 <= w < math.inf:
            raise InputError(f"w must be a finite number >= 0, got {w}")
        with self._lock:
            row = self._row
            if row is None or not row.encode(x):
                row = self._row_with_news(x)
            live: Any = self._live
            version = live.version
            target = self._encode_one_target(y)
            if live.version != version:
                self._fit()
                X, row = row.X, self._new_row()
                row.X[:] = X
            row.y[0] = target
            if w != row.w:
                row.weight[0] = row.w = w
            if not row.learn():
                self._run(row.learn_work, 1)

    def _row_with_news(self, x: Mapping[Hashable, Any]) -> _Row:
        """Encode a row that may have new fields, new categories, or mistakes."""
        if self._live is None:
            self._encode([x], grow=True)
        live = cast(Schema, self._live)
        version = live.version
        try:
            live.add_fields(x)
            X = np.empty((1, len(live.fields)))
            live.encode_row(x, X, grow=True)
        finally:  # whatever was added before an error: the arrays must have room for it
            if live.version != version:
                self._fit()
        row = self._row or self._new_row()
        row.X[:] = X
        return row

    def _encode_one_target(self, y: Any) -> Any:
        """The core's form of one target."""
        live: Any = self._live
        return live.encode_label(y)


class _Row:
    """Buffers for one row and the calls that work on them, made once, so that a row costs no allocation."""

    __slots__ = (
        "X", "code", "encode", "learn", "learn_work", "predict", "predict_proba", "proba", "w", "weight", "works", "y"
    )  # fmt: skip

    def __init__(
        self, schema: Schema, outputs: Outputs, task: Task, operation: Callable[[Any], Callable[[], int]]
    ) -> None:
        self.X = np.empty((1, len(schema.fields)))
        self.y = np.zeros(1, np.float64 if task in SCORED else np.int64)
        self.weight, self.w = np.ones(1), 1.0
        self.proba = outputs.proba
        self.encode = schema.row_encoder(self.X)
        self.code = outputs.prediction.item

        def pack(schedule: np.ndarray, proba: np.ndarray | None) -> Any:
            asked = np.empty((0, 0)) if proba is None else proba
            return make_work(WorkArrays(self.X, self.y, self.weight, schedule, outputs.prediction, asked))

        self.learn_work = pack(learning(1), None)
        # Operations may know their work by its address only: the row keeps it alive.
        self.works = (pack(predicting(1), None), pack(predicting(1), outputs.proba))
        self.learn = operation(self.learn_work)
        self.predict, self.predict_proba = (operation(work) for work in self.works)


class Classifier(ArrayLearner, river.base.Classifier):
    """Base of classifiers with compiled kernels."""

    task = "classification"

    def predict_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> Any:
        with self._lock:
            live = self._live
            if live is None:
                return None
            row = self._known_row(x)
            row.predict()
            return live.decode_label(row.code())

    def predict_proba_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> dict[Any, float]:
        with self._lock:
            if self._live is None:
                return {}
            row = self._known_row(x)
            row.predict_proba()
            return dict(zip(self._live.classes, cast(np.ndarray, row.proba)[0].tolist(), strict=True))


class Regressor(ArrayLearner, river.base.Regressor):
    """Base of regressors with compiled kernels."""

    task = "regression"

    def predict_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> float:
        with self._lock:
            if self._live is None:
                return 0.0
            row = self._known_row(x)
            row.predict()
            return float(row.code())

    def _encode_one_target(self, y: Any) -> float:
        if y is None:
            return float("nan")
        try:
            return float(y)
        except (TypeError, ValueError):
            raise InputError(f"a target must be a number, got {y!r}") from None


def _joined(name: str, saved: Any, dtype: np.dtype[Any], ndim: int) -> np.ndarray:
    """One array of a state, copied; a structured one out of its fields."""
    if dtype.names is None:
        if not isinstance(saved, np.ndarray) or saved.dtype != dtype or saved.ndim != ndim:
            raise StateError(f"array {name!r}: expected {dtype} of {ndim} dimension(s)")
        return np.array(saved, dtype, order="C")
    if not isinstance(saved, Mapping) or set(saved) != set(dtype.names):
        raise StateError(f"array {name!r}: expected the fields {', '.join(dtype.names)}")
    parts = {
        field: _joined(f"{name}/{field}", saved[field], dtype[field].base, ndim + len(dtype[field].shape))
        for field in dtype.names
    }
    lengths = {part.shape[:ndim] for part in parts.values()}
    if len(lengths) != 1:
        raise StateError(f"array {name!r}: its fields differ in length")
    joined = np.zeros(lengths.pop(), dtype)
    for field, part in parts.items():
        if part.shape != joined[field].shape:
            raise StateError(f"array {name!r}: field {field!r} has the wrong shape")
        joined[field] = part
    return joined
