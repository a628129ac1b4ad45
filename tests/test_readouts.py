"""Readouts solve the equations that they say they solve, stay finite where others don't, and can be merged."""

from __future__ import annotations

import numpy as np
import pytest
from naive import readouts as naive
from numpy.testing import assert_allclose
from streamlearn.algorithms.reservoirs import NLMS, RLS, IncrementalRidge

import streamlearn as sl


def with_constant(X: np.ndarray) -> np.ndarray:
    return np.hstack([np.ones((len(X), 1)), X])


def stream(n: int, d: int, seed: int = 0, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(mean, 1.0, (n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    return X, X @ rng.normal(size=d) + 0.1 * rng.normal(size=n)


def test_rls_without_forgetting_is_batch_ridge() -> None:
    X, y = stream(400, 30)
    for ridge in (1e-6, 1.0):
        readout = RLS(ridge=ridge)
        readout.learn_many(X, y)
        A = with_constant(X)
        assert_allclose(readout.weights[0], np.linalg.solve(A.T @ A + ridge * np.eye(31), A.T @ y), atol=1e-8)


def test_rls_is_batch_ridge_with_a_reservoirs_number_of_features() -> None:
    X, y = stream(1200, 500, seed=1)
    readout = RLS(ridge=1e-4)
    readout.learn_many(X, y)
    A = with_constant(X)
    assert_allclose(readout.weights[0], np.linalg.solve(A.T @ A + 1e-4 * np.eye(501), A.T @ y), atol=1e-8)
    assert_allclose(readout.weights[0], np.linalg.lstsq(A, y, rcond=None)[0], atol=1e-4)


def test_the_constant_is_learned_where_inputs_have_a_mean() -> None:
    """Inputs of mean 3 and y = x·(0 … 4) + 7: a bias kept beside least squares ends far from 7."""
    X = np.random.default_rng(0).normal(3.0, 1.0, (500, 5))
    y = X @ np.arange(5.0) + 7.0
    for readout in (RLS(ridge=1e-9), IncrementalRidge(ridge=1e-9, every=100)):
        readout.learn_many(X, y)
        assert_allclose(readout.weights[0], [7.0, 0.0, 1.0, 2.0, 3.0, 4.0], atol=1e-8)
    readout = NLMS()
    readout.learn_many(np.tile(X, (4, 1)), np.tile(y, 4))
    assert_allclose(readout.weights[0], [7.0, 0.0, 1.0, 2.0, 3.0, 4.0], atol=1e-6)


@pytest.mark.parametrize("forgetting", [0.9, 0.99, 1.0])
def test_forgetting_solves_the_weighted_equations_with_the_ridge_restored(forgetting: float) -> None:
    X, y = stream(150, 12)
    readout, oracle = RLS(forgetting=forgetting, ridge=0.1), naive.WeightedRidge(13, forgetting, 0.1, restore=True)
    for x, target in zip(X, y, strict=True):
        predicted = readout.learn_many(x[None], np.array([target]))[0, 0]
        row = np.append(1.0, x)
        assert predicted == pytest.approx(oracle.weights() @ row, abs=1e-8)
        oracle.learn(row, target)
    assert_allclose(readout.weights[0], oracle.weights(), atol=1e-8)


def test_a_bounded_trace_forgets_as_the_formulas_say() -> None:
    X, y = stream(150, 5)
    X[50:, 3] = 0.0  # not excited from there on, so the bound matters
    readout, oracle = RLS(forgetting=0.9, ridge=0.1, guard="trace"), naive.BoundedTrace(6, 0.9, 0.1)
    readout.learn_many(X, y)
    for row, target in zip(with_constant(X), y, strict=True):
        oracle.learn(row, target)
    assert_allclose(readout.weights[0], oracle.w, atol=1e-8)


@pytest.mark.parametrize("guard", ["ridge", "trace"])
@pytest.mark.parametrize("value", [3.0, 0.0])
def test_inputs_that_never_vary_leave_rls_finite(guard: str, value: float) -> None:
    readout = RLS(forgetting=0.99, ridge=0.01, guard=guard)
    readout.learn_many(np.full((5500, 10), value), np.full(5500, 2.0))
    assert readout.predict_many(np.full((1, 10), value))[0, 0] == pytest.approx(2.0, abs=1e-3)
    assert np.abs(readout.weights).max() < 10.0
    X, y = stream(2000, 10, seed=2)
    predicted = readout.learn_many(X, y)[:, 0]  # and it still learns
    assert np.sqrt(np.mean((predicted - y)[-500:] ** 2)) < 0.12


def test_rls_follows_a_change_when_it_forgets() -> None:
    X, _ = stream(2000, 8)
    y = np.where(np.arange(2000) < 1000, X[:, 0], -X[:, 0])
    last = {f: np.abs(RLS(forgetting=f).learn_many(X, y)[-100:, 0] - y[-100:]).mean() for f in (0.98, 1.0)}
    assert last[0.98] < 1e-3 < last[1.0]


def test_nlms_agrees_with_the_formulas() -> None:
    X, y = stream(1300, 4, mean=5.0)
    readout, oracle = NLMS(learning_rate=0.3), naive.NLMS(4, 0.3)
    predicted = readout.learn_many(X, y)[:, 0]
    for x, target, ours in zip(X, y, predicted, strict=True):
        assert ours == pytest.approx(oracle.predict(x), abs=1e-9)
        oracle.learn(x, target)


def test_ridge_solves_the_weighted_equations_when_it_says() -> None:
    X, y = stream(130, 6)
    readout, oracle = (
        IncrementalRidge(forgetting=0.97, ridge=0.1, every=50),
        naive.WeightedRidge(7, 0.97, 0.1, keep=True),
    )
    for i, (x, target) in enumerate(zip(X, y, strict=True)):
        readout.learn_many(x[None], np.array([target]))
        oracle.learn(np.append(1.0, x), target)
        if i + 1 in (1, 2, 4, 8, 16, 32, 50, 100):
            solved = oracle.weights()
        assert_allclose(readout.weights[0], solved, atol=1e-8)


def test_outputs_share_what_they_can_and_disturb_nothing() -> None:
    X, y = stream(300, 7)
    Y = np.column_stack([y, 3.0 - y, X[:, 2]])
    for make in (RLS, NLMS, IncrementalRidge):
        together = make().learn_many(X, Y)
        for column in range(3):
            assert_allclose(together[:, column], make().learn_many(X, Y[:, column])[:, 0], atol=1e-12)


def test_ridges_are_merged_into_the_ridge_of_all_rows() -> None:
    X, y = stream(200, 9)
    parts = [IncrementalRidge(every=1000) for _ in range(3)]
    for part, rows in zip(parts, (slice(0, 50), slice(50, 60), slice(60, 200)), strict=True):
        part.learn_many(X[rows], y[rows])
    merged = IncrementalRidge(every=1000)
    for part in parts:
        merged.merge(part)
    A = with_constant(X)
    assert_allclose(merged.weights[0], np.linalg.solve(A.T @ A + 1e-3 * np.eye(10), A.T @ y), atol=1e-10)
    with pytest.raises(sl.InputError, match="parameters differ"):
        merged.merge(IncrementalRidge(every=7))
    with pytest.raises(sl.InputError, match="same features"):
        merged.merge(parts_of(4))


def parts_of(d: int) -> IncrementalRidge:
    readout = IncrementalRidge(every=1000)
    readout.learn_many(*stream(10, d))
    return readout


@pytest.mark.parametrize(
    "wrong",
    [(np.zeros((3, 2)), np.zeros(4)), (np.full((3, 2), np.nan), np.zeros(3)), (np.zeros((3, 2)), np.full(3, np.inf))],
)
def test_readouts_refuse_what_does_not_fit(wrong: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(sl.InputError):
        RLS().learn_many(*wrong)


class TestRegressors:
    """The learners do the same on rows with fields."""

    def test_weights_count_as_rows(self) -> None:
        X, y = stream(60, 4)
        w = np.random.default_rng(3).integers(1, 4, 60)
        for model in (sl.RLSRegressor(), sl.RidgeRegressor(every=1)):
            weighted, repeated = model, model.clone()
            weighted.learn_many(X, y, w.astype(float))
            repeated.learn_many(np.repeat(X, w, axis=0), np.repeat(y, w))
            assert_allclose(weighted.predict_many(X), repeated.predict_many(X), atol=1e-8)

    def test_a_category_that_comes_late_begins_with_the_prior(self) -> None:
        model = sl.RLSRegressor(ridge=1e-9)
        for i in range(200):
            model.learn_one(
                {"a": i % 7, "kind": "x" if i < 100 or i % 2 else "y"}, i % 7 + (0.0 if i < 100 or i % 2 else 5.0)
            )
        assert model.predict_one({"a": 3, "kind": "y"}) == pytest.approx(8.0, abs=1e-5)
        assert model.predict_one({"a": 3, "kind": "x"}) == pytest.approx(3.0, abs=1e-5)

    def test_the_state_is_bounded_however_many_categories_come(self) -> None:
        model = sl.NLMSRegressor()
        rows = [{"city": f"c{i}"} for i in range(3000)]
        model.learn_many(rows, np.ones(3000))
        assert model.state()["arrays"]["weights"].shape == (1, 2048)

    def test_values_beyond_all_precision_are_forgotten_in_time(self) -> None:
        model = sl.RLSRegressor(forgetting=0.95, ridge=1e-6)
        rng = np.random.default_rng(0)
        X = rng.normal(size=(4100, 3))
        X[:100] *= np.where(rng.random((100, 1)) < 0.2, 1e30, 1.0)  # rounding makes P's certainties negative here
        model.learn_many(X, X @ [1.0, 2.0, 3.0])
        assert model.predict_many(X[-50:]) == pytest.approx(X[-50:] @ [1.0, 2.0, 3.0], abs=1e-4)

    def test_models_of_different_fields_can_not_be_merged(self) -> None:
        first, second = sl.RidgeRegressor(), sl.RidgeRegressor()
        first.learn_one({"a": 1.0}, 1.0)
        second.learn_one({"b": 1.0}, 1.0)
        with pytest.raises(sl.InputError, match="same fields"):
            first.merge(second)
