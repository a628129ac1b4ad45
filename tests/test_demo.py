"""The demonstration as people run it, in processes of their own; and its proof, which must notice what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamlearn.demo import proof, topics
from streamlearn.demo.committed import Committed
from streamlearn.errors import SourceError

ROWS = 3000


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamlearn", "demo", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_job_is_killed_resumed_and_proven(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    done = demo("--rows", str(ROWS), "--rate", "3000", "--kill-at", "0.2", "--keep", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill -9 of the worker" in done.stdout
    assert done.stdout.count("  ok  ") == 5
    assert "Nothing was lost" in done.stdout
    log = (folder / "run.log").read_text()
    assert "begins afresh" in log
    assert "restored from checkpoint" in log
    assert len((folder / "predictions.jsonl").read_bytes().splitlines()) == ROWS
    again = demo("--keep", str(folder))
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_it_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlearn", "demo", "--keep", str(tmp_path / "kept")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        owners: set[int] = set()
        until = time.monotonic() + 60
        while not owners and time.monotonic() < until:
            owners = Committed.of(tmp_path / "kept" / "state").owners
            time.sleep(0.05)
        process.terminate()
        assert process.wait(30) == 143
    assert len(owners) == 1
    assert not Path(f"/proc/{owners.pop()}").exists()


def test_kafka_must_be_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    done = demo("--kafka")
    assert done.returncode == 2
    assert "KAFKA_HOME" in done.stderr


def test_a_kafka_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "CONNECT", 0.5)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1"):
        topics.Topics("127.0.0.1:1").create(["events"])


# -- the proof --------------------------------------------------------------------------------------------------------

EVENTS = [{"event_id": f"e-{i}", "target": "up" if i % 3 else "down"} for i in range(30)]
ANSWERS = [{"id": event["event_id"], "prediction": None if i == 0 else "up"} for i, event in enumerate(EVENTS)]
RIGHT = sum(event["target"] == "up" for event in EVENTS)


def write(path: Path, documents: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """A job whose proof holds."""
    write(tmp_path / "a.jsonl", EVENTS[:20])
    write(tmp_path / "b.jsonl", EVENTS[20:])
    write(tmp_path / "predictions.jsonl", ANSWERS)
    write(tmp_path / "again.jsonl", ANSWERS)
    checkpoint = {"rows": 30, "accuracy": RIGHT / 30}
    files = {"events": ["a.jsonl", "b.jsonl"], "predictions": "predictions.jsonl", "again": "again.jsonl"}
    return {"rows": 30, "parts": [{"name": "events", **files, "checkpoint": checkpoint}]}


def lose(answers: list[dict[str, Any]]) -> None:
    del answers[7]


def repeat(answers: list[dict[str, Any]]) -> None:
    answers.insert(8, answers[7])


def replace(answers: list[dict[str, Any]]) -> None:
    answers[8] = answers[7]


def swap(answers: list[dict[str, Any]]) -> None:
    answers[7], answers[8] = answers[8], answers[7]


def differ(answers: list[dict[str, Any]]) -> None:
    answers[7]["prediction"] = "down"


def test_the_proof_holds(job: dict[str, Any], tmp_path: Path) -> None:
    assert proof.prove(job, tmp_path)


@pytest.mark.parametrize("damage", [lose, repeat, replace, swap, differ])
@pytest.mark.parametrize("both", [False, True])
def test_the_proof_notices_wrong_predictions(
    job: dict[str, Any], tmp_path: Path, damage: Callable[[list[dict[str, Any]]], None], both: bool
) -> None:
    answers = [dict(answer) for answer in ANSWERS]
    damage(answers)
    for name in ("predictions", "again")[: 1 + both]:
        write(tmp_path / f"{name}.jsonl", answers)
    assert not proof.prove(job, tmp_path)


@pytest.mark.parametrize("claim", [{"rows": 29}, {"accuracy": (RIGHT + 1) / 30}, {"accuracy": RIGHT / 30 + 1e-16}])
def test_the_proof_notices_wrong_claims(job: dict[str, Any], tmp_path: Path, claim: dict[str, Any]) -> None:
    job["parts"][0]["checkpoint"].update(claim)
    assert not proof.prove(job, tmp_path)


def test_the_proof_notices_events_that_were_never_produced(job: dict[str, Any], tmp_path: Path) -> None:
    job["rows"] = 31
    assert not proof.prove(job, tmp_path)


def test_a_torn_line_is_no_proof(job: dict[str, Any], tmp_path: Path) -> None:
    with (tmp_path / "predictions.jsonl").open("a") as file:
        file.write('{"id":')
    with pytest.raises(SystemExit, match="torn"):
        proof.prove(job, tmp_path)


def test_the_proof_needs_nothing_of_ours(tmp_path: Path, job: dict[str, Any]) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(job))
    command = [sys.executable, "-I", "-S", str(Path(proof.__file__)), str(tmp_path / "proof.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("  ok  ") == 5
