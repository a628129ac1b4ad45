"""Labels that come late, in part, or when asked for; and folds: as a walk row by row has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import evaluate as river_evaluate
from river import metrics as river_metrics
from river import naive_bayes as river_bayes

import streamlearn as sl
from streamlearn.batch import Batch
from streamlearn.errors import InputError, OptionError
from streamlearn.evaluation import prequential
from streamlearn.evaluation.folds import Folds
from streamlearn.evaluation.labels import Delay, parse_delay
from streamlearn.evaluation.queries import QUERIES, make_query
from streamlearn.source import Source
from tests.naive.labels import walk


def schema() -> sl.Schema:
    """Classes in an order of their own: walks and streams must break ties alike, whichever class comes first."""
    return sl.Schema.of(["a", "b"], target="y", classes=["no", "yes", "maybe"])


LEARNERS: dict[str, Callable[[], Any]] = {
    "bayes": lambda: sl.NaiveBayes(schema=schema()),
    "tree": lambda: sl.HoeffdingTreeClassifier(grace_period=10, delta=0.5, schema=schema()),
    "no change": lambda: sl.NoChangeClassifier(schema=schema()),
}


class Timed(Source):
    """Rows with times, and labels that come at times of their own."""

    def __init__(
        self, X: np.ndarray, y: list[str], times: np.ndarray | None = None, label_times: np.ndarray | None = None
    ) -> None:
        self.name, self.rows = "timed", len(X)
        self.schema = schema()
        self._batch = self.schema.encode(X, y)
        self._batch.event_time, self._batch.label_time = times, label_times
        self._next = 0

    def poll(self, max_rows: int = 8192, timeout: float = 0.0) -> Batch | None:
        if self._next == len(self._batch):
            return None
        batch = self._batch.slice(self._next, min(self._next + max_rows, len(self._batch)))
        self._next += len(batch)
        return batch

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        self._next = position["row"]


def data(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 2)).round(1)
    y = [("no", "yes", "maybe")[int(a > 0) + int(a + b > 1)] for a, b in X]
    return X, y


def as_rows(X: np.ndarray, y: list[str]) -> list[tuple[dict[str, float], str]]:
    return [({"a": a, "b": b}, label) for (a, b), label in zip(X.tolist(), y, strict=True)]


def accuracy(judged: list[tuple[int, Any]], y: list[str]) -> float:
    return sum(prediction == y[row] for row, prediction in judged) / len(y)


@pytest.fixture(params=[7, 50, 8192], ids=["cut at 7", "cut at 50", "whole"])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows a batch has."""
    monkeypatch.setattr(prequential, "ROWS_PER_BATCH", request.param)
    return int(request.param)


# -- delays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("delay", [1, 2, 13, 60, 299, 300, 1000])
def test_a_delay_in_rows_is_that_of_a_walk_row_by_row(name: str, delay: int, cut: int) -> None:
    X, y = data(300, 1)
    numbers = [float(i) for i in range(300)]
    judged, _ = walk(as_rows(X, y), LEARNERS[name](), [i + delay for i in numbers], numbers)
    result = sl.evaluate(Timed(X, y), LEARNERS[name](), metrics=["accuracy", "log_loss"], delay=delay, every=20)
    assert result.summary[0]["accuracy"] == accuracy(judged, y)
    assert result.runs[0].rows == 300
    assert result.settings["delay"] == str(delay)


def test_rivers_delay_is_the_same() -> None:
    X, y = data(400, 2)
    pairs = as_rows(X, y)
    for delay in (1, 10, 250):
        theirs = river_evaluate.progressive_val_score(
            iter(pairs), river_bayes.GaussianNB(), river_metrics.Accuracy(), delay=delay
        )
        ours = sl.evaluate(pairs, sl.from_river(river_bayes.GaussianNB()), metrics=["accuracy"], delay=delay)
        run = ours.runs[0]  # River leaves out rows for which there was no prediction; we count them as wrong
        right = run.cumulative["accuracy"] * run.labelled
        assert right / (run.labelled - run.unpredicted) == pytest.approx(theirs.get(), abs=1e-12)


@pytest.mark.parametrize("metrics", [["accuracy", "kappa", "kappa_m", "kappa_t", "log_loss"]])
def test_one_row_of_delay_is_none(metrics: list[str]) -> None:
    X, y = data(500, 3)
    at_once = sl.evaluate(Timed(X, y), sl.NaiveBayes(), metrics=metrics)
    one_row = sl.evaluate(Timed(X, y), sl.NaiveBayes(), metrics=metrics, delay=1)
    assert at_once.runs[0].cumulative == one_row.runs[0].cumulative
    assert at_once.windows.equals(one_row.windows)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 30), st.integers(5, 90))
def test_a_delay_by_time_is_that_of_a_walk_row_by_row(seed: int, seconds: float, n: int) -> None:
    X, y = data(n, seed)
    random = np.random.default_rng(seed)
    times = np.cumsum(random.integers(-1, 4, n)).astype(float)  # some rows are older than those before them
    judged, _ = walk(as_rows(X, y), LEARNERS["bayes"](), list(times + float(f"{seconds:.3f}")), list(times))
    source = Timed(X, y, times)
    result = sl.evaluate(source, sl.NaiveBayes(), metrics=["accuracy"], delay=f"{seconds:.3f}s")
    assert result.summary[0]["accuracy"] == accuracy(judged, y)


def test_labels_come_when_the_stream_says(cut: int) -> None:
    X, y = data(250, 5)
    random = np.random.default_rng(5)
    times = np.arange(250.0)
    label_times = times + random.exponential(40.0, 250).round()
    judged, _ = walk(as_rows(X, y), LEARNERS["tree"](), list(label_times), list(times))
    result = sl.evaluate(Timed(X, y, times, label_times), LEARNERS["tree"](), metrics=["accuracy"], delay="stream")
    assert result.summary[0]["accuracy"] == accuracy(judged, y)


def test_event_times_come_from_a_column() -> None:
    X, y = data(200, 6)
    times = pa.array(np.arange(200) * 1_000_000, pa.timestamp("us"))
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "at": times, "y": y})
    options: dict[str, Any] = {"target": "y", "event_time": "at", "metrics": ["accuracy"]}
    by_time = sl.evaluate(table, sl.NaiveBayes(), delay=timedelta(seconds=30), **options)
    by_rows = sl.evaluate(table, sl.NaiveBayes(), delay=30, **options)
    assert by_time.summary[0]["accuracy"] == by_rows.summary[0]["accuracy"]
    with pytest.raises(InputError, match="needs the event time of every row"):
        sl.evaluate((X, y), sl.NaiveBayes(), delay="30s")
    with pytest.raises(OptionError, match="a matrix has none"):
        sl.evaluate((X, y), sl.NaiveBayes(), event_time="at")


def test_delays_as_people_write_them() -> None:
    assert parse_delay("250ms") == Delay(seconds=0.25)
    assert parse_delay("1.5h") == Delay(seconds=5400.0)
    assert parse_delay(timedelta(days=1)) == Delay(seconds=86400.0)
    assert parse_delay("stream") == Delay()
    assert parse_delay(0) is None
    for wrong in (-1, "5 parsecs", "", True, 1.5, "min"):
        with pytest.raises(OptionError, match="delay must be"):
            parse_delay(wrong)


def test_late_labels_of_regression() -> None:
    X, _ = data(300, 7)
    y = X @ [1.0, 2.0]
    result = sl.evaluate((X, y), sl.LinearRegression(), metrics=["mae"], delay=20)
    learner, waiting, error = sl.LinearRegression(), [], 0.0
    for i in range(300):
        if i >= 20:
            j = waiting.pop(0)
            learner.learn_many(X[j : j + 1], y[j : j + 1])
        error += abs(float(learner.predict_many(X[i : i + 1])[0]) - y[i])
        waiting.append(i)
    assert result.summary[0]["mae"] == pytest.approx(error / 300, rel=1e-9)


# -- partial labels and queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [None, 25])
def test_a_share_of_the_labels_is_learned_and_all_rows_are_measured(delay: int | None, cut: int) -> None:
    X, y = data(400, 8)
    drawn = np.random.default_rng([9, 1]).random(400) < 0.3
    numbers = [float(i) for i in range(400)]
    judged, learned = walk(
        as_rows(X, y), LEARNERS["tree"](), [i + (delay or 0) for i in numbers], numbers, lambda row: bool(drawn[row])
    )
    result = sl.evaluate(Timed(X, y), LEARNERS["tree"](), metrics=["accuracy"], labels=0.3, seed=9, delay=delay)
    assert result.summary[0]["accuracy"] == accuracy(judged, y)
    assert result.runs[0].learned == len(learned)
    assert result.runs[0].labelled == 400
    assert f"learned {len(learned)} labels" in str(result)


@pytest.mark.parametrize("query", [f"{name}:budget=0.3,seed=4" for name in QUERIES])
@pytest.mark.parametrize("delay", [None, 3, 40])
def test_queries_are_those_of_a_walk_row_by_row(query: str, delay: int | None, cut: int) -> None:
    X, y = data(300, 10)
    strategy = make_query(query)
    numbers = [float(i) for i in range(300)]
    judged, learned = walk(
        as_rows(X, y), LEARNERS["bayes"](), [i + (delay or 0) for i in numbers], numbers, ask=strategy.ask
    )
    result = sl.evaluate(Timed(X, y), LEARNERS["bayes"](), metrics=["accuracy", "log_loss"], query=query, delay=delay)
    assert result.summary[0]["accuracy"] == accuracy(judged, y)
    assert result.runs[0].learned == len(learned)


@pytest.mark.parametrize("name", QUERIES)
def test_a_budget_is_kept(name: str) -> None:
    random = np.random.default_rng(0)
    for budget in (0.05, 0.3):
        strategy = make_query(f"{name}:budget={budget}")
        asked = sum(strategy.ask(float(confidence)) for confidence in random.uniform(0.3, 1.0, 20_000))
        assert asked / 20_000 <= budget * 1.15
        assert asked / 20_000 >= budget * 0.6


def test_wrong_queries_are_refused() -> None:
    with pytest.raises(OptionError, match="budget"):
        make_query("random:budget=0")
    with pytest.raises(OptionError, match="did you mean budget"):
        make_query("random:buget=0.1")
    with pytest.raises(OptionError, match="variable_uncertainty"):
        make_query("variable_uncertanty")
    X, y = data(50, 0)
    for wrong in ({"labels": 0.5}, {"folds": 3}):
        with pytest.raises(OptionError, match="query is for classifiers"):
            sl.evaluate((X, y), sl.NaiveBayes(), query="random", **wrong)
    with pytest.raises(OptionError, match="labels"):
        sl.evaluate((X, y), sl.NaiveBayes(), labels=1.5)


# -- folds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cross-validation", "split", "bootstrap"])
@pytest.mark.parametrize("delay", [None, 15])
def test_folds_are_taught_and_tested_as_drawn(mode: str, delay: int | None, cut: int) -> None:
    X, y = data(400, 12)
    taught, tested = Folds(3, mode, 5).draw(400)
    result = sl.evaluate(
        Timed(X, y), {"t": LEARNERS["tree"](), "b": sl.NaiveBayes()}, metrics=["accuracy"], folds=3, fold_mode=mode,
        seed=5, delay=delay,
    )  # fmt: skip
    for run in result.runs:
        assert run.fold is not None
        learner = LEARNERS["tree" if run.label == "t" else "bayes"]()
        right, waiting = 0, []
        for i, (x, label) in enumerate(as_rows(X, y)):
            while waiting and i >= waiting[0] + (delay or 0):
                j = waiting.pop(0)
                if taught[j, run.fold]:
                    learner.learn_one({"a": X[j, 0], "b": X[j, 1]}, y[j], taught[j, run.fold])
            right += bool(tested[i, run.fold]) and learner.predict_one(x) == label
            waiting.append(i)
        assert run.cumulative["accuracy"] == right / tested[:, run.fold].sum()
        assert run.rows == 400
    assert result.summary[0]["folds"] == 3
    assert len(result.disagreements) == 3
    assert "over folds" in str(result)


@given(st.sampled_from(["cross-validation", "split", "bootstrap"]), st.lists(st.integers(0, 40), max_size=6))
def test_draws_do_not_depend_on_how_rows_are_cut(mode: str, cuts: list[int]) -> None:
    whole = Folds(4, mode, 3).draw(sum(cuts))
    folds = Folds(4, mode, 3)
    parts = [folds.draw(n) for n in cuts]
    for i in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part[i] for part in parts] or [whole[i]]), whole[i])


def test_each_row_is_tested_by_one_and_taught_to_the_others_or_the_other_way_round() -> None:
    taught, tested = Folds(5, "cross-validation", 0).draw(1000)
    assert (tested.sum(1) == 1).all()
    np.testing.assert_array_equal(taught, (~tested).astype(float))
    assert np.abs(tested.mean(0) - 0.2).max() < 0.05
    taught, tested = Folds(5, "split", 0).draw(1000)
    assert (taught.sum(1) == 1).all()
    np.testing.assert_array_equal(tested, taught == 0.0)
    taught, tested = Folds(5, "bootstrap", 0).draw(5000)
    assert abs(tested.mean() - np.exp(-1)) < 0.02
    np.testing.assert_array_equal(tested, taught == 0.0)
    for wrong in ((1, "split"), (3, "k-fold"), (True, "split")):
        with pytest.raises(OptionError):
            Folds(wrong[0], wrong[1], 0)


def test_results_with_folds_and_labels_come_back_from_json(tmp_path: Path) -> None:
    X, y = data(200, 1)
    result = sl.evaluate((X, y), sl.NaiveBayes(), folds=2, labels=0.5, delay=10)
    again = type(result).from_json(result.to_json(tmp_path / "result.json"))
    assert [(run.fold, run.learned) for run in again.runs] == [(run.fold, run.learned) for run in result.runs]
    assert json.loads((tmp_path / "result.json").read_text())["settings"]["folds"] == 2
