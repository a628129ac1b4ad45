"""Reservoirs agree with the obvious version, keep to Dale's law, and come to their targets, however rows are cut."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import reservoirs as naive
from streamlearn.algorithms.reservoirs import Reservoir
from streamlearn.algorithms.reservoirs.recurrent_kernels import GAIN, LARGEST, sigmoid

import streamlearn as sl

QUICK = settings(max_examples=30, deadline=None)
SMALL = {"n_units": 60, "k": 20}
MAKERS = {
    "ei": lambda **options: sl.EIReservoir(**SMALL, **options),
    "ei online": lambda **options: sl.EIReservoir(**SMALL, adaptation="online", online_delta=0.01, **options),
    "ei float32": lambda **options: sl.EIReservoir(**SMALL, dtype="float32", **options),
    "echo state": lambda **options: sl.EchoStateReservoir(n_units=60, leak=0.5, bias=0.1, **options),
    "nvar": lambda **_: sl.NVAR(delay=3, order=2, stride=2),
}
reservoirs = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def inputs(steps: int, width: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, width))


def input_weights(reservoir: Any) -> np.ndarray:
    state = reservoir.state()
    dense = np.zeros((reservoir.n_units, reservoir.n_inputs))
    dense[state["receiver"]] = state["input_weight"]
    return dense


def obvious(reservoir: sl.EIReservoir) -> naive.NaiveEI:
    state = reservoir.state()
    return naive.NaiveEI(
        reservoir.weights(),
        input_weights(reservoir),
        c=reservoir.gain,
        theta=state["threshold"],
        leak=reservoir.leak,
        target=state["target"],
        r=state["rate"],
        gated=reservoir.rule == "gated",
        w_max=state["options"][LARGEST],
    )


# -- the obvious version -----------------------------------------------------------------------------------------------

EI_OPTIONS = st.fixed_dictionaries(
    {"n_units": st.integers(20, 60), "k": st.integers(4, 20)},
    optional={
        "f_exc": st.sampled_from([0.5, 0.8]),
        "connectivity": st.sampled_from(["er", "fixed"]),
        "beta": st.sampled_from([0.5, 0.0, -1.0]),
        "c": st.sampled_from(["auto", 5.0]),
        "theta": st.sampled_from([0.0, 0.05, "match"]),
        "leak": st.sampled_from([1.0, 0.3]),
        "f_in": st.sampled_from([0.1, 1.0]),
        "input_scale": st.sampled_from([0.1, 2.0]),
        "targets": st.sampled_from(["const", "beta", "lognormal"]),
        "target_rate": st.sampled_from([0.3, 0.4, 0.5]),
        "seed": st.integers(-5, 5),
    },
)


def made(options: dict[str, Any], **more: Any) -> sl.EIReservoir | None:
    """The reservoir, or None where its parameters contradict each other."""
    try:
        return sl.EIReservoir(**options, **more)
    except sl.OptionError:
        return None


@QUICK
@given(options=EI_OPTIONS, rule=st.sampled_from(["gated", "plain"]), width=st.integers(1, 3))
def test_steps_and_the_local_rule_are_those_of_the_text(options: dict[str, Any], rule: str, width: int) -> None:
    reservoir = made(options, rule=rule, adaptation="online", online_delta=0.02)
    if reservoir is None:
        return
    U = inputs(30, width)
    U[7, 0], U[9, width - 1] = np.nan, np.inf
    reservoir.connect(width)
    plain = obvious(reservoir)
    states = reservoir.run(U)
    assert states == pytest.approx(np.array([plain.step(u, 0.02) for u in U]), abs=1e-9)
    assert reservoir.weights() == pytest.approx(plain.A_E - plain.A_I, abs=1e-9)


@QUICK
@given(options=EI_OPTIONS, mean=st.sampled_from([0.0, 0.5, -40.0]))
def test_the_design_is_that_of_the_text(options: dict[str, Any], mean: float) -> None:
    reservoir = made(options)
    if reservoir is None or options.get("beta") == 1.0:
        return
    reservoir.connect(1)
    plain = obvious(reservoir)
    plain.design(np.array([mean]), 50.0)
    reservoir.design(mean)
    largest = reservoir.state()["options"][LARGEST]
    assert reservoir.weights() == pytest.approx(plain.A_E - np.minimum(plain.A_I, largest), abs=1e-9)


def test_echo_states_are_those_of_the_text() -> None:
    reservoir, U = sl.EchoStateReservoir(n_units=80, leak=0.4, bias=0.2, input_scale=0.7, seed=3), inputs(100, 2)
    states = reservoir.run(U)
    expected = naive.echo_states(
        reservoir.weights(), input_weights(reservoir), -reservoir.state()["threshold"], 0.4, U
    )  # fmt: skip
    assert states == pytest.approx(expected, abs=1e-12)


@QUICK
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_nvar_features_are_those_of_the_text(delay: int, order: int, stride: int, width: int) -> None:
    line, U = sl.NVAR(delay=delay, order=order, stride=stride), inputs(15, width)
    features = line.run(U)
    assert features.shape == (15, line.n_features)
    assert features == pytest.approx(naive.nvar_features(U, delay, order, stride), rel=1e-14)


def test_nvar_features_are_those_of_reservoirpy() -> None:
    nodes = pytest.importorskip("reservoirpy.nodes")
    U = inputs(40, 2)
    theirs = nodes.NVAR(delay=3, order=2, strides=2).run(U)
    assert sl.NVAR(delay=3, order=2, stride=2).run(U) == pytest.approx(theirs, rel=1e-14)


def test_the_sigmoid_is_exact_to_the_last_bits() -> None:
    for z in np.concatenate([np.linspace(-39.9, 39.9, 4001), [0.0, -40.0, 40.0]]):
        assert sigmoid(float(z)) == pytest.approx(1.0 / (1.0 + math.exp(-z)), rel=4e-16, abs=0.0)
    assert (sigmoid(1e300), sigmoid(-1e300)) == (sigmoid(40.0), sigmoid(-40.0))


# -- construction ------------------------------------------------------------------------------------------------------


@QUICK
@given(options=EI_OPTIONS)
def test_every_network_obeys_dale_and_can_be_balanced(options: dict[str, Any]) -> None:
    reservoir = made(options, adaptation="off")
    if reservoir is None:
        return
    state, E = reservoir.state(), reservoir.n_excitatory
    W = reservoir.weights()
    assert (W[:, :E] >= 0.0).all()
    assert (W[:, E:] <= 0.0).all()
    assert (state["start"][1:] - state["inhibitory"] >= 2).all()
    assert ((state["target"] >= 0.02) & (state["target"] <= 0.98)).all()
    assert len(state["receiver"]) == max(1, round(reservoir.f_in * reservoir.n_units))
    if reservoir.connectivity == "fixed":
        assert (np.diff(state["start"]) == reservoir.k).all()


@pytest.mark.parametrize("connectivity", ["er", "fixed"])
def test_strengths_and_degrees_are_what_was_asked_for(connectivity: str) -> None:
    W = sl.EIReservoir(n_units=1000, k=40, beta=-0.5, connectivity=connectivity, adaptation="off").weights()
    degree = (W != 0.0).sum(axis=1)
    assert W[:, :800].sum(axis=1).mean() == pytest.approx(1.0, abs=0.02)
    assert -W[:, 800:].sum(axis=1).mean() == pytest.approx(1.5, abs=0.02)
    assert degree.mean() == pytest.approx(40.0, abs=0.6)
    assert degree.std() == pytest.approx(math.sqrt(40.0 * 0.96) if connectivity == "er" else 0.0, abs=0.6)


@pytest.mark.parametrize(("k", "gain"), [(10, 4.7), (20, 6.7), (40, 9.4), (100, 14.9)])
def test_the_automatic_gain(k: int, gain: float) -> None:
    reservoir = sl.EIReservoir(n_units=200, k=k, targets="const")
    assert reservoir.gain == pytest.approx(gain, abs=0.05)


@pytest.mark.parametrize("target_rate", [0.25, 0.4, 0.5])
def test_the_automatic_gain_leads_to_its_radius(target_rate: float) -> None:
    reservoir = sl.EIReservoir(n_units=300, targets="const", target_rate=target_rate, connectivity="fixed")
    reservoir.design()
    W, slope = reservoir.weights(), reservoir.gain * target_rate * (1.0 - target_rate)
    random_part = slope * (W - np.outer(W.mean(axis=1), np.ones(300)))
    assert np.abs(np.linalg.eigvals(random_part)).max() == pytest.approx(0.95, abs=0.07)


def test_the_spectral_radius_is_that_of_the_eigenvalues() -> None:
    echo = sl.EchoStateReservoir(n_units=150, density=0.1, spectral_radius=0.97, leak=0.5)
    assert np.abs(np.linalg.eigvals(echo.weights())).max() == pytest.approx(0.97, rel=2e-3)
    balanced = sl.EIReservoir(n_units=150, leak=0.5)
    balanced.adapt(inputs(500), 500)
    found = balanced.diagnostics()
    slope = balanced.gain * found.rates * (1.0 - found.rates)
    step = 0.5 * np.eye(150) + 0.5 * slope[:, None] * balanced.weights()
    assert found.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(step)).max(), rel=2e-3)


def test_targets_are_distributed_as_asked() -> None:
    def rates(**options: Any) -> np.ndarray:
        return sl.EIReservoir(n_units=2000, k=40, **options).state()["target"]

    assert (rates(targets="const", target_rate=0.4) == 0.4).all()
    beta = rates(target_rate=0.4, concentration=20.0)
    assert (beta.mean(), beta.std()) == pytest.approx((0.4, math.sqrt(0.4 * 0.6 / 21.0)), abs=0.01)
    lognormal = rates(targets="lognormal", target_rate=0.3, target_sd=0.2)
    assert (lognormal.mean(), np.log(lognormal).std()) == pytest.approx((0.3, 0.2), abs=0.01)
    own = np.linspace(0.3, 0.6, 2000)
    assert (rates(targets=own) == own).all()


def test_seeds_decide_everything() -> None:
    U = inputs(20)
    for make in (sl.EIReservoir, sl.EchoStateReservoir):
        first, same, other = (make(n_units=50, seed=seed).run(U) for seed in (1, 1, 2))
        assert (first == same).all()
        assert (first != other).any()


def test_inputs_that_come_later_change_no_weight() -> None:
    one, two = (sl.EIReservoir(**SMALL, seed=4) for _ in range(2))
    one.connect(1)
    one.connect(3)
    two.connect(3)
    assert (one.state()["input_weight"] == two.state()["input_weight"]).all()
    with pytest.raises(sl.InputError, match="3 inputs"):
        one.connect(2)
    line = sl.NVAR(delay=2)
    line.run([[1.0], [2.0]])
    line.connect(2)
    assert line.run([[3.0, 5.0]])[0, :4].tolist() == [3.0, 5.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_units", 3),
        ("f_exc", 0.0),
        ("k", 0),
        ("k", 501),
        ("connectivity", "ring"),
        ("beta", 1.5),
        ("c", 0.0),
        ("c", "max"),
        ("theta", "auto"),
        ("leak", 0.0),
        ("f_in", 1.5),
        ("input_scale", -0.1),
        ("targets", "gauss"),
        ("targets", [0.5, 0.5]),
        ("targets", [0.0] * 500),
        ("targets", "uniform"),
        ("target_rate", 0.99),
        ("concentration", 0.0),
        ("target_sd", -1.0),
        ("rule", "hebbian"),
        ("delta", 0.0),
        ("online_delta", 2.0),
        ("adaptation", "always"),
        ("seed", 0.5),
        ("dtype", "float16"),
    ],
)
def test_parameters_are_checked(name: str, value: Any) -> None:
    with pytest.raises(sl.OptionError, match=name):
        sl.EIReservoir(**{name: value})


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (sl.EchoStateReservoir, {"density": 0.0}, "density"),
        (sl.EchoStateReservoir, {"spectral_radius": -1.0}, "spectral_radius"),
        (sl.EchoStateReservoir, {"n_units": 5, "density": 0.001}, "no cycle"),
        (sl.NVAR, {"delay": 0}, "delay"),
        (sl.NVAR, {"order": 6}, "order"),
        (sl.NVAR, {"stride": 0}, "stride"),
        (sl.EIReservoir, {"f_exc": 1.0}, "inhibitory"),
        (sl.EIReservoir, {"k": 4, "connectivity": "fixed"}, "k=4"),
    ],
)
def test_the_baselines_and_combinations_are_checked(make: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(sl.OptionError, match=told):
        make(**options)


def test_too_many_products_are_refused() -> None:
    line = sl.NVAR(delay=100, order=4)
    with pytest.raises(sl.OptionError, match="features"):
        line.run(inputs(3))
    assert line.n_inputs == 0


@pytest.mark.parametrize("targets", ["const", "beta"])
def test_unreachable_targets_are_refused(targets: str) -> None:
    with pytest.raises(sl.OptionError, match="theta='match'"):
        sl.EIReservoir(targets=targets, target_rate=0.2, concentration=100.0)
    sl.EIReservoir(targets=targets, target_rate=0.2, concentration=100.0, theta="match")
    free = sl.EIReservoir(targets=targets, target_rate=0.2, concentration=100.0, adaptation="off")
    with pytest.raises(sl.OptionError, match="oscillate"):
        free.adapt(inputs(100))
    with pytest.raises(sl.OptionError, match="saturate"):
        sl.EIReservoir(targets="const", target_rate=0.6, theta=1.0)
    with pytest.warns(UserWarning, match="another stable state"):
        sl.EIReservoir(targets=targets, target_rate=0.08, concentration=100.0, theta="match")


# -- balance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["gated", "plain"])
@pytest.mark.parametrize("target_rate", [0.3, 0.4, 0.5])
def test_rates_come_to_their_targets(target_rate: float, rule: str) -> None:
    reservoir = sl.EIReservoir(n_units=300, targets="const", target_rate=target_rate, rule=rule, seed=1)
    before = reservoir.state()
    reservoir.design(0.0)
    reservoir.run(inputs(300, seed=1))
    assert np.abs(reservoir.run(inputs(2000, seed=2)).mean(axis=0) - target_rate).mean() < 0.025

    report = reservoir.adapt(inputs(3000), 4000)
    assert report.converged
    assert (report.steps, report.n_saturated, report.n_silent) == (4000, 0, 0)
    assert report.mean_abs_error < 0.01
    assert report.beta_eff == pytest.approx(reservoir.implied_beta, abs=0.05)
    implied = math.log(target_rate / (1.0 - target_rate)) / reservoir.gain / target_rate
    assert reservoir.implied_beta == pytest.approx(implied, rel=1e-12)
    reservoir.run(inputs(300, seed=1))
    assert np.abs(reservoir.run(inputs(2000, seed=2)).mean(axis=0) - target_rate).mean() < 0.01

    after = reservoir.state()
    for name in ("start", "inhibitory", "sender", "receiver", "target", "threshold"):
        assert (before[name] == after[name]).all(), name
    W, E = reservoir.weights(), reservoir.n_excitatory
    excites = after["sender"] < E
    assert (before["weight"][excites] == after["weight"][excites]).all()
    assert (before["weight"][~excites] != after["weight"][~excites]).mean() > 0.9
    assert (W[:, :E] >= 0.0).all()
    assert (W[:, E:] <= 0.0).all()


def test_heterogeneous_and_low_targets_are_reached() -> None:
    for options in ({}, {"target_rate": 0.2, "theta": "match"}, {"targets": "lognormal", "target_rate": 0.35}):
        reservoir = sl.EIReservoir(n_units=300, **options)
        assert reservoir.adapt(inputs(2000)).converged
        rates = reservoir.run(inputs(2000, seed=2)).mean(axis=0)
        assert np.corrcoef(rates, reservoir.state()["target"])[0, 1] > 0.98


def test_online_adaptation_follows_a_shift_of_the_inputs() -> None:
    errors = []
    for adaptation in ("warmup", "online"):
        reservoir = sl.EIReservoir(n_units=200, input_scale=0.5, adaptation=adaptation, online_delta=1e-3)
        reservoir.adapt(inputs(2000))
        reservoir.run(1.5 + inputs(6000, seed=2))
        errors.append(reservoir.diagnostics().mean_abs_error)
    frozen, online = errors
    assert online < 0.5 * frozen


def test_inputs_with_gaps_are_adapted_to() -> None:
    U = 0.5 + inputs(2000)
    U[::7] = np.nan
    U[5] = 1e300
    reservoir = sl.EIReservoir(n_units=200)
    assert reservoir.adapt(np.delete(U, 5, axis=0)).converged
    assert np.isfinite(reservoir.state()["weight"]).all()
    reservoir.adapt(U, 200)
    assert np.isfinite(reservoir.state()["weight"]).all()
    with pytest.raises(sl.InputError, match="no inputs"):
        reservoir.adapt([])
    with pytest.raises(sl.InputError, match="finite"):
        reservoir.design(np.nan)


def test_units_that_can_not_be_balanced_are_counted() -> None:
    reservoir = sl.EIReservoir(**SMALL, input_scale=10.0, f_in=0.5)
    assert reservoir.design(100.0).n_clipped > 5
    assert sl.EIReservoir(**SMALL, beta=1.0).design().n_skipped == 60


def test_what_silences_and_saturates_is_seen() -> None:
    silent = sl.EIReservoir(n_units=200, theta=2.0, adaptation="off")
    silent.run(inputs(500))
    assert silent.diagnostics().n_silent == 200
    saturated = sl.EIReservoir(n_units=200, beta=0.9, adaptation="off")
    saturated.run(inputs(3000))
    assert saturated.diagnostics().n_saturated > 150


def test_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    reservoir = sl.EIReservoir(**SMALL)
    reservoir.adapt(inputs(200), 200)
    before = reservoir.state()
    reservoir.plot(tmp_path / "network.png", inputs(50))
    reservoir.plot(tmp_path / "network.svg")
    assert (tmp_path / "network.png").stat().st_size > 20_000
    assert "<svg" in (tmp_path / "network.svg").read_text(encoding="utf-8")
    assert all((before[name] == array).all() for name, array in reservoir.state().items())


# -- every reservoir ---------------------------------------------------------------------------------------------------


@reservoirs
def test_chunks_steps_and_replays_give_the_same_bits(make: Any) -> None:
    U = inputs(60, 2)
    U[11, 1] = np.nan
    whole, chunks, steps = make(), make(), make()
    expected = whole.run(U)
    assert (np.concatenate([chunks.run(part) for part in (U[:1], U[1:20], U[20:20], U[20:])]) == expected).all()
    assert (np.array([steps.step(u) for u in U]) == expected).all()
    assert all((whole.state()[name] == array).all() for name, array in steps.state().items())


@reservoirs
def test_a_restored_reservoir_continues_bit_for_bit(make: Any) -> None:
    U = inputs(60)
    reservoir = make()
    if isinstance(reservoir, sl.EIReservoir):
        reservoir.adapt(U, 100)
    reservoir.run(U[:30])
    state, rest = reservoir.state(), reservoir.run(U[30:])
    other = make()
    other.restore(state)
    assert (other.run(U[30:]) == rest).all()
    assert (reservoir.copy().run(U) == pickle.loads(pickle.dumps(reservoir)).run(U)).all()


@reservoirs
def test_copies_and_clones_share_nothing(make: Any) -> None:
    reservoir = make()
    reservoir.run(inputs(10))
    before = reservoir.state()
    copy, clone = reservoir.copy(), reservoir.clone()
    copy.run(inputs(50, seed=1))
    clone.run(inputs(50, seed=2))
    assert all((before[name] == array).all() for name, array in reservoir.state().items())
    assert clone.params == reservoir.params


@reservoirs
def test_reset_goes_back_to_the_beginning(make: Any) -> None:
    reservoir, U = make(), inputs(30)
    if isinstance(reservoir, sl.EIReservoir):
        reservoir.adapt(U, 100)
        reservoir.reset()
    if getattr(reservoir, "adaptation", "") == "online":
        return  # its weights move in every step, and stay as they are
    first = reservoir.run(U)
    reservoir.reset()
    assert (reservoir.run(U) == first).all()


@reservoirs
def test_inputs_are_checked(make: Any) -> None:
    reservoir = make()
    reservoir.run(inputs(5, 2))
    state = reservoir.state()
    for bad in ([1.0], [[1.0]], "abc", [["a", "b"]], np.zeros((2, 2, 2))):
        with pytest.raises(sl.InputError):
            reservoir.run(bad)
    for bad in ([1.0], 3.0, [[1.0, 2.0]]):
        with pytest.raises(sl.InputError):
            reservoir.step(bad)
    assert all((state[name] == array).all() for name, array in reservoir.state().items())
    assert reservoir.run(np.empty((0, 2))).shape == (0, reservoir.n_features)


@reservoirs
def test_inputs_that_are_no_numbers_are_held_and_huge_ones_do_no_harm(make: Any) -> None:
    reservoir, held = make(), make()
    gaps = reservoir.run([[0.5], [np.nan], [np.inf], [0.25]])
    assert (gaps == held.run([[0.5], [0.5], [0.5], [0.25]])).all()
    assert reservoir.state()["counts"][1] == 2
    wide = make()
    assert np.isfinite(wide.run([[1e308, -1e308], [-1e308, 1e308], [0.0, 0.0]])).all()


@reservoirs
def test_a_reservoir_says_how_it_was_made(make: Any) -> None:
    reservoir = make()
    assert isinstance(reservoir, Reservoir)
    names = {"EIReservoir": sl.EIReservoir, "EchoStateReservoir": sl.EchoStateReservoir, "NVAR": sl.NVAR}
    assert eval(repr(reservoir), names).params == reservoir.params


def test_float32_is_close_to_float64() -> None:
    U = inputs(200)
    double, single = (sl.EIReservoir(n_units=100, dtype=dtype) for dtype in ("float64", "float32"))
    for reservoir in (double, single):
        reservoir.design()
    expected, states = double.run(U), single.run(U)
    assert states.dtype == np.float32
    assert np.abs(states - expected)[:50].max() < 1e-4


# -- damaged states ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("start", 0, 1),
        ("start", -1, 10**6),
        ("start", 5, -(2**62)),
        ("start", 5, 2**62),
        ("inhibitory", 0, -1),
        ("inhibitory", 3, 10**6),
        ("sender", 0, 60),
        ("sender", 0, 59),
        ("sender", -1, 0),
        ("weight", 0, -0.1),
        ("weight", -1, 0.1),
        ("weight", -1, -1e5),
        ("weight", 0, np.nan),
        ("weight", 0, 1e7),
        ("receiver", 0, 60),
        ("input_weight", (0, 0), 5.0),
        ("threshold", 0, np.inf),
        ("target", 0, 0.0),
        ("initial", 0, 1.5),
        ("rate", 0, -0.5),
        ("held", 0, 1e31),
        ("mean_rate", 0, 2.0),
        ("counts", 0, -1),
        ("counts", 2, 10**6),
        ("options", GAIN, 0.0),
        ("options", GAIN, 1e9),
        ("options", 2, 0.5),
    ],
)
def test_damaged_states_are_refused(name: str, place: Any, value: float) -> None:
    reservoir = sl.EIReservoir(**SMALL)
    reservoir.run(inputs(5))
    before, state = reservoir.state(), reservoir.state()
    state[name][place] = value
    with pytest.raises(sl.StateError, match=name):
        reservoir.restore(state)
    assert all((before[field] == array).all() for field, array in reservoir.state().items())


@reservoirs
def test_states_of_the_wrong_kind_are_refused(make: Any) -> None:
    reservoir = make()
    reservoir.run(inputs(5))
    state = reservoir.state()
    first = next(iter(state))
    wrong = {first: state[first].astype(np.int8)}, {first: state[first][:0]}, {first: None}, {"more": state[first]}
    for change in wrong:
        with pytest.raises(sl.StateError):
            reservoir.restore(state | change)
    for other in ({}, None, 3, {"past": 0, "held": None, "counts": []}):
        with pytest.raises(sl.StateError):
            reservoir.restore(other)  # type: ignore[arg-type]
