"""Rows that wait for their labels, one event at a time, with dicts and lists: what `PendingLabels` must do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Waiting:
    """A row that waits: its place in the stream, when it was predicted, and with what."""

    row: int
    since: float
    width: int
    id_bytes: int


@dataclass
class Pending:
    """Takes rows and labels one by one; ``log`` tells what was predicted, among how many classes, and learned."""

    ttl: float = math.inf
    default: Any = None
    max_rows: int = 1_000_000
    max_bytes: float = math.inf
    max_early: int = 100_000
    max_done: int = 100_000
    fixed_bytes: int = 0
    class_bytes: int = 0
    classes: int = 0
    clock: float = -math.inf
    rows: int = 0
    width: int = 0
    waiting: dict[Any, Waiting] = field(default_factory=dict)  # dicts keep the order in which entries came
    early: dict[Any, tuple[Any, float]] = field(default_factory=dict)
    done: dict[Any, str] = field(default_factory=dict)
    log: list[tuple[Any, ...]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.counters[what] = self.counters.get(what, 0) + 1

    def finish(self, id: Any, why: str) -> None:
        self.done[id] = why
        while len(self.done) > self.max_done:
            del self.done[next(iter(self.done))]

    def label(self, id: Any, label: Any, code: int) -> None:
        self.classes = max(self.classes, code + 1)
        if id in self.waiting:
            self.log.append(("learn", self.waiting.pop(id).row, label))
            self.finish(id, "labelled")
            self.count("matched")
        elif id in self.early or self.done.get(id) == "labelled":
            self.count("duplicate")
        elif id in self.done:
            self.count("late")
        else:
            self.early[id] = label, self.clock
            self.count("early")
            while len(self.early) > self.max_early:
                del self.early[next(iter(self.early))]
                self.count("unknown")

    def row(self, id: Any, time: float, width: int) -> None:
        if time > self.clock:  # never true for an unknown time, NaN
            if self.clock == -math.inf:
                for waits in self.waiting.values():
                    waits.since = time
                self.early = {id: (label, time) for id, (label, _) in self.early.items()}
            self.clock = time
            self.expire()
        row, self.rows = self.rows, self.rows + 1
        self.width = max(self.width, width)
        self.log.append(("predict", row, self.classes))
        if id is None:
            self.count("anonymous")
        elif id in self.early:
            label, _ = self.early.pop(id)
            self.log.append(("learn", row, label))
            self.finish(id, "labelled")
            self.count("matched")
        elif self.done.get(id) in ("labelled", "defaulted"):
            self.count("repeated")
        else:
            if id in self.waiting:
                del self.waiting[id]
                self.count("replaced")
            self.done.pop(id, None)
            self.waiting[id] = Waiting(row, self.clock, width, len(id.encode()) if isinstance(id, str) else 8)
        self.make_room()

    def expire(self) -> None:
        for id, waits in list(self.waiting.items()):
            if waits.since + self.ttl <= self.clock:
                del self.waiting[id]
                if self.default is None:
                    self.finish(id, "dropped")
                else:
                    self.log.append(("learn", waits.row, self.default))
                    self.finish(id, "defaulted")
                self.count("expired")
        for id, (_, since) in list(self.early.items()):
            if since + self.ttl <= self.clock:
                del self.early[id]
                self.count("unknown")

    def bytes(self) -> int:
        each = self.fixed_bytes + 8 * self.width + self.class_bytes * self.classes
        return sum(each + waits.id_bytes for waits in self.waiting.values())

    def make_room(self) -> None:
        while len(self.waiting) > self.max_rows or (len(self.waiting) > 1 and self.bytes() > self.max_bytes):
            id = next(iter(self.waiting))
            del self.waiting[id]
            self.finish(id, "dropped")
            self.count("evicted")
