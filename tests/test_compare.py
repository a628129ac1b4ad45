"""Learners are compared over several streams: the same figures however they are run, and files that come back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import streamlearn as sl
from streamlearn.errors import InputError, OptionError, StateError
from streamlearn.evaluation import stream_pairs
from streamlearn.evaluation.verdict import on_one_stream

LEARNERS = ("prior_classifier", "no_change_classifier", "naive_bayes")


def write(folder: Path, name: str, flip: float, seed: int = 0) -> str:
    """A CSV stream whose label is the sign of ``a`` but for a share ``flip`` of the rows."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 800))
    y = (a > 0) ^ (rng.random(800) < flip)
    rows = [f"{u:.4f},{v:.4f},{'up' if up else 'down'}" for u, v, up in zip(a, b, y, strict=True)]
    path = folder / f"{name}.csv"
    path.write_text("\n".join(["a,b,class", *rows]))
    return str(path)


@pytest.fixture
def streams(tmp_path: Path) -> list[str]:
    return [write(tmp_path, name, flip, seed) for seed, (name, flip) in enumerate({"calm": 0.05, "wild": 0.4}.items())]


def without_times(comparison: sl.Comparison) -> list[object]:
    return [
        (result.stream, run.label, run.cumulative, run.curve.to_pydict(), result.disagreements)
        for result in comparison.results
        for run in result.runs
    ]


def test_each_stream_is_evaluated_as_alone(streams: list[str]) -> None:
    comparison = sl.compare(streams, list(LEARNERS), metrics=["accuracy", "kappa"], window=100)
    assert comparison.streams == ("calm", "wild")
    for i, stream in enumerate(streams):
        alone = sl.evaluate(stream, list(LEARNERS), metrics=["accuracy", "kappa"], window=100)
        assert comparison.scores()[i].tolist() == [entry["accuracy"] for entry in alone.summary]
        assert comparison.scores("kappa")[i].tolist() == [entry["kappa"] for entry in alone.summary]
    ranks = list(comparison.mean_ranks().values())
    assert ranks == sorted(ranks)
    assert sum(ranks) == pytest.approx(6.0)


def test_learners_given_stay_untrained(streams: list[str]) -> None:
    bayes = sl.NaiveBayes()
    sl.compare(streams, {"bayes": bayes}, limit=50)
    assert bayes.predict_one({"a": 1.0, "b": 0.0}) is None


def test_workers_find_the_same(streams: list[str]) -> None:
    one = sl.compare(streams, list(LEARNERS), window=100)
    two = sl.compare(streams, list(LEARNERS), window=100, jobs=2)
    assert without_times(one) == without_times(two)


def test_finished_streams_are_not_repeated(
    streams: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(InputError, match="missing"):
        sl.compare([*streams, str(tmp_path / "missing.csv")], list(LEARNERS), keep=kept)
    assert len(list(kept.glob("*.json"))) == 2
    again = sl.compare(streams, list(LEARNERS), keep=kept, progress=True)
    assert "2 of 2 streams were finished before" in capsys.readouterr().err
    assert without_times(again) == without_times(sl.compare(streams, list(LEARNERS)))
    sl.compare(streams, list(LEARNERS), keep=kept, window=50)  # other options, other results
    assert len(list(kept.glob("*.json"))) == 4
    with pytest.raises(OptionError, match="by name or path"):
        sl.compare([(np.ones((3, 1)), np.ones(3))], "prior_classifier", keep=kept)
    with pytest.raises(InputError, match="no folder"):
        sl.compare(streams, "prior_classifier", keep=tmp_path / "nowhere")


def test_streams_may_be_named_and_are_told_apart() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    data = (X, X[:, 0] > 0)
    assert sl.compare({"one": data, "two": data}, "prior_classifier").streams == ("one", "two")
    assert sl.compare([data, data, data], "prior_classifier").streams == ("array", "array #2", "array #3")


def test_saved_results_are_compared(streams: list[str], tmp_path: Path) -> None:
    files = []
    for i, stream in enumerate(streams):
        for label in LEARNERS:
            files.append(tmp_path / f"{label}{i}.json")
            sl.evaluate(stream, label).to_json(files[-1])
    comparison = sl.Comparison.from_results(files)
    assert comparison.labels == LEARNERS
    together = sl.compare(streams, list(LEARNERS))
    assert np.array_equal(comparison.scores(), together.scores())
    with pytest.raises(OptionError, match="both have the learner"):
        sl.Comparison.from_results([files[0], files[0]])
    with pytest.raises(OptionError, match="learners"):
        sl.Comparison.from_results([*files, sl.evaluate("electricity", LEARNERS[0], limit=50)])


def test_a_comparison_comes_back_from_json(streams: list[str], tmp_path: Path) -> None:
    comparison = sl.compare(streams, list(LEARNERS), seeds=[1, 2], window=200)
    text = comparison.to_json(tmp_path / "c.json")
    again = sl.Comparison.from_json(tmp_path / "c.json")
    assert again.to_json() == text
    assert str(again) == str(comparison)
    accuracy = json.loads(text)["metrics"]["accuracy"]
    assert accuracy["mean_ranks"] == comparison.mean_ranks()
    assert accuracy["friedman"]["p_value"] == comparison.friedman().p_value  # type: ignore[union-attr]
    assert {"a", "b", "wilcoxon", "p_a", "p_equivalent", "p_b"} <= accuracy["pairs"][0].keys()
    with pytest.raises(StateError, match="not the JSON"):
        sl.Comparison.from_json('{"format": "streamlearn-comparison/1"}')
    with pytest.raises(StateError, match="format"):
        sl.Comparison.from_json(comparison.results[0].to_json())


def test_curves_of_all_streams_are_one_table(streams: list[str], tmp_path: Path) -> None:
    comparison = sl.compare(streams, list(LEARNERS), window=200)
    comparison.to_parquet(tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.num_rows == 2 * 3 * 4
    assert table.column("stream").unique().to_pylist() == ["calm", "wild"]


def test_pairs_say_who_is_better(streams: list[str]) -> None:
    comparison = sl.compare(streams, list(LEARNERS))
    first, second, third = comparison.mean_ranks()
    pairs = comparison.pairs()
    assert [(pair["a"], pair["b"]) for pair in pairs] == [(first, second), (first, third), (second, third)]
    scores = dict(zip(comparison.labels, comparison.scores().T, strict=True))
    for pair in pairs:
        gain = scores[pair["a"]] - scores[pair["b"]]
        assert pair["difference"] == pytest.approx(gain.mean())
        assert (pair["wins"], pair["losses"]) == ((gain > 0).sum(), (gain < 0).sum())
        assert pair["p_a"] + pair["p_equivalent"] + pair["p_b"] == pytest.approx(1.0)
        assert pair["wilcoxon"] <= pair["wilcoxon_holm"]


def test_less_is_better_for_errors() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 2))
    streams = {f"plane {i}": (X, X @ rng.normal(size=2)) for i in range(3)}
    learners = {"fast": sl.LinearRegression(), "still": "linear_regression:l2=50.0"}
    comparison = sl.compare(streams, learners, metrics=["mae"])
    best = next(iter(comparison.mean_ranks()))
    index = comparison.labels.index(best)
    assert comparison.scores()[:, index].mean() == comparison.scores().mean(axis=0).min()
    assert comparison.pairs()[0]["difference"] < 0.0
    assert comparison.pairs()[0]["wins"] == 3
    assert "percent" not in str(comparison)


def test_the_verdict_counts_few_streams_as_hints(streams: list[str]) -> None:
    text = str(sl.compare(streams, list(LEARNERS)))
    assert "No significant difference" in text
    assert "2 streams are few" in text
    two = str(sl.compare(streams, list(LEARNERS[:2])))
    assert "Wilcoxon" in two
    assert "not significant" in two


def test_clear_differences_are_called_significant() -> None:
    rng = np.random.default_rng(3)
    streams = {}
    for i in range(12):
        X = rng.normal(size=(400, 3))
        streams[f"s{i}"] = (X, X @ rng.normal(size=3) > 0)
    comparison = sl.compare(streams, ["logistic_regression", "no_change_classifier", "prior_classifier"])
    text = str(comparison)
    assert "logistic_regression is significantly better than" in text
    assert "better than" in comparison.notes()[-1]
    assert comparison.friedman().p_value < 0.001  # type: ignore[union-attr]
    assert comparison.critical_difference() == pytest.approx(2.343 * math.sqrt(12 / 72), abs=2e-3)


def test_disagreements_are_counted_row_by_row(streams: list[str]) -> None:
    result = sl.evaluate(streams[0], list(LEARNERS))
    rows = list(sl.open_stream(streams[0]).batches())
    right = {}
    for label in LEARNERS:
        learner = sl.make_learner(label)
        hits = [learner.process(batch).prediction == learner.targets(batch) for batch in rows]
        right[label] = np.concatenate(hits)
    assert [(entry["a"], entry["b"]) for entry in result.disagreements] == [
        LEARNERS[:2],
        (LEARNERS[0], LEARNERS[2]),
        LEARNERS[1:],
    ]
    for entry in result.disagreements:
        a, b = right[entry["a"]], right[entry["b"]]
        assert (entry["only_a_right"], entry["only_b_right"]) == (int(np.sum(a & ~b)), int(np.sum(b & ~a)))


def test_mcnemar_pairs_on_a_stream(streams: list[str]) -> None:
    pairs = stream_pairs(sl.evaluate(streams[0], list(LEARNERS)))
    assert len(pairs) == 3
    assert all(pair["p_value"] <= pair["p_holm"] <= 1.0 for pair in pairs)
    clear = next(pair for pair in pairs if pair["b"] == "naive_bayes")
    assert clear["sign"] == -1
    assert clear["p_holm"] < 0.001
    assert stream_pairs(sl.evaluate(streams[0], LEARNERS[0])) == []


def test_nonsense_is_refused(streams: list[str]) -> None:
    with pytest.raises(OptionError, match="at least one stream"):
        sl.compare([], "naive_bayes")
    with pytest.raises(OptionError, match="list, or a dict"):
        sl.compare("electricity", "naive_bayes")
    with pytest.raises(OptionError, match="jobs"):
        sl.compare(streams, "naive_bayes", jobs=0)
    with pytest.raises(OptionError, match="was not measured"):
        sl.compare(streams, "naive_bayes", metrics=["kappa"]).scores("accuracy")
    with pytest.raises(OptionError, match="no learner 'tree'"):
        sl.compare(streams, "naive_bayes").pair("tree", "naive_bayes")


def test_one_stream_in_words() -> None:
    X = np.random.default_rng(5).normal(size=(400, 2))
    result = sl.evaluate((X, X[:, 0] > 0), list(LEARNERS), metrics=["accuracy"])
    accuracy = {entry["learner"]: entry["accuracy"] for entry in result.summary}
    first, second = sorted(accuracy, key=lambda label: -accuracy[label])[:2]
    assert on_one_stream(result, "accuracy") == [
        f"{first} has the best accuracy: {100 * accuracy[first]:.2f} %.",
        f"The next is {second}, {100 * (accuracy[first] - accuracy[second]):.2f} percent points behind.",
        f"McNemar's test: {first} is right on more rows, p < 0.001.",
    ]
    alone = sl.evaluate((X, X[:, 0]), "linear_regression", metrics=["mae"])
    assert on_one_stream(alone, "mae") == [f"linear_regression has the MAE: {alone.summary[0]['mae']:.4g}."]


def test_learners_alike_are_not_told_apart() -> None:
    data = {f"s{i}": (X := np.random.default_rng(i).normal(size=(100, 1)), X[:, 0] > 0) for i in range(6)}
    comparison = sl.compare(data, {"one": "naive_bayes", "other": "naive_bayes", "third": "naive_bayes"})
    assert set(comparison.mean_ranks().values()) == {2.0}
    assert comparison.notes() == [
        "No significant difference between the learners (Friedman p = 1.000).",
        "Bayesian signed-rank test: one and other are within one percent point with probability > 0.99.",
    ]
    assert stream_pairs(comparison.results[0])[0]["p_value"] == 1.0
