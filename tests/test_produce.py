"""Streams replayed as live records: what is in them, when they come, where they go; and the command for it."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

import streamlearn as sl
from streamlearn.addresses import sink_at, source_at
from streamlearn.cli import main
from streamlearn.errors import OptionError, UnknownNameError
from streamlearn.live import Worker
from streamlearn.replay import Delay, FilesInTurn, Replay
from streamlearn.sink import Output
from streamlearn.testing import MemoryBroker, MemorySink


class Clock:
    """A clock that only moves when somebody sleeps, or a sink takes its time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


class Timed(MemorySink):
    """Notes when each output is written; every write of events takes ``cost`` seconds."""

    def __init__(self, broker: MemoryBroker, topic: str, clock: Clock, cost: float = 0.0) -> None:
        super().__init__(broker, topic)
        self.clock, self.cost = clock, cost
        self.at: list[float] = []

    def write(self, shard: str, output: Output) -> None:
        self.at += [self.clock.now] * len(output)
        self.clock.now += self.cost
        super().write(shard, output)


def replayed(stream: str = "sea_a:rows=100,seed=1", *, cost: float = 0.0, labels: bool = False, **options: Any) -> Any:
    """The broker, the sinks, and what the replay tells."""
    broker, clock = MemoryBroker({}), Clock()
    events = Timed(broker, "events", clock, cost)
    answers = Timed(broker, "labels", clock) if labels else None
    replay = Replay(sl.open_stream(stream), events, labels=answers, clock=clock, sleep=clock.sleep, **options)
    return broker, events, answers, replay.run()


def test_records_have_the_row_its_target_an_id_and_a_time() -> None:
    broker, _, _, done = replayed("electricity", rows=3)
    first = broker.documents("events")[0]
    row = next(sl.open_stream("electricity").batches(1))
    assert list(first)[-3:] == ["target", "event_id", "ts"]
    assert (first["event_id"], first["ts"], first["target"]) == ("electricity-0", 1000.0, "UP")
    assert {name: first[name] for name in ("day", "nswprice")} == {"day": "2", "nswprice": row.X[0, 3]}
    assert [entry.key for entry in broker.read("events")] == [b"electricity-0", b"electricity-1", b"electricity-2"]
    assert (done.events, done.next_row) == (3, 3)


def test_numbers_and_missing_values_survive(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,c,target\n0.1,a,1.5\n,b,2.5\n1e300,,3.5\n")
    broker, *_ = replayed(str(tmp_path / "a.csv"))
    rows = [(row["x"], row["c"], row["target"]) for row in broker.documents("events")]
    assert rows == [(0.1, "a", 1.5), (None, "b", 2.5), (1e300, None, 3.5)]


@pytest.mark.parametrize("rate", [0.5, 7, 100, 1e6])
def test_each_record_is_due_at_its_own_time(rate: float) -> None:
    broker, events, _, done = replayed(rate=rate)
    due = [1000 + i / rate for i in range(100)]
    assert [row["ts"] for row in broker.documents("events")] == pytest.approx(due)
    late = [written - time for written, time in zip(events.at, due, strict=True)]
    assert min(late) > -1e-6
    assert max(late) <= max(0.0051, 1 / rate / 1000)
    assert done.events == 100


def test_a_slow_sink_makes_records_late_and_the_times_stay() -> None:
    """A sink that stalls: no record's time moves, so that whoever measures from it sees the whole delay."""
    broker, events, _, done = replayed(rate=100, cost=0.2)
    assert [row["ts"] for row in broker.documents("events")] == pytest.approx([1000 + i / 100 for i in range(100)])
    assert done.late >= 0.2
    assert len(set(events.at)) < 10  # what came due meanwhile goes out together
    assert done.seconds < 1.5


def test_labels_come_by_themselves_after_so_many_events() -> None:
    broker, events, labels, done = replayed(rate=100, labels=True, delay=Delay(rows=10))
    rows, answers = broker.documents("events"), broker.documents("labels")
    assert "class" not in rows[0]
    assert set(answers[0]) == {"event_id", "class", "ts"}
    assert [answer["event_id"] for answer in answers] == [row["event_id"] for row in rows]
    assert [entry.key for entry in broker.read("labels")] == [entry.key for entry in broker.read("events")]
    assert labels.at[:90] == events.at[10:]
    assert set(labels.at[90:]) == {labels.at[-1]}  # no event makes these due: they go at the end
    assert done.labels == 100


def test_labels_come_after_so_many_seconds() -> None:
    broker, _, labels, done = replayed(rate=2, labels=True, delay=Delay(seconds=0.7), rows=10)
    due = [1000 + i / 2 + 0.7 for i in range(10)]
    assert [answer["ts"] for answer in broker.documents("labels")] == pytest.approx(due)
    assert max(at - time for at, time in zip(labels.at, due, strict=True)) < 0.006
    assert done.labels == 10


def test_labels_may_come_at_once() -> None:
    broker, _, _, done = replayed(labels=True)
    truth = [row["class"] for row in replayed()[0].documents("events")]
    assert ([answer["class"] for answer in broker.documents("labels")], done.labels) == (truth, 100)


def test_an_interrupted_replay_loses_no_label_and_is_continued() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > 1000.5:
            raise KeyboardInterrupt

    broker = MemoryBroker({})
    source = sl.open_stream("sea_a:rows=100,seed=1")
    sinks = [MemorySink(broker, topic) for topic in ("events", "labels")]
    replay = Replay(source, sinks[0], rate=100, labels=sinks[1], delay=Delay(30), clock=clock, sleep=sleep)
    with pytest.raises(KeyboardInterrupt):
        replay.run()
    done = replay.done
    assert 40 < done.events == done.labels == done.next_row < 60
    rest = sl.open_stream("sea_a:rows=100,seed=1")
    rest.seek({"row": done.next_row})
    Replay(rest, sinks[0], labels=sinks[1]).run()
    for topic in ("events", "labels"):
        assert [row["event_id"] for row in broker.documents(topic)] == [f"sea_a-{row}" for row in range(100)]


def test_partitions_take_turns_by_row_and_keys_are_fields() -> None:
    broker, *_ = replayed("electricity", rows=10, partitions=3, key="day", labels=True)
    for topic in ("events", "labels"):
        for entry in broker.read(topic):
            row = int(json.loads(entry.value)["event_id"].rpartition("-")[2])
            assert (entry.number, entry.key) == (row % 3, b"2")


def test_what_cannot_be_replayed_is_said(tmp_path: Path) -> None:
    sink = MemorySink(MemoryBroker({}))
    with pytest.raises(OptionError, match="has no end: say how many rows"):
        Replay(sl.open_stream("sea"), sink)
    with pytest.raises(UnknownNameError, match="did you mean nswprice"):
        Replay(sl.open_stream("electricity"), sink, key="nswprize")
    with pytest.raises(OptionError, match="rate must be a number > 0"):
        Replay(sl.open_stream("electricity"), sink, rate=0)
    (tmp_path / "a.csv").write_text("ts,target\n1,2\n")
    with pytest.raises(OptionError, match="has a field 'ts' of its own"):
        Replay(sl.open_stream(tmp_path / "a.csv"), sink)


# -- places


def test_a_folder_has_files_of_so_many_rows(tmp_path: Path) -> None:
    sink = FilesInTurn(tmp_path / "in", name="sea_a", rows=30)
    Replay(sl.open_stream("sea_a:rows=100,seed=1"), sink).run()
    files = sorted((tmp_path / "in").iterdir())
    assert [path.name for path in files] == [f"sea_a-{row:012d}.jsonl" for row in (0, 30, 60, 90)]
    rows = [json.loads(line)["event_id"] for path in files for line in path.read_text().splitlines()]
    assert rows == [f"sea_a-{row}" for row in range(100)]


@pytest.mark.parametrize(
    ("address", "said"),
    [("kafka://", "write kafka://host:port/topic"), ("kafka://a:1/b/c", "write kafka"), ("s3://x/y", "no such place")],
)
def test_addresses_are_checked(address: str, said: str) -> None:
    for make in (sink_at, source_at):
        with pytest.raises(OptionError, match=said):
            make(address)
    with pytest.raises(OptionError, match="client options are for kafka"):
        sink_at("a.jsonl", options={"linger.ms": 5})


# -- the command


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["streamlearn", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_command_writes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    events = "produce", "--stream", "electricity", "--to", "events.jsonl", "--quiet"
    assert run(monkeypatch, *events, "--rows", 50, "--labels-to", "labels.jsonl", "--label-delay", "20ms") == 0
    assert "wrote 50 records and 50 labels" in capsys.readouterr().out
    assert run(monkeypatch, *events, "--rows", 50) == 2
    assert "--append" in capsys.readouterr().err
    assert run(monkeypatch, *events, "--rows", 50, "--start", 50, "--append", "--rate", 10_000) == 0
    assert "ms late" in capsys.readouterr().out
    rows = [json.loads(line)["event_id"] for line in Path("events.jsonl").read_text().splitlines()]
    assert rows == [f"electricity-{row}" for row in range(100)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--label-delay", "5s"], "--labels-to"),
        (["--labels-to", "l.jsonl", "--label-delay", "soon"], "--label-delay: delay must be"),
        (["--labels-to", "l.jsonl", "--label-delay", "stream"], "give rows or a time"),
        (["--option", "x"], "write KEY=VALUE"),
    ],
)
def test_the_command_checks_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "produce", "--stream", "electricity", "--to", "a.jsonl", *arguments) == 2
    assert said in capsys.readouterr().err


def test_what_is_produced_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "produce", "-s", "sea_a:rows=250", "--to", "in", "--rows-per-file", 100, "-q") == 0
    source = source_at("in")
    source.open(Worker("test"))
    source.assign(source.partitions())
    source.seek("in", None)
    ids = []
    while not source.finished:
        for records in source.poll(64, 0.0):
            ids += [json.loads(value or b"")["event_id"] for value in records.values]
    assert ids == [f"sea_a-{row}" for row in range(250)]
    assert math.isclose(source.lag()["in"], 0)
