"""Writes lines behind each other into one file, which can be cut back to any state."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlearn.errors import RefusedError, SinkError
from streamlearn.sink import Output

from .part import mark_of
from .writer import lock, refused, sync_folder

BUFFER = 1 << 20
"""Bytes that are kept before they are given to the system."""


class LinesWriter:
    """One file of lines, open for appending.

    Bytes move one way: from the buffer, to the file, to the disk. What a full disk refused stays in the buffer, so
    that a later `flush` goes on just behind what was taken. A failed sync is final: the system may have thrown the
    bytes away, and a second sync would not tell (so does Linux); only a restore from the last state is safe then.

    Parameters
    ----------
    path
        The file; made if it is not there.
    state
        What `state` gave; None at the beginning.
    exact
        Whether to cut back to the state.
    sync
        Whether to wait for the disk at each flush.

    Raises
    ------
    SinkError
        If the file is another's, or lacks what the state says it has.
    """

    def __init__(self, path: Path, state: Any | None, *, exact: bool, sync: bool) -> None:
        self.path, self._exact, self._sync = path, exact, sync
        self._buffer = bytearray()
        self._lines = 0
        self._broken: str | None = None
        fresh = not os.path.exists(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise refused(path, error) from error
        try:
            lock(self._file, path)
            self._size = os.fstat(self._file).st_size
            if state is not None:
                self._go_to(state)
            elif exact and self._size:
                raise RefusedError(
                    f"{path} has {self._size:,} bytes that this pipeline's checkpoints know nothing of, and nothing is "
                    f"taken away that may be somebody else's: move the file away, or choose another path"
                )
            self._mend()
            if fresh and sync:
                sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise refused(path, error) from error
        except BaseException:
            self.close()
            raise

    def _go_to(self, state: Any) -> None:
        size, lines, mark = _fields_of(state, self.path)
        intact = self._size >= size and mark_of(self._file, size) == mark
        if not self._exact:
            self._lines = lines if intact else 0  # moved away or rotated: the user's right, where nothing is promised
            return
        if self._size < size:
            raise RefusedError(
                f"{self.path} has {self._size:,} bytes, and {size:,} were committed: outputs are lost. Bring the file "
                f"back, or start afresh without the checkpoint"
            )
        if not intact:
            raise RefusedError(
                f"{self.path} is not the file whose {size:,} bytes were committed: it was replaced or edited. Bring it "
                f"back, or start afresh without the checkpoint"
            )
        os.ftruncate(self._file, size)
        self._size, self._lines = size, lines

    def _mend(self) -> None:
        """See that the next line begins on its own: end the last one, or cut it off where a crash tore it."""
        start = self._size
        while start and b"\n" not in (block := os.pread(self._file, min(start, 65536), max(start - 65536, 0))):
            start -= len(block)
        if start:
            start = max(start - 65536, 0) + block.rindex(b"\n") + 1
        if start == self._size:
            return
        try:
            json.loads(os.pread(self._file, self._size - start, start))
        except (ValueError, RecursionError):
            os.ftruncate(self._file, start)
            self._size = start
        else:
            self._buffer += b"\n"

    def write(self, output: Output) -> None:
        """Take outputs."""
        self._check()
        if len(self._buffer) >= BUFFER:  # first, so that outputs which are refused were not taken in part
            self._drain()
        values = output.messages("json").values
        if not values:
            return
        text = b"\n".join(values)
        if text.count(b"\n") != len(values) - 1:
            raise RefusedError(f"can't write {self.path}: a record has a line end in it")
        self._buffer += text
        self._buffer += b"\n"
        self._lines += len(values)

    def flush(self) -> None:
        """Have everything in the file, and on the disk."""
        self._check()
        self._drain()
        if self._sync:
            try:
                os.fdatasync(self._file)
            except OSError as error:
                self._broken = f"{self.path} could not be synced ({error.strerror}); go back to the last checkpoint"
                raise SinkError(self._broken) from error
        self._see_that_it_is_there()

    def _see_that_it_is_there(self) -> None:
        """What is written into a file without a name is lost when it is closed: nothing of it may be committed."""
        try:
            there = os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except OSError:
            there = False
        if there:
            return
        self._broken = f"{self.path} was removed or replaced while it was written"
        if self._exact:
            raise RefusedError(f"{self._broken}: bring the file back, or start afresh without the checkpoint")
        raise SinkError(f"{self._broken}: what was not committed goes to a new one")

    def _drain(self) -> None:
        taken = 0
        try:
            with memoryview(self._buffer) as text:
                while taken < len(text):
                    taken += os.pwrite(self._file, text[taken:], self._size + taken)
        except OSError as error:
            raise refused(self.path, error) from error
        finally:
            self._size += taken
            del self._buffer[:taken]

    def state(self) -> dict[str, Any]:
        """How far the file goes."""
        return {"bytes": self._size, "rows": self._lines, "mark": mark_of(self._file, self._size)}

    def _check(self) -> None:
        if self._broken is not None:
            raise SinkError(self._broken)

    def close(self) -> None:
        """Close the file without flushing; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _fields_of(state: Any, path: Path) -> tuple[int, int, str]:
    if isinstance(state, Mapping):
        size, lines, mark = state.get("bytes"), state.get("rows"), state.get("mark")
        if type(size) is int and type(lines) is int and size >= 0 and lines >= 0 and isinstance(mark, str):
            return size, lines, mark
    raise RefusedError(f"{path}: {state!r} is no state of a file of lines; was the sink's format changed?")
