"""Formats: what becomes of records, good and bad, whole or cut; and what is written of predictions and dead letters."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import threading
from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.connectors.formats import ArrowFormat, AvroFormat, JsonFormat, TableFormat
from streamlearn.connectors.formats.documents import DocumentFormat

import streamlearn as sl
from streamlearn import registry
from streamlearn.errors import InputError, OptionError, SchemaError, SourceError
from streamlearn.format import Format, Roles
from streamlearn.records import Decoded, Records, Rejected
from streamlearn.runtime.observer import Alarm
from streamlearn.runtime.outputs import Alarms, Answers, DeadLetters, Letter, Predictions
from streamlearn.schema import MAX_CATEGORIES, Policy


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


class JsonByDicts(DocumentFormat):
    """JSON without the compiled decoder: what the fast one must agree with, columns with roles included."""

    name = "json"

    def document(self, value: bytes) -> dict[Any, Any]:
        return json.loads(value)  # type: ignore[no-any-return]


times = st.one_of(
    st.none(),
    st.integers(-5, 10**10),
    st.integers(10**11 - 1, 10**13),
    st.floats(0, 2e9),
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(datetime.isoformat),
    st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00+02:00", "soon", "5", "", True, [1]]),
)
names_of_things = st.one_of(
    st.text(max_size=3), st.integers(0, 5), st.sampled_from([None, True, 1.5, 2.0, 2**63, -(2**63), {}])
)
weights = st.one_of(st.sampled_from([0, 1, 2.5]), st.sampled_from([-1, None, "1", True]))
with_roles = st.fixed_dictionaries(
    {"a": plain},
    optional={"b": plain, "class": plain, "id": names_of_things, "t": times, "w": weights, "k": names_of_things},
)


@settings(max_examples=300, deadline=None)
@given(st.lists(with_roles, max_size=15), policies, st.booleans(), st.booleans())
def test_json_columns_with_roles_are_those_of_one_row_at_a_time(
    stream: list[dict[str, Any]], unknown: Policy, required: bool, declared: bool
) -> None:
    roles = Roles("class", "id", "t", "w", "k", target_kind="nominal", unknown=unknown, required=required)
    schema = sl.Schema(
        [sl.Field("a"), sl.Field("b", "nominal", ["x"])],
        target="class",
        classes=["x", 1] if declared else [],
        id="id",
        event_time="t",
        weight="w",
        key="k",
        unknown=unknown,
    )
    fast, slow = schema.copy(), schema.copy()
    one, other = decode(objects(*stream), fast, roles), decode(objects(*stream), slow, roles, JsonByDicts())
    assert one.rows.tolist() == other.rows.tolist()
    assert one.rejected == other.rejected
    assert fast == slow
    for name in ("X", "y", "weight", "event_time"):
        np.testing.assert_array_equal(getattr(one.batch, name), getattr(other.batch, name))
    for name in ("id", "key"):
        assert typed(getattr(one.batch, name)) == typed(getattr(other.batch, name))


def typed(column: pa.Array) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in column.to_pylist()]


# -- JSON: good and bad values

BAD = [
    (b"", "empty"),
    (b"{", "truncated"),
    (b'{"a": 1,}', "malformed"),
    (b'{"a": 1} {"a": 2}', "trailing"),
    (b'{"a": 1},{"a": 2}', "trailing"),
    (b'{"a": NaN}', "malformed"),
    (b'{"a": 1e999}', "out of range"),
    (b'{"a": 1' + b"0" * 400 + b"}", "'a': expected a number"),
    (b'{"a": "\xff"}', "not UTF-8"),
    ('{"a": 1}'.encode("utf-16"), "malformed"),
    (b"[1, 2]", "expected an object, got an array"),
    (b"null", "expected an object, got null"),
    (b"7", "expected an object, got 7"),
    (b'{"a": "12.5"}', "'a': expected a number, got '12.5'"),
    (b'{"a": {"b": 1}}', "'a': expected a number"),
    (b'{"a": [1]}', "'a': expected a number"),
    (b'{"c": {"b": 1}}', "'c'.*dict"),
    (b'{"new": {"b": 1}}', "'new': nested values"),
    (b'{"new": ' + b"[" * 100_000 + b"}", "nested too deeply"),
    (b'{"y": [1]}', "'y'.*hashable"),
    (b'{"t": "yesterday"}', "'t': expected seconds .* got 'yesterday'"),
    (b'{"t": 1767225600000}', "'t'.*milliseconds"),
    (b'{"t": true}', "'t': expected a time, got True"),
    (b"\x00\x01\x02", "malformed"),
]


@pytest.mark.parametrize(("value", "reason"), BAD, ids=range(len(BAD)))
def test_a_bad_record_is_set_aside_alone(value: bytes, reason: str) -> None:
    schema = sl.Schema([sl.Field("a"), sl.Field("c", "nominal")], target="y", event_time="t")
    good = b'{"a": 1, "c": "x", "y": "no", "t": 5}'
    decoded = decode(records([good, value, good]), schema, Roles())
    assert decoded.rows.tolist() == [0, 2]
    assert decoded.batch.X.tolist() == [[1.0, 0.0]] * 2
    assert [bad.row for bad in decoded.rejected] == [1]
    (said,) = reasons(decoded)
    assert len(said) < 600  # however long the value is
    assert re.search(reason, said)
    assert schema.names == ["a", "c"]
    assert schema.classes == ["no"]


def test_tombstones_are_neither_rows_nor_rejected() -> None:
    schema = sl.Schema.of(["a"])
    decoded = decode(records([None, b'{"a": 1}', None, b"x", None]), schema, Roles())
    assert (decoded.rows.tolist(), [bad.row for bad in decoded.rejected]) == ([1], [3])
    assert JsonFormat().documents(records([None, b'{"a": 1}', b"x"]))[:2] == [None, {"a": 1}]
    nothing = decode(records([None]), sl.Schema.of(["a"], target="y", id="i", event_time="t"), Roles())
    assert nothing.batch.X.shape == (0, 1)
    assert [len(c) for c in (nothing.batch.y, nothing.batch.id, nothing.batch.event_time)] == [0, 0, 0]  # type: ignore[arg-type]


def test_a_record_of_ten_megabytes_and_one_with_a_byte_order_mark() -> None:
    schema = sl.Schema.of(["a"], unknown="ignore")
    large = b'{"a": 2, "text": "' + b"x" * 10_000_000 + b'"}'
    decoded = decode(records([large, b"\xef\xbb\xbf" + b'{"a": 3}', b' {"a": 4, "a": 5}\n']), schema, Roles())
    assert decoded.batch.X.tolist() == [[2.0], [3.0], [5.0]]  # the last of two equal keys counts


def test_times_are_seconds_or_iso_texts() -> None:
    schema = sl.Schema([], event_time="t")
    texts = ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01 00:00:00.25"]
    decoded = decode(objects(*({"t": t} for t in [*texts, 1767225600, 1.5, None]), {}), schema, Roles())
    np.testing.assert_array_equal(
        decoded.batch.event_time, [1767225600.0] * 3 + [1767225600.25, 1767225600.0, 1.5, math.nan, math.nan]
    )


def test_ids_and_keys_stay_as_they_came() -> None:
    schema = sl.Schema([], id="i", key="k")
    decoded = decode(
        objects({"i": "a", "k": 1}, {"i": 7, "k": 2}, {"k": 3}, {"i": 1}, {"i": 1.5, "k": 4}), schema, Roles()
    )
    assert typed(decoded.batch.id) == [(str, "a"), (int, 7), (type(None), None)]
    assert decoded.batch.key == pa.array([1, 2, 3])
    assert reasons(decoded) == [
        "field 'k': the key is missing",
        "field 'i': expected a text or a whole number of 64 bits, got 1.5",
    ]
    numbers = decode(objects({"i": 1, "k": "x"}, {"i": None, "k": "y"}), schema, Roles())
    assert numbers.batch.id == pa.array([1, None])
    assert numbers.batch.slice(1, 2).key == pa.array(["y"])


def test_policies_for_the_unknown() -> None:
    def after(unknown: Policy, *documents: Any) -> Decoded:
        schema = sl.Schema([sl.Field("a"), sl.Field("c", "nominal", ["x"])], unknown=unknown)
        return decode(objects({"a": 1, "c": "x"}, *documents), schema, Roles(unknown=unknown))

    grown = after("grow", {"a": 1, "c": "y", "b": 2}, {"a": 1, "c": "y", "d": "p", "b": 3})
    assert grown.batch.schema.names == ["a", "c", "b", "d"]
    np.testing.assert_array_equal(grown.batch.X, [[1, 0, math.nan, math.nan], [1, 1, 2, math.nan], [1, 1, 3, 0]])
    ignored = after("ignore", {"a": 1, "c": "y", "b": {"nested": 2}})
    np.testing.assert_array_equal(ignored.batch.X, [[1, 0], [1, math.nan]])
    assert reasons(after("error", {"a": 1, "c": "y"}, {"a": 1, "c": "x", "b": 2}, {"a": 1})) == [
        "field 'c': unknown category 'y'; known are x",
        "unknown field 'b'; the fields are a, c",
        "field 'c' is missing",
    ]


def test_classes_that_are_declared_are_all_there_are_under_error() -> None:
    schema = sl.Schema([sl.Field("a")], target="y", classes=["no", "yes"], unknown="error")
    decoded = decode(objects({"a": 1, "y": "yes"}, {"a": 1, "y": "maybe"}, {"a": 1}), schema, Roles())
    assert decoded.batch.y is not None
    assert decoded.batch.y.tolist() == [1, -1]
    assert reasons(decoded) == ["field 'y': unknown class 'maybe'; the classes are no, yes"]
    required = decode(objects({"a": 1}), schema, Roles(required=True))
    assert reasons(required) == ["field 'y': the label is missing"]


def test_a_field_that_is_null_at_first_is_added_when_its_value_comes() -> None:
    format, schema = JsonFormat(), sl.Schema.of(["a"])
    for _ in range(3):
        assert decode(objects({"a": 1, "later": None}), schema, Roles(), format).batch.X.tolist() == [[1.0]]
    decoded = decode(objects({"a": 1, "later": None}, {"a": 2, "later": 3}, {"a": 4}), schema, Roles(), format)
    np.testing.assert_array_equal(decoded.batch.X, [[1, math.nan], [2, 3], [4, math.nan]])
    strict = sl.Schema.of(["a"], unknown="error")
    assert reasons(decode(objects({"a": 1, "later": None}), strict, Roles(), format)) == [
        "unknown field 'later'; the fields are a"
    ]


def test_a_field_stops_growing_at_its_limit() -> None:
    values = [f"v{i}" for i in range(MAX_CATEGORIES + 40)]
    schema = sl.Schema([sl.Field("c", "nominal")])
    X = decode(objects(*({"c": v} for v in [*values, "v0", "v10039"])), schema, Roles()).batch.X[:, 0]
    expected = [*range(MAX_CATEGORIES), *[math.nan] * 40, 0, math.nan]
    np.testing.assert_array_equal(X, expected)


# -- the first schema


def test_the_first_schema_does_not_depend_on_how_many_records_were_there() -> None:
    stream = objects("no object", {"b": 1, "a": "x", "t": "never"}, {"c": 2, "b": None}, {"a": "x", "b": 1}, {"b": "p"})
    roles = Roles(target="y", event_time="t", fields={"a": "nominal", "z": "nominal"})
    found = []
    for n in (3, 4, 5):
        schema = JsonFormat().infer(records(stream.values[:n]), roles)
        decode(stream, schema, roles)
        found.append(schema)
    assert found[0] == found[1] == found[2]
    assert [(f.name, f.kind) for f in found[0].fields] == [
        ("c", "numeric"),
        ("a", "nominal"),
        ("z", "nominal"),
        ("b", "numeric"),
    ]


def test_a_fixed_schema_comes_from_all_first_records() -> None:
    stream = objects({"a": 1, "c": "x"}, {"a": None, "b": None, "c": "y"}, {"n": [1]})
    schema = JsonFormat().infer(stream, Roles(unknown="ignore"))
    assert [(f.name, f.kind, f.categories) for f in schema.fields] == [
        ("a", "numeric", []),
        ("c", "nominal", ["x", "y"]),
        ("b", "numeric", []),
    ]


@pytest.mark.parametrize(
    ("stream", "roles", "message"),
    [
        ([b"{", None], Roles(), "no record can be read: Input data was truncated"),
        ([None], Roles(), "there are none"),
        ([b'{"user": 1}'], Roles(id="usr"), "id: there is no column 'usr' .did you mean 'user'"),
        ([b'{"user": 1}'], Roles(target="y", required=True), "target: there is no column 'y'"),
        ([b'{"t": 1767225600000}'], Roles(event_time="t"), "no record is good: .*milliseconds"),
        ([b'{"a": {"b": 1}}'], Roles(), "no record is good: field 'a'"),
    ],
)
def test_a_stream_that_can_not_be_read_is_refused_at_once(stream: list[Any], roles: Roles, message: str) -> None:
    with pytest.raises(InputError, match=message):
        JsonFormat().infer(records(stream), roles)


# -- Avro

EVENT = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "price", "type": ["null", "double"], "default": None},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "label", "type": ["null", "boolean"], "default": None},
    ],
}
ROLES = Roles(target="label", id="id", event_time="at")


def event(price: float | None = 2.5, label: bool | None = True, kind: str = "B") -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return {"price": price, "kind": kind, "amount": Decimal("1.25"), "at": at, "id": UUID(int=5), "label": label}


def avro(document: Any, schema: Any = EVENT, prefix: bytes = b"") -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema, {}), document)
    return prefix + stream.getvalue()


def test_avro_records_become_rows(tmp_path: Path) -> None:
    (tmp_path / "event.avsc").write_text(json.dumps(EVENT))
    format = AvroFormat(schema=tmp_path / "event.avsc")
    good = avro(event())
    values = [good, good[:-1], good + b"x", avro(event(None, None, "A")), b"", None]
    schema = format.infer(records(values), ROLES)
    decoded = decode(records(values), schema, ROLES, format)
    assert schema.names == ["amount", "kind", "price"]
    np.testing.assert_array_equal(decoded.batch.X, [[1.25, 0, 2.5], [1.25, 1, math.nan]])
    assert decoded.batch.y is not None
    assert decoded.batch.y.tolist() == [0, -1]
    assert decoded.batch.event_time is not None
    assert decoded.batch.event_time.tolist() == [1767225600.0] * 2
    assert decoded.batch.id == pa.array([str(UUID(int=5))] * 2)
    assert [bad.row for bad in decoded.rejected] == [1, 2, 4]
    assert "1 bytes are left over" in reasons(decoded)[1]
    assert format.documents(records(values))[0] == {
        "price": 2.5,
        "kind": "B",
        "amount": 1.25,
        "at": 1767225600.0,
        "id": str(UUID(int=5)),
        "label": True,
    }


def test_a_label_that_is_no_number_is_missing() -> None:
    number = {"type": "record", "name": "N", "fields": [{"name": "y", "type": "double"}]}
    format, values = AvroFormat(schema=number), records([avro({"y": math.nan}, number), avro({"y": 1.5}, number)])
    schema = sl.Schema([], target="y", target_kind="numeric")
    assert reasons(decode(values, schema, Roles(required=True), format)) == ["field 'y': the label is missing"]
    np.testing.assert_array_equal(decode(values, schema, Roles(), format).batch.y, [math.nan, 1.5])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["no", "new", 7, None, [1], {"z": 1}]), min_size=1, max_size=5), policies)
def test_a_label_that_comes_from_elsewhere_is_not_looked_for_in_records(labels: list[Any], unknown: Policy) -> None:
    roles = Roles(target="class", unknown=unknown, labelled=False)
    bare: list[dict[str, Any]] = [{"a": i, "c": "x"} for i in range(len(labels))]
    claimed = [{**document, "class": label} for document, label in zip(bare, labels, strict=True)]
    columns = pa.RecordBatch.from_pylist([{**document, "class": str(document["class"])} for document in claimed])
    given: list[tuple[Format, Records, Records]] = [
        (JsonFormat(), objects(*claimed), objects(*bare)),
        (TableFormat(), tables(columns), tables(pa.RecordBatch.from_pylist(bare))),
    ]
    for format, with_labels, without in given:
        schema = format.infer(with_labels, roles)
        assert schema.to_dict() == format.infer(without, roles).to_dict()
        schema.encode_label("no")  # which a true label has brought
        found, expected = (decode(some, schema.copy(), roles, format) for some in (with_labels, without))
        assert (found.rejected, found.rows.tolist()) == ([], expected.rows.tolist())
        np.testing.assert_array_equal(found.batch.X, expected.batch.X)
        assert found.batch.y is not None
        assert (found.batch.y == -1).all()
        assert found.batch.schema.classes == ["no"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_damaged_avro_is_a_reason(value: bytes) -> None:
    (document,) = AvroFormat(schema=EVENT).documents(records([value]))
    assert isinstance(document, (str, dict))


def test_avro_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "bad.avsc").write_text("{")
    for options, error in [
        ({}, OptionError),
        ({"schema": EVENT, "registry": "http://127.0.0.1"}, OptionError),
        ({"schema": {"type": "nothing"}}, OptionError),
        ({"schema": tmp_path / "bad.avsc"}, OptionError),
        ({"schema": tmp_path / "none.avsc"}, InputError),
        ({"registry": "127.0.0.1:8081"}, OptionError),
        ({"registry": {"url": "http://127.0.0.1", "pasword": "x"}}, OptionError),
        ({"registry": {"url": "http://127.0.0.1", "timeout": 0}}, OptionError),
        ({"registry": {"url": "https://127.0.0.1", "ca": str(tmp_path / "none.pem")}}, OptionError),
    ]:
        with pytest.raises(error):
            AvroFormat(**options)  # type: ignore[arg-type]


@pytest.fixture
def schema_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    """A registry on this machine: its address, its answers by path, and what it was asked."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    answers: dict[str, Any] = {}
    asked: list[tuple[str, str | None]] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            code, body = answers.get(self.path, (404, {"error_code": 40403}))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers, asked
        server.shutdown()
        thread.join()


def framed(number: int) -> bytes:
    return b"\0" + number.to_bytes(4, "big")


def test_avro_schemas_come_from_a_registry(schema_registry: tuple[str, dict[str, Any], list[Any]]) -> None:
    url, answers, asked = schema_registry
    older = {"type": "record", "name": "Event", "fields": [{"name": "price", "type": "int"}]}
    answers["/schemas/ids/7"] = 200, {"schema": json.dumps(EVENT)}
    answers["/schemas/ids/3"] = 200, {"schema": json.dumps(older)}
    answers["/schemas/ids/4"] = 200, {"schema": "message", "schemaType": "PROTOBUF"}
    format = AvroFormat(registry={"url": url + "/", "user": "me", "password": "secret"})
    values = [
        avro(event(), prefix=framed(7)),
        avro({"price": 4}, older, framed(3)),
        avro(event(), prefix=framed(9)),
        avro(event(3.0), prefix=framed(7)),
        b"\1" + avro(event()),
        avro(event(), prefix=framed(4)),
        avro(event(), prefix=framed(9)),
    ]
    decoded = decode(records(values), sl.Schema.of(["price"], unknown="ignore"), Roles(), format)
    assert decoded.batch.X[:, 0].tolist() == [2.5, 4.0, 3.0]
    assert reasons(decoded) == [
        "schema 9 is not in the registry",
        "it does not begin with a zero and the number of its schema",
        "schema 4 is PROTOBUF, not Avro",
        "schema 9 is not in the registry",
    ]
    secret = "Basic " + base64.b64encode(b"me:secret").decode()
    assert asked == [(f"/schemas/ids/{number}", secret) for number in (7, 3, 9, 4)]

    answers["/schemas/ids/9"] = 200, {"schema": json.dumps(EVENT)}  # it was registered meanwhile
    assert len(decode(records(values[2:3]), sl.Schema.of(["price"], unknown="ignore"), Roles(), format).rows) == 1


def test_schemas_that_refer_to_others(schema_registry: tuple[str, dict[str, Any], list[Any]]) -> None:
    url, answers, _ = schema_registry
    unit = {"type": "enum", "name": "org.Unit", "symbols": ["KG", "LB"]}
    event = {"type": "record", "name": "Event", "fields": [{"name": "unit", "type": "org.Unit"}]}
    references = [{"name": "org.Unit", "subject": "the/unit", "version": 2}]
    answers["/schemas/ids/1"] = 200, {"schema": json.dumps(event), "references": references}
    answers["/subjects/the%2Funit/versions/2"] = 200, {"schema": json.dumps(unit)}
    whole = {**event, "fields": [{"name": "unit", "type": unit}]}
    (document,) = AvroFormat(registry=url).documents(records([avro({"unit": "LB"}, whole, framed(1))]))
    assert document == {"unit": "LB"}
    answers["/subjects/the%2Funit/versions/2"] = 200, {"schema": json.dumps(unit), "references": references}
    with pytest.raises(SourceError, match="circle"):
        AvroFormat(registry=url).documents(records([framed(1)]))


@pytest.mark.parametrize(
    "answer",
    [(500, {}), (401, {}), (302, "/schemas/ids/2"), (200, []), (200, {"schema": "{"}), (200, {"schema": "{}"})],
)
def test_no_answer_of_the_registry_is_no_reason_to_reject_a_record(
    answer: tuple[int, Any], schema_registry: tuple[str, dict[str, Any], list[Any]]
) -> None:
    url, answers, asked = schema_registry
    answers["/schemas/ids/1"] = answer
    answers["/schemas/ids/2"] = 200, {"schema": json.dumps(EVENT)}
    with pytest.raises(SourceError, match="registry"):
        AvroFormat(registry=url).documents(records([avro(event(), prefix=framed(1))]))
    assert [path for path, _ in asked] == ["/schemas/ids/1"]
    with pytest.raises(SourceError, match="gives no answer"):
        AvroFormat(registry="http://127.0.0.1:9").documents(records([framed(1)]))


# -- Arrow


def ipc(table: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return bytes(sink.getvalue().to_pybytes())


def test_arrow_records_hold_one_row_each() -> None:
    at = pa.array([datetime(2026, 1, 1)], pa.timestamp("ns"))
    row = pa.record_batch(
        {"a": [2.5], "c": pa.array(["x"]).dictionary_encode(), "t": at, "n": pa.array([None], pa.int8())}
    )
    two, bad = pa.record_batch({"a": [1.0, 2.0]}), pa.record_batch({"b": pa.array([b"raw"])})
    format, roles = ArrowFormat(), Roles(event_time="t")
    values = [ipc(row), ipc(two), ipc(row)[:-40], ipc(bad), b"", None, ipc(row)]
    schema = format.infer(records(values), roles)
    decoded = decode(records(values), schema, roles, format)
    assert decoded.rows.tolist() == [0, 6]
    assert schema.names == ["a", "c"]
    np.testing.assert_array_equal(decoded.batch.X, [[2.5, 0]] * 2)
    assert decoded.batch.event_time is not None
    assert decoded.batch.event_time.tolist() == [1767225600.0] * 2
    assert [reason.split(":")[0] for reason in reasons(decoded)] == [
        "it holds 2 rows",
        "no Arrow IPC stream",
        "field 'b'",
        "the value is empty",
    ]


# -- tables


def tables(table: pa.RecordBatch, start: int = 0) -> Records:
    return Records("t", "t.parquet", np.arange(start, start + len(table)), start + len(table), table=table)


cells = st.tuples(
    st.one_of(st.none(), st.sampled_from(["1", "2.5", "many"])),
    st.sampled_from([None, "x", "y", "z"]),
    st.sampled_from(["no", "yes", None, "maybe"]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["2026-01-01", "soon", None, "2026-01-01T00:00:01Z"]),
    st.sampled_from([1.0, 0.0, 2.0, -1.0]),
    st.sampled_from([1, 2, None]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(cells, max_size=12), policies, st.booleans(), st.data())
def test_table_rows_do_not_depend_on_their_neighbours(
    rows: list[tuple[Any, ...]], unknown: Policy, required: bool, data: st.DataObject
) -> None:
    text = pa.string()
    kinds = [("a", text), ("c", text), ("y", text), ("id", text), ("t", text), ("w", pa.float64()), ("k", pa.int64())]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    table = pa.record_batch(
        [pa.array(c, kind) for c, (_, kind) in zip(columns, kinds, strict=True)], pa.schema(kinds).names
    )
    roles = Roles("y", "id", "t", "w", "k", unknown=unknown, required=required)
    empty = sl.Schema(
        [sl.Field("a"), sl.Field("c", "nominal", ["z"])],
        target="y",
        classes=["yes", "no"],
        id="id",
        event_time="t",
        weight="w",
        key="k",
        unknown=unknown,
    )

    def piecewise(cuts: list[int]) -> tuple[sl.Schema, list[Any], list[tuple[int, str]]]:
        schema, found, bad = empty.copy(), [], []
        for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            part = decode(tables(table.slice(start, stop - start), start), schema, roles, TableFormat())
            batch = part.batch
            assert batch.y is not None
            assert batch.weight is not None
            assert batch.event_time is not None
            found += list(
                zip(
                    (part.rows + start).tolist(),
                    map(str, batch.X.tolist()),
                    batch.y.tolist(),
                    batch.weight.tolist(),
                    map(str, batch.event_time.tolist()),
                    batch.id.to_pylist(),
                    batch.key.to_pylist(),
                    strict=True,
                )
            )
            bad += [(start + r.row, r.reason) for r in part.rejected]
        return schema, found, bad

    alone = piecewise(list(range(1, len(rows))))
    assert piecewise([]) == alone
    assert piecewise(sorted(data.draw(st.sets(st.integers(0, len(rows)), max_size=3)))) == alone
    for row, (a, c, y, _, t, w, k) in enumerate(rows):
        is_bad = (
            a == "many"
            or t == "soon"
            or w < 0
            or k is None
            or (required and y is None)
            or (unknown == "error" and (c in ("x", "y") or y == "maybe"))
        )
        assert (row in dict(alone[2])) == is_bad


def test_a_column_that_is_wrong_as_a_whole() -> None:
    table = pa.record_batch({"a": [1.0] * 3, "more": [1.0] * 3})
    decoded = decode(tables(table), sl.Schema.of(["a"], unknown="error"), Roles(), TableFormat())
    assert reasons(decoded) == ["unknown field 'more'; the fields are a"] * 3
    nested = pa.record_batch({"a": [[1.0]] * 3})
    assert len(decode(tables(nested), sl.Schema.of(["a"]), Roles(), TableFormat()).rejected) == 3


def test_the_schema_of_a_table() -> None:
    level = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), ["low", "high"])
    at = pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("ns"))
    table = pa.record_batch({"day": [1, 2], "c": ["x", "y"], "level": level, "t": at, "id": [1, 2], "n": [[1]] * 2})
    roles = Roles(target="level", event_time="t", id="id", fields={"day": "nominal"}, unknown="ignore")
    schema = TableFormat().infer(tables(table), roles)
    assert [(f.name, f.kind, f.categories) for f in schema.fields] == [
        ("day", "nominal", [1, 2]),
        ("c", "nominal", ["x", "y"]),
    ]
    assert schema.classes == ["low", "high"]
    batch = decode(tables(table), schema, roles, TableFormat()).batch
    assert batch.X.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert batch.id == pa.array([1, 2])
    assert TableFormat().documents(tables(table.select(["day", "t"])))[0] == {"day": 1, "t": 1767225600.0}
    with pytest.raises(SchemaError, match="flatten"):
        TableFormat().infer(tables(table), Roles())


def test_bytes_and_columns_are_not_taken_for_each_other() -> None:
    with pytest.raises(InputError, match="'table'"):
        JsonFormat().decode(tables(pa.record_batch({"a": [1]})), sl.Schema.of(["a"]), Roles())
    with pytest.raises(InputError, match="json"):
        TableFormat().decode(records([b"{}"]), sl.Schema.of(["a"]), Roles())


def test_formats_are_registered() -> None:
    assert {name: registry.load("formats", name) for name in registry.names("formats")} == {
        "arrow": ArrowFormat,
        "avro": AvroFormat,
        "json": JsonFormat,
        "table": TableFormat,
    }


def test_a_schema_keeps_its_key() -> None:
    schema = sl.Schema.of(["a"], key="user")
    assert sl.Schema.from_dict(schema.to_dict()).key == "user"
    without = schema.to_dict()
    del without["key"]  # as files were before there were keys
    assert sl.Schema.from_dict(without).key is None
    assert schema.encode(pa.record_batch({"a": [1], "user": ["x"]})).key == pa.array(["x"])


# -- outputs

labels = st.lists(
    st.one_of(st.text(max_size=4), st.integers(-3, 3), st.booleans()), min_size=1, max_size=5, unique_by=lambda v: (v,)
)


@settings(max_examples=100, deadline=None)
@given(labels, st.integers(0, 6), st.data())
def test_predictions_as_json(classes: list[Any], n: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(-1, len(classes) - 1), min_size=n, max_size=n))
    numbers = st.floats(allow_infinity=False)
    k = data.draw(st.integers(0, len(classes)))
    matrix = data.draw(st.lists(st.lists(numbers, min_size=k, max_size=k), min_size=n, max_size=n))
    ids = data.draw(st.lists(st.text(max_size=5), min_size=n, max_size=n))
    champion = Answers(np.array(codes, np.int64), np.array(matrix, np.float64).reshape(n, k))
    predictions = Predictions(ids, champion, classes, id=pa.array(ids, pa.string()), model_version="v")
    values = predictions.messages().values
    assert len(values) == len(predictions) == n
    for value, id, code, row in zip(values, ids, codes, matrix, strict=True):
        assert b"\n" not in value
        found = json.loads(value)
        assert list(found) == ["prediction_id", "id", "prediction", "probabilities", "model_version"]
        assert (found["prediction_id"], found["id"], found["model_version"]) == (id, id, "v")
        expected = classes[code] if code >= 0 else None
        assert (type(found["prediction"]), found["prediction"]) == (type(expected), expected)
        assert list(found["probabilities"].values()) == [None if p != p else p for p in row]  # to the last bit
        if all(isinstance(label, str) for label in classes):
            assert list(found["probabilities"]) == classes[:k]
    table = predictions.table()
    assert table.num_rows == n
    assert (
        table.schema
        == Predictions([], Answers(champion.prediction[:0]), [1], id=pa.array([], pa.string())).table().schema
    )


def test_predictions_with_everything() -> None:
    predictions = Predictions(
        ["e-0-1", "e-0-2"],
        Answers(np.array([0, -1]), np.array([[0.25, 0.75], [0.5, math.nan]])),
        [1, "1"],
        otherwise=1,
        id=pa.array([7, None]),
        event_time=np.array([1.5, math.nan]),
        key=pa.array(["k", "l"]),
        model_version="4",
        shadows={"tree": Answers(np.array([1, 1])), "bayes": Answers(np.array([0, 0]), np.array([[1.0], [1.0]]))},
        record_keys=[b"x", None],
        number=3,
    )
    messages = predictions.messages()
    assert (messages.keys, messages.number) == ([b"x", None], 3)
    assert json.loads(messages.values[0]) == {
        "prediction_id": "e-0-1",
        "id": 7,
        "key": "k",
        "event_time": 1.5,
        "prediction": 1,
        "probabilities": {"1 (int)": 0.25, "1": 0.75},
        "model_version": "4",
        "shadows": {
            "tree": {"prediction": "1"},
            "bayes": {"prediction": 1, "probabilities": {"1 (int)": 1.0}},
        },
    }
    second = json.loads(messages.values[1])
    assert (second["id"], second["event_time"], second["prediction"]) == (None, None, 1)
    assert predictions.table().to_pylist()[0] == {
        "prediction_id": "e-0-1",
        "id": "7",
        "key": "k",
        "event_time": 1.5,
        "prediction": "1 (int)",
        "probabilities": [("1 (int)", 0.25), ("1", 0.75)],
        "model_version": "4",
        "shadow.tree": "1",
        "shadow.bayes": "1 (int)",
    }


def test_predictions_of_numbers() -> None:
    predictions = Predictions(["a", "b"], Answers(np.array([1.5, math.nan])))
    assert [json.loads(value)["prediction"] for value in predictions.messages().values] == [1.5, None]
    assert predictions.table().to_pydict()["prediction"] == [1.5, None]
    with pytest.raises(OptionError, match="avro"):
        predictions.messages("avro")


binaries = st.one_of(st.none(), st.binary(max_size=300))
headers_of_one = st.lists(st.tuples(st.text(max_size=3), binaries), max_size=2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(binaries, binaries, headers_of_one), max_size=4))
def test_dead_letters_give_the_record_back(stream: list[tuple[Any, Any, Any]]) -> None:
    values, keys, headers = ([part[i] for part in stream] for i in range(3))
    n = len(stream)
    given = Records("e-3", "e-3", np.arange(5, 5 + n), 5 + n, values, None, keys, headers, np.full(n, 1.5))
    letters = DeadLetters.of("power", "decode", given, [Rejected(row, f"bad {row}") for row in range(n)], number=3)
    assert len(letters) == letters.table().num_rows == n
    for row, line in enumerate(letters.messages().values):
        letter = Letter.decode(line)
        assert (letter.value, letter.key, letter.headers) == (values[row], keys[row], headers[row])
        assert (letter.pipeline, letter.stage, letter.reason) == ("power", "decode", f"bad {row}")
        assert (letter.partition, letter.record, letter.offset, letter.time) == ("e-3", f"e-3-{5 + row}", 5 + row, 1.5)
        plain_json = json.loads(line)
        assert plain_json["value"] == (None if values[row] is None else base64.b64encode(values[row]).decode())
    raw = letters.messages("raw")
    assert raw.number == 3
    assert raw.values == [value or b"" for value in values]
    assert raw.keys == keys
    for row, found in enumerate(raw.headers or []):
        assert found[: len(headers[row])] == headers[row]
        assert dict(found[len(headers[row]) :]) == {
            "streamlearn.reason": f"bad {row}".encode(),
            "streamlearn.stage": b"decode",
            "streamlearn.record": f"e-3-{5 + row}".encode(),
            "streamlearn.pipeline": b"power",
            "streamlearn.time": b"1.5",
        }
    assert letters.table().to_pydict()["value"] == values


def test_the_text_of_a_dead_letter() -> None:
    values = [("é" * 700).encode(), b"\xff", b"{", "é".encode()[:1]]
    letters = DeadLetters.of("p", "decode", records(values), [Rejected(row, "") for row in range(4)]).letters
    assert [letter.value_text for letter in letters] == ["é" * 200, None, "{", None]
    (of_table,) = DeadLetters.of("p", "process", tables(pa.record_batch({"a": [1, 2]})), [Rejected(1, "x")]).letters
    assert (of_table.value, of_table.record, of_table.key, of_table.headers) == (b'{"a":2}', "t.parquet-1", None, [])
    with pytest.raises(OptionError, match="yaml"):
        DeadLetters([]).messages("yaml")


def test_alarms_as_json_and_as_columns() -> None:
    alarm = Alarm("power", "e-0", "tree", "adwin", "drift", "e-0-7", 7, None)
    alarms = Alarms([alarm])
    (line,) = alarms.messages().values
    assert json.loads(line) == {
        "pipeline": "power",
        "shard": "e-0",
        "learner": "tree",
        "detector": "adwin",
        "level": "drift",
        "record": "e-0-7",
        "row": 7,
        "event_time": None,
    }
    assert alarms.table().to_pylist()[0]["detector"] == "adwin"
    assert Alarms([]).table().schema == alarms.table().schema
