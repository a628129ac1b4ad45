"""Reads Parquet."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet

from streamlearn.errors import InputError, OptionError

from .batches import BatchReader
from .opening import DataFile


class ParquetReader(BatchReader):
    """Reads Parquet, a batch of a row group at a time; going to a row skips the row groups before it.

    Dictionary columns keep the order in which the file declares their categories. Columns of plain strings stay so:
    they may be ids, whose dictionary would grow without bound.

    Parameters
    ----------
    file
        What to read.
    batch_rows
        How many rows to decode at a time; at least 1.

    Raises
    ------
    InputError
        If the file is not a whole Parquet file, or a column holds nested values.
    """

    def __init__(self, file: DataFile, *, batch_rows: int = 1 << 16) -> None:
        super().__init__(file)
        if batch_rows < 1:
            raise OptionError(f"batch_rows must be at least 1, not {batch_rows}")
        self._batch_rows = batch_rows
        self._bytes = file.random_access()
        try:
            self._parquet = parquet.ParquetFile(self._bytes)
            self.rows = self._parquet.metadata.num_rows
            self._continue(self._from_group(0), 0)
            self._begin(self._parquet.schema_arrow)
        except InputError:
            self._bytes.close()
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            self._bytes.close()
            raise InputError(f"{file.path} is not a whole Parquet file; fetch or write it again ({error})") from error

    def _from_group(self, first: int) -> Iterator[pa.RecordBatch]:
        groups = list(range(first, self._parquet.metadata.num_row_groups))
        return iter(self._parquet.iter_batches(self._batch_rows, row_groups=groups))

    def _jump(self, row: int) -> int:
        metadata = self._parquet.metadata
        start = group = 0
        while group < metadata.num_row_groups and start + metadata.row_group(group).num_rows <= row:
            start += metadata.row_group(group).num_rows
            group += 1
        self._continue(self._from_group(group), start)
        return start

    def close(self) -> None:
        """Let go of the file."""
        self._bytes.close()
