"""A columnar micro-batch of instances: what moves through the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from .schema import Schema


@dataclass(slots=True)
class Batch:
    """Instances encoded by a schema.

    Parameters
    ----------
    schema
        The schema that encoded the rows; it may grow later, codes keep their meaning.
    X : float64 [n, d], C-contiguous
        Nominal fields as category codes, missing values as NaN.
    y : int64 [n], float64 [n] or None
        Class codes (-1: no label) or values (NaN: no label); None where the stream has no target.
    weight : float64 [n] or None
        Instance weights, >= 0; None means 1 each.
    id : pyarrow.Array or None
        The instances' identifiers, as they came.
    event_time : float64 [n] or None
        Seconds since the epoch.
    label_time : float64 [n] or None
        When the target becomes known, in seconds since the epoch, at `event_time` or later; None means that it comes
        with the row.
    key : pyarrow.Array or None
        What separate models are kept for, as it came.
    position
        Where the source stands after this batch.

    Examples
    --------
    >>> import streamlearn as sl
    >>> batch = sl.Schema.of(["a"]).encode([{"a": 1.0}, {"a": 2.0}])
    >>> len(batch), batch.X.tolist()
    (2, [[1.0], [2.0]])
    """

    schema: Schema
    X: np.ndarray
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    id: pa.Array | None = None
    event_time: np.ndarray | None = None
    label_time: np.ndarray | None = None
    key: pa.Array | None = None
    position: Any = None

    def __len__(self) -> int:
        return len(self.X)

    def slice(self, start: int, stop: int) -> Batch:
        """Rows ``start … stop-1`` as views; `position` is dropped, since it belongs to the end of the whole batch."""

        def cut(column: Any) -> Any:
            return None if column is None else column[start:stop]

        return Batch(
            self.schema,
            self.X[start:stop],
            cut(self.y),
            cut(self.weight),
            cut(self.id),
            cut(self.event_time),
            cut(self.label_time),
            cut(self.key),
        )

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Cut the batch into batches of at most ``rows`` rows, in order."""
        for start in range(0, len(self), rows):
            yield self.slice(start, start + rows)
