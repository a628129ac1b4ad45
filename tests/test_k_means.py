"""Sequential k-means agrees with the obvious version, with River's steps, and with means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import CATEGORIES, Event, check_laws, events, schema
from naive import k_means as naive
from river import cluster as river

import streamlearn as sl

MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OPTIONS = st.fixed_dictionaries(
    {"n_clusters": st.integers(1, 4), "halflife": st.sampled_from([0.0, 0.1, 0.5]), "p": st.sampled_from([1.0, 2.0])}
)
NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.none())
ROWS = st.fixed_dictionaries(
    {"a": NUMBERS, "b": NUMBERS, "colour": CATEGORIES}, optional={"late": NUMBERS, "city": st.sampled_from(["X", "Y"])}
)


@MANY
@given(stream=st.lists(st.tuples(ROWS, st.sampled_from([0.0, 0.5, 1.0, 2.0])), max_size=30), options=OPTIONS)
def test_every_row_agrees_with_the_plain_version(stream: list[Any], options: Any) -> None:
    model, oracle = sl.KMeans(schema=schema(), **options), naive.KMeans({"colour", "city"}, **options)
    for x, w in stream:
        found = model.predict_one(x)
        if oracle.centers:  # the nearest, but for rounding
            row = oracle.features(x)
            least = min(oracle.distance(row, center) for center in oracle.centers)
            assert oracle.distance(row, oracle.centers[found]) == pytest.approx(least, abs=1e-9)
            if found != oracle.predict(x):
                return
        else:
            assert found == -1
        model.learn_one(x, None, w)
        oracle.learn(x, w)
        for ours, theirs in zip(model.centers.values(), oracle.centers, strict=True):
            assert ours.keys() == theirs.keys()
            for name, value in theirs.items():
                if isinstance(value, dict):
                    shares = {c: share for c, share in ours[name].items() if share}
                    assert shares == pytest.approx({c: s for c, s in value.items() if s}, abs=1e-9)
                else:
                    assert ours[name] == pytest.approx(value, abs=1e-9)


@MANY
@given(stream=events(st.none()), options=OPTIONS, cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws(stream: list[Event], options: Any, cuts: list[int], tmp_path: Path) -> None:
    check_laws(sl.KMeans(schema=schema(), **options), stream, cuts, tmp_path / "model")


@pytest.mark.parametrize("p", [1, 2])
def test_steps_are_rivers(p: int) -> None:
    """With the same first centres, and River's default step."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    ours, theirs = sl.KMeans(n_clusters=4, halflife=0.5, p=p), river.KMeans(n_clusters=4, halflife=0.5, p=p, seed=0)
    for k in range(4):
        ours.learn_one(dict(zip("ab", X[k].tolist(), strict=True)))
        theirs.centers[k].update(zip("ab", X[k].tolist(), strict=True))
    for row in X[4:].tolist():
        x = dict(zip("ab", row, strict=True))
        assert ours.predict_one(x) == theirs.predict_one(x)
        ours.learn_one(x)
        theirs.learn_one(x)
    for k in range(4):
        assert ours.centers[k] == pytest.approx(dict(theirs.centers[k]))


def test_without_forgetting_centres_are_means() -> None:
    rng = np.random.default_rng(1)
    group = np.concatenate([[0, 1, 2], rng.integers(0, 3, 2000)])
    X = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])[group] + rng.normal(size=(len(group), 2))
    model = sl.KMeans(n_clusters=3, halflife=0.0)
    found = model.test_then_train_many(X)
    assert (found[3:] == group[3:]).all()
    means = [X[group == k].mean(axis=0) for k in range(3)]
    np.testing.assert_allclose([list(center.values()) for center in model.centers.values()], means, rtol=1e-9)


def test_centres_follow_a_drift() -> None:
    model = sl.KMeans(n_clusters=2)
    for i in range(2000):
        model.learn_one({"x": (i % 2) * 100.0 + i / 20})
    first, second = (center["x"] for center in model.centers.values())
    assert 90 < first < 100
    assert 190 < second < 200


def test_repeated_rows_make_one_cluster() -> None:
    model = sl.KMeans(n_clusters=3)
    assert model.predict_one({"x": 1.0}) == -1
    model.learn_many([{"x": 1.0, "kind": "a"}] * 5 + [{"x": 2.0, "kind": "a"}])
    assert list(model.centers) == [0, 1]
    assert model.predict_many([{"x": 1.1}, {"x": 9.0, "kind": "new"}]).tolist() == [0, 1]


@pytest.mark.parametrize(("name", "value"), [("n_clusters", 0), ("halflife", 1.5), ("p", 0.5)])
def test_parameters_are_checked(name: str, value: Any) -> None:
    with pytest.raises(sl.OptionError, match=name):
        sl.KMeans(**{name: value})


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("clusters", 0, 6), ("offset", 1, 7), ("categories", 2, 9), ("options", 0, 0.9), ("center", (0, 0), np.inf)],
)
def test_damaged_states_are_refused(name: str, place: Any, value: float) -> None:
    model = sl.KMeans(schema=schema())
    model.learn_many([{"a": float(i), "b": 1.0, "colour": "red"} for i in range(6)])
    state = model.state()
    state["arrays"][name][place] = value
    with pytest.raises(sl.StateError, match=name):
        model.restore(state)
