"""Formats: what becomes of records, good and bad, whole or cut; and what is written of predictions and dead letters."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.connectors.formats import JsonFormat

import streamlearn as sl
from streamlearn.errors import SchemaError
from streamlearn.format import Format, Roles
from streamlearn.records import Decoded, Records
from streamlearn.schema import Policy


def records(values: Sequence[bytes | None], start: int = 0) -> Records:
    return Records("events-0", "events-0", np.arange(start, start + len(values)), start + len(values), values)


def objects(*documents: Any) -> Records:
    return records([json.dumps(document).encode() for document in documents])


def decode(values: Records, schema: sl.Schema, roles: Roles, format: Format | None = None) -> Decoded:
    return (format or JsonFormat()).decode(values, schema, roles)


def reasons(decoded: Decoded) -> list[str]:
    return [bad.reason for bad in decoded.rejected]


# -- JSON: equal to what a schema makes of dicts, however the records are cut

NAMES = ["a", "b", "c", "d e", 'q"', "é"]
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "y", "1", "ü", "\x00"]),
)
odd = st.one_of(st.just([1]), st.just({"z": 1}), st.just(10**400))
values = st.one_of(plain, plain, plain, plain, plain, odd)
documents = st.dictionaries(st.sampled_from([*NAMES, "class"]), values, max_size=6)
streams = st.lists(documents, max_size=25)
kinds = st.lists(st.sampled_from(["numeric", "nominal"]), min_size=len(NAMES), max_size=len(NAMES))
policies = st.sampled_from(["grow", "ignore", "error"])


def fields(kinds: Sequence[Any], n: int) -> list[sl.Field]:
    categories: list[Hashable] = ["x", 1, "1"]
    return [
        sl.Field(name, kind, list(categories) if kind == "nominal" else [])
        for name, kind in zip(NAMES[:n], kinds, strict=False)
    ]


def by_dicts(
    stream: Sequence[dict[str, Any]], schema: sl.Schema
) -> tuple[list[list[float]], list[float], list[int], sl.Schema]:
    """The oracle: each dict alone through `Schema.encode`, on a copy that counts only if all of it went well."""
    X, y, rows = [], [], []
    for row, document in enumerate(stream):
        trial = schema.copy()
        if schema.unknown == "ignore":
            known = {*schema.names, "class"}
            document = {name: value for name, value in document.items() if name in known}
        try:
            x = trial.encode([document]).X[0].tolist()
            label = trial.encode_target([document.get("class")])[0]
        except SchemaError:
            continue
        schema = trial
        X.append(x)
        y.append(label)
        rows.append(row)
    return [[*x, *[math.nan] * (len(schema.fields) - len(x))] for x in X], y, rows, schema


@settings(max_examples=400, deadline=None)
@given(streams, kinds, st.integers(0, len(NAMES)), policies, st.sampled_from(["numeric", "nominal"]), st.data())
def test_json_rows_are_those_of_the_schema_however_records_are_cut(
    stream: list[dict[str, Any]], kinds: list[Any], n: int, unknown: Policy, target_kind: Any, data: st.DataObject
) -> None:
    schema = sl.Schema(fields(kinds, n), target="class", target_kind=target_kind, unknown=unknown)
    roles = Roles(target="class", target_kind=target_kind, unknown=unknown)
    X, y, rows, grown = by_dicts(stream, schema.copy())

    whole = schema.copy()
    decoded = decode(objects(*stream), whole, roles)
    assert decoded.rows.tolist() == rows
    assert decoded.batch.X.shape == (len(rows), len(grown.fields))
    np.testing.assert_array_equal(
        decoded.batch.X.view(np.int64), np.array(X).reshape(decoded.batch.X.shape).view(np.int64)
    )
    np.testing.assert_array_equal(decoded.batch.y, y)
    assert whole == grown
    assert sorted([*rows, *(bad.row for bad in decoded.rejected)]) == list(range(len(stream)))

    format, piecewise, at, pieces = JsonFormat(), schema.copy(), 0, []
    while at < len(stream):
        size = data.draw(st.integers(1, 5))
        part = decode(objects(*stream[at : at + size]), piecewise, roles, format)
        pieces += [(at + row, x) for row, x in zip(part.rows.tolist(), part.batch.X.tolist(), strict=True)]
        at += size
    assert [row for row, _ in pieces] == rows
    for (_, x), expected in zip(pieces, X, strict=True):
        np.testing.assert_array_equal([*x, *[math.nan] * (len(expected) - len(x))], expected)
    assert piecewise == grown
