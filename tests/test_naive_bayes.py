"""Naive Bayes agrees with the obvious version and with MOA, whichever way it finds the winner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import LABELS, Event, benchmark_stream, check_laws, events, prequential_accuracy, schema
from naive import naive_bayes as naive

import streamlearn as sl

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOMINAL = {"colour", "city"}


@MANY
@given(stream=events(LABELS))
def test_every_row_agrees_with_the_plain_product(stream: list[Event]) -> None:
    model, oracle = sl.NaiveBayes(schema=schema()), naive.NaiveBayes(NOMINAL)
    for field in ("a", "b", "colour"):  # the order of the schema
        oracle.learn({field: None}, None, 1.0)
    for x, y, w in stream:
        votes, proba = oracle.votes(x), model.predict_proba_one(x)
        total = sum(votes)
        assert list(proba) == oracle.classes
        if not oracle.rows:
            assert model.predict_one(x) is None
            assert not any(proba.values())
        elif total == 0.0:
            assert model.predict_one(x) == oracle.classes[0]
            assert sum(proba.values()) == pytest.approx(1.0)
        else:
            assert list(proba.values()) == pytest.approx([vote / total for vote in votes], rel=1e-9, abs=1e-300)
            winner = oracle.classes.index(model.predict_one(x))
            assert votes[winner] >= max(votes) * (1 - 1e-12)
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@MANY
@given(stream=events(LABELS), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws(stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    check_laws(sl.NaiveBayes(schema=schema()), stream, cuts, tmp_path / "model")


@MANY
@given(
    seed=st.integers(0, 2**32),
    fields=st.sampled_from([1, 2, 5, 60, 300]),
    classes=st.integers(2, 6),
    levels=st.sampled_from([2, 5, 1000]),
    exponent=st.sampled_from([-120.0, -60.0, 0.0, 60.0]),
    gap=st.sampled_from([0.0, 0.1, 30.0]),
)
def test_logarithms_never_change_the_answer(
    seed: int, fields: int, classes: int, levels: int, exponent: float, gap: float
) -> None:
    """With probabilities the product is multiplied out, without them the logarithms may decide."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, 80)
    X = np.round(rng.normal(size=(80, fields)) + gap * y[:, None] * rng.random(fields), 1)
    X = np.mod(np.round(X * levels), levels) * 10.0 ** rng.uniform(-abs(exponent), abs(exponent), fields)
    X[:, ::3] = np.mod(np.round(X[:, ::3]), 4)
    kinds = [sl.Field(f"x{i}", "nominal", list("abcd")) if i % 3 == 0 else sl.Field(f"x{i}") for i in range(fields)]
    batch = sl.Batch(sl.Schema(kinds, target="y", classes=list(range(classes))), X, y)
    quick = sl.NaiveBayes().process(batch)
    exact = sl.NaiveBayes().process(batch, proba=True)
    np.testing.assert_array_equal(quick.prediction, exact.prediction)
    assert exact.proba is not None
    np.testing.assert_allclose(exact.proba[1:].sum(axis=1), 1.0)
    # Scaling may round votes that differ by their last bit to the same probability, so the winner may share the lead.
    winners = exact.proba[np.arange(1, len(y)), exact.prediction[1:]]
    np.testing.assert_array_equal(winners, exact.proba[1:].max(axis=1))


def test_an_underflowing_product_is_class_0_and_uniform() -> None:
    schema = sl.Schema.of([f"x{i}" for i in range(3)], target="y", classes=["no", "yes"])
    model = sl.NaiveBayes(schema=schema)
    X = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [10.0, 10.0, 10.0], [11.0, 11.0, 11.0]])
    model.learn_many(X, ["no", "no", "yes", "yes"])
    far = np.full((1, 3), 1000.0)
    assert model.predict_many(far).tolist() == ["no"]
    assert model.predict_proba_many(far).tolist() == [[0.5, 0.5]]
    assert model.predict_many(np.full((1, 3), 12.0)).tolist() == ["yes"]


@pytest.mark.parametrize(("learned", "asked"), [(0.0, 1e-200), (1e-200, 0.0), (-2e-170, 3e-180)])
def test_differences_whose_square_underflows_still_count(learned: float, asked: float) -> None:
    model = sl.NaiveBayes(schema=sl.Schema.of(["a"], target="y"))
    model.learn_many(np.array([[learned], [learned], [4.0], [5.0], [6.0]]), ["no", "no", "yes", "yes", "yes"])
    assert model.predict_one({"a": learned}) == "no"
    assert model.predict_one({"a": asked}) == "yes"


def test_missing_and_infinite_values_are_skipped() -> None:
    model, same = sl.NaiveBayes(schema=schema()), sl.NaiveBayes(schema=schema())
    for x, y in [({"a": 1.0, "b": 2.0}, "no"), ({"a": 3.0, "b": 1.0}, "yes"), ({"a": 1.5, "b": 2.0}, "no")]:
        model.learn_one(x, y)
        same.learn_one(x, y)
    model.learn_one({"a": float("inf"), "b": 2.0, "colour": None}, "no")
    same.learn_one({"b": 2.0}, "no")
    assert model.predict_proba_one({"a": 1.0, "b": -float("inf")}) == same.predict_proba_one({"a": 1.0})
    assert all(np.isfinite(model.state()["arrays"]["mean"]).ravel())


def test_a_weight_counts_as_so_many_rows() -> None:
    weighted, repeated = sl.NaiveBayes(schema=schema()), sl.NaiveBayes(schema=schema())
    for a, colour, label in [(1.0, "red", "no"), (4.0, "blue", "yes"), (2.0, "red", "no"), (3.5, "red", "yes")]:
        weighted.learn_one({"a": a, "colour": colour}, label, 3.0)
        for _ in range(3):
            repeated.learn_one({"a": a, "colour": colour}, label)
    row = {"a": 2.5, "colour": "red"}
    assert weighted.predict_proba_one(row) == pytest.approx(repeated.predict_proba_one(row), rel=1e-12)


def test_rows_encoded_before_the_schema_grew_are_still_taken() -> None:
    schema = sl.Schema.of(["a"], target="y", classes=["no", "yes"])
    narrow = schema.encode([{"a": 1.0}, {"a": 5.0}], ["no", "yes"])
    wide = schema.encode([{"a": 1.5, "b": 2.0}, {"a": 5.5, "b": 2.5}], ["no", "yes"])
    model = sl.NaiveBayes()
    model.process(wide)
    model.process(narrow)
    model.process(wide)
    assert model.process(narrow, np.array([0, 1])).prediction.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("known", 3, "known"), ("place", 5, "place"), ("offset", 7, "offset"), ("numeric", 2, "numeric")],
)
def test_damaged_states_are_refused(name: str, value: int, message: str) -> None:
    model = sl.NaiveBayes(schema=schema())
    model.learn_many([{"a": 1.0, "colour": "red"}, {"a": 2.0, "colour": "blue"}], ["no", "yes"])
    state = model.state()
    state["arrays"][name][0] = value
    with pytest.raises(sl.StateError, match=message):
        model.restore(state)


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("electricity", 73.3625),
        ("outdoor", 57.3500),
        ("keystroke", 68.9375),
        ("chess", 66.6004),
        ("phishing", 91.4066),
        pytest.param("airlines", 64.5510, marks=pytest.mark.slow),
        pytest.param("covertype", 60.5208, marks=pytest.mark.slow),
        pytest.param("kdd99_10pct", 96.5022, marks=pytest.mark.slow),
    ],
)
def test_moa_figures(name: str, accuracy: float) -> None:
    assert prequential_accuracy(sl.NaiveBayes(), benchmark_stream(name)) == pytest.approx(accuracy, abs=5e-5)
