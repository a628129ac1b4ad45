"""The scalers agree with River and with the obvious versions, and learn batches as single rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import CATEGORIES, ROWS, WEIGHTS, same, schema
from naive import preprocessing as naive
from river import preprocessing as river

import streamlearn as sl

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOMINAL = {"colour", "city"}
TAME = st.one_of(st.integers(-3, 3).map(float), st.floats(-10, 10).map(lambda x: round(x, 3)))
TAME_ROWS = st.fixed_dictionaries(
    {"a": TAME, "b": st.one_of(TAME, st.sampled_from([None, math.nan, math.inf, -math.inf])), "colour": CATEGORIES},
    optional={"late": TAME, "city": st.sampled_from(["Oslo", "Lima"])},
)


@pytest.mark.parametrize(("learner", "oracle"), [(sl.StandardScaler, naive.Standard), (sl.MinMaxScaler, naive.MinMax)])
@MANY
@given(stream=st.lists(st.tuples(TAME_ROWS, WEIGHTS), min_size=1, max_size=25))
def test_every_row_agrees_with_statistics_from_scratch(
    learner: Any, oracle: Any, stream: list[tuple[dict[str, Any], float]]
) -> None:
    scaler, values = learner(schema=schema()), oracle(NOMINAL)
    for x, w in stream:
        scaler.learn_one(x, None, w)
        values.learn(x, w)
        ours, theirs = scaler.transform_one(x), values.transform(x)
        assert {name: v for name, v in ours.items() if isinstance(v, str)} == {
            name: v for name, v in theirs.items() if isinstance(v, str)
        }
        assert {name: v for name, v in ours.items() if not isinstance(v, str)} == pytest.approx(
            {name: v for name, v in theirs.items() if not isinstance(v, str)}, rel=1e-6, abs=1e-6
        )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sl.StandardScaler(), river.StandardScaler()),
        (sl.StandardScaler(with_std=False), river.StandardScaler(with_std=False)),
        (sl.MinMaxScaler(), river.MinMaxScaler()),
    ],
)
def test_agrees_with_river(ours: Any, theirs: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)) * [1e-6, 1.0, 1e6, 0.0] + [0.0, 1000.0, -5.0, 7.0]
    for row in X.tolist():
        x = {name: value for name, value in zip("abcd", row, strict=True) if rng.random() < 0.8}
        ours.learn_one(x)
        theirs.learn_one(x)
        assert ours.transform_one(x) == pytest.approx(theirs.transform_one(x), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("learner", [sl.StandardScaler, sl.MinMaxScaler])
@FEW
@given(stream=st.lists(st.tuples(ROWS, WEIGHTS), min_size=1, max_size=25), cut=st.integers(0, 25))
def test_laws(learner: Any, stream: list[tuple[dict[str, Any], float]], cut: int, tmp_path: Path) -> None:
    one, many = learner(schema=schema()), learner(schema=schema())
    for x, w in stream:
        one.learn_one(x, None, w)
    for part in (stream[:cut], stream[cut:]):
        if part:
            rows, weights = zip(*part, strict=True)
            many.learn_many(list(rows), None, list(weights))
            many.save(tmp_path / "scaler")
            many = learner.load(tmp_path / "scaler")
    before = one.state()
    assert same(many.state(), before)
    rows = [x for x, _ in stream]
    np.testing.assert_array_equal(one.transform_many(rows), many.transform_many(rows))
    assert one.transform_one({"a": 1.0, "colour": "never seen"})["colour"] == "never seen"
    assert same(one.state(), before)
    assert all(np.isfinite(one.state()["arrays"].get("mean", np.zeros(1))))


def test_a_learned_row_is_transformed_after_it_was_learned() -> None:
    batch = schema().encode([{"a": 1.0}, {"a": 3.0}])
    out = sl.MinMaxScaler().transform(batch, np.array([~0, ~1, 0, 1]))
    assert out[:, 0].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_a_weight_counts_as_so_many_rows() -> None:
    weighted, repeated = sl.StandardScaler(), sl.StandardScaler()
    for a in (1.0, 4.0, 2.0):
        weighted.learn_one({"a": a}, None, 3.0)
        for _ in range(3):
            repeated.learn_one({"a": a})
    assert weighted.transform_one({"a": 2.5}) == pytest.approx(repeated.transform_one({"a": 2.5}), rel=1e-12)


def test_rows_encoded_before_the_schema_grew_are_still_taken() -> None:
    grown = sl.Schema.of(["a"])
    narrow = grown.encode([{"a": 1.0}, {"a": 5.0}])
    scaler = sl.MinMaxScaler()
    scaler.learn_many(grown.encode([{"a": 0.0, "b": 2.0}, {"a": 10.0, "b": 3.0}]))
    assert scaler.transform(narrow, np.array([0, 1])).tolist() == [[0.1], [0.5]]


def test_bad_parameters_and_states_are_refused() -> None:
    with pytest.raises(sl.OptionError, match="with_std"):
        sl.StandardScaler(with_std=1)  # type: ignore[arg-type]
    for scaler in (sl.StandardScaler(), sl.MinMaxScaler()):
        scaler.learn_one({"a": 1.0, "b": 2.0})
        state = scaler.state()
        state["arrays"]["numeric"][1] = 2
        with pytest.raises(sl.StateError, match="numeric"):
            scaler.restore(state)
