"""Arrow records: each one an Arrow IPC stream that holds one row."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .documents import DocumentFormat
from .table import documents_of


class ArrowFormat(DocumentFormat):
    """Decodes records that are Arrow IPC streams of one row each.

    One row a record, because a record is what has a position and an id, is set aside alone and is counted: a stream of
    many rows in one record is rejected. Columnar files have no such limit: their format is ``table``.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from streamlearn.connectors.formats import ArrowFormat
    >>> from streamlearn.format import Roles
    >>> from streamlearn.records import Records
    >>> row, sink = pa.record_batch({"price": [2.5]}), pa.BufferOutputStream()
    >>> with pa.ipc.new_stream(sink, row.schema) as writer:
    ...     writer.write_batch(row)
    >>> records = Records("events-0", "events-0", np.arange(1), 1, [sink.getvalue().to_pybytes()])
    >>> format = ArrowFormat()
    >>> format.decode(records, format.infer(records, Roles()), Roles()).batch.X.tolist()
    [[2.5]]
    """

    name = "arrow"

    def document(self, value: bytes) -> dict[Any, Any]:
        try:
            with pa.ipc.open_stream(value) as reader:
                table = reader.read_all()
            table.validate(full=True)
            rows = documents_of(table.slice(0, 2))
        except Exception as error:  # of whatever kind the damage provokes
            raise ValueError(f"no Arrow IPC stream: {type(error).__name__}: {error}") from None
        if len(rows) != 1:
            raise ValueError(f"it holds {table.num_rows} rows: send one row a record")
        return rows[0]
