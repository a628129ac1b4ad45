"""The test doubles keep the contract: records, marks, hand-over, fencing, transactions, faults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from streamlearn.errors import FencedError, OptionError, PositionError, SinkError, SourceError, UncertainError
from streamlearn.live import Mark, Worker
from streamlearn.records import Records
from streamlearn.testing import (
    ABORT,
    EOF,
    GAP,
    Crash,
    Item,
    Lose,
    MemoryBroker,
    MemorySink,
    MemorySource,
    Quiet,
    Revoke,
    Rows,
)
from streamlearn.testing.kafka_broker import new_cluster_id


class Member:
    """A worker that seeks to what is committed, and tells what happened."""

    def __init__(self, broker: MemoryBroker, name: str = "0", topic: str = "events") -> None:
        self.worker = Worker("test", name, "exactly-once")
        self.source = MemorySource(broker, topic)
        self.source.open(self.worker)
        self.source.subscribe(self)
        self.told: list[tuple[str, list[str]]] = []
        self.next: dict[str, Any] = {}

    def assigned(self, partitions: Sequence[str]) -> None:
        self.told.append(("assigned", list(partitions)))
        marks = self.source.committed(partitions)
        for partition in partitions:
            self.source.seek(partition, marks[partition].position if partition in marks else None)

    def revoked(self, partitions: Sequence[str]) -> None:
        self.told.append(("revoked", list(partitions)))
        self.commit(partitions)

    def lost(self, partitions: Sequence[str]) -> None:
        self.told.append(("lost", list(partitions)))
        with pytest.raises(FencedError):
            self.commit(partitions)
        for partition in partitions:
            self.next.pop(partition, None)

    def commit(self, partitions: Sequence[str]) -> None:
        self.source.commit({p: Mark(self.next[p]) for p in partitions if p in self.next})

    def poll(self, rows: int = 100) -> list[Any]:
        records = self.source.poll(rows, 0.0)
        self.next.update({r.partition: r.next for r in records})
        return [json.loads(value or b"null") for r in records for value in r.values]


def numbers(*rows: Any) -> MemoryBroker:
    return MemoryBroker({"events": [rows]})


def drain(member: Member) -> list[Any]:
    found = []
    for _ in range(50):
        found += member.poll()
        if member.source.finished:
            return found
    raise AssertionError("it never finished")


# -- the source


def test_records_come_with_all_they_have() -> None:
    broker = numbers(Item({"x": 1}, b"k", [("h", b"v")], 12.5), b"raw", None)
    records = Member(broker).source.poll(10, 0.0)
    assert isinstance(records[0], Records)
    assert (records[0].values, records[0].keys) == ([b'{"x":1}', b"raw", None], [b"k", None, None])
    assert (records[0].headers, records[0].id(2)) == ([[("h", b"v")], (), ()], "events-0-2")
    np.testing.assert_array_equal(records[0].times, [12.5, np.nan, np.nan])


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_rows_are_limited_and_the_partitions_come_in_order(rows: int) -> None:
    broker = MemoryBroker({"events": [[1, 2, 3], [], [4, 5]]})
    member = Member(broker)
    found: dict[str, list[bytes | None]] = {}
    while not member.source.finished:
        polled = member.source.poll(rows, 0.0)
        assert sum(map(len, polled)) <= rows
        assert [r.partition for r in polled] == sorted(r.partition for r in polled)
        for r in polled:
            found.setdefault(r.partition, []).extend(r.values)
    assert found == {"events-0": [b"1", b"2", b"3"], "events-2": [b"4", b"5"]}


def test_gaps_have_offsets_and_no_lag() -> None:
    member = Member(numbers(b"1", GAP, b"2", GAP))
    records = member.source.poll(10, 0.0)[0]
    assert (records.offsets.tolist(), records.next, member.source.lag()) == ([0, 2], 3, {"events-0": 0})
    member.poll()
    assert member.source.finished


def test_a_crash_is_for_good_and_happens_once() -> None:
    broker = numbers(b"1", ABORT, b"2")
    first = Member(broker)
    sink = MemorySink(broker, exact=True)
    sink.open(first.worker)
    assert first.poll() == [1]
    with pytest.raises(Crash):
        first.poll()
    for call in (
        first.poll,
        lambda: first.commit(["events-0"]),
        sink.flush,
        lambda: first.source.seek("events-0", None),
    ):
        with pytest.raises(Crash):
            call()
    first.source.close()
    assert drain(Member(broker)) == [1, 2]


def test_the_end_is_for_one_incarnation() -> None:
    broker = numbers(b"1", EOF, b"2")
    first = Member(broker)
    assert drain(first) == [1]
    first.commit(["events-0"])
    first.source.close()
    assert drain(Member(broker)) == [2]


def test_late_records_come_after_so_many_polls() -> None:
    member = Member(numbers(b"1", Quiet(2), b"2"))
    assert [member.poll() for _ in range(4)] == [[1], [], [], [2]]


def test_what_expired_is_an_error() -> None:
    broker = numbers(b"1", b"2", b"3")
    member = Member(broker)
    member.poll(1)
    broker.expire("events-0", 2)
    with pytest.raises(PositionError, match="expired"):
        member.poll()
    with pytest.raises(PositionError, match="offsets 2 … 3"):
        member.source.seek("events-0", 1)


# -- the group


def test_a_partition_moves_in_order() -> None:
    broker = MemoryBroker({"events": [[1, 2, 3], [4, 5, 6]]})
    a = Member(broker, "a")
    assert sorted(a.poll(2)) == [1, 4]
    b = Member(broker, "b")
    assert b.poll() == []  # events-1 is still a's
    assert sorted(a.poll()) == [2, 3]
    assert a.told[1:] == [("revoked", ["events-1"])]
    assert (b.poll(), b.told) == ([5, 6], [("assigned", ["events-1"])])


def test_a_zombie_hears_of_its_loss_and_commits_nothing() -> None:
    broker = numbers(1, 2, 3)
    a = Member(broker, "a")
    assert a.poll(1) == [1]
    broker.evict("a")
    b = Member(broker, "b")
    assert b.poll() == [1, 2, 3]
    with pytest.raises(FencedError):
        a.commit(["events-0"])
    b.commit(["events-0"])
    a.poll()
    assert a.told == [("assigned", ["events-0"]), ("lost", ["events-0"])]


def test_the_same_name_twice_fences_the_older() -> None:
    broker = numbers(1, 2)
    old, new = Member(broker), Member(broker)
    with pytest.raises(FencedError):
        old.poll()
    assert new.poll() == [1, 2]


@pytest.mark.parametrize(("mark", "word"), [(Revoke(), "revoked"), (Lose(), "lost")])
def test_marks_take_the_partition_away_and_bring_it_back(mark: Any, word: str) -> None:
    member = Member(numbers(1, mark, 2))
    found = drain(member)
    assert member.told == [("assigned", ["events-0"]), (word, ["events-0"]), ("assigned", ["events-0"])]
    assert found == ([1, 2] if word == "revoked" else [1, 1, 2])  # what was lost was not committed


# -- the sink


def opened(broker: MemoryBroker, worker: Worker, **options: Any) -> MemorySink:
    sink = MemorySink(broker, **options)
    sink.open(worker)
    sink.restore("s", None)
    return sink


def test_an_exact_sink_takes_back_what_came_after_the_state() -> None:
    broker = numbers()
    sink = opened(broker, Worker("p", guarantee="exactly-once"), exact=True)
    sink.write("s", Rows(1, 2))
    with pytest.raises(SinkError, match="before flush"):
        sink.state("s")
    sink.flush()
    state = sink.state("s")
    sink.write("s", Rows(3))
    broker.crash("0")
    again = MemorySink(broker, exact=True)
    again.open(Worker("p", guarantee="exactly-once"))
    with pytest.raises(SinkError, match="no checkpoint knows"):
        again.restore("s", None)
    again.restore("s", state)
    assert broker.documents("predictions") == [1, 2]
    with pytest.raises(SinkError, match="9 were committed"):
        again.restore("s", {"rows": 9})


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_not_flushed_may_be_lost(kept: bool) -> None:
    broker = MemoryBroker({}, keep_unflushed=kept)
    sink = opened(broker, Worker("p"))
    sink.write("s", Rows(1))
    sink.flush()
    sink.write("s", Rows(2))
    broker.crash("0")
    assert broker.documents("predictions") == ([1, 2] if kept else [1])


def test_exactly_once_is_refused_where_it_cannot_be_kept() -> None:
    with pytest.raises(OptionError, match="transactional or exact"):
        MemorySink(numbers()).open(Worker("p", guarantee="exactly-once"))


def test_a_transaction_commits_outputs_and_offsets_together() -> None:
    broker = numbers(1, 2)
    member = Member(broker)
    sinks = [opened(broker, member.worker, topic=topic, transactional=True) for topic in ("predictions", "dead")]
    member.poll(1)
    for sink in sinks:
        sink.begin()
        sink.write("s", Rows(1))
        sink.flush()
    assert (broker.documents("dead"), broker.documents("dead", committed=False)) == ([], [1])
    offsets = member.source.transaction_offsets({"events-0": Mark(member.next["events-0"], "note")})
    for sink in sinks:
        sink.commit(offsets)
    assert [broker.documents(topic) for topic in ("predictions", "dead")] == [[1], [1]]
    assert member.source.committed(["events-0"]) == {"events-0": Mark(1, "note")}
    with pytest.raises(SinkError, match="no transaction"):
        sinks[0].commit(offsets)


def test_an_abort_leaves_nothing() -> None:
    broker = numbers(1)
    sink = opened(broker, Worker("p", guarantee="exactly-once"), transactional=True)
    sink.begin()
    sink.write("s", Rows(1))
    sink.abort()
    sink.abort()
    assert broker.documents("predictions") == []
    assert broker.documents("predictions", committed=False) == [1]


def test_the_next_of_the_same_name_aborts_and_fences_the_zombie() -> None:
    broker = numbers(1)
    zombie = opened(broker, Worker("p", guarantee="exactly-once"), transactional=True)
    zombie.begin()
    zombie.write("s", Rows("zombie"))
    opened(broker, Worker("p", guarantee="exactly-once"), transactional=True)
    with pytest.raises(FencedError):
        zombie.commit(None)
    assert broker.documents("predictions") == []


def test_who_lost_a_partition_commits_no_transaction() -> None:
    broker = numbers(1)
    member = Member(broker)
    sink = opened(broker, member.worker, transactional=True)
    member.poll()
    sink.begin()
    sink.write("s", Rows(1))
    offsets = member.source.transaction_offsets({"events-0": Mark(member.next["events-0"])})
    broker.evict("0")
    with pytest.raises(FencedError):
        sink.commit(offsets)
    assert broker.documents("predictions") == []


@pytest.mark.parametrize("done", [True, False])
def test_after_an_uncertain_commit_the_sink_is_opened_again(done: bool) -> None:
    broker = numbers(1)
    member = Member(broker)
    sink = opened(broker, member.worker, transactional=True)
    broker.fail("sink.commit", UncertainError, done=done)
    member.poll()
    sink.begin()
    sink.write("s", Rows(1))
    with pytest.raises(UncertainError):
        sink.commit(member.source.transaction_offsets({"events-0": Mark(member.next["events-0"])}))
    with pytest.raises(UncertainError):
        sink.begin()
    sink.open(member.worker)
    sink.begin()
    assert broker.documents("predictions") == ([1] if done else [])
    assert bool(member.source.committed(["events-0"])) == done


@pytest.mark.parametrize("done", [True, False])
def test_a_process_may_die_within_a_commit(done: bool) -> None:
    broker = numbers(1)
    worker = Worker("p", guarantee="exactly-once")
    sink = opened(broker, worker, transactional=True)
    broker.fail("sink.commit", Crash, after=1, done=done)
    for row in (1, 2):
        sink.begin()
        sink.write("s", Rows(row))
        if row == 2:
            with pytest.raises(Crash):
                sink.commit(None)
        else:
            sink.commit(None)
    opened(broker, Worker("p", guarantee="exactly-once"), transactional=True)
    assert broker.documents("predictions") == ([1, 2] if done else [1])


def test_faults_happen_where_they_are_set() -> None:
    broker = numbers(1)
    broker.fail("source.committed", SourceError("no answer"))
    member = Member(broker)
    with pytest.raises(SourceError, match="no answer"):
        member.source.committed(["events-0"])
    assert member.source.committed(["events-0"]) == {}
    with pytest.raises(OptionError, match="no point of failure"):
        broker.fail("sink.wirte", SinkError)


def test_notes_have_a_limit() -> None:
    member = Member(numbers(1))
    member.poll()
    with pytest.raises(OptionError, match="4096"):
        member.source.commit({"events-0": Mark(1, "x" * 5000)})


def test_ids_of_clusters_are_no_options() -> None:
    ids = {new_cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == 22 and not id.startswith("-") for id in ids)
