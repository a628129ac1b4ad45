"""The schema of a stream: its fields, their categories, its target, and how raw data become columns of numbers."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import pyarrow as pa

from . import columns
from .batch import Batch
from .errors import SchemaError, StateError
from .jsonable import from_json, plain, to_json

Kind = Literal["numeric", "nominal"]
Policy = Literal["error", "ignore", "grow"]
MAX_CATEGORIES = 10_000
MAX_CLASSES = 10_000


@dataclass(slots=True, eq=True)
class Field:
    """One column of the rows.

    Parameters
    ----------
    name
        The key in a dict, the column's name in a table.
    kind : "numeric" or "nominal"
    categories
        Of a nominal field, in code order; the list grows as the schema's policy allows.
    """

    name: Hashable
    kind: Kind = "numeric"
    categories: list[Hashable] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in ("numeric", "nominal"):
            raise SchemaError(f"field {self.name!r}: kind must be 'numeric' or 'nominal', not {self.kind!r}")
        if len(set(self.categories)) != len(self.categories):
            raise SchemaError(f"field {self.name!r}: a category is listed twice")


class Shape(NamedTuple):
    """What the size of a learner's arrays depends on.

    Attributes
    ----------
    cardinality : tuple of int, length d
        Categories of each field; 0 marks a numeric field.
    n_classes : int
        Classes of the target known so far; 0 for regression.
    """

    cardinality: tuple[int, ...]
    nominal: tuple[bool, ...]
    n_classes: int


class Schema:
    """Ordered fields, a target and its classes; encodes dicts, NumPy, Arrow and data frames into a `Batch`.

    Categories of a nominal field and classes of the target get their codes in the order in which the source declares
    them (Arrow dictionary, ARFF nominal), otherwise in order of first appearance. Missing values (None, NaN, an absent
    key) become NaN. Encoding for prediction never changes the schema: a category not seen before gets the next free
    code, which every learner treats as unseen.

    Parameters
    ----------
    fields
        `Field` objects, in column order.
    target
        Name of the target column; it, `id`, `event_time`, `weight` and `key` are never features.
    target_kind : "nominal" or "numeric"
        Nominal for classification, numeric for regression.
    classes
        Class labels in code order, where they are declared beforehand.
    id, event_time, weight, key
        Names of columns with these roles; a key says what separate models are kept for.
    unknown : "grow", "ignore" or "error"
        What an unknown field or category does: becomes a new column or category; is dropped (a category is then a
        missing value); or raises, as does then an absent field. Past 10,000 categories a field stops growing and
        further ones are missing values, so that a learner's memory stays bounded.

    Raises
    ------
    SchemaError
        If names repeat or an option is not one of those listed.

    Examples
    --------
    >>> import streamlearn as sl
    >>> schema = sl.Schema([sl.Field("colour", "nominal"), sl.Field("size")], target="kind")
    >>> schema.encode([{"colour": "red", "size": 2}, {"colour": "blue", "size": None}]).X
    array([[ 0.,  2.],
           [ 1., nan]])
    >>> print(schema)
    colour   nominal  red, blue
    size     numeric
    -> kind  nominal  (no class seen yet)
    """

    def __init__(
        self,
        fields: Iterable[Field],
        *,
        target: Hashable | None = None,
        target_kind: Kind = "nominal",
        classes: Sequence[Hashable] = (),
        id: Hashable | None = None,
        event_time: Hashable | None = None,
        weight: Hashable | None = None,
        key: Hashable | None = None,
        unknown: Policy = "grow",
    ) -> None:
        if unknown not in ("error", "ignore", "grow"):
            raise SchemaError(f"unknown must be 'error', 'ignore' or 'grow', not {unknown!r}")
        if target_kind not in ("numeric", "nominal"):
            raise SchemaError(f"target_kind must be 'numeric' or 'nominal', not {target_kind!r}")
        self.fields = list(fields)
        self.target, self.target_kind = target, target_kind
        self.id, self.event_time, self.weight, self.key = id, event_time, weight, key
        self.unknown = unknown
        self.classes: list[Hashable] = [plain(label) for label in classes]
        self.classes_declared = bool(self.classes)
        self.version = 0
        self._reindex()

    # -- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, names: Iterable[Hashable], **options: Any) -> Schema:
        """Make a schema of numeric fields with these names; ``options`` are those of `Schema`."""
        return cls([Field(name) for name in names], **options)

    @classmethod
    def infer(
        cls,
        data: Any,
        *,
        target: Hashable | None = None,
        kinds: Mapping[Hashable, Kind] | None = None,
        target_kind: Kind | None = None,
        **options: Any,
    ) -> Schema:
        """Infer the fields from the first data: a dict or a list of them, a NumPy matrix, an Arrow batch or a frame.

        Numbers are numeric; strings, booleans and Arrow dictionaries are nominal; a column without any value is
        numeric (a dict's key is then added when its first value comes). A table's columns keep their order; a dict's
        are sorted by name, since the order of its keys means nothing. NumPy columns are named ``x0, x1, …``. A target
        of floats is numeric, any other nominal.

        Parameters
        ----------
        data
            The first rows.
        target
            Name of the target column.
        kinds
            Kinds that override the inference, by field name.
        target_kind
            Overrides the inference of the target's kind.
        options
            Further options of `Schema` (``id``, ``event_time``, ``weight``, ``key``, ``unknown``).

        Raises
        ------
        SchemaError
            If the target, or a field named in ``kinds`` or ``options``, is not there.
        """
        kinds = dict(kinds or {})
        if isinstance(data, np.ndarray):
            if data.ndim != 2:
                raise SchemaError(f"X must be a matrix [rows, fields], got {data.ndim} dimension(s)")
            found: list[tuple[Hashable, Field]] = [(f"x{i}", Field(f"x{i}")) for i in range(data.shape[1])]
            target_values: Any = None
        elif isinstance(data, Mapping) or (
            isinstance(data, (list, tuple)) and all(isinstance(r, Mapping) for r in data)
        ):
            rows = [data] if isinstance(data, Mapping) else data
            # A field without a value yet is not guessed at where it can be added when its first value comes.
            rigid = options.get("unknown", "grow") != "grow"
            found = [
                (name, Field(name, kind)) for name, kind in columns.kinds_of_records(rows, all_missing=rigid).items()
            ]
            target_values = columns.kinds_of_records([{target: r[target]} for r in rows if target in r])
        else:
            table = columns.as_record_batch(data)
            found = [(name, columns.field_of(name, table.column(name))) for name in table.schema.names]
            target_values = None
        by_name = dict(found)
        roles = {role: options.get(role) for role in ("id", "event_time", "weight", "key")}
        for role, name in [("target", target), *roles.items(), *(("kinds", name) for name in kinds)]:
            if name is not None and name not in by_name:
                raise SchemaError(f"{role}: there is no column {name!r}; the columns are {columns.listing(by_name)}")
        special = {target, *roles.values()} - {None}
        features = [f for name, f in found if name not in special]
        for f in features:
            f.kind = kinds.get(f.name, f.kind)
            if f.kind == "numeric":
                f.categories = []
        classes: list[Hashable] = []
        if target is not None:
            f = by_name[target]
            if target_kind is None:
                target_kind = "nominal" if f.kind == "nominal" else columns.target_kind_of(data, target, target_values)
            classes = f.categories if target_kind == "nominal" else []
        return cls(features, target=target, target_kind=target_kind or "nominal", classes=classes, **options)

    def copy(self) -> Schema:
        """An independent copy."""
        return Schema.from_dict(self._to_dict(lambda value: value), decode=lambda value: value)

    # -- reading it ---------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[Hashable]:
        """Names of the fields, in column order."""
        return [f.name for f in self.fields]

    def codes(self, column: int) -> Mapping[Hashable, int]:
        """The codes of a nominal field's categories, as they stand and as they grow."""
        return self._codes[column]

    @property
    def class_codes(self) -> Mapping[Hashable, int]:
        """The codes of the classes, as they stand and as they grow."""
        return self._class_code

    @property
    def shape(self) -> Shape:
        """The sizes that learners allocate by."""
        nominal = tuple(f.kind == "nominal" for f in self.fields)
        return Shape(
            tuple(len(f.categories) for f in self.fields),
            nominal,
            len(self.classes) if self.target_kind == "nominal" else 0,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._to_dict(lambda v: v) == other._to_dict(lambda v: v)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        nominal = sum(f.kind == "nominal" for f in self.fields)
        return f"Schema({len(self.fields)} fields, {nominal} nominal, target={self.target!r}, unknown={self.unknown!r})"

    def __str__(self) -> str:
        rows = [(str(f.name), f.kind, columns.listing(f.categories)) for f in self.fields]
        if self.target is not None:
            seen = columns.listing(self.classes) or "(no class seen yet)"
            rows.append((f"-> {self.target}", self.target_kind, seen if self.target_kind == "nominal" else ""))
        width = max((len(name) for name, *_ in rows), default=0)
        return "\n".join(f"{name:<{width}}  {kind}  {rest}".rstrip() for name, kind, rest in rows)

    # -- rows: dicts ----------------------------------------------------------------------------------------------

    def encode_row(self, x: Mapping[Hashable, Any], out: np.ndarray, *, grow: bool, row: int = 0) -> None:
        """Write the dict ``x`` into ``out``, float64 [1, d].

        With ``grow``, categories that the policy allows are added first; unknown fields are not (see `add_fields`).
        """
        if not self.row_encoder(out)(x):
            self._encode_row_with_care(x, out, grow, row)

    def row_encoder(self, out: np.ndarray) -> Callable[[Mapping[Hashable, Any]], bool]:
        """A quick way to write dicts into ``out``, float64 [1, d], good until the schema gets a new field.

        Returns
        -------
        function
            Writes a dict and returns True, if it has just the known fields and categories, and nothing is missing;
            otherwise it returns False, and ``out`` may hold anything.
        """
        n, get, pack, nominal = len(self.fields), self._get, self._pack, self._nominal

        def encode(x: Mapping[Hashable, Any]) -> bool:
            try:
                if len(x) != n:
                    return False
                if nominal:
                    values = list(get(x))
                    for column, codes in nominal:
                        values[column] = codes[values[column]]
                    pack(out, 0, *values)
                else:
                    pack(out, 0, *get(x))
            except (KeyError, TypeError, struct.error):
                return False
            return True

        return encode

    def _encode_row_with_care(self, x: Mapping[Hashable, Any], out: np.ndarray, grow: bool, row: int) -> None:
        if not isinstance(x, Mapping):
            raise SchemaError(f"row {row}: expected a dict of fields, got {type(x).__name__}")
        if self.unknown == "error":
            for name in x:
                if name not in self._column and name not in self._roles:
                    raise SchemaError(
                        f"row {row}: unknown field {name!r}; the fields are {columns.listing(self.names)}"
                    )
            for name in self._column:
                if name not in x:
                    raise SchemaError(f"row {row}: field {name!r} is missing")
        values = np.empty(self._n)
        new: list[tuple[int, Hashable]] = []
        for column, f in enumerate(self.fields):
            value = plain(x.get(f.name))
            if value is None or (isinstance(value, float) and math.isnan(value)):
                values[column] = math.nan
            elif f.kind == "numeric":
                values[column] = columns.number(value, f.name, row)
            else:
                try:
                    code = self._codes[column].get(value)
                except TypeError:  # not hashable, so never seen
                    code = None
                if code is None:
                    code = self._new_category(f, value, row)
                    if code is not None:
                        new.append((column, value))
                values[column] = math.nan if code is None else code
        if grow:
            for column, value in new:
                self._add_category(column, value)
        out[0, :] = values

    def _new_category(self, f: Field, value: Hashable, row: int) -> int | None:
        """The code a category not seen before would get; None where it is a missing value."""
        if self.unknown == "error":
            raise SchemaError(
                f"row {row}: field {f.name!r}: unknown category {value!r}; known are {columns.listing(f.categories)}"
            )
        try:
            hash(value)
        except TypeError:
            raise SchemaError(f"row {row}: field {f.name!r}: a category can't be a {type(value).__name__}") from None
        return None if self.unknown == "ignore" or len(f.categories) >= MAX_CATEGORIES else len(f.categories)

    def _add_category(self, column: int, value: Hashable) -> None:
        self._codes[column][value] = len(self.fields[column].categories)
        self.fields[column].categories.append(value)
        self.version += 1

    def add_fields(self, x: Mapping[Hashable, Any]) -> None:
        """Add the fields of ``x`` that are unknown, where the policy is to grow."""
        if self.unknown != "grow" or (len(x) <= self._n and all(name in self._column for name in x)):
            return
        known = self._column.keys() | self._roles
        new = {name: value for name, value in x.items() if name not in known}
        if new:
            decided = columns.kinds_of_records([new], all_missing=False)
            self.fields += [Field(name, kind) for name, kind in decided.items()]
            self.version += bool(decided)
            self._reindex()

    def decode_row(self, values: np.ndarray) -> dict[Hashable, Any]:
        """The dict that the row ``values``, float64 [d], encodes; missing values are left out."""
        decoded: dict[Hashable, Any] = {}
        for f, value in zip(self.fields, values.tolist(), strict=True):
            if not math.isnan(value):
                decoded[f.name] = value if f.kind == "numeric" else f.categories[int(value)]
        return decoded

    # -- labels ---------------------------------------------------------------------------------------------------

    def encode_label(self, label: Any, *, grow: bool = True) -> int:
        """The code of a class label; a new label gets the next code, None and NaN give -1.

        Raises
        ------
        SchemaError
            If the label is new and classes were declared with ``unknown="error"``.
        """
        try:
            return self._class_code[label]
        except (KeyError, TypeError):
            label = plain(label)
        if label is None or (isinstance(label, float) and math.isnan(label)):
            return -1
        try:
            code = self._class_code.get(label)
        except TypeError:
            raise SchemaError(f"a label must be hashable, got {type(label).__name__}") from None
        if code is not None:
            return code
        if self.classes_declared and self.unknown == "error":
            raise SchemaError(f"unknown class {label!r}; the classes are {columns.listing(self.classes)}")
        if len(self.classes) >= MAX_CLASSES:
            raise SchemaError(f"class {label!r} would be number {MAX_CLASSES + 1}: is {self.target!r} really nominal?")
        if grow:
            self._class_code[label] = len(self.classes)
            self.classes.append(label)
            self.version += 1
        return len(self._class_code) - 1

    def encode_target(self, y: Any) -> np.ndarray:
        """Encode the targets ``y`` [n]: int64 class codes, or float64 values where the target is numeric.

        Raises
        ------
        SchemaError
            If a value is not a number where the target is numeric; the message gives the row.
        """
        if self.target_kind == "numeric":
            return columns.numbers(y, self.target if self.target is not None else "y")
        return self._encode_nominal_target(columns.as_array(y))

    def _encode_nominal_target(self, values: Any) -> np.ndarray:
        if isinstance(values, list):
            return np.fromiter((self.encode_label(label) for label in values), np.int64, len(values))
        labels, codes = columns.dictionary(values)
        table = np.array([*(self._class_code.get(label, -1) for label in labels), -1], np.int64)
        if (table[:-1] < 0).any():
            for position in columns.in_order_of_appearance(codes, len(labels)):
                table[position] = self.encode_label(labels[position])
        return table[codes]

    def decode_labels(self, codes: np.ndarray) -> np.ndarray:
        """Class labels [n] of ``codes``, int64 [n]; -1 gives the first class where classes are declared, else None."""
        first = self.classes[0] if self.classes_declared else None
        labels = [*self.classes, first]
        kinds = {type(label) for label in labels[: None if (codes < 0).any() else -1]}
        dtype = next(iter(kinds)) if len(kinds) == 1 and kinds <= {bool, int, float, str} else object
        lookup = np.empty(len(labels), dtype=object)
        lookup[:] = labels
        return lookup[codes].astype(dtype) if dtype is not object else lookup[codes]

    def decode_label(self, code: int) -> Hashable | None:
        """The class label of ``code``; -1 gives the first class where classes are declared, else None."""
        if code >= 0:
            return self.classes[code]
        return self.classes[0] if self.classes_declared else None

    # -- batches --------------------------------------------------------------------------------------------------

    def encode(self, X: Any, y: Any = None, *, weight: Any = None, grow: bool = True) -> Batch:
        """Encode rows of any accepted form into a `Batch`.

        Parameters
        ----------
        X
            A dict or a list of dicts; a NumPy matrix [n, d] with nominal fields as codes; an Arrow record batch or
            table; any data frame that speaks Arrow (pandas, Polars, DuckDB, …); or a `Batch` already encoded.
        y : array-like [n], optional
            Targets; by default the schema's target column, if ``X`` has it.
        weight : array-like [n], optional
            Instance weights, >= 0.
        grow
            Whether new fields and categories may be added (when learning), or get unseen codes (when predicting).

        Raises
        ------
        SchemaError
            If something doesn't fit; the message names the field and the row, and the schema is left unchanged.
        """
        if isinstance(X, Batch):
            return X
        if isinstance(X, np.ndarray):
            batch = Batch(self, self._encode_matrix(X))
        elif isinstance(X, Mapping) or (isinstance(X, (list, tuple)) and all(isinstance(r, Mapping) for r in X)):
            batch = self._encode_records([X] if isinstance(X, Mapping) else X, grow)
        else:
            batch = self.encode_arrow(columns.as_record_batch(X), grow=grow)
        if y is not None:
            batch.y = self.encode_target(y)
            if len(batch.y) != len(batch):
                raise SchemaError(f"X has {len(batch)} rows, y has {len(batch.y)}")
        if weight is not None:
            batch.weight = self._weights(weight, len(batch))
        return batch

    def _encode_matrix(self, X: np.ndarray) -> np.ndarray:
        if X.ndim != 2 or X.shape[1] != self._n:
            raise SchemaError(f"X must be a matrix of {self._n} columns ({columns.listing(self.names)}), got {X.shape}")
        try:
            encoded = np.require(X, np.float64, ["C", "W", "A"])
        except (TypeError, ValueError):
            raise columns.first_bad_cell(X, self.names) from None
        bad = columns.first_bad_code(encoded, self.shape.cardinality, self.shape.nominal) if self._nominal else None
        if bad is not None:
            row, column = bad
            f = self.fields[column]
            raise SchemaError(
                f"row {row}: field {f.name!r}: {encoded[row, column]} is not a category code "
                f"(0 … {len(f.categories) - 1}); pass dicts or a data frame to have categories encoded"
            )
        return encoded

    def _encode_records(self, records: Sequence[Mapping[Hashable, Any]], grow: bool) -> Batch:
        if grow and self.unknown == "grow":
            trial = self.copy()  # so that a bad row half-way leaves the schema as it was
            for x in records:
                trial.add_fields(x)
        else:
            trial = self
        X = np.empty((len(records), trial._n))
        encoded = np.empty((1, trial._n))
        encode = trial.row_encoder(encoded)
        for i, x in enumerate(records):
            if not encode(x):
                trial._encode_row_with_care(x, encoded, grow, i)
            X[i] = encoded[0]
        labels = [x[self.target] for x in records if self.target in x] if self.target is not None else []
        if grow and trial is not self:
            self._become(trial)
        batch = Batch(self, X)
        if labels and len(labels) == len(records):
            batch.y = self.encode_target(labels)
        if self.weight is not None and all(self.weight in x for x in records):
            batch.weight = self._weights([x[self.weight] for x in records], len(batch))
        return batch

    def encode_arrow(self, table: pa.RecordBatch, *, grow: bool = True) -> Batch:
        """Encode an Arrow record batch, a column at a time (see `encode`)."""
        names = table.schema.names
        if len(set(names)) != len(names):
            raise SchemaError(f"a column appears twice: {columns.listing(names)}")
        unknown = [name for name in names if name not in self._column and name not in self._roles]
        if unknown and self.unknown == "error":
            raise SchemaError(f"unknown field {unknown[0]!r}; the fields are {columns.listing(self.names)}")
        new_fields = [columns.field_of(n, table.column(n)) for n in unknown] if grow and self.unknown == "grow" else []
        fields = self.fields + new_fields
        X = np.empty((table.num_rows, len(fields)))
        new: list[tuple[int, Hashable]] = []
        for column, f in enumerate(fields):
            if f.name not in names:
                if self.unknown == "error":
                    raise SchemaError(f"field {f.name!r} is missing; the columns are {columns.listing(names)}")
                X[:, column] = math.nan
            elif f.kind == "numeric":
                X[:, column] = columns.numbers(table.column(f.name), f.name)
            else:
                X[:, column] = self._encode_nominal(column, f, table.column(f.name), grow, new)
        batch = Batch(self, X)
        if self.weight in names and self.weight is not None:
            batch.weight = self._weights(table.column(self.weight), len(batch))
        if self.id is not None and self.id in names:
            batch.id = table.column(self.id)
        if self.key is not None and self.key in names:
            batch.key = table.column(self.key)
        if self.event_time is not None and self.event_time in names:
            batch.event_time = columns.numbers(table.column(self.event_time), self.event_time)
        if self.target is not None and self.target in names:
            batch.y = self.encode_target(table.column(self.target))
        if new_fields:
            self.fields = fields
            self.version += 1
            self._reindex()
        for column, value in new:
            self._add_category(column, value)
        return batch

    def _encode_nominal(
        self, column: int, f: Field, values: pa.Array, grow: bool, new: list[tuple[int, Hashable]]
    ) -> np.ndarray:
        labels, codes = columns.dictionary(values)
        known = self._codes[column] if column < self._n else {label: i for i, label in enumerate(f.categories)}
        table = np.array([*(known.get(label, math.nan) for label in labels), math.nan], np.float64)
        unknown = np.isnan(table[:-1])
        if unknown.any():
            next_code = len(known)
            for position in columns.in_order_of_appearance(codes, len(labels)):
                if not unknown[position]:
                    continue
                row = int((codes == position).argmax()) if self.unknown == "error" else 0
                if self._new_category(f, labels[position], row) is None or next_code >= MAX_CATEGORIES:
                    continue
                table[position] = next_code
                next_code += 1
                if grow:
                    new.append((column, labels[position]))
        return table[codes]

    def _weights(self, values: Any, n: int) -> np.ndarray:
        weights = columns.numbers(values, self.weight if self.weight is not None else "weight")
        if weights.shape != (n,):
            raise SchemaError(f"X has {n} rows, weight has {len(weights)}")
        bad = ~(np.isfinite(weights) & (weights >= 0))
        if bad.any():
            row = int(bad.argmax())
            raise SchemaError(f"row {row}: a weight must be a finite number >= 0, got {weights[row]}")
        return weights

    # -- files and merging ------------------------------------------------------------------------------------------

    def update(self, other: Schema) -> None:
        """Become equal to ``other``, a later version of this schema: append its new fields, categories and classes.

        Raises
        ------
        SchemaError
            If ``other`` is not a continuation of this schema.
        """
        for mine, theirs in zip(self.fields, other.fields, strict=False):
            if mine.name != theirs.name or mine.kind != theirs.kind:
                raise SchemaError(f"field {mine.name!r} ({mine.kind}) meets {theirs.name!r} ({theirs.kind})")
            if theirs.categories[: len(mine.categories)] != mine.categories:
                raise SchemaError(f"field {mine.name!r}: the categories have another order")
        if len(other.fields) < len(self.fields) or other.classes[: len(self.classes)] != self.classes:
            raise SchemaError("the data were encoded by another schema: fields or classes differ")
        self._become(other.copy())

    def _become(self, other: Schema) -> None:
        self.__dict__.update({**other.__dict__, "version": self.version + 1})

    def _to_dict(self, encode: Any) -> dict[str, Any]:
        return {
            "fields": [
                {"name": encode(f.name), "kind": f.kind, "categories": [encode(c) for c in f.categories]}
                for f in self.fields
            ],
            "target": encode(self.target),
            "target_kind": self.target_kind,
            "classes": [encode(label) for label in self.classes],
            "classes_declared": self.classes_declared,
            "id": encode(self.id),
            "event_time": encode(self.event_time),
            "weight": encode(self.weight),
            "key": encode(self.key),
            "unknown": self.unknown,
        }

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return self._to_dict(to_json)

    @classmethod
    def from_dict(cls, data: Any, *, decode: Any = from_json) -> Schema:
        """Make a schema of what `to_dict` gave.

        Raises
        ------
        StateError
            If a key is missing, unknown or malformed.
        """
        keys = {
            "fields",
            "target",
            "target_kind",
            "classes",
            "classes_declared",
            "id",
            "event_time",
            "weight",
            "unknown",
        }
        if not isinstance(data, dict) or set(data) - {"key"} != keys:  # files before there were keys have none
            raise StateError(f"a schema has the keys {', '.join(sorted(keys))}")
        try:
            fields = [Field(decode(f["name"]), f["kind"], [decode(c) for c in f["categories"]]) for f in data["fields"]]
            roles = {role: decode(data[role]) for role in ("target", "id", "event_time", "weight")}
            roles["key"] = decode(data.get("key"))
            schema = cls(
                fields,
                classes=[decode(label) for label in data["classes"]],
                target_kind=data["target_kind"],
                unknown=data["unknown"],
                **roles,
            )
        except (KeyError, TypeError, SchemaError) as error:
            raise StateError(f"malformed schema: {error}") from error
        schema.classes_declared = bool(data["classes_declared"])
        return schema

    def save(self, path: str | Path) -> None:
        """Write the schema to a JSON file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read a schema from a JSON file that `save` wrote, or that was written by hand.

        Raises
        ------
        StateError
            If the file is no such JSON.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StateError(f"{path}: not a schema: {error}") from error

    # -- lookups ------------------------------------------------------------------------------------------------------

    def _reindex(self) -> None:
        names = [f.name for f in self.fields]
        columns_of_roles = (self.target, self.id, self.event_time, self.weight, self.key)
        roles = [name for name in columns_of_roles if name is not None]
        repeated = (
            [name for name in names + roles if (names + roles).count(name) > 1]
            if len(set(names + roles)) < len(names + roles)
            else []
        )
        if repeated:
            raise SchemaError(f"the name {repeated[0]!r} appears twice in the schema")
        self._n = len(names)
        self._column = {name: i for i, name in enumerate(names)}
        self._roles = set(roles)
        self._codes: dict[int, dict[Hashable, int]] = {
            i: {value: code for code, value in enumerate(f.categories)}
            for i, f in enumerate(self.fields)
            if f.kind == "nominal"
        }
        self._nominal = list(self._codes.items())
        self._class_code = {label: code for code, label in enumerate(self.classes)}
        if len(self._class_code) < len(self.classes):
            raise SchemaError("a class is listed twice")
        self._pack: Callable[..., None] = struct.Struct(f"{self._n}d").pack_into
        self._get: Callable[[Any], Any] = _getter(names)

    def __getstate__(self) -> dict[str, Any]:
        return self._to_dict(lambda value: value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(Schema.from_dict(state, decode=lambda value: value).__dict__)


def _getter(names: Sequence[Hashable]) -> Callable[[Any], Any]:
    """A function that takes the values of these names out of a dict, as a tuple."""
    if len(names) > 1:
        getter: Any = itemgetter
        return cast(Callable[[Any], Any], getter(*names))
    return lambda x: tuple(x[name] for name in names)  # itemgetter would not give a tuple
