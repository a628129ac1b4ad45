"""The command line as users meet it: commands, files, exit codes, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import streamlearn as sl


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.argv[0] = 'streamlearn'; from streamlearn.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=cwd, capture_output=True, text=True)


def test_evaluate_writes_what_was_asked_for(tmp_path: Path) -> None:
    done = run(
        *("evaluate", "--stream", "electricity", "--limit", "4000"),
        *("--learner", "hoeffding_tree_classifier:grace_period=50", "--learner", "naive_bayes"),
        *("--metric", "accuracy", "--metric", "kappa_t", "--window", "500"),
        *("--json", "r.json", "--parquet", "r.parquet", "--plot", "r.png"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "naive_bayes" in done.stdout
    assert "Accuracy" in done.stdout
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["runs"][0]["rows"] == 4000
    assert document["runs"][0]["params"]["grace_period"] == 50
    assert pq.read_table(tmp_path / "r.parquet").num_rows == 2 * 8
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_no_learner_need_be_named() -> None:
    done = run("evaluate", "--stream", "electricity", "--limit", "300")
    assert done.returncode == 0, done.stderr
    assert "stacking_classifier" in done.stdout


def test_several_streams_are_compared(tmp_path: Path) -> None:
    for name, sign in (("up", "<"), ("down", ">")):
        rows = [f"{i % 7},{i % 5},{'a' if (i % 7 < 3 and sign == '<') or i % 5 > 2 else 'b'}" for i in range(700)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,z,class", *rows]))
    (tmp_path / "kept").mkdir()
    arguments = (
        *("evaluate", "--stream", "up.csv", "--stream", "down.csv", "--keep", "kept"),
        *("--learner", "naive_bayes", "--learner", "no_change_classifier", "--metric", "accuracy"),
        *("--json", "c.json", "--parquet", "c.parquet", "--plot", "c.svg", "--report", "c.html"),
    )
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Mean rank" in done.stdout
    assert "wrote c.html" in done.stdout
    comparison = sl.Comparison.from_json(tmp_path / "c.json")
    assert comparison.streams == ("up", "down")
    assert pq.read_table(tmp_path / "c.parquet").column("stream").unique().to_pylist() == ["up", "down"]
    assert "<svg" in (tmp_path / "c.svg").read_text()
    page = (tmp_path / "c.html").read_text()
    assert "streamlearn evaluate --stream up.csv --stream down.csv" in page
    again = run(*arguments, cwd=tmp_path)
    assert "2 of 2 streams were finished before" in again.stderr
    assert again.stdout == done.stdout


def test_several_streams_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("stream: [electricity]\nlearners: [naive_bayes]\nlimit: 500\nreport: r.html\n")
    done = run("evaluate", "--config", "e.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "naive_bayes on electricity" in (tmp_path / "r.html").read_text()


def test_a_trained_learner_is_saved_and_inspected(tmp_path: Path) -> None:
    model = tmp_path / "tree"
    done = run(
        "evaluate", "-s", "electricity", "-l", "hoeffding_tree_classifier", "--limit", "20000", "--save", str(model)
    )
    assert done.returncode == 0, done.stderr
    assert sl.load(model).classes == ["UP", "DOWN"]
    shown = run("inspect", str(model), "--schema")
    assert "HoeffdingTreeClassifier()" in shown.stdout
    assert "nodes" in shown.stdout
    assert "nswprice" in shown.stdout
    assert "digraph" in run("inspect", str(model), "--graphviz").stdout
    model.write_bytes(model.read_bytes()[:-3])
    refused = run("inspect", str(model))
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_a_yaml_file_and_options_over_it(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(
        "stream: electricity\nlimit: 100\nmetrics: [accuracy]\n"
        "learners:\n  mine: {type: hoeffding_tree_classifier, grace_period: 50}\n  other: naive_bayes\n"
    )
    done = run("evaluate", "--config", "e.yaml", "--limit", "2000", "--json", "r.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    assert [entry["label"] for entry in document["runs"]] == ["mine", "other"]
    assert document["runs"][0]["rows"] == 2000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate"], 2, "--stream NAME_OR_PATH"),
        (["evaluate", "-s", "electricity", "-l", "naive_byes"], 2, "did you mean naive_bayes"),
        (["evaluate", "-s", "electricity", "-l", "hoeffding_tree_classifier:grce=3"], 2, "grace_period"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "-m", "acc"], 2, "accuracy"),
        (["evaluate", "-s", "electrcity", "-l", "naive_bayes"], 2, "electricity"),
        (["evaluate", "-s", "no/such/file.csv", "-l", "naive_bayes"], 1, "no/such/file.csv"),
        (["evaluate", "-s", "electricity", "-t", "price", "-l", "naive_bayes"], 1, "no target column 'price'"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "--seeds", "x"], 2, "--seeds"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "--json", "no/folder/r.json"], 1, "no folder"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "--plot", "r.xyz"], 2, "r.xyz"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "--jobs", "2"], 2, "several streams"),
        (["evaluate", "-s", "electricity", "-s", "electricity", "-l", "naive_bayes", "--save", "m"], 2, "one stream"),
        (["evaluate", "-s", "electricity", "-l", "naive_bayes", "--report", "no/folder/r.html"], 1, "no folder"),
        (["describe", "naive_byes"], 2, "did you mean naive_bayes"),
        (["inspect", "no-such-model"], 1, "no-such-model"),
        (["list", "wrong"], 2, "learners"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_key_in_yaml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("stream: electricity\nlerners: [naive_bayes]\nwindow: many\n")
    done = run("evaluate", "--config", str(tmp_path / "e.yaml"))
    assert done.returncode == 2
    assert "did you mean learners?" in done.stderr
    assert "window" in done.stderr


def test_lists_and_descriptions() -> None:
    assert "hoeffding_tree_classifier" in run("list", "learners").stdout
    assert "electricity" in run("list", "streams").stdout
    assert "kappa_t" in run("list", "metrics").stdout
    assert "next arrival" in run("list", "policies").stdout
    assert "S3FIFO(capacity, table='dense', small=0.1" in run("describe", "s3_fifo").stdout
    described = run("describe", "hoeffding_tree_classifier").stdout
    assert "grace_period" in described
    assert "45,312" in run("describe", "electricity").stdout
    assert "higher is better" in run("describe", "kappa_t").stdout


def test_data_commands() -> None:
    assert "electricity" in run("data", "list").stdout
    assert run("data", "path", "electricity").stdout.strip().endswith("electricity.parquet")
    verified = run("data", "verify", "electricity")
    assert verified.returncode == 0
    assert "ok" in verified.stdout
    missing = run("data", "path", "rialto_or_so")
    assert missing.returncode != 0


def test_doctor_says_what_is_here() -> None:
    said = run("doctor")
    assert said.returncode == 0, said.stderr
    for word in ("numba", "kernels", "hoeffding_tree_classifier", "extras", "torch", "STREAMLEARN_DATA"):
        assert word in said.stdout


def test_progress_is_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    done = run("evaluate", "-s", "electricity", "-l", "naive_bayes")
    assert "\x1b[" not in done.stderr + done.stdout


def test_late_and_partial_labels_queries_and_folds(tmp_path: Path) -> None:
    common = ("evaluate", "-s", "electricity", "-l", "naive_bayes", "--limit", "2000", "-q", "-m", "accuracy")
    assert "delay 100" in run(*common, "--delay", "100").stdout
    assert "labels 0.5, seed 3" in run(*common, "--labels", "0.5", "--seed", "3").stdout
    assert "learned" in run(*common, "--query", "random:budget=0.2").stdout
    assert "over folds" in run(*common, "--folds", "3", "--fold-mode", "split").stdout
    assert "delay must be" in run(*common, "--delay", "soon").stderr
    (tmp_path / "e.yaml").write_text("stream: electricity\nlearners: [naive_bayes]\nlimit: 500\ndelay: 20\nfolds: 2\n")
    assert "delay 20, folds 2" in run("evaluate", "--config", str(tmp_path / "e.yaml"), "-q").stdout
