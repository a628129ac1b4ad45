"""A live source over topics in memory, as faithful to the contract as Kafka's."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import FencedError, OptionError, PositionError, SourceError
from ..live import Assignment, LiveSource, Mark, Worker
from ..records import Records
from .broker import MemoryBroker
from .script import ABORT, EOF, Item, Lose, Partition, Quiet, Revoke


class MemorySource(LiveSource):
    """A topic of a `MemoryBroker` as a live source. A position is an offset.

    Parameters
    ----------
    broker
        Where the topic is.
    topic
        Its name; its partitions are ``<topic>-0``, ``<topic>-1`` …
    bounded
        Whether the source is finished when the last record was delivered; `EOF` ends it in any case.
    format
        The registered format of the records.
    """

    __test__ = False

    def __init__(self, broker: MemoryBroker, topic: str, *, bounded: bool = True, format: str = "json") -> None:
        if topic not in broker.topics:
            raise OptionError(f"the broker has no topic {topic!r}; it has {', '.join(broker.topics)}")
        self.broker, self.topic, self.bounded, self.format = broker, topic, bounded, format
        self.name = topic
        self._assignment: Assignment | None = None
        self._grouped = False
        self._offsets: dict[str, int | None] = {}  # of the partitions that are ours; None until they are sought
        self._paused: set[str] = set()
        self._ended: set[str] = set()
        self._back: dict[str, int] = {}  # polls after which a partition that was taken away comes back
        self._polled = False

    def open(self, worker: Worker) -> None:
        """Become part of the worker's process (see `LiveSource.open`)."""
        self._life = self.broker.life_of(worker)
        with self.broker.visit("source.open", self._life):
            pass

    def subscribe(self, assignment: Assignment) -> None:
        """Join the topic's group."""
        self._check_alive()
        self._assignment, self._grouped = assignment, True
        self.broker.join(self.topic, self._life)

    def assign(self, partitions: Sequence[str]) -> None:
        """Take partitions without a group."""
        self._check_alive()
        for partition in partitions:
            self._partition(partition)
        self._offsets = dict.fromkeys(partitions)

    def partitions(self) -> list[str]:
        """All partitions of the topic."""
        return list(self.broker.topics[self.topic])

    def number(self, partition: str) -> int:
        """What is behind the last hyphen."""
        return int(partition.rpartition("-")[2])

    def seek(self, partition: str, position: Any | None) -> None:
        """Go to an offset (see `LiveSource.seek`)."""
        self._check_alive()
        if partition not in self._offsets:
            raise SourceError(f"{partition} is not worker {self._life.worker}'s: it can't be sought")
        records = self._partition(partition)
        offset = records.start if position is None else position
        if not records.start <= offset <= len(records.items):
            raise PositionError(
                f"{partition} has offsets {records.start} … {len(records.items)}, and {offset} is not among them"
            )
        self._offsets[partition] = offset

    def poll(self, max_rows: int, timeout: float) -> list[Records]:
        """The next records; time is not waited for (see `LiveSource.poll`)."""
        with self.broker.visit("source.poll", self._life):
            self._polled = True
            quiet = {partition for partition in list(self._offsets) if self._meets_marks(partition)}
            if self._grouped:
                self._rebalance()
            found: list[Records] = []
            rows = 0
            ready = [p for p in sorted(self._offsets) if p not in quiet | self._paused | self._ended]
            for i, partition in enumerate(ready):
                share = math.ceil((max_rows - rows) / (len(ready) - i))
                records = self._take(partition, share) if share else None
                if records is not None:
                    found.append(records)
                    rows += len(records)
        if not found and timeout > 0:
            time.sleep(min(timeout, 0.001))
        return found

    def pause(self, partitions: Sequence[str]) -> None:
        """Deliver nothing of these."""
        self._paused |= set(partitions)

    def resume(self, partitions: Sequence[str]) -> None:
        """Deliver these again."""
        self._paused -= set(partitions)

    def lag(self) -> dict[str, int]:
        """Records left, without gaps."""
        return {p: self._partition(p).left(offset) for p, offset in self._offsets.items() if offset is not None}

    @property
    def finished(self) -> bool:
        """Whether nothing more comes: all is delivered, nothing is late, and no partition is to come back."""
        if not self._polled or self._back or (not self.bounded and not self._ended):
            return False
        if self._grouped and set(self._wanted()) != set(self._offsets):
            return False
        return all(p in self._ended or (self.bounded and self._at_end(p)) for p in self._offsets)

    def committed(self, partitions: Sequence[str]) -> dict[str, Mark]:
        """What was committed (see `LiveSource.committed`)."""
        with self.broker.visit("source.committed", self._life):
            known = self.broker.groups[self.topic].committed
            return {partition: known[partition] for partition in partitions if partition in known}

    def commit(self, marks: Mapping[str, Mark]) -> None:
        """Commit offsets, if the partitions are still ours (see `LiveSource.commit`)."""
        with self.broker.visit("source.commit", self._life):
            if self._grouped:
                self.broker.check_owner(self.topic, self._life, marks)
            self.broker.store(self.topic, marks)

    def transaction_offsets(self, marks: Mapping[str, Mark]) -> Any:
        """The marks with the identity of the group's member."""
        self._check_alive()
        return {"topic": self.topic, "life": self._life, "grouped": self._grouped, "marks": dict(marks)}

    def close(self) -> None:
        """Leave the group."""
        if self._grouped and not self._life.dead:
            self.broker.leave(self.topic, self._life)
        self._offsets, self._grouped = {}, False

    # -- marks --------------------------------------------------------------------------------------------------------

    def _meets_marks(self, partition: str) -> bool:
        """Let what stands before the next record happen; whether that means that nothing comes now."""
        offset = self._offsets[partition]
        if offset is None or partition in self._paused:
            return False
        marks = self._partition(partition).marks.get(offset, [])
        while marks and partition not in self._ended:
            mark = marks[0]
            if isinstance(mark, Quiet):
                if mark.polls > 0:
                    marks[0] = Quiet(mark.polls - 1)
                    return True
                del marks[0]
                continue
            del marks[0]
            if mark == ABORT:
                self.broker.die(self._life, f"{partition}, offset {offset}")
            elif mark == EOF:
                self._ended.add(partition)
            elif isinstance(mark, (Revoke, Lose)) and self._grouped:
                self._give_away(partition, mark)
                return True
        return False

    def _give_away(self, partition: str, mark: Revoke | Lose) -> None:
        group = self.broker.groups[self.topic]
        if isinstance(mark, Lose):
            group.owners.pop(partition, None)
        if mark.to in group.members and mark.to != self._life.worker:
            group.targets[partition] = mark.to
        else:
            group.targets.pop(partition, None)
            self._back[partition] = mark.polls

    # -- the group ----------------------------------------------------------------------------------------------------

    def _rebalance(self) -> None:
        assignment, group, me = self._assignment, self.broker.groups[self.topic], self._life.worker
        assert assignment is not None
        member = group.members.get(me)
        if member is not None and member is not self._life:
            raise FencedError(f"another worker has taken the name {me}")
        lost = [p for p in self._offsets if member is None or group.owners.get(p) != me]
        if lost:
            self._forget(lost)
            assignment.lost(lost)
        if member is None:
            self.broker.join(self.topic, self._life)
        for partition in list(self._back):
            self._back[partition] -= 1
            if self._back[partition] < 0:
                del self._back[partition]
                group.targets[partition] = me
        revoked = [p for p in self._offsets if group.targets.get(p) != me]
        if revoked:
            assignment.revoked(revoked)
            self._forget(revoked)
            for partition in revoked:
                if group.owners.get(partition) == me:
                    del group.owners[partition]
        came = [p for p in self._wanted() if p not in self._offsets and p not in group.owners]
        if came:
            for partition in came:
                group.owners[partition] = me
                self._offsets[partition] = None
            assignment.assigned(came)

    def _wanted(self) -> list[str]:
        targets = self.broker.groups[self.topic].targets
        return [partition for partition in self.partitions() if targets.get(partition) == self._life.worker]

    def _forget(self, partitions: Sequence[str]) -> None:
        for partition in partitions:
            self._offsets.pop(partition, None)
            self._paused.discard(partition)
            self._ended.discard(partition)

    # -- records ------------------------------------------------------------------------------------------------------

    def _take(self, name: str, rows: int) -> Records | None:
        offset = self._offsets[name]
        if offset is None:
            return None
        partition = self._partition(name)
        if offset < partition.start:
            raise PositionError(f"{name}: the records before offset {partition.start} expired, {offset} among them")
        found: list[tuple[int, Item]] = []
        while offset < len(partition.items) and len(found) < rows:
            item = partition.items[offset]
            if item is not None:
                found.append((offset, item))
            offset += 1
            if partition.marks.get(offset):
                break
        if not found:
            self._offsets[name] = offset
            return None
        # A gap behind the last record is not ours to pass: like Kafka's clients we go on behind the record.
        self._offsets[name] = after = found[-1][0] + 1
        items = [item for _, item in found]
        times = [np.nan if item.time is None else item.time for item in items]
        return Records(
            name,
            name,
            np.array([at for at, _ in found], np.int64),
            after,
            [item.bytes for item in items],
            keys=[item.key for item in items] if any(item.key is not None for item in items) else None,
            headers=[item.headers for item in items] if any(item.headers for item in items) else None,
            times=None if np.isnan(times).all() else np.array(times),
        )

    def _at_end(self, name: str) -> bool:
        offset, partition = self._offsets[name], self._partition(name)
        return offset is not None and partition.left(offset) == 0 and not any(at >= offset for at in _live(partition))

    def _partition(self, name: str) -> Partition:
        if name not in self.broker.topics[self.topic]:
            raise SourceError(f"topic {self.topic} has no partition {name}")
        return self.broker.topics[self.topic][name]

    def _check_alive(self) -> None:
        with self.broker.visit("alive", self._life):
            pass


def _live(partition: Partition) -> list[int]:
    """Offsets with marks that were not met yet."""
    return [offset for offset, marks in partition.marks.items() if marks]
