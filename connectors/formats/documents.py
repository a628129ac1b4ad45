"""Formats that turn each record into a dict first: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from streamlearn import columns
from streamlearn.errors import SchemaError
from streamlearn.format import Format, Roles
from streamlearn.records import Decoded, Records
from streamlearn.schema import Schema

from .inference import infer
from .rows import RowByRow, reason_of, values_of

_PLAIN = {str, int, float, bool, type(None), dict, list}  # nested ones are refused later, where they are fields


class DocumentFormat(Format):
    """A format that reads a record as a dict, which then goes through the schema alone."""

    @abstractmethod
    def document(self, value: bytes) -> dict[Any, Any]:
        """The record as a dict that is the caller's.

        Raises
        ------
        ValueError
            If it can't be read; the message is the reason.
        """

    def documents(self, records: Records) -> list[Mapping[str, Any] | str | None]:
        return [None if value is None else self._document(value) for value in values_of(records)]

    def _document(self, value: bytes) -> dict[Any, Any] | str:
        if not value:
            return "the value is empty"
        try:
            return plain_document(self.document(value))
        except ValueError as error:
            return reason_of(error)

    def infer(self, records: Records, roles: Roles) -> Schema:
        return infer(self.documents(records), roles)

    def decode(self, records: Records, schema: Schema, roles: Roles) -> Decoded:
        rows = RowByRow(schema, required=roles.required, labelled=roles.labelled)
        for row, document in enumerate(self.documents(records)):
            if isinstance(document, str):
                rows.reject(row, document)
            elif document is not None:
                rows.add(row, document)
        return rows.decoded()


def plain_document(document: dict[Any, Any]) -> dict[Any, Any]:
    """Make the values such that JSON could hold them: times become seconds, decimals floats, UUIDs text.

    Raises
    ------
    SchemaError
        If a value is of another kind, such as bytes.
    """
    for name, value in document.items():
        if type(value) in _PLAIN:
            continue
        if isinstance(value, (date, Decimal)):
            document[name] = columns.number(value, name, 0)
        elif isinstance(value, (UUID, str)):
            document[name] = str(value)
        else:
            raise SchemaError(f"field {name!r}: can't learn from a value of type {type(value).__name__}")
    return document
