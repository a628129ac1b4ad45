"""A small worker over the test doubles is exactly-once, whatever crashes, moves and fails: they keep the protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamlearn.errors import FencedError, UncertainError
from streamlearn.live import Mark, Worker
from streamlearn.testing import (
    ABORT,
    GAP,
    Crash,
    Lose,
    MemoryBroker,
    MemorySink,
    MemorySource,
    Quiet,
    Revoke,
    Rows,
)


class Adder:
    """The smallest worker with a state: it adds numbers up, commits in transactions, and is restored by notes."""

    def __init__(self, broker: MemoryBroker, checkpoints: list[dict[str, int]], name: str, every: int) -> None:
        self.checkpoints, self.every, self.polls = checkpoints, every, 0
        self.sums: dict[str, int] = {}
        self.next: dict[str, Any] = {}
        worker = Worker("adder", name, "exactly-once")
        self.sink, self.source = MemorySink(broker, "sums", transactional=True), MemorySource(broker, "events")
        self.sink.open(worker)
        self.source.open(worker)
        self.source.subscribe(self)
        self.sink.begin()

    def assigned(self, partitions: Sequence[str]) -> None:
        marks = self.source.committed(partitions)
        for partition in partitions:
            mark = marks.get(partition)
            self.sums[partition] = 0 if mark is None else self.checkpoints[int(mark.note)][partition]
            self.source.seek(partition, None if mark is None else mark.position)
            self.sink.restore(partition, None)

    def revoked(self, partitions: Sequence[str]) -> None:
        self.commit()
        self.drop(partitions)

    def lost(self, partitions: Sequence[str]) -> None:
        """What is in the open transaction belongs to others: begin again from what is committed."""
        raise FencedError("lost")

    def drop(self, partitions: Sequence[str]) -> None:
        for partition in partitions:
            self.sums.pop(partition)
            self.next.pop(partition, None)
            self.sink.release(partition)

    def commit(self) -> None:
        self.sink.flush()
        self.checkpoints.append(dict(self.sums))
        note = str(len(self.checkpoints) - 1)
        marks = {partition: Mark(position, note) for partition, position in self.next.items()}
        self.sink.commit(self.source.transaction_offsets(marks))
        self.sink.begin()

    def turn(self) -> None:
        for records in self.source.poll(3, 0.0):
            rows = []
            for i, value in enumerate(records.values):
                self.sums[records.partition] += json.loads(value or b"0")
                rows.append({"id": records.id(i), "sum": self.sums[records.partition]})
            self.sink.write(records.partition, Rows(*rows))
            self.next[records.partition] = records.next
        self.polls += 1
        if self.polls % self.every == 0:
            self.commit()


marks = st.sampled_from([ABORT, Quiet(2), GAP, Lose(), Revoke(), Lose(to="b"), Revoke(to="b"), Revoke(to="a")])
scripts = st.lists(
    st.lists(st.one_of(st.integers(0, 9), st.integers(0, 9), marks), max_size=12), min_size=1, max_size=3
)
errors = st.sampled_from([Crash, UncertainError, FencedError])
faults = st.lists(
    st.tuples(st.sampled_from(["sink.commit", "source.poll", "sink.write"]), errors, st.integers(0, 8), st.booleans()),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(scripts, faults, st.integers(1, 4), st.lists(st.sampled_from("abx"), max_size=30))
def test_sums_are_exactly_once_whatever_happens(
    scripts: list[list[Any]], faults: list[tuple[str, Any, int, bool]], every: int, turns: list[str]
) -> None:
    broker, checkpoints = MemoryBroker({"events": scripts}), list[dict[str, int]]()
    for point, error, after, done in faults:
        wrong = error is not Crash and point != "sink.commit"  # no poll or write is uncertain or fenced by itself
        broker.fail(point, Crash if wrong else error, after=after, done=done)
    workers: dict[str, Adder | None] = {"a": None, "b": None}

    def turn(name: str) -> None:
        try:
            worker = workers[name] = workers[name] or Adder(broker, checkpoints, name, every)
            worker.turn()
        except (Crash, FencedError, UncertainError):
            broker.crash(name)  # whatever it was: begin again from what is committed
            workers[name] = None

    for name in turns:
        if name == "x":
            broker.crash("a")
        else:
            turn(name)
    broker.evict("b")
    workers["b"] = None
    for _ in range(300):
        turn("a")
    for i, script in enumerate(scripts):
        sums, total = [], 0
        for offset, entry in enumerate(entry for entry in script if isinstance(entry, int) or entry == GAP):
            if entry != GAP:
                total += entry
                sums.append({"id": f"events-{i}-{offset}", "sum": total})
        found = [document for document in broker.documents("sums") if document["id"].startswith(f"events-{i}-")]
        assert found == sums
