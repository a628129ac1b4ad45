"""What a reader of files does, and which reader reads which format."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self, cast

import pyarrow as pa

from streamlearn.source import Drift

from .kinds import check_known
from .opening import locate

READERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "csv": ("csv", "CsvReader", {}),
    "tsv": ("csv", "CsvReader", {"delimiter": "\t"}),
    "jsonl": ("jsonl", "JsonLinesReader", {}),
    "parquet": ("parquet", "ParquetReader", {}),
    "arrow": ("arrow", "ArrowReader", {}),
    "arff": ("arff", "ArffReader", {}),
}


class RecordReader(Protocol):
    """Reads a file as Arrow record batches, from any row on.

    Attributes
    ----------
    schema : pa.Schema
        Of every batch. Columns whose categories the file declares are ``dictionary<int32, string>``.
    declared : dict of str to list
        Declared categories in their order, by column: ARFF nominals, dictionaries of Parquet and Arrow.
    integers : set of str
        Columns read as float64 whose values in the first block are all whole numbers, in CSV and JSON lines.
    default_target : str or None
        The column that the format's custom makes the target: ARFF's last attribute.
    rows : int or None
        How many rows there are, where the file says so.
    drifts : sequence of Drift
        Known changes of concept, where the file says so (Parquet and Arrow files that we wrote).
    position : int
        Rows handed out so far; the 0-based row that comes next.
    """

    schema: pa.Schema
    declared: dict[str, list[Any]]
    integers: set[str]
    default_target: str | None
    rows: int | None
    drifts: Sequence[Drift]
    position: int

    def read(self, max_rows: int) -> pa.RecordBatch | None:
        """The next rows, at most ``max_rows`` of them and never none; None at the end of the file."""

    def seek(self, row: int) -> None:
        """Continue from the 0-based ``row``, in either direction."""

    def close(self) -> None:
        """Let go of the file, as the end of a ``with`` block does too."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_reader(
    path: str | os.PathLike[str], *, format: str | None = None, options: Mapping[str, Any] | None = None
) -> RecordReader:
    """Open a file of records: CSV, JSON lines, Parquet, Arrow IPC or ARFF, perhaps compressed.

    Parameters
    ----------
    path
        A file, whose suffix says what it is (``events.csv``, ``events.csv.gz``, ``trips.parquet``).
    format
        ``"csv"``, ``"tsv"``, ``"jsonl"``, ``"parquet"``, ``"arrow"`` or ``"arff"``, where the suffix does not tell it.
    options
        Parameters of the format's reader, such as ``{"delimiter": ";"}``.

    Returns
    -------
    RecordReader

    Raises
    ------
    InputError
        If the file is missing (then also a FileNotFoundError), is a folder, or is not what its name says.
    OptionError
        If the suffix, the format or an option is unknown.

    Examples
    --------
    >>> from streamlearn.datasets import find
    >>> reader = open_reader(find("electricity"))
    >>> reader.rows, reader.declared["target"]
    (45312, ['UP', 'DOWN'])
    >>> reader.read(1000).num_rows, reader.position
    (1000, 1000)
    """
    file = locate(path, format)
    module, name, defaults = READERS[file.format]
    reader = getattr(import_module(f".{module}", __package__), name)
    known = [parameter for parameter in inspect.signature(reader).parameters if parameter != "file"]
    check_known(f"{file.format} has no option", list(options or {}), known)
    return cast(RecordReader, reader(file, **{**defaults, **(options or {})}))
