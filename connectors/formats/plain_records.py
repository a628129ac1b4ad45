"""JSON records that are like nearly all of their stream, read by a kernel; the others are left."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from typing import Any
from weakref import ref

import numpy as np
import pyarrow as pa

from streamlearn.compiled import is_compiled
from streamlearn.schema import Schema

from . import json_kernels as kernels
from .json_kernels import Columns, Members, Names, Words, enter, gather, scan
from .rows import LATEST, Block, identities

log = logging.getLogger("streamlearn")

_REST = 15  # calls that pass without a try after one in which more were left than taken
_FEW = 1000  # words that are entered anew whenever one comes; more of them only each so many calls
_SELDOM = 16


class PlainRecords:
    """Reads the plain records of one schema, see `json_kernels.scan`.

    What it keeps between calls decides who reads a record, never what comes of it.

    Parameters
    ----------
    schema
        The schema; its categories and classes may grow.
    members
        The names of what a record may have: the fields in their order, the roles, and fields that may only be null.
    """

    def __init__(self, schema: Schema, members: Sequence[Hashable]) -> None:
        self._schema = ref(schema)
        self._names = members
        self._rest = self._calls = 0
        self._members = _members(schema, members)
        self._words = _words(schema, self._members)
        self._known = _known(schema)
        if not is_compiled(scan):
            log.info("compiling what reads JSON records (once; kept on disk)")

    def serves(self, schema: Schema, members: Sequence[Hashable]) -> bool:
        """Whether it was made for this schema as it is now."""
        return self._schema() is schema and self._names is members

    def take(
        self, values: Sequence[bytes | None], schema: Schema, required: bool
    ) -> tuple[Block | None, Sequence[int]]:
        """The rows of plain records, if there are some, and which records are left.

        Parameters
        ----------
        values
            The records' bytes.
        schema
            The schema.
        required
            Whether records without a label are to be left.
        """
        n = len(values)
        self._learn_words(schema)
        if self._members is None or self._rest or not n:
            self._rest = max(0, self._rest - 1)
            return None, range(n)
        there = values if None not in values else [value or b"" for value in values]
        data = np.frombuffer(b"".join(there) or b" ", np.uint8)  # type: ignore[arg-type]
        ends = np.cumsum(np.fromiter(map(len, there), np.uint64, n))  # type: ignore[arg-type]
        columns = _columns(n, len(schema.fields))
        rules = (
            schema.unknown == "ignore",
            schema.unknown == "error",
            required and schema.target is not None,
            schema.key is not None,
            len(schema.fields),
        )
        rows = scan(data, ends, self._members, self._words, rules, LATEST, columns)
        if 2 * rows < n:
            self._rest = _REST
        if not rows:
            return None, range(n)
        block = _block(data, columns, rows, schema)
        return block, [] if rows == n else np.delete(np.arange(n), block.rows).tolist()

    def _learn_words(self, schema: Schema) -> None:
        """Take in new categories and classes; until that, records that have them are left."""
        self._calls += 1
        known = _known(schema)
        if known != self._known and (known < _FEW or self._calls % _SELDOM == 0):
            self._words, self._known = _words(schema, self._members), known
            self._rest = 0


def _known(schema: Schema) -> int:
    """How many words the schema knows: it never forgets one."""
    return len(schema.classes) + sum(len(field.categories) for field in schema.fields)


def _members(schema: Schema, names: Sequence[Hashable]) -> Members | None:
    """What the kernel is told of the members; None if it could not find them in a record."""
    if not names or not all(isinstance(name, str) and _is_plain(name) for name in names):
        return None
    by_role = {
        schema.target: kernels.CLASS if schema.target_kind == "nominal" else kernels.VALUE,
        schema.id: kernels.ID,
        schema.event_time: kernels.TIME,
        schema.weight: kernels.WEIGHT,
        schema.key: kernels.KEY,
    }
    kinds = [kernels.CATEGORY if field.kind == "nominal" else kernels.NUMBER for field in schema.fields]
    kinds += [by_role.get(name, kernels.NULL) for name in names[len(kinds) :]]
    encoded = [f'{name}"'.encode() for name in names]
    return Members(
        np.array(kinds, np.int64),
        np.arange(len(names)),
        np.frombuffer(b"".join(encoded) or b" ", np.uint8),
        np.cumsum([0, *map(len, encoded)], dtype=np.uint64),
        np.zeros(len(names), np.int64),
        np.zeros(len(names) + 1, np.int64),
    )


def _words(schema: Schema, members: Members | None) -> Words:
    """The table of all values of nominal fields and of the target."""
    found: list[tuple[bytes, int, int]] = []
    for member, kind in enumerate([] if members is None else members.kind.tolist()):
        if kind in (kernels.CATEGORY, kernels.CLASS):
            values = schema.classes if kind == kernels.CLASS else schema.fields[member].categories
            found += [(text, member, code) for code, value in enumerate(values) for text in _texts(value)]
    stop = np.cumsum([len(text) for text, _, _ in found], dtype=np.uint64)
    words = Words(
        np.full(4 << max(2, len(found).bit_length()), -1),
        np.frombuffer(b"".join(text for text, _, _ in found) or b" ", np.uint8),
        np.concatenate([np.zeros(1, np.uint64), stop[:-1]]),
        stop,
        np.array([member for _, member, _ in found], np.int64),
        np.array([code for _, _, code in found], np.int64),
    )
    enter(words, 0, len(found))
    return words


def _texts(value: Any) -> list[bytes]:
    """How records write a value; what is not among these is read more slowly."""
    if isinstance(value, str):
        return [f'"{value}"'.encode()] if _is_plain(value) else []
    if not isinstance(value, (bool, int, float)):
        return []
    if not abs(value) < 1 << 53:
        return []
    if value != int(value):
        return [repr(value).encode()]
    texts = [b"%d" % value, b"%d.0" % value]
    return texts + ([b"true"] if value == 1 else [b"false"] if value == 0 else [])  # Python's True equals 1


def _is_plain(text: str) -> bool:
    """Whether a text stands in a record as it is, without escapes."""
    return not any(c in '"\\' or c < " " or "\ud800" <= c <= "\udfff" for c in text)


def _columns(n: int, d: int) -> Columns:
    def names() -> Names:
        return Names(np.empty(n, np.int8), np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int64))

    return Columns(
        row=np.empty(n, np.int64),
        X=np.empty((n, d)),
        code=np.empty(n, np.int64),
        value=np.empty(n),
        time=np.empty(n),
        weight=np.empty(n),
        id=names(),
        key=names(),
    )


def _block(data: np.ndarray, columns: Columns, rows: int, schema: Schema) -> Block:
    y = columns.code if schema.target_kind == "nominal" else columns.value
    return Block(
        columns.row[:rows],
        columns.X[:rows],
        None if schema.target is None else y[:rows],
        None if schema.weight is None else columns.weight[:rows],
        None if schema.id is None else _names(data, columns.id, rows),
        None if schema.event_time is None else columns.time[:rows],
        None if schema.key is None else _names(data, columns.key, rows),
    )


def _names(data: np.ndarray, names: Names, rows: int) -> pa.Array:
    """A column of ids or keys, of the type that `identities` gives it."""
    kind, integer = names.kind[:rows], names.integer[:rows]
    is_text = kind == kernels.TEXT
    out = np.empty(int((names.stop[:rows] - names.start[:rows])[is_text].sum()), np.uint8)
    ends = np.empty(rows + 1, np.int32)
    texts = gather(data, names, rows, out, ends)
    absent = int(np.count_nonzero(kind == kernels.ABSENT))
    if texts == 0 and absent < rows:
        return pa.array(integer, pa.int64(), mask=kind == kernels.ABSENT)
    valid = None if texts == rows else pa.py_buffer(np.packbits(is_text, bitorder="little"))
    column = pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(out), valid)
    if texts + absent == rows:
        return column
    mixed = zip(kind.tolist(), column.to_pylist(), integer.tolist(), strict=True)
    return identities([number if k == kernels.INTEGER else text for k, text, number in mixed])
