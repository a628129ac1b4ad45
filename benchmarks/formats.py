"""Streams as files, in the formats that contestants read: Parquet, ARFF, Vowpal Wabbit's text.

pyarrow is imported late, so that it does not count as memory of contestants that only know the files' names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from streams import Stream

if TYPE_CHECKING:
    import pyarrow as pa

TARGET = "target"
PARQUET, ARFF, VW_TEXT = "rows.parquet", "rows.arff", "rows.vw"


def as_table(stream: Stream) -> pa.Table:
    """The stream as an Arrow table whose nominal columns and target declare their categories."""
    import pyarrow as pa

    columns = [_column(values, known) for values, known in zip(stream.X.T, stream.categories, strict=True)]
    columns.append(_column(stream.y, stream.classes))
    return pa.table(columns, names=[*stream.fields, TARGET])


def _column(values: np.ndarray, known: list[str] | None) -> pa.Array:
    import pyarrow as pa

    if known is None:
        return pa.array(values)
    return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int32)), pa.array(known))


def write_parquet(stream: Stream, folder: Path) -> None:
    """Write ``rows.parquet`` with pyarrow's defaults."""
    import pyarrow.parquet as pq

    pq.write_table(as_table(stream), folder / PARQUET)


def write_arff(stream: Stream, folder: Path) -> None:
    """Write ``rows.arff``; numbers keep all their digits."""
    import pyarrow as pa
    import pyarrow.csv

    kinds = ["numeric" if known is None else "{" + ",".join(known) + "}" for known in stream.categories]
    header = [f"@relation {stream.name}"]
    header += [f"@attribute {name} {kind}" for name, kind in zip(stream.fields, kinds, strict=True)]
    header += [f"@attribute {TARGET} {{{','.join(stream.classes)}}}", "@data", ""]
    table = as_table(stream)
    strings = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    plain = pa.table(strings, names=table.column_names)
    with (folder / ARFF).open("wb") as file:
        file.write("\n".join(header).encode())
        options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
        pa.csv.write_csv(plain, file, write_options=options)


def write_vw(stream: Stream, folder: Path) -> None:
    """Write ``rows.vw``: classes 1 … C, a nominal value as the feature ``name=value``, a number as ``name:value``."""
    columns = stream.labelled()[:-1]
    marks = [":" if known is None else "=" for known in stream.categories]
    with (folder / VW_TEXT).open("w", encoding="utf-8") as file:
        for label, *values in zip(stream.y.tolist(), *columns, strict=True):
            named = zip(stream.fields, marks, values, strict=True)
            features = " ".join(f"{name}{mark}{value}" for name, mark, value in named)
            file.write(f"{label + 1} | {features}\n")
