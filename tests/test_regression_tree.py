"""The regression trees: equal to their oracle bit for bit, sound on any stream, as accurate as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from naive.regression_tree import RegressionTree

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
    tree, oracle = sl.HoeffdingTreeRegressor(**options, schema=schema()), RegressionTree(KINDS, **options)
    got = tree.test_then_train_many(X, y, w)
    assert got.tolist() == oracle_predictions(oracle, X, y, w)
    assert tree.n_nodes == oracle.n_nodes() >= 3


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
    tree = sl.HoeffdingAdaptiveTreeRegressor(**options, schema=schema())
    oracle = RegressionTree(KINDS, adaptive=True, **options)
    got = tree.test_then_train_many(X, y, w)
    assert got.tolist() == oracle_predictions(oracle, X, y, w)
    assert tree.n_nodes == oracle.n_nodes()
    assert tree.summary()["switched"] >= 1
