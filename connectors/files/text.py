"""The part that readers of text formats share: blocks of whole rows, and the search for the row that is bad.

A block of bytes is decoded as a whole, by Arrow. Where that fails, the block is halved until the bad row is alone: so
the rows before it are handed out, the error names it, and no good row is ever looked at in Python.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from streamlearn.errors import InputError, OptionError

from .blocks import BadRowError, BlockReader
from .opening import DataFile

BLOCK_BYTES = 1 << 20  # the fastest for CSV and JSON among 256 kB, 1 MB and 4 MB
MAX_ROW_BYTES = 1 << 26
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NEWLINE, SPACE = b"\n "
BLANK_LINE = re.compile(rb"^[ \t]*\r?\n", re.MULTILINE)


class NotDecodedError(ValueError):
    """A block, or a row, is not what the format demands."""


class TextReader(BlockReader):
    """Base of the readers of text formats.

    Parameters
    ----------
    file
        What to read.
    block_bytes
        How much to decode at a time; at least 1, and 3 are read whatever it is.
    """

    def __init__(self, file: DataFile, block_bytes: int) -> None:
        super().__init__(file)
        if block_bytes < 1:
            raise OptionError(f"block_bytes must be at least 1, not {block_bytes}")
        self._block_bytes = block_bytes
        self._stream: pa.NativeFile | None = None
        self._rewind()

    # -- what a format adds -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take the header off the stream, which is at its start."""

    @abstractmethod
    def _decode(self, rows: bytes) -> pa.RecordBatch:
        """Decode whole rows; raises ValueError or ArrowException where one of them is bad."""

    @abstractmethod
    def _diagnose(self, row: bytes, error: Exception) -> tuple[str | None, str]:
        """The column to blame and what is wrong, given one bad row and what `_decode` said about it."""

    def _clean(self, rows: bytes) -> bytes:
        """Remove lines that are no rows; called on blocks of whole rows."""
        return BLANK_LINE.sub(b"", rows) if may_have_blank_lines(rows) else rows

    def _last_end(self, data: bytes) -> int:
        """Where the last whole row of ``data`` ends; 0 if none does."""
        return data.rfind(b"\n") + 1

    def _ends(self, rows: bytes) -> Iterator[int]:
        """Where each row ends."""
        end = rows.find(b"\n") + 1
        while end:
            yield end
            end = rows.find(b"\n", end) + 1

    def _count(self, rows: bytes) -> int:
        """How many rows there are, bad ones included."""
        return rows.count(b"\n")

    def _middle(self, rows: bytes) -> int:
        """Where some row near the middle ends; 0 or the length if there is one row only."""
        half = len(rows) // 2
        end = rows.find(b"\n", half) + 1
        return end if end < len(rows) else rows.rfind(b"\n", 0, half) + 1

    # -- bytes ----------------------------------------------------------------------------------------------------

    def _rewind(self) -> None:
        self.close()
        self._stream = self.file.stream()
        self._parts: list[bytes] = []  # whole rows that are not decoded yet, the next ones last
        self._tail = b""
        self._at_end = False
        self._damage: InputError | None = None
        self._row = 0
        self._at_start = True
        self._begin()

    def _has_rows(self) -> bool:
        """Read on until there is a part to decode; False at the end of the file."""
        while not self._parts and not self._at_end:
            data = self._tail + self._read_bytes()
            if self._at_end and data and not data.endswith(b"\n"):
                data += b"\n"
            end = len(data) if self._at_end else self._last_end(data)
            self._tail = data[end:]
            if len(self._tail) > MAX_ROW_BYTES:
                raise InputError(
                    f"{self.file.path}: row {self._row + 1} is longer than {MAX_ROW_BYTES >> 20} MB; "
                    "is a quote left open, or is this not a text file?"
                )
            self._put(data[:end])
        return bool(self._parts)

    def _read_bytes(self) -> bytes:
        """One block; less of it, and `_at_end` set, at the end of the file."""
        if self._stream is None:
            raise InputError(f"{self.file.path} is closed: open it again")
        if self._damage is not None:
            raise self._damage  # again: a stream that failed would look like the end of the file
        wanted = max(self._block_bytes, len(BYTE_ORDER_MARK))
        data = b""
        try:
            while len(data) < wanted and not self._at_end:
                more: bytes = self._stream.read(wanted - len(data))
                data += more
                self._at_end = not more
        except OSError as error:
            self._damage = InputError(self.file.damaged(error))
            raise self._damage from error
        if self._at_start:
            self._at_start = False
            data = data.removeprefix(BYTE_ORDER_MARK)
        return data

    def _take(self) -> bytes:
        """Take the next rows, for a header; empty at the end of the file."""
        return self._parts.pop() if self._has_rows() else b""

    def _put(self, rows: bytes) -> None:
        """Make whole rows the next ones to decode."""
        rows = self._clean(rows)
        if rows:
            self._parts.append(rows)

    def _peek(self) -> bytes:
        """The next rows, left where they are; empty at the end of the file."""
        return self._parts[-1] if self._has_rows() else b""

    # -- rows -----------------------------------------------------------------------------------------------------

    def _next_block(self) -> pa.RecordBatch | None:
        while self._has_rows():
            part = self._parts.pop()
            try:
                block = self._decode(part)
            except (ValueError, pa.ArrowException) as error:
                middle = self._middle(part)
                if 0 < middle < len(part):
                    self._put(part[middle:])
                    self._put(part[:middle])
                    continue
                self._put(part)
                raise self.bad_row(part, error) from None
            self._row += block.num_rows
            if block.num_rows:
                return block
        return None

    def bad_row(self, row: bytes, error: Exception) -> BadRowError:
        """The error that says what is wrong with the next row."""
        field, reason = self._diagnose(row, error)
        return BadRowError(self.file.path, self._row + 1, field, reason, row.rstrip(b"\r\n"))

    def _jump(self, row: int) -> int:
        if row < self._row:
            self._rewind()
        while self._row < row and self._has_rows():
            part = self._parts.pop()
            count = self._count(part)
            if self._row + count <= row:
                self._row += count
            else:
                end = next(islice(self._ends(part), row - self._row - 1, None))
                self._put(part[end:])
                self._row = row
        return self._row

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def may_have_blank_lines(rows: bytes) -> bool:
    """Whether some line begins with a space or a control character; many times faster than a search for the lines."""
    codes = np.frombuffer(rows, np.uint8)
    return bool(rows) and bool(codes[0] <= SPACE or ((codes[:-1] == NEWLINE) & (codes[1:] <= SPACE)).any())


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """The rows of a table as one record batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def show(value: object, limit: int = 60) -> str:
    """A value for a message, cut if it is long."""
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
