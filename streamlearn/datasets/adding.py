"""Takes a copy of a benchmark stream, in one of the forms in which such files travel, into the data directory.

The forms are ARFF, Parquet, and CSV with or without a header, separated by commas, semicolons, tabs or blanks; the
target is in the last column, or in a second file that has one label a line.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from .. import registry
from ..batch import Batch
from ..errors import InputError, OptionError
from ..schema import Field, Schema
from ..source import ROWS_PER_BATCH, Source
from ..writing import write_stream
from .catalogue import Dataset, data_directory, entry

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
ATTRIBUTE = re.compile(r"\s*@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)
MISSING = ("", "?", "NA", "NaN", "nan", "null")


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` made.

    Attributes
    ----------
    path : Path
        The file in the data directory.
    rows : int
    note : str
        How the copy differs from what the catalogue knows; empty if it does not.
    """

    path: Path
    rows: int
    note: str


def add(
    name: str,
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Added:
    """Convert a copy of a data set of the catalogue to Parquet, in the data directory, where its name finds it.

    Categories and classes keep the order that the copy declares (ARFF, Parquet); otherwise they are sorted, numbers by
    value. Names of columns and nominal fields are the catalogue's where the copy does not tell.

    Parameters
    ----------
    name
        A name in the catalogue.
    path
        The copy: ARFF, Parquet, or text with a row a line, also with ``.gz`` or ``.zst``.
    labels
        A second file with one label a line, where the copy has features only (``rialto.data``, ``rialto.labels``).
    directory
        Where to write; see `data_directory`.
    force
        Replace a file that is there.

    Raises
    ------
    UnknownNameError
        If the catalogue has no such name.
    OptionError
        If the file is there already, or comes with the package.
    InputError
        If the copy can't be read, or has other columns or classes than the data set.
    """
    data = entry(name)
    if data.shipped:
        raise OptionError(f"{name} comes with the package: there is nothing to add")
    target = data_directory(directory) / data.file_name
    if target.exists() and not force:
        raise OptionError(f"{target} is there already; to replace it, add --force (force=True)")
    with _one_file(data, Path(path).expanduser(), None if labels is None else Path(labels).expanduser()) as copy:
        schema, rows = _survey(data, copy)
        target.parent.mkdir(parents=True, exist_ok=True)
        with copy.open(schema=schema) as source:
            write_stream(_Renamed(source, data), target, force=True)
    note = "" if rows == data.rows else f"the catalogue knows {data.rows:,} rows: this is another version of the data"
    return Added(target, rows, note)


# -- the forms -------------------------------------------------------------------------------------------------------


class _Copy(NamedTuple):
    """A copy as one file that `FileSource` reads; ``names`` of its columns where it has none itself."""

    file: Path
    target: str
    text: bool
    names: tuple[str, ...] = ()
    delimiter: str = ","

    def open(self, **more: Any) -> Source:
        options: dict[str, Any] = {}
        if self.text:
            options = {"format": "csv", "options": {"delimiter": self.delimiter, "names": self.names}}
        return cast(Source, registry.load("sources", "file")(self.file, **options, **more))


@contextmanager
def _one_file(data: Dataset, path: Path, labels: Path | None) -> Iterator[_Copy]:
    for file in (path, labels):
        if file is not None and not file.is_file():
            raise InputError(f"there is no file {file}")
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    if labels is None and ".arff" in suffixes:
        with _lines(path) as lines:
            declared = [match[1] for match in map(ATTRIBUTE.match, takewhile(_is_header, lines)) if match]
        yield _Copy(path, declared[-1].strip("'\"") if declared else data.target, text=False)
    elif labels is None and suffixes & {".parquet", ".pq"}:
        yield _Copy(path, pq.read_schema(path).names[-1], text=False)
    else:
        with _lines(path) as lines:
            cells, delimiter = _first_row(path, next(lines, ""), data.features + (labels is None))
        named = not any(NUMBER.fullmatch(cell) or cell in MISSING for cell in cells)
        names = () if named else (*data.columns, data.target)
        if labels is None and delimiter != " ":
            yield _Copy(path, cells[-1] if named else data.target, True, names, delimiter)
        else:
            with tempfile.TemporaryDirectory(prefix="streamlearn-") as folder:
                joined = Path(folder) / f"{data.name}.csv"
                _join(path, delimiter, labels, joined)
                yield _Copy(joined, cells[-1] if named else data.target, True, names)


def _is_header(line: str) -> bool:
    return not line.lstrip().lower().startswith("@data")


def _first_row(path: Path, line: str, n_columns: int) -> tuple[list[str], str]:
    """The cells of a text file's first row, and what separates them."""
    for delimiter in (",", ";", "\t", " "):
        cells = _cells(line, delimiter)
        if len(cells) == n_columns:
            return cells, delimiter
    raise InputError(
        f"{path}: expected {n_columns} columns, separated by commas, semicolons, tabs or blanks; the first row is "
        f"{line.strip()[:80]!r}"
    )


def _cells(line: str, delimiter: str) -> list[str]:
    return line.split() if delimiter == " " else next(csv.reader([line.strip()], delimiter=delimiter), [])


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a text file, decompressed, without those that are blank."""
    try:
        with pa.input_stream(str(path), compression="detect") as stream, io.TextIOWrapper(stream) as text:
            yield (line for line in text if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as text: {error}") from None


def _join(path: Path, delimiter: str, labels: Path | None, joined: Path) -> None:
    """Write rows that blanks separate, or the rows of one file and the labels of another, as one CSV file."""
    with joined.open("w", encoding="utf-8", newline="") as file, _lines(path) as rows:
        writer = csv.writer(file)
        if labels is None:
            writer.writerows(_cells(row, delimiter) for row in rows)
            return
        with _lines(labels) as marks:
            for number, (row, mark) in enumerate(zip_longest(rows, marks), start=1):
                if row is None or mark is None:
                    raise InputError(f"{path} and {labels} differ in length: one of them ends before row {number}")
                writer.writerow([*_cells(row, delimiter), mark.strip()])


# -- the schema ------------------------------------------------------------------------------------------------------


def _survey(data: Dataset, copy: _Copy) -> tuple[Schema, int]:
    """The schema of the whole file, and its rows."""
    kinds = dict.fromkeys(data.nominal_fields, "nominal") if copy.names else None
    with copy.open(target=copy.target, target_kind="nominal", kinds=kinds) as source:
        rows = sum(len(batch) for batch in source.batches())
        schema = source.schema
    if len(schema.fields) != data.features:
        raise InputError(
            f"{copy.file}: expected {data.features} features, as {data.name} has, got {len(schema.fields)}"
        )
    if len(schema.classes) != data.classes:
        raise InputError(
            f"{copy.file}: expected {data.classes} classes in the last column, as {data.name} has, got "
            f"{len(schema.classes)}: {', '.join(map(str, schema.classes[:5]))} …"
        )
    if not copy.text:  # the file declares its categories and their order
        return schema, rows
    fields = [Field(f.name, f.kind, sorted(f.categories, key=_order)) for f in schema.fields]
    return Schema(fields, target=schema.target, classes=sorted(schema.classes, key=_order)), rows


def _order(value: Any) -> tuple[int, float, str]:
    text = str(value)
    return (0, float(text), text) if NUMBER.fullmatch(text) else (1, 0.0, text)


# -- the file --------------------------------------------------------------------------------------------------------


class _Renamed(Source):
    """A source whose target column bears the catalogue's name, and which knows the catalogue's drifts."""

    def __init__(self, source: Source, data: Dataset) -> None:
        self._source = source
        self.name, self.rows, self.drifts = data.name, source.rows, data.drifts
        self.schema = source.schema.copy()
        self.schema.target = data.target

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        batch = self._source.poll(max_rows, timeout)
        if batch is not None:
            batch.schema = self.schema
        return batch

    def position(self) -> Any:
        return self._source.position()

    def seek(self, position: Any) -> None:
        self._source.seek(position)
