"""Traces: recorded requests for a cache, out of tables, texts, or the binary files of cache simulators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from ..errors import InputError, OptionError
from ..parameters import check_choice, check_range
from ..registry import near

KEYS = ("object_id", "obj_id", "key", "page", "id", "object", "block", "lbn", "address")
"""Columns that are taken for keys where nobody says which one holds them, in this order."""
FORMATS = ("parquet", "csv", "text", "oracleGeneral", "uint32", "uint64")
_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".txt": "text",
    ".trace": "text",
    ".oraclegeneral": "oracleGeneral",
    ".u32": "uint32",
    ".u64": "uint64",
}
_PACKED = (".gz", ".zst", ".bz2", ".lz4")
_ORACLE = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


@dataclass(frozen=True)
class Trace:
    """Requests, with keys replaced by numbers.

    Attributes
    ----------
    name : str
    parts : list of int64 [n]
        Requests in order, a cold cache for each part: keys are numbered 0, 1, 2, … as they first appear in it.
    """

    name: str
    parts: list[np.ndarray]

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return sum(map(len, self.parts))

    @property
    def keys(self) -> int:
        """How many different keys, summed over the parts."""
        return sum(int(part.max()) + 1 for part in self.parts if len(part))


def open_trace(
    path: str | Path,
    *,
    key: str | None = None,
    instance: str | None = None,
    format: str | None = None,
    limit: int | None = None,
) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path
        A file, which may be compressed (.gz, .zst, .bz2, .lz4).
    key
        The column of the keys, in a Parquet or CSV file; by default one that is called ``object_id``, ``obj_id``,
        ``key`` and the like, or the only one.
    instance
        The column that tells independent parts apart, each of which has its own cold cache; by default a column called
        ``instance``, if there is one.
    format
        ``"parquet"``, ``"csv"`` (with a heading), ``"text"`` (a key a line), ``"oracleGeneral"`` (libCacheSim's
        records of 24 bytes), ``"uint32"`` or ``"uint64"`` (bare numbers, little-endian); by default by the file's name.
    limit
        How many requests to read at most.

    Raises
    ------
    InputError
        If the file can't be read so; the message names the column or the row.
    OptionError
        If an option does not fit.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "requests.txt"
    ...     _ = path.write_text("home\\nnews\\nhome\\n")
    ...     open_trace(path).parts[0].tolist()
    [0, 1, 0]
    """
    path = Path(path)
    kind = _format_of(path) if format is None else format
    check_choice("format", kind, FORMATS)
    if limit is not None:
        check_range("limit", limit, 1, 1 << 62, kind=int)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if kind not in ("parquet", "csv") and (key is not None or instance is not None):
        raise OptionError(f"a {kind} file has no columns to choose from")
    try:
        if kind in ("parquet", "csv"):
            parts = _from_table(_table(path, kind), path, key, instance, limit)
        else:
            parts = [_coded(_column(path, kind, limit), f"{path}: key")]
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a readable {kind} file: {error}") from None
    if not sum(map(len, parts)):
        raise InputError(f"{path}: there are no requests")
    name = path.name
    while Path(name).suffix.lower() in (*_PACKED, *_SUFFIXES):
        name = Path(name).stem
    return Trace(name, parts)


def as_trace(requests: Any, name: str = "requests") -> Trace:
    """A trace of keys that are in memory: an array, a list, or a `Trace` as it is.

    Examples
    --------
    >>> as_trace(["home", "news", "home"]).keys
    2
    """
    if isinstance(requests, Trace):
        return requests
    if isinstance(requests, (str, Path)):
        return open_trace(requests)
    try:
        column = pa.array(requests)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"keys must be of one kind: {error}") from None
    return Trace(name, [_coded(column, "key")])


def _format_of(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _PACKED]
    for suffix in reversed(suffixes):
        if suffix in _SUFFIXES:
            return _SUFFIXES[suffix]
    raise OptionError(f"{path}: say its format, one of {', '.join(FORMATS)}; the name does not tell")


def _table(path: Path, kind: str) -> pa.Table:
    if kind == "parquet":
        return pa.parquet.read_table(path)
    with pa.input_stream(str(path), compression="detect") as stream:
        return pa.csv.read_csv(stream)


def _from_table(
    table: pa.Table, path: Path, key: str | None, instance: str | None, limit: int | None
) -> list[np.ndarray]:
    names: list[str] = table.column_names
    chosen = key or next((name for name in KEYS if name in names), names[0] if len(names) == 1 else None)
    parted = instance or ("instance" if "instance" in names else None)
    for name in (chosen, parted):
        if name is not None and name not in names:
            close = near(name, names)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
            raise InputError(f"{path}: there is no column {name!r}; {hint}")
    if chosen is None:
        raise InputError(f"{path}: say which column holds the keys (--key): {', '.join(names)}")
    if limit is not None:
        table = table.slice(0, limit)
    keys = table[chosen].combine_chunks()
    if parted is None:
        return [_coded(keys, f"{path}: column {chosen!r}")]
    which = _coded(table[parted].combine_chunks(), f"{path}: column {parted!r}")
    _refuse_missing(keys, f"{path}: column {chosen!r}")
    return [_coded(keys.filter(pa.array(which == part)), str(path)) for part in range(int(which.max(initial=-1)) + 1)]


def _column(path: Path, kind: str, limit: int | None) -> pa.Array:
    with pa.input_stream(str(path), compression="detect") as stream:
        data = stream.read()
    if kind == "text":
        lines = data.splitlines()
        return pa.array(lines if limit is None else lines[:limit], pa.binary())
    dtype = _ORACLE if kind == "oracleGeneral" else np.dtype(f"<{kind[0]}{int(kind[4:]) // 8}")
    if len(data) % dtype.itemsize:
        raise InputError(f"{path}: {len(data):,} bytes are no whole number of records of {dtype.itemsize} bytes")
    records = np.frombuffer(data, dtype)[:limit]
    return pa.array(records["id"] if kind == "oracleGeneral" else records)


def _coded(keys: pa.Array, where: str) -> np.ndarray:
    """Numbers of keys, in the order in which these first appear."""
    _refuse_missing(keys, where)
    if isinstance(keys, pa.DictionaryArray):
        keys = keys.dictionary_decode()
    if pa.types.is_nested(keys.type):
        raise InputError(f"{where}: keys are numbers or texts, not {keys.type}")
    encoded = pc.dictionary_encode(keys)
    return np.asarray(encoded.indices, np.int64)


def _refuse_missing(keys: pa.Array, where: str) -> None:
    if keys.null_count:
        row = int(np.argmax(keys.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(f"{where}: row {row} has no value")


def sizes_of(sizes: Sequence[int | str], trace: Trace) -> list[int]:
    """Capacities that are given as numbers, or in percent of the trace's keys (of the mean over its parts).

    Raises
    ------
    OptionError
        If one is neither.

    Examples
    --------
    >>> sizes_of(["2", "50%"], as_trace([1, 2, 3, 4, 5, 6]))
    [2, 3]
    """
    keys = trace.keys / max(1, len(trace.parts))
    return sorted({_size(size, keys) for size in sizes})


def _size(size: int | str, keys: float) -> int:
    text = str(size).strip().replace("_", "")
    try:
        if text.endswith("%"):
            share = float(text[:-1])
            if 0.0 < share <= 100.0:
                return max(1, round(share / 100.0 * keys))
        elif (number := int(text)) > 0:
            return number
    except ValueError:
        pass
    raise OptionError(f"a size is a whole number >= 1, or a share of the keys such as 0.1%, got {size!r}")
