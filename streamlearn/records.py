"""What a live source delivers and a format decodes: raw records with their positions, and the rows made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import pyarrow as pa

from .batch import Batch

Header = tuple[str, bytes | None]


class Stamps:
    """When records were written, asked for when somebody wants to know: to ask a client costs as much as to read.

    It is used as an array is: a row, some rows, a slice, or all by ``np.asarray``.

    Parameters
    ----------
    of
        The time of a row in seconds since the epoch, NaN where it is not known.
    rows
        Which rows these are.
    """

    __slots__ = ("_of", "_rows")

    def __init__(self, of: Callable[[int], float], rows: range) -> None:
        self._of, self._rows = of, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Stamps: ...
    @overload
    def __getitem__(self, index: np.ndarray) -> np.ndarray: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Stamps(self._of, self._rows[index])
        if isinstance(index, np.ndarray):
            return np.array([self._of(self._rows[row]) for row in index.tolist()], np.float64)
        return self._of(self._rows[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array([self._of(row) for row in self._rows], np.float64 if dtype is None else dtype)


@dataclass(slots=True)
class Records:
    """Consecutive records of one partition, as they came.

    Parameters
    ----------
    partition
        The partition's name within its source, such as ``events-3``; a file source has one partition, whatever the
        number of its files.
    origin
        What the records' ids begin with: a record's id is ``<origin>-<offset>``. The topic and partition in Kafka, the
        file's name in a file source.
    offsets : int64 [n]
        Offsets in Kafka, row numbers in files, rising.
    next
        The position, as JSON, at which the partition goes on after the last of these records.
    values
        The records' bytes; None is a tombstone. Empty where `table` is given.
    table
        The records as columns, from a columnar file.
    keys, headers
        Where the source has them, one each a record.
    times : float64 [n] or Stamps, optional
        When the record was written, in seconds since the epoch, by the source's clock.
    """

    partition: str
    origin: str
    offsets: np.ndarray
    next: Any
    values: Sequence[bytes | None] = ()
    table: pa.RecordBatch | None = None
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Sequence[Header]] | None = None
    times: np.ndarray | Stamps | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def slice(self, start: int, stop: int) -> Records:
        """Records ``start … stop-1``. Where they end before the others, `next` is an offset: for sources whose
        positions are offsets."""

        def cut(column: Any) -> Any:
            return None if column is None else column[start:stop]

        return Records(
            self.partition,
            self.origin,
            self.offsets[start:stop],
            self.next if stop >= len(self) else int(self.offsets[stop]),
            self.values[start:stop],
            None if self.table is None else self.table.slice(start, stop - start),
            cut(self.keys),
            cut(self.headers),
            cut(self.times),
        )

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Records one after the other, for a look at them all: ids are the first part's."""
        first = parts[0]
        if len(parts) == 1:
            return first
        table = None
        if first.table is not None:
            tables = pa.Table.from_batches([part.table for part in parts if part.table is not None])
            table = tables.combine_chunks().to_batches()[0]
        return cls(
            first.partition,
            first.origin,
            np.concatenate([part.offsets for part in parts]),
            parts[-1].next,
            [value for part in parts for value in part.values],
            table,
        )

    def id(self, row: int) -> str:
        """The id of a record: ``<origin>-<offset>``."""
        return f"{self.origin}-{self.offsets[row]}"

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of some of the records."""
        prefix = self.origin + "-"
        return [prefix + str(offset) for offset in self.offsets[rows].tolist()]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be decoded or processed.

    Parameters
    ----------
    row
        Its place among the records.
    reason
        What is wrong, naming the field.
    """

    row: int
    reason: str


@dataclass(slots=True)
class Decoded:
    """The rows that a format made of records.

    Parameters
    ----------
    batch
        The good rows, in order, encoded by the decoder's schema; `Batch.id`, `Batch.event_time` and `Batch.key` are set
        where the schema names such columns.
    rows : int64 [len(batch)]
        Which record each row came from, rising.
    rejected
        The bad records, in order. Tombstones are neither rows nor rejected.
    """

    batch: Batch
    rows: np.ndarray
    rejected: list[Rejected] = field(default_factory=list)
