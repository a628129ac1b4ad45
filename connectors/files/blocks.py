"""The part that all readers share: handing out the rows of blocks, going to a row, and the error for a bad row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from streamlearn.errors import InputError, OptionError
from streamlearn.source import Drift

from .opening import DataFile


class BadRowError(InputError):
    """A row of a file can't be decoded.

    The reader that raised it is still good: its `position` is that of the bad row, reading again raises the error
    again, and ``reader.seek(error.row)`` goes on behind the bad row.

    Attributes
    ----------
    path : Path
    row : int
        1-based, headers, comments and blank lines not counted.
    field : str or None
        Name of the column, where one is to blame.
    reason : str
    text : bytes
        The row as it stands in the file.
    """

    def __init__(self, path: Path, row: int, field: str | None, reason: str, text: bytes) -> None:
        where = f"{path}, row {row}" + ("" if field is None else f", column {field!r}")
        super().__init__(f"{where}: {reason}")
        self.path, self.row, self.field, self.reason, self.text = path, row, field, reason, text

    def __reduce__(self) -> tuple[type[BadRowError], tuple[Path, int, str | None, str, bytes]]:
        return type(self), (self.path, self.row, self.field, self.reason, self.text)


class BlockReader(ABC):
    """Base of the readers: they bring blocks of any size, it hands them out as asked.

    Parameters
    ----------
    file
        What to read.
    """

    schema: pa.Schema
    default_target: str | None = None
    rows: int | None = None
    drifts: Sequence[Drift] = ()

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.position = 0
        self.declared: dict[str, list[Any]] = {}
        self.integers: set[str] = set()
        self._held: pa.RecordBatch | None = None  # what is left of the last block
        self._row = 0  # the row with which the next block begins

    @abstractmethod
    def _next_block(self) -> pa.RecordBatch | None:
        """The next block, of one row at least, and `_row` set behind it; None at the end."""

    @abstractmethod
    def _jump(self, row: int) -> int:
        """Put `_row` at ``row``, or before it where that is cheaper, and return it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def read(self, max_rows: int) -> pa.RecordBatch | None:
        """The next rows, at most ``max_rows`` of them and never none; None at the end of the file.

        Parameters
        ----------
        max_rows
            At least 1. Fewer rows come where a block of the file ends.

        Raises
        ------
        BadRowError
            If the next row can't be decoded; rows before it were handed out.
        InputError
            If the file is damaged.
        """
        if max_rows < 1:
            raise OptionError(f"max_rows must be at least 1, not {max_rows}")
        block = self._held if self._held is not None else self._next_block()
        if block is None:
            return None
        self._held = block.slice(max_rows) if block.num_rows > max_rows else None
        rows = block.slice(0, max_rows)
        self.position += rows.num_rows
        return rows

    def seek(self, row: int) -> None:
        """Continue from the 0-based ``row``, in either direction; the number of rows is the end of the file.

        Raises
        ------
        InputError
            If the file has fewer rows.
        """
        if row < 0:
            raise OptionError(f"can't continue from row {row}: rows count from 0")
        ahead = row - self.position
        if self._held is not None and 0 <= ahead < self._held.num_rows:
            self._held = self._held.slice(ahead)
        else:
            self._held = None
            self._skip_to(row)
        self.position = row

    def _skip_to(self, row: int) -> None:
        self.position = self._jump(row)
        while self.position < row:
            block = self._next_block()
            if block is None:
                raise InputError(f"can't continue from row {row} of {self.file.path}: it has {self.position} rows")
            skipped = min(row - self.position, block.num_rows)
            self._held = block.slice(skipped) if skipped < block.num_rows else None
            self.position += skipped

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
