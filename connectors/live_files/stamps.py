"""Reads when records were written, where a field of theirs says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .part import Piece


class Stamps:
    """The times of rows by one of their fields: seconds since the epoch, or a column of Arrow's timestamps.

    Parameters
    ----------
    field
        Its name, in JSON objects or in tables.
    """

    def __init__(self, field: str) -> None:
        self._field = field
        stamp = msgspec.defstruct("Stamp", [("time", float, np.nan)], rename={"time": field}.get, gc=False)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(stamp).decode

    def of(self, piece: Piece) -> np.ndarray:
        """The times, float64 [n]; NaN where there is none, or the row can't be read."""
        if piece.table is not None:
            return self._of_table(piece.table)
        try:
            return np.array([self._decode(value).time for value in piece.values])
        except msgspec.MsgspecError:
            return self._of_lines(piece.values)

    def _of_lines(self, values: Sequence[bytes]) -> np.ndarray:
        times = np.full(len(values), np.nan)
        for row, value in enumerate(values):
            try:
                times[row] = self._decode(value).time
            except msgspec.MsgspecError:
                continue  # the format says what is wrong with it
        return times

    def _of_table(self, table: pa.RecordBatch) -> np.ndarray:
        if self._field not in table.schema.names:
            return np.full(table.num_rows, np.nan)
        column = table.column(self._field)
        if pa.types.is_timestamp(column.type):
            micros = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
            return pc.divide(pc.cast(micros, pa.float64()), 1e6).to_numpy(zero_copy_only=False)
        try:
            return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            return np.full(table.num_rows, np.nan)
