"""Detector evaluation: alarms judged as a reader would, signals as they are described, results that add up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift as river_drift

import streamlearn as sl
from streamlearn.detection import SIGNALS, Signal, evaluate_detectors, make_signal, score_alarms
from streamlearn.detection.evaluate import levels_of
from streamlearn.detection.scoring import summarise
from streamlearn.errors import InputError, OptionError, UnknownNameError
from streamlearn.source import Drift
from tests.naive.alarms import judge


class Scripted:
    """A detector that raises its alarms at rows of our choice."""

    drift_detected = False
    warning_detected = False

    def __init__(self, alarms: list[int], warnings: list[int] | None = None) -> None:
        self.alarms, self.warnings, self.row = set(alarms), set(warnings or []), -1

    def clone(self) -> Scripted:
        return Scripted(sorted(self.alarms), sorted(self.warnings))

    def update(self, value: float) -> None:
        self.row += 1
        self.drift_detected, self.warning_detected = self.row in self.alarms, self.row in self.warnings


# -- scoring ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 999), unique=True, max_size=30).map(sorted),
    st.lists(st.tuples(st.integers(0, 999), st.booleans()), max_size=6, unique_by=lambda change: change[0]),
    st.integers(0, 60),
    st.integers(1, 400),
)
def test_alarms_are_judged_as_one_by_one(
    alarms: list[int], changes: list[tuple[int, bool]], width: int, max_delay: int
) -> None:
    changes.sort()
    drifts = [Drift(row, width) for row, counts in changes if counts]
    optional = [Drift(row, width) for row, counts in changes if not counts]
    score = score_alarms(alarms, drifts, 1000, max_delay, optional)
    found, false = judge(alarms, drifts, optional, 1000, max_delay)
    assert {i: row for i, row in enumerate(score.found.tolist()) if row >= 0} == found
    assert score.false_alarms.tolist() == false
    assert len(score.delays) == len(found)
    assert all(0 <= delay < width + max_delay for delay in score.delays)


def test_an_alarm_counts_until_max_delay_and_until_the_next_drift() -> None:
    drifts = [Drift(100), Drift(150)]
    assert score_alarms([149], drifts, 1000, 50).found.tolist() == [149, -1]
    assert score_alarms([150], drifts, 1000, 51).found.tolist() == [-1, 150]
    assert score_alarms([199], drifts, 1000, 50).found.tolist() == [-1, 199]
    assert score_alarms([200], drifts, 1000, 50).false_alarms.tolist() == [200]


def test_a_gradual_drift_is_found_from_its_onset_on_and_excuses_alarms_while_it_lasts() -> None:
    score = score_alarms([70, 95, 110, 125], [Drift(100, 40)], 1000, 50)
    assert score.delays == (15,)
    assert score.false_alarms.tolist() == [70, 125]


def test_figures_of_several_sequences() -> None:
    scores = [
        score_alarms([10, 110, 130], [Drift(100)], 1000, 100),
        score_alarms([], [Drift(100)], 1000, 100),
        score_alarms([], [], 2000, 100),
    ]
    figures = summarise(scores)
    assert (figures["drifts"], figures["found"]) == (2, 1)
    assert figures["missed"] == 0.5
    assert figures["delay"] == 10.0
    assert figures["false_alarms"] == 1000 * 2 / 4000
    assert figures["time_between_false_alarms"] == 2000.0
    assert figures["mean_time_ratio"] == 2000.0 / 10.0 * 0.5
    quiet = summarise([score_alarms([], [], 10, 1)])
    assert math.isnan(quiet["missed"])
    assert math.isinf(quiet["time_between_false_alarms"])


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_are_seeded_and_as_long_as_asked_for(name: str) -> None:
    one, again, other = (make_signal(f"{name}:rows=500", seed=seed) for seed in (1, 1, 2))
    assert len(one.values) == 500
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    assert all(0 < drift.row < 500 for drift in [*one.drifts, *one.optional])


def test_rates_of_errors_are_as_described() -> None:
    def rate(name: str, start: int, stop: int) -> float:
        return float(np.mean([make_signal(name, seed=seed).values[start:stop].mean() for seed in range(20)]))

    assert rate("abrupt_errors", 0, 10_000) == pytest.approx(0.2, abs=0.005)
    assert rate("abrupt_errors", 10_000, 20_000) == pytest.approx(0.35, abs=0.005)
    assert rate("small_errors", 10_000, 20_000) == pytest.approx(0.25, abs=0.005)
    assert rate("stationary_errors", 0, 20_000) == pytest.approx(0.2, abs=0.005)
    assert rate("gradual_errors", 9_900, 10_100) == pytest.approx(0.25, abs=0.02)
    assert rate("gradual_errors", 0, 4_000) == pytest.approx(0.1, abs=0.005)
    assert rate("gradual_errors", 16_000, 20_000) == pytest.approx(0.4, abs=0.005)
    assert rate("recurring_errors", 4_000, 8_000) == pytest.approx(0.3, abs=0.01)
    assert rate("mean_shift", 10_000, 20_000) == pytest.approx(1.0, abs=0.01)
    recurring = make_signal("recurring_errors")
    assert [drift.row for drift in recurring.drifts] == [4_000, 12_000]
    assert [drift.row for drift in recurring.optional] == [8_000, 16_000]


@pytest.mark.parametrize("text", ["abrupt_errors:rows=99", "abrupt_errors:rows=x", "abrupt_errors:row=500"])
def test_wrong_options_of_signals_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="rows"):
        make_signal(text)


def test_an_unknown_signal_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="abrupt_errors"):
        make_signal("abrupt_error")


# -- evaluation ------------------------------------------------------------------------------------------------------


def test_a_scripted_detector_gets_the_score_that_it_deserves() -> None:
    signal = Signal("mine", np.zeros(2000), [Drift(1000)])
    result = evaluate_detectors(
        {"good": Scripted([1010]), "bad": Scripted([5, 1500], warnings=[3, 4])}, signal, max_delay=400
    )
    good, bad = result.summary
    assert (good["found"], good["delay"], good["false_alarms"]) == (1, 10.0, 0.0)
    assert (bad["found"], bad["missed"], bad["false_alarms"], bad["warnings"]) == (0, 1.0, 1.0, 1.0)
    text = str(result)
    assert "good" in text
    assert "1 of 1" in text
    assert "0 of 1" in text


def test_rivers_detectors_run_in_the_same_table() -> None:
    ours, theirs = river_drift.PageHinkley(), river_drift.PageHinkley()
    signal = make_signal("abrupt_errors:rows=4000", seed=5)
    alarms = []
    for i, value in enumerate(signal.values):
        theirs.update(value)
        if theirs.drift_detected:
            alarms.append(i)
    assert np.flatnonzero(levels_of(ours, signal.values) == 2).tolist() == alarms
    result = evaluate_detectors({"River's": river_drift.PageHinkley()}, "abrupt_errors:rows=4000", seeds=[5])
    assert result.runs[0].alarms.tolist() == alarms


def test_detectors_watch_the_errors_of_a_learner_on_a_stream_that_knows_its_drifts() -> None:
    result = evaluate_detectors(["adwin", "ddm"], "stagger_a:rows=30000", learner="naive_bayes", seeds=2)
    errors = []
    learner = sl.NaiveBayes()
    for batch in sl.open_stream("stagger_a:rows=30000,seed=2").batches():
        errors.append(learner.process(batch).prediction != batch.y)
    expected = np.flatnonzero(sl.make_detector("adwin").update_many(np.concatenate(errors).astype(float)) == 2)
    run = next(run for run in result.runs if run.detector == "adwin" and run.seed == 2)
    assert run.alarms.tolist() == expected.tolist()
    assert run.drifts == tuple(sl.open_stream("stagger_a:rows=30000").drifts)
    assert result.summary[0]["found"] > 0


def test_detectors_start_anew_on_each_sequence() -> None:
    together = evaluate_detectors("page_hinkley", ["abrupt_errors:rows=3000", "small_errors:rows=3000"], seeds=2)
    for run in together.runs:
        alone = evaluate_detectors("page_hinkley", f"{run.stream}:rows=3000", seeds=[run.seed])
        assert alone.runs[0].alarms.tolist() == run.alarms.tolist()


def test_results_as_json_and_picture(tmp_path: Path) -> None:
    result = evaluate_detectors(["adwin", "eddm"], ["abrupt_errors:rows=2000", "stationary_errors:rows=2000"], seeds=2)
    document = json.loads(result.to_json(tmp_path / "detectors.json"))
    assert document == json.loads((tmp_path / "detectors.json").read_text())
    assert len(document["runs"]) == 8
    assert {entry["stream"] for entry in document["by_stream"]} == {"abrupt_errors", "stationary_errors"}
    pytest.importorskip("matplotlib")
    result.plot(tmp_path / "detectors.svg")
    drawn = (tmp_path / "detectors.svg").read_text()
    assert "<svg" in drawn
    with pytest.raises(OptionError, match=r"\.png"):
        result.plot(tmp_path / "detectors.txt")


def test_a_detector_sits_out_what_it_is_not_defined_for() -> None:
    result = evaluate_detectors(["ddm", "adwin"], ["abrupt_errors:rows=500", "mean_shift:rows=500"], seeds=1)
    assert set(result.skipped) == {("ddm", "mean_shift")}
    assert len(result.runs) == 3
    assert "Not defined for the values of mean_shift: ddm." in str(result)
    with pytest.raises(InputError, match="no detector takes in these values"):
        evaluate_detectors("ddm", "mean_shift:rows=500", seeds=1)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(OptionError, match="does not know its drifts"):
        evaluate_detectors("adwin", "electricity", limit=100)
    with pytest.raises(OptionError, match="no drift detector"):
        evaluate_detectors(object(), "abrupt_errors")
    with pytest.raises(OptionError, match="at least one detector"):
        evaluate_detectors([], "abrupt_errors")
    with pytest.raises(OptionError, match="at least one signal"):
        evaluate_detectors("adwin", [])
    with pytest.raises(OptionError, match="at least one seed"):
        evaluate_detectors("adwin", "abrupt_errors", seeds=0)
    with pytest.raises(OptionError, match="two detectors"):
        evaluate_detectors(["adwin", "adwin"], "abrupt_errors")
    with pytest.raises(OptionError, match="max_delay"):
        evaluate_detectors("adwin", "abrupt_errors:rows=200", max_delay=0)
