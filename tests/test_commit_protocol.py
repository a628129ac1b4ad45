"""Whatever fails, and whenever: what is committed is what an undisturbed run commits, once and in order."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn.errors import FencedError, SinkError, SourceError, UncertainError
from streamlearn.runtime.checkpoints import CheckpointStore
from streamlearn.testing import ABORT, Crash, Lose, MemoryBroker, MemorySink, MemorySource, Quiet, Revoke

FAULTS: list[tuple[str, Any, bool]] = [
    ("source.poll", Crash, False),
    ("source.poll", SourceError, False),
    ("source.commit", Crash, False),
    ("source.commit", Crash, True),
    ("source.commit", FencedError, False),
    ("source.committed", SourceError, False),
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


def records(partition: int, rows: int) -> list[Any]:
    """Events of one partition; one in ten can't be read."""
    draw = random.Random(partition)
    return [
        b"{" if draw.random() < 0.1 else {"x": draw.random(), "kind": draw.choice("ab"), "class": draw.choice("nyx")}
        for _ in range(rows)
    ]


def pipeline(broker: MemoryBroker, directory: Path, guarantee: str, batch: int, **more: Any) -> sl.Pipeline:
    transactional = guarantee == "exactly-once"
    return sl.Pipeline(
        name="test",
        source=MemorySource(broker, "events"),
        schema={"target": "class", "infer_rows": 5},
        learner="naive_bayes",
        drift="ddm",
        sink=MemorySink(broker, "predictions", transactional=transactional),
        dead_letter=MemorySink(broker, "dead", transactional=transactional),
        checkpoint={"dir": str(directory), "every": 1000, "rows": 7},
        guarantee=guarantee,
        batch={"rows": batch, "wait": 0},
        errors={"sink": {"retries": 50, "backoff": 0.0001}},
        **more,
    )


def run_to_the_end(broker: MemoryBroker, directory: Path, guarantee: str, batch: int, lives: int = 60) -> int:
    """Run, and after each crash run again, as a supervisor would; how often it crashed."""
    for crashes in range(lives):
        try:
            pipeline(broker, directory, guarantee, batch).run()
        except Crash:
            continue
        return crashes
    raise AssertionError(f"it still crashes after {lives} lives")


def by_shard(entries: list[Any]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for entry in entries:
        found[entry.shard].append(entry.value)
    return dict(found)


def final_state(directory: Path) -> dict[str, Any]:
    """What the newest checkpoints hold, without what differs from run to run."""
    store = CheckpointStore(directory)
    states = {}
    for shard in store.shards():
        checkpoint = store.lineage(shard).newest()
        assert checkpoint is not None
        about = {**checkpoint.about}
        for key in ("created", "after", "sinks"):
            about.pop(key)
        states[shard] = repr({**checkpoint.content, "about": about})
    return states


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[list[list[Any]], list[tuple[str, Any, bool, int]], int]:
    """Partitions with marks in them, faults with their times, and the rows of a batch."""
    scripts = []
    for partition in range(draw(st.integers(1, 3))):
        script = records(partition, draw(st.integers(1, 40)))
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(script)))
            script.insert(at, draw(st.sampled_from([ABORT, Quiet(2), Revoke(), Lose()])))
        scripts.append(script)
    chosen = draw(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 12)), max_size=6))
    return scripts, [(*fault, after) for fault, after in chosen], draw(st.integers(1, 20))


@settings(max_examples=150, deadline=None)
@given(scenario=scenarios())
def test_exactly_once_through_transactions(
    scenario: tuple[list[list[Any]], list[tuple[str, Any, bool, int]], int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    scripts, faults, batch = scenario
    clean = [[item for item in script if isinstance(item, (bytes, dict))] for script in scripts]
    calm, stormy = MemoryBroker({"events": clean}), MemoryBroker({"events": scripts})
    calm_directory, directory = tmp_path_factory.mktemp("calm"), tmp_path_factory.mktemp("stormy")
    run_to_the_end(calm, calm_directory, "exactly-once", 1000)
    for point, error, done, after in faults:
        stormy.fail(point, error, after=after, done=done)
    run_to_the_end(stormy, directory, "exactly-once", batch)
    for topic in ("predictions", "dead"):
        assert by_shard(stormy.read(topic)) == by_shard(calm.read(topic))
    assert final_state(directory) == final_state(calm_directory)
