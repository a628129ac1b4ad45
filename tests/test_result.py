"""Results come back from their files unchanged, add up seeds, and read well as text and as pictures."""

from __future__ import annotations

import builtins
import json
import math
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from streamlearn.errors import MissingExtraError, OptionError, StateError
from streamlearn.evaluation import ClassificationMetrics, RegressionMetrics, Result, Run, aggregate, plot_confusion
from streamlearn.evaluation.comparison import Comparison
from streamlearn.evaluation.memory import Memory
from streamlearn.evaluation.plot_calibration import draw_calibration, summed_bins
from streamlearn.evaluation.plot_classes import draw_classes
from streamlearn.evaluation.report.page import page
from streamlearn.evaluation.result import format_metric


def run(label: str = "mine", seed: int | None = None, rows: int = 2500, share: float = 0.8, **facts: Any) -> Run:
    """A learner that is right in a share of the rows of a stream with the classes 'down' and 7."""
    y = np.random.default_rng(0).integers(0, 2, rows)
    right = np.random.default_rng([seed or 0, round(1000 * share)]).random(rows) < share
    metrics = ClassificationMetrics(metrics=["accuracy", "kappa", "f1_macro"])
    metrics.update(y, np.where(right, y, 1 - y))
    measured = {
        "wall_seconds": 0.5,
        "cpu_seconds": 0.4,
        "model_bytes": 1234,
        "inspection": {"nodes": 3, "kind": "tree"},
    }
    return Run.measured(metrics, label=label, seed=seed, classes=["down", 7], **(measured | facts))


def result(*runs: Run, **settings: Any) -> Result:
    return Result(stream="wind", task="classification", runs=list(runs), settings={"window": 1000, **settings})


def sure(label: str, sharpness: float, seed: int = 0) -> Run:
    """A learner with probabilities, the more sure the sharper."""
    rng = np.random.default_rng(seed)
    y, scores = rng.integers(0, 3, 2500), rng.normal(size=(2500, 3))
    scores[np.arange(2500), y] += 1.0
    proba = np.exp(sharpness * scores)
    metrics = ClassificationMetrics(metrics=["brier", "roc_auc", "calibration_error"])
    metrics.update(y, proba.argmax(axis=1), None, proba)
    return Run.measured(metrics, label=label, seed=seed, classes=["a", "b", "c"])


def regression() -> Result:
    y = np.random.default_rng(0).normal(size=1500)
    metrics = RegressionMetrics()
    metrics.update(y, np.where(np.arange(1500) < 3, np.nan, y + 0.1))
    return Result(stream="heat", task="regression", runs=[Run.measured(metrics, label="line", params={"rate": 0.1})])


def test_a_run_holds_what_was_measured() -> None:
    one = run()
    assert one.cumulative.keys() == one.window.keys() == one.fading.keys() == {"accuracy", "kappa", "f1_macro"}
    assert one.curve.column("row").to_pylist() == [1000, 2000, 2500]
    assert one.curve.column("accuracy")[-1].as_py() == one.cumulative["accuracy"]
    assert one.confusion is not None
    assert np.trace(one.confusion) / 2500 == pytest.approx(one.cumulative["accuracy"])
    assert one.per_class is not None
    assert [row["class"] for row in one.per_class] == ["down", 7]
    assert sum(row["support"] for row in one.per_class) == 2500
    assert one.rows_per_second == 5000


def test_classes_that_never_occurred_or_have_no_name_are_listed() -> None:
    metrics = ClassificationMetrics(metrics=["accuracy"])
    metrics.update(np.array([0, 1]), np.array([0, 0]))
    fewer, more = (Run.measured(metrics, label="x", classes=names) for names in (["a"], ["a", "b", "c"]))
    assert fewer.classes == ["a", 1]
    assert more.classes == ["a", "b", "c"]
    assert more.confusion is not None
    assert more.confusion.tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert more.per_class is not None
    assert more.per_class[2] == {
        "class": "c", "support": 0.0, "predicted": 0.0, "precision": 0.0, "recall": 0.0, "f1": 0.0
    }  # fmt: skip


def test_seeds_are_added_up() -> None:
    runs = [run("a", seed, wall_seconds=1.0 + seed, peak_rss_bytes=seed) for seed in range(3)] + [run("b")]
    first, second = aggregate(runs)
    accuracies = [member.cumulative["accuracy"] for member in runs[:3]]
    assert (first["learner"], first["seeds"], first["rows"]) == ("a", 3, 2500)
    assert first["accuracy"] == pytest.approx(sum(accuracies) / 3)
    deviation = math.sqrt(sum((value - first["accuracy"]) ** 2 for value in accuracies) / 2)
    assert first["accuracy_std"] == pytest.approx(deviation)
    assert deviation > 0.0
    assert (first["wall_seconds"], first["peak_rss_bytes"], first["nodes"], first["kind"]) == (2.0, 2, 3.0, "tree")
    assert (second["learner"], second["seeds"], second["nodes"]) == ("b", 1, 3)
    assert second["accuracy"] == runs[3].cumulative["accuracy"]
    assert "accuracy_std" not in second
    assert second["peak_rss_bytes"] is None


def test_windows_hold_all_curves() -> None:
    windows = result(run("a", 1), run("a", 2), run("b")).windows
    assert windows.column_names[:6] == ["learner", "seed", "row", "accuracy", "accuracy_fading", "accuracy_window"]
    assert windows.column("learner").to_pylist() == ["a"] * 6 + ["b"] * 3
    assert windows.column("seed").to_pylist() == [1] * 3 + [2] * 3 + [None] * 3
    assert result().windows.num_rows == 0


def test_json_is_strict_and_comes_back(tmp_path: Path) -> None:
    empty = ClassificationMetrics(metrics=["accuracy", "kappa", "f1_macro"])
    empty.update(np.array([0]), np.array([0]))  # kappa is undefined
    whole = result(
        run("a", 1, params={"limit": math.inf, "size": np.int64(3)}), Run.measured(empty, label="ü"), every=None
    )
    path = tmp_path / "result.json"
    text = whole.to_json(path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(text, parse_constant=refuse)
    assert document["runs"][1]["cumulative"]["kappa"] is None
    assert document["runs"][0]["params"] == {"limit": None, "size": 3}
    assert {"python", "numpy", "numba", "platform"} <= document["versions"].keys()
    for back in (Result.from_json(text), Result.from_json(path), Result.from_json(str(path))):
        assert back.to_json() == text
        assert str(back) == str(whole)
        assert back.runs[0].curve.equals(whole.runs[0].curve)
        assert back.runs[0].classes == ["down", 7]
        np.testing.assert_array_equal(back.runs[0].confusion, whole.runs[0].confusion)
        assert math.isnan(back.runs[1].cumulative["kappa"])
        assert back.runs[0].per_class == whole.runs[0].per_class
    assert back.runs[0].class_curve == whole.runs[0].class_curve
    assert back.runs[0].calibration is None
    assert Result.from_json(regression().to_json()).runs[0].cumulative == regression().runs[0].cumulative


def test_calibration_and_memory_come_back_from_json() -> None:
    one = sure("a", 1.0)
    memory = Memory()
    memory.sample(row=1200, size=3 * 2**20, seconds=36.0)
    memory.sample(row=2500, size=2**20, seconds=72.0)
    one.memory, one.ram_hours = memory.curve(), memory.ram_hours
    assert one.ram_hours == pytest.approx((3 * 36 + 72) / 1024 / 3600)
    back = Result.from_json(result(one).to_json())
    assert back.runs[0].calibration == one.calibration
    assert back.runs[0].class_curve == one.class_curve
    assert back.runs[0].memory == one.memory
    assert back.summary[0]["ram_hours"] == one.ram_hours
    assert "4.9e-05" in str(back)


def test_results_of_the_first_format_can_still_be_read() -> None:
    document = json.loads(result(run("a")).to_json())
    document["format"] = "streamlearn-result/1"
    for name in ("class_curve", "calibration", "memory", "ram_hours"):
        del document["runs"][0][name]
    back = Result.from_json(json.dumps(document)).runs[0]
    assert (back.class_curve, back.calibration, back.memory) == (None, None, None)
    assert math.isnan(back.ram_hours)
    assert back.curve == run("a").curve


@pytest.mark.parametrize("text", ["{}", '{"format": "other/9"}', "{", '{"format": "streamlearn-result/1"}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="result"):
        Result.from_json(text)


def test_parquet_holds_curves_and_summary(tmp_path: Path) -> None:
    whole = result(run("a", 1), run("b"))
    whole.to_parquet(tmp_path / "curves.parquet")
    table = pq.read_table(tmp_path / "curves.parquet")
    assert table.equals(whole.windows)
    about = json.loads(table.schema.metadata[b"streamlearn"])
    assert about["summary"] == json.loads(whole.to_json())["summary"]
    assert about["stream"] == "wind"


def test_text_reads_well() -> None:
    lines = str(result(run("a"), run("a longer name", share=0.9))).splitlines()
    assert lines[0] == "wind: 2,500 rows, window 1,000"
    assert lines[2].split("  ")[0] == "Learner"
    assert [line.index("%") for line in lines[2:3]] == [lines[4].index(".") + 4]  # numbers end where their titles end
    assert len({len(line) for line in lines[2:]}) == 1
    assert "5,000" in lines[4]
    assert "1.2 kB" in lines[4]
    assert repr(result(run("a"))) == "Result(stream='wind', learners=['a'], metrics=['accuracy', 'kappa', 'f1_macro'])"


def test_text_tells_of_seeds_and_of_missing_predictions() -> None:
    text = str(result(run("a", 1), run("a", 2)))
    assert "Mean ± standard deviation over seeds." in text
    assert "±" in text.splitlines()[4]
    assert str(regression()).endswith("line: no prediction for 3 rows, left out of the errors.")


def test_the_terminal_table_fits_its_width() -> None:
    whole = result(run("a"), run("[b] has a rather long name", share=0.9))
    for width in (200, 60, 40):
        console = Console(width=width, record=True, file=StringIO(), force_terminal=True)
        console.print(whole)
        text = console.export_text()
        assert ("Too wide to show: " in text) == (width < 200)
        assert "Accuracy %" in text
        assert "…" not in text
        assert "[b]" in text
    styled = Console(width=200, record=True, file=StringIO(), force_terminal=True)
    styled.print(whole.table())
    best = format_metric("accuracy", whole.runs[1].cumulative["accuracy"])
    assert re.search(rf"\x1b\[1m *{best}", styled.export_text(styles=True))


def test_metrics_are_shown_with_their_decimals() -> None:
    assert format_metric("accuracy", 0.853306) == "85.3306"
    assert format_metric("kappa_t", -2.9324) == "-293.24"
    assert format_metric("kappa", math.nan) == "–"
    assert format_metric("mae", 12345.678) == "12,345.6780"


def picture(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(path))


def test_pictures_are_drawn_without_pyplot(tmp_path: Path) -> None:
    pyplot_before = "matplotlib.pyplot" in sys.modules
    whole = result(run("a", 1), run("a", 2), run("b", share=0.6), run("c " * 70))
    for suffix in ("png", "svg", "pdf"):
        whole.plot(tmp_path / f"curve.{suffix}")
        whole.plot_confusion(tmp_path / f"confusion.{suffix}", "a")
        assert (tmp_path / f"curve.{suffix}").stat().st_size > 5000
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_before
    drawn = picture(tmp_path / "curve.png")[..., :3]
    assert drawn.shape[:2] == (800, 1440)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)):  # each learner's line is there
        assert (np.abs(drawn - np.array(colour) / 255.0).max(axis=2) < 0.02).sum() > 100
    again = tmp_path / "again.png"
    whole.plot(again, "accuracy")
    np.testing.assert_array_equal(picture(again)[..., :3], drawn)
    whole.plot(again, "kappa")
    assert not np.array_equal(picture(again)[..., :3], drawn)


def test_pictures_of_many_classes_and_of_short_streams(tmp_path: Path) -> None:
    metrics = ClassificationMetrics(metrics=["accuracy"])
    metrics.update(np.arange(200) % 50, np.arange(200) % 49)
    many = result(Run.measured(metrics, label="x", classes=[f"class {i}" for i in range(50)]))
    plot_confusion(many, tmp_path / "many.png")
    many.plot(tmp_path / "one_point.png")
    regression().plot(tmp_path / "errors.png", "rmse")
    assert {path.name for path in tmp_path.iterdir()} == {"many.png", "one_point.png", "errors.png"}


def test_a_reliability_diagram_shows_who_is_too_sure(tmp_path: Path) -> None:
    whole = result(sure("fair", 1.0), sure("sharp", 4.0, 1), sure("sharp", 4.0, 2))
    whole.plot_calibration(tmp_path / "all.png")
    whole.plot_calibration(tmp_path / "one.svg", "fair")
    lines = {line.get_label(): line.get_xydata() for line in draw_calibration(whole).axes[0].get_lines()}
    distance = {name: np.abs(lines[name][:, 0] - lines[name][:, 1]).mean() for name in ("fair", "sharp")}
    assert distance["fair"] < 5.0 < 10.0 < distance["sharp"]
    added = summed_bins(whole.runs_of("sharp"))
    assert added[:, 0].sum() == 5000
    right = sum(bin["weight"] * bin["accuracy"] for one in whole.runs_of("sharp") for bin in one.calibration or ())
    assert added[:, 0] @ added[:, 2] == pytest.approx(right)
    assert "Reliability diagram" in page(Comparison(results=[whole]))
    with pytest.raises(OptionError, match="no calibration was measured"):
        result(run("a")).plot_calibration(tmp_path / "x.png")


def test_classes_along_the_stream_are_drawn_with_gaps(tmp_path: Path) -> None:
    y = np.repeat([0, 1, 2], [1500, 1000, 500])
    metrics = ClassificationMetrics(metrics=["accuracy"], window=500)
    metrics.update(y, np.where(np.arange(3000) % 4 == 0, 0, y))
    whole = result(Run.measured(metrics, label="x", classes=["a", "b", "c", "never"]))
    whole.plot_classes(tmp_path / "recall.png")
    lines = {line.get_label(): line.get_ydata() for line in draw_classes(whole).axes[0].get_lines()}
    expected = {
        "a": [100.0] * 3 + [math.nan] * 3, "b": [math.nan] * 3 + [75.0] * 2 + [math.nan], "c": [math.nan] * 5 + [75.0]
    }  # fmt: skip
    assert lines.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(lines[name], values)
    precision = draw_classes(whole, "x", "precision").axes[0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(precision, [100.0] * 3 + [0.0] * 3)
    assert "Classes along the stream" in page(Comparison(results=[whole]))
    with pytest.raises(OptionError, match="use one of recall, precision, f1"):
        whole.plot_classes(tmp_path / "x.png", score="accuracy")
    with pytest.raises(OptionError, match="'line' has no curves of classes"):
        regression().plot_classes(tmp_path / "x.png")


def test_what_can_not_be_drawn_says_why(tmp_path: Path) -> None:
    whole = result(run("a"))
    with pytest.raises(OptionError, match=r"metric 'mae' was not measured: use one of accuracy, kappa, f1_macro"):
        whole.plot(tmp_path / "x.png", "mae")
    with pytest.raises(OptionError, match=r"end the name in one of \.png, \.svg, \.pdf"):
        whole.plot(tmp_path / "x.gif")
    with pytest.raises(OptionError, match=r"no learner 'b' in this result: use one of a"):
        whole.plot_confusion(tmp_path / "x.png", "b")
    with pytest.raises(OptionError, match="'line' has no confusion matrix"):
        regression().plot_confusion(tmp_path / "x.png")
    with pytest.raises(OptionError, match="no runs"):
        result().plot(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_missing_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_matplotlib(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(MissingExtraError, match=r"streamlearn\[plot\]"):
        result(run("a")).plot(tmp_path / "x.png")
