"""What the readers of one file have in common: pieces of rows, and a mark by which a file is known again."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

MARKED = 1024
"""Bytes at either end of what was read by which a file is known again."""


@dataclass(slots=True)
class Piece:
    """Consecutive rows of a file: lines or columns, and the rows' numbers, int64 [n]."""

    offsets: np.ndarray
    values: Sequence[bytes] = ()
    table: pa.RecordBatch | None = None


class Part(ABC):
    """One file, read from a row on.

    Attributes
    ----------
    row : int
        Rows of the file that were handed out.
    byte : int
        Where the next row begins, in the decompressed file; 0 where rows are found by their number.
    """

    row: int
    byte: int

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def read(self, max_rows: int, *, complete: bool) -> Piece | None:
        """The next rows; None if there are none at the moment.

        Parameters
        ----------
        max_rows
            At least 1.
        complete
            Whether nothing will be added to the file: a last line without an end is a line then.

        Raises
        ------
        PositionError
            If the file was cut short, or became another, since it was read.
        SourceError
            If it can't be read.
        """

    @abstractmethod
    def mark(self) -> str:
        """A checksum of what a file that has these rows must have in common with this one."""

    @abstractmethod
    def rows_left(self, bytes_behind: int) -> int:
        """About how many rows were not handed out, ``bytes_behind`` being the size of the files behind this one."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


def mark_of(file: int, end: int) -> str:
    """A checksum of the first and last bytes of a file's first ``end`` bytes."""
    known = hashlib.blake2b(digest_size=8)
    known.update(os.pread(file, min(end, MARKED), 0))
    known.update(os.pread(file, min(end, MARKED), max(end - MARKED, 0)))
    return known.hexdigest()
