"""Reads Arrow IPC: files (also called Feather V2) and streams."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import ipc

from streamlearn.errors import InputError

from .batches import BatchReader
from .opening import DataFile

FILE_MAGIC = b"ARROW1"
FEATHER_V1_MAGIC = b"FEA1"


class ArrowReader(BatchReader):
    """Reads the file and the stream format of Arrow IPC, which it tells apart by their first bytes.

    Going to a row of a file uses the index of its batches, as far as they were read; a stream is read from its start.
    Dictionary columns keep the order in which the file declares their categories.

    Parameters
    ----------
    file
        What to read.

    Raises
    ------
    InputError
        If the bytes are not Arrow IPC, or a column holds nested values.
    """

    def __init__(self, file: DataFile) -> None:
        super().__init__(file)
        self._is_file = self._magic() == FILE_MAGIC
        self._starts = [0]  # of a file: the first row of each batch read so far, and of the next
        self._bytes: pa.NativeFile | None = None
        try:
            self._open()
            self._begin(self._opened.schema)
        except InputError:
            self.close()
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            self.close()
            raise InputError(f"{file.path} is not whole Arrow IPC; fetch or write it again ({error})") from error

    def _magic(self) -> bytes:
        try:
            with self.file.stream() as stream:
                magic: bytes = stream.read(len(FILE_MAGIC))
        except OSError as error:
            raise InputError(self.file.damaged(error)) from error
        if magic.startswith(FEATHER_V1_MAGIC):
            raise InputError(f"{self.file.path} is Feather version 1; write it again with version 2")
        return magic

    def _open(self) -> None:
        self.close()
        self._bytes = self.file.random_access() if self._is_file else self.file.stream()
        self._opened = ipc.open_file(self._bytes) if self._is_file else ipc.open_stream(self._bytes)
        self._continue(self._from_batch(0) if self._is_file else iter(self._opened), 0)

    def _from_batch(self, first: int) -> Iterator[pa.RecordBatch]:
        for index in range(first, self._opened.num_record_batches):
            batch = self._opened.get_batch(index)
            if index + 1 == len(self._starts):
                self._starts.append(self._starts[index] + batch.num_rows)
            yield batch

    def _jump(self, row: int) -> int:
        if self._is_file:
            index = bisect_right(self._starts, row) - 1
            self._continue(self._from_batch(index), self._starts[index])
        elif row < self._row:
            self._open()
        return self._row

    def close(self) -> None:
        """Let go of the file."""
        if self._bytes is not None:
            self._bytes.close()
            self._bytes = None
