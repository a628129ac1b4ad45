"""Reads JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyarrow import json as arrow_json

from streamlearn.errors import InputError, OptionError

from .kinds import check_columns, check_flat, check_kinds, expected, pin, whole
from .opening import DataFile
from .text import BLOCK_BYTES, NotDecodedError, TextReader, one_batch, show

PARALLEL_BYTES = 1 << 18  # pieces of a block that Arrow parses in parallel


class JsonLinesReader(TextReader):
    """Reads JSON lines, decoded by Arrow a block at a time.

    Fields and their types are inferred from the first block and hold for the whole file: numbers are read as float64;
    strings that are all ISO dates or times as timestamps; other strings as text. An absent key is a missing value.

    Parameters
    ----------
    file
        What to read.
    types
        Kinds of fields, where the first block would mislead or lacks the field: ``"number"``, ``"integer"`` (64 bits,
        for large ids), ``"text"``, ``"boolean"``, ``"time"``.
    unknown : "error" or "ignore"
        What a key does that is not among the fields.
    block_bytes
        How much to decode at a time.

    Raises
    ------
    BadRowError
        If the first line is not an object.
    InputError
        If the file is empty, or a field holds nested values.
    OptionError
        If an option is out of range.
    """

    def __init__(
        self,
        file: DataFile,
        *,
        types: Mapping[str, str] | None = None,
        unknown: str = "error",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if unknown not in ("error", "ignore"):
            raise OptionError(f"unknown must be 'error' or 'ignore', not {unknown!r}")
        self._asked = check_kinds(types)
        self._unknown = unknown
        self._fields: pa.Schema | None = None  # None until they are inferred
        super().__init__(file, block_bytes)
        inferred = self._inferred(self._peek())
        self.schema = self._fields = pin(inferred, self._asked)
        self.integers = whole(inferred, self.schema)
        self._parsing = arrow_json.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior=unknown)

    def _inferred(self, sample: bytes) -> pa.Schema:
        if not sample and not self._asked:
            raise InputError(f"{self.file.path} is empty: expected one JSON object a line")
        found = self._first_good(sample) if sample else pa.schema([])
        inferred = pa.schema([*found, *((name, pa.null()) for name in self._asked if name not in found.names)])
        check_columns(self.file.path, inferred.names)
        check_flat(self.file.path, inferred)
        return inferred

    def _first_good(self, sample: bytes) -> pa.Schema:
        """The fields of the first rows, as many as can be decoded: reading on will meet the bad one."""
        while True:
            try:
                return _parsed(sample, arrow_json.ParseOptions()).schema
            except (ValueError, pa.ArrowException) as error:
                middle = self._middle(sample)
                if not 0 < middle < len(sample):
                    raise self.bad_row(sample, error) from None
                sample = sample[:middle]

    def _decode(self, rows: bytes) -> pa.RecordBatch:
        return one_batch(_parsed(rows, self._parsing))

    def _diagnose(self, row: bytes, error: Exception) -> tuple[str | None, str]:
        try:
            record = json.loads(row.decode().strip(), object_pairs_hook=_without_repeats)
        except UnicodeDecodeError:
            return None, "the line is not UTF-8; convert the file"
        except json.JSONDecodeError as bad:
            return None, f"not valid JSON: {bad.msg} at character {bad.colno}"
        except NotDecodedError as bad:
            return None, str(bad)
        if isinstance(record, list) and self._row == 0:
            return None, "expected one object a line, got an array; write JSON lines"
        if not isinstance(record, dict):
            return None, f"expected an object, got {show(record)}"
        for key, value in record.items():
            reason = self._why_not(key, value)
            if reason:
                return key, reason
        return None, str(error)

    def _why_not(self, key: str, value: Any) -> str | None:
        if isinstance(value, (dict, list)):
            return "the value is nested: flatten it, one field a value"
        if self._fields is None:
            return None
        if key in self._fields.names:
            kind = self._fields.field(key).type
            return None if value is None or _fits(value, kind) else f"expected {expected(kind)}, got {show(value)}"
        return (
            None
            if self._unknown == "ignore"
            else "the first rows have no such field: name it in types={…}, or set unknown='ignore'"
        )


def _parsed(rows: bytes, parsing: arrow_json.ParseOptions) -> pa.Table:
    if not rows.isascii():
        rows.decode()  # Arrow takes bytes that are not UTF-8 for text
    try:
        table = _read(rows, parsing, PARALLEL_BYTES)
    except pa.ArrowInvalid:  # bad, or a row longer than a piece
        table = _read(rows, parsing, len(rows) + 1)
    if table.num_rows != rows.count(b"\n"):
        raise NotDecodedError("expected one object a line")
    return table


def _read(rows: bytes, parsing: arrow_json.ParseOptions, block_size: int) -> pa.Table:
    reading = arrow_json.ReadOptions(block_size=block_size)
    return arrow_json.read_json(pa.BufferReader(rows), read_options=reading, parse_options=parsing)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise NotDecodedError(f"the key {next(n for n in names if names.count(n) > 1)!r} is there twice")
    return record


def _fits(value: Any, kind: pa.DataType) -> bool:
    if pa.types.is_boolean(kind):
        return isinstance(value, bool)
    if pa.types.is_string(kind):
        return isinstance(value, str)
    if isinstance(value, (bool, str)):
        return pa.types.is_timestamp(kind) and isinstance(value, str) and _is_time(value)
    return pa.types.is_floating(kind) or (pa.types.is_integer(kind) and isinstance(value, int) and abs(value) < 2**63)


def _is_time(text: str) -> bool:
    try:
        pa.scalar(text).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True
