"""The nearest neighbours agree with the obvious version and, on real streams, with MOA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import LABELS, VALUES, Event, benchmark_stream, check_laws, events, prequential_accuracy, schema
from naive import neighbors as naive
from river import neighbors as river
from river import utils

import streamlearn as sl

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOMINAL = {"colour", "city"}
WINDOWS = st.fixed_dictionaries(
    {
        "n_neighbors": st.integers(1, 5),
        "window_size": st.integers(5, 12),
        "p": st.sampled_from([2.0, 2.0, 1.0, 3.0]),
        "scale": st.booleans(),
    }
)


def coarse(stream: list[Event]) -> list[Event]:
    """Numbers to six places: distances that differ by a rounding error only tie in the oracle, which takes roots."""
    return [
        event._replace(x={k: round(v, 6) if isinstance(v, float) else v for k, v in event.x.items()})
        for event in stream
    ]


def window(options: dict[str, Any]) -> naive.Window:
    oracle = naive.Window(NOMINAL, **options)
    oracle.fields = ["a", "b", "colour"]  # the order of the schema
    return oracle


@MANY
@given(stream=events(LABELS).map(coarse), options=WINDOWS, weighted=st.booleans())
def test_every_row_agrees_with_the_plain_search(stream: list[Event], options: Any, weighted: bool) -> None:
    model, oracle = sl.KNNClassifier(schema=schema(), weighted=weighted, **options), window(options)
    for x, y, w in stream:
        proba = model.predict_proba_one(x)
        if oracle.rows:
            votes = naive.votes(oracle.neighbors(x), options["p"], weighted)
            expected = [votes.get(label, 0.0) / sum(votes.values()) for label in proba]
            assert list(proba.values()) == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert expected[list(proba).index(model.predict_one(x))] == pytest.approx(max(expected), rel=1e-9)
        else:
            assert model.predict_one(x) is None
            assert not any(proba.values())
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@MANY
@given(stream=events(VALUES).map(coarse), options=WINDOWS, weighted=st.booleans())
def test_means_agree_with_the_plain_search(stream: list[Event], options: Any, weighted: bool) -> None:
    method = "weighted_mean" if weighted else "mean"
    model = sl.KNNRegressor(schema=schema("numeric"), aggregation_method=method, **options)
    oracle = window(options)
    for x, y, w in stream:
        found = oracle.neighbors(x) if oracle.rows else []
        expected = naive.mean(found, options["p"], weighted) if found else 0.0
        assert model.predict_one(x) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@MANY
@given(stream=events(VALUES))
def test_medians_are_numpys(stream: list[Event]) -> None:
    """Weights are left out here: that a row of weight 2 counts as two is the next test."""
    model = sl.KNNRegressor(schema=schema("numeric"), aggregation_method="median", n_neighbors=4, window_size=9)
    oracle = window({"n_neighbors": 4, "window_size": 9, "p": 2.0, "scale": True})
    for x, y, _ in stream:
        expected = float(np.median([target for _, target, _ in oracle.neighbors(x)])) if oracle.rows else 0.0
        assert model.predict_one(x) == pytest.approx(expected, abs=1e-12)
        model.learn_one(x, y)
        oracle.learn(x, y, 1.0)


@pytest.mark.parametrize("method", ["mean", "median", "weighted_mean"])
def test_a_row_of_weight_2_counts_twice(method: str) -> None:
    rng = np.random.default_rng(0)
    X, y, query = rng.normal(size=(40, 2)), rng.normal(size=40), rng.normal(size=(30, 2))
    w = rng.integers(1, 4, 40)
    options: Any = {"aggregation_method": method, "window_size": 200}
    weighted, repeated = (
        sl.KNNRegressor(n_neighbors=40, **options),
        sl.KNNRegressor(n_neighbors=int(w.sum()), **options),
    )
    weighted.learn_many(X, y, w.astype(float))
    repeated.learn_many(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.predict_many(query), repeated.predict_many(query), rtol=1e-12)


@MANY
@given(stream=events(LABELS).map(coarse), options=WINDOWS, cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_the_classifier(stream: list[Event], options: Any, cuts: list[int], tmp_path: Path) -> None:
    check_laws(sl.KNNClassifier(schema=schema(), weighted=True, **options), stream, cuts, tmp_path / "model")


@MANY
@given(stream=events(VALUES).map(coarse), options=WINDOWS, cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_the_regressor(stream: list[Event], options: Any, cuts: list[int], tmp_path: Path) -> None:
    model = sl.KNNRegressor(schema=schema("numeric"), aggregation_method="median", **options)
    check_laws(model, stream, cuts, tmp_path / "model")


@MANY
@given(seed=st.integers(0, 2**32), levels=st.sampled_from([2, 5, 1000]), size=st.integers(1, 30))
def test_ranges_are_those_of_the_window(seed: int, levels: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels, size=(60, 3)) + np.arange(60)[:, None] * [0.0, 0.1, -0.1]
    X[rng.random(X.shape) < 0.1] = np.nan
    model = sl.KNNClassifier(n_neighbors=1, window_size=size)
    model.learn_many(X, ["no"] * 60)
    arrays, last = model.state()["arrays"], X[-size:]
    kept = arrays["values"].T[np.lexsort(arrays["values"])]
    np.testing.assert_array_equal(kept, last[np.lexsort(last.T)])
    empty = np.isnan(last).all(axis=0)
    np.testing.assert_array_equal(arrays["low"], np.where(empty, np.inf, np.fmin.reduce(last)))
    np.testing.assert_array_equal(arrays["high"], np.where(empty, -np.inf, np.fmax.reduce(last)))
    with np.errstate(invalid="ignore"):
        width = (arrays["high"] - arrays["low"])[:, None]
        scaled = np.where(width > 0, (arrays["values"] - arrays["low"][:, None]) / width, 0.0 * arrays["values"])
    np.testing.assert_array_equal(arrays["scaled"], scaled)


@pytest.mark.parametrize(
    ("name", "moa"),
    [("electricity", 78.3788), ("outdoor", 71.1), ("keystroke", 89.25), ("chess", 74.3539), ("phishing", 92.9444)],
)
def test_accuracy_on_real_streams_is_moas(name: str, moa: float) -> None:
    assert round(prequential_accuracy(sl.KNNClassifier(), benchmark_stream(name)), 4) == moa


@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_are_rivers(weighted: bool) -> None:
    """On numbers without ties, unscaled, with River's exact search."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    labels = np.where(X.sum(axis=1) > 0, "yes", "no")
    theirs = river.KNNClassifier(4, engine=river.LazySearch(window_size=50), weighted=weighted)
    ours = sl.KNNClassifier(n_neighbors=4, window_size=50, weighted=weighted, scale=False)
    for row, y in zip(X, labels, strict=True):
        x = dict(zip("abc", row.tolist(), strict=True))
        assert {k: v for k, v in ours.predict_proba_one(x).items() if v} == pytest.approx(
            {k: v for k, v in theirs.predict_proba_one(x).items() if v}, rel=1e-9
        )
        ours.learn_one(x, y)
        theirs.learn_one(x, y)


@pytest.mark.parametrize("method", ["mean", "median", "weighted_mean"])
@pytest.mark.parametrize("p", [1, 2])
def test_values_are_rivers(method: str, p: int) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 3))
    engine = river.LazySearch(window_size=50, dist_func=lambda a, b: utils.math.minkowski_distance(a, b, p=p))
    theirs = river.KNNRegressor(4, engine=engine, aggregation_method=method)
    ours = sl.KNNRegressor(n_neighbors=4, window_size=50, aggregation_method=method, p=p, scale=False)
    for row in X:
        x, y = dict(zip("abc", row.tolist(), strict=True)), float(row @ [1, 2, 3])
        assert ours.predict_one(x) == pytest.approx(theirs.predict_one(x), rel=1e-9)
        ours.learn_one(x, y)
        theirs.learn_one(x, y)


def test_all_rows_as_near_as_the_last_neighbour_vote() -> None:
    model = sl.KNNClassifier(n_neighbors=2)
    for a, label in [(0.0, "no"), (1.0, "yes"), (-1.0, "yes"), (1.0, "no"), (9.0, "no"), (-9.0, "no")]:
        model.learn_one({"a": a}, label)
    assert model.predict_proba_one({"a": 0.0}) == {"no": 0.5, "yes": 0.5}  # 0, and all three at distance 1
    assert model.predict_one({"a": 0.0}) == "no"


def test_only_the_window_is_remembered() -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(500, 4)), rng.integers(0, 3, 500)
    schema = sl.Schema.of(list("abcd"), target="y", classes=[0, 1, 2])
    whole, tail = sl.KNNClassifier(window_size=100, schema=schema), sl.KNNClassifier(window_size=100, schema=schema)
    whole.learn_many(X, y)
    tail.learn_many(X[-100:], y[-100:])
    query = rng.normal(size=(50, 4))
    np.testing.assert_array_equal(whole.predict_proba_many(query), tail.predict_proba_many(query))


@pytest.mark.parametrize("weighted", [False, True])
def test_queries_far_outside_the_range_are_answered(weighted: bool) -> None:
    model = sl.KNNClassifier(n_neighbors=1, weighted=weighted)
    model.learn_many(np.array([[0.0], [1e-200], [5e-201]]), ["no", "yes", "no"])
    assert sum(model.predict_proba_many(np.array([[1e99]]))[0]) == 1.0
    assert model.predict_many(np.array([[2e-200]])).tolist() == ["yes"]


def test_rows_encoded_before_the_schema_grew_are_still_taken() -> None:
    grown = sl.Schema.of(["a"], target="y", classes=["no", "yes"])
    narrow = grown.encode([{"a": -1.0}, {"a": 1.0}], ["no", "yes"])
    wide = grown.encode([{"a": -1.5, "b": 2.0}, {"a": 1.5, "b": 2.5}], ["no", "yes"])
    model = sl.KNNClassifier(n_neighbors=1)
    for batch in (wide, narrow, wide):
        model.process(batch)
    assert model.process(narrow, np.array([0, 1])).prediction.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_neighbors", 0),
        ("n_neighbors", 1.5),
        ("n_neighbors", 1001),
        ("window_size", 0),
        ("p", 0.5),
        ("p", float("nan")),
        ("scale", 1),
    ],
)
def test_parameters_are_checked(name: str, value: Any) -> None:
    for learner in (sl.KNNClassifier, sl.KNNRegressor):
        with pytest.raises(sl.OptionError, match=name):
            learner(**{name: value})


def test_parameters_of_one_learner_are_checked() -> None:
    with pytest.raises(sl.OptionError, match="weighted"):
        sl.KNNClassifier(weighted="yes")
    with pytest.raises(sl.OptionError, match="aggregation_method"):
        sl.KNNRegressor(aggregation_method="mode")


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("numbers", 0, 11),
        ("numbers", 0, -1),
        ("numbers", 1, 10),
        ("numbers", 2, 3),
        ("target", 0, 2.0),
        ("target", 1, 0.5),
        ("target", 1, -1.0),
        ("target", 1, float("nan")),
        ("weight", 0, 0.0),
        ("options", 0, 1000.0),
        ("categories", 1, 99),
    ],
)
def test_damaged_states_are_refused(name: str, place: int, value: float) -> None:
    model = sl.KNNClassifier(n_neighbors=2, window_size=10, schema=schema())
    model.learn_many([{"a": 1.0, "colour": "red"}, {"a": 2.0, "colour": "blue"}], ["no", "yes"])
    state = model.state()
    state["arrays"][name][place] = value
    with pytest.raises(sl.StateError, match=name):
        model.restore(state)
