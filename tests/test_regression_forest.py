"""The adaptive random forest for regression: equal to its oracle bit for bit, and as accurate as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive.regression_forest import RegressionForest
from river import forest as rivers
from test_regression_tree import KINDS, friedman, mean_error, oracle_predictions, schema, stream

import streamlearn as sl

Forest = sl.AdaptiveRandomForestRegressor


def share(part: float) -> Any:
    """So many of ``n`` fields."""
    return lambda n: min(n, max(1, int(part * n + 0.5)))


CASES: list[tuple[dict[str, Any], Any]] = [
    ({"tau": 0.3}, share(0.6)),
    ({"max_features": 2, "tau": 0.5, "drift_delta": 0.3, "warning_delta": 0.9}, lambda n: min(n, 2)),
    ({"max_features": "sqrt", "tau": 0.5, "drift_delta": 0.3, "warning_delta": None}, lambda n: round(n**0.5)),
    ({"max_features": 1.0, "aggregation_method": "mean", "lambda_value": 1, "leaf_prediction": "mean"}, share(1.0)),
    ({"aggregation_method": "mean", "disable_weighted_vote": False, "drift_delta": 0.3}, share(0.6)),
    ({"n_models": 1, "drift_delta": None, "leaf_prediction": "model", "binary_split": True, "n_bins": 8}, share(0.6)),
]


@pytest.mark.parametrize(("options", "max_features"), CASES)
def test_the_forest_is_its_oracle_bit_for_bit(options: dict[str, Any], max_features: Any) -> None:
    X, y, w = stream(2000, seed=2, drift=True)
    made = {"n_models": 4, "seed": 1, **options}
    learner = Forest(**made, schema=schema())
    oracle = RegressionForest(KINDS, **{**made, "max_features": max_features})
    got = learner.test_then_train_many(X, y, w)
    assert got.tolist() == oracle_predictions(oracle, X, y, w)
    assert [view.n_nodes for view in learner.members] == [member.tree.n_nodes() for member in oracle.members]
    for number, member in enumerate(oracle.members):
        assert learner.n_drifts_detected(number) == member.drifts
        assert learner.n_warnings_detected(number) == member.warnings
    if options.get("drift_delta", 0) == 0.3:
        assert learner.n_drifts_detected() > 0
    if options.get("warning_delta") == 0.9:
        assert learner.n_warnings_detected() > 0


def test_threads_change_nothing() -> None:
    X, y, w = stream(2500, seed=4, drift=True)
    one, three = (Forest(n_models=5, threads=threads, schema=schema()) for threads in (1, 3))
    assert one.test_then_train_many(X, y, w).tolist() == three.test_then_train_many(X, y, w).tolist()


def test_errors_are_below_those_of_rivers_forest() -> None:
    X, y = friedman(1500, seed=1)
    theirs, predictions = rivers.ARFRegressor(n_models=3, seed=1), []
    for row, target in zip(X.tolist(), y.tolist(), strict=True):
        x = dict(enumerate(row))
        predictions.append(theirs.predict_one(x))
        theirs.learn_one(x, target)
    ours = Forest(n_models=3, seed=1).test_then_train_many(X, y)
    assert mean_error(ours, y) < mean_error(np.array(predictions), y)


def test_a_forest_errs_less_than_a_tree_and_recovers_from_drift() -> None:
    X, y = friedman(12_000, seed=2)
    y[6000:] = 30.0 - y[6000:]
    learner = Forest(seed=1)
    predictions = learner.test_then_train_many(X, y)
    tree = sl.HoeffdingTreeRegressor().test_then_train_many(X, y)
    assert mean_error(predictions[:6000], y[:6000]) < mean_error(tree[:6000], y[:6000])
    assert learner.n_drifts_detected() >= 5
    assert mean_error(predictions[10_000:], y[10_000:]) < 1.5 * mean_error(predictions[4000:6000], y[4000:6000])
    fixed = Forest(seed=1, drift_delta=None)
    assert mean_error(fixed.test_then_train_many(X, y)[8000:], y[8000:]) > mean_error(predictions[8000:], y[8000:])
    assert fixed.n_drifts_detected() == fixed.n_warnings_detected() == 0


def test_leaves_split_on_the_fields_that_they_drew() -> None:
    X, y = friedman(4000, seed=3)
    learner = Forest(n_models=4, max_features=3, seed=1)
    learner.learn_many(X, y)
    subspaces = learner.state()["arrays"]["tree_subspaces"]
    assert subspaces.shape[1] == 3
    assert all(len(set(drawn)) == 3 for drawn in subspaces.tolist())
    assert set(subspaces.ravel().tolist()) == set(range(10))


def test_memory_goes_with_the_fields_drawn() -> None:
    X, y = friedman(6000, seed=3)
    sizes = []
    for fields in (2, 10):
        learner = Forest(n_models=2, max_features=fields, drift_delta=None, max_active_leaves=50, seed=1)
        learner.learn_many(X, y)
        sizes.append(learner.state()["arrays"]["tree_bins"].nbytes / len(learner.state()["arrays"]["tree_used"]))
    assert sizes[0] == pytest.approx(sizes[1] / 5)


def test_a_tree_that_has_learned_nothing_does_not_vote() -> None:
    learner = Forest(n_models=30, lambda_value=0.1, seed=1)
    learner.learn_one({"a": 1.0}, 100.0)
    votes = [view.n_nodes for view in learner.members]
    assert len(votes) == 30
    assert learner.predict_one({"a": 1.0}) in (0.0, 100.0)
    for _ in range(200):
        learner.learn_one({"a": 1.0}, 100.0)
        assert learner.predict_one({"a": 1.0}) in (0.0, pytest.approx(100.0))
    assert learner.predict_one({"a": 1.0}) == pytest.approx(100.0)


@pytest.mark.parametrize("name", ["tree_numbers", "tree_subspaces", "tree_seen", "tree_random", "tree_used"])
def test_a_damaged_state_is_refused(name: str) -> None:
    X, y, w = stream(1500, seed=3, drift=True)
    learner = Forest(n_models=3, tau=0.5, drift_delta=0.3, schema=schema())
    learner.learn_many(X, y, w)
    state = learner.state()
    array = state["arrays"][name]
    array[0] = 0 if name == "tree_random" else 77
    with pytest.raises(sl.StateError):
        learner.restore(state)


def test_a_file_continues_bit_for_bit(tmp_path: Path) -> None:
    X, y, w = stream(3000, seed=6, drift=True)
    learner = Forest(n_models=3, tau=0.5, drift_delta=0.3, warning_delta=0.9, schema=schema())
    learner.learn_many(X[:1700], y[:1700], w[:1700])
    learner.save(tmp_path / "forest.safetensors")
    twin = sl.load(tmp_path / "forest.safetensors")
    rest = slice(1700, 3000)
    assert (
        learner.test_then_train_many(X[rest], y[rest], w[rest]).tolist()
        == twin.test_then_train_many(X[rest], y[rest], w[rest]).tolist()
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_models": 0}, "n_models must be a whole number >= 1"),
        ({"max_features": 0.0}, "max_features must be a number > 0"),
        ({"max_features": "all"}, "max_features must be a number, 'sqrt', 'log2' or None"),
        ({"aggregation_method": "max"}, "aggregation_method must be one of 'mean', 'median'"),
        ({"lambda_value": 0}, "lambda_value must be a number > 0"),
        ({"disable_weighted_vote": 1}, "disable_weighted_vote must be true or false"),
        ({"drift_delta": 0}, "drift_delta must be a number > 0"),
        ({"warning_delta": 2}, "warning_delta must be a number > 0"),
        ({"threads": 0}, "threads must be a whole number >= 1"),
        ({"n_bins": 4}, "n_bins must be a whole number >= 8"),
    ],
)
def test_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        Forest(**params)
