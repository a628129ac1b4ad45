"""Reads a Parquet file as columns, from any row on."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
from streamlearn.connectors.files import RecordReader, open_reader

from streamlearn.errors import InputError, PositionError, SourceError

from .part import Part, Piece, mark_of


class TablePart(Part):
    """The rows of one Parquet file, which is complete when it can be opened at all.

    Parameters
    ----------
    path
        The file.
    row
        Where to begin.
    """

    def __init__(self, path: Path, *, row: int = 0) -> None:
        super().__init__(path)
        self.row, self.byte = row, 0
        try:
            with path.open("rb") as file:
                self._size = os.fstat(file.fileno()).st_size
                self._mark = mark_of(file.fileno(), self._size)
            self._reader: RecordReader = open_reader(path, format="parquet")
        except (InputError, OSError) as error:
            raise SourceError(str(error)) from error
        self._rows = self._reader.rows or 0
        if row > self._rows:
            self.close()
            raise PositionError(f"{path} is shorter than it was: it has {self._rows} rows, fewer than {row}")
        self._reader.seek(row)

    def read(self, max_rows: int, *, complete: bool) -> Piece | None:
        """The next rows (see `Part.read`)."""
        try:
            table: pa.RecordBatch | None = self._reader.read(max_rows)
        except (InputError, pa.ArrowException, OSError) as error:
            raise SourceError(f"can't read {self.path} behind row {self.row}: {error}") from error
        if table is None:
            return None
        first, self.row = self.row, self.row + table.num_rows
        return Piece(np.arange(first, self.row), table=table)

    def mark(self) -> str:
        """A checksum of the file's ends, which hold what it contains and where."""
        return self._mark

    def rows_left(self, bytes_behind: int) -> int:
        """How many rows follow, and about how many in the files behind."""
        rows_per_byte = self._rows / self._size if self._size else 0.0
        return self._rows - self.row + math.ceil(bytes_behind * rows_per_byte)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
