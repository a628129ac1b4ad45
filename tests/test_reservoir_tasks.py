"""The tasks give the figures that are known: exactly for delay lines, about those of the method for networks.

A delay line (`NVAR`) recalls what it holds and nothing else, so its capacities are whole numbers; and a linear series
goes on for ever. Bounds on networks are wide enough for any two seeds.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from streamlearn.algorithms.reservoirs import NVAR, EchoStateReservoir, EIReservoir, tasks

import streamlearn as sl

SEEDS = (1, 2)


# -- what is known exactly


@pytest.mark.parametrize("delay", [3, 8])
def test_a_delay_line_recalls_what_it_holds(delay: int) -> None:
    line = NVAR(delay=delay, order=1)
    curve = tasks.memory_curve(line, delays=15)
    np.testing.assert_allclose(curve[: delay - 1], 1.0, atol=1e-6)
    assert curve[delay - 1 :].max() < 0.02
    assert tasks.memory_capacity(line, delays=15) == pytest.approx(delay - 1, abs=0.1)


def test_products_of_a_delay_line_recall_squares_and_products_alone() -> None:
    line = NVAR(delay=6, order=2)
    for function, known in (("linear", 5), ("legendre2", 5), ("product", 4), ("legendre3", 0)):
        capacity = tasks.memory_capacity(line, delays=10, function=function, test=3000)
        assert capacity == pytest.approx(known, abs=0.05), function
    assert tasks.memory_capacity(NVAR(delay=6, order=3), delays=10, function="legendre3") == pytest.approx(5, abs=0.1)


def test_ridge_is_least_squares_with_further_rows() -> None:
    rng = np.random.default_rng(0)
    R, Y = rng.normal(size=(60, 5)) + 3.0, rng.normal(size=(60, 2))
    X = np.hstack([R, np.ones((60, 1))])
    for penalty in (1e-8, 0.1):
        further = np.vstack([X, np.sqrt(60 * penalty) * np.eye(6)])
        wanted = np.linalg.lstsq(further, np.vstack([Y, np.zeros((6, 2))]), rcond=None)[0]
        np.testing.assert_allclose(tasks.ridge(R, Y, penalty), wanted, rtol=0, atol=1e-9)


def test_nrmse_is_one_for_the_mean() -> None:
    y = np.random.default_rng(1).normal(3.0, 5.0, 1000)
    assert tasks.nrmse(y, np.full(1000, y.mean())) == pytest.approx(1.0)
    assert tasks.nrmse(y, y) == 0.0
    assert tasks.nrmse(10 * y + 4, 10 * y.mean() + 4 + 0 * y) == pytest.approx(1.0)


def test_predictions_are_held_out() -> None:
    """A target that can't be learned is not: the readout has seen none of the rows it is measured on."""
    rng = np.random.default_rng(2)
    U, Y = rng.uniform(-1, 1, (1500, 1)), rng.normal(size=(1500, 1))
    predictions = tasks.held_out(NVAR(delay=5, order=2), U, Y, train=1000, washout=100)
    assert predictions.shape == (400, 1)
    assert tasks.nrmse(Y[-400:], predictions) > 0.97


def test_a_linear_series_goes_on_by_itself() -> None:
    series = np.sin(0.2 * np.arange(3000))[:, None]
    line = NVAR(delay=2, order=1)
    targets, predictions = tasks.free_run(line, series, steps=100, train=1000, starts=4, between=30, washout=50)
    for start, target in enumerate(targets):
        first = 1050 + 30 * start
        np.testing.assert_array_equal(target, series[first : first + 100])
    np.testing.assert_allclose(predictions, targets, atol=1e-3)


def test_a_run_that_leaves_all_numbers_is_worth_nothing() -> None:
    class Explosive(NVAR):
        def step(self, u: object) -> np.ndarray:
            return super().step(1e200 * np.asarray(u) ** 3)

    reservoir = Explosive(delay=2, order=2)
    with np.errstate(over="ignore", invalid="ignore"):
        assert tasks.mackey_glass_free_error(reservoir, starts=2) > 1e3
        assert tasks.lorenz_valid_time(Explosive(delay=2, order=2), starts=2) < 0.1


def test_lorenz_with_products_is_valid_for_lyapunov_times() -> None:
    assert 3.0 < tasks.lorenz_valid_time(NVAR(delay=2, order=2), starts=10) < 11.0
    assert tasks.lorenz_valid_time(NVAR(delay=2, order=1), starts=10) < 0.5  # linear: of no use


def test_inputs_are_scaled_by_what_comes_before_the_test() -> None:
    U, y = tasks.series_of("narma:order=10,seed=4", 500, seen=200)
    raw = sl.open_stream("narma:order=10,seed=4").poll(500)
    low, high = raw.X[:200].min(), raw.X[:200].max()
    np.testing.assert_allclose(U, 2 * (raw.X - low) / (high - low) - 1, atol=1e-12)
    np.testing.assert_array_equal(y, raw.y)


def test_wrong_streams_are_refused() -> None:
    line = NVAR()
    with pytest.raises(sl.OptionError, match="'class' is nominal"):
        tasks.stream_error(line, "sea")
    with pytest.raises(sl.OptionError, match="has 100 rows"):
        tasks.stream_error(line, "narma:rows=100")
    with pytest.raises(sl.OptionError, match="function must be one of"):
        tasks.memory_curve(line, function="cubic")
    with pytest.raises(sl.OptionError, match="these runs need"):
        tasks.free_run(line, np.zeros((100, 1)), steps=50, train=50, starts=2, between=10, washout=0)


# -- networks


@functools.cache
def figures(n_units: int, k: int, connectivity: str, beta: float) -> tuple[float, float, float]:
    """Memory capacity, errors on NARMA and on Mackey-Glass, of a network without adaptation."""
    each = []
    for seed in SEEDS:
        reservoir = EIReservoir(
            n_units=n_units, k=k, connectivity=connectivity, beta=beta, c=10.0, adaptation="off", seed=seed
        )
        each.append(
            (
                tasks.memory_capacity(reservoir, delays=60, seed=seed),
                tasks.stream_error(reservoir, f"narma:order=10,seed={seed}"),
                tasks.stream_error(reservoir, f"mackey_glass:horizon=20,seed={seed}"),
            )
        )
    return tuple(np.mean(each, axis=0).tolist())  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("beta", "capacity", "narma"),
    [(0.2, 8.1, 0.79), (0.0, 17.4, 0.30), (-1.0, 6.1, 0.81), (-2.0, 1.6, 0.84)],
)
def test_figures_over_the_global_balance(beta: float, capacity: float, narma: float) -> None:
    """Those of the prototype of this method, 300 units with 50 synapses each."""
    found = figures(300, 50, "fixed", beta)
    assert found[:2] == (pytest.approx(capacity, rel=0.15), pytest.approx(narma, rel=0.15))


def test_balanced_to_slightly_inhibited_is_best() -> None:
    best = figures(300, 50, "fixed", -0.1)
    for beta in (0.5, 0.2, -1.0, -2.0):
        other = figures(300, 50, "fixed", beta)
        assert best[0] > 1.5 * other[0]
        assert best[1] < 0.6 * other[1]
        assert best[2] < 0.5 * other[2]


def test_adaptation_beats_the_tuned_global_balance() -> None:
    """With random in-degrees: more memory by far, and smaller errors on NARMA, in one setting for both."""
    tuned = [figures(200, 40, "er", beta) for beta in (-0.1, -0.3, -0.5)]
    found = []
    for seed in SEEDS:
        reservoir = EIReservoir(n_units=200, k=40, seed=seed)
        reservoir.adapt(np.random.default_rng(seed).uniform(-1, 1, 4000))
        narma = tasks.stream_error(reservoir, f"narma:order=10,seed={seed}")
        found.append((tasks.memory_capacity(reservoir, delays=60, seed=seed), narma))
    capacity, narma = np.mean(found, axis=0)
    assert capacity > 1.4 * max(figure[0] for figure in tuned)
    assert narma < 0.85 * min(figure[1] for figure in tuned)


def test_tanh_remembers_more_and_the_balanced_network_computes_more() -> None:
    capacities = []
    for seed in SEEDS:
        network = EchoStateReservoir(n_units=200, density=0.2, spectral_radius=0.99, seed=seed)
        capacities.append(tasks.memory_capacity(network, delays=60, seed=seed))
    assert np.mean(capacities) == pytest.approx(46, rel=0.15)
    assert np.mean(capacities) > 2 * figures(200, 40, "er", -0.3)[0]
