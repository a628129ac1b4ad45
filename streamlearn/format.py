"""The contract of formats: how records' bytes become rows of a schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .records import Decoded, Records
from .schema import Kind, Policy, Schema


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a stream mean, as the user said it (the key ``schema`` of a pipeline).

    Parameters
    ----------
    target, id, event_time, weight, key
        Columns that are no fields: the label, the instance's id, when it happened (seconds since the epoch, ISO 8601
        text or times), its weight, and what separate models are kept for.
    fields
        Kinds of fields; fields not listed are inferred.
    target_kind
        Nominal for classification, numeric for regression.
    unknown
        What an unknown field or category does: ``error`` rejects the record, ``ignore`` drops it, ``grow`` adds it to
        the schema. Classes are added in any case, unless the schema declares them and the policy is ``error``.
    required
        Whether a record without the target is an error; labels that come later need not be in it.
    labelled
        Whether a record's label is its own. Otherwise labels come from elsewhere, and what records have in the target's
        column is passed over: it is neither a label nor a field.
    """

    target: Hashable | None = None
    id: Hashable | None = None
    event_time: Hashable | None = None
    weight: Hashable | None = None
    key: Hashable | None = None
    fields: Mapping[Hashable, Kind] = field(default_factory=dict)
    target_kind: Kind = "nominal"
    unknown: Policy = "grow"
    required: bool = False
    labelled: bool = True


class Format(ABC):
    """Decodes records. One object serves one worker; it keeps nothing between calls that a result depends on."""

    name: str

    @abstractmethod
    def infer(self, records: Records, roles: Roles) -> Schema:
        """The schema that the first records of a stream suggest; records that can't be read are passed over.

        Raises
        ------
        InputError
            If no record can be read, or none has a column that the roles name; the message says what was found.
        """

    @abstractmethod
    def decode(self, records: Records, schema: Schema, roles: Roles) -> Decoded:
        """The rows of records, by a schema that grows as the roles allow; a bad record is set aside, alone.

        The rows, and how the schema grows, do not depend on how records are cut into calls.
        """

    @abstractmethod
    def documents(self, records: Records) -> list[Mapping[str, Any] | str | None]:
        """The records as dicts, for labels: a text says why one can't be read, None is a tombstone."""
