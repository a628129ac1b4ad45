"""Identifiers of any simple kind as arrays for a checkpoint, and back; a million in a fraction of a second."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import StateError
from ..jsonable import from_json, to_json

TEXT, INTEGER, JSON = 0, 1, 2


def ids_to_arrays(ids: Sequence[Hashable]) -> dict[str, np.ndarray]:
    """Encode ids: None, bool, int, float, str, or tuples of them.

    Returns
    -------
    dict
        ``kind`` uint8 [n]: text, an integer of 64 bits, or JSON; ``integers`` int64; texts and JSON behind each other
        as UTF-8 in ``text`` uint8, with ``ends`` int64.

    Raises
    ------
    StateError
        If an id is of another kind.

    Examples
    --------
    >>> from streamlearn.runtime.ids import ids_from_arrays, ids_to_arrays
    >>> ids_from_arrays(ids_to_arrays(["a", 7, ("b", None)]))
    ['a', 7, ('b', None)]
    """
    kinds = set(map(type, ids))
    try:
        if kinds <= {str}:
            return _arrays(np.full(len(ids), TEXT, np.uint8), ids, [])
        if kinds == {int}:
            return _arrays(np.full(len(ids), INTEGER, np.uint8), [], ids)
    except (UnicodeEncodeError, OverflowError):
        pass  # half a surrogate pair, or more than 64 bits: JSON has both
    kind = np.fromiter(map(_kind, ids), np.uint8, len(ids))
    texts = [id if k == TEXT else json.dumps(to_json(id)) for id, k in zip(ids, kind, strict=True) if k != INTEGER]
    return _arrays(kind, texts, [id for id, k in zip(ids, kind, strict=True) if k == INTEGER])


def _kind(value: Hashable) -> int:
    if type(value) is str:
        return TEXT if value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value) else JSON
    return INTEGER if type(value) is int and -(2**63) <= value < 2**63 else JSON


def _arrays(kind: np.ndarray, texts: Sequence[Any], integers: Sequence[Any]) -> dict[str, np.ndarray]:
    text, ends = np.zeros(0, np.uint8), np.zeros(0, np.int64)
    if len(texts):
        _, offsets, data = pa.array(texts, pa.large_string()).buffers()
        ends = np.frombuffer(offsets, np.int64, len(texts) + 1)[1:].copy()
        text = np.frombuffer(data, np.uint8, ends[-1]).copy() if ends[-1] else text
    return {"kind": kind, "integers": np.array(integers, np.int64), "text": text, "ends": ends}


def ids_from_arrays(state: Any) -> list[Hashable]:
    """Decode what `ids_to_arrays` gave.

    Raises
    ------
    StateError
        If it is no such thing.
    """
    names = {"kind": np.uint8, "integers": np.int64, "text": np.uint8, "ends": np.int64}
    if not isinstance(state, Mapping) or set(state) != set(names):
        raise StateError(f"ids are the arrays {', '.join(names)}")
    for name, dtype in names.items():
        if not isinstance(state[name], np.ndarray) or state[name].dtype != dtype or state[name].ndim != 1:
            raise StateError(f"ids: {name} must be {np.dtype(dtype)}, one-dimensional")
    kind, integers = state["kind"], state["integers"]
    integral = int(np.count_nonzero(kind == INTEGER))
    if (kind > JSON).any() or len(integers) != integral or len(state["ends"]) != len(kind) - integral:
        raise StateError("ids: the arrays do not belong together")
    texts = _texts(state["text"], state["ends"])
    if integral == len(kind):
        return integers.tolist()
    if not kind.any():
        return texts
    whole, text = iter(integers.tolist()), iter(texts)
    return [next(whole) if k == INTEGER else next(text) if k == TEXT else _parsed(next(text)) for k in kind.tolist()]


def _texts(data: np.ndarray, ends: np.ndarray) -> list[Any]:
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    if (np.diff(offsets) < 0).any() or offsets[-1] != len(data):
        raise StateError("ids: the texts do not fit their ends")
    column = pa.LargeStringArray.from_buffers(
        len(ends), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))
    )
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise StateError(f"ids: {error}") from None
    return column.to_pylist()


def _parsed(text: str) -> Hashable:
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError):
        raise StateError(f"ids: not JSON: {text[:80]!r}") from None


def is_id(value: Any) -> bool:
    """Whether a value can be an id: equal to itself, hashable, and of a kind that a checkpoint holds."""
    kind = type(value)
    if kind is tuple:
        return all(part is None or is_id(part) for part in value)
    return kind is str or kind is int or kind is bool or (kind is float and value == value)
