"""Reads comma-separated values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from streamlearn.errors import InputError, OptionError

from .csv_rows import QUOTE, RowEnds
from .kinds import check_columns, check_kinds, check_known, expected, pin, whole
from .opening import DataFile
from .text import BLOCK_BYTES, NotDecodedError, TextReader, may_have_blank_lines, one_batch, show

MISSING = ("", "?", "NA", "NaN", "nan", "null")
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
MOSTLY = 0.9


class CsvReader(TextReader):
    """Reads CSV, decoded by Arrow a block at a time; values may be quoted, and hold newlines and doubled quotes then.

    The type of each column is inferred from the first block and holds for the whole file: whole numbers are read as
    float64, like all numbers; ``true`` and ``false`` as booleans; ISO dates and times as timestamps; all else as text.
    A column of which nine values in ten are numbers is numeric, and the others are errors.

    Parameters
    ----------
    file
        What to read.
    delimiter
        One character.
    names
        Names of the columns of a file without header.
    types
        Kinds of columns, where the first block would mislead: ``"number"``, ``"integer"`` (64 bits, for large ids),
        ``"text"``, ``"boolean"``, ``"time"``.
    missing
        Texts, quoted or not, that stand for a missing value.
    block_bytes
        How much to decode at a time.

    Raises
    ------
    InputError
        If the file is empty, or the names of its columns are not text or not distinct.
    OptionError
        If an option is out of range or names an unknown column.
    """

    def __init__(
        self,
        file: DataFile,
        *,
        delimiter: str = ",",
        names: Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        missing: Sequence[str] = MISSING,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise OptionError(f"delimiter must be one ASCII character, not a quote or a newline; got {delimiter!r}")
        asked = check_kinds(types)
        self._parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        self._missing = list(missing)
        self._row_ends = RowEnds(delimiter)
        self._names = list(names or ())
        self._has_header = not self._names
        super().__init__(file, block_bytes)
        check_columns(file.path, self._names)
        check_known("types: there is no column", list(asked), self._names)
        self._asked = set(asked)
        inferred = self._inferred(self._peek())
        self.schema = pin(inferred, asked)
        self.integers = whole(inferred, self.schema)

    # -- header and types -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._has_header:
            return
        rows = self._take()
        end = next(self._ends(rows), 0)
        if not rows:
            raise InputError(f"{self.file.path} is empty: expected a header with the names of the columns")
        if not end:
            raise InputError(f"{self.file.path}: a quote is opened in the header but never closed")
        self._put(rows[end:])
        try:
            self._names = [cell.decode() for cell in self._cells(rows[:end])]
        except UnicodeDecodeError as error:
            raise InputError(f"{self.file.path}: the header is not UTF-8 ({error}); convert the file") from None

    def _inferred(self, sample: bytes) -> pa.Schema:
        if not sample:
            return pa.schema([(name, pa.null()) for name in self._names])
        parsing = csv.ParseOptions(
            delimiter=self._parsing.delimiter, newlines_in_values=True, invalid_row_handler=lambda row: "skip"
        )
        table = csv.read_csv(
            pa.BufferReader(sample),
            read_options=self._reading(sample),
            parse_options=parsing,
            convert_options=self._converting({}),
        )
        return pa.schema(
            [
                (field.name, pa.float64() if _is_mostly_numbers(values) else field.type)
                for field, values in zip(table.schema, table.columns, strict=True)
            ]
        )

    # -- rows -----------------------------------------------------------------------------------------------------

    def _decode(self, rows: bytes) -> pa.RecordBatch:
        if self._is_quote_open(rows):
            raise NotDecodedError("a quote is opened but never closed")
        batch = one_batch(self._parsed(rows, {field.name: field.type for field in self.schema}))
        if QUOTE not in rows and batch.num_rows != rows.count(b"\n"):
            raise NotDecodedError("a carriage return stands within the row; end rows with a newline")
        return batch

    def _parsed(self, rows: bytes, types: Mapping[str, pa.DataType], columns: Sequence[str] = ()) -> pa.Table:
        return csv.read_csv(
            pa.BufferReader(rows),
            read_options=self._reading(rows),
            parse_options=self._parsing,
            convert_options=self._converting(types, columns),
        )

    def _reading(self, rows: bytes) -> csv.ReadOptions:
        return csv.ReadOptions(column_names=self._names, block_size=len(rows) + 1)  # one block: rows stay whole

    def _converting(self, types: Mapping[str, pa.DataType], columns: Sequence[str] = ()) -> csv.ConvertOptions:
        return csv.ConvertOptions(
            column_types=types, include_columns=list(columns), null_values=self._missing, strings_can_be_null=True
        )

    def _cells(self, row: bytes) -> list[bytes]:
        cells = csv.read_csv(
            pa.BufferReader(row),
            read_options=csv.ReadOptions(autogenerate_column_names=True, block_size=len(row) + 1),
            parse_options=self._parsing,
            convert_options=csv.ConvertOptions(default_column_type=pa.binary()),
        )
        return [column[0].as_py() for column in cells.columns]

    def _diagnose(self, row: bytes, error: Exception) -> tuple[str | None, str]:
        if isinstance(error, NotDecodedError):
            return None, str(error)
        cells = self._cells(row)
        if len(cells) != len(self._names):
            return None, f"expected {len(self._names)} values, got {len(cells)}"
        for field, cell in zip(self.schema, cells, strict=True):
            try:
                value = cell.decode()
            except UnicodeDecodeError:
                return field.name, f"{show(cell)} is not UTF-8; convert the file"
            try:
                self._parsed(row, {field.name: field.type}, [field.name])
            except pa.ArrowInvalid:
                hint = "" if field.name in self._asked else f" (if it holds text: types={{{field.name!r}: 'text'}})"
                return field.name, f"expected {expected(field.type)}, got {show(value)}{hint}"
        return None, str(error)

    # -- where rows end ---------------------------------------------------------------------------------------------

    def _ends(self, rows: bytes) -> Iterator[int]:
        return super()._ends(rows) if QUOTE not in rows else self._row_ends.each(rows)

    def _last_end(self, data: bytes) -> int:
        return self._row_ends.last(data)

    def _middle(self, rows: bytes) -> int:
        return super()._middle(rows) if QUOTE not in rows else self._row_ends.middle(rows)

    def _is_quote_open(self, rows: bytes) -> bool:
        return self._at_end and QUOTE in rows and self._row_ends.last(rows) < len(rows)

    def _count(self, rows: bytes) -> int:
        if QUOTE not in rows:
            return super()._count(rows)
        try:
            return int(self._decode(rows).num_rows)
        except (ValueError, pa.ArrowException):
            return sum(1 for _ in self._ends(rows)) + self._is_quote_open(rows)

    def _clean(self, rows: bytes) -> bytes:
        if QUOTE in rows or not may_have_blank_lines(rows):
            return rows
        return re.sub(rb"(?m)^\r?\n", b"", rows)  # Arrow would skip them: so rows are quick to count


def _is_mostly_numbers(values: pa.ChunkedArray) -> bool:
    """Whether a column came out as text only because of a few cells; those are errors then, not categories."""
    if not pa.types.is_string(values.type):
        return False
    numbers = pc.sum(pc.match_substring_regex(values, NUMBER)).as_py()
    return bool(numbers) and numbers >= MOSTLY * (len(values) - values.null_count)
