"""The regression trees: equal to their oracle bit for bit, sound on any stream, as accurate as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.regression_tree import RegressionTree
from river import preprocessing, tree
from streamlearn.algorithms.trees import targets as targets_kernels
from streamlearn.algorithms.trees.regression_arrays import HIGH, LOW, MEAN, RESIDUAL, SQUARES, WEIGHT

import streamlearn as sl

KINDS = (0, 0, 4, 0, 2)  # three numeric fields; two nominal ones with so many categories


def schema() -> sl.Schema:
    fields = [
        sl.Field("a"),
        sl.Field("b"),
        sl.Field("colour", "nominal", ["red", "green", "blue", "black"]),
        sl.Field("c"),
        sl.Field("side", "nominal", ["left", "right"]),
    ]
    return sl.Schema(fields, target_kind="numeric")


def stream(n: int, seed: int, drift: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with missing and infinite values and rare categories; targets that splits and slopes explain; weights."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, 5))
    X[:, 0] = rng.normal(size=n)
    X[:, 1] = rng.integers(-3, 4, n)
    X[:, 2] = rng.choice(4, n, p=[0.5, 0.3, 0.19, 0.01])
    X[:, 3] = rng.exponential(100.0, n)
    X[:, 4] = rng.integers(0, 2, n)
    y = 3.0 * np.abs(X[:, 0]) + np.where(X[:, 2] == 1, 5.0, -0.01 * X[:, 3]) + rng.normal(scale=0.3, size=n)
    y += 2.0 * X[:, 1] * X[:, 4]
    if drift:
        y[n // 2 :] = 4.0 * X[n // 2 :, 1] - y[n // 2 :]
    X[rng.random((n, 5)) < 0.02] = np.nan
    X[rng.random(n) < 0.01, 0] = np.inf
    X[rng.random(n) < 0.005, 3] = 1e150
    y[rng.random(n) < 0.01] = np.nan
    return X, y, rng.choice([1.0, 1.0, 2.0, 0.5, 0.0], n)


def oracle_predictions(oracle: RegressionTree, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[float]:
    predictions = []
    for x, target, weight in zip(X.tolist(), y.tolist(), w.tolist(), strict=True):
        predictions.append(oracle.predict(x))
        oracle.learn(x, target, weight)
    return predictions


OPTIONS: list[dict[str, Any]] = [
    {},
    {"grace_period": 50, "tau": 0.3, "delta": 0.01},
    {"grace_period": 40, "tau": 0.5, "n_bins": 8, "binary_split": True, "min_samples_split": 1},
    {"grace_period": 40, "tau": 0.5, "leaf_prediction": "mean"},
    {"grace_period": 60, "tau": 0.5, "leaf_prediction": "model", "residual_weight": 1.0, "learning_rate": 0.05},
    {"grace_period": 60, "tau": 0.5, "residual_weight": 0.0, "model_selector_decay": 0.5},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_tree_is_its_oracle_bit_for_bit(options: dict[str, Any]) -> None:
    X, y, w = stream(3000, seed=len(str(options)))
    learner, oracle = sl.HoeffdingTreeRegressor(**options, schema=schema()), RegressionTree(KINDS, **options)
    got = learner.test_then_train_many(X, y, w)
    assert got.tolist() == oracle_predictions(oracle, X, y, w)
    assert learner.n_nodes == oracle.n_nodes() >= 3


@pytest.mark.parametrize(
    "options",
    [
        {"grace_period": 50, "tau": 0.3, "drift_window_threshold": 100},
        {"grace_period": 40, "tau": 0.5, "bootstrap_sampling": False, "drift_delta": 0.2, "drift_window_threshold": 30},
        {"grace_period": 40, "tau": 0.5, "leaf_prediction": "mean", "drift_window_threshold": 50, "seed": 7},
    ],
    ids=str,
)
def test_the_adaptive_tree_is_its_oracle_bit_for_bit(options: dict[str, Any]) -> None:
    X, y, w = stream(4000, seed=3, drift=True)
    learner = sl.HoeffdingAdaptiveTreeRegressor(**options, schema=schema())
    oracle = RegressionTree(KINDS, adaptive=True, **options)
    got = learner.test_then_train_many(X, y, w)
    assert got.tolist() == oracle_predictions(oracle, X, y, w)
    assert learner.n_nodes == oracle.n_nodes()
    assert learner.summary()["switched"] >= 1


# -- observers ---------------------------------------------------------------------------------------------------------


def observed(values: np.ndarray, targets: np.ndarray, room: int) -> np.ndarray:
    """The bins in use after these values."""
    bins, n = np.zeros((room, targets_kernels.N_BIN)), 0
    for x, y in zip(values.tolist(), targets.tolist(), strict=True):
        n = targets_kernels.observe_number(bins, n, x, y, -y, 1.0)
    return bins[:n]


@given(
    values=st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 1)), min_size=2, max_size=300),
    room=st.sampled_from([8, 16, 64]),
)
@settings(max_examples=60, deadline=None)
def test_bins_part_the_values_and_their_moments_are_exact(values: list[float], room: int) -> None:
    x = np.array(values)
    y = np.sin(x) + np.arange(len(x)) % 5
    bins = observed(x, y, room)
    low, high = bins[:, LOW], bins[:, HIGH]
    assert len(bins) <= room
    assert (low <= high).all()
    assert (high[:-1] < low[1:]).all()
    if len(set(values)) <= room:
        assert high.tolist() == sorted(set(values))
    for b in bins:
        inside = y[(b[LOW] <= x) & (x <= b[HIGH])]
        assert b[WEIGHT] == len(inside)
        assert b[MEAN] == pytest.approx(inside.mean(), abs=1e-9)
        assert b[RESIDUAL] == pytest.approx(-inside.mean(), abs=1e-9)
        assert b[SQUARES] == pytest.approx(((inside - inside.mean()) ** 2).sum(), abs=1e-8)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_bins_find_a_step_whatever_the_scale_and_the_outliers(scale: float) -> None:
    rng = np.random.default_rng(5)
    x = np.append(rng.normal(size=3000), 1e12) * scale
    y = np.where(x > 0.4 * scale, 10.0, 0.0) + rng.normal(size=3001)
    bins = observed(x[rng.permutation(3001)], y, 64)  # the targets are shuffled against the values here …
    assert len(bins) <= 64
    bins = observed(x, y, 64)  # … and not here
    merit, threshold, _ = targets_kernels.best_number_split(bins, len(bins), 5.0, 0.0)
    assert threshold == pytest.approx(0.4 * scale, abs=0.1 * scale)
    assert merit > 0.8


# -- the trees as users meet them --------------------------------------------------------------------------------------


def friedman(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Friedman's function of five of ten numbers (1991)."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 10))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
    return X, y + rng.normal(size=n)


def mean_error(predictions: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(predictions - y).mean())


@pytest.mark.parametrize("name", ["HoeffdingTreeRegressor", "HoeffdingAdaptiveTreeRegressor"])
def test_errors_are_below_those_of_rivers_tree(name: str) -> None:
    X, y = friedman(6000, seed=1)
    made = {"seed": 1} if "Adaptive" in name else {}
    theirs = preprocessing.StandardScaler() | getattr(tree, name)(**made)
    predictions = []
    for row, target in zip(X.tolist(), y.tolist(), strict=True):
        x = dict(enumerate(row))
        predictions.append(theirs.predict_one(x))
        theirs.learn_one(x, target)
    ours = getattr(sl, name)(**made).test_then_train_many(X, y)
    assert mean_error(ours, y) < mean_error(np.array(predictions), y)


def test_fields_need_no_scaling() -> None:
    X, y = friedman(4000, seed=2)
    plain = sl.HoeffdingTreeRegressor().test_then_train_many(X, y)
    stretched = sl.HoeffdingTreeRegressor().test_then_train_many(1e6 * X - 4e6, 1e3 * y)
    assert mean_error(stretched / 1e3, y) == pytest.approx(mean_error(plain, y), rel=0.02)


def test_the_adaptive_tree_recovers_and_stays_small() -> None:
    """On a concept that changes for ever the state is bounded, and errors come down again."""
    X, y = friedman(60_000, seed=3)
    turns = np.arange(60_000) // 6000 % 2 == 1
    y[turns] = 30.0 - y[turns]
    adaptive, plain = sl.HoeffdingAdaptiveTreeRegressor(grace_period=50), sl.HoeffdingTreeRegressor(grace_period=50)
    errors = np.abs(adaptive.test_then_train_many(X[:24_000], y[:24_000]) - y[:24_000])
    others = np.abs(plain.test_then_train_many(X[:24_000], y[:24_000]) - y[:24_000])
    assert errors[16_000:18_000].mean() < others[16_000:18_000].mean()
    then = adaptive.nbytes
    adaptive.learn_many(X[24_000:], y[24_000:])
    assert adaptive.summary()["switched"] > 5
    assert adaptive.nbytes <= 2 * then


def test_bounds_end_growth_but_not_learning() -> None:
    X, y = friedman(6000, seed=4)
    made: dict[str, Any] = {"grace_period": 50, "tau": 0.3}
    for cls in (sl.HoeffdingTreeRegressor, sl.HoeffdingAdaptiveTreeRegressor):
        bounds = [{"max_nodes": 10}, {"max_depth": 1}, {"max_active_leaves": 3}, {}]
        small, shallow, tiny, full = (cls(**made, **bound) for bound in bounds)
        for learner in (small, shallow, tiny, full):
            learner.learn_many(X, y)
        assert small.n_nodes <= 10
        assert shallow.height == 1
        assert tiny.n_nodes < full.n_nodes
        assert len(tiny.state()["arrays"]["used"]) <= 3
        before = small.predict_many(X[:50])
        small.learn_many(X[:50], y[:50] + 100.0)
        assert (small.predict_many(X[:50]) > before).any()


def test_rows_without_the_field_take_the_usual_branch() -> None:
    learner = sl.HoeffdingTreeRegressor(grace_period=50, leaf_prediction="mean")
    for i in range(1000):
        learner.learn_one({"kind": "often" if i % 4 else "seldom", "noise": i % 3}, 10.0 if i % 4 else -10.0)
    assert learner.predict_one({}) == learner.predict_one({"kind": "often"}) == pytest.approx(10.0)
    assert learner.predict_one({"kind": "seldom"}) == pytest.approx(-10.0)


def test_a_new_category_gets_a_leaf_of_its_own() -> None:
    learner = sl.HoeffdingTreeRegressor(grace_period=50, leaf_prediction="mean")
    for i in range(600):
        learner.learn_one({"kind": "abc"[i % 3]}, float(i % 3))
    assert "kind = c" in learner.to_text()
    assert learner.n_leaves == 3
    learner.learn_one({"kind": "late"}, 50.0)
    assert learner.n_leaves == 4
    assert learner.predict_one({"kind": "late"}) == 50.0


def test_text_graphviz_and_importances_show_the_tree() -> None:
    X, y = friedman(20_000, seed=5)
    learner = sl.HoeffdingTreeRegressor()
    learner.learn_many(X, y)
    assert learner.to_text().count("(mean of ") == learner.n_leaves
    assert learner.to_graphviz().count(" -> ") == learner.n_nodes - 1
    assert len(learner.to_text(max_depth=1).splitlines()) == 2
    shares = list(learner.feature_importances.values())
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares[:4]) > max(shares[5:])
    assert sl.HoeffdingTreeRegressor().to_text() == "(nothing learned yet)"


def test_drawings_leave_alternate_trees_out() -> None:
    X, y, w = stream(6000, seed=8, drift=True)
    learner = sl.HoeffdingAdaptiveTreeRegressor(grace_period=40, tau=0.5, drift_delta=0.3, schema=schema())
    growing = 0
    for start in range(0, 6000, 250):
        learner.learn_many(X[start : start + 250], y[start : start + 250], w[start : start + 250])
        growing += learner.summary()["alternates"]
        assert learner.to_text().count("(mean of ") == learner.n_leaves
        assert learner.to_graphviz().count(" -> ") == learner.n_nodes - 1
    assert growing > 0


def test_what_has_died_is_not_in_the_state() -> None:
    X, y, w = stream(4000, seed=3, drift=True)
    learner = sl.HoeffdingAdaptiveTreeRegressor(grace_period=40, tau=0.5, drift_window_threshold=50, schema=schema())
    learner.learn_many(X, y, w)
    kinds = learner.state()["arrays"]["nodes"]["kind"]
    assert learner.summary()["switched"] > 0
    assert (kinds >= 0).all()
    assert len(kinds) >= learner.n_nodes


@pytest.mark.parametrize("name", ["nodes/child", "nodes/parent", "nodes/alternate", "nodes/usual", "nodes/block"])
def test_a_state_with_a_wrong_link_is_refused(name: str) -> None:
    X, y, w = stream(4000, seed=3, drift=True)
    learner = sl.HoeffdingAdaptiveTreeRegressor(grace_period=40, tau=0.5, drift_delta=0.3, schema=schema())
    learner.learn_many(X, y, w)
    array, part = name.split("/")
    size = len(learner.state()["arrays"][array][part])
    assert size > 3
    for value in (-7, size, 10**6):
        state = learner.state()
        state["arrays"][array][part][0] = value
        with pytest.raises(sl.StateError, match="damaged"):
            learner.restore(state)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"grace_period": 0}, "grace_period must be a number > 0"),
        ({"leaf_prediction": "nba"}, "leaf_prediction must be one of 'mean', 'model', 'adaptive'"),
        ({"residual_weight": 1.5}, "residual_weight must be"),
        ({"n_bins": 4}, "n_bins must be a whole number >= 8"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"binary_split": 1}, "binary_split must be true or false"),
        ({"bootstrap_sampling": "no"}, "bootstrap_sampling must be true or false"),
        ({"drift_delta": 0}, "drift_delta must be"),
        ({"switch_significance": 2}, "switch_significance must be"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        sl.HoeffdingAdaptiveTreeRegressor(**params)
