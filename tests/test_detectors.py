"""Detectors of drift: equal to their naive versions and to MOA, honest about what they accept, at home in River."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import river.drift
import river.drift.binary
import river.tree
from naive import drift as naive
from naive.adwin import NaiveADWIN
from scipy.stats import ks_2samp
from streamlearn.algorithms.drift import abcd_kernels
from streamlearn.algorithms.drift.adwin_kernels import adwin_is_sound, adwin_size, adwin_update
from streamlearn.algorithms.drift.windows import critical_distance, distance_chance

import streamlearn as sl
from streamlearn.compiled import kernel
from streamlearn.random import generator


def errors(rng: np.random.Generator, n: int = 3000) -> np.ndarray:
    """Errors whose rate jumps now and then."""
    rates = np.repeat(rng.random(rng.integers(1, 6)), n)[:: rng.integers(1, 6)][:n]
    return (rng.random(len(rates)) < rates).astype(float)


def numbers(rng: np.random.Generator, n: int = 3000) -> np.ndarray:
    """Numbers whose mean and spread jump now and then."""
    pieces = rng.integers(1, 6)
    means, spreads = rng.normal(0, 3, pieces), rng.exponential(1, pieces)
    place = np.sort(rng.integers(0, pieces, n))
    return rng.normal(means[place], spreads[place])


def shares(rng: np.random.Generator, n: int = 3000) -> np.ndarray:
    return np.clip(numbers(rng, n) / 4, 0, 1)


def kswin(**options: Any) -> naive.KSWIN:
    made = sl.KSWIN(**options)
    critical = critical_distance(made.stat_size, made.alpha)
    return naive.KSWIN(critical, made.window_size, made.stat_size, generator(made.seed))


CASES: list[tuple[Any, Any, dict[str, Any], Any]] = [
    (sl.ADWIN, naive.ADWIN, {}, numbers),
    (sl.ADWIN, naive.ADWIN, {"delta": 0.3, "one_sided": True, "clock": 1}, errors),
    (sl.DDM, naive.DDM, {}, errors),
    (sl.DDM, naive.DDM, {"warm_start": 3, "warning_threshold": 1.0, "drift_threshold": 1.5}, errors),
    (sl.EDDM, naive.EDDM, {}, errors),
    (sl.EDDM, naive.EDDM, {"warm_start": 5, "alpha": 0.99, "beta": 0.97}, errors),
    (sl.RDDM, naive.RDDM, {}, errors),
    (
        sl.RDDM,
        naive.RDDM,
        {"warm_start": 20, "max_size_concept": 150, "min_size_stable_concept": 60, "warn_limit": 25},
        errors,
    ),
    (sl.HDDM_A, naive.HDDM_A, {}, shares),
    (sl.HDDM_A, naive.HDDM_A, {"two_sided_test": True}, errors),
    (sl.HDDM_A, naive.HDDM_A, {"two_sided_test": True, "on_decrease": "restart"}, errors),
    (sl.HDDM_W, naive.HDDM_W, {}, shares),
    (sl.HDDM_W, naive.HDDM_W, {"two_sided_test": True, "lambda_val": 0.2}, errors),
    (sl.HDDM_W, naive.HDDM_W, {"two_sided_test": True, "on_decrease": "restart"}, errors),
    (sl.PageHinkley, naive.PageHinkley, {}, numbers),
    (sl.PageHinkley, naive.PageHinkley, {"mode": "down", "threshold": 5.0, "min_instances": 3}, errors),
    (sl.CUSUM, naive.CUSUM, {}, numbers),
    (sl.CUSUM, naive.CUSUM, {"threshold": 5.0, "delta": 0.1}, errors),
    (sl.GeometricMovingAverage, naive.GeometricMovingAverage, {}, numbers),
    (sl.GeometricMovingAverage, naive.GeometricMovingAverage, {"threshold": 0.2, "alpha": 0.9}, errors),
    (sl.EWMAChart, naive.EWMAChart, {}, errors),
    (sl.EWMAChart, naive.EWMAChart, {"arl0": 1000, "lambda_val": 0.1}, errors),
    (sl.STEPD, naive.STEPD, {}, errors),
    (sl.STEPD, naive.STEPD, {"window_size": 7, "alpha_drift": 0.05, "alpha_warning": 0.2}, errors),
    (sl.KSWIN, kswin, {"seed": 5}, numbers),
    (sl.KSWIN, kswin, {"alpha": 0.05, "window_size": 30, "stat_size": 15}, errors),
    (sl.SEED, naive.SEED, {}, numbers),
    (sl.SEED, naive.SEED, {"block_size": 5, "compress_term": 4, "delta": 0.3, "alpha": 3.0}, errors),
]


def named(case: Any) -> str:
    return f"{case[0].__name__}-{'-'.join(map(str, case[2].values()))}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_detector_is_its_naive_version(case: Any) -> None:
    cls, slow, options, stream = case
    alarms = 0
    for seed in range(6):
        values = stream(np.random.default_rng(seed), 1200)
        oracle = slow(**options)
        levels = cls(**options).update_many(values)
        assert levels.tolist() == [oracle.update(x) for x in values.tolist()]
        alarms += int((levels == 2).sum())
    assert alarms > 0 or cls is sl.RDDM  # or nothing was compared; with its defaults, RDDM may be quiet for so long


@kernel
def adwin_trace(values: np.ndarray, delta: float, window: np.ndarray, cuts: np.ndarray, trace: np.ndarray) -> None:
    """Cuts, and the first three numbers of the window, after each value."""
    for i in range(len(values)):
        cuts[i] = adwin_update(window, values[i], delta)
        trace[i] = window[:3]


def test_adwin_is_its_transcription_bit_for_bit() -> None:
    """Every number after every value; ``STREAMLEARN_ADWIN_SEQUENCES`` asks for more sequences than CI has time for."""
    for seed in range(int(os.environ.get("STREAMLEARN_ADWIN_SEQUENCES", "60"))):
        rng = np.random.default_rng(seed)
        values = (errors, numbers, shares)[seed % 3](rng, int(rng.integers(1, 1200)))
        delta = float(rng.choice([1e-5, 0.002, 0.3]))
        window, oracle = np.zeros(adwin_size()), NaiveADWIN(delta)
        cuts, trace = np.zeros(len(values), np.bool_), np.zeros((len(values), 3))
        adwin_trace(values, delta, window, cuts, trace)
        for i, x in enumerate(values.tolist()):
            assert oracle.update(x) == cuts[i]
            assert (oracle.width, oracle.total, oracle.variance) == tuple(trace[i])
        assert adwin_is_sound(window[None])


def test_a_pool_of_small_windows_forgets_the_oldest_values() -> None:
    pool = np.zeros((2, adwin_size(rows=4)))
    cuts, trace = np.zeros(5000, np.bool_), np.zeros((5000, 3))
    adwin_trace(np.full(5000, 0.5), 0.002, pool[1], cuts, trace)
    assert trace[:, 0].max() <= 5 * (2**4 - 1)
    assert trace[-1, 1] == 0.5 * trace[-1, 0]
    assert not pool[0].any()
    assert adwin_is_sound(pool)


# -- MOA ---------------------------------------------------------------------------------------------------------------

REFERENCE = Path(os.environ.get("STREAMLEARN_DATA", "nowhere")).parent / "detectors"
needs_reference = pytest.mark.skipif(not (REFERENCE / "moa_alarms.json").exists(), reason="no STREAMLEARN_DATA")

AS_IN_MOA: dict[str, Callable[[], Any]] = {
    "ADWINChangeDetector": lambda: sl.ADWIN(one_sided=True),
    "CusumDM": sl.CUSUM,
    "DDM": sl.DDM,
    "EDDM": sl.EDDM,
    "EWMAChartDM": sl.EWMAChart,
    "GeometricMovingAverageDM": sl.GeometricMovingAverage,
    "HDDM_A_Test": lambda: sl.HDDM_A(two_sided_test=True, on_decrease="restart"),
    "HDDM_W_Test": sl.HDDM_W,
    "RDDM": sl.RDDM,
    "SEEDChangeDetector": sl.SEED,
    "STEPD": sl.STEPD,
}


def sequences(accepts: str) -> dict[str, np.ndarray]:
    table = pq.read_table(REFERENCE / "sequences.parquet")
    kept = [name for name in table.column_names if accepts == "real" or name != "gaussian_shift"]
    return {name: table[name].to_numpy().astype(np.float64) for name in kept}


def moa(name: str) -> Any:
    return json.loads((REFERENCE / "moa_alarms.json").read_text())[name]


@needs_reference
@pytest.mark.parametrize("name", AS_IN_MOA)
def test_alarms_and_warnings_are_moas(name: str) -> None:
    for sequence, values in sequences(AS_IN_MOA[name]().accepts).items():
        levels, expected = AS_IN_MOA[name]().update_many(values), moa(name)[sequence]
        assert (levels == 2).nonzero()[0].tolist() == expected["alarms"], sequence
        warnings = (levels == 1).nonzero()[0].tolist()
        assert (len(warnings), warnings[:20]) == (expected["warnings"], expected["first_warnings"]), sequence


@needs_reference
def test_page_hinkley_subtracts_the_minimum_and_this_release_of_moa_does_not() -> None:
    differ = 0
    for sequence, values in sequences("real").items():
        oracle = naive.PageHinkley(mode="up", minimum=False)
        alarms = [i for i, x in enumerate(values.tolist()) if oracle.update(x) == 2]
        assert alarms == moa("PageHinkleyDM")[sequence]["alarms"]
        differ += alarms != sl.PageHinkley(mode="up").update_many(values).nonzero()[0].tolist()
    assert differ > 0


def test_stepd_sees_no_drift_in_equal_values_and_moa_does() -> None:
    oracle = naive.STEPD(absolute=True)
    assert [oracle.update(0.0) for _ in range(60)][-1] == 2
    assert not sl.STEPD().update_many(np.zeros(5000)).any()


# -- two samples, components ------------------------------------------------------------------------------------------


def test_kswins_chances_are_exact() -> None:
    """Against all orders in which the values of two small samples can come, and against SciPy."""
    for n in (1, 2, 3, 5):
        orders = [np.isin(np.arange(2 * n), first) for first in itertools.combinations(range(2 * n), n)]
        greatest = [abs(np.cumsum(np.where(order, 1, -1))).max() for order in orders]
        for distance in range(n + 2):
            share = Fraction(sum(bool(d >= distance) for d in greatest), len(greatest))
            assert distance_chance(n, distance) == share
    for distance in (10, 13, 16, 18):
        a, b = np.arange(30), np.arange(30) + distance - 0.5
        assert float(distance_chance(30, distance)) == pytest.approx(ks_2samp(a, b, method="exact").pvalue, rel=1e-9)


def test_kswin_reports_the_chance_of_its_last_test() -> None:
    detector = sl.KSWIN(window_size=20, stat_size=10)
    assert detector.p_value == 1.0
    detector.update_many(np.arange(20.0))
    assert detector.drift_detected
    assert detector.p_value == pytest.approx(ks_2samp(np.arange(10), np.arange(10, 20), method="exact").pvalue)


def test_principal_directions_are_eigenvectors() -> None:
    rng = np.random.default_rng(0)
    for d in (1, 2, 5, 20):
        A = np.cov(rng.normal(size=(50, d)).T).reshape(d, d)
        diagonal, vectors = A.copy(), np.empty((d, d))
        abcd_kernels.principal_directions(diagonal, vectors)
        assert np.allclose(np.sort(diagonal.diagonal()), np.linalg.eigvalsh(A))
        assert np.allclose(vectors @ A @ vectors.T, np.diag(diagonal.diagonal()))


@pytest.mark.parametrize(
    "options", [{"maximum_absolute_value": 0.3}, {"n_min": 40, "max_size": 80, "maximum_absolute_value": 0.05}]
)
def test_abcd_is_its_naive_version(options: dict[str, Any]) -> None:
    alarms = 0
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(700, 4))
        X[:300, 1] += 3 * X[:300, 0]
        X[500:, 2] = 7.0
        oracle, detector = naive.ABCD(**options), sl.ABCD(**options)
        levels = detector.update_many(X)
        assert levels.tolist() == [oracle.update(x) for x in X]
        if 2 in levels:
            assert np.allclose(detector.chances, oracle.chances)
        alarms += int((levels == 2).sum())
    assert alarms > 0


def test_abcd_tells_which_fields_changed_and_where() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3000, 30))
    X[1500:, 7] += 4.0
    detector = sl.ABCD(maximum_absolute_value=0.1)
    levels = detector.update_many(X)
    alarms = (levels == 2).nonzero()[0]
    assert len(alarms) == 1
    assert 1500 < alarms[0] < 1750
    detector = sl.ABCD(maximum_absolute_value=0.1)
    detector.update_many(X[: alarms[0] + 1])
    assert detector.drift_detected
    assert abs(alarms[0] + 1 - detector.rows_since_change - 1500) < 100  # a split in twenty of the window
    assert detector.chances.argmin() == 7
    assert detector.severity > 1


def test_abcd_takes_rows_in_every_shape() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    names = ["a", "b", "c"]
    rows = [dict(zip(names, row, strict=True)) for row in X.tolist()]
    made = [sl.ABCD(n_min=20) for _ in range(4)]
    made[0].update_many(X)
    made[1].update_many(rows)
    made[2].update_many(pa.table(X.T.tolist(), names=names))
    for row in rows:
        made[3].update(row)
    numbers = [detector.state()["arrays"] for detector in made]
    assert all(np.array_equal(numbers[0]["sums"], other["sums"]) for other in numbers)
    by_sequence = sl.ABCD(n_min=20)
    for x in X.tolist():
        by_sequence.update(x)
    assert np.array_equal(by_sequence.state()["arrays"]["sums"], numbers[0]["sums"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1.0, "b": float("nan")}, "row 0: 'b' must be a number within"),
        ({"a": 1.0}, "'b' is missing"),
        ({"a": 1.0, "b": 2.0, "z": 1.0}, "unknown field 'z'"),
        ({"a": 1.0, "b": "x"}, "'b'.*expected a number"),
        ([1.0, 2.0, 3.0], "2 columns"),
        ([1.0, "x"], "rows of numbers"),
        ({"a": 1.0, "b": 1e200}, "within ±1e\\+60"),
    ],
)
def test_abcd_refuses_rows_that_do_not_fit(row: Any, message: str) -> None:
    detector = sl.ABCD()
    detector.update({"a": 0.0, "b": 1.0})
    before = detector.state()["arrays"]["numbers"].tolist()
    with pytest.raises(sl.InputError, match=message):
        detector.update(row)
    assert detector.state()["arrays"]["numbers"].tolist() == before


def test_abcd_refuses_categories() -> None:
    with pytest.raises(sl.InputError, match="'colour' has categories"):
        sl.ABCD().update({"colour": "red", "size": 1.0})


# -- parameters, river, threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sl.ADWIN(delta=0.0), "delta must be a number > 0"),
        (lambda: sl.ADWIN(one_sided=1), "one_sided must be true or false"),
        (lambda: sl.DDM(warning_threshold=4.0), "warning_threshold must be <= drift_threshold"),
        (lambda: sl.EDDM(alpha=0.5, beta=0.6), "beta must be <= alpha"),
        (lambda: sl.HDDM_A(drift_confidence=0.5), "drift_confidence must be <= warning_confidence"),
        (lambda: sl.HDDM_W(on_decrease="cry"), "on_decrease must be one of"),
        (lambda: sl.KSWIN(stat_size=60), "stat_size must be a whole number >= 1 and <= 50"),
        (lambda: sl.STEPD(alpha_drift=0.1), "alpha_drift must be <= alpha_warning"),
        (lambda: sl.EWMAChart(arl0=7), "arl0 must be one of 100, 400, 1000"),
        (lambda: sl.ABCD(delta_drift=0.1), "delta_drift must be <= delta_warn"),
        (lambda: sl.make_detector("adwin:delat=1"), "did you mean delta"),
        (lambda: sl.make_detector("adwim"), "did you mean adwin"),
        (lambda: sl.make_detector(3), "a detector is written"),
    ],
)
def test_options_are_checked(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        make()


def test_make_detector_takes_text_and_mappings() -> None:
    assert repr(sl.make_detector("adwin:delta=0.01", clock=1)) == "ADWIN(delta=0.01, clock=1)"
    assert repr(sl.make_detector({"type": "kswin", "seed": 3})) == "KSWIN(seed=3)"


def test_a_file_of_a_learner_is_no_detector(tmp_path: Path) -> None:
    sl.PriorClassifier().save(tmp_path / "learner")
    sl.ADWIN().save(tmp_path / "detector")
    with pytest.raises(sl.StateError, match="holds a PriorClassifier, not a ADWIN"):
        sl.ADWIN.load(tmp_path / "learner")
    with pytest.raises(sl.StateError, match="holds a ADWIN, not a PriorClassifier"):
        sl.PriorClassifier.load(tmp_path / "detector")
    assert isinstance(sl.load(tmp_path / "detector"), sl.ADWIN)


def test_rivers_models_take_our_detectors() -> None:
    rng = np.random.default_rng(0)
    made = [
        river.drift.DriftRetrainingClassifier(model=river.tree.HoeffdingTreeClassifier(), drift_detector=detector)
        for detector in (sl.ADWIN(delta=0.01), sl.DDM(), sl.HDDM_A())
    ]
    for i in range(1500):
        x = {"a": float(rng.normal()), "b": float(rng.normal())}
        y = (x["a"] > 0) ^ (i > 900)
        for model in made:
            model.learn_one(x, y)
    assert all(model.drift_detector.n_detections > 0 for model in made)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: sl.HDDM_A(), river.drift.binary.HDDMA),
        (lambda: sl.HDDM_A(two_sided_test=True), lambda: river.drift.binary.HDDMA(two_sided_test=True)),
        (lambda: sl.DDM(warm_start=32), river.drift.binary.DDM),
        (lambda: sl.PageHinkley(min_instances=31), river.drift.PageHinkley),
    ],
    ids=["HDDM_A", "HDDM_A-two-sided", "DDM", "PageHinkley"],
)
def test_alarms_are_rivers(ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    alarms = 0
    for seed in range(8):
        values, other = errors(np.random.default_rng(seed)), theirs()
        expected = []
        for x in values.astype(int).tolist():
            other.update(x)
            expected.append(other.drift_detected)
        assert (ours().update_many(values) == 2).tolist() == expected
        alarms += sum(expected)
    assert alarms > 0


def test_adwin_has_rivers_figures() -> None:
    ours, theirs = sl.ADWIN(), river.drift.ADWIN()
    assert (ours.width, ours.total, ours.variance, ours.estimation) == (0, 0.0, 0.0, 0.0)
    for x in np.random.default_rng(0).random(300).tolist():
        ours.update(x)
        theirs.update(x)
    assert ours.width == theirs.width
    assert ours.total == pytest.approx(theirs.total)
    assert ours.estimation == pytest.approx(theirs.estimation)
    assert ours.variance == pytest.approx(theirs.variance / theirs.width)  # River's is the sum of squares


def test_threads_do_not_damage_a_detector() -> None:
    detector = sl.ADWIN(clock=1)
    values = np.random.default_rng(0).random(100_000)

    def feed() -> None:
        detector.update_many(values)
        for x in values[:2000].tolist():
            detector.update(x)

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert adwin_is_sound(detector.state()["arrays"]["window"])


def damaged(cls: Any, array: str, place: Any, value: float) -> tuple[Any, dict[str, Any]]:
    detector = cls()
    rng = np.random.default_rng(0)
    rows = rng.random((300, 3)) if cls is sl.ABCD else np.arange(300.0) % 2
    detector.update_many(rows)
    state = detector.state()
    state["arrays"][array][place] = value
    return detector, state


@pytest.mark.parametrize(
    ("cls", "array", "place", "value"),
    [
        (sl.ADWIN, "window", (0, 4), 40.0),
        (sl.ADWIN, "window", (0, 5), 6.0),
        (sl.ADWIN, "window", (0, 5), 1.5),
        (sl.ADWIN, "window", (0, 0), 1e9),
        (sl.ADWIN, "numbers", 0, 3.0),
        (sl.DDM, "numbers", 2, np.nan),
        (sl.RDDM, "numbers", 6, 7001.0),
        (sl.RDDM, "numbers", 7, -1.0),
        (sl.RDDM, "numbers", 8, 7000.0),
        (sl.RDDM, "numbers", 11, 1e300),
        (sl.STEPD, "numbers", 5, 30.0),
        (sl.KSWIN, "numbers", 2, 101.0),
        (sl.KSWIN, "random", slice(None), 0),
        (sl.SEED, "numbers", 6, 4097.0),
        (sl.ABCD, "numbers", 2, 101.0),
        (sl.ABCD, "numbers", 3, 2001.0),
        (sl.ABCD, "numbers", 4, -1.0),
    ],
)
def test_a_hostile_state_is_refused(cls: Any, array: str, place: Any, value: float) -> None:
    detector, state = damaged(cls, array, place, value)
    before = detector.state()["arrays"]["numbers"].tolist()
    with pytest.raises(sl.StateError):
        detector.restore(state)
    assert detector.state()["arrays"]["numbers"].tolist() == before
