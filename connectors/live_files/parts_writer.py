"""Writes a folder of Parquet files, one a commit, each of which appears whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from streamlearn.errors import RefusedError, SinkError
from streamlearn.sink import Output

from .writer import lock, refused, sync_folder

ROWS_PER_GROUP = 1 << 16
"""Rows that are kept before they are compressed into the part that is being written."""
_PART = re.compile(r"part-(\d{8,})\.parquet")
_UNFINISHED = ".part.unfinished"


class PartsWriter:
    """A folder of parts, ``part-00000000.parquet`` and so on.

    Rows are written to a file with a name of its own, which takes its place among the parts at `flush`, by a rename.
    Committed parts may be moved away; later ones are numbered on.

    Parameters
    ----------
    path
        The folder; made if it is not there.
    state
        What `state` gave; None at the beginning.
    exact
        Whether to delete the parts after the state.
    sync
        Whether to wait for the disk at each flush.

    Raises
    ------
    SinkError
        If the folder has another's parts.
    """

    def __init__(self, path: Path, state: Any | None, *, exact: bool, sync: bool) -> None:
        self.path, self._exact, self._sync = path, exact, sync
        self._pending: list[pa.RecordBatch] = []
        self._waiting = 0
        self._writer: parquet.ParquetWriter | None = None
        self._broken: str | None = None
        self._rows = 0
        self._lock = -1
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            lock(self._lock, path)
            (path / _UNFINISHED).unlink(missing_ok=True)
            self._number = self._go_to(state)
        except OSError as error:
            self.close()
            raise refused(path, error) from error
        except BaseException:
            self.close()
            raise

    def _go_to(self, state: Any | None) -> int:
        """The number of the next part, after later ones were deleted if that is promised."""
        parts = {int(found[1]): name for name in os.listdir(self.path) if (found := _PART.fullmatch(name))}
        if state is None:
            if self._exact and parts:
                raise RefusedError(
                    f"{self.path} has {len(parts)} parts that this pipeline's checkpoints know nothing of, and nothing "
                    f"is taken away that may be somebody else's: move them away, or choose another path"
                )
            return max(parts, default=-1) + 1
        number, self._rows = _fields_of(state, self.path)
        if not self._exact:
            return max(max(parts, default=-1) + 1, number)
        for later in parts.keys() - set(range(number)):
            (self.path / parts[later]).unlink()
        sync_folder(self.path)
        return number

    def write(self, output: Output) -> None:
        """Take outputs."""
        self._check()
        if not len(output):
            return
        self._pending.append(output.table())
        self._waiting += len(output)
        if self._waiting >= ROWS_PER_GROUP:
            self._compress()

    def _compress(self) -> None:
        try:
            table = pa.Table.from_batches(self._pending)
            if self._writer is None:
                self._writer = parquet.ParquetWriter(self.path / _UNFINISHED, table.schema)
            self._writer.write_table(table)
        except (OSError, pa.ArrowException) as error:
            raise self._fail(error) from error
        self._rows += self._waiting
        self._pending, self._waiting = [], 0

    def flush(self) -> None:
        """Have what was written since the last flush in a part of its own, if there is anything."""
        self._check()
        if self._pending:
            self._compress()
        if self._writer is None:
            return
        try:
            writer, self._writer = self._writer, None
            writer.close()
            unfinished = self.path / _UNFINISHED
            if self._sync:
                with unfinished.open("rb") as file:
                    os.fsync(file.fileno())
            unfinished.rename(self.path / f"part-{self._number:08d}.parquet")
            if self._sync:
                sync_folder(self.path)
        except (OSError, pa.ArrowException) as error:
            raise self._fail(error) from error
        self._number += 1

    def _fail(self, error: Exception) -> SinkError:
        """A part that failed half-way can't be mended: only the last state is safe."""
        failure = refused(self.path, error) if isinstance(error, OSError) else SinkError(f"{self.path}: {error}")
        self._broken = f"{failure}; then go back to the last checkpoint"
        return SinkError(self._broken)

    def state(self) -> dict[str, Any]:
        """How many parts and rows there are."""
        return {"parts": self._number, "rows": self._rows}

    def _check(self) -> None:
        if self._broken is not None:
            raise SinkError(self._broken)

    def close(self) -> None:
        """Drop what was not flushed; idempotent."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError, pa.ArrowException):  # it is thrown away
                writer.close()
            (self.path / _UNFINISHED).unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _fields_of(state: Any, path: Path) -> tuple[int, int]:
    if isinstance(state, Mapping):
        parts, rows = state.get("parts"), state.get("rows")
        if type(parts) is int and type(rows) is int and parts >= 0 and rows >= 0:
            return parts, rows
    raise RefusedError(f"{path}: {state!r} is no state of a folder of parts; was the sink's format changed?")
