"""A file as a stream: a reader of the right format under a schema."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamlearn.batch import Batch
from streamlearn.datasets import drifts_of, find, target_of
from streamlearn.errors import InputError, SchemaError
from streamlearn.schema import Kind, Schema
from streamlearn.source import ROWS_PER_BATCH, Source, checked_position, choose_target, with_target_kind

from .reader import RecordReader, open_reader

_FIRST_ROWS = 10_000  # rows that an inferred schema looks at


class FileSource(Source):
    """A stream of the rows of a file, or of a data set of the catalogue.

    Parameters
    ----------
    path
        A name of the catalogue, or a path to CSV, JSON lines, Parquet, Arrow IPC or ARFF, also compressed.
    target, event_time, schema, kinds, target_kind, format, options
        As in `streamlearn.open_stream`.

    Raises
    ------
    InputError
        If the file is missing, damaged or empty, or the target column is not in it.

    Examples
    --------
    >>> source = FileSource("electricity")
    >>> source.poll(3).y.tolist(), source.position()
    ([0, 0, 0], {'row': 3})
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        target: Hashable | None = None,
        event_time: Hashable | None = None,
        schema: Schema | None = None,
        kinds: Mapping[Hashable, Kind] | None = None,
        target_kind: Kind | None = None,
        format: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._path = Path(find(str(path)))
        self.name = self._path.name.split(".")[0]
        self._reader: RecordReader = open_reader(self._path, format=format, options=dict(options or {}))
        whole = [name for name, kind in (kinds or {}).items() if kind == "nominal" and name in self._integers]
        if whole:  # categories 1, 2, … and not 1.0, 2.0, …
            self._reader.close()
            types = {**dict.fromkeys(whole, "integer"), **(options or {}).get("types", {})}
            self._reader = open_reader(self._path, format=format, options={**(options or {}), "types": types})
        self.rows = getattr(self._reader, "rows", None)
        self.drifts = drifts_of(path) or getattr(self._reader, "drifts", ())
        self._pending: pa.RecordBatch | None = None  # read ahead to infer the schema, not handed out yet
        self._next = 0
        try:
            self.schema = self._schema(str(path), target, event_time, schema, kinds, target_kind)
        except BaseException:
            self._reader.close()
            raise

    @property
    def _integers(self) -> Collection[Hashable]:
        """Columns that hold whole numbers, in formats whose readers decode all numbers as floats."""
        return getattr(self._reader, "integers", ())

    def _schema(
        self,
        name: str,
        target: Hashable | None,
        event_time: Hashable | None,
        schema: Schema | None,
        kinds: Mapping[Hashable, Kind] | None,
        target_kind: Kind | None,
    ) -> Schema:
        if schema is not None:
            return with_target_kind(schema, target_kind)
        names = self._reader.schema.names
        wanted = target if target is not None else target_of(name) or getattr(self._reader, "default_target", None)
        target = choose_target(wanted, names, str(self._path))
        if target_kind is None and target in self._integers:
            target_kind = "nominal"
        self._pending = self._reader.read(_FIRST_ROWS)
        first = self._pending
        if first is None:
            first = pa.RecordBatch.from_pylist([], schema=self._reader.schema)
        try:
            inferred = Schema.infer(first, target=target, kinds=kinds, target_kind=target_kind, event_time=event_time)
        except SchemaError as error:
            raise InputError(f"{self._path}: {error}") from None
        if target_kind == "nominal" and not pa.types.is_dictionary(first.schema.field(target).type):
            inferred.classes, inferred.classes_declared = [], False  # in order of appearance
            inferred = inferred.copy()
        return inferred

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        rows = self._read(max_rows)
        if rows is None:
            return None
        try:
            batch = self.schema.encode_arrow(self._with_whole_labels(rows))
        except SchemaError as error:
            raise InputError(f"{self._path}, rows from {self._next + 1} on: {error}") from None
        self._next += rows.num_rows
        batch.position = self.position()
        return batch

    def _read(self, max_rows: int) -> pa.RecordBatch | None:
        if self._pending is None:
            return self._reader.read(max_rows)
        rows = self._pending.slice(0, max_rows)
        self._pending = self._pending.slice(max_rows) if self._pending.num_rows > max_rows else None
        return rows

    def _with_whole_labels(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Give class labels that a reader decoded as floats, as it does all numbers, their whole form back."""
        target = self.schema.target
        if self.schema.target_kind != "nominal" or target not in rows.schema.names:
            return rows
        labels = rows.column(target)
        if not pa.types.is_floating(labels.type) or not pc.all(pc.equal(labels, pc.floor(labels))).as_py():
            return rows
        return rows.set_column(rows.schema.get_field_index(target), target, labels.cast(pa.int64()))

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        row = checked_position(position, self.rows)
        self._reader.seek(row)
        self._pending, self._next = None, row

    def close(self) -> None:
        self._reader.close()
