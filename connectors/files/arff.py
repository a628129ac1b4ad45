"""Reads ARFF, the format of Weka and MOA."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from streamlearn.errors import InputError

from .arff_header import QUOTED, Attribute, attributes, unquoted
from .kinds import check_columns, expected
from .opening import DataFile
from .text import BLOCK_BYTES, NotDecodedError, TextReader, one_batch, show

MISSING = "?"
NO_ROW = re.compile(rb"^[ \t]*(?:%[^\n]*)?\r?\n", re.MULTILINE)
DATA_LINE = re.compile(rb"^[ \t]*@data[^\n]*\n", re.MULTILINE | re.IGNORECASE)
SPACED = re.compile(rb"[ \t\r]*([,\n])[ \t]*")
CELL = re.compile(rf"[ \t]*({QUOTED}|(?!['\"])[^,%]*?)[ \t\r]*(,|%.*|$)")


class ArffReader(TextReader):
    """Reads ARFF, decoded by Arrow a block at a time.

    Numeric, real and integer attributes are float64, nominal ones ``dictionary<int32, string>`` in the declared order,
    dates timestamps. The last attribute is the `default_target`, as in MOA. Values are separated by commas. Sparse
    rows, instance weights and relational attributes are refused.

    Blocks with backslash escapes, with both kinds of quotes, with spaces next to quotes, or with a comment behind a row
    are taken apart by a Python loop first: right, but slower.

    Parameters
    ----------
    file
        What to read.
    block_bytes
        How much to decode at a time.

    Raises
    ------
    InputError
        If the header is not understood.
    """

    def __init__(self, file: DataFile, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._attributes: list[Attribute] = []
        super().__init__(file, block_bytes)
        names = [attribute.name for attribute in self._attributes]
        check_columns(file.path, names)
        self.schema = pa.schema([(attribute.name, attribute.type) for attribute in self._attributes])
        self.declared = {a.name: list(a.categories) for a in self._attributes if a.kind == "nominal"}
        self.default_target = names[-1]
        self._types = {a.name: pa.string() if a.kind == "date" else a.type for a in self._attributes}
        self._dictionaries = {name: pa.array(values, pa.string()) for name, values in self.declared.items()}

    def _begin(self) -> None:
        header = self._take_header()
        try:
            self._attributes = attributes(header.decode().split("\n"))
        except UnicodeDecodeError as error:
            raise InputError(f"{self.file.path}: the header is not UTF-8 ({error}); convert the file") from None
        except ValueError as error:
            raise InputError(f"{self.file.path}: {error}") from None

    def _take_header(self) -> bytes:
        header = b""
        while True:
            rows = self._take()
            if not rows:
                raise InputError(f"{self.file.path} has no line '@data': is it an ARFF file?")
            header += rows
            data = DATA_LINE.search(header)
            if data:
                self._put(header[data.end() :])
                return header[: data.start()]

    def _clean(self, rows: bytes) -> bytes:
        return NO_ROW.sub(b"", rows) if b"%" in rows else super()._clean(rows)

    # -- rows -----------------------------------------------------------------------------------------------------

    def _decode(self, rows: bytes) -> pa.RecordBatch:
        text, quote = self._canonical(rows)
        table = csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(column_names=self.schema.names, block_size=len(text) + 1),
            parse_options=csv.ParseOptions(quote_char=quote),
            convert_options=csv.ConvertOptions(
                column_types=self._types,
                null_values=[MISSING],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        batch = one_batch(table)
        columns = [self._finished(*pair) for pair in zip(self._attributes, batch.columns, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _finished(self, attribute: Attribute, values: pa.Array) -> pa.Array:
        if attribute.kind == "date":
            return pc.strptime(values, format=attribute.date_format, unit="us")
        if attribute.kind != "nominal":
            return values
        declared = self._dictionaries[attribute.name]
        codes = pc.index_in(values.dictionary, value_set=declared)
        if codes.null_count:
            raise NotDecodedError("a category is not declared")
        return pa.DictionaryArray.from_arrays(codes.take(values.indices), declared)

    def _canonical(self, rows: bytes) -> tuple[bytes, str | bool]:
        """The rows as CSV that Arrow reads, and the quote that it uses."""
        single, double = b"'" in rows, b'"' in rows
        spaced = b" " in rows or b"\t" in rows or b"\r" in rows
        if (single and double) or b"\\" in rows or b"%" in rows or b"{" in rows:
            return self._taken_apart(rows), '"'
        if not single and not double:
            return (SPACED.sub(rb"\1", rows).lstrip(b" \t") if spaced else rows), False
        if spaced and SPACED.sub(rb"\1", rows) != rows:
            return self._taken_apart(rows), '"'
        return rows, "'" if single else '"'

    def _taken_apart(self, rows: bytes) -> bytes:
        lines = []
        for line in rows.decode().removesuffix("\n").split("\n"):
            cells = split_row(line)
            lines.append(",".join(c if c == MISSING else '"' + unquoted(c).replace('"', '""') + '"' for c in cells))
        return "\n".join(lines).encode() + b"\n"

    def _diagnose(self, row: bytes, error: Exception) -> tuple[str | None, str]:
        try:
            cells = split_row(row.decode().rstrip("\r\n"))
        except UnicodeDecodeError:
            return None, "the row is not UTF-8; convert the file"
        except NotDecodedError as bad:
            return None, str(bad)
        if len(cells) != len(self._attributes):
            return None, f"expected {len(self._attributes)} values separated by commas, got {len(cells)}"
        for attribute, cell in zip(self._attributes, cells, strict=True):
            value = unquoted(cell)
            if cell != MISSING and not _fits(value, attribute):
                if attribute.kind != "nominal":
                    return attribute.name, f"expected {expected(attribute.type)}, got {show(value)}"
                known = ", ".join(attribute.categories[:8]) + ("…" if len(attribute.categories) > 8 else "")
                return attribute.name, f"category {show(value)} is not declared; declared are {known}"
        return None, str(error)


def split_row(line: str) -> list[str]:
    """The values of one row as they are written, quotes included.

    Raises
    ------
    NotDecodedError
        If the row is sparse, has a weight, or has a quote that is not closed.

    Examples
    --------
    >>> split_row("5.1, 'a, b',?  % a comment")
    ['5.1', "'a, b'", '?']
    """
    if line.lstrip().startswith("{"):
        raise NotDecodedError("sparse rows are not supported; convert the file with Weka's filter SparseToNonSparse")
    cells: list[str] = []
    end, more = 0, True
    while more:
        match = CELL.match(line, end)
        if match is None:
            raise NotDecodedError(f"a quote is not closed, or text follows it: {show(line[end:])}")
        if match[1].startswith("{"):
            raise NotDecodedError("instance weights are not supported; write the weight as an attribute of its own")
        cells.append(match[1])
        end, more = match.end(), match[2] == ","
    return cells


def _fits(value: str, attribute: Attribute) -> bool:
    if attribute.kind == "nominal":
        return value in attribute.categories
    try:
        if attribute.kind == "date":
            pc.strptime(pa.array([value]), format=attribute.date_format, unit="us")
        elif attribute.kind == "numeric":
            pa.scalar(value).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
