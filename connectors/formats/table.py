"""Columns as a file has them: they go through the schema whole, without becoming rows of Python objects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from streamlearn import columns
from streamlearn.errors import InputError, SchemaError
from streamlearn.format import Format, Roles
from streamlearn.records import Decoded, Records, Rejected
from streamlearn.schema import MAX_CATEGORIES, Field, Schema

from .documents import plain_document
from .inference import check_roles
from .rows import LATEST, Block, RowByRow, identities, identity, join, reason_of, seconds


class TableFormat(Format):
    """Decodes records that a columnar source delivers as Arrow columns.

    Columns are encoded whole. Only where something does not fit are they halved, again and again, until the bad rows
    are alone.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from streamlearn.connectors.formats import TableFormat
    >>> from streamlearn.format import Roles
    >>> from streamlearn.records import Records
    >>> table = pa.record_batch({"price": [2.5, 3.0], "at": ["2026-01-01", "yesterday"]})
    >>> records = Records("prices", "prices.parquet", np.arange(2), 2, table=table)
    >>> format, roles = TableFormat(), Roles(event_time="at")
    >>> decoded = format.decode(records, format.infer(records, roles), roles)
    >>> decoded.batch.X.tolist(), decoded.batch.event_time.tolist(), [bad.row for bad in decoded.rejected]
    ([[2.5]], [1767225600.0], [1])
    """

    name = "table"

    def infer(self, records: Records, roles: Roles) -> Schema:
        table = _table(records)
        if table.num_rows == 0:
            raise InputError("no record can be read: there are none")
        check_roles(table.schema.names, roles)
        special = {roles.target, roles.id, roles.event_time, roles.weight, roles.key}
        fields: dict[Hashable, Field] = {}
        for name in table.schema.names:
            nested = pa.types.is_nested(table.column(name).type)
            if name not in special and not (nested and roles.unknown == "ignore"):
                fields[name] = _field(name, table.column(name), roles)
        for declared, kind in roles.fields.items():
            fields.setdefault(declared, Field(declared, kind))
        classes: list[Hashable] = []
        if roles.labelled and roles.target in table.schema.names and roles.target_kind == "nominal":
            classes = columns.field_of(roles.target, table.column(roles.target)).categories
        return Schema(
            fields.values(),
            target=roles.target,
            target_kind=roles.target_kind,
            classes=classes,
            id=roles.id,
            event_time=roles.event_time,
            weight=roles.weight,
            key=roles.key,
            unknown=roles.unknown,
        )

    def documents(self, records: Records) -> list[Mapping[str, Any] | str | None]:
        found: list[Mapping[str, Any] | str | None] = []
        for document in documents_of(_table(records)):
            try:
                found.append(plain_document(document))
            except SchemaError as error:
                found.append(reason_of(error))
        return found

    def decode(self, records: Records, schema: Schema, roles: Roles) -> Decoded:
        table = _table(records)
        reasons: dict[int, str] = {}
        id = _named(table, schema.id, reasons)
        key = _named(table, schema.key, reasons, required=True)
        event_time = _times(table, schema.event_time, reasons)
        if roles.required and schema.target is not None:
            _require(table, schema.target, "label", reasons)
        good = np.delete(np.arange(len(records)), list(reasons))
        apart = (schema.id, schema.key, schema.event_time, None if roles.labelled else schema.target)
        rest = [name for name in table.schema.names if name not in apart]
        blocks = [RowByRow(schema, required=False).block()]
        _encode(table.select(rest).take(pa.array(good)), good, schema, blocks, reasons)
        decoded = join(blocks, schema, [Rejected(row, reasons[row]) for row in sorted(reasons)])
        kept = pa.array(decoded.rows)
        decoded.batch.id = None if id is None else id.take(kept)
        decoded.batch.key = None if key is None else key.take(kept)
        decoded.batch.event_time = None if event_time is None else event_time[decoded.rows]
        return decoded


def documents_of(table: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """The rows as dicts, with times as seconds since the epoch: a column can hold times that Python can't."""
    values = []
    for name, column in zip(table.schema.names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = pa.array(columns.numbers(column, name), from_pandas=True)  # from_pandas: NaN is a missing value
        values.append(column)
    return pa.table(values, names=table.schema.names).to_pylist()


def _table(records: Records) -> pa.RecordBatch:
    if records.table is None:
        raise InputError(f"{records.origin} delivers bytes, not columns: its format is json, avro or arrow")
    return records.table


def _field(name: Hashable, values: pa.Array, roles: Roles) -> Field:
    """The field of a column; what later values can't add to its categories is there from the beginning."""
    field = columns.field_of(name, values)
    field.kind = roles.fields.get(name, field.kind)
    if field.kind == "numeric":
        field.categories = []
    elif roles.unknown != "grow" and not field.categories:
        labels, codes = columns.dictionary(values)
        field.categories = [labels[i] for i in columns.in_order_of_appearance(codes, len(labels))][:MAX_CATEGORIES]
    return field


def _encode(
    table: pa.RecordBatch, rows: np.ndarray, schema: Schema, blocks: list[Block], reasons: dict[int, str]
) -> None:
    """Encode rows, in order, and set the bad ones aside."""
    if not len(rows):
        return
    try:
        schema.copy().encode_arrow(table.slice(0, 0))
    except (SchemaError, pa.ArrowException) as error:  # a column is wrong, whatever its values
        reasons.update(dict.fromkeys(rows.tolist(), reason_of(error)))
        return
    waiting = [(0, len(rows))]
    while waiting:
        start, stop = waiting.pop()
        trial = schema.copy()  # so that bad rows leave the schema as it was
        try:
            batch = trial.encode_arrow(table.slice(start, stop - start))
        except (SchemaError, pa.ArrowException) as error:
            if stop - start == 1:
                reasons[int(rows[start])] = reason_of(error)
            else:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
        else:
            schema.update(trial)
            blocks.append(_block(rows[start:stop], batch.X, batch.y, batch.weight, schema))


def _block(rows: np.ndarray, X: np.ndarray, y: np.ndarray | None, weight: np.ndarray | None, schema: Schema) -> Block:
    if y is None and schema.target is not None:
        y = np.full(len(rows), -1, np.int64) if schema.target_kind == "nominal" else np.full(len(rows), np.nan)
    if weight is None and schema.weight is not None:
        weight = np.ones(len(rows))
    return Block(rows, X, y, weight, None, None, None)


def _column(table: pa.RecordBatch, name: Hashable) -> pa.Array:
    """A column, or one without values if there is none."""
    if name not in table.schema.names:
        return pa.nulls(table.num_rows)
    column = table.column(name)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _require(table: pa.RecordBatch, name: Hashable, what: str, reasons: dict[int, str]) -> None:
    missing = _column(table, name).is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(missing).tolist():
        reasons[row] = f"field {name!r}: the {what} is missing"


def _named(
    table: pa.RecordBatch, name: Hashable | None, reasons: dict[int, str], *, required: bool = False
) -> pa.Array | None:
    """The column of ids or keys."""
    if name is None:
        return None
    if required:
        _require(table, name, "key", reasons)
    column = _column(table, name)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_signed_integer(kind):
        return column.cast(pa.int64())
    values: list[str | int | None] = []
    for row, value in enumerate(column.to_pylist()):
        try:
            values.append(identity(value, name))
        except SchemaError as error:
            values.append(None)
            reasons[row] = reason_of(error)
    return identities(values)


def _times(table: pa.RecordBatch, name: Hashable | None, reasons: dict[int, str]) -> np.ndarray | None:
    if name is None:
        return None
    column = _column(table, name)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return columns.numbers(column, name)
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        times = columns.numbers(column, name)
        doubtful = np.flatnonzero(np.abs(times) > LATEST)
    else:
        times = np.full(len(column), np.nan)
        doubtful = np.arange(len(column))
    for row in doubtful.tolist():
        try:
            times[row] = seconds(column[row].as_py(), name)
        except SchemaError as error:
            reasons[row] = reason_of(error)
    return times
