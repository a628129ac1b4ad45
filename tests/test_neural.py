"""The networks agree with the obvious version, with finite differences and scikit-learn, and learn what lines can't."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import LABELS, VALUES, Event, benchmark_stream, check_laws, events, prequential_accuracy, schema
from naive import neural as naive
from sklearn.neural_network import MLPClassifier as TheirClassifier

import streamlearn as sl

SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOMINAL = ["colour", "city"]
OPTIONS = st.fixed_dictionaries(
    {"hidden_layer_sizes": st.sampled_from([3, (5,), (4, 2), (2, 3, 2)])},
    optional={
        "activation": st.sampled_from(["relu", "tanh"]),
        "optimizer": st.sampled_from(["sgd", "adagrad"]),
        "learning_rate": st.sampled_from([0.01, 0.2]),
        "intercept_lr": st.sampled_from([0.0, 0.1]),
        "memory": st.sampled_from([0, 10]),
        "l2": st.sampled_from([0.0, 0.1]),
        "clip_gradient": st.sampled_from([0.3, 5.0]),
        "skip_connection": st.booleans(),
        "standardize": st.booleans(),
        "seed": st.integers(0, 3),
    },
)
WEIGHTS = ("first", "deep", "last", "direct")


def all_options(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in inspect.signature(type(model)).parameters if name != "schema"}


# Values that are all but equal have deviations in which both versions keep few digits: those are for the laws.
def tame(stream: list[Event]) -> list[Event]:
    """The stream with its numbers rounded to halves and within ±10."""

    def number(value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return round(2.0 * value) / 2.0 if abs(value) <= 10 else None

    return [Event({name: number(v) for name, v in x.items()}, y, 1.0 if w else 0.0) for x, y, w in stream]


@SOME
@given(stream=events(LABELS, most=12), options=OPTIONS)
def test_classification_agrees_with_the_formulas(stream: list[Event], options: dict[str, Any]) -> None:
    model = sl.MLPClassifier(schema=schema(), **options)
    oracle = naive.MLPClassifier(NOMINAL, all_options(model))
    for x, y, w in tame(stream):
        proba = model.predict_proba_one(x)
        if oracle.labels:
            expected = oracle.predict_proba(x)
            assert {label: proba[label] for label in expected} == pytest.approx(expected, abs=1e-6)
            assert proba[model.predict_one(x)] == max(proba.values())
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@SOME
@given(stream=events(VALUES, most=12), options=OPTIONS)
def test_regression_agrees_with_the_formulas(stream: list[Event], options: dict[str, Any]) -> None:
    model = sl.MLPRegressor(schema=schema("numeric"), **options)
    oracle = naive.MLPRegressor(NOMINAL, all_options(model))
    for x, y, w in tame(stream):
        y = None if y is None or not abs(y) <= 10 else round(y)
        assert model.predict_one(x) == pytest.approx(oracle.predict(x), rel=1e-5, abs=1e-5)
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@pytest.mark.parametrize(("sizes", "activation", "optimizer"), [((6,), "relu", "adagrad"), ((4, 3), "tanh", "sgd")])
@SOME
@given(stream=events(LABELS), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_classification(
    sizes: Any, activation: str, optimizer: str, stream: list[Event], cuts: list[int], tmp_path: Path
) -> None:
    model = sl.MLPClassifier(hidden_layer_sizes=sizes, activation=activation, optimizer=optimizer, schema=schema())
    check_laws(model, stream, cuts, tmp_path / "model")
    assert all(np.isfinite(model.state()["arrays"][name]).all() for name in WEIGHTS)


@pytest.mark.parametrize("standardize", [False, True])
@SOME
@given(stream=events(VALUES), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_regression(standardize: bool, stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    model = sl.MLPRegressor(
        hidden_layer_sizes=(4, 3, 2), optimizer="sgd", learning_rate=10.0, standardize=standardize,
        schema=schema("numeric"),
    )  # fmt: skip
    check_laws(model, stream, cuts, tmp_path / "model")
    assert all(np.isfinite(model.state()["arrays"][name]).all() for name in WEIGHTS)


# -- gradients ---------------------------------------------------------------------------------------------------------


def trained(**options: Any) -> tuple[sl.MLPClassifier, dict[str, float], int]:
    """A plain network of three classes after some rows, and the row that comes next."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(60, 4)), rng.integers(3, size=60)
    fields = sl.Schema.of(list("abcd"), target="y", classes=[0, 1, 2])
    model = sl.MLPClassifier(
        optimizer="sgd", learning_rate=0.1, intercept_lr=0.1, standardize=False, seed=5, schema=fields, **options
    )
    model.learn_many(X[:-1], y[:-1])
    return model, dict(zip("abcd", X[-1].tolist(), strict=True)), int(y[-1])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [(5,), (5, 3), (6, 5, 4)])
def test_steps_follow_the_gradient_by_finite_differences(sizes: tuple[int, ...], activation: str) -> None:
    model, x, y = trained(hidden_layer_sizes=sizes, activation=activation)
    before, moved = model.state(), model.clone()
    moved.restore(before)
    moved.learn_one(x, y)
    after = moved.state()["arrays"]

    def loss(name: str, place: tuple[int, ...], change: float) -> float:
        state = model.state()
        state["arrays"][name][place] += change
        moved.restore(state)
        return -float(np.log(moved.predict_proba_one(x)[y]))

    steps = 0
    for name in WEIGHTS:
        for place in np.ndindex(before["arrays"][name].shape):
            slope = (loss(name, place, 1e-6) - loss(name, place, -1e-6)) / 2e-6
            step = after[name][place] - before["arrays"][name][place]
            assert step == pytest.approx(-0.1 * slope, abs=1e-8)
            steps += step != 0.0
    assert steps > 20


def test_steps_are_those_of_scikit_learn() -> None:
    model, x, y = trained(hidden_layer_sizes=(5, 3), activation="tanh", skip_connection=False)
    arrays = model.state()["arrays"]
    theirs = TheirClassifier(
        (5, 3), activation="tanh", solver="sgd", momentum=0.0, alpha=0.0, learning_rate_init=0.1, batch_size=1
    )
    row = np.array([list(x.values())])
    theirs.partial_fit(row, [0], classes=[0, 1, 2])
    order, W = arrays["class_of"][:3], arrays["last"].shape[1]
    rows = np.argsort(order)
    theirs.coefs_ = [arrays["first"][1:].copy(), arrays["deep"][0, :5, :3].copy(), arrays["last"][rows, :3].T.copy()]
    intercepts = [arrays["first"][0], arrays["deep"][0, W, :3], arrays["direct"][0, rows]]
    theirs.intercepts_ = [intercept.copy() for intercept in intercepts]
    theirs._optimizer.params = theirs.coefs_ + theirs.intercepts_
    for label in (y, (y + 1) % 3, y):
        expected = theirs.predict_proba(row)[0]
        assert list(model.predict_proba_one(x).values()) == pytest.approx(expected.tolist(), abs=1e-12)
        model.learn_one(x, label)
        theirs.partial_fit(row, [label])


# -- particulars -------------------------------------------------------------------------------------------------------


def test_learns_what_a_line_cannot_separate() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(6000, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    for options in ({}, {"activation": "tanh"}, {"hidden_layer_sizes": (16, 8)}):
        right = sl.MLPClassifier(**options).test_then_train_many(X, y) == y
        assert np.mean(right[3000:]) > 0.93
    assert np.mean((sl.LogisticRegression().test_then_train_many(X, y) == y)[3000:]) < 0.6


def test_units_of_fields_and_target_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(3000, 3))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    plain, scaled = sl.MLPRegressor(), sl.MLPRegressor()
    prediction = plain.test_then_train_many(X, y)
    large = scaled.test_then_train_many(X * [1024.0, 2.0**-10, 1.0], y * 2.0**20)
    assert large == pytest.approx(prediction * 2.0**20, rel=1e-6, abs=1e-3)
    assert np.mean((prediction - y)[2000:] ** 2) < 0.1 * np.var(y)


def test_limited_memory_follows_drift() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(40_000, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    y[30_000:] = 1 - y[30_000:]
    following, settled = (sl.MLPClassifier(memory=memory).test_then_train_many(X, y) == y for memory in (1000, 0))
    assert np.mean(following[30_000:32_000]) > np.mean(settled[30_000:32_000]) + 0.02


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", ()),
        ("hidden_layer_sizes", (3, 0)),
        ("hidden_layer_sizes", 2.5),
        ("hidden_layer_sizes", "32"),
        ("hidden_layer_sizes", [1] * 9),
        ("activation", "sigmoid"),
        ("optimizer", "adam"),
        ("learning_rate", 0.0),
        ("intercept_lr", -1.0),
        ("memory", -1),
        ("l2", 2.0),
        ("clip_gradient", 0.0),
        ("skip_connection", 1),
        ("standardize", None),
        ("seed", 0.5),
    ],
)
def test_parameters_are_checked(name: str, value: Any) -> None:
    for learner in (sl.MLPClassifier, sl.MLPRegressor):
        with pytest.raises(sl.OptionError, match=name):
            learner(**{name: value})


def test_contradictions_are_refused() -> None:
    with pytest.raises(sl.OptionError, match=r"learning_rate \* l2"):
        sl.MLPClassifier(optimizer="sgd", learning_rate=2.0, l2=1.0)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("sizes", 0, 40), ("class_of", 0, 5), ("row_of", 1, 0), ("numbers", 1, 3), ("offset", 1, 9), ("options", 0, 0.0)],
)
def test_damaged_states_are_refused(name: str, place: int, value: float) -> None:
    model = sl.MLPClassifier(schema=schema())
    model.learn_many([{"a": 1.0, "colour": "red"}, {"a": 2.0, "colour": "blue"}], ["no", "yes"])
    state = model.state()
    state["arrays"][name][place] = value
    with pytest.raises(sl.StateError, match=name):
        model.restore(state)


def test_defaults_do_well_on_electricity() -> None:
    assert prequential_accuracy(sl.MLPClassifier(), benchmark_stream("electricity")) > 91.0
