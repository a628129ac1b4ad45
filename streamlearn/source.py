"""Where instances come from: the contract of sources, and how a name, a path or data become one."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from . import registry
from .batch import Batch
from .errors import InputError, OptionError, SchemaError
from .schema import Kind, Schema

ROWS_PER_BATCH = 8192
"""Rows a batch has by default: enough to make Python's share negligible, little enough to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A change of concept that a stream is known to have.

    Parameters
    ----------
    row
        The first row of the new concept; of a gradual change, its centre.
    width
        Rows that the change takes; 0 or 1 for an abrupt one.
    """

    row: int
    width: int = 0


class Source(ABC):
    """A stream of encoded instances.

    Attributes
    ----------
    name : str
        What tables and pictures call the stream.
    schema : Schema
        Encodes the rows; it may grow as the stream goes on.
    rows : int or None
        Length of the stream, where it is known beforehand.
    bounded : bool
        Whether the stream ends: `poll` then returns None at the end only; a live source returns None when nothing
        came in time.
    drifts : sequence of Drift
        Known changes of concept, in the order of their rows; empty where none is known.
    """

    name: str
    schema: Schema
    rows: int | None = None
    bounded: bool = True
    drifts: Sequence[Drift] = ()

    @abstractmethod
    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        """The next 1 … ``max_rows`` rows, waiting up to ``timeout`` seconds for the first; None if there are none.

        Raises
        ------
        InputError
            If a row can't be decoded; the message names the row and the field.
        """

    @abstractmethod
    def position(self) -> Any:
        """Where the source stands, as JSON: `seek` to it resumes *after* the last row that `poll` returned."""

    @abstractmethod
    def seek(self, position: Any) -> None:
        """Continue from a position that this or an equal source gave.

        Raises
        ------
        InputError
            If the source can't go there.
        """

    def close(self) -> None:  # noqa: B027 - most sources have nothing to release
        """Release files and connections; polling afterwards is an error."""

    def batches(self, rows: int = ROWS_PER_BATCH, *, limit: int | None = None) -> Iterator[Batch]:
        """Poll a bounded source to its end, or for ``limit`` rows.

        Raises
        ------
        OptionError
            If the source has no end and there is no limit.
        """
        if limit is None and not self.bounded:
            raise OptionError(f"the stream {self.name} has no end: give a limit, or make it with rows=...")
        left = limit
        while left is None or left > 0:
            batch = self.poll(rows if left is None else min(rows, left))
            if batch is None:
                return
            if left is not None:
                left -= len(batch)
            yield batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_stream(
    what: Any,
    *,
    target: Hashable | None = None,
    event_time: Hashable | None = None,
    schema: Schema | None = None,
    kinds: Mapping[Hashable, Kind] | None = None,
    target_kind: Kind | None = None,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Source:
    """Open a stream by its catalogue name, a file's path, or data in memory.

    Parameters
    ----------
    what
        A name of the catalogue (``"electricity"``); the name of a synthetic stream, with its parameters
        (``"sea_a:seed=3,rows=200000"``, see ``streamlearn list streams``); a path to CSV, JSON lines, Parquet, Arrow
        IPC or ARFF, each also with ``.gz`` or ``.zst``; a pair ``(X, y)`` of arrays; an Arrow table or a data frame;
        an iterable of dicts, or of pairs ``(x, y)`` as River's data sets are; or a `Source`, which is returned as it
        is.
    target
        The target column; by default the catalogue's, an ARFF file's last attribute, or a column called ``target``
        or ``class``.
    event_time
        The column that says when a row happened: times, or seconds since the epoch. It is no feature then.
    schema
        The schema to encode by; by default it is inferred from the first rows.
    kinds
        Kinds of fields where inference would be wrong, such as ``{"day": "nominal"}``.
    target_kind : "nominal" or "numeric"
        Nominal for classification, numeric for regression; inferred by default.
    format, options
        A file's format where its suffix does not tell, and options of its reader (CSV: ``delimiter``, ``names``).

    Raises
    ------
    InputError
        If there is no such stream or file, or its target column is missing.
    UnknownNameError
        If a name is neither in the catalogue, nor a synthetic stream's, nor a file; near names are suggested.
    OptionError
        If a synthetic stream has no such parameter, or its value is out of range.

    Examples
    --------
    >>> import streamlearn as sl
    >>> stream = sl.open_stream("electricity")
    >>> stream.rows, stream.schema.classes
    (45312, ['UP', 'DOWN'])
    >>> [drift.row for drift in sl.open_stream("sea_a:rows=200000").drifts]
    [49995, 99995, 149995]
    """
    if isinstance(what, Source):
        return what
    given: dict[str, Any] = {"target": target, "schema": schema, "kinds": kinds, "target_kind": target_kind}
    if event_time is not None:
        given["event_time"] = event_time
    if isinstance(what, str) and is_synthetic(what):
        return _synthetic(what, {**given, "format": format, "options": options})
    if isinstance(what, (str, PathLike)):
        return cast(Source, registry.load("sources", "file")(what, format=format, options=options, **given))
    if isinstance(what, tuple) and len(what) == 2 and not isinstance(what[0], Mapping):
        X, y = what
        if isinstance(X, np.ndarray):
            return cast(Source, registry.load("sources", "array")(X, y, **given))
        raise InputError(f"a pair (X, y) needs a NumPy matrix X, got {type(X).__name__}")
    if hasattr(what, "__arrow_c_stream__") or hasattr(what, "__arrow_c_array__"):
        return cast(Source, registry.load("sources", "table")(what, **given))
    if isinstance(what, Iterable):
        return cast(Source, registry.load("sources", "iterable")(what, **given))
    raise InputError(
        f"can't open a {type(what).__name__} as a stream: give a catalogue name, a path, (X, y), a table or an iterable"
    )


def is_synthetic(what: str) -> bool:
    """Whether ``NAME`` or ``NAME:param=value`` names a synthetic stream, and neither a data set nor a file."""
    from .datasets import datasets

    name = what.partition(":")[0]
    taken = name in {data.name for data in datasets()} or Path(what).exists()
    return not taken and name in registry.names("streams")


def _synthetic(what: str, given: dict[str, Any]) -> Source:
    """The registered stream, called with the parameters written behind its name."""
    name, params = registry.parse_call(what)
    make = registry.load("streams", name)
    known = list(inspect.signature(make).parameters)
    for param in params:
        if param not in known:
            raise OptionError(f"{name}: {registry.unknown_name('parameter', param, known)}")
    try:
        source = cast(Source, make(**params))
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None
    target, target_kind = given.pop("target"), given.pop("target_kind")
    for option, value in given.items():
        if value:
            raise OptionError(f"{option}: the stream {name} is generated, and its fields are what they are")
    if target not in (None, source.schema.target):
        raise OptionError(f"the target of the stream {name} is {source.schema.target!r}, not {target!r}")
    if target_kind not in (None, source.schema.target_kind):
        raise SchemaError(f"the target of the stream {name} is {source.schema.target_kind}, not {target_kind}")
    return source


def choose_target(target: Hashable | None, names: list[Any], where: str) -> Hashable:
    """The target column: as asked for, or the one that is called ``target`` or ``class``.

    Raises
    ------
    InputError
        If there is none such; the message lists the columns.
    """
    if target is None:
        target = next((name for name in ("target", "class") if name in names), None)
        if target is None:
            raise InputError(f"{where}: say which column is the target; the columns are {', '.join(map(str, names))}")
    if target not in names:
        near = registry.near(str(target), map(str, names))
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(
            f"{where}: there is no target column {target!r}{hint}; the columns are {', '.join(map(str, names))}"
        )
    return target


def checked_position(position: Any, rows: int | None) -> int:
    """The row number in a position of the form ``{"row": n}``.

    Raises
    ------
    InputError
        If it is malformed or past the end.
    """
    row = position.get("row") if isinstance(position, Mapping) else None
    if not isinstance(row, int) or row < 0 or (rows is not None and row > rows):
        raise InputError(f"can't seek to {position!r}: a position is {{'row': n}} with 0 <= n <= {rows}")
    return row


def with_target_kind(schema: Schema, target_kind: Kind | None) -> Schema:
    """A schema of the caller's, copied, and checked against the kind of target that is wanted.

    Raises
    ------
    SchemaError
        If they contradict each other.
    """
    if target_kind is not None and schema.target_kind != target_kind:
        raise SchemaError(f"the schema says that {schema.target!r} is {schema.target_kind}, not {target_kind}")
    return schema.copy()
