"""Files to files, exactly once, however often it is killed: nothing lost, nothing twice, not a bit different."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import safetensors.numpy

import streamlearn as sl
from streamlearn.learner import Learner

from . import verifier
from .events import FIELDS, TARGET, events, inputs
from .kill_loop import CRASH_POINTS, Loop, undisturbed
from .launcher import Launcher

KILLS = int(os.environ.get("STREAMLEARN_KILLS", "100"))
SEED = int(os.environ.get("STREAMLEARN_SEED", "1"))
ROWS = 12_000
LIVES = 40  # about so many lives a stream


@dataclass(frozen=True)
class Case:
    """What a pipeline does, for the pipeline file and for the verifier."""

    spec: str
    learner: Callable[[sl.Schema], Learner]
    key: str | None = None

    @property
    def task(self) -> verifier.Task:
        fields = FIELDS if self.key else {**FIELDS, "customer": "nominal"}  # columns without a role are fields
        return verifier.Task(self.learner, fields, TARGET, key=self.key)


CASES = {
    "tree": Case(
        "learner: {type: hoeffding_tree_classifier, grace_period: 50, delta: 0.01}",
        lambda schema: sl.HoeffdingTreeClassifier(grace_period=50, delta=0.01, schema=schema),
    ),
    "keyed": Case(
        "learner: {type: naive_bayes}\nkey: customer\nkeys: {max_hot: 7}",
        lambda schema: sl.NaiveBayes(schema=schema),
        "customer",
    ),
}
PIPELINE = """
name: killed
source: {{type: file, path: events.jsonl}}
schema: {{target: class, id: event_id, fields: {{f0: numeric, f1: numeric, f2: numeric, f3: numeric, colour: nominal}}}}
{spec}
sink: {{type: file, path: predictions.jsonl}}
dead_letter: {{type: file, path: dead.jsonl}}
checkpoint: {{dir: state, rows: 200}}
batch: {{rows: 50}}
guarantee: exactly-once
"""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    warm = prepare(tmp_path_factory.mktemp("warm") / "tree", CASES["tree"], 0)
    with Launcher(warm / "pipeline.yaml") as made:
        yield made


def prepare(folder: Path, case: Case, seed: int) -> Path:
    """A pipeline with its input, in a folder of its own."""
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b"".join(record + b"\n" for record in events(ROWS, seed)))
    (folder / "pipeline.yaml").write_text(PIPELINE.format(spec=case.spec))
    return folder


def verify(folder: Path, truth: verifier.Truth) -> None:
    """Compare everything that a pipeline wrote with what it must have written."""
    findings = verifier.Findings()
    verifier.compare(truth, verifier.lines(folder / "predictions.jsonl", findings), findings)
    verifier.compare_dead(truth, verifier.lines(folder / "dead.jsonl", findings), findings)
    measured = verifier.about(newest(folder))["learners"]["champion"]["metrics"]
    verifier.compare_accuracy(truth, "0", measured, findings)
    assert findings.ok, findings
    assert findings.rows == len(truth.predictions["0"])


def newest(folder: Path) -> Path:
    """The newest checkpoint."""
    (shard,) = (path for path in (folder / "state").iterdir() if list(path.glob("*.ckpt")))
    return max(shard.glob("*.ckpt"))


def arrays(folder: Path) -> dict[str, bytes]:
    """The arrays in the newest checkpoint, models and metrics among them."""
    return {name: array.tobytes() for name, array in safetensors.numpy.load_file(newest(folder)).items()}


@pytest.mark.parametrize("name", CASES)
def test_exactly_once_however_often_it_is_killed(name: str, launcher: Launcher, tmp_path: Path) -> None:
    """Rounds of one stream each, until the kills of this run are used up; the seed is in the message of a failure.

    ``STREAMLEARN_KILLS`` and ``STREAMLEARN_SEED`` change how many, and which.
    """
    case, kills, seed = CASES[name], 0, SEED
    argv = ["run", "pipeline.yaml"]
    wanted = KILLS // len(CASES)
    while kills < wanted:
        calm = prepare(tmp_path / f"calm-{seed}", case, seed)
        truth = verifier.recompute(inputs(events(ROWS, seed), "events.jsonl"), case.task)
        first, total = undisturbed(launcher, argv, calm, calm / "state")
        verify(calm, truth)
        folder = prepare(tmp_path / f"killed-{seed}", case, seed)
        moments = (0.2 * first, first + 3 * (total - first) / LIVES)
        loop = Loop(launcher, argv, folder, folder / "state", seed, moments)
        loop.run(wanted - kills)
        verify(folder, truth)
        assert arrays(folder) == arrays(calm)
        kills, seed = kills + loop.kills, seed + 1
        print(f"{name}, seed {loop.seed}: {loop.summary()}; undisturbed {first:.2f} of {total:.2f} s")


@pytest.mark.parametrize(
    ("point", "times"),
    [
        (point, times) for point in CRASH_POINTS for times in (1, 2) if (point, times) != ("on-restore", 2)
    ],  # once a life
)
def test_each_crash_point(point: str, times: int, launcher: Launcher, tmp_path: Path) -> None:
    """Dying at the same point of the protocol in every life gets the work done all the same, or at once is survived."""
    case = CASES["tree"]
    folder = prepare(tmp_path / "killed", case, SEED)
    loop = Loop(
        launcher, ["run", "pipeline.yaml"], folder, folder / "state", SEED, (0.0, 0.0), point=f"{point}:{times}"
    )
    loop.run(4)
    assert [life.status for life in loop.lives[:4]] == [-signal.SIGKILL] * 4
    verify(folder, verifier.recompute(inputs(events(ROWS, SEED), "events.jsonl"), case.task))
