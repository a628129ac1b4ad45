"""Learners' states as short byte strings: a model of a kilobyte is packed and unpacked in microseconds.

A model file describes itself, which for a small model costs more than the model. Here thousands of models of one kind
share their description: the *layout*, which says where the state has arrays, and of which types, is kept once, beside
the records; so is the schema, of which a record says only how much of it the model had seen.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import StateError
from ..schema import Schema, Shape

_HEAD = struct.Struct("<HHI")  # layout, fields, bytes of JSON
_DTYPES = {"<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "|u1", "|b1"}
_SCHEMA, _VALUE = "schema", "value"  # leaves of a layout; an array's leaf is (dtype, dimensions)

Layout = Any
"""A state's structure as nested tuples, so that it is a key of a dict: of dicts (names, parts), of lists (None, parts).
"""


class Packing:
    """Packs states of one kind of learner over one growing schema.

    Parameters
    ----------
    schema
        The schema that all the learners follow; it may grow, and records packed before stay readable.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._layouts: list[Layout] = []
        self._number: dict[Layout, int] = {}
        self._described: tuple[Shape, dict[str, Any]] | None = None  # the schema as of a shape, as a state has it

    def pack(self, state: Mapping[str, Any], shape: Shape) -> bytes:
        """A state, as `Learner.state` gave it, of a learner whose schema has this shape."""
        arrays: list[np.ndarray] = []
        values: list[Any] = []
        layout = _layout_of(state, self._schema_at(shape), arrays, values)
        number = self._number.get(layout)
        if number is None:
            number = self._add(layout)
        text = json.dumps(values, separators=(",", ":")).encode() if values else b""
        sizes = [size for array in arrays for size in array.shape]
        head = struct.pack(
            f"<HHI{len(shape.cardinality) + 1}i{len(sizes)}q",
            number, len(shape.cardinality), len(text), *shape.cardinality, shape.n_classes, *sizes
        )  # fmt: skip
        parts = [_padded(head + text)]
        parts += [_padded(array.tobytes()) for array in arrays]
        return b"".join(parts)

    def unpack(self, record: bytes) -> dict[str, Any]:
        """The state that was packed; arrays are views of one buffer of its own.

        Raises
        ------
        StateError
            If the record is damaged, or belongs to another layout or schema.
        """
        try:
            number, fields, text_size = _HEAD.unpack_from(record)
            *cardinality, classes = struct.unpack_from(f"<{fields + 1}i", record, _HEAD.size)
            layout = self._layouts[number]
            start = _HEAD.size + 4 * (fields + 1)
            sizes = struct.unpack_from(f"<{_dimensions(layout)}q", record, start)
            start += 8 * len(sizes)
            values = json.loads(record[start : start + text_size]) if text_size else []
            nominal = tuple(f.kind == "nominal" for f in self.schema.fields[:fields])
            schema = self._schema_at(Shape(tuple(cardinality), nominal, classes))
            reader = _Reader(bytearray(record), _aligned(start + text_size), iter(sizes), iter(values), schema)
            state: dict[str, Any] = reader.read(layout)
        except (struct.error, IndexError, ValueError, StopIteration, TypeError) as error:
            raise StateError(f"a packed model can't be read: {error}") from error
        return state

    # -- what records share -------------------------------------------------------------------------------------------

    def layouts(self) -> list[Any]:
        """The layouts that records refer to, as JSON."""
        return _as_lists(self._layouts)

    def restore(self, layouts: Any) -> None:
        """Take over what `layouts` gave."""
        if not isinstance(layouts, list):
            raise StateError("the layouts of packed models must be a list")
        self._layouts, self._number = [], {}
        for layout in layouts:
            _check_layout(layout, 0)
            self._add(_as_tuples(layout))

    def _add(self, layout: Layout) -> int:
        if len(self._layouts) >= 1 << 16:
            raise StateError("the models' states have too many different layouts to be packed")
        self._number[layout] = len(self._layouts)
        self._layouts.append(layout)
        return self._number[layout]

    def _schema_at(self, shape: Shape) -> dict[str, Any]:
        """The schema as it was when it had this shape: fields, categories and classes are only ever appended."""
        if self._described is None or self._described[0] != shape:
            described = self.schema.to_dict()
            fields = described["fields"][: len(shape.cardinality)]
            if len(fields) < len(shape.cardinality) or any(
                size > len(field["categories"]) for size, field in zip(shape.cardinality, fields, strict=True)
            ):
                raise StateError("a packed model has seen more of the schema than there is")
            described["fields"] = [
                {**field, "categories": field["categories"][:size]}
                for size, field in zip(shape.cardinality, fields, strict=True)
            ]
            if self.schema.target_kind == "nominal":
                described["classes"] = described["classes"][: shape.n_classes]
            self._described = shape, described
        return self._described[1]


class _Reader:
    """Puts a state together again, following its layout through a record."""

    def __init__(self, data: bytearray, start: int, sizes: Any, values: Any, schema: dict[str, Any]) -> None:
        self.data, self.at = data, start
        self.sizes, self.values, self.schema = sizes, values, schema

    def read(self, layout: Layout) -> Any:
        if layout == _SCHEMA:
            return self.schema
        if layout == _VALUE:
            return next(self.values)
        names, parts = layout
        if isinstance(names, str):
            return self._array(names, [next(self.sizes) for _ in range(parts)])
        if names is None:
            return [self.read(part) for part in parts]
        return {name: self.read(part) for name, part in zip(names, parts, strict=True)}

    def _array(self, dtype: str, shape: list[int]) -> np.ndarray:
        count = 1
        for size in shape:
            if size < 0:
                raise StateError("a packed model can't be read: an array has a negative size")
            count *= size
        array = np.frombuffer(self.data, dtype, count, self.at) if count else np.empty(0, dtype)
        self.at = _aligned(self.at + array.nbytes)
        return array if len(shape) == 1 else array.reshape(shape)


def _layout_of(value: Any, schema: dict[str, Any], arrays: list[np.ndarray], values: list[Any]) -> Layout:
    if isinstance(value, np.ndarray):
        if value.dtype.str not in _DTYPES:
            raise StateError(f"can't pack an array of {value.dtype}")
        arrays.append(value)
        return value.dtype.str, value.ndim
    if isinstance(value, Mapping):
        if value == schema:
            return _SCHEMA
        return tuple(value), tuple(_layout_of(part, schema, arrays, values) for part in value.values())
    if isinstance(value, (list, tuple)) and any(isinstance(part, (np.ndarray, Mapping, list, tuple)) for part in value):
        return None, tuple(_layout_of(part, schema, arrays, values) for part in value)
    values.append(value.item() if isinstance(value, np.generic) else value)
    return _VALUE


def _dimensions(layout: Layout) -> int:
    """Dimensions of all arrays of a layout together."""
    if isinstance(layout, str):
        return 0
    names, parts = layout
    return int(parts) if isinstance(names, str) else sum(_dimensions(part) for part in parts)


def _check_layout(layout: Any, depth: int) -> None:
    """Refuse what `layouts` did not write."""
    if layout in (_SCHEMA, _VALUE):
        return
    if depth < 32 and isinstance(layout, list) and len(layout) == 2:
        names, parts = layout
        if isinstance(names, str) and names in _DTYPES and isinstance(parts, int) and 0 <= parts <= 32:
            return
        named = names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))
        if named and isinstance(parts, list) and (names is None or len(names) == len(parts)):
            for part in parts:
                _check_layout(part, depth + 1)
            return
    raise StateError(f"not a layout of packed models: {layout!r:.80}")


def _as_lists(layout: Any) -> Any:
    return [_as_lists(part) for part in layout] if isinstance(layout, (list, tuple)) else layout


def _as_tuples(layout: Any) -> Any:
    return tuple(_as_tuples(part) for part in layout) if isinstance(layout, list) else layout


def _aligned(size: int) -> int:
    return -(-size // 8) * 8


def _padded(data: bytes) -> bytes:
    """Up to a multiple of eight bytes, so that arrays in a record are aligned."""
    return data + b"\0" * (-len(data) % 8)
