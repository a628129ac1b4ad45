"""JSON records read by a kernel: just as the decoder of structs reads them, to the last bit, or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.connectors.formats import JsonFormat
from streamlearn.connectors.formats.decimals import LARGEST, number
from streamlearn.connectors.formats.plain_records import PlainRecords

import streamlearn as sl
from streamlearn.compiled import kernel
from streamlearn.format import Roles
from streamlearn.records import Decoded, Records
from streamlearn.schema import Policy

# -- numbers


@kernel
def read_all(data: np.ndarray, ends: np.ndarray, stops: np.ndarray, out: np.ndarray) -> None:
    at = np.uint64(0)
    for i in range(ends.size):
        stops[i], out[i] = number(data, at, ends[i])
        at = ends[i]


def read(texts: list[str]) -> list[float | None]:
    """Each text as a number, None where it was not read to its end."""
    ends = np.cumsum([len(text) for text in texts], dtype=np.uint64)
    stops, out = np.zeros(len(texts), np.uint64), np.zeros(len(texts))
    read_all(np.frombuffer("".join(texts).encode() or b" ", np.uint8), ends, stops, out)
    return [x if 0 < stop == end else None for x, stop, end in zip(out.tolist(), stops, ends, strict=True)]


def assert_exact(texts: list[str], taken: float = 1.0) -> None:
    found = read(texts)
    assert sum(x is not None for x in found) >= taken * len(texts)
    wrong = [(text, x) for text, x in zip(texts, found, strict=True) if x is not None and x.hex() != float(text).hex()]
    assert not wrong


def test_numbers_are_the_nearest_doubles() -> None:
    random = np.random.default_rng(3)
    assert_exact([repr(x) for x in random.random(20_000).tolist()])
    assert_exact([f"{x:.6f}" for x in (1e4 * random.normal(size=20_000)).tolist()])
    assert_exact([repr(x) for x in np.exp(40 * random.normal(size=20_000)).tolist()], taken=0.99)
    whole = random.integers(1, 2**63, 20_000) >> random.integers(0, 63, 20_000)
    powers = random.integers(-LARGEST, LARGEST + 1, 20_000)
    assert_exact([f"{m}e{p}" for m, p in zip(whole.tolist(), powers.tolist(), strict=True) if m])


def test_numbers_between_two_doubles_go_to_the_even_one_and_their_neighbours_to_the_nearest() -> None:
    random = np.random.default_rng(4)
    middles = [(2 * int(m) + 1 << int(k)) for m, k in zip(random.integers(2**52, 2**53, 5000), [0, 1, 2, 5, 9] * 1000)]  # noqa: B905
    assert_exact([str(n + d) for n in middles for d in (-1, 0, 1)], taken=0.9)
    fractions = [Fraction(2 * int(m) + 1, 2 ** int(k)) for m in random.integers(2**52, 2**53, 500) for k in (1, 2, 3)]
    texts = [
        f"{n.numerator // n.denominator}.{n.numerator % n.denominator * 1000 // n.denominator:03}" for n in fractions
    ]
    assert_exact(texts, taken=0.9)


NO_NUMBERS = "- +1 01 -01 .5 1. 1.e5 1e 1e+ 0x10 NaN Infinity 1_000 --1 1a"


@pytest.mark.parametrize("text", ["", "1 ", *NO_NUMBERS.split()])
def test_what_is_no_number_of_json_is_not_read(text: str) -> None:
    assert read([text]) == [None]


def test_rare_numbers_are_left_to_others() -> None:
    assert read(["-0", "-0.0", "1e400", "1e-400", "1e61", "1e-61", "12345678901234567890"]) == [None] * 7
    assert read(["0", "0.0", "0e5", "1E2", "-1e-2", "1e60", "0." + 30 * "0" + "125", 25 * "0" + "1"]) == [
        0.0, 0.0, 0.0, 100.0, -0.01, 1e60, 1.25e-31, None
    ]  # fmt: skip
    assert read(["0." + 40 * "0", "00"]) == [0.0, None]


# -- records


def records(values: list[bytes | None]) -> Records:
    return Records("t-0", "t-0", np.arange(len(values)), len(values), values)


def by_structs(values: list[bytes | None], schema: sl.Schema, roles: Roles) -> Decoded:
    """The oracle: the same format without the kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainRecords, "take", lambda self, values, schema, required: (None, range(len(values))))
        return JsonFormat().decode(records(values), schema, roles)


def assert_equal(one: Decoded, other: Decoded) -> None:
    assert one.rows.tolist() == other.rows.tolist()
    assert one.rejected == other.rejected
    assert one.batch.X.view(np.int64).tolist() == other.batch.X.view(np.int64).tolist()
    for name in ("y", "weight", "event_time"):
        np.testing.assert_array_equal(getattr(one.batch, name), getattr(other.batch, name))
    for name in ("id", "key"):
        mine, theirs = getattr(one.batch, name), getattr(other.batch, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.type == theirs.type
            assert typed(mine) == typed(theirs)


def typed(column: pa.Array) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in column.to_pylist()]


CATEGORIES: list[Hashable] = ["red", "grün", "", 1, 2.0, 0.5, True, "1", "true", 'q"', -3, 0]
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5), st.integers(-(2**70), 2**70), st.floats(0, 1)
)
categories = st.sampled_from(CATEGORIES)
names = st.one_of(st.sampled_from(["e-1", "e-2", "ü", "", "a\\b"]), st.integers(-3, 10**19))
usual = st.fixed_dictionaries(
    {"a": numbers, "longer name": numbers, "c": categories, "class": st.sampled_from(["yes", "no"])},
    optional={"id": names, "t": st.floats(0, 2e9), "w": st.floats(0, 3), "k": names, "more": numbers, "nil": st.none()},
)
unusual = st.dictionaries(
    st.sampled_from(["a", "longer name", "c", "class", "id", "t", "w", "k", "more", "é"]),
    st.one_of(st.none(), st.booleans(), numbers, categories, names, st.just([1]), st.just({"a": 1}), st.just("new")),
    max_size=8,
)


@st.composite
def lines(draw: st.DrawFn) -> bytes | None:
    """A record as somebody's encoder writes it, now and then with a slip."""
    document = draw(st.one_of(usual, usual, usual, unusual))
    members = draw(st.permutations(list(document.items())))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:")]))
    text = json.dumps(dict(members), separators=separators, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        text = text[:-1] + ', "a": 7}'  # twice, or "{, …"
    value = draw(st.sampled_from(["", " ", "\ufeff"])).encode() + text.encode()
    slip = draw(st.integers(0, 19))
    if slip == 0:
        return None
    if slip == 1:
        at = draw(st.integers(0, len(value) - 1))
        return value[:at] + draw(st.binary(max_size=2)) + value[at + draw(st.integers(0, 2)) :]
    return value


@settings(max_examples=400, deadline=None)
@given(
    st.lists(lines(), max_size=12),
    st.sampled_from(["grow", "ignore", "error"]),
    st.sampled_from(["nominal", "numeric"]),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_records_are_read_as_without_the_kernel(
    stream: list[bytes | None], unknown: Policy, target_kind: Any, required: bool, with_roles: bool, data: st.DataObject
) -> None:
    named: dict[str, Any] = {"id": "id", "event_time": "t", "weight": "w", "key": "k"} if with_roles else {}
    roles = Roles("class", **named, target_kind=target_kind, unknown=unknown, required=required)
    schema = sl.Schema(
        [sl.Field("a"), sl.Field("longer name"), sl.Field("c", "nominal", list(dict.fromkeys(CATEGORIES)))],
        target="class",
        target_kind=target_kind,
        classes=["yes", "no"] if target_kind == "nominal" else [],
        unknown=unknown,
        **named,
    )
    format, mine, theirs, at = JsonFormat(), schema.copy(), schema.copy(), 0
    while at < len(stream):
        part = stream[at : at + data.draw(st.integers(1, 12))]
        assert_equal(format.decode(records(part), mine, roles), by_structs(part, theirs, roles))
        at += len(part)
    assert mine == theirs


def taken(values: list[bytes | None], schema: sl.Schema, *, members: list[str], required: bool = False) -> list[int]:
    """Which records the kernel takes."""
    block, _ = PlainRecords(schema, members).take(values, schema, required)
    return [] if block is None else block.rows.tolist()


def test_which_records_are_plain() -> None:
    schema = sl.Schema([sl.Field("a"), sl.Field("c", "nominal", ["x", 1])], target="y", classes=["no"], id="id")
    plain: list[bytes | None] = [
        b'{"a":1,"c":"x","y":"no","id":"7"}',
        b' {"c" : 1.0, "a": null , "id":12}\n',
        b'{"y":null,"c":true}',
        b'{"a":0.1}',
    ]
    others: list[bytes | None] = [
        None, b"", b"[]", b"{}", b'{"a":1', b'{"a":1}}', b'{"a":1,}', b'{"a":1 "c":1}', b'{"a":true}', b'{"a":"1"}',
        b'{"a":1,"a":1}', b'{"b":1}', b'{"a":-0.0}', b'{"c":"z"}', b'{"c":"\\u0078"}', b'{"y":"yes"}', b'{"id":1.5}',
        b'{"id":"\xc3\xa4"}', b'{"id":007}', b'{"a":nul}', b'{"\\u0061":1}', b'{"a":[1]}', b'{"c":{"x":1}}',
    ]  # fmt: skip
    members = ["a", "c", "y", "id"]
    assert taken([*plain, *others], schema, members=members) == [0, 1, 2, 3]
    assert taken([*plain, *others], schema, members=members, required=True) == [0]
    strict = sl.Schema([sl.Field("a"), sl.Field("c", "nominal", ["x"])], unknown="error")
    assert taken([b'{"a":1}', b'{"c":"x","a":null}'], strict, members=["a", "c"]) == [1]
    lenient = sl.Schema([sl.Field("a")], unknown="ignore")
    values: list[bytes | None] = [
        b'{"z":"t","a":1,"b":true,"d":-1.5e3,"e":null,"f":false}',
        b'{"z":[1],"a":1}',
        b'{"z":tru,"a":1}',
        b'{"z":"\\n"}',
    ]
    assert taken(values, lenient, members=["a"]) == [0]


def test_new_words_are_learned_and_a_stream_of_others_is_left_alone() -> None:
    roles = Roles(target="y")
    stream: list[bytes | None] = [b'{"a":1,"y":"c%d"}' % (i % 3) for i in range(10)]
    format = JsonFormat()
    schema = format.infer(records(stream), roles)
    schema.classes.clear()
    schema = sl.Schema(schema.fields, target="y")
    counts = []
    original = PlainRecords.take

    def take(self: PlainRecords, *given: Any) -> Any:
        block, left = original(self, *given)
        counts.append(0 if block is None else len(block.rows))
        return block, left

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainRecords, "take", take)
        for _ in range(3):
            format.decode(records(stream), schema, roles)
        assert counts == [0, 10, 10]  # the classes are known from the second call on
        odd: list[bytes | None] = [b'{"a":"1","y":"c0"}'] * 10
        format.decode(records(odd), schema, roles)
        for _ in range(16):
            format.decode(records(stream), schema, roles)
    assert counts[3:] == [0, *[0] * 15, 10]  # after a call in vain, some pass without a try
    assert schema.classes == ["c0", "c1", "c2"]


def test_a_thousand_categories_are_found() -> None:
    categories: list[Hashable] = [f"category {i}" for i in range(1000)]
    schema = sl.Schema([sl.Field("c", "nominal", categories), sl.Field("d", "nominal", list(reversed(categories)))])
    values: list[bytes | None] = [json.dumps({"c": name, "d": name}).encode() for name in categories]
    block, left = PlainRecords(schema, ["c", "d"]).take(values, schema, required=False)
    assert block is not None
    assert len(left) <= 10  # a few may find no place in the table, and are read more slowly
    assert block.X[:, 0].tolist() == block.rows.tolist()
    assert block.X[:, 1].tolist() == [999 - row for row in block.rows.tolist()]
    assert not math.isnan(block.X.sum())
