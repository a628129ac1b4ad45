"""Whatever fails, and whenever: what is committed is what an undisturbed run commits, in each mode as it is promised.

Random sequences of records, faults, crashes, rebalances and damage, over sources and sinks in memory and checkpoints on
the disk. ``STREAMLEARN_SEQUENCES=1000`` tries a thousand of each kind, instead of a few dozen.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn.errors import FencedError, SinkError, SourceError, StreamlearnError, UncertainError
from streamlearn.live import Mark
from streamlearn.runtime.checkpoints import CheckpointId, CheckpointStore, Lineage
from streamlearn.runtime.notes import named_by
from streamlearn.runtime.worker import Worker
from streamlearn.testing import ABORT, Crash, Item, Lose, MemoryBroker, MemorySink, MemorySource, Quiet, Revoke

SEQUENCES = int(os.environ.get("STREAMLEARN_SEQUENCES", "50"))
FAULTS: list[tuple[str, Any, bool]] = [
    ("source.open", SourceError, False),
    ("source.poll", Crash, False),
    ("source.poll", SourceError, False),
    ("source.commit", Crash, False),
    ("source.commit", Crash, True),
    ("source.commit", FencedError, False),
    ("source.committed", SourceError, False),
    ("sink.open", SinkError, False),
    ("sink.write", Crash, False),
    ("sink.write", SinkError, False),
    ("sink.flush", SinkError, False),
    ("sink.flush", Crash, True),
    ("sink.begin", Crash, False),
    ("sink.commit", Crash, False),
    ("sink.commit", Crash, True),
    ("sink.commit", UncertainError, False),
    ("sink.commit", UncertainError, True),
    ("sink.commit", FencedError, False),
    ("sink.commit", SinkError, False),
]
MARKS = [ABORT, Quiet(2), Revoke(), Lose()]
MOVES = [*MARKS, Revoke(to="0"), Revoke(to="1"), Lose(to="0"), Lose(to="1")]


# -- what happens -----------------------------------------------------------------------------------------------------


@dataclass
class Story:
    """Partitions with marks in them, faults with their times, and the rows of a batch."""

    scripts: list[list[Any]]
    labels: list[list[Any]] = field(default_factory=list)
    faults: list[tuple[str, Any, bool, int]] = field(default_factory=list)
    batch: int = 1000
    workers: int = 1
    keep_unflushed: bool = True
    damage: list[str] = field(default_factory=list)  # what becomes of the newest checkpoint between two lives
    order: list[str] = field(default_factory=list)  # which worker takes its turn, or is evicted

    def broker(self) -> MemoryBroker:
        topics = {"events": self.scripts, **({"labels": self.labels} if self.labels else {})}
        broker = MemoryBroker(topics, keep_unflushed=self.keep_unflushed)
        for point, error, done, after in self.faults:
            broker.fail(point, error, after=after, done=done)
        return broker

    def calm(self) -> Story:
        """The same records, and nothing else."""

        def clean(scripts: list[list[Any]]) -> list[list[Any]]:
            return [[entry for entry in script if isinstance(entry, (bytes, dict, Item))] for script in scripts]

        return Story(clean(self.scripts), clean(self.labels))


def records(partition: int, rows: int) -> list[Any]:
    """Events of one partition; one in ten can't be read."""
    draw = random.Random(partition)
    return [
        b"{"
        if draw.random() < 0.1
        else {"x": draw.random(), "kind": draw.choice("ab"), "who": draw.choice("pqrs"), "class": draw.choice("nyx")}
        for _ in range(rows)
    ]


def late(events: list[Any], partition: int) -> tuple[list[Any], list[Any]]:
    """The events, some with a class that is to be passed over, and labels that come later, twice, for strange events,
    or never."""
    draw = random.Random(100 + partition)
    labels = []
    timed = []
    for i, event in enumerate(events):
        if isinstance(event, bytes):
            timed.append(Item(event, time=float(i)))
            continue
        claimed = {"class": draw.choice(["n", "z", None])} if draw.random() < 0.3 else {}
        timed.append(Item({k: v for k, v in event.items() if k != "class"} | {"n": i, **claimed}, time=float(i)))
        for _ in range(draw.choice([0, 1, 1, 1, 2])):
            when = i + draw.choice([-0.5, 0.5, 3.5, 20.5])
            labels.append(Item({"n": draw.choice([i, i, i, 999]), "class": event["class"]}, time=when))
    labels.sort(key=lambda item: item.time or 0.0)
    return timed, [*labels[:3], b"{", *labels[3:]]


def with_marks(draw: st.DrawFn, script: list[Any], marks: list[Any], most: int) -> list[Any]:
    for _ in range(draw(st.integers(0, most))):
        script.insert(draw(st.integers(0, len(script))), draw(st.sampled_from(marks)))
    return script


@st.composite
def stories(
    draw: st.DrawFn, *, workers: int = 1, labelled: bool = False, damaged: bool = False, rows: int = 40
) -> Story:
    scripts, labels = [], []
    for partition in range(draw(st.integers(1, 3))):
        script = records(partition, draw(st.integers(1, rows)))
        if labelled:
            script, others = late(script, partition)
            labels.append(with_marks(draw, others, [ABORT, Quiet(2)], 1))
        scripts.append(with_marks(draw, script, MARKS if workers == 1 else MOVES, 3 if workers > 1 else 2))
    chosen = draw(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 12)), max_size=6))
    turns = st.sampled_from(["0", "1", "0", "1", "0", "1", "evict 0", "evict 1", "crash 0", "crash 1"])
    return Story(
        scripts,
        labels,
        [(*fault, after) for fault, after in chosen],
        draw(st.integers(1, 20)),
        workers,
        draw(st.booleans()),
        draw(st.lists(st.sampled_from(["flip", "remove", "none"]), max_size=8)) if damaged else [],
        draw(st.lists(turns, max_size=40)) if workers > 1 else [],
    )


# -- how it is lived through ------------------------------------------------------------------------------------------

Mode = str
SINKS: dict[Mode, dict[str, Any]] = {
    "transactions": {"transactional": True},
    "files": {"exact": True},
    "at-least-once": {},
    "at-most-once": {},
}


def pipeline(broker: MemoryBroker, directory: Path, mode: Mode, batch: int, **more: Any) -> sl.Pipeline:
    return sl.Pipeline(
        name="test",
        source=MemorySource(broker, "events"),
        schema={"target": "class", "infer_rows": 5, **more.pop("schema", {})},
        learner="naive_bayes",
        drift="ddm",
        sink=MemorySink(broker, "predictions", **SINKS[mode]),
        dead_letter=MemorySink(broker, "dead", **SINKS[mode]),
        checkpoint={"dir": str(directory), "every": 1000, "rows": 7},
        guarantee=mode if mode.startswith("at-") else "exactly-once",
        batch={"rows": batch, "wait": 0},
        errors={"sink": {"retries": 12, "backoff": 0.0001}},
        **more,
    )


@dataclass
class Run:
    """A story, lived through to its end."""

    story: Story
    directory: Path
    mode: Mode
    settings: dict[str, Any] = field(default_factory=dict)
    labelled: bool = False

    def __post_init__(self) -> None:
        self.broker = self.story.broker()
        self.damage = iter(self.story.damage)

    def worker(self, name: str) -> Worker:
        more = dict(self.settings)
        if self.labelled:
            more |= {"labels": {"from": MemorySource(self.broker, "labels"), "key": "n"}, "schema": {"id": "n"}}
        return Worker(pipeline(self.broker, self.directory, self.mode, self.story.batch, **more).plan, name)

    def to_the_end(self, lives: int = 60) -> Run:
        """Run, and after each crash run again, as a supervisor would."""
        self._two_workers()
        calm = 0
        for _ in range(lives):
            try:
                self.worker("0").run()
            except Crash:
                self._spoil()
                continue
            calm += 1
            if self.story.workers == 1 or calm > 4:  # a partition may wait for one who is gone, at each of its marks
                return self
        raise AssertionError(f"it still crashes after {lives} lives")

    def _two_workers(self) -> None:
        """Let two workers take turns; the second goes for good when the order is at its end."""
        running: dict[str, Generator[None, None, None]] = {}
        for step in self.story.order:
            what, _, name = step.rpartition(" ")
            if what == "evict":
                self.broker.evict(name)
            elif what == "crash":
                self.broker.crash(name)
            else:
                running.setdefault(name, self.worker(name).turns())
                try:
                    next(running[name])
                except (Crash, StopIteration, StreamlearnError):  # it starts again when it is its turn
                    del running[name]
        for name, turns in running.items():
            self.broker.crash(name)
            with suppress(Crash):
                turns.close()
        for name in ("0", "1"):
            self.broker.evict(name)

    def _spoil(self) -> None:
        """Damage a shard's newest checkpoint that counts, if there is another one before it."""
        what = next(self.damage, "none")
        store = CheckpointStore(self.directory)
        for shard in store.shards() if what != "none" else ():
            lineage = store.lineage(shard)
            ids = lineage.ids()
            if self.mode == "transactions":
                mark = self.broker.groups["events"].committed.get(shard)
                ids = [id for id in ids if _counts(id, mark)]
            sound = [id for id in ids if _is_sound(lineage, id)]
            if len(sound) < 2:
                continue
            path = lineage.directory / sound[0].file_name
            if what == "remove":
                path.unlink()
            else:
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 1
                path.write_bytes(data)

    def outputs(self, topic: str) -> dict[str, list[bytes]]:
        """What readers of committed records see, by shard."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for entry in self.broker.read(topic):
            found[entry.shard].append(entry.value)
        return dict(found)

    def unreadable_first(self, shard: str) -> bool:
        """Whether a partition begins with an event that can't be read."""
        first = self.story.scripts[int(shard.rpartition("-")[2])][0]
        return isinstance(first, Item) and first.value == b"{"

    def state(self) -> dict[str, Any]:
        """What the newest checkpoints hold, without what differs from run to run."""
        store = CheckpointStore(self.directory)
        states = {}
        for shard in store.shards():
            checkpoint = store.lineage(shard).newest()
            assert checkpoint is not None
            about = {**checkpoint.about}
            for key in ("created", "after", "sinks"):
                about.pop(key)
            states[shard] = repr({**checkpoint.content, "about": about})
        return states


def _counts(id: CheckpointId, mark: Mark | None) -> bool:
    """Whether a checkpoint was committed, and not only prepared."""
    named = None if mark is None else named_by(mark)
    return named is not None and id <= named.id


def _is_sound(lineage: Lineage, id: CheckpointId) -> bool:
    with suppress(StreamlearnError):
        lineage.read(id)
        return True
    return False


_numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sequences")


def both(folder: Path, story: Story, mode: Mode, *, labelled: bool = False, **more: Any) -> tuple[Run, Run]:
    """The undisturbed run, and the other."""
    here = folder / str(next(_numbers))
    return (
        Run(story.calm(), here / "calm", mode, more, labelled).to_the_end(),
        Run(story, here / "stormy", mode, more, labelled).to_the_end(),
    )


def sequences(share: float = 1.0, **how: Any) -> Any:
    """Runs a test with random stories."""

    def decorate(test: Any) -> Any:
        limits = settings(
            max_examples=max(1, int(SEQUENCES * share)),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        )
        return limits(given(story=stories(**how))(test))

    return decorate


def assert_once(calm: Run, stormy: Run, *, states: bool = True) -> None:
    """Exactly once: the same outputs in the same order, and the same models, metrics and positions."""
    assert stormy.outputs("predictions") == calm.outputs("predictions")
    letters, expected = stormy.outputs("dead"), calm.outputs("dead")
    if calm.labelled:  # without a schema nothing is known of labels: events before the first good one come before them
        letters, expected = (
            {k: sorted(v) if calm.unreadable_first(k) else v for k, v in found.items()} for found in (letters, expected)
        )
    assert letters == expected
    if states:
        assert stormy.state() == calm.state()


# -- exactly once -----------------------------------------------------------------------------------------------------


@sequences(2.0)
def test_exactly_once_through_transactions(story: Story, folder: Path) -> None:
    assert_once(*both(folder, story, "transactions"))


@sequences()
def test_exactly_once_through_files_that_are_cut(story: Story, folder: Path) -> None:
    assert_once(*both(folder, story, "files"))


@pytest.mark.parametrize("mode", ["transactions", "files"])
@sequences(workers=2)
def test_exactly_once_while_partitions_move_between_two_workers(story: Story, folder: Path, mode: Mode) -> None:
    assert_once(*both(folder, story, mode))


@pytest.mark.parametrize("mode", ["transactions", "files"])
@sequences(damaged=True)
def test_exactly_once_though_the_newest_checkpoint_is_damaged(story: Story, folder: Path, mode: Mode) -> None:
    assert_once(*both(folder, story, mode))


@pytest.mark.parametrize("mode", ["transactions", "files"])
@sequences(labelled=True)
def test_exactly_once_with_labels_that_come_late(story: Story, folder: Path, mode: Mode) -> None:
    assert_once(*both(folder, story, mode, labelled=True))


@sequences(workers=2, labelled=True)
def test_waiting_predictions_move_with_their_partition(story: Story, folder: Path) -> None:
    assert_once(*both(folder, story, "transactions", labelled=True))


@sequences(workers=2)
def test_models_by_key_move_with_their_partition(story: Story, folder: Path) -> None:
    assert_once(*both(folder, story, "transactions", key="who", keys={"max_hot": 2}), states=False)


@sequences(damaged=True)
def test_models_by_key_go_back_with_a_damaged_checkpoint(story: Story, folder: Path) -> None:
    assert_once(*both(folder, story, "files", key="who", keys={"max_hot": 2}), states=False)


# -- at least once, at most once --------------------------------------------------------------------------------------


def distinct(values: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys(values))


def assert_at_least_once(calm: Run, stormy: Run) -> None:
    """No loss, a repeated output is the same to the bit, and models learn each record once."""
    for topic in ("predictions", "dead"):
        assert {shard: distinct(values) for shard, values in stormy.outputs(topic).items()} == calm.outputs(topic)
    assert stormy.state() == calm.state()


@sequences(damaged=True)
def test_at_least_once_repeats_values_and_nothing_else(story: Story, folder: Path) -> None:
    assert_at_least_once(*both(folder, story, "at-least-once"))


@sequences(workers=2)
def test_at_least_once_while_partitions_move(story: Story, folder: Path) -> None:
    assert_at_least_once(*both(folder, story, "at-least-once"))


def ids(run: Run) -> Counter[str]:
    written = Counter(document["prediction_id"] for document in run.broker.documents("predictions"))
    return written + Counter(document["record"] for document in run.broker.documents("dead"))


@sequences(workers=2)
def test_at_most_once_never_repeats(story: Story, folder: Path) -> None:
    calm, stormy = both(folder, story, "at-most-once")
    assert set(ids(stormy).values()) <= {1}
    assert ids(stormy) <= ids(calm)
    if not story.faults and not story.order and not any(mark in script for script in story.scripts for mark in MARKS):
        assert ids(stormy) == ids(calm)


# -- one model for all partitions of a worker -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["transactions", "files"])
@sequences()
def test_one_model_for_all_partitions_of_a_worker(story: Story, folder: Path, mode: Mode) -> None:
    """Which partition's record is learned first is nobody's promise; each is processed once."""
    calm, stormy = both(folder, story, mode, scope="worker")
    assert ids(stormy) == ids(calm)
    (shard,) = CheckpointStore(stormy.directory).shards()
    checkpoint = CheckpointStore(stormy.directory).lineage(shard).newest()
    assert checkpoint is not None
    assert checkpoint.about["rows"] == len(stormy.broker.documents("predictions"))


@pytest.mark.parametrize("mode", ["transactions", "at-least-once"])
@sequences(workers=2)
def test_two_workers_each_with_one_model(story: Story, folder: Path, mode: Mode) -> None:
    calm, stormy = both(folder, story, mode, scope="worker")
    if mode == "transactions":
        assert ids(stormy) == ids(calm)
    else:
        assert set(ids(stormy)) == set(ids(calm))
