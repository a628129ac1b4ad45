"""Avro records: of one schema that is given, or in Confluent's framing with the schemas in a registry."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlearn.errors import InputError, MissingExtraError, OptionError, SourceError
from streamlearn.records import Records

from .documents import DocumentFormat
from .schema_registry import SchemaRegistry, UnknownSchemaError


class AvroFormat(DocumentFormat):
    """Decodes Avro records, each one a record in binary encoding without a file's header.

    Times become seconds since the epoch, decimals floats, UUIDs and enums text; nested values, bytes and times of day
    are no fields.

    Parameters
    ----------
    schema
        The schema that all records were written with: a path to an ``.avsc`` file, or the schema itself.
    registry
        Instead, for records that begin with a zero and the number of their schema: the registry's URL, or a mapping
        with ``url``, ``user``, ``password``, ``ca`` (a file of certificates) and ``timeout`` (seconds).

    Raises
    ------
    OptionError
        If not just one of the two is given, or a schema is malformed.
    InputError
        If there is no such file.
    MissingExtraError
        If fastavro is not installed.

    Examples
    --------
    >>> import io
    >>> import fastavro
    >>> import numpy as np
    >>> from streamlearn.connectors.formats import AvroFormat
    >>> from streamlearn.format import Roles
    >>> from streamlearn.records import Records
    >>> schema = {"type": "record", "name": "Event", "fields": [{"name": "price", "type": "double"}]}
    >>> buffer = io.BytesIO()
    >>> fastavro.schemaless_writer(buffer, schema, {"price": 2.5})
    >>> records = Records("events-0", "events-0", np.arange(1), 1, [buffer.getvalue()])
    >>> format = AvroFormat(schema=schema)
    >>> format.decode(records, format.infer(records, Roles()), Roles()).batch.X.tolist()
    [[2.5]]
    """

    name = "avro"

    def __init__(
        self,
        *,
        schema: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        registry: str | Mapping[str, Any] | None = None,
    ) -> None:
        if (schema is None) == (registry is None):
            raise OptionError("avro: give either schema (an .avsc file) or registry (a URL)")
        try:
            import fastavro
        except ImportError:
            raise MissingExtraError("avro", "the format avro") from None
        self._read = fastavro.schemaless_reader
        self._parse = fastavro.parse_schema
        self._schemas: dict[int, Any] = {}
        self._unknown: set[int] = set()
        self._registry: SchemaRegistry | None = None
        if schema is not None:
            self._schema = self._parsed(_loaded(schema))
        elif isinstance(registry, Mapping):
            try:
                self._registry = SchemaRegistry(**registry)
            except TypeError as error:
                raise OptionError(f"registry: {error}; it takes url, user, password, ca and timeout") from None
        elif registry is not None:
            self._registry = SchemaRegistry(registry)

    def documents(self, records: Records) -> list[Mapping[str, Any] | str | None]:
        self._unknown.clear()  # so that a schema that was registered since is found
        return super().documents(records)

    def document(self, value: bytes) -> dict[Any, Any]:
        schema, start = self._written_by(value)
        stream = io.BytesIO(value)
        stream.seek(start)
        try:
            document = self._read(stream, schema)
        except Exception as error:  # of whatever kind the damage provokes
            raise ValueError(f"no record of the schema: {type(error).__name__}: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("the schema is not that of a record")
        if stream.tell() != len(value):
            raise ValueError(f"{len(value) - stream.tell()} bytes are left over: it was written by another schema")
        return document

    def _written_by(self, value: bytes) -> tuple[Any, int]:
        """The schema that a record was written with, and where its data begin."""
        if self._registry is None:
            return self._schema, 0
        if len(value) < 5 or value[0] != 0:
            raise ValueError("it does not begin with a zero and the number of its schema")
        number = int.from_bytes(value[1:5], "big")
        if number not in self._schemas:
            self._schemas[number] = self._ask(self._registry, number)
        return self._schemas[number], 5

    def _ask(self, registry: SchemaRegistry, number: int) -> Any:
        if number in self._unknown:
            raise UnknownSchemaError(f"schema {number} is not in the registry")
        try:
            answer = registry.schema(number)
        except UnknownSchemaError:
            self._unknown.add(number)
            raise
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise ValueError(f"schema {number} is {answer['schemaType']}, not Avro")
        named: dict[str, Any] = {}
        self._parse_references(registry, answer, named, 0)
        try:
            return self._parsed(json.loads(answer["schema"]), named)
        except (OptionError, ValueError) as error:
            raise SourceError(f"the schema registry's schema {number} is malformed: {error}") from None

    def _parse_references(self, registry: SchemaRegistry, answer: Any, named: dict[str, Any], depth: int) -> None:
        if depth > 32:
            raise SourceError("the schema registry's schemas refer to each other in a circle")
        for reference in answer.get("references") or ():
            try:
                other = registry.version(reference["subject"], reference["version"])
                if reference["name"] not in named:
                    self._parse_references(registry, other, named, depth + 1)
                    self._parsed(json.loads(other["schema"]), named)
            except (UnknownSchemaError, KeyError, TypeError, ValueError) as error:
                raise SourceError(f"the schema registry's references are malformed: {error}") from None

    def _parsed(self, schema: Any, named: dict[str, Any] | None = None) -> Any:
        try:
            return self._parse(schema, named if named is not None else {})
        except Exception as error:
            raise OptionError(f"not an Avro schema: {type(error).__name__}: {error}") from None


def _loaded(schema: str | os.PathLike[str] | Mapping[str, Any]) -> Any:
    if isinstance(schema, Mapping):
        return dict(schema)
    path = Path(schema).expanduser()
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no Avro schema {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not an Avro schema: {error}") from None
