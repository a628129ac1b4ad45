"""Sources over data in memory: arrays, tables, and any iterable of rows."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from streamlearn import columns
from streamlearn.batch import Batch
from streamlearn.errors import InputError, OptionError
from streamlearn.schema import Kind, Schema
from streamlearn.source import ROWS_PER_BATCH, Source, checked_position, choose_target, with_target_kind

_FIRST_ROWS = 1000  # rows that an inferred schema looks at


class ArraySource(Source):
    """A stream of the rows of a matrix.

    Parameters
    ----------
    X : array [n, d]
        Rows; nominal fields of a given schema as category codes, missing values as NaN.
    y : array-like [n] or None
        Targets.
    target
        What to call the target; ``"y"`` by default.
    event_time
        Not for a matrix, whose columns have no names.
    schema, kinds, target_kind
        As in `streamlearn.open_stream`.

    Examples
    --------
    >>> import numpy as np
    >>> source = ArraySource(np.array([[1.0], [2.0], [3.0]]), ["a", "b", "a"])
    >>> source.poll(2).y, source.poll(2).y, source.poll(2)
    (array([0, 1]), array([0]), None)
    """

    def __init__(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        target: Hashable | None = None,
        event_time: Hashable | None = None,
        schema: Schema | None = None,
        kinds: Mapping[Hashable, Kind] | None = None,
        target_kind: Kind | None = None,
    ) -> None:
        if event_time is not None:
            raise OptionError("event_time names a column, but a matrix has none: give a table or dicts")
        self.name = "array"
        self.rows = len(X)
        if y is not None and len(y) != len(X):
            raise InputError(f"X has {len(X)} rows, y has {len(y)}")
        if schema is None:
            floats = isinstance(y, np.ndarray) and y.dtype.kind == "f"
            self.schema = _with_target(Schema.infer(X, kinds=kinds), target, target_kind, floats)
        else:
            self.schema = with_target_kind(schema, target_kind)
        self._X = self.schema.encode(X).X
        self._y = y if y is None else columns.as_array(y)
        self._next = 0

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        start, stop = self._next, min(self._next + max_rows, len(self._X))
        if start == stop:
            return None
        y = None if self._y is None else self.schema.encode_target(self._y[start:stop])
        self._next = stop
        return Batch(self.schema, self._X[start:stop], y, position=self.position())

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        self._next = checked_position(position, self.rows)


class TableSource(Source):
    """A stream of the rows of an Arrow table or of a data frame that speaks Arrow (pandas, Polars, DuckDB, …).

    Parameters
    ----------
    table
        The rows.
    target, event_time, schema, kinds, target_kind
        As in `streamlearn.open_stream`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> source = TableSource(pa.table({"x": [1, 2], "target": ["a", "b"]}))
    >>> source.poll().X.tolist()
    [[1.0], [2.0]]
    """

    def __init__(
        self,
        table: Any,
        *,
        target: Hashable | None = None,
        event_time: Hashable | None = None,
        schema: Schema | None = None,
        kinds: Mapping[Hashable, Kind] | None = None,
        target_kind: Kind | None = None,
    ) -> None:
        self.name = "table"
        self._table = columns.as_record_batch(table)
        self.rows = self._table.num_rows
        if schema is None:
            target = choose_target(target, self._table.schema.names, "the table")
            self.schema = Schema.infer(
                self._table, target=target, kinds=kinds, target_kind=target_kind, event_time=event_time
            )
        else:
            self.schema = with_target_kind(schema, target_kind)
        self._next = 0

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        rows = self._table.slice(self._next, max_rows)
        if rows.num_rows == 0:
            return None
        batch = self.schema.encode_arrow(rows)
        self._next += rows.num_rows
        batch.position = self.position()
        return batch

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        self._next = checked_position(position, self.rows)


class IterableSource(Source):
    """A stream over any Python iterable of dicts, or of pairs ``(x, y)`` as River's data sets are.

    Parameters
    ----------
    rows
        Dicts that hold the target under its name, or pairs of a dict and a target.
    target, event_time, schema, kinds, target_kind
        As in `streamlearn.open_stream`; for pairs the target needs no name.

    Examples
    --------
    >>> source = IterableSource(({"x": i}, i % 2 == 0) for i in range(3))
    >>> source.poll().y
    array([0, 1, 0])
    """

    def __init__(
        self,
        rows: Iterable[Any],
        *,
        target: Hashable | None = None,
        event_time: Hashable | None = None,
        schema: Schema | None = None,
        kinds: Mapping[Hashable, Kind] | None = None,
        target_kind: Kind | None = None,
    ) -> None:
        self.name = type(rows).__name__ if not isinstance(rows, (list, tuple, Iterator)) else "rows"
        samples = getattr(rows, "n_samples", None)
        self.rows = samples if isinstance(samples, int) else None
        self._iterable = rows
        self._next = 0
        self._rows = iter(rows)
        first = list(itertools.islice(self._rows, _FIRST_ROWS))
        self._rows = itertools.chain(first, self._rows)
        if not first and schema is None:
            raise InputError("the stream has no rows, so there is no schema to infer: pass schema=")
        self._pairs = bool(first) and isinstance(first[0], tuple)
        if schema is not None:
            self.schema = with_target_kind(schema, target_kind)
        elif self._pairs:
            floats = any(isinstance(y, float) for _, y in first)
            inferred = Schema.infer([x for x, _ in first], kinds=kinds, event_time=event_time)
            self.schema = _with_target(inferred, target, target_kind, floats)
        else:
            names = list(first[0]) if isinstance(first[0], Mapping) else []
            target = choose_target(target, names, "the rows")
            self.schema = Schema.infer(
                first, target=target, kinds=kinds, target_kind=target_kind, event_time=event_time
            )

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        rows = list(itertools.islice(self._rows, max_rows))
        if not rows:
            return None
        try:
            if self._pairs:
                batch = self.schema.encode([x for x, _ in rows], [y for _, y in rows])
            else:
                batch = self.schema.encode(rows)
        except InputError as error:
            raise InputError(f"rows from {self._next} on: {error}") from None
        self._next += len(rows)
        batch.position = self.position()
        return batch

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        row = checked_position(position, self.rows)
        if row < self._next:
            if isinstance(self._iterable, Iterator):
                raise InputError(f"can't go back to row {row}: a generator can't be read twice")
            self._rows, self._next = iter(self._iterable), 0
        for _ in itertools.islice(self._rows, row - self._next):
            pass
        self._next = row


def _with_target(schema: Schema, target: Hashable | None, target_kind: Kind | None, floats: bool) -> Schema:
    """The schema of rows whose targets come beside them: the target needs a name only to be shown."""
    if target is None and "y" not in schema.names:
        target = "y"
    kind: Kind = target_kind or ("numeric" if floats else "nominal")
    return Schema(schema.fields, target=target, target_kind=kind, event_time=schema.event_time)
