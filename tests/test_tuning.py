"""The search for hyper-parameters: what it tries, what it keeps, and that neither jobs nor interruptions change it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn.errors import InputError, OptionError, UnknownNameError
from streamlearn.tuning import Range, Tuning, tune
from streamlearn.tuning.space import parse_param

TREE = "hoeffding_tree_classifier"
SPACE = {"grace_period": Range(20, 400), "delta": Range(1e-7, 0.1, log=True), "leaf_prediction": ["mc", "nba"]}


def found(tuning: Tuning) -> list[tuple[int, dict, dict]]:
    return [(trial.number, trial.params, trial.scores) for trial in tuning.trials]


# -- the space -------------------------------------------------------------------------------------------------------


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.floats(0, 1))
def test_whole_bounds_give_whole_numbers_within_them(low: int, width: int, share: float) -> None:
    value = Range(low, low + width).at(share)
    assert isinstance(value, int)
    assert low <= value <= low + width


@given(st.floats(1e-9, 1e3), st.floats(1.01, 1e6), st.floats(0, 1))
def test_logarithmic_ranges_stay_within_their_bounds(low: float, factor: float, share: float) -> None:
    value = Range(low, low * factor, log=True).at(share)
    assert low * (1 - 1e-5) <= value <= low * factor * (1 + 1e-5)


def test_what_the_command_line_writes() -> None:
    assert parse_param("a=1,2.5,x,true,none") == ("a", [1, 2.5, "x", True, None])
    assert parse_param("a = 1..9") == ("a", Range(1, 9))
    assert parse_param("a=1e-3..0.1:log") == ("a", Range(1e-3, 0.1, log=True))


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a b=1", "a=1..x", "a=5..1", "a=0..1:log", "a=1..2:ln", "a=none..3"])
def test_malformed_parameters_are_refused(text: str) -> None:
    with pytest.raises(OptionError):
        parse_param(text)


# -- the search ------------------------------------------------------------------------------------------------------


def test_grid_scores_are_those_of_evaluate() -> None:
    tuning = tune(
        "electricity", TREE, {"grace_period": [50, 300], "tau": Range(0.01, 0.1)}, search="grid", points=2, limit=3000
    )
    assert len(tuning.trials) == 5
    assert tuning.trials == sorted(tuning.trials, key=lambda trial: (-trial.score, trial.number))
    for trial in tuning.trials:
        result = sl.evaluate(
            "electricity", sl.HoeffdingTreeClassifier(**trial.params), metrics=["accuracy"], limit=3000
        )
        assert trial.scores == {3000: result.summary[0]["accuracy"]}


def test_halving_keeps_the_best_third_of_each_rung_and_the_learner_as_given() -> None:
    tuning = tune("electricity", TREE, SPACE, trials=8, limit=9000, seed=4)
    by_rows: dict[int, dict[int, float]] = {}
    for trial in tuning.trials:
        for rows, score in trial.scores.items():
            by_rows.setdefault(rows, {})[trial.number] = score
    rungs = sorted(by_rows)
    assert rungs == [1000, 3000, 9000]
    assert [len(by_rows[rows]) for rows in rungs] in ([9, 3, 1], [9, 4, 1], [9, 3, 2], [9, 4, 2])
    for shorter, longer in pairwise(rungs):
        kept = set(by_rows[longer]) - {0}
        dropped = set(by_rows[shorter]) - kept - {0}
        assert min(by_rows[shorter][trial] for trial in kept or {0}) >= max(
            by_rows[shorter][trial] for trial in dropped
        )
        assert 0 in by_rows[longer]
    assert tuning.best.rows == 9000
    assert tuning.best.score == max(by_rows[9000].values())


def test_an_error_to_be_small_is_minimised() -> None:
    X = np.random.default_rng(0).normal(size=(3000, 2))
    y = X @ [2.0, -1.0]
    rates = {"learning_rate": [1e-5, 0.05]}
    tuning = tune((X, y), "linear_regression", rates, search="grid", metric="rmse")
    assert tuning.best.params != {"learning_rate": 1e-5}
    assert [trial.score for trial in tuning.trials] == sorted(trial.score for trial in tuning.trials)


def test_jobs_change_nothing() -> None:
    assert found(tune("electricity", TREE, SPACE, trials=9, limit=4000, jobs=1)) == found(
        tune("electricity", TREE, SPACE, trials=9, limit=4000, jobs=4)
    )


def test_seeds_change_the_draw_and_equal_seeds_repeat_it() -> None:
    first, again, other = (
        tune("electricity", TREE, SPACE, search="random", trials=4, limit=600, seed=s) for s in (1, 1, 2)
    )
    assert found(first) == found(again)
    assert found(first) != found(other)


def test_the_winner_can_be_made_and_written_on_the_command_line() -> None:
    tuning = tune("electricity", f"{TREE}:tau=0.1", {"grace_period": [20, 30]}, search="grid", limit=2000)
    made = tuning.make_learner()
    assert {**made.params, "tau": 0.1} == made.params
    assert repr(sl.make_learner(tuning.spec)) == repr(made)
    chain = tune("electricity", "standard_scaler | logistic_regression", {"l2": [0.01, 0.1]}, search="grid", limit=500)
    assert repr(sl.make_learner(chain.spec)) == repr(chain.make_learner())


def test_wrong_options_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        tune("electricity", "hoeffding_tree_clasifier", SPACE)
    with pytest.raises(OptionError, match="did you mean grace_period"):
        tune("electricity", TREE, {"grace_perod": [1]})
    with pytest.raises(OptionError, match="delta"):
        tune("electricity", TREE, {"delta": [2.0]}, search="grid")
    with pytest.raises(OptionError, match="no choices"):
        tune("electricity", TREE, {"delta": []})
    with pytest.raises(OptionError, match="which parameters"):
        tune("electricity", TREE, {})
    with pytest.raises(OptionError, match="from its start"):
        tune(sl.open_stream("electricity"), TREE, SPACE)
    with pytest.raises(OptionError, match="from its start"):
        tune(iter([({"a": 1}, 0)]), TREE, SPACE)
    with pytest.raises(OptionError, match="nothing to compare"):
        tune("electricity", "standard_scaler", {"with_std": [True]})
    for wrong in ({"trials": 0}, {"points": 1}, {"eta": 1}, {"jobs": -1}, {"limit": 0}, {"search": "bayes"}):
        with pytest.raises(OptionError):
            tune("electricity", TREE, SPACE, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        tune(str(tmp_path / "none.csv"), TREE, SPACE)


# -- the journal -----------------------------------------------------------------------------------------------------


def test_a_journal_cut_anywhere_is_continued_to_the_same_result(tmp_path: Path) -> None:
    journal = tmp_path / "search.jsonl"
    whole = found(tune("electricity", TREE, SPACE, trials=6, limit=3000, journal=journal))
    content = journal.read_bytes()
    for length in [0, 1, content.index(b"\n"), content.index(b"\n") + 1, *range(300, len(content), 97)]:
        journal.write_bytes(content[:length])
        assert found(tune("electricity", TREE, SPACE, trials=6, limit=3000, journal=journal)) == whole
        lines = journal.read_text().splitlines()
        assert {json.dumps(sorted(json.loads(line))) for line in lines[1:]} == {'["rows", "score", "seconds", "trial"]'}
        assert len(lines) == content.count(b"\n")


def test_the_journal_of_another_search_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "search.jsonl"
    tune("electricity", TREE, SPACE, trials=3, limit=600, journal=journal)
    with pytest.raises(OptionError, match="another search \\(differing in seed\\)"):
        tune("electricity", TREE, SPACE, trials=3, limit=600, journal=journal, seed=9)
    journal.write_text("{}\n")
    with pytest.raises(OptionError, match="no journal"):
        tune("electricity", TREE, SPACE, trials=3, limit=600, journal=journal)


def test_a_killed_search_goes_on_where_it_was(tmp_path: Path) -> None:
    run = "import sys; from streamlearn.cli import main; sys.argv[0] = 'streamlearn'; main()"
    arguments = ["-c", run, "tune", "-s", "electricity", "-l", TREE, "-p", "grace_period=20..400"]
    arguments += ["-p", "delta=1e-7..0.1:log", "--search", "random", "--trials", "40", "-q", "--seed", "5", "-j", "1"]
    journal = tmp_path / "search.jsonl"
    command = [sys.executable, *arguments, "--journal", str(journal)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 4:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    process.wait()
    done = journal.read_bytes().count(b"\n") - 1
    assert 3 <= done <= 41
    resumed = subprocess.run([*command, "--json", str(tmp_path / "resumed.json")], check=True, capture_output=True)
    fresh = subprocess.run(
        [sys.executable, *arguments, "--json", str(tmp_path / "fresh.json")], check=True, capture_output=True, text=True
    )

    def without_times(path: Path) -> list:
        return [{**trial, "seconds": 0} for trial in json.loads(path.read_text())["trials"]]

    assert without_times(tmp_path / "resumed.json") == without_times(tmp_path / "fresh.json")
    assert f"best: {TREE}:grace_period=" in fresh.stdout
    assert f"best: {TREE}:grace_period=".encode() in resumed.stdout


def test_a_score_that_is_not_defined_is_null_in_json() -> None:
    constant = (np.ones((600, 1)), np.zeros(600))
    tuning = tune(constant, "linear_regression", {"learning_rate": [0.1]}, search="grid", metric="r2")
    assert math.isnan(tuning.best.score)
    assert json.loads(tuning.to_json())["trials"][0]["scores"] == {"600": None}
