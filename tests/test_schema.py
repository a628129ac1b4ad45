"""Schemas: inference, encoding of every accepted form, policies, growth, files."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn.errors import SchemaError, StateError

ROWS: list[dict[str, Any]] = [
    {"n": 1, "s": "a", "b": True, "kind": "x"},
    {"n": 2.5, "s": "b", "b": False, "kind": "y"},
    {"n": None, "s": None, "b": True, "kind": "x"},
]
ENCODED = np.array([[0.0, 1.0, 0.0], [1.0, 2.5, 1.0], [0.0, math.nan, math.nan]])  # b, n, s


def test_dicts_are_encoded_in_order_of_first_appearance() -> None:
    schema = sl.Schema.infer(ROWS, target="kind")
    batch = schema.encode(ROWS)
    assert [f.kind for f in schema.fields] == ["nominal", "numeric", "nominal"]
    np.testing.assert_array_equal(batch.X, ENCODED)
    assert batch.y is not None
    assert batch.y.tolist() == [0, 1, 0]
    assert schema.classes == ["x", "y"]
    assert not schema.classes_declared


def test_a_table_a_frame_and_dicts_agree() -> None:
    rows = [{**row, "b": str(row["b"])} for row in ROWS]  # Arrow declares the order of booleans, dicts don't
    by_dicts = sl.Schema.infer(rows, target="kind").encode(rows)
    table = pa.Table.from_pylist(rows).select(["b", "n", "s", "kind"])  # dicts' fields are sorted
    by_table = sl.Schema.infer(table, target="kind").encode(table)
    frame = pd.DataFrame(rows)[["b", "n", "s", "kind"]]
    by_frame = sl.Schema.infer(frame, target="kind").encode(frame)
    for other in (by_table, by_frame):
        np.testing.assert_array_equal(other.X, by_dicts.X)
        np.testing.assert_array_equal(other.y, by_dicts.y)


def test_declared_categories_keep_their_order() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([2, 0, None], pa.int32()), ["low", "middle", "high"])
    table = pa.table({"level": column, "target": column})
    schema = sl.Schema.infer(table, target="target")
    assert schema.fields[0].categories == ["low", "middle", "high"]
    assert schema.classes == ["low", "middle", "high"]
    assert schema.classes_declared
    batch = schema.encode(table)
    np.testing.assert_array_equal(batch.X[:, 0], [2.0, 0.0, math.nan])
    assert batch.y is not None
    assert batch.y.tolist() == [2, 0, -1]


def test_later_batches_with_another_dictionary_keep_the_codes() -> None:
    schema = sl.Schema.infer(pa.table({"p": ["a", "b"], "target": ["x", "y"]}), target="target")
    schema.encode(pa.table({"p": ["a", "b"], "target": ["x", "y"]}))
    later = pa.table(
        {"p": pa.array(["c", "b"]).dictionary_encode(), "target": pa.array(["z", "x"]).dictionary_encode()}
    )
    batch = schema.encode(later)
    assert batch.X[:, 0].tolist() == [2.0, 1.0]
    assert batch.y is not None
    assert batch.y.tolist() == [2, 0]


def test_prediction_does_not_grow_the_schema_and_gives_the_next_code() -> None:
    schema = sl.Schema.infer(ROWS, target="kind")
    schema.encode(ROWS)
    before = schema.to_dict()
    assert schema.encode([{"n": 1.0, "s": "new", "b": True, "other": 3}], grow=False).X[0, 2] == 2.0
    assert schema.encode(pa.table({"n": [1.0], "s": ["new"], "b": ["?"]}), grow=False).X[0, 2] == 2.0
    assert schema.to_dict() == before


def test_policies_for_the_unknown() -> None:
    fields = lambda: [sl.Field("u"), sl.Field("p", "nominal", ["a"])]  # noqa: E731
    grow = sl.Schema(fields())
    grow.encode([{"u": 1, "p": "b", "w": 2}])
    assert grow.names == ["u", "p", "w"]
    assert grow.fields[1].categories == ["a", "b"]
    ignore = sl.Schema(fields(), unknown="ignore")
    assert math.isnan(ignore.encode([{"u": 1, "p": "b", "w": 2}]).X[0, 1])
    assert ignore.names == ["u", "p"]
    strict = sl.Schema(fields(), unknown="error")
    for row, message in [
        ({"u": 1, "p": "b"}, "unknown category 'b'"),
        ({"u": 1, "p": "a", "w": 2}, "unknown field 'w'"),
        ({"u": 1}, "'p' is missing"),
    ]:
        with pytest.raises(SchemaError, match=message):
            strict.encode([row])
        with pytest.raises(SchemaError, match=message):
            strict.encode(pa.Table.from_pylist([row]))


def test_errors_name_the_field_and_the_row_and_change_nothing() -> None:
    schema = sl.Schema.infer(ROWS, target="kind")
    before = schema.to_dict()
    with pytest.raises(SchemaError, match=r"row 1: field 'n': expected a number, got 'many'"):
        schema.encode([ROWS[0], {**ROWS[1], "n": "many", "fresh": 1}])
    with pytest.raises(SchemaError, match=r"row 0: field 'n': expected a number, got 'many'"):
        schema.encode(pa.table({"n": ["many"], "s": ["zzz"]}))
    with pytest.raises(SchemaError, match="list"):
        schema.encode(pa.table({"n": [[1.0]], "s": ["a"]}))
    assert schema.to_dict() == before


def test_matrices_are_checked() -> None:
    schema = sl.Schema([sl.Field("u"), sl.Field("p", "nominal", ["a", "b"])])
    assert schema.encode(np.array([[1.0, 1.0], [2.0, math.nan]])).X.shape == (2, 2)
    with pytest.raises(SchemaError, match=r"row 1: field 'p': 2.0 is not a category code"):
        schema.encode(np.array([[1.0, 1.0], [2.0, 2.0]]))
    with pytest.raises(SchemaError, match="matrix of 2 columns"):
        schema.encode(np.zeros((2, 3)))
    with pytest.raises(SchemaError, match=r"row 1: field 'u': expected a number, got 'x'"):
        schema.encode(np.array([[1.0, 1.0], ["x", 0.0]], dtype=object))


def test_numeric_targets_and_times() -> None:
    table = pa.table({"t": pa.array([0, 1_500_000], pa.timestamp("us")), "target": [1.5, None]})
    schema = sl.Schema.infer(table, target="target", event_time="t")
    batch = schema.encode(table)
    assert schema.target_kind == "numeric"
    assert batch.event_time is not None
    assert batch.event_time.tolist() == [0.0, 1.5]
    np.testing.assert_array_equal(batch.y, [1.5, math.nan])


def test_times_in_dicts_are_those_in_tables() -> None:
    times = [datetime(2026, 1, 1, 12), datetime(2026, 1, 2)]
    table = pa.table({"t": pa.array(times, pa.timestamp("us"))})
    expected = sl.Schema.infer(table).encode(table).X
    rows = [{"t": time} for time in times]
    np.testing.assert_array_equal(sl.Schema.infer(rows).encode(rows).X, expected)
    with pytest.raises(SchemaError, match="'t': give times as datetime"):
        sl.Schema.infer([{"t": np.datetime64("2026-01-01", "ns")}])
    assert sl.Schema.infer([{"t": times[1].date()}]).encode([{"t": times[1].date()}]).X[0, 0] == expected[1, 0]


def test_labels_of_any_kind_come_back_as_they_came() -> None:
    for labels in (["a", "b"], [3, 1], [True, False], [(1, "x"), (2, "y")], ["a", 1]):
        schema = sl.Schema.of(["x"])
        codes = np.array([schema.encode_label(label) for label in labels])
        decoded = schema.decode_labels(codes).tolist()
        assert decoded == labels
        assert [type(label) for label in decoded] == [type(label) for label in labels]
        assert sl.Schema.from_dict(schema.to_dict()).classes == labels


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "p": st.sampled_from(["a", "b", "c", None, ""]),
                "u": st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-5, 5)),
                "target": st.sampled_from(["x", "y", "z"]),
            }
        ),
        min_size=1,
    ),
    st.integers(1, 10),
)
def test_cutting_a_stream_into_batches_changes_no_code(rows: list[dict[str, Any]], size: int) -> None:
    rows[0] = {"u": 1.0, "p": "c", "target": "x"}
    whole, cut = (sl.Schema.infer(rows[:1], target="target") for _ in range(2))
    expected = whole.encode(rows)
    parts = [cut.encode(rows[i : i + size]) for i in range(0, len(rows), size)]
    np.testing.assert_array_equal(np.concatenate([part.X for part in parts]), expected.X)
    assert cut == whole
    table = pa.Table.from_pylist(
        rows, schema=pa.schema([("p", pa.string()), ("u", pa.float64()), ("target", pa.string())])
    )
    by_table = sl.Schema.infer(rows[:1], target="target")
    np.testing.assert_array_equal(by_table.encode(table).X, expected.X)
    np.testing.assert_array_equal(by_table.encode_target([row["target"] for row in rows]), expected.y)


def test_files(tmp_path: Path) -> None:
    schema = sl.Schema.infer(ROWS, target="kind")
    schema.encode(ROWS)
    schema.save(tmp_path / "schema.json")
    assert sl.Schema.load(tmp_path / "schema.json") == schema
    (tmp_path / "bad.json").write_text('{"fields": []}')
    with pytest.raises(StateError, match="keys"):
        sl.Schema.load(tmp_path / "bad.json")


def test_a_field_stops_growing_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlearn.schema.MAX_CATEGORIES", 3)
    schema = sl.Schema([sl.Field("p", "nominal")])
    X = schema.encode([{"p": value} for value in "abcde"]).X
    np.testing.assert_array_equal(X[:, 0], [0.0, 1.0, 2.0, math.nan, math.nan])
    other = sl.Schema([sl.Field("p", "nominal")])
    np.testing.assert_array_equal(other.encode(pa.table({"p": list("abcde")})).X, X)


def test_printing_shows_what_is_known() -> None:
    schema = sl.Schema.infer(ROWS, target="kind")
    schema.encode(ROWS)
    assert str(schema).splitlines() == [
        "b        nominal  True, False",
        "n        numeric",
        "s        nominal  a, b",
        "-> kind  nominal  x, y",
    ]


def test_malformed_schemas_are_refused() -> None:
    with pytest.raises(SchemaError, match="'a' appears twice"):
        sl.Schema.of(["a", "a"])
    with pytest.raises(SchemaError, match="unknown must be"):
        sl.Schema.of(["a"], unknown="grwo")
    with pytest.raises(SchemaError, match="kind must be"):
        sl.Field("a", "text")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="there is no column 'label'"):
        sl.Schema.infer(ROWS, target="label")
