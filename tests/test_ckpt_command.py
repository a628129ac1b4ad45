"""``streamlearn ckpt`` as its users meet it: what it shows, what it finds damaged, how it goes back."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlearn.cli import main
from streamlearn.runtime.checkpoints import CheckpointId, CheckpointStore
from streamlearn.runtime.difference import differences
from streamlearn.runtime.lock import WorkerLock

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``streamlearn ckpt …``; exit status, output, errors."""

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamlearn", "ckpt", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as exited:
            status = int(exited.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def content(shard: str, number: int) -> dict[str, Any]:
    return {
        "about": {
            "pipeline": "power",
            "rows": 1000 * number,
            "positions": {shard: 1000 * number},
            "sinks": {"predictions": {"length": 4000 * number}},
            "learners": {"champion": {"type": "naive_bayes", "params": {"x": 1}, "bytes": 4096}},
            "metrics": {"champion": {"accuracy": 0.5 + number / 10, "kappa": float("nan")}},
        },
        "learners": {"champion": {"state": {"counts": np.arange(4.0) * number, "seen": np.arange(number)}}},
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two shards with three checkpoints each."""
    for shard in ("events-0", "events-1"):
        lineage = CheckpointStore(tmp_path).lineage(shard, worker="w")
        lineage.begin()
        for number in (1, 2, 3):
            lineage.write(content(shard, number), note={"reason": "interval"})
    return tmp_path


def spoil(state: Path, shard: str, id: str) -> None:
    path = state / shard / CheckpointId.parse(id).file_name
    path.write_bytes(path.read_bytes()[:-9] + b"damaged!!")


def test_list(run: Run, state: Path) -> None:
    status, out, _ = run("list", state)
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 7
    assert lines[1].split() == [
        "events-0",
        "1-3",
        "0",
        "s",
        *lines[1].split()[4:5],
        "3,000",
        "events-0:",
        "3000",
        "yes",
    ]
    cut = state / "events-1" / CheckpointId(1, 3).file_name
    cut.write_bytes(cut.read_bytes()[:-9])
    assert "1-3" in run("list", state, "events-1")[1].splitlines()[1]
    assert "no: checkpoint 1-3 of shard 'events-1': the file is truncated" in run("list", state, "events-1")[1]
    entries = json.loads(run("list", state, "--json")[1])
    assert [entry["readable"] for entry in entries] == [True, True, True, False, True, True]
    assert entries[0]["positions"] == {"events-0": 3000}


def test_list_does_not_read_arrays(run: Run, state: Path) -> None:
    spoil(state, "events-0", "1-3")
    assert "no:" not in run("list", state, "events-0")[1]
    assert run("verify", state, "events-0")[0] == 1


def test_show(run: Run, state: Path) -> None:
    status, out, _ = run("show", state, "events-1")
    assert status == 0
    for part in (
        "checkpoint 1-3, ",
        "note       reason: interval",
        "rows       3,000",
        "positions  events-1: 3000",
        "learner    champion: naive_bayes(x=1), 4,096 bytes",
        "metrics    champion: accuracy: 0.8, kappa: nan",
        'sink       predictions: {"length": 12000}',
        "owner      worker 'w', process",
        "holds      learners: 56 bytes of arrays",
    ):
        assert part in out
    shown = json.loads(run("show", state, "events-1", "1-2", "--json")[1])
    assert shown["about"]["rows"] == 2000
    assert shown["about"]["metrics"]["champion"]["kappa"] is None


def test_verify(run: Run, state: Path) -> None:
    status, out, _ = run("verify", state)
    assert (status, out.count(": sound, ")) == (0, 6)
    spoil(state, "events-0", "1-2")
    status, out, err = run("verify", state)
    assert (status, out.count(": sound, ")) == (1, 5)
    assert "checkpoint 1-2 of shard 'events-0': the checksum of content/learners/champion/state" in out
    assert "1 of 6 checkpoints can't be restored" in err
    assert run("verify", state, "events-0", "1-3")[0] == 0


def test_diff(run: Run, state: Path) -> None:
    status, out, _ = run("diff", state, "events-0")
    assert status == 0
    for line in (
        "about/rows: 2000 -> 3000 (+1,000)",
        "about/metrics/champion/accuracy: 0.7 -> 0.8 (+0.1)",
        "learners/champion/state/counts: float64 [4], 3 items differ, by at most 3",
        "learners/champion/state/seen: int64 [2] -> int64 [3]",
    ):
        assert line in out.splitlines()
    assert "kappa" not in out
    assert len(json.loads(run("diff", state, "events-0", "1-1", "1-3", "--json")[1])) == 6
    assert run("diff", state, "events-0", "1-2", "1-2")[1].endswith("0 differences\n")


def test_rollback(run: Run, state: Path) -> None:
    before = {path: path.read_bytes() for path in state.rglob("*.ckpt")}
    status, out, _ = run("rollback", state, "events-0", "1-1", "--yes")
    assert status == 0
    for line in ("position events-0: 3000 -> 1000: 2,000 again", "wrote 2-4, a copy of 1-1"):
        assert line in out
    assert 'sink predictions: {"length": 12000} -> {"length": 4000}' in out
    newest = CheckpointStore(state).lineage("events-0").newest()
    assert newest is not None
    assert (str(newest.id), newest.note) == ("2-4", {"reason": "rollback", "of": "1-1"})
    assert differences(newest.content, content("events-0", 1)) == []
    assert all(path.read_bytes() == data for path, data in before.items())


def test_rollback_asks_and_refuses(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(state, "events-0", "1-2")
    with WorkerLock(state, "w"):
        status, _, err = run("rollback", state, "events-0", "1-1", "--yes")
        assert status == 1
        assert "in use by worker 'w', process" in err
    status, _, err = run("rollback", state, "events-0", "1-2", "--yes")
    assert (status, "damaged" in err) == (1, True)
    lineage = CheckpointStore(state).lineage("events-0")
    for answer, count in (("n", 3), ("", 3), ("y", 4)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer + "\n"))
        assert (run("rollback", state, "events-0", "1-1")[0] == 0) == (answer == "y")
        assert len(lineage.ids()) == count


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["show", "STATE"], 2, "name a shard: events-0, events-1"),
        (["show", "STATE", "evnts-0"], 2, "did you mean events-0"),
        (["show", "STATE", "events-0", "newest"], 2, "write EPOCH-SEQUENCE"),
        (["show", "STATE", "events-0", "1-9"], 1, "no checkpoint 1-9: there are 1-3, 1-2, 1-1"),
        (["list", "STATE/nothing"], 1, "name the checkpoint.dir of a pipeline"),
        (["diff", "STATE", "events-0", "1-9"], 1, "no checkpoint 1-9"),
        (["rollback", "STATE", "events-0", "1-9", "--yes"], 1, "no checkpoint 1-9"),
    ],
)
def test_mistakes_are_explained(run: Run, state: Path, arguments: list[str], status: int, message: str) -> None:
    exited, _, err = run(*(argument.replace("STATE", str(state)) for argument in arguments))
    assert (exited, message in err) == (status, True), err


def test_differences_of_every_kind() -> None:
    old: dict[str, Any] = {
        "a": [1, {"b": None}],
        "n": float("nan"),
        "t": True,
        "x": np.array([1.0, np.nan, 3.0]),
        "e": {},
        "gone": 1,
    }
    new: dict[str, Any] = {
        "a": [1, {"b": 0}],
        "n": float("nan"),
        "t": 1,
        "x": np.array([1.0, np.nan, -np.inf]),
        "e": [],
        "more": 1,
    }
    found = {d.path: (d.old, d.new, d.count, d.largest) for d in differences(old, new)}
    assert found == {
        "a/1/b": (None, 0, None, None),
        "t": (True, 1, None, None),
        "x": ("float64 [3]", "float64 [3]", 1, np.inf),
        "e": ({}, [], None, None),
        "gone": (1, None, None, None),
        "more": (None, 1, None, None),
    }
    zeros = differences({"x": np.array([0.0, 1.0])}, {"x": np.array([-0.0, 1.0])})
    assert (zeros[0].count, zeros[0].largest) == (1, 0.0)
    flags = differences({"x": np.array([True, False])}, {"x": np.array([True, True])})
    assert (flags[0].count, flags[0].largest) == (1, 1.0)
    assert differences({"x": np.array(1.0)}, {"x": np.array(1.0)}) == []
    assert len(differences({"x": None, "a/b": 1, "a": {"b": 2}}, {"a/b": 2, "a": {"b": 1}})) == 3
