"""Half-space trees: masses and scores agree with counting, and attacks are told from normal traffic as by River."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import Event, benchmark_stream, check_laws, events, schema
from naive import anomaly as naive
from river import anomaly as river
from river import preprocessing
from sklearn.metrics import roc_auc_score

import streamlearn as sl

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(seed=st.integers(0, 2**32), window=st.integers(2, 12), height=st.integers(1, 5))
def test_scores_agree_with_counting(seed: int, window: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(50, 3)) * [1.0, 100.0, 1e-3], rng.choice([0.0, 0.5, 1.0, 2.0], 50)
    model = sl.HalfSpaceTrees(n_trees=3, height=height, window_size=window, seed=seed % 7)
    scores = model.test_then_train_many(X, None, w)
    arrays = model.state()["arrays"]
    if not arrays["numbers"][1]:
        assert not scores.any()
        return
    oracle = naive.HalfSpaceTrees(arrays["feature"], arrays["threshold"], window)
    for x, weight, score in zip(X, w, scores, strict=True):
        assert score == pytest.approx(oracle.score(x), abs=1e-12)
        if weight:
            oracle.learn(x, weight)


@MANY
@given(stream=events(st.none()), cuts=st.lists(st.integers(1, 30), max_size=4), window=st.integers(2, 8))
def test_laws(stream: list[Event], cuts: list[int], window: int, tmp_path: Path) -> None:
    model = sl.HalfSpaceTrees(n_trees=2, height=3, window_size=window, schema=schema(), limits={"a": (0, 1)})
    check_laws(model, stream, cuts, tmp_path / "model")


def test_attacks_are_told_from_normal_traffic_as_well_as_by_river() -> None:
    """Floods of attacks are crowds of their own, so of these kinds few rows are kept: 4 % are attacks in the end."""
    batch = benchmark_stream("kdd99_10pct")
    floods = [batch.schema.encode_label(label) for label in ("neptune", "smurf")]
    attack = batch.y != batch.schema.encode_label("normal")
    share = np.where(attack, np.where(np.isin(batch.y, floods), 0.0001, 0.02), 0.05)
    kept = np.flatnonzero(np.random.default_rng(0).random(len(batch)) < share)[:5000]
    numeric = [j for j, f in enumerate(batch.schema.fields) if f.kind == "numeric"]
    X, attack = np.ascontiguousarray(batch.X[kept][:, numeric]), attack[kept]

    def area(scores: Any) -> float:
        return float(roc_auc_score(attack[250:], scores[250:]))

    theirs = []
    for seed in range(2):
        model = preprocessing.MinMaxScaler() | river.HalfSpaceTrees(seed=seed)
        scores = []
        for row in X.tolist():
            x = dict(enumerate(row))
            scores.append(model.score_one(x))
            model.learn_one(x)
        theirs.append(area(scores))
    ours = [area(sl.HalfSpaceTrees(seed=seed).test_then_train_many(X)) for seed in range(5)]
    assert np.mean(ours) > np.mean(theirs) > 0.8


def test_what_lies_outside_the_crowd_scores_higher_whatever_the_units() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1500, 3)) * [1e-6, 1.0, 1e6] + [0.0, -50.0, 1e7]
    odd = rng.random(1500) < 0.02
    X[odd] += rng.choice([-6.0, 6.0], (odd.sum(), 3)) * [1e-6, 1.0, 1e6]
    scores = sl.HalfSpaceTrees(n_trees=25, seed=3).test_then_train_many(X)
    assert not scores[:250].any()
    assert roc_auc_score(odd[250:], scores[250:]) > 0.95


def test_a_rare_category_scores_higher() -> None:
    rng = np.random.default_rng(3)
    rows = [{"host": str(h)} for h in rng.choice(["a", "b", "z"], 1000, p=[0.6, 0.38, 0.02])]
    model = sl.HalfSpaceTrees(n_trees=50)
    model.learn_many(rows)
    assert model.score_one({"host": "z"}) > model.score_one({"host": "b"}) > model.score_one({"host": "a"})


def test_targets_are_taken_and_not_looked_at() -> None:
    X = np.random.default_rng(4).normal(size=(300, 2))
    plain, labelled = sl.HalfSpaceTrees(window_size=50), sl.HalfSpaceTrees(window_size=50)
    scores = plain.test_then_train_many(X)
    np.testing.assert_array_equal(labelled.test_then_train_many(X, ["fine"] * 300), scores)
    np.testing.assert_array_equal(plain.score_many(X), labelled.predict_many(X))
    with pytest.raises(sl.SchemaError, match="300 rows, y has 3"):
        plain.learn_many(X, [1, 2, 3])


def test_limits_replace_the_first_windows_range(tmp_path: Path) -> None:
    X = np.random.default_rng(5).uniform(size=(20, 1))
    model = sl.HalfSpaceTrees(
        window_size=20, height=1, n_trees=200, limits={"x": (1000, 1001)}, schema=sl.Schema.of(["x"], target="y")
    )
    model.learn_many(X)
    thresholds = model.state()["arrays"]["threshold"]
    assert thresholds.min() >= 1000.0
    assert thresholds.max() <= 1001.0
    model.save(tmp_path / "model")
    assert repr(sl.load(tmp_path / "model")) == repr(model)


def test_the_evaluator_says_that_it_measures_predictions_of_targets() -> None:
    with pytest.raises(sl.OptionError, match="must all be classifiers, or all regressors, not anomaly"):
        sl.evaluate("electricity", sl.HalfSpaceTrees())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_trees", 0),
        ("height", 17),
        ("window_size", 1),
        ("seed", 0.5),
        ("limits", [(0, 1)]),
        ("limits", {"a": (1, 0)}),
        ("limits", {"a": 3}),
    ],
)
def test_parameters_are_checked(name: str, value: Any) -> None:
    with pytest.raises(sl.OptionError, match=name):
        sl.HalfSpaceTrees(**{name: value})


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("numbers", 0, 4),
        ("numbers", 1, 2),
        ("feature", (0, 0), 3),
        ("feature", (0, 0), -2),
        ("threshold", (0, 0), np.nan),
        ("mass", (0, 0, 0), -1.0),
        ("mass", (1, 0, 0), 0.0),
        ("categories", 2, 9),
        ("generator", slice(None), 0),
    ],
)
def test_damaged_states_are_refused(name: str, place: Any, value: float) -> None:
    model = sl.HalfSpaceTrees(window_size=4, height=2, n_trees=2, schema=schema())
    model.learn_many([{"a": float(i), "b": 1.0, "colour": "red"} for i in range(6)])
    state = model.state()
    state["arrays"][name][place] = value
    with pytest.raises(sl.StateError, match=name):
        model.restore(state)
