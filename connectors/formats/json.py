"""JSON records: one object a record, decoded by a compiled decoder that is built from the schema."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from streamlearn.format import Format, Roles
from streamlearn.records import Decoded, Records
from streamlearn.schema import MAX_CATEGORIES, Schema

from .inference import infer
from .plain_records import PlainRecords
from .rows import LARGEST, LATEST, Block, RowByRow, seconds, values_of, what

_CHUNK = 512  # records at a time: what is made of them stays in the processor's cache
_MAX_LAYOUTS, _MAX_NULLS = 64, 256
_UNFIT = frozenset('"\\').union(map(chr, range(32)))  # characters that a member of a struct can't have in its name
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_Scalar = str | int | float | bool | None
_Name = str | int | float | None  # of an id or a key; floats are told apart later


class JsonFormat(Format):
    """Decodes records that are JSON objects of plain values, one object a record.

    A kernel reads plain records straight into columns, those with known fields of the right kinds and without escapes.
    What it leaves, a decoder built from the schema reads; and whatever that does not take (a bad value, an unknown
    field, a new category) is looked at again, alone, as `Schema.encode` looks at a dict. So the good rows are just what
    `Schema.encode` makes of the same objects, and a bad record costs only itself.

    An object's key that comes twice counts as it comes last. Nested values are no fields: such a record is rejected,
    or, with ``unknown="ignore"``, the nested field is passed over. NaN and Infinity are not JSON: send null.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> from streamlearn.connectors.formats import JsonFormat
    >>> from streamlearn.format import Roles
    >>> from streamlearn.records import Records
    >>> values = [b'{"a": 1, "c": "red", "y": "no"}', b'{"a": "two"}', b'{"c": "blue", "y": "yes"}']
    >>> records = Records("events-0", "events-0", np.arange(3), 3, values)
    >>> format, roles = JsonFormat(), Roles(target="y")
    >>> schema = format.infer(records, roles)
    >>> decoded = format.decode(records, schema, roles)
    >>> decoded.batch.X.tolist(), decoded.batch.y.tolist(), decoded.rows.tolist()
    ([[1.0, 0.0], [nan, 1.0]], [0, 1], [0, 2])
    >>> decoded.rejected
    [Rejected(row=1, reason="field 'a': expected a number, got 'two'")]
    """

    name = "json"

    def __init__(self) -> None:
        self._layouts: dict[Any, _Layout] = {}
        self._plain: dict[int, PlainRecords] = {}
        self._nulls: frozenset[str] = frozenset()

    def infer(self, records: Records, roles: Roles) -> Schema:
        return infer(self.documents(records), roles)

    def documents(self, records: Records) -> list[Mapping[str, Any] | str | None]:
        return [None if value is None else _document(value, _decode_any) for value in values_of(records)]

    def decode(self, records: Records, schema: Schema, roles: Roles) -> Decoded:
        rows = RowByRow(schema, required=roles.required, labelled=roles.labelled)
        values = values_of(records)
        block, left = self._plain_records(schema).take(values, schema, roles.required)
        blocks = [block] if block is not None else []
        for start in range(0, len(left), _CHUNK):
            some = left[start : start + _CHUNK]
            blocks.append(self._block([values[row] for row in some], np.array(some), schema, roles.required, rows))
        return rows.decoded(blocks)

    def _plain_records(self, schema: Schema) -> PlainRecords:
        layout = self._layout(schema)
        known = self._plain.get(id(schema))
        if known is None or not known.serves(schema, layout.members):
            if len(self._plain) >= _MAX_LAYOUTS:
                self._plain.clear()
            known = self._plain[id(schema)] = PlainRecords(schema, layout.members)
        return known

    def _block(
        self, values: Sequence[bytes | None], rows: np.ndarray, schema: Schema, required: bool, careful: RowByRow
    ) -> Block:
        """The rows that the decoder of structs makes, all of whose values are known; ``careful`` gets the others.

        The careful rows may add to the schema, but nothing that a row of the block has: so their order among each
        other is all that matters, and the block can be encoded as the schema stood before.
        """
        layout = self._layout(schema)
        decode, found, missed = layout.decode, [], []
        for place, value in enumerate(values):
            try:
                found.append(astuple(decode(value)))
            except (*_UNREADABLE, TypeError):
                missed.append(place)
        read = np.delete(np.arange(len(values)), missed)
        doubtful = np.zeros(len(read), np.bool_)
        block = layout.encode(found, schema, required, doubtful)
        block.rows = rows[read]
        if doubtful.any():
            missed = sorted([*missed, *read[doubtful].tolist()])
            block = _without(block, doubtful)
        for place in missed:
            raw, row = values[place], int(rows[place])
            if raw is not None:
                document = _document(raw, layout.decode_alone)
                if isinstance(document, str):
                    careful.reject(row, document)
                else:
                    self._note_nulls(document, schema)
                    careful.add(row, document)
        return block

    def _note_nulls(self, document: dict[str, Any], schema: Schema) -> None:
        """Learn which unknown fields are null: they can't be added before a value comes, and must not slow all down."""
        if schema.unknown == "grow" and len(self._nulls) < _MAX_NULLS:
            nulls = {name for name, value in document.items() if value is None and _UNFIT.isdisjoint(name)}
            if not nulls <= self._nulls:
                self._nulls |= nulls

    def _layout(self, schema: Schema) -> _Layout:
        fields = tuple((f.name, f.kind) for f in schema.fields)
        roles = (schema.target, schema.target_kind, schema.id, schema.event_time, schema.weight, schema.key)
        key = (fields, roles, schema.unknown, self._nulls)
        known = self._layouts.get(key)
        if known is None:
            if len(self._layouts) >= _MAX_LAYOUTS:  # schemas that grew leave theirs behind
                self._layouts.clear()
            known = self._layouts[key] = _Layout(schema, self._nulls if schema.unknown == "grow" else frozenset())
        return known


def _document(value: bytes, decode: Callable[[bytes], Any]) -> dict[str, Any] | str:
    """A record as a dict, or why it is none."""
    if not value:
        return "the value is empty"
    try:
        document = decode(value.removeprefix(_BYTE_ORDER_MARK))
    except UnicodeDecodeError as error:
        return f"the text is not UTF-8: {error.reason} at byte {error.start} of a text"
    except RecursionError:
        return "the value is nested too deeply"
    except msgspec.MsgspecError as error:
        return str(error)
    return document if isinstance(document, dict) else f"expected an object, got {what(document)}"


_decode_any = msgspec.json.Decoder().decode


class _Layout:
    """What is built from a schema's fields: the decoders, and where the columns are in the decoded tuples.

    Attributes
    ----------
    members
        The names of all that a record may have: the fields, in their order, the roles, and unknown fields that were
        null before.
    decode
        A record as a struct; strict, since whatever it takes is final. Unknown fields that were null before may be.
    decode_alone
        A record as a dict, for those that `decode` does not take.
    """

    def __init__(self, schema: Schema, nulls: frozenset[str]) -> None:
        required = schema.unknown == "error"
        members: list[tuple[Hashable, Any, Any]] = [
            (f.name, float | None if f.kind == "numeric" else _Scalar, msgspec.NODEFAULT if required else None)
            for f in schema.fields
        ]
        self.numeric = [i for i, f in enumerate(schema.fields) if f.kind == "numeric"]
        self.nominal = [i for i, f in enumerate(schema.fields) if f.kind == "nominal"]

        def role(name: Hashable | None, kind: Any, default: Any = None) -> int | None:
            if name is None:
                return None
            members.append((name, kind, default))
            return len(members) - 1

        self.target = role(schema.target, _Scalar if schema.target_kind == "nominal" else float | None)
        self.id = role(schema.id, _Name)
        self.event_time = role(schema.event_time, float | str | None)
        self.weight = role(schema.weight, float, 1.0)
        self.key = role(schema.key, _Name)
        known = {name for name, _, _ in members}
        members += [(name, None, None) for name in sorted(nulls) if name not in known]
        self.members = [name for name, _, _ in members]
        self.width = len(members)
        self.decode, self.decode_alone = _decoders(members, strict=schema.unknown != "ignore")

    def encode(self, found: list[tuple[Any, ...]], schema: Schema, required: bool, doubtful: np.ndarray) -> Block:
        """The columns of decoded records; rows with a value that needs a closer look are marked in ``doubtful``."""
        columns: list[tuple[Any, ...]] = list(zip(*found, strict=True)) if found else [()] * self.width
        X = np.empty((len(found), len(schema.fields)))
        for i in self.numeric:
            X[:, i] = columns[i]  # None becomes NaN
        for i in self.nominal:
            X[:, i] = list(map(schema.codes(i).get, columns[i]))  # so does what is unknown
            if schema.unknown != "ignore" and len(schema.fields[i].categories) < MAX_CATEGORIES:
                _mark_unknown(columns[i], np.isnan(X[:, i]), doubtful)
        block = Block(np.empty(0, np.int64), X, None, None, None, None, None)
        if self.target is not None:
            labels = columns[self.target]
            if schema.target_kind == "nominal":
                block.y = np.array(list(map(schema.class_codes.get, labels, repeat(-1))), np.int64)
                _mark_unknown(labels, block.y < 0, doubtful)
            else:
                block.y = np.array(labels, np.float64)
            if required and None in labels:
                doubtful |= [label is None for label in labels]
        if self.id is not None:
            block.id = columns[self.id]
            _mark_names(columns[self.id], doubtful)
        if self.event_time is not None:
            block.event_time = _times(columns[self.event_time], schema.event_time, doubtful)
        if self.weight is not None:
            block.weight = np.array(columns[self.weight], np.float64)
            doubtful |= ~(block.weight >= 0)  # JSON has no infinite numbers
        if self.key is not None:
            block.key = columns[self.key]
            _mark_names(columns[self.key], doubtful)
            if None in columns[self.key]:
                doubtful |= [key is None for key in columns[self.key]]
        return block


def _decoders(
    members: list[tuple[Hashable, Any, Any]], *, strict: bool
) -> tuple[Callable[[Any], Any], Callable[[bytes], Any]]:
    names = [name for name, _, _ in members]
    try:
        struct = msgspec.defstruct(
            "Row",
            [
                (f"f{i}", kind, msgspec.field(name=name, default=default))  # type: ignore[call-overload]
                for i, (name, kind, default) in enumerate(members)
            ],
            kw_only=True,
            gc=False,
            forbid_unknown_fields=strict,
        )
        if strict:
            return msgspec.json.Decoder(struct).decode, _decode_any
        lenient = msgspec.defstruct(
            "Values",
            [(f"f{i}", Any, msgspec.field(name=name, default=msgspec.UNSET)) for i, name in enumerate(names)],  # type: ignore[call-overload]
            kw_only=True,
            gc=False,
        )
    except (TypeError, ValueError):  # a name that a struct can't have, with a quote in it or not a text
        return _take_nothing, _decode_any
    decode_values = msgspec.json.Decoder(lenient).decode

    def decode_alone(value: bytes) -> dict[Hashable, Any]:
        values = astuple(decode_values(value))
        return {name: value for name, value in zip(names, values, strict=True) if value is not msgspec.UNSET}

    return msgspec.json.Decoder(struct).decode, decode_alone


def _take_nothing(value: Any) -> Any:
    raise TypeError


def _mark_unknown(values: Sequence[Any], without_code: np.ndarray, doubtful: np.ndarray) -> None:
    for i in without_code.nonzero()[0].tolist():
        if values[i] is not None:
            doubtful[i] = True


def _mark_names(values: Sequence[Any], doubtful: np.ndarray) -> None:
    """Mark what `identity` refuses."""
    kinds = set(map(type, values))
    numbers: Any = values if kinds == {int} else [value for value in values if isinstance(value, int)]
    if float in kinds or (numbers and not -LARGEST <= min(numbers) <= max(numbers) < LARGEST):
        doubtful |= [
            isinstance(value, float) or (isinstance(value, int) and not -LARGEST <= value < LARGEST) for value in values
        ]


def _times(values: Sequence[float | str | None], name: Hashable, doubtful: np.ndarray) -> np.ndarray:
    if str in set(map(type, values)):
        times = np.empty(len(values))
        for i, value in enumerate(values):
            try:
                times[i] = seconds(value, name)
            except ValueError:
                doubtful[i] = True
        return times
    times = np.array(values, np.float64)
    doubtful |= np.abs(times) > LATEST
    return times


def _without(block: Block, doubtful: np.ndarray) -> Block:
    good = ~doubtful

    def kept(column: Any) -> Any:
        if isinstance(column, np.ndarray):
            return column[good]
        return None if column is None else [value for value, keep in zip(column, good.tolist(), strict=True) if keep]

    return Block(
        kept(block.rows),
        kept(block.X),
        kept(block.y),
        kept(block.weight),
        kept(block.id),
        kept(block.event_time),
        kept(block.key),
    )
