"""What survives a crash in a test: topics, the group's offsets, outputs and transactions, and the faults to come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import FencedError, OptionError, SinkError, SourceError, UncertainError
from ..live import Mark, Worker
from ..records import Header
from .script import Crash, Partition

POINTS = (
    "source.open",
    "source.poll",
    "source.committed",
    "source.commit",
    "sink.open",
    "sink.write",
    "sink.flush",
    "sink.begin",
    "sink.commit",
)
NOTE_BYTES = 4096


@dataclass(eq=False, slots=True)
class Incarnation:
    """One life of a worker: its sources and sinks die together."""

    worker: str
    dead: bool = False


@dataclass(slots=True)
class Group:
    """Who has which partitions of a topic, and what is committed of them."""

    members: dict[str, Incarnation] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # who has a partition, or thinks so
    targets: dict[str, str] = field(default_factory=dict)  # who shall have it
    committed: dict[str, Mark] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Transaction:
    """Outputs and offsets that count together, or not at all."""

    state: str = "open"  # then "committed" or "aborted"


@dataclass(slots=True)
class Entry:
    """An output as the broker keeps it."""

    shard: str
    value: bytes
    key: bytes | None
    headers: Sequence[Header]
    number: int | None
    life: Incarnation
    transaction: Transaction | None
    flushed: bool = False

    @property
    def committed(self) -> bool:
        """Whether a reader of committed records sees it."""
        return self.transaction is None or self.transaction.state == "committed"


@dataclass(slots=True)
class _Fault:
    error: BaseException | type[BaseException]
    after: int
    done: bool


class MemoryBroker:
    """Topics with scripted partitions, one consumer group a topic, outputs, transactions with fencing, and faults.

    It outlives the workers of a test as Kafka and the disk do. Sources and sinks that were opened with the same
    `Worker` object are one process: when it crashes, all of them raise `Crash` for good.

    Parameters
    ----------
    topics
        Of each topic its partitions, each a list of records (bytes, dicts and numbers, None for a tombstone, `Item`)
        and marks (`ABORT`, `EOF`, `GAP`, `Quiet`, `Revoke`, `Lose`). A mark takes effect when the worker has polled
        everything before it, and once: who comes after a crash passes it.
    keep_unflushed
        Whether outputs without a transaction that were written, but not flushed, survive a crash.

    Examples
    --------
    >>> from streamlearn.testing import ABORT, MemorySource
    >>> broker = MemoryBroker({"events": [[{"x": 1}, ABORT, {"x": 2}]]})
    >>> source = MemorySource(broker, "events")
    >>> source.open(Worker("example"))
    >>> source.assign(source.partitions())
    >>> source.seek("events-0", None)
    >>> source.poll(10, 0.0)[0].values
    [b'{"x":1}']
    >>> source.poll(10, 0.0)
    Traceback (most recent call last):
    streamlearn.testing.script.Crash: at events-0, offset 1
    """

    __test__ = False

    def __init__(self, topics: Mapping[str, Sequence[Iterable[Any]]], *, keep_unflushed: bool = True) -> None:
        self.topics: dict[str, dict[str, Partition]] = {}
        self.groups: dict[str, Group] = {}
        self.outputs: dict[str, list[Entry]] = {}
        self.keep_unflushed = keep_unflushed
        self.producers: dict[str, object] = {}  # the newest producer of each transactional id
        self._faults: dict[str, list[_Fault]] = {}
        self._lives: list[Incarnation] = []
        for topic, scripts in topics.items():
            self.topics[topic] = {f"{topic}-{i}": Partition() for i in range(len(scripts))}
            self.groups[topic] = Group()
            for partition, script in zip(self.topics[topic].values(), scripts, strict=True):
                partition.append(script)

    # -- what a test does ---------------------------------------------------------------------------------------------

    def append(self, partition: str, script: Iterable[Any]) -> None:
        """Add records and marks at a partition's end."""
        self.partition(partition).append(script)

    def expire(self, partition: str, before: int) -> None:
        """Delete a partition's records before an offset, as retention does."""
        self.partition(partition).start = before

    def fail(
        self, point: str, error: BaseException | type[BaseException], *, after: int = 0, done: bool = False
    ) -> None:
        """Let a call fail, once.

        Parameters
        ----------
        point
            One of `POINTS`, such as ``"sink.commit"``.
        error
            What is raised. `Crash` kills the process there; after `UncertainError` the sink must be opened again.
        after
            How many calls pass before.
        done
            Whether the call does its work before it fails.
        """
        if point not in POINTS:
            raise OptionError(f"{point!r} is no point of failure; they are {', '.join(POINTS)}")
        self._faults.setdefault(point, []).append(_Fault(error, after, done))

    def crash(self, worker: str) -> None:
        """Kill the worker between two calls, as ``kill -9`` does."""
        for life in self._lives:
            if life.worker == worker and not life.dead:
                self._die(life)

    def evict(self, worker: str) -> None:
        """Take a worker for dead, as brokers do at the end of its session: its partitions go to the others.

        If it isn't dead, it is a zombie: it learns at its next poll that its partitions are lost, and joins again.
        """
        for topic, group in self.groups.items():
            if worker in group.members:
                self._remove(topic, worker)

    def move(self, partition: str, to: str) -> None:
        """Give a partition to another worker, in order: it is revoked at the old one's next poll, and then assigned."""
        self.groups[self.topic_of(partition)].targets[partition] = to

    def read(self, topic: str, *, committed: bool = True) -> list[Entry]:
        """The outputs in a topic, in order; also those of open and aborted transactions if not ``committed``."""
        return [entry for entry in self.outputs.get(topic, []) if entry.committed or not committed]

    def documents(self, topic: str, *, committed: bool = True) -> list[Any]:
        """The same, decoded from JSON."""
        return [json.loads(entry.value) for entry in self.read(topic, committed=committed)]

    # -- what sources and sinks do ------------------------------------------------------------------------------------

    def life_of(self, worker: Worker) -> Incarnation:
        """The process that a worker object is."""
        life: Incarnation | None = worker.shared.get(self)
        if life is None:
            life = worker.shared[self] = Incarnation(worker.name)
            self._lives.append(life)
        return life

    def partition(self, name: str) -> Partition:
        """A partition by its name."""
        return self.topics[self.topic_of(name)][name]

    def topic_of(self, partition: str) -> str:
        """The topic that a partition belongs to."""
        for topic, partitions in self.topics.items():
            if partition in partitions:
                return topic
        raise SourceError(f"there is no partition {partition}")

    @contextmanager
    def visit(self, point: str, life: Incarnation) -> Iterator[None]:
        """Do something that may be set to fail."""
        if life.dead:
            raise Crash(f"worker {life.worker} is dead")
        fault = self._due(point)
        if fault is not None and not fault.done:
            self._raise(fault, life)
        yield
        if fault is not None:
            self._raise(fault, life)

    def _due(self, point: str) -> _Fault | None:
        due = None
        for fault in list(self._faults.get(point, [])):
            if fault.after == 0 and due is None:
                due = fault
                self._faults[point].remove(fault)
            else:
                fault.after = max(fault.after - 1, 0)
        return due

    def _raise(self, fault: _Fault, life: Incarnation) -> None:
        error = fault.error if isinstance(fault.error, BaseException) else fault.error("as the test wants it")
        if isinstance(error, Crash):
            self._die(life)
        raise error

    def die(self, life: Incarnation, where: str) -> None:
        """Kill a process at a mark."""
        self._die(life)
        raise Crash(f"at {where}")

    def _die(self, life: Incarnation) -> None:
        life.dead = True
        if not self.keep_unflushed:
            for topic, entries in self.outputs.items():
                lost = [e for e in entries if e.life is life and e.transaction is None and not e.flushed]
                self.outputs[topic] = [e for e in entries if not any(e is other for other in lost)]

    # -- the group ----------------------------------------------------------------------------------------------------

    def join(self, topic: str, life: Incarnation) -> None:
        """Become a member; a former incarnation of the same worker is fenced (static membership)."""
        group = self.groups[topic]
        group.members[life.worker] = life
        for partition in [p for p, owner in group.owners.items() if owner == life.worker]:
            del group.owners[partition]
        self.share_out(topic)

    def leave(self, topic: str, life: Incarnation) -> None:
        """Leave in order; what the member had is free."""
        if self.groups[topic].members.get(life.worker) is life:
            self._remove(topic, life.worker)

    def _remove(self, topic: str, worker: str) -> None:
        group = self.groups[topic]
        del group.members[worker]
        for partition in [p for p, owner in group.owners.items() if owner == worker]:
            del group.owners[partition]
        self.share_out(topic)

    def share_out(self, topic: str) -> None:
        """Decide who shall have which partition: ranges, as Kafka's simplest assignor does."""
        group, partitions = self.groups[topic], list(self.topics[topic])
        members = sorted(group.members)
        for i, partition in enumerate(partitions):
            if members:
                group.targets[partition] = members[i * len(members) // len(partitions)]
            else:
                group.targets.pop(partition, None)

    def check_owner(self, topic: str, life: Incarnation, partitions: Iterable[str]) -> None:
        """Refuse who no longer has the partitions.

        Raises
        ------
        FencedError
            If another incarnation of the worker is a member, or one of the partitions is another's.
        """
        group = self.groups[topic]
        if group.members.get(life.worker) is not life:
            raise FencedError(f"worker {life.worker} is no longer a member of the group of {topic}")
        for partition in partitions:
            if group.owners.get(partition) != life.worker:
                raise FencedError(f"{partition} is no longer worker {life.worker}'s")

    def store(self, topic: str, marks: Mapping[str, Mark]) -> None:
        """Commit marks, as JSON and within the limits that Kafka has."""
        for partition, mark in marks.items():
            if len(mark.note.encode()) > NOTE_BYTES:
                raise OptionError(f"the note on {partition} has more than {NOTE_BYTES} bytes")
            self.partition(partition)
            self.groups[topic].committed[partition] = Mark(json.loads(json.dumps(mark.position)), mark.note)


@dataclass(eq=False, slots=True)
class Producer:
    """A transactional producer, which all transactional sinks of a process share, as Kafka's sinks do."""

    broker: MemoryBroker
    id: str
    life: Incarnation
    transaction: Transaction | None = None
    partners: set[object] = field(default_factory=set)  # sinks that take part, and did not commit yet
    unsure: bool = False

    def take_over(self) -> None:
        """Fence the predecessor, and abort what it left open."""
        predecessor = self.broker.producers.get(self.id)
        if isinstance(predecessor, Producer):
            predecessor.end("aborted")
        self.broker.producers[self.id] = self

    def check(self) -> None:
        """Refuse a zombie, and who does not know how the last transaction ended."""
        if self.broker.producers.get(self.id) is not self:
            raise FencedError(f"another producer has taken over the transactional id {self.id}")
        if self.unsure:
            raise UncertainError("it is unknown how the last transaction ended: open the sink again")

    def begin(self, sink: object) -> None:
        """Begin a transaction for a sink, or let it take part in the one that is open."""
        if self.transaction is None:
            self.transaction = Transaction()
            self.partners.clear()
        elif sink in self.partners:
            raise SinkError("a transaction is open already")
        self.partners.add(sink)

    def open_transaction(self) -> Transaction:
        """The transaction that is open."""
        if self.transaction is None:
            raise SinkError("no transaction was begun")
        return self.transaction

    def settled_for(self, sink: object) -> bool:
        """Whether another sink has committed the transaction in which this one took part."""
        if self.transaction is None and sink in self.partners:
            self.partners.remove(sink)
            return True
        self.open_transaction()
        self.partners.discard(sink)
        return False

    def end(self, state: str) -> None:
        """Commit or abort the open transaction, if there is one."""
        if self.transaction is not None:
            self.transaction.state = state
            self.transaction = None
