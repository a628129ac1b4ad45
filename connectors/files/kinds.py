"""Which Arrow type the columns of text formats get, and which columns of any format can't be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from streamlearn import registry
from streamlearn.errors import InputError, OptionError

KINDS = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us"),
}


def check_kinds(kinds: Mapping[str, str] | None) -> dict[str, pa.DataType]:
    """The Arrow types that an option ``types={column: kind}`` asks for.

    Raises
    ------
    OptionError
        If a kind is not one of ``KINDS``.
    """
    for column, kind in (kinds or {}).items():
        if kind not in KINDS:
            raise OptionError(f"types: column {column!r}: {kind!r} is not one of {', '.join(KINDS)}")
    return {column: KINDS[kind] for column, kind in (kinds or {}).items()}


def check_columns(path: Path, names: Sequence[str]) -> None:
    """Make sure that there are columns, and that each has a name of its own.

    Raises
    ------
    InputError
        If not.
    """
    if not names:
        raise InputError(f"{path} has no columns")
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"{path}: column {number} has no name; give it one in the header, or remove the column")
        if name in names[: number - 1]:
            raise InputError(f"{path}: two columns are named {name!r}; rename one of them")


def check_flat(path: Path, schema: pa.Schema) -> None:
    """Make sure that every column holds plain values.

    Raises
    ------
    InputError
        If one is nested.
    """
    for field in schema:
        if pa.types.is_nested(field.type):
            raise InputError(
                f"{path}: column {field.name!r} holds nested values ({field.type}): flatten it, one column a value"
            )


def pin(inferred: pa.Schema, asked: Mapping[str, pa.DataType]) -> pa.Schema:
    """The types that hold for the whole file: those asked for, otherwise those inferred, made wider.

    Whole numbers and columns without any value become float64, dates and times timestamps, times of day text.
    """
    return pa.schema([(field.name, asked.get(field.name) or _widened(field.type)) for field in inferred])


def _widened(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_boolean(kind):
        return kind
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns" if kind.unit == "ns" else "us", kind.tz)
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pa.float64()
    return kind if pa.types.is_nested(kind) else pa.string()


def whole(inferred: pa.Schema, pinned: pa.Schema) -> set[str]:
    """Columns that were inferred as integers and are read as float64."""
    return {
        field.name
        for field, kind in zip(inferred, pinned.types, strict=True)
        if pa.types.is_integer(field.type) and pa.types.is_floating(kind)
    }


def expected(kind: pa.DataType) -> str:
    """What a value of this type is, for messages."""
    if pa.types.is_floating(kind):
        return "a number"
    if pa.types.is_integer(kind):
        return "a whole number"
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_timestamp(kind):
        return "a date and time" + (" with its zone" if kind.tz else "")
    return "text"


def check_known(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Make sure that all names given are known.

    Raises
    ------
    OptionError
        If one is not; the message names near ones.
    """
    for name in given:
        if name not in known:
            near = registry.near(name, known)
            raise OptionError(
                f"{what} {name!r}"
                + (f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}")
            )
