"""What a worker tells those who watch it: Prometheus, logs, spans, the terminal view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["starting", "running", "draining", "stopped", "failed"]
Health = Literal["ok", "degraded", "stalled", "failed"]
Stage = Literal["decode", "process", "label", "sink"]


@dataclass(slots=True)
class BatchDone:
    """One turn of the loop.

    Parameters
    ----------
    shard, rows, rejected, labels
        The shard, events predicted, records rejected, labels applied.
    decode, process, write
        Seconds spent.
    age
        Seconds from the newest record's time to the end of the turn; NaN where records have no time.
    """

    shard: str
    rows: int
    rejected: int
    labels: int
    decode: float
    process: float
    write: float
    age: float


@dataclass(slots=True)
class CommitDone:
    """One commit: what it cost, and what it made safe."""

    shards: list[str]
    checkpoint: int
    seconds: float
    bytes: int
    rows: int
    reason: Literal["interval", "rows", "revoked", "stop", "start"]


@dataclass(slots=True)
class Alarm:
    """A drift that a detector reports: an event for a topic, a file or a webhook."""

    pipeline: str
    shard: str
    learner: str
    detector: str
    level: Literal["warning", "drift"]
    record: str
    row: int
    event_time: float | None


@dataclass(slots=True)
class ShardStatus:
    """A shard as it stands: rows seen, labels waiting, and each learner's prequential metrics over its window."""

    shard: str
    partitions: list[str]
    rows: int
    labelled: int
    waiting: int
    checkpoint: str | None
    metrics: dict[str, dict[str, float]]
    model_bytes: dict[str, int]


@dataclass(slots=True)
class Status:
    """A worker as it stands. Cheap to make, and safe to ask for from any thread.

    Parameters
    ----------
    rows, labelled, rejected, alarms, commits, restores
        Counters since the process started: events predicted, labels applied, dead letters by stage, alarms, commits,
        restores from checkpoints that hold anything.
    lag
        Records not yet read, by partition.
    last_commit, last_checkpoint_bytes
        Seconds since the last commit (None before the first), and its checkpoint's size.
    guarantee
        What the pipeline promises.
    last_turn
        Seconds since the loop last came around, with records or without: how a loop that hangs is told from one that
        has nothing to do.
    """

    pipeline: str
    worker: str
    phase: Phase
    health: Health
    message: str
    rows: int
    labelled: int
    rejected: dict[str, int]
    alarms: int
    commits: int
    restores: int
    lag: dict[str, int]
    last_commit: float | None
    last_checkpoint_bytes: int
    shards: list[ShardStatus]
    guarantee: str = ""
    last_turn: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether events are being processed, or would be if there were any."""
        return self.phase == "running" and self.health in ("ok", "degraded")


class Observer:
    """Told what a worker does, on the worker's thread: an observer must not wait. All methods do nothing here."""

    def started(self, worker: Any) -> None:
        """The loop begins; ``worker.status()`` may be called from now on, from any thread."""

    def assigned(self, shards: list[str]) -> None:
        """Shards came, restored and ready."""

    def released(self, shards: list[str], *, lost: bool) -> None:
        """Shards went; lost ones without a commit."""

    def batch(self, done: BatchDone) -> None:
        """A batch was processed and written."""

    def committed(self, done: CommitDone) -> None:
        """A commit took place."""

    def rejected(self, shard: str, record: str, stage: Stage, reason: str) -> None:
        """A record was set aside."""

    def alarm(self, alarm: Alarm) -> None:
        """A detector reports a drift or a warning."""

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        """A shard was restored, which took so many seconds; None if it began afresh."""

    def retrying(self, what: str, error: Exception, wait: float) -> None:
        """Something failed and is tried again after ``wait`` seconds."""

    def stopped(self, error: BaseException | None) -> None:
        """The loop ended."""

    def close(self) -> None:
        """Give back threads and ports, on whichever thread; idempotent, and needed by an observer that never ran."""
