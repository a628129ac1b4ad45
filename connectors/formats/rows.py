"""Rows of a schema, made of documents one at a time and with care, and joined with rows that came faster."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from streamlearn import columns
from streamlearn.batch import Batch
from streamlearn.errors import InputError, SchemaError
from streamlearn.records import Decoded, Records, Rejected
from streamlearn.schema import Schema

LATEST = 1e11  # seconds since the epoch: the year 5138; milliseconds are beyond it since 1973
LARGEST = 1 << 63
_REASON = 500  # characters of a reason: a value that is quoted in it may be of any size


@dataclass(slots=True)
class Block:
    """Some rows of a schema, and which records they come from; columns without a role are None.

    Parameters
    ----------
    rows : int64 [n]
    X : float64 [n, d]
        Fields that the schema got later are not in it.
    """

    rows: np.ndarray
    X: np.ndarray
    y: np.ndarray | None
    weight: np.ndarray | None
    id: Sequence[str | int | None] | pa.Array | None
    event_time: np.ndarray | None
    key: Sequence[str | int] | pa.Array | None


class RowByRow:
    """Takes documents in their order, grows the schema as its policy allows, and sets the bad ones aside.

    What `Schema.encode` makes of one document and what it raises decide; so a row does not depend on its neighbours.

    Parameters
    ----------
    schema
        Grows with what good documents bring; a bad one leaves it unchanged.
    required
        Whether a document without the target is bad.
    labelled
        Whether a document's label is its own; otherwise it is passed over.
    """

    def __init__(self, schema: Schema, *, required: bool, labelled: bool = True) -> None:
        self.rejected: list[Rejected] = []
        self._schema, self._required, self._labelled = schema, required, labelled
        self._rows: list[int] = []
        self._X: list[np.ndarray] = []
        self._y: list[float] = []
        self._weight: list[float] = []
        self._id: list[str | int | None] = []
        self._event_time: list[float] = []
        self._key: list[str | int] = []
        self._out = np.empty((1, 0))
        self._quick: Callable[[Mapping[Hashable, Any]], bool] | None = None

    def reject(self, row: int, reason: str) -> None:
        """Set a record aside."""
        self.rejected.append(Rejected(row, _short(reason)))

    def add(self, row: int, document: Any) -> None:
        """Take a record's document, which is not used any more after that, or set it aside."""
        try:
            self._add(row, document)
        except SchemaError as error:
            self.reject(row, reason_of(error))

    def _add(self, row: int, document: Any) -> None:
        if not isinstance(document, dict):
            raise SchemaError(f"expected an object, got {what(document)}")
        schema = self._schema
        label = document.pop(schema.target, None) if schema.target is not None else None
        if not self._labelled:
            label = None
        id = identity(document.pop(schema.id, None), schema.id) if schema.id is not None else None
        time = seconds(document.pop(schema.event_time, None), schema.event_time) if schema.event_time is not None else 0
        weight = _weight(document.pop(schema.weight, 1.0), schema.weight) if schema.weight is not None else 1.0
        key = identity(document.pop(schema.key, None), schema.key) if schema.key is not None else ""
        if key is None:
            raise SchemaError(f"field {schema.key!r}: the key is missing")
        y = self._label(label)
        self._encode(document)
        if schema.target_kind == "nominal":
            y = schema.encode_label(label)
        self._rows.append(row)
        self._X.append(self._out[0].copy())
        self._y.append(y)
        self._weight.append(weight)
        self._id.append(id)
        self._event_time.append(time)
        self._key.append(key)

    def _label(self, label: Any) -> float:
        """The label's number, without growing the schema."""
        schema = self._schema
        if label is None or label != label:  # NaN
            if self._required and schema.target is not None:
                raise SchemaError(f"field {schema.target!r}: the label is missing")
            return -1 if schema.target_kind == "nominal" else math.nan
        if schema.target_kind == "numeric":
            return columns.number(label, schema.target, 0)
        try:
            return schema.encode_label(label, grow=False)
        except SchemaError as error:
            raise SchemaError(f"field {schema.target!r}: {error}") from None

    def _encode(self, document: dict[Hashable, Any]) -> None:
        """Encode into ``_out``; nothing is added to the schema unless everything is good."""
        schema = self._schema
        if self._quick is None:
            self._out = np.empty((1, len(schema.fields)))
            self._quick = schema.row_encoder(self._out)
        if self._quick(document):
            return
        schema.encode_row(document, self._out, grow=False)
        if schema.unknown == "grow":
            known = set(schema.names)
            new = {name: value for name, value in document.items() if name not in known}
            for name, value in new.items():
                if isinstance(value, (dict, list)):
                    raise SchemaError(f"field {name!r}: nested values are not learned from: flatten them")
                if isinstance(value, (int, float)):
                    columns.number(value, name, 0)
            if new:
                schema.add_fields(new)
                self._out, self._quick = np.empty((1, len(schema.fields))), None
        schema.encode_row(document, self._out, grow=True)

    def block(self) -> Block:
        """The good rows."""
        schema, d = self._schema, len(self._schema.fields)
        X = np.full((len(self._X), d), math.nan)
        for i, x in enumerate(self._X):
            X[i, : len(x)] = x  # a row is shorter than the rows after a new field
        kind = np.int64 if schema.target_kind == "nominal" else np.float64
        return Block(
            np.array(self._rows, np.int64),
            X,
            np.array(self._y, kind) if schema.target is not None else None,
            np.array(self._weight, np.float64) if schema.weight is not None else None,
            self._id if schema.id is not None else None,
            np.array(self._event_time, np.float64) if schema.event_time is not None else None,
            self._key if schema.key is not None else None,
        )

    def decoded(self, blocks: Iterable[Block] = ()) -> Decoded:
        """The good rows together with those of ``blocks``, in the order of their records, and the bad ones."""
        parts = list(blocks)
        if self._rows or not parts:
            parts.append(self.block())
        decoded = join(parts, self._schema, self.rejected)
        if not self._labelled and decoded.batch.y is not None:  # a faster decoder may know the class that is claimed
            decoded.batch.y[:] = -1 if self._schema.target_kind == "nominal" else math.nan
        return decoded


def join(blocks: Sequence[Block], schema: Schema, rejected: list[Rejected]) -> Decoded:
    """The rows of at least one block, in the order of their records."""
    parts = [block for block in blocks if len(block.rows)] or [blocks[0]]
    rows = np.concatenate([part.rows for part in parts]) if len(parts) > 1 else parts[0].rows
    order = None if len(parts) == 1 or (rows[1:] > rows[:-1]).all() else np.argsort(rows)

    def array(columns: list[Any]) -> Any:
        if columns[0] is None:
            return None
        whole = np.concatenate(columns) if len(columns) > 1 else columns[0]
        return whole if order is None else whole[order]

    def names(columns: list[Any]) -> pa.Array | None:
        if columns[0] is None:
            return None
        if len(columns) == 1:
            return columns[0] if isinstance(columns[0], pa.Array) else identities(columns[0])
        whole = [
            value for column in columns for value in (column.to_pylist() if isinstance(column, pa.Array) else column)
        ]
        return identities(whole if order is None else [whole[i] for i in order.tolist()])

    batch = Batch(
        schema,
        array([_widened(part.X, len(schema.fields)) for part in parts]),
        array([part.y for part in parts]),
        array([part.weight for part in parts]),
        names([part.id for part in parts]),
        array([part.event_time for part in parts]),
        key=names([part.key for part in parts]),
    )
    return Decoded(batch, rows if order is None else rows[order], rejected)


def _widened(X: np.ndarray, d: int) -> np.ndarray:
    """With missing values for the fields that the schema got since."""
    if X.shape[1] == d:
        return X
    wide = np.full((len(X), d), math.nan)
    wide[:, : X.shape[1]] = X
    return wide


def identities(values: Sequence[str | int | None] | None) -> pa.Array | None:
    """Ids or keys as they came: a column of texts, of whole numbers, or, where both occur, a union of them."""
    if values is None:
        return None
    kinds = set(map(type, values))
    if int not in kinds:
        return pa.array(values, pa.string())
    if str not in kinds:
        return pa.array(values, pa.int64())
    texts = [value for value in values if not isinstance(value, int)]
    numbers = [value for value in values if isinstance(value, int)]
    is_number = np.fromiter((isinstance(value, int) for value in values), np.bool_, len(values))
    offsets = np.where(is_number, np.cumsum(is_number), np.cumsum(~is_number)) - 1
    return pa.UnionArray.from_dense(
        pa.array(is_number.astype(np.int8)),
        pa.array(offsets.astype(np.int32)),
        [pa.array(texts, pa.string()), pa.array(numbers, pa.int64())],
    )


def values_of(records: Records) -> Sequence[bytes | None]:
    """The records' bytes.

    Raises
    ------
    InputError
        If they are columns.
    """
    if records.table is not None:
        raise InputError(f"{records.origin} delivers columns, not bytes: its format is 'table'")
    return records.values


def reason_of(error: Exception) -> str:
    """Why a row was refused that went through the schema alone, where its number says nothing."""
    return _short(str(error).removeprefix("row 0: "))


def _short(reason: str) -> str:
    return reason if len(reason) <= _REASON else reason[:_REASON] + " …"


def identity(value: Any, name: Hashable) -> str | int | None:
    """An id or a key: a text, a whole number of 64 bits, or None.

    Raises
    ------
    SchemaError
        If it is anything else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -LARGEST <= value < LARGEST:
        return value
    raise SchemaError(f"field {name!r}: expected a text or a whole number of 64 bits, got {what(value)}")


def seconds(value: Any, name: Hashable) -> float:
    """A time as seconds since the epoch; ISO 8601 texts without a zone are UTC, None is NaN.

    Raises
    ------
    SchemaError
        If it is no time, or a number so large that it must be milliseconds.
    """
    if value is None:
        return math.nan
    time = value
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise SchemaError(
                f"field {name!r}: expected seconds since the epoch or an ISO 8601 time, got {what(value)}"
            ) from None
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    if isinstance(time, bool) or not isinstance(time, (int, float, date)):
        raise SchemaError(f"field {name!r}: expected a time, got {what(value)}")
    number = columns.number(time, name, 0)
    if abs(number) > LATEST:
        raise SchemaError(
            f"field {name!r}: {value} seconds are beyond the year 5000: send seconds, not milliseconds, or ISO 8601"
        )
    return number


def _weight(value: Any, name: Hashable) -> float:
    weight = math.nan if value is None else columns.number(value, name, 0)
    if not (math.isfinite(weight) and weight >= 0):
        raise SchemaError(f"field {name!r}: a weight must be a finite number >= 0, got {value}")
    return weight


def what(value: Any) -> str:
    """A value as a message shows it."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "an array"
    return repr(value)
