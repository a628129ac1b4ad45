"""Learners with a reservoir agree with the obvious version, keep series apart, and learn labels that come late."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from laws.equality import same
from naive.reservoir_learners import ReservoirRegression

import streamlearn as sl

SMALL: dict[str, Any] = {
    "n_units": 20,
    "warm_up": 40,
    "washout": 5,
    "adapt_steps": 200,
    "forgetting": 0.99,
    "ridge": 1e-3,
    "seed": 4,
}


def recall(n: int, lag: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs, and as target what the input was ``lag`` rows before."""
    u = np.random.default_rng(seed).uniform(-1.0, 1.0, n)
    return u[:, None], np.concatenate([np.zeros(lag), u[: n - lag]])


def narma(n: int, seed: int = 0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """NARMA-10; from the middle on, inputs are shown with an offset."""
    u, y = np.random.default_rng(seed).uniform(0.0, 0.5, n), np.zeros(n + 1)
    for t in range(9, n):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return (u + np.where(np.arange(n) < n // 2, 0.0, offset))[:, None], y[1:]


def nrmse(predicted: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(np.mean((predicted - y) ** 2) / np.var(y)))


def series(n: int, keys: int, seed: int = 0) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Rows of several series, in any order, with values missing; targets look two rows of the same series back."""
    rng = np.random.default_rng(seed)
    past: dict[str, list[float]] = {}
    rows, targets = [], []
    for i in range(n):
        key = f"k{rng.integers(keys)}"
        a, b = rng.normal(2.0, 3.0), rng.normal()
        before = past.setdefault(key, [0.0, 0.0])
        targets.append(before[-2] + a if rng.random() < 0.9 else np.nan)
        before.append(a)
        rows.append({"a": a if i < 5 or rng.random() < 0.95 else None, "b": b, "key": key, "event": float(i)})
    return rows, np.array(targets)


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    time = np.arange(2100)
    return np.sin(0.3 * time) + 0.5 * np.sin(0.11 * time)


@pytest.mark.parametrize("keys", [1, 3])
def test_regression_agrees_with_the_obvious_version(keys: int) -> None:
    rows, y = series(220, keys)
    options = {**SMALL, "washout": 5 if keys == 1 else 2}
    model = sl.EIReservoirRegressor(**options, key="key", options={"k": 10}, event="event")
    oracle = ReservoirRegression(2, {**options, "k": 10})
    for x, target in zip(rows, y, strict=True):
        inputs = np.array([np.nan if x["a"] is None else x["a"], x["b"]])
        assert model.predict_one(x) == pytest.approx(oracle.predict(x["key"], inputs), abs=1e-6)
        model.learn_one(x, target)
        oracle.learn(x["key"], inputs, target)
    assert model.summary()["live"] == 1
    assert model.summary()["keys"] == keys
    assert model.summary()["inputs_filled"] > 0


def test_classes_are_regressions_on_their_indicators() -> None:
    rows, y = series(200, 1)
    rows = [{name: x[name] for name in ("a", "b")} for x in rows]
    labels = np.where(y > 4.0, "high", np.where(y > 0.0, "middle", "low"))
    classifier = sl.EIReservoirClassifier(**SMALL)
    regressors = {label: sl.EIReservoirRegressor(**SMALL) for label in labels}
    for x, label in zip(rows, labels, strict=True):
        if classifier.summary()["live"]:
            outputs = {name: max(model.predict_one(x), 1e-6) for name, model in regressors.items()}
            proba = classifier.predict_proba_one(x)
            assert proba == pytest.approx(
                {name: out / sum(outputs.values()) for name, out in outputs.items()}, abs=1e-9
            )
            assert classifier.predict_one(x) == max(outputs, key=outputs.__getitem__)
        classifier.learn_one(x, label)
        for name, model in regressors.items():
            model.learn_one(x, float(label == name))


def test_the_order_of_one_series_among_others_changes_nothing_but_the_readout() -> None:
    """With a readout that learned before and learns no more, keys are as separate models of the same weights."""
    rows, y = series(300, 3)
    model = sl.EIReservoirRegressor(**SMALL, key="key")
    model.learn_many([{n: x[n] for n in ("a", "b", "key")} for x in rows[:200]], y[:200])
    apart = {key: copy.deepcopy(model) for key in ("k0", "k1", "k2")}
    for x in rows[200:]:
        x = {n: x[n] for n in ("a", "b", "key")}
        assert model.predict_one(x) == apart[x["key"]].predict_one(x)
        model.learn_one(x, None)
        apart[x["key"]].learn_one(x, None)


def test_keys_beyond_the_room_take_the_place_of_the_one_longest_ago() -> None:
    model = sl.EIReservoirRegressor(**SMALL | {"washout": 0}, key="key", max_keys=2)
    rows, y = series(60, 2)
    model.learn_many(rows, y)
    model.learn_one({"a": 1.0, "b": 0.0, "key": "k0", "event": 60.0}, 1.0)
    before = model.predict_one({"a": 1.0, "b": 0.0, "key": "k0", "event": 61.0})
    model.learn_one({"a": 1.0, "b": 0.0, "key": "new", "event": 62.0}, None)
    assert model.predict_one({"a": 1.0, "b": 0.0, "key": "k0", "event": 61.0}) == before
    assert model.summary()["keys"] == 2
    never = model.predict_one({"a": 1.0, "b": 0.0, "key": "never seen", "event": 61.0})
    assert model.predict_one({"a": 1.0, "b": 0.0, "key": "k1", "event": 61.0}) == never


class TestLateLabels:
    def stream(self) -> tuple[list[dict[str, Any]], np.ndarray]:
        rows, y = series(260, 2)
        return rows, np.nan_to_num(y)

    def warm(self, **more: Any) -> tuple[sl.EIReservoirRegressor, sl.EIReservoirRegressor]:
        rows, y = self.stream()
        model = sl.EIReservoirRegressor(**SMALL, key="key", event="event", **more)
        model.learn_many(rows[:100], y[:100])
        return model, copy.deepcopy(model)

    def test_labels_are_learned_with_the_features_of_their_own_time(self) -> None:
        """Heard without label and labelled 30 rows later, or labelled at once: the model is the same in the end."""
        rows, y = self.stream()
        at_once, late = self.warm()
        at_once.learn_many(rows[100:], y[100:])
        for i in range(100, 290):
            if i < 260:
                late.learn_one(rows[i], None)
            if i >= 130:
                late.learn_one(rows[i - 30], y[i - 30])
        probe = [{**x, "event": 1000.0} for x in rows[:20]]
        assert late.predict_many(probe).tolist() == at_once.predict_many(probe).tolist()

    def test_what_is_predicted_meanwhile_has_heard_every_row(self) -> None:
        """The state is that of the present row, whatever labels are still to come."""
        rows, y = self.stream()
        at_once, late = self.warm()
        for x, target in zip(rows[100:150], y[100:150], strict=True):
            at_once.learn_one(x, target)
            late.learn_one(x, None)
        assert same(at_once.state()["arrays"]["rate"], late.state()["arrays"]["rate"])

    def test_labels_in_any_order_and_labels_that_never_come(self) -> None:
        rows, y = self.stream()
        model, _ = self.warm()
        for x in rows[100:120]:
            model.learn_one(x, None)
        order = np.random.default_rng(0).permutation(np.arange(100, 120))[:15]
        model.learn_many([rows[i] for i in order], y[order])
        assert model.summary()["labels_lost"] == 0
        assert model.state()["arrays"]["counts"][1] == self.warm()[0].state()["arrays"]["counts"][1] + 15

    def test_labels_come_late_from_the_first_row_on(self) -> None:
        """In the warm-up and the washout too: no label is lost, and the model learns."""
        U, y = recall(1500, 2)
        model = sl.EIReservoirRegressor(n_units=40, warm_up=100, washout=20, event="number")
        rows = [{"number": i, "u": float(value)} for i, value in enumerate(U[:, 0])]
        predicted = []
        for i, x in enumerate(rows):
            predicted.append(model.predict_one(x))
            model.learn_one(x, None)
            if i >= 20:
                model.learn_one(rows[i - 20], y[i - 20])
        assert model.summary()["labels_lost"] == 0
        assert nrmse(np.array(predicted)[1000:], y[1000:]) < 0.2

    def test_an_evaluation_that_holds_labels_back_lets_each_row_be_heard(self) -> None:
        U, y = recall(1500, 2)
        X = np.column_stack([np.arange(1500.0), U[:, 0]])
        options: dict[str, Any] = {"n_units": 40, "warm_up": 100, "washout": 20, "seed": 1}
        schema = sl.Schema.of(["number", "u"], target="y", target_kind="numeric")
        learners = {
            "deaf": sl.EIReservoirRegressor(**options, schema=schema),
            "hears": sl.EIReservoirRegressor(**options, event="number", schema=schema),
        }
        result = sl.evaluate((X, y), learners, delay=30, window=500, metrics=["rmse"], target="y", schema=schema)
        deaf, hears = (entry["rmse_window"] for entry in result.summary)
        assert hears < 0.1 < 0.5 < deaf
        assert learners["hears"].summary()["labels_lost"] == 0

    def test_labels_whose_features_are_gone_are_counted(self) -> None:
        rows, y = self.stream()
        model, _ = self.warm(max_waiting=4)
        for x in rows[100:110]:
            model.learn_one(x, None)
        before = model.state()["arrays"]
        model.learn_many(rows[100:110], y[100:110])
        model.learn_one(rows[109], y[109])  # a second time
        after = model.state()["arrays"]
        assert model.summary()["labels_lost"] == 7
        assert after["counts"][1] == before["counts"][1] + 4
        assert same(after["rate"], before["rate"])


@pytest.mark.parametrize("at", [0, 17, 39, 40, 41, 99])
def test_resume_at_any_row_with_keys_and_events(at: int, tmp_path: Path) -> None:
    rows, y = series(160, 3)
    options: dict[str, Any] = {**SMALL, "key": "key", "event": "event", "feedback": "target", "noise": 0.01}
    whole = sl.EIReservoirRegressor(**options, adaptation="online")
    whole.learn_many(rows[:at], y[:at])
    whole.save(tmp_path / "model")
    resumed = sl.load(tmp_path / "model")
    expected = whole.test_then_train_many(rows[at:], y[at:])
    got = [resumed.test_then_train_many(rows[a:b], y[a:b]) for a, b in itertools.pairwise([at, at + 1, 120, 160])]
    assert np.concatenate(got).tobytes() == expected.tobytes()
    assert same(whole.state(), resumed.state())


def test_reservoirs_remember_and_compute() -> None:
    U, y = recall(2500, 5)
    errors = {}
    for reservoir in ("ei", "tanh"):
        model = sl.EIReservoirRegressor(reservoir=reservoir, n_units=100)
        errors[reservoir] = nrmse(model.test_then_train_many(U, y)[1500:], y[1500:])
    assert errors["tanh"] < errors["ei"] < 0.2  # for plain memory the classical network is the better one
    U, y = narma(3000)
    balanced = sl.EIReservoirRegressor(n_units=100).test_then_train_many(U, y)
    as_drawn = sl.EIReservoirRegressor(n_units=100, adaptation="off").test_then_train_many(U, y)
    assert nrmse(balanced[2000:], y[2000:]) < 0.5
    assert nrmse(balanced[2000:], y[2000:]) < 0.8 * nrmse(as_drawn[2000:], y[2000:])


def test_readouts_of_a_reservoir() -> None:
    U, y = recall(2000, 3)
    for readout, bound in (("rls", 0.1), ("ridge", 0.15), ("nlms", 0.7)):
        model = sl.EIReservoirRegressor(readout=readout, n_units=60)
        assert nrmse(model.test_then_train_many(U, y)[1500:], y[1500:]) < bound


def test_the_readout_forgets_a_concept_that_is_gone() -> None:
    U, y = recall(4000, 2)
    y = np.where(np.arange(4000) < 2000, y, -y)
    predicted = sl.EIReservoirRegressor(n_units=60, forgetting=0.995).test_then_train_many(U, y)
    assert nrmse(predicted[3500:], y[3500:]) < 0.1


class TestForecasts:
    def test_free_running_hears_its_own_forecasts(self, wave: np.ndarray) -> None:
        forecaster = sl.EIReservoirForecaster(model=sl.EIReservoirRegressor(**SMALL, feedback="target"))
        forecaster.learn_many(wave[:300])
        expected = forecaster.forecast(6)
        again = forecaster.model
        step_by_step = []
        for _ in range(6):
            step_by_step.append(again.predict_one({}))
            again.learn_one({}, None)  # without a value, the series goes on by the one that was expected
        assert step_by_step == expected

    @pytest.mark.parametrize("horizon", [1, 50])
    def test_a_wave_is_continued(self, wave: np.ndarray, horizon: int) -> None:
        model = sl.EIReservoirRegressor(n_units=100, feedback="target", horizon=horizon, ridge=1e-7, forgetting=1.0)
        forecaster = sl.EIReservoirForecaster(model=model)
        for value in wave[:20]:
            forecaster.learn_one(value)
        forecaster.learn_many(wave[20:2000])
        assert nrmse(np.array(forecaster.forecast(50)), wave[2000:2050]) < 0.15
        assert len(forecaster.forecast(100)) == 100

    def test_outputs_ahead_are_taught_by_the_rows_that_follow(self, wave: np.ndarray) -> None:
        """Output k of a readout with three is the only output of a model that is taught the series k rows early."""
        rng = np.random.default_rng(0)
        U, y = rng.normal(size=(150, 2)), rng.normal(size=150)
        options: dict[str, Any] = {**SMALL, "feedback": "none", "adaptation": "off", "forgetting": 1.0}
        model = sl.EIReservoirRegressor(**options, horizon=3)
        model.learn_many(U, y)
        weights = model.state()["arrays"]["weights"]
        for k in range(3):
            alone = sl.EIReservoirRegressor(**options)
            alone.learn_many(U[:148], np.append(y, [0.0, 0.0])[k : k + 148])
            assert weights[k] == pytest.approx(alone.state()["arrays"]["weights"][0], abs=1e-8)

    def test_known_fields_and_missing_values(self) -> None:
        rng = np.random.default_rng(0)
        price = rng.integers(0, 2, 1500)
        series = np.zeros(1500)
        for t in range(1, 1500):
            series[t] = 0.5 * series[t - 1] + price[t]
        forecaster = sl.EIReservoirForecaster(model=sl.EIReservoirRegressor(n_units=40, feedback="target"))
        for t in range(1400):
            forecaster.learn_one(None if t % 50 == 49 else series[t], {"price": int(price[t])})
        forecast = forecaster.forecast(20, [{"price": int(p)} for p in price[1400:1420]])
        assert np.abs(forecast - series[1400:1420]).max() < 0.1
        with pytest.raises(sl.InputError, match="20 steps, got 3"):
            forecaster.forecast(20, [{"price": 1}] * 3)

    def test_before_anything_and_life(self, wave: np.ndarray, tmp_path: Path) -> None:
        forecaster = sl.EIReservoirForecaster()
        assert forecaster.forecast(3) == [0.0, 0.0, 0.0]
        forecaster.learn_many(wave[:10])
        assert forecaster.forecast(2) == pytest.approx([wave[:10].mean()] * 2)
        forecaster.learn_many(wave[10:500])
        forecaster.save(tmp_path / "model")
        assert sl.EIReservoirForecaster.load(tmp_path / "model").forecast(9) == forecaster.forecast(9)
        assert forecaster.clone().forecast(1) == [0.0]
        with pytest.raises(sl.OptionError, match="feedback"):
            sl.EIReservoirForecaster(model=sl.EIReservoirRegressor())


def test_force_learns_to_make_a_pattern_from_nothing() -> None:
    """No inputs but its own output: the readout keeps a loop running while it learns it (Sussillo and Abbott)."""
    time = np.arange(4000)
    pattern = np.sin(0.1 * time) + 0.5 * np.sin(0.2 * time + 1.0)
    model = sl.EIReservoirRegressor(
        feedback="output",
        noise=1e-3,
        n_units=100,
        leak=0.3,
        input_scale=1.0,
        forgetting=1.0,
        ridge=0.1,
        read_inputs=False,
    )
    forecaster = sl.EIReservoirForecaster(model=model)
    forecaster.learn_many(pattern[:3900])
    assert nrmse(np.array(forecaster.forecast(100)), pattern[3900:]) < 0.15


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"washout": 300}, "washout must be < warm_up"),
        ({"readout": "lms"}, "readout must be one of"),
        ({"reservoir": "nvar"}, "reservoir must be one of"),
        ({"key": "a", "event": "a"}, "key and event"),
        ({"horizon": 2, "key": "a"}, "horizon > 1"),
        ({"options": {"seed": 3}}, "seed is a parameter of its own"),
        ({"options": {"spectral_radius": 3}}, "spectral_radius"),
        ({"forgetting": 0.0}, "forgetting must be"),
        ({"n_units": 2}, "n_units must be"),
    ],
)
def test_parameters_are_checked_at_once(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        sl.EIReservoirRegressor(**wrong)


def test_fields_with_a_role_must_be_there_and_of_their_kind() -> None:
    with pytest.raises(sl.SchemaError, match="there is no such field"):
        sl.EIReservoirRegressor(key="city").learn_one({"a": 1.0}, 1.0)
    with pytest.raises(sl.SchemaError, match="must be nominal"):
        sl.EIReservoirRegressor(key="a").learn_one({"a": 1.0}, 1.0)
    with pytest.raises(sl.SchemaError, match="must be numeric"):
        sl.EIReservoirRegressor(event="a").learn_one({"a": "x"}, 1.0)


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("progress", 99), ("key_of", -3), ("roles", 0), ("roles", 9), ("input_of", 1), ("counts", 3),
        ("sender", 19), ("start", 1), ("synapse", 1.0), ("synapse", np.nan), ("rate", np.inf), ("age", -1),
        ("net_counts", -1), ("past_y", np.inf), ("options", 2.0), ("input_weight", 0.5), ("weights", np.nan),
    ],
)  # fmt: skip
def test_a_state_that_could_lead_astray_is_refused(array: str, value: float) -> None:
    rows, y = series(30, 3)
    model = sl.EIReservoirRegressor(**SMALL, key="key", event="event")
    model.learn_many(rows, y)
    live = sl.EIReservoirRegressor(**SMALL | {"warm_up": 10}, key="key", event="event")
    live.learn_many(rows, y)
    for learner in (model, live):
        state = learner.state()
        state["arrays"][array].flat[0] = value
        with pytest.raises(sl.StateError):
            learner.restore(state)
