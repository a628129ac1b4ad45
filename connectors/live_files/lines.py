"""Reads lines of a file that may be growing, as fast as they can be split, from any line on."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamlearn.errors import PositionError, SourceError

from .part import Part, Piece, mark_of
from .place import COMPRESSED

BLOCK = 1 << 17
"""Bytes read at a time: what is split stays in the processor's cache."""

MOST = 1 << 24
"""Bytes read for one piece, in about: few long lines make a piece as well as many short ones."""

_BOM = b"\xef\xbb\xbf"
_ROWS_PER_BYTE = 1 / 200  # for the lag, until a row was seen
_COMPRESSIONS = dict(zip(COMPRESSED, ("gzip", "zstd"), strict=True))


class LinesPart(Part):
    """The lines of one file, which may be compressed if it does not grow.

    A row is a line; empty ones are counted, but not handed out. Of a line longer than ``max_line`` bytes, memory never
    holds more: it is handed out cut, with a remark at its end that no JSON decoder accepts.

    Parameters
    ----------
    path
        The file.
    row, byte
        Where to begin.
    max_line
        In bytes, at least `BLOCK`.
    """

    def __init__(self, path: Path, *, row: int = 0, byte: int = 0, max_line: int = 1 << 24) -> None:
        super().__init__(path)
        self.row, self.byte = row, byte
        self._max_line = max_line
        self._read = 0  # where in the (decompressed) file the next block begins
        self._lines: list[bytes] = []  # whole lines, of which the first `_given` were handed out
        self._given = 0
        self._cuts: list[tuple[int, int]] = []  # rows that were cut, and how many bytes of the file they lack
        self._rest: list[bytes] = []  # the beginning of a line whose end was not read yet
        self._rest_size = 0  # how long it is in the file; more than is kept of a line that is too long
        self._returns = False  # whether there are carriage returns, which may end lines
        self._end: tuple[int, str] | None = None  # where the end was when last seen, and a checksum of what is before
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(f"can't open {path}: {error.strerror}") from error
        self._unpack: pa.NativeFile | None = None
        if compression := _COMPRESSIONS.get(path.suffix.lower()):
            self._packed = pa.PythonFile(os.fdopen(os.dup(self._file), "rb"), mode="r")
            self._unpack = pa.CompressedInputStream(self._packed, compression)
        try:
            self._skip_to(byte)
        except BaseException:
            self.close()
            raise

    def _skip_to(self, byte: int) -> None:
        if self._unpack is None:
            self._read = byte
            return
        while self._read < byte:
            block = self._block(min(BLOCK, byte - self._read))
            if not block:
                raise PositionError(f"{self.path} is shorter than it was: it ends at byte {self._read}, before {byte}")

    def read(self, max_rows: int, *, complete: bool) -> Piece | None:
        """The next lines (see `Part.read`)."""
        while True:
            self._fill(max_rows)
            if self._given == len(self._lines) and not (complete and self._finish()):
                return None
            piece = self._piece(self._lines[self._given : self._given + max_rows])
            if len(piece.offsets):
                return piece

    def _piece(self, lines: list[bytes]) -> Piece:
        first = self.row
        self._given += len(lines)
        self.row += len(lines)
        self.byte += sum(map(len, lines)) + len(lines)
        while self._cuts and self._cuts[0][0] < self.row:
            self.byte += self._cuts.pop(0)[1]
        if first == 0 and lines[0].startswith(_BOM):
            lines[0] = lines[0].removeprefix(_BOM)
        if self._returns:
            lines = [line.removesuffix(b"\r") for line in lines]
        if not all(lines):
            kept = [i for i, line in enumerate(lines) if line]
            return Piece(first + np.array(kept, np.int64), [lines[i] for i in kept])
        return Piece(np.arange(first, self.row), lines)

    def _fill(self, rows: int) -> None:
        """Have so many whole lines to hand out, if the file has them at the moment."""
        if len(self._lines) - self._given >= rows:
            return
        if self._end is not None:
            self._check_same(*self._end)
        self._lines, self._given = self._lines[self._given :], 0
        enough = self._read + MOST
        while len(self._lines) < rows and (self._read < enough or not self._lines):
            block = self._block(BLOCK)
            if not block:
                self._note_end()
                return
            self._returns = self._returns or b"\r" in block
            lines = block.split(b"\n")
            self._hold(lines[0])
            if len(lines) > 1:
                lines[0] = self._held_line(ended=True)
                self._hold(lines.pop())
                self._lines += lines

    def _finish(self) -> bool:
        """Take what is left of a complete file for a line."""
        if not self._rest_size:
            return False
        self._lines, self._given = [self._held_line(ended=False)], 0
        return True

    def _hold(self, text: bytes) -> None:
        room = self._max_line + 1 - min(self._rest_size, self._max_line + 1)
        if text and room:
            self._rest.append(text[:room])
        self._rest_size += len(text)

    def _held_line(self, *, ended: bool) -> bytes:
        line, size = b"".join(self._rest), self._rest_size
        self._rest, self._rest_size = [], 0
        if size > self._max_line:
            line = line[: self._max_line] + b" ... cut: the line has %d bytes, max_line is %d" % (size, self._max_line)
        lacking = size - len(line) - (not ended)
        if lacking:
            self._cuts.append((self.row + len(self._lines) - self._given, lacking))
        return line

    def _block(self, size: int) -> bytes:
        try:
            block = os.pread(self._file, size, self._read) if self._unpack is None else self._unpack.read(size)
        except OSError as error:
            raise SourceError(f"can't read {self.path} behind byte {self._read}: {error}") from error
        self._read += len(block)
        return block

    def _note_end(self) -> None:
        if self._unpack is None and (self._end is None or self._end[0] != self._read):
            self._end = self._read, mark_of(self._file, self._read)

    def _check_same(self, end: int, mark: str) -> None:
        """Refuse a file that was cut short or written anew since its end was reached."""
        size = os.fstat(self._file).st_size
        if size < end:
            raise PositionError(
                f"{self.path} was cut short: it has {size} bytes, and {end} were read. A file that is followed "
                f"may only grow; begin a new file in the folder instead"
            )
        if size > end and mark != mark_of(self._file, end):
            raise PositionError(f"{self.path} was written anew after {end} bytes of it were read")

    def mark(self) -> str:
        """A checksum of the file up to the next line; of the whole of a compressed one."""
        return mark_of(self._file, self.byte if self._unpack is None else os.fstat(self._file).st_size)

    @property
    def same_file(self) -> bool:
        """Whether the path still leads to the file that is being read; also if it leads nowhere."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except FileNotFoundError:
            return True

    def rows_left(self, bytes_behind: int) -> int:
        """About how many lines follow, by the lengths of those before."""
        read = self.byte if self._unpack is None else self._packed.tell()
        left = bytes_behind + max(os.fstat(self._file).st_size - read, 0)
        return math.ceil(left * (self.row / read if self.row else _ROWS_PER_BYTE))

    def close(self) -> None:
        """Let go of the file."""
        if self._unpack is not None:
            self._unpack.close()
            self._packed.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
