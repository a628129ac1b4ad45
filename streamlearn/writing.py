"""Writes a stream to a file: Parquet, Arrow IPC, ARFF, CSV or JSON lines."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import registry
from .batch import Batch
from .errors import InputError, OptionError
from .schema import Schema
from .source import Source

SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arff": "arff",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
FORMATS = ("parquet", "arrow", "arff", "csv", "jsonl")
METADATA = b"streamlearn"
ROWS_PER_GROUP = 1 << 16

Write = Callable[[Batch], None]


def write_stream(
    source: Source,
    path: str | os.PathLike[str],
    *,
    rows: int | None = None,
    format: str | None = None,
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write fields, target, and the columns that the schema names for event times and weights.

    Missing values are left empty. Parquet, Arrow and ARFF keep which fields are nominal, and their categories in
    order; Parquet and Arrow keep the stream's drifts as well, and `open_stream` gives all that back. CSV and JSON lines
    hold the values alone. The file appears when it is whole: until then the bytes are in a temporary file beside it.

    Parameters
    ----------
    source
        Read from where it stands.
    path
        The file; its suffix tells the format.
    rows
        Stop after so many; by default at the end of the source.
    format : "parquet", "arrow", "arff", "csv" or "jsonl"
        Where the suffix does not tell it.
    force
        Replace a file that is there.
    progress
        Called after each piece with the number of its rows.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    OptionError
        If the format is unknown, the source has no end and ``rows`` is not given, or the file is there already.
    InputError
        If there is no such folder, or JSON can't express a number.

    Examples
    --------
    >>> import tempfile
    >>> import streamlearn as sl
    >>> file = Path(tempfile.mkdtemp()) / "sea.parquet"
    >>> write_stream(sl.open_stream("sea_a:rows=1000"), file)
    1000
    >>> again = sl.open_stream(file)
    >>> again.rows, again.schema.classes, again.drifts[0]
    (1000, ['groupA', 'groupB'], Drift(row=250, width=0))
    """
    path = Path(path).expanduser()
    begin = _WRITERS[_format_of(path, format)]
    if path.exists() and not force:
        raise OptionError(f"{path} is there already: give another name, or replace it with force (--force)")
    if not path.parent.is_dir():
        raise InputError(f"can't write {path}: there is no folder {path.parent}")
    written = 0
    with _whole(path) as file, begin(file, source) as write:
        for batch in source.batches(ROWS_PER_GROUP, limit=rows):
            write(batch)
            written += len(batch)
            if progress is not None:
                progress(len(batch))
    return written


def drifts_in(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """What `write_stream` noted in a file of Arrow's formats: ``drifts`` as pairs, and the ``target``; else nothing.

    Raises
    ------
    ValueError
        If the note is damaged.
    """
    try:
        note = json.loads((metadata or {}).get(METADATA, b"{}"))
    except RecursionError:
        note = None
    pairs = note.get("drifts", []) if isinstance(note, dict) else None
    fits = isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in pairs
    )
    if not fits:
        raise ValueError("the note on its drifts is malformed")
    return {"drifts": pairs, "target": note.get("target")}


def _format_of(path: Path, format: str | None) -> str:
    found = format or SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise OptionError(f"{path}: can't tell the format by the name; known suffixes are {', '.join(SUFFIXES)}")
    if found not in FORMATS:
        raise registry.unknown_name("format", found, FORMATS)
    return found


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when it is complete, and leaves nothing behind otherwise."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# -- Arrow's formats


@contextmanager
def _parquet(file: BinaryIO, source: Source) -> Iterator[Write]:
    from pyarrow import parquet

    schema = _arrow_schema(source)
    with parquet.ParquetWriter(file, schema) as writer:
        yield lambda batch: writer.write_batch(_record_batch(batch, schema))


@contextmanager
def _arrow(file: BinaryIO, source: Source) -> Iterator[Write]:
    schema = _arrow_schema(source)
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)  # categories may be added on the way
    with pa.ipc.new_file(file, schema, options=options) as writer:
        yield lambda batch: writer.write_batch(_record_batch(batch, schema))


def _arrow_schema(source: Source) -> pa.Schema:
    note = {
        "stream": source.name,
        "target": str(source.schema.target) if source.schema.target is not None else None,
        "drifts": [[drift.row, drift.width] for drift in source.drifts],
    }
    columns = [
        (str(name), pa.float64() if labels is None else pa.dictionary(pa.int32(), pa.string()))
        for name, labels in _columns(source.schema)
    ]
    return pa.schema(columns, metadata={METADATA: json.dumps(note).encode()})


def _record_batch(batch: Batch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = []
    for values, labels in zip(_values(batch), (labels for _, labels in _columns(batch.schema)), strict=True):
        missing = np.isnan(values)
        if labels is None:
            arrays.append(pa.array(values, mask=missing))
        else:
            codes = pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing)
            arrays.append(pa.DictionaryArray.from_arrays(codes, pa.array(map(str, labels), pa.string())))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


# -- text


@contextmanager
def _csv(file: BinaryIO, source: Source) -> Iterator[Write]:
    names = [str(name) for name, _ in _columns(source.schema)]
    file.write((",".join(map(_csv_text, names)) + "\n").encode())
    yield lambda batch: _write_lines(file, batch, _csv_text, missing="")


@contextmanager
def _arff(file: BinaryIO, source: Source) -> Iterator[Write]:
    def kind(labels: list[Hashable] | None) -> str:
        return "numeric" if labels is None else "{" + ",".join(_arff_text(str(label)) for label in labels) + "}"

    columns = sorted(_columns(source.schema), key=lambda column: column[0] == source.schema.target)  # the target last
    header = [f"@relation {_arff_text(source.name)}", ""]
    header += [f"@attribute {_arff_text(str(name))} {kind(labels)}" for name, labels in columns]
    file.write(("\n".join([*header, "", "@data"]) + "\n").encode())
    order = [_columns(source.schema).index(column) for column in columns]
    yield lambda batch: _write_lines(file, batch, _arff_text, missing="?", order=order)


@contextmanager
def _jsonl(file: BinaryIO, source: Source) -> Iterator[Write]:
    names = [f"{json.dumps(str(name), ensure_ascii=False)}: " for name, _ in _columns(source.schema)]

    def write(batch: Batch) -> None:
        if any(np.isinf(values).any() for values in _values(batch)):
            raise InputError("JSON has no infinite numbers: write another format")
        _write_lines(file, batch, _json_text, missing="null", before=names, around=("{", "}"))

    yield write


def _write_lines(
    file: BinaryIO,
    batch: Batch,
    quote: Callable[[str], str],
    *,
    missing: str,
    before: list[str] | None = None,
    around: tuple[str, str] = ("", ""),
    order: list[int] | None = None,
) -> None:
    """Write a line a row, whole columns at a time."""
    columns = []
    for values, (_, labels) in zip(_values(batch), _columns(batch.schema), strict=True):
        absent = np.isnan(values)
        if labels is None:
            texts = pa.array(values, mask=absent).cast(pa.string())
        else:
            written = pa.array([quote(str(label)) for label in labels], pa.string())
            texts = written.take(pa.array(np.where(absent, 0, values).astype(np.int64), mask=absent))
        columns.append(pc.fill_null(texts, missing))
    if before is not None:
        columns = [pc.binary_join_element_wise(name, texts, "") for name, texts in zip(before, columns, strict=True)]
    if order is not None:
        columns = [columns[i] for i in order]
    comma = ", " if before is not None else ","
    rows = pc.binary_join_element_wise(*columns, comma) if len(columns) > 1 else columns[0]
    lines = pc.binary_join_element_wise(around[0], rows, around[1] + "\n", "")
    file.write(_text_of(lines))


def _text_of(lines: pa.Array) -> memoryview:
    """The bytes of all strings of an array, which lie behind each other in its buffer."""
    offsets = np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1, lines.offset * 4)
    return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]


def _csv_text(text: str) -> str:
    special = text == "" or text != text.strip() or any(c in text for c in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if special else text


def _arff_text(text: str) -> str:
    if re.fullmatch(
        r"[A-Za-z0-9_.+-]+", text
    ):  # other letters are quoted: readers differ in what they take for a blank
        return text
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f"'{text}'"


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_WRITERS = {"parquet": _parquet, "arrow": _arrow, "arff": _arff, "csv": _csv, "jsonl": _jsonl}


# -- columns


def _columns(schema: Schema) -> list[tuple[Hashable, list[Hashable] | None]]:
    """Names of the columns that are written, with the labels of nominal ones."""
    columns: list[tuple[Hashable, list[Hashable] | None]] = [
        (field.name, field.categories if field.kind == "nominal" else None) for field in schema.fields
    ]
    columns += [(name, None) for name in (schema.event_time, schema.weight) if name is not None]
    if schema.target is not None:
        columns.append((schema.target, schema.classes if schema.target_kind == "nominal" else None))
    return columns


def _values(batch: Batch) -> list[np.ndarray]:
    """The same columns' values, float64 [n] each, NaN where missing."""
    schema = batch.schema
    empty = np.full(len(batch), np.nan)
    values: list[np.ndarray] = [*batch.X.T]
    for name, column in ((schema.event_time, batch.event_time), (schema.weight, batch.weight)):
        if name is not None:
            values.append(empty if column is None else column)
    if schema.target is not None:
        y = empty if batch.y is None else batch.y.astype(np.float64)
        values.append(np.where(y < 0, np.nan, y) if schema.target_kind == "nominal" else y)
    return values
