"""The schema that the first records of a stream suggest, for every format that knows its records as dicts."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from streamlearn import columns, registry
from streamlearn.errors import InputError
from streamlearn.format import Roles
from streamlearn.schema import MAX_CATEGORIES, Field, Kind, Schema

from .rows import RowByRow


def infer(documents: Sequence[Mapping[Any, Any] | str | None], roles: Roles) -> Schema:
    """The schema of `Format.infer`, from what `Format.documents` gives.

    Where the schema may grow, the first good record alone gives the fields, and all others come as they appear: so the
    schema does not depend on how many records were there when the stream began. Otherwise all of the documents give
    the fields, and the categories of the nominal ones; classes may be added later, since rare ones come late.

    Raises
    ------
    InputError
        If no record is good, or none has a column that the roles name.
    """
    readable = [document for document in documents if isinstance(document, Mapping)]
    if not readable:
        reasons = [document for document in documents if isinstance(document, str)]
        raise InputError(f"no record can be read: {reasons[0] if reasons else 'there are none'}")
    check_roles(dict.fromkeys(name for document in readable for name in document), roles)
    together = None if roles.unknown == "grow" else _schema([_flat(document) for document in readable], roles)
    reasons = []
    for document in readable:
        schema = together or _schema([document], roles)
        trial = RowByRow(schema.copy(), required=roles.required, labelled=roles.labelled)
        trial.add(0, dict(document))
        if not trial.rejected:
            return schema
        reasons.append(trial.rejected[0].reason)
    raise InputError(f"no record is good: {reasons[0]}")


def check_roles(found: Collection[Hashable], roles: Roles) -> None:
    """Make sure that the columns that the roles name are among those ``found``.

    Raises
    ------
    InputError
        If one is not; the message lists the columns.
    """
    wanted = {"id": roles.id, "event_time": roles.event_time, "weight": roles.weight, "key": roles.key}
    if roles.required:
        wanted["target"] = roles.target
    for role, name in wanted.items():
        if name is not None and name not in found:
            near = registry.near(str(name), map(str, found))
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise InputError(f"{role}: there is no column {name!r}{hint}; the columns are {columns.listing(found)}")


def _flat(document: Mapping[Any, Any]) -> dict[Hashable, Any]:
    """Without nested values: they are unknown fields, ignored or errors as the policy says."""
    return {name: value for name, value in document.items() if not isinstance(value, (dict, list))}


def _schema(documents: Sequence[Mapping[Any, Any]], roles: Roles) -> Schema:
    special = {roles.target, roles.id, roles.event_time, roles.weight, roles.key}
    kinds: dict[Hashable, Kind] = {
        **columns.kinds_of_records(documents, all_missing=roles.unknown != "grow"),
        **roles.fields,
    }
    fields = [Field(name, kind) for name, kind in kinds.items() if name not in special]
    if roles.unknown != "grow":
        for field in fields:
            if field.kind == "nominal":
                seen = dict.fromkeys(document.get(field.name) for document in documents)
                field.categories = [value for value in seen if value is not None][:MAX_CATEGORIES]
    return Schema(
        fields,
        target=roles.target,
        target_kind=roles.target_kind,
        id=roles.id,
        event_time=roles.event_time,
        weight=roles.weight,
        key=roles.key,
        unknown=roles.unknown,
    )
