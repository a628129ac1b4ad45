"""Workers as the tests play them: what a pipeline does with a source and a sink, without the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from streamlearn.connectors.kafka import KafkaSink, KafkaSource

from streamlearn.live import Guarantee, Mark, Worker
from streamlearn.records import Header, Records
from streamlearn.sink import Messages, Output


class Out(Output):
    """Messages to write."""

    def __init__(
        self,
        values: Sequence[bytes],
        *,
        keys: Sequence[bytes | None] | None = None,
        headers: Sequence[Sequence[Header]] | None = None,
        number: int | None = None,
    ) -> None:
        self._messages = Messages(values, keys, headers, number)

    def __len__(self) -> int:
        return len(self._messages)

    def messages(self, format: str = "json") -> Messages:
        return self._messages

    def table(self) -> pa.RecordBatch:
        raise NotImplementedError


class Member:
    """A worker of a group: it keeps what it was delivered, and begins where the group's commits say."""

    def __init__(self, source: KafkaSource, worker: Worker) -> None:
        self.source = source
        self.told: list[tuple[str, tuple[str, ...]]] = []
        self.got: list[tuple[str, int]] = []
        self.values: list[bytes | None] = []
        self.records: list[Records] = []
        self.next: dict[str, int] = {}
        source.open(worker)
        source.subscribe(self)

    def assigned(self, partitions: Sequence[str]) -> None:
        self.told.append(("assigned", tuple(partitions)))
        committed = self.source.committed(partitions)
        for partition in partitions:
            mark = committed.get(partition)
            self.source.seek(partition, None if mark is None else mark.position)

    def revoked(self, partitions: Sequence[str]) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self.commit(partitions)
        for partition in partitions:
            self.next.pop(partition, None)

    def lost(self, partitions: Sequence[str]) -> None:
        self.told.append(("lost", tuple(partitions)))
        for partition in partitions:
            self.next.pop(partition, None)

    @property
    def mine(self) -> set[str]:
        """The partitions that this member has, by what it was told."""
        mine: set[str] = set()
        for how, partitions in self.told:
            mine = mine | set(partitions) if how == "assigned" else mine - set(partitions)
        return mine

    def commit(self, partitions: Iterable[str] | None = None) -> None:
        marks = {name: Mark(self.next[name], "n") for name in partitions or self.next if name in self.next}
        self.source.commit(marks)

    def poll(self, timeout: float = 0.05, rows: int = 500) -> int:
        found = self.source.poll(rows, timeout)
        for records in found:
            self.got += [(records.partition, offset) for offset in records.offsets.tolist()]
            self.values += records.values
            self.records.append(records)
            self.next[records.partition] = records.next
        return sum(map(len, found))


def until(done: Callable[[], bool], members: Sequence[Member] = (), seconds: float = 30.0) -> None:
    """Let the members poll until something holds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, [member.told for member in members]
        for member in members:
            member.poll()
        if not members:
            time.sleep(0.02)


def comes_to(error: type[Exception], action: Callable[[], object], seconds: float = 20.0) -> str:
    """What it raises at last, done again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            action()
        except error as raised:
            return str(raised)
    pytest.fail(f"no {error.__name__} in {seconds:g} s")


def worker(name: str = "0", guarantee: Guarantee = "at-least-once", pipeline: str = "p", **more: Any) -> Worker:
    return Worker(pipeline, name, guarantee, **more)


def write(bootstrap: str, topic: str, client: str, values: Sequence[bytes], **more: Any) -> None:
    """Write records as a sink does, and wait for them."""
    with KafkaSink(bootstrap=bootstrap, topic=topic, client=client) as sink:
        sink.open(worker("writer"))
        sink.write("s", Out(values, **more))
        sink.flush()


def read_all(bootstrap: str, topics: str | list[str], client: str, *, seconds: float = 20.0) -> list[Records]:
    """All records of topics, without a group, until the source knows of no more."""
    found = []
    with KafkaSource(bootstrap=bootstrap, topics=topics, client=client) as source:
        source.open(worker("reader"))
        source.assign(source.partitions())
        for partition in source.partitions():
            source.seek(partition, None)
        deadline = time.monotonic() + seconds
        while any(source.lag().values()):
            assert time.monotonic() < deadline, source.lag()
            found += source.poll(1000, 0.1)
    return found


def values(found: Iterable[Records]) -> list[bytes | None]:
    return [value for records in found for value in records.values]
