"""DriftMoE agrees bit for bit with the obvious version, and does what its switches say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import drift_moe as naive

import streamlearn as sl

few = settings(max_examples=25, deadline=None)
NOMINAL = [False, False, True, True]
CATEGORIES = [["a", "b", "c"], ["x", "y"]]
TREE: dict[str, Any] = {"delta": 0.5, "tau": 0.5}
SMALL: dict[str, Any] = {"hidden_layer_sizes": (11, 9), "batch_size": 4, "grace_period": 5, **TREE}


def schema(classes: int = 3) -> sl.Schema:
    fields = [sl.Field("u"), sl.Field("v"), *(sl.Field(f"p{i}", "nominal", c) for i, c in enumerate(CATEGORIES))]
    return sl.Schema(fields, target="y", classes=[str(c) for c in range(classes)])


def rows(n: int, seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose classes depend on their fields, by a rule that changes half-way; some values are missing."""
    random = np.random.default_rng(seed)
    X = np.column_stack([random.normal(size=(n, 2)), random.integers(0, 3, n), random.integers(0, 2, n)])
    turn = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    y = np.clip((X[:, 0] * turn + X[:, 3] + random.normal(0, 0.3, n)) // 0.7 + 1, 0, classes - 1).astype(np.int64)
    X[random.random(X.shape) < 0.03] = np.nan
    return X, y, random.choice([1.0, 1.0, 2.0, 0.5], n)


def options(model: sl.DriftMoEClassifier) -> dict[str, Any]:
    return {**model.params, **model.switches}


def walk(model: sl.DriftMoEClassifier, oracle: Any, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[int]:
    """Both test-then-train on every row; the predictions, on which they agree."""
    batch = sl.Batch(X=X, y=y, weight=w, schema=schema(3))
    got = model.process(batch).prediction.tolist()
    expected = []
    for x, label, weight in zip(X.tolist(), y.tolist(), w.tolist(), strict=True):
        expected.append(oracle.predict(x))
        oracle.learn(x, label, weight)
    assert got == expected
    return got


def same_router(model: sl.DriftMoEClassifier, oracle: Any) -> None:
    """The hidden layers and the outputs have the same bits."""
    arrays, router = model.state()["arrays"], oracle.router
    for name, layer in (("second", router.second), ("last", router.last)):
        expected = np.array([[weights.w, weights.m, weights.v, weights.g] for weights in layer]).transpose(1, 0, 2)
        np.testing.assert_array_equal(arrays[name], expected[:, :, : arrays[name].shape[2]])


@few
@given(
    seed=st.integers(0, 10**6),
    top_k=st.integers(1, 3),
    switches=st.fixed_dictionaries(
        {
            "normalize": st.booleans(),
            "exploration": st.sampled_from([0.0, 0.3]),
            "recycle": st.booleans(),
            "normalize_votes": st.booleans(),
            "count_untrained": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.2]),
        }
    ),
)
def test_data_variant_agrees_with_the_oracle(seed: int, top_k: int, switches: dict[str, Any]) -> None:
    model = sl.DriftMoEClassifier(n_models=5, top_k=top_k, seed=seed, **SMALL, **switches)
    oracle = naive.DataMixture(NOMINAL, {"grace": 5, "preprune": False, **TREE}, options(model))
    walk(model, oracle, *rows(160, seed))
    same_router(model, oracle)


@few
@given(seed=st.integers(0, 10**6), batch_size=st.sampled_from([1, 4]), normalize=st.booleans())
def test_task_variant_agrees_with_the_oracle(seed: int, batch_size: int, normalize: bool) -> None:
    """The oracle trains its experts and makes the published mask of their answers; the compiled one has none."""
    small = {**SMALL, "batch_size": batch_size}
    model = sl.DriftMoEClassifier(variant="task", fidelity="published", seed=seed, normalize=normalize, **small)
    oracle = naive.TaskMixture(NOMINAL, {"grace": 5, "preprune": False, **TREE}, options(model))
    walk(model, oracle, *rows(160, seed))
    same_router(model, oracle)
    assert max(len(expert.root.counts) for expert in oracle.experts.values()) == 2
