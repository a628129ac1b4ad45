"""The drift benchmark: it goes on after any stop, its figures are those of evaluate, it says what is missing."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamlearn as sl
from streamlearn import registry
from streamlearn.benchmark import Board, drift, fingerprint
from streamlearn.benchmark.cell import Cell, Finished
from streamlearn.benchmark.lineup import LEARNERS, PAPER, Entry, Stream, default_streams, parse_learners, parse_streams
from streamlearn.benchmark.plan import Estimates, cells_of
from streamlearn.benchmark.published import published
from streamlearn.benchmark.tables import as_csv, beside_paper
from streamlearn.benchmark.worker import Message, Task, answer
from streamlearn.errors import InputError, OptionError, StateError

CHEAP = ["no-change", "naive-bayes"]
ROWS = 600


class OneByOne:
    """Runs cells in this process, where a test is not about processes."""

    def __init__(self, jobs: int) -> None:
        self._told: list[tuple[Any, Message]] = []

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    @property
    def has_room(self) -> bool:
        return not self._told

    @property
    def is_busy(self) -> bool:
        return bool(self._told)

    def give(self, tag: Any, task: Task) -> None:
        self._told.append((tag, answer(task, lambda progress: None)))

    def news(self, timeout: float) -> list[tuple[Any, Message]]:
        told, self._told = self._told, []
        return told


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlearn.benchmark.run.Crew", OneByOne)


def cells_in(folder: Path) -> list[Path]:
    return sorted((folder / "cells").glob("*.json"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished benchmark of two streams, two learners and, where it matters, two seeds."""
    folder = tmp_path_factory.mktemp("drift") / "small"
    drift(folder, streams=["sea_a", "electricity"], learners=CHEAP, seeds=2, rows=ROWS)
    return folder


# -- the line-up


def test_every_default_is_registered_and_classifies() -> None:
    for label, spec in LEARNERS.items():
        assert Entry(label, spec).learner.task == "classification"
    for stream in default_streams():
        assert (registry.parse_call(stream.what)[0] in registry.names("streams")) == stream.generated
    assert set(PAPER) <= {stream.name for stream in default_streams()}
    assert len(default_streams()) == 11


def test_the_paper_has_all_of_its_streams_and_learners() -> None:
    table = published().accuracy
    assert set(table) == set(PAPER)
    assert {len(row) for row in table.values()} == {8}
    assert table["airlines"]["DriftMoE-data"] == (70.33, 0.18)
    assert table["covertype"]["SRP-100"] == (95.3, None)


def test_widths_of_generated_streams_are_right() -> None:
    for stream in default_streams():
        if stream.generated:
            with sl.open_stream(stream.spec(1, 100)) as source:
                assert len(source.schema.fields) == stream.features


def test_names_labels_and_paths_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,class\n1,x\n2,y\n")
    found = parse_streams(["sea_a", "rbf_f=sea:function=2", "led:noise_percentage=0.2", str(path), f"elec={path}"])
    assert [(stream.name, stream.generated) for stream in found] == [
        ("sea_a", True),
        ("rbf_f", True),
        ("led:noise_percentage=0.2", True),
        ("mine", False),
        ("elec", False),
    ]
    assert found[1].spec(3, 500) == "sea:function=2,seed=3,rows=500"
    assert found[0].spec(1, None) == "sea_a:seed=1,rows=1000000"
    assert found[3].spec(3, 500) == str(path)
    labels = [entry.label for entry in parse_learners(["HT", "fast=naive_bayes", "standard_scaler | perceptron"])]
    assert labels == ["HT", "fast", "standard_scaler | perceptron"]


@pytest.mark.parametrize(
    ("streams", "learners", "message"),
    [
        (["sea_b"], [], "unknown stream 'sea_b'; did you mean sea_"),
        (["sea_a", "sea_a"], [], "named twice"),
        (["sea_a:seed=3"], [], "leave seed to --seeds"),
        (["sea_a:rows=300"], [], "leave rows to --rows"),
        ([], ["hoefding_tree"], "did you mean"),
        ([], ["HT", "HT"], "named twice"),
        ([], ["hoeffding_tree_regressor"], "for classifiers"),
        ([], ["mlp_classifier:seed=3"], "leave the seed to --seeds"),
    ],
)
def test_what_cannot_take_part_is_refused(
    streams: list[str], learners: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        drift(tmp_path / "out", streams=streams, learners=learners)
    assert not (tmp_path / "out").exists()


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    for option, value in (("seeds", 0), ("jobs", 0), ("rows", 99), ("budget", 0.0), ("budget", float("nan"))):
        with pytest.raises(OptionError, match=option):
            drift(tmp_path / "out", **{option: value})  # type: ignore[arg-type]


# -- the order of cells


def test_a_seed_is_repeated_only_where_it_matters() -> None:
    streams = parse_streams(["sea_a", "electricity"])
    entries = parse_learners(["naive-bayes", "mlp_classifier"])
    cells = [(cell.stream.name, cell.entry.label, cell.seed) for cell in cells_of(streams, entries, 2, None)]
    assert ("electricity", "naive-bayes", 2) not in cells
    assert len(cells) == 7


def test_one_seed_of_all_comes_first_and_the_cheap_before_the_dear() -> None:
    cells = cells_of(parse_streams(["sea_a", "electricity"]), parse_learners(["HT", "naive-bayes"]), 2, None)
    took = {("sea_a", "HT"): 50.0, ("sea_a", "naive-bayes"): 3.0, ("electricity", "HT"): 9.0}
    estimates = Estimates([])
    for cell in cells:
        if cell.seed == 1 and (seconds := took.get((cell.stream.name, cell.entry.label))):
            estimates.learn(cell, seconds)
    waiting, order = list(cells), []
    while (cell := estimates.next(waiting, None)) is not None:
        waiting.remove(cell)
        order.append((cell.seed, cell.stream.name, cell.entry.label))
    assert [seed for seed, _, _ in order] == [1, 1, 1, 1, 2, 2]
    assert order[-1] == (2, "sea_a", "HT")
    assert order.index((1, "electricity", "HT")) < order.index((1, "sea_a", "HT"))
    assert estimates.next(cells, 10.0).entry.label != "HT" or estimates.next(cells, 10.0).stream.name == "electricity"  # type: ignore[union-attr]
    assert (
        estimates.next([cell for cell in cells if (cell.stream.name, cell.entry.label) == ("sea_a", "HT")], 49.0)
        is None
    )


# -- cells


def test_figures_are_those_of_evaluate(small: Path) -> None:
    board = Board.read(small)
    assert (board.streams, board.labels) == (["sea_a", "electricity"], CHEAP)
    for seed in (1, 2):
        alone = sl.evaluate(f"sea_a:seed={seed},rows={ROWS}", "naive_bayes", window=500, every=50)
        run = board.places["sea_a", "naive-bayes"].runs[seed - 1]
        assert run.cumulative["kappa_m"] == alone.summary[0]["kappa_m"]
        assert run.curve.column("accuracy_window").equals(alone.runs[0].curve.column("accuracy_window"))
    assert board.places["electricity", "naive-bayes"].seeds == 1
    whole = sl.evaluate("electricity", "naive_bayes", limit=ROWS)
    assert board.places["electricity", "naive-bayes"].mean("accuracy") == whole.summary[0]["accuracy"]


def test_finished_cells_are_not_run_again(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in cells_in(small)}
    assert len(before) == 6
    drift(small, streams=["sea_a", "electricity"], learners=CHEAP, seeds=2, rows=ROWS, progress=True)
    assert "6 of 6 cells were finished before" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in cells_in(small)} == before


def test_results_do_not_depend_on_the_number_of_processes(small: Path, tmp_path: Path) -> None:
    two = drift(tmp_path / "two", streams=["sea_a", "electricity"], learners=CHEAP, seeds=2, rows=ROWS, jobs=2)
    one = Board.read(small)
    for place in one.places:
        for a, b in zip(one.places[place].runs, two.places[place].runs, strict=True):
            assert a.curve.equals(b.curve)
            assert a.cumulative == b.cumulative


def test_a_folder_holds_one_benchmark(small: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="600 rows, not of whole streams"):
        drift(small, learners=["naive-bayes"])
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no benchmark"):
        drift(tmp_path, learners=CHEAP, rows=ROWS)
    with pytest.raises(InputError, match="no benchmark in"):
        Board.read(tmp_path)
    with pytest.raises(InputError, match="no finished cell of these"):
        Board.read(small, entries=parse_learners(["HT"]))


@pytest.mark.usefixtures("here")
def test_a_damaged_cell_is_named(small: Path, tmp_path: Path) -> None:
    drift(tmp_path / "own", streams=["sea_a"], learners=["no-change"], rows=ROWS)
    [path] = cells_in(tmp_path / "own")
    text = path.read_text()
    for damaged in (text[:-20], "[]", text.replace("streamlearn-cell/1", "streamlearn-cell/9"), '{"format": 1}'):
        path.write_text(damaged)
        with pytest.raises(StateError, match=path.name):
            Board.read(tmp_path / "own")


def test_a_cell_comes_back_from_its_file(small: Path, tmp_path: Path) -> None:
    for path in cells_in(small):
        done = Finished.read(path)
        done.write(tmp_path / "again.json")
        assert json.loads((tmp_path / "again.json").read_text()) == json.loads(path.read_text())
        assert done.result.runs[0].peak_rss_bytes > 1e6  # type: ignore[operator]
        assert done.seconds > 0.0
        assert done.machine["cores"] >= 1


# -- versions of the code


@pytest.mark.usefixtures("here")
def test_another_version_of_the_code_is_run_again_and_said(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"streams": ["sea_a"], "learners": CHEAP, "rows": ROWS}
    folder = tmp_path / "own"
    drift(folder, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(fingerprint, "of_learner", lambda learner: f"new {learner!r}")
    assert "Run by another version of the code" in str(Board.read(folder))
    assert len(cells_in(folder)) == 2
    board = drift(folder, **options, any_version=True)  # type: ignore[arg-type]
    assert len(cells_in(folder)) == 2
    assert "another version" in str(board)
    board = drift(folder, **options)  # type: ignore[arg-type]
    assert len(cells_in(folder)) == 4
    assert "another version" not in str(board)
    assert board.places["sea_a", "naive-bayes"].seeds == 1


def test_the_code_of_a_learner_is_all_that_it_imports_of_methods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "acme_methods"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "maths.py").write_text('"""Says what it is for."""\ndef f(x):\n    return x  # as it is\n')
    (package / "learner.py").write_text("from . import maths\nfrom streamlearn.learner import Learner\n")
    (package / "other.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest() -> str:
        fingerprint._of_code.cache_clear()
        return fingerprint._of_code("acme_methods.learner")

    first = digest()
    (package / "maths.py").write_text('"""Says it otherwise."""\ndef f(x):\n    """Does it."""\n    return x\n')
    (package / "other.py").write_text("a = 2\n")
    assert digest() == first
    (package / "maths.py").write_text("def f(x):\n    return x + 1\n")
    assert digest() != first
    tree, bayes = sl.HoeffdingTreeClassifier(), sl.NaiveBayes()
    assert fingerprint.of_learner(tree) != fingerprint.of_learner(bayes)
    chained = fingerprint.of_learner(sl.StandardScaler() | bayes)
    assert chained.endswith("+" + fingerprint.of_learner(bayes))


def test_other_data_under_the_same_name_are_other_cells(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    digests = []
    for label in ("y", "z"):
        path.write_text("a,class\n" + f"1,x\n2,{label}\n" * 100)
        cell = Cell(Stream("mine", str(path), False), Entry("bayes", "naive_bayes"), 1, None)
        digests.append(cell.file_name)
    assert digests[0] != digests[1]


# -- what is missing


@pytest.mark.usefixtures("here")
def test_streams_that_are_not_here_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMLEARN_DATA", str(tmp_path / "nowhere"))
    board = drift(tmp_path / "out", streams=["airlines", "sea_a"], learners=["no-change"], rows=ROWS, progress=True)
    assert "left out: data set 'airlines'" in capsys.readouterr().err
    assert "No results on airlines." in str(board)
    assert "streamlearn data add airlines FILE" in str(board)
    with pytest.raises(InputError, match="airlines"):
        drift(tmp_path / "other", streams=["airlines"], learners=["no-change"], rows=ROWS)


@pytest.mark.usefixtures("here")
def test_an_unfinished_benchmark_is_shown(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    drift(folder, streams=["sea_a", "sea_g"], learners=CHEAP, rows=ROWS)
    drift(folder, streams=["sea_a"], learners=["HT"], rows=ROWS)
    text = str(Board.read(folder))
    assert "Not finished: HT on sea_g." in text
    assert "Ranks are over the streams that all have finished: sea_a." in text
    assert Board.read(folder).comparison() is None  # one stream is none
    assert Board.read(folder, entries=parse_learners(CHEAP)).comparison() is not None


@pytest.mark.usefixtures("here")
def test_a_cell_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,class\n" + "1,x\n2,y\n" * 50 + "1,x,3\n")
    board = drift(tmp_path / "out", streams=[str(path), "sea_a"], learners=["no-change"], rows=ROWS)
    assert ("sea_a", "no-change") in board.places
    assert "Failed: no-change on bad (seed 1): " in str(board)
    [note] = (tmp_path / "out" / "cells").glob("*.failed.txt")
    assert "Traceback" in note.read_text()
    assert "Failed: no-change on bad (seed 1): " in str(Board.read(tmp_path / "out"))
    path.write_text("a,class\n" + "1,x\n2,y\n" * 50)
    drift(tmp_path / "out", streams=[str(path), "sea_a"], learners=["no-change"], rows=ROWS)
    assert len(cells_in(tmp_path / "out")) == 2


# -- stops of every kind


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streamlearn", "bench", "drift", "--out", str(folder), "--no-pictures", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: object, process: subprocess.Popen[str], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{process.pid}\n" in text:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes the Linux way")
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    options = ["-s", "sea_a", "-l", "no-change", "-l", "naive-bayes", "--seeds", "4", "--rows", "150000"]
    process = start(folder, *options)
    wait_for(lambda: len(cells_in(folder)) >= 2, process)
    workers = children_of(process)
    process.kill()
    process.communicate()
    killed = {path: path.read_bytes() for path in cells_in(folder)}
    assert 2 <= len(killed) < 8
    for path in killed:
        Finished.read(path)
    end = time.monotonic() + 60.0
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # they notice that nobody listens
        assert time.monotonic() < end
        time.sleep(0.05)
    again = start(folder, *options)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert f"{len(killed)} of 8 cells were finished before" in err
    assert len(cells_in(folder)) == 8
    assert {path: path.read_bytes() for path in killed} == killed
    assert "(4)" in out
    monkeypatch.setattr("streamlearn.benchmark.run.Crew", OneByOne)
    fresh = drift(tmp_path / "fresh", streams=["sea_a"], learners=CHEAP, seeds=4, rows=150_000)
    resumed = Board.read(folder)
    for place in fresh.places:
        for a, b in zip(fresh.places[place].runs, resumed.places[place].runs, strict=True):
            assert a.curve.equals(b.curve)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes the Linux way")
def test_a_killed_worker_loses_its_cell_only(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    process = start(folder, "-s", "sea_a", "-l", "naive-bayes", "--seeds", "3", "--rows", "300000")
    wait_for(lambda: len(cells_in(folder)) >= 1, process)
    for pid in children_of(process):
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "ended by signal 9" in out
    assert len(cells_in(folder)) == 2


def test_after_the_budget_no_cell_is_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    board = drift(folder, streams=["sea_a", "led_a"], learners=CHEAP, rows=ROWS, budget=1e-6, progress=True)
    assert board.places == {}
    assert "4 cells are not begun" in capsys.readouterr().err
    assert "No cell is finished." in str(board)


# -- tables, pictures, the page


def test_seeds_are_counted_in_the_table(small: Path) -> None:
    lines = {line.split()[0]: line for line in str(Board.read(small)).splitlines()[2:7] if line}
    values = [run.cumulative["accuracy"] for run in Board.read(small).places["sea_a", "naive-bayes"].runs]
    mean, std = 100 * np.mean(values), 100 * np.std(values, ddof=1)
    assert f"{mean:.2f} ± {std:.2f} (2)" in lines["naive-bayes"]
    assert lines["naive-bayes"].count("(2)") == 1  # electricity is the same for every seed


def test_the_csv_has_every_figure(small: Path) -> None:
    board = Board.read(small)
    rows = list(csv.DictReader(io.StringIO(as_csv(board))))
    assert [(row["stream"], row["learner"]) for row in rows] == [(s, x) for s in board.streams for x in board.labels]
    for row in rows:
        place = board.places[row["stream"], row["learner"]]
        assert float(row["accuracy"]) == place.mean("accuracy")
        assert int(row["seeds"]) == place.seeds
        assert row["paper_accuracy"] == ""  # what was published is of whole streams


def test_published_figures_stand_beside_ours(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board.read(small)
    assert beside_paper(board) is None  # of 600 rows nothing was published
    ran = {"NaiveBayes()": "ARF-100"}  # as if this were what the paper ran
    monkeypatch.setattr("streamlearn.benchmark.board.labels_by_call", lambda: ran)
    board.rows = None
    columns = beside_paper(board)
    assert columns is not None
    assert [column.title for column in columns] == ["Learner", "sea_a", "electricity"]
    ours = 100 * board.places["electricity", "naive-bayes"].mean("accuracy")
    assert columns[2].cells == [f"{ours:.2f}", "90.1", f"{ours - 90.1:+.1f}"]  # nothing near 0


def test_everything_is_written(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    board = Board.read(small)
    names = {Path(path).name for path in board.write(tmp_path, command="streamlearn bench drift <it>")}
    assert names == {
        *("table.txt", "table.md", "table.csv", "report.html", "curves-sea_a.png", "curves-electricity.png"),
        *("ranks.png", "scores.png", "costs.png"),
    }
    assert all((tmp_path / name).stat().st_size > 0 for name in names)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2 * 4 + 2  # four metrics along two streams, ranks, costs
    assert "streamlearn bench drift &lt;it&gt;" in page
    assert 'src="http' not in page
    assert "| naive-bayes |" in (tmp_path / "table.md").read_text()


def test_the_command_shows_what_a_folder_has(small: Path) -> None:
    command = [sys.executable, "-m", "streamlearn", "bench", "drift", "--report", "--no-pictures", "--out", str(small)]
    done = subprocess.run([*command, "-l", "no-change"], capture_output=True, text=True, check=True)
    assert "no-change" in done.stdout
    assert "naive-bayes" not in done.stdout
    wrong = subprocess.run([*command[:-1], str(small / "no")], capture_output=True, text=True)
    assert wrong.returncode == 1
    assert "there is no benchmark in" in wrong.stderr
    both = subprocess.run([*command, "--quick", "--rows", "500"], capture_output=True, text=True)
    assert both.returncode == 2
