"""The streams that reservoir computers are tried on follow their equations, and change where they say they do."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from naive import generators as naive
from scipy import stats
from scipy.integrate import solve_ivp
from streamlearn.connectors.generators import (
    NARMA,
    STAGGER,
    ConceptDrift,
    InputDrift,
    Lorenz,
    MackeyGlass,
    Memory,
    santa_fe,
)

import streamlearn as sl
from streamlearn.random import generator, uniform


@pytest.mark.parametrize("order", [10, 20, 30])
def test_narma_is_the_textbooks(order: int) -> None:
    batch = NARMA(order=order, seed=3).poll(20_000)
    u = batch.X[:, 0]
    np.testing.assert_allclose(batch.y, naive.narma(order, u.tolist()), rtol=0, atol=1e-12)
    assert stats.kstest(u, stats.uniform(0, 0.5).cdf).pvalue > 1e-4


def test_narma_of_any_length_stays_bounded_and_redraws_hardly_anything() -> None:
    n = 1_000_000
    for order, bound in ((10, 1.0), (30, 0.6)):
        batch = NARMA(order=order, seed=1).poll(n)
        first_draws = (Memory(delay=0, seed=1).poll(n).X + 1) / 4  # the same random numbers
        assert batch.y.max() <= bound
        assert 0 < (np.abs(batch.X - first_draws) > 1e-12).sum() < 5e-5 * n


def test_narma_changes_its_order_and_goes_on() -> None:
    stream = NARMA(order=10, then=20, positions=(1000, 2000), seed=5, rows=3000)
    assert [drift.row for drift in stream.drifts] == [1000, 2000]
    batch = stream.poll(3000)
    plain = NARMA(order=10, seed=5).poll(3000)
    np.testing.assert_array_equal(batch.X, plain.X)  # the inputs know nothing of it
    np.testing.assert_array_equal(batch.y[:1000], plain.y[:1000])
    u, y = batch.X[:, 0], np.concatenate([[0.0], batch.y])
    for t in (1000, 1500, 1999):
        wanted = np.tanh(0.3 * y[t] + 0.05 * y[t] * y[t - 19 : t + 1].sum() + 1.5 * u[t - 19] * u[t] + 0.01)
        assert y[t + 1] == pytest.approx(wanted, abs=1e-12)
    for t in (2000, 2999):
        wanted = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
        assert y[t + 1] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("tau", [5, 17])
def test_mackey_glass_follows_its_equation(tau: int) -> None:
    stream = MackeyGlass(tau=tau, seed=4)
    past = 0.5 + uniform(generator(4))
    n = 60
    wanted = naive.mackey_glass(tau, past, 1000 + n)[1000:]
    np.testing.assert_allclose(stream.poll(n).X[:, 0], wanted, rtol=0, atol=1e-7)
    # and its steps are short enough: ten times shorter ones give the same, as far as chaos lets them
    short = naive.mackey_glass(tau, past, 30, step=0.01)
    np.testing.assert_allclose(naive.mackey_glass(tau, past, 30), short, rtol=0, atol=1e-4)


def test_mackey_glass_moments() -> None:
    x = MackeyGlass().poll(50_000).X
    assert (x.mean(), x.std()) == (pytest.approx(0.93, abs=0.01), pytest.approx(0.226, abs=0.005))


def test_lorenz_follows_its_equations() -> None:
    X = Lorenz(seed=2).poll(26).X
    exact = solve_ivp(lambda _, p: naive.lorenz_slope(p, 28), (0, 0.5), X[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(X[25], exact.y[:, -1], rtol=0, atol=2e-3)
    X = Lorenz(rho=35.0, dt=0.005, seed=2).poll(201).X
    exact = solve_ivp(lambda _, p: naive.lorenz_slope(p, 35), (0, 1), X[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(X[200], exact.y[:, -1], rtol=0, atol=2e-3)


def test_forecasts_lie_ahead_and_inference_does_not() -> None:
    for stream in (MackeyGlass(horizon=7), Lorenz(horizon=7)):
        batch = stream.poll(500)
        np.testing.assert_array_equal(batch.y[:-7], batch.X[7:, 0])
    inferred = Lorenz(task="infer", seed=3).poll(500)
    whole = Lorenz(seed=3).poll(500)
    assert inferred.schema.names == ["x"]
    np.testing.assert_array_equal(inferred.X[:, 0], whole.X[:, 0])
    np.testing.assert_array_equal(inferred.y, whole.X[:, 2])


def test_a_change_of_the_system_leaves_no_jump() -> None:
    steady = Lorenz(seed=1).poll(3000).X
    changed = Lorenz(then=35.0, positions=(1000,), seed=1).poll(3000).X
    np.testing.assert_array_equal(changed[:1000], steady[:1000])
    assert not np.array_equal(changed[1000], steady[1000])
    assert np.abs(np.diff(changed, axis=0)).max() < 1.5 * np.abs(np.diff(steady, axis=0)).max()
    assert changed[1500:, 2].mean() > steady[1500:, 2].mean() + 4  # z goes with rho
    steady = MackeyGlass(seed=1).poll(2000).X[:, 0]
    changed = MackeyGlass(then=30, positions=(1000, 1500), seed=1).poll(2000).X[:, 0]
    np.testing.assert_array_equal(changed[:1000], steady[:1000])
    assert np.abs(np.diff(changed)).max() < 1.5 * np.abs(np.diff(steady)).max()
    assert np.abs(changed[1000:] - steady[1000:]).max() > 0.1


@pytest.mark.parametrize("delay", [0, 1, 12])
def test_memory(delay: int) -> None:
    n = 20_000
    whole = Memory(delay=delay, seed=6).poll(n)
    u = whole.X[:, 0]
    v = u[1 : n - delay]
    assert stats.kstest(u, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    np.testing.assert_array_equal(whole.y[1 + delay :], v)
    wanted = {
        "legendre2": np.polynomial.legendre.legval(v, [0, 0, 1]),
        "legendre3": np.polynomial.legendre.legval(v, [0, 0, 0, 1]),
        "product": v * u[: n - delay - 1],
    }
    for function, target in wanted.items():
        batch = Memory(delay=delay, function=function, seed=6).poll(n)
        np.testing.assert_array_equal(batch.X, whole.X)
        np.testing.assert_allclose(batch.y[1 + delay :], target, rtol=0, atol=1e-14)


@pytest.mark.parametrize("positions", [(), (0,), (100,), (100, 250), (3, 100, 250), (700,)])
def test_input_drift(positions: tuple[int, ...]) -> None:
    plain = Memory(rows=500).poll(500)
    stream = InputDrift(Memory(rows=500), positions=positions, gain=-2.0, offset=3.0)
    odd = np.searchsorted(positions, np.arange(500), side="right") % 2 == 1
    parts = list(stream.batches(37))
    np.testing.assert_array_equal(
        np.concatenate([batch.X[:, 0] for batch in parts]), np.where(odd, -2.0 * plain.X[:, 0] + 3.0, plain.X[:, 0])
    )
    np.testing.assert_array_equal(np.concatenate([batch.y for batch in parts]), plain.y)
    assert [drift.row for drift in stream.drifts] == list(positions)
    stream.seek({"row": 240})
    np.testing.assert_array_equal(stream.poll(20).X[:, 0] == plain.X[240:260, 0], ~odd[240:260])


def test_input_drift_takes_numbers_only_and_any_source() -> None:
    both = ConceptDrift(Memory(), Memory(delay=2, seed=2), position=400, width=0, rows=1000)
    stream = InputDrift(both, positions=(100,), offset=1.0)
    assert [drift.row for drift in stream.drifts] == [100, 400]
    np.testing.assert_array_equal(InputDrift(STAGGER(), positions=(0,), offset=1.0).poll(9).X, STAGGER().poll(9).X)
    with pytest.raises(sl.OptionError, match="'color' is nominal"):
        InputDrift(STAGGER(), positions=(0,), offset=1.0, fields=["color"])
    with pytest.raises(sl.OptionError, match="must ascend"):
        InputDrift(Memory(), positions=(5, 5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NARMA(order=11), "order must be 10, 20 or 30"),
        (lambda: NARMA(seed="1"), "seed must be"),
        (lambda: Lorenz(seed=-1), "seed must be"),
        (lambda: NARMA(then=20), "say in positions at which rows"),
        (lambda: NARMA(positions=(5,)), "say in then what the system changes to"),
        (lambda: NARMA(then=20, positions=(9, 5)), "positions: the rows must ascend"),
        (lambda: MackeyGlass(tau=0), "tau must be"),
        (lambda: MackeyGlass(horizon=0), "horizon must be"),
        (lambda: Lorenz(task="guess"), "task must be one of"),
        (lambda: Lorenz(dt=0.0), "dt must be"),
        (lambda: Memory(delay=-1), "delay must be"),
        (lambda: Memory(function="cubic"), "function must be one of"),
    ],
)
def test_wrong_parameters_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(sl.OptionError, match=message):
        make()


@pytest.mark.skipif(find_spec("reservoirpy") is None, reason="the recording comes with reservoirpy")
def test_santa_fe() -> None:
    stream = sl.open_stream("santa_fe:horizon=2")
    batch = stream.poll(20_000)
    assert (stream.name, stream.rows, len(batch)) == ("santa_fe", 10_091, 10_091)
    np.testing.assert_array_equal(batch.y[:-2], batch.X[2:, 0])
    assert (batch.X.min(), batch.X.max(), batch.X[0, 0]) == (0.0, 255.0, 86.0)
    stream.seek({"row": 10_000})
    assert len(stream.poll(1000)) == 91
    drifting = InputDrift(santa_fe(rows=200), positions=(100,), gain=0.5)
    np.testing.assert_array_equal(drifting.poll(200).X[100:], 0.5 * batch.X[100:200])


def test_santa_fe_without_reservoirpy_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(santa_fe.__globals__, "find_spec", lambda name: None)
    with pytest.raises(sl.InputError, match="pip install reservoirpy"):
        santa_fe()
