"""Raw columns (Arrow, NumPy, lists) as numbers or as dictionary codes, without a loop over rows."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .errors import SchemaError
from .jsonable import plain

if TYPE_CHECKING:
    from .schema import Field, Kind


def listing(names: Iterable[Any], limit: int = 8) -> str:
    """The first few names, for messages."""
    shown = [str(name) for name in names]
    return ", ".join(shown[:limit]) + (f", … ({len(shown)} in all)" if len(shown) > limit else "")


def as_record_batch(data: Any) -> pa.RecordBatch:
    """Anything that speaks Arrow (tables, pandas, Polars, DuckDB, …) as one record batch.

    Raises
    ------
    SchemaError
        If it does not speak Arrow.
    """
    if isinstance(data, pa.RecordBatch):
        return data
    if hasattr(data, "__arrow_c_stream__"):
        data = pa.RecordBatchReader.from_stream(data).read_all()
    elif hasattr(data, "__arrow_c_array__"):
        return pa.record_batch(data)
    if not isinstance(data, pa.Table):
        raise SchemaError(
            f"can't read rows from {type(data).__name__}: give dicts, a NumPy matrix, an Arrow table or a data frame"
        )
    names = data.schema.names
    arrays = [_one_chunk(column) for column in data.columns]
    keep = [i for i, name in enumerate(names) if not name.startswith("__index_level_")]  # pandas' stored index
    return pa.RecordBatch.from_arrays([arrays[i] for i in keep], names=[names[i] for i in keep])


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def field_of(name: Hashable, values: pa.Array) -> Field:
    """The field that an Arrow column gives: nominal with its declared categories, nominal, or numeric."""
    from .schema import Field

    kind = values.type
    if pa.types.is_dictionary(kind):
        return Field(name, "nominal", values.dictionary.to_pylist())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return Field(name, "nominal")
    if pa.types.is_boolean(kind):
        return Field(name, "nominal", [False, True])
    if _is_number(kind) or pa.types.is_null(kind):
        return Field(name, "numeric")
    raise SchemaError(f"field {name!r}: can't learn from values of type {kind}; flatten or drop the column")


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
    )


def kinds_of_records(records: Sequence[Mapping[Hashable, Any]], *, all_missing: bool = True) -> dict[Hashable, Kind]:
    """Kinds by the first value of each field that is not missing, in the order in which those values come.

    The order of a dict's keys means nothing, so the fields that one record brings are sorted by name. Fields without
    any value are numeric, at the end; without ``all_missing`` they are left out.
    """
    kinds: dict[Hashable, Kind] = {}
    undecided: dict[Hashable, Kind] = {}
    for record in records:
        for name in sorted((name for name in record if name not in kinds), key=_by_name):
            if isinstance(record[name], np.datetime64):  # as a number it would be in units that nobody sees
                raise SchemaError(f"field {name!r}: give times as datetime or in seconds, not as numpy.datetime64")
            value = plain(record[name])
            if value is None or (isinstance(value, float) and math.isnan(value)):
                undecided[name] = "numeric"
            else:
                kinds[name] = "numeric" if _is_plain_number(value) else "nominal"
    missing = {name: kind for name, kind in undecided.items() if name not in kinds}
    return {**kinds, **missing} if all_missing else kinds


def _by_name(name: Hashable) -> tuple[str, Any]:
    return type(name).__name__, name if isinstance(name, (str, int, float)) else repr(name)


def _is_plain_number(value: Any) -> bool:
    return isinstance(value, date) or (not isinstance(value, (bool, str, bytes)) and hasattr(value, "__float__"))


def target_kind_of(data: Any, target: Hashable, record_kinds: Any) -> Kind:
    """Numeric for a target of floats, nominal for whole numbers, booleans and strings."""
    if record_kinds is not None:
        rows = [data] if isinstance(data, Mapping) else data
        return "numeric" if any(isinstance(plain(row.get(target)), float) for row in rows) else "nominal"
    if isinstance(data, np.ndarray):
        return "nominal"
    kind = as_record_batch(data).column(target).type
    return "numeric" if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else "nominal"


def number(value: Any, name: Hashable, row: int) -> float:
    """``value`` as a float, a time as seconds since the epoch (UTC), or an error that names the field and the row."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if not isinstance(value, (str, bytes)):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise SchemaError(f"row {row}: field {name!r}: expected a number, got {value!r}")


def numbers(values: Any, name: Hashable) -> np.ndarray:
    """A column as float64 [n], missing values as NaN; times become seconds since the epoch."""
    if isinstance(values, pa.ChunkedArray):
        values = _one_chunk(values)
    if isinstance(values, pa.Array):
        return _arrow_numbers(values, name)
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub" and values.ndim == 1:
        return np.require(values, np.float64, ["C", "W", "A"])
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
        return _arrow_numbers(_one_chunk(pa.chunked_array(values)), name)
    return np.array(
        [math.nan if v is None else number(plain(v), name, row) for row, v in enumerate(values)], np.float64
    )


def _arrow_numbers(values: pa.Array, name: Hashable) -> np.ndarray:
    kind = values.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _parse_numbers(values.cast(pa.string()), name)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = values.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(_arrow_numbers(micros, name) / 1e6)
    if pa.types.is_boolean(kind):
        values = values.cast(pa.uint8())
    elif not (_is_number(kind) or pa.types.is_null(kind)):
        raise SchemaError(f"field {name!r}: expected numbers, got a column of type {kind}")
    if not pa.types.is_floating(kind) and values.null_count == 0 and not pa.types.is_decimal(kind):
        return np.require(values.to_numpy(zero_copy_only=False), np.float64, ["C", "W", "A"])
    floats = values.cast(pa.float64(), safe=False)
    if floats.null_count:
        floats = pc.fill_null(floats, math.nan)
    return np.require(floats.to_numpy(zero_copy_only=False), np.float64, ["C", "A"])


def _parse_numbers(text: pa.Array, name: Hashable) -> np.ndarray:
    try:
        return _arrow_numbers(text.cast(pa.float64()), name)
    except pa.ArrowInvalid:
        for row, value in enumerate(text.to_pylist()):
            try:
                float(value if value is not None else "nan")
            except ValueError:
                raise SchemaError(f"row {row}: field {name!r}: expected a number, got {value!r}") from None
        return np.array([math.nan if v is None else float(v) for v in text.to_pylist()])


def as_array(values: Any) -> Any:
    """Targets as an Arrow array where they are of one kind, else as a list of Python objects."""
    if isinstance(values, pa.ChunkedArray):
        return _one_chunk(values)
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise SchemaError(f"y must have one dimension, got shape {values.shape}")
        if values.dtype.kind in "iubfU":
            return pa.array(values)
        return [plain(v) for v in values.tolist()]
    if hasattr(values, "__arrow_c_stream__"):
        return _one_chunk(pa.chunked_array(values))
    return [plain(v) for v in values]


def dictionary(values: pa.Array) -> tuple[list[Hashable], np.ndarray]:
    """Distinct values and the code of each row (-1: missing); the order is the declared one or of first appearance."""
    if pa.types.is_nested(values.type):
        raise SchemaError(f"a nominal column can't hold values of type {values.type}")
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    codes = encoded.indices
    codes = pc.fill_null(codes.cast(pa.int64()), -1) if codes.null_count else codes
    labels = encoded.dictionary.to_pylist()
    array = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    missing = [i for i, label in enumerate(labels) if label is None or (isinstance(label, float) and math.isnan(label))]
    if missing:
        array[np.isin(array, missing)] = -1
    return labels, array


def in_order_of_appearance(codes: np.ndarray, n: int) -> list[int]:
    """The codes that occur (-1 left out), in order of their first row."""
    first = np.full(n + 1, len(codes), np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the last write of a code is its first row
    used = np.flatnonzero(first[:n] < len(codes))
    return [int(code) for code in used[np.argsort(first[used], kind="stable")]]


def first_bad_cell(X: np.ndarray, names: Sequence[Hashable]) -> SchemaError:
    """The error for a matrix that is not all numbers."""
    for row, values in enumerate(X.tolist()):
        for name, value in zip(names, values, strict=True):
            try:
                number(value, name, row)
            except SchemaError as error:
                return error
    return SchemaError("X is not a matrix of numbers")


def first_bad_code(X: np.ndarray, cardinality: Sequence[int], nominal: Sequence[bool]) -> tuple[int, int] | None:
    """Row and column of the first entry of a nominal column that is neither NaN nor a code 0 … cardinality - 1."""
    from .codes import first_bad_cell as search

    limits = np.where(nominal, np.asarray(cardinality, np.float64), np.nan)  # numeric columns have no limit
    place = search(X, limits)
    return None if place < 0 else divmod(place, X.shape[1])
