"""The loop of one worker: poll, predict and learn, write, commit; and what happens when partitions come and go.

The states, and what leads from one to the next::

    starting --(sinks and source are open)--> running --(stop, or the stream ended)--> draining --> stopped
       ^                                         |
       |                                         | FencedError, UncertainError, SinkError, SourceError
       +---------(back-off; the same code)-------+--(retries are used up, or any other error)--> failed

Whatever fails between two commits, the worker abandons what it did since the last one and begins again from there, as
a new process would: there is no other recovery.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Literal

import numpy as np

from .. import registry
from ..errors import CheckpointError, FencedError, SinkError, SourceError, UncertainError
from ..format import Format
from ..live import LiveSource, Mark
from ..live import Worker as Identity
from ..records import Records
from ..sink import Sink
from .checkpoints import CheckpointStore
from .commit import Ahead, Commit, Flushed, Outlets, Transactional, commit_for
from .crash_points import reach
from .lock import WorkerLock
from .observer import BatchDone, CommitDone, Health, Observer, Phase, ShardStatus, Status
from .outputs import Alarms
from .plan import Plan
from .restoring import begin_ahead, begin_flushed, begin_transactional
from .shard import Done, Shard

log = logging.getLogger("streamlearn")

RETRIED = (FencedError, UncertainError, SinkError, SourceError, CheckpointError)
STATUS_EVERY = 0.5  # seconds between two snapshots for those who watch
IDLE = 0.1  # seconds that a poll waits where nothing else is due
Reason = Literal["interval", "rows", "revoked", "stop", "start"]


class Worker:
    """Runs a plan until its stream ends or `stop` is called.

    Parameters
    ----------
    plan
        The recipe.
    name
        The worker's name: the same after a restart, and unique among the pipeline's workers.
    observers
        Told what happens.
    fresh
        Whether to begin anew, whatever checkpoints and committed positions say.
    """

    def __init__(self, plan: Plan, name: str = "0", observers: Iterable[Observer] = (), *, fresh: bool = False) -> None:
        self._plan, self._name, self._fresh = plan, name, fresh
        self._observers = list(observers)
        self._stop = threading.Event()
        self._phase: Phase = "starting"
        self._message = ""
        self._rows = self._labels = self._alarms = self._commits = self._restores = 0
        self._rejected: dict[str, int] = {}
        self._lag: dict[str, int] = {}
        self._shard_status: list[ShardStatus] = []
        self._last_commit: float | None = None
        self._last_bytes = 0
        self._last_turn = time.monotonic()
        self._failures = 0
        self._incarnation: Incarnation | None = None

    def stop(self) -> None:
        """Finish the batch, commit, and end; from any thread, or from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        StreamlearnError
            If something fails that trying again would not mend, or did not mend.
        """
        error: BaseException | None = None
        try:
            with ExitStack() as held:
                if self._plan.directory is not None:
                    held.enter_context(WorkerLock(self._plan.directory, self._name))
                self._tell("started", self)
                while not self._live():
                    pass
            self._phase = "stopped"
        except BaseException as failure:
            self._phase, self._message, error = "failed", str(failure), failure
            raise
        finally:
            self._tell("stopped", error)

    def _live(self) -> bool:
        """One life, from the last commit to the end of the stream or to a failure; whether it was the last."""
        self._phase = "starting"
        incarnation = Incarnation(self)
        try:
            incarnation.open()
            self._phase, self._message = "running", ""
            while not self._stop.is_set() and incarnation.turn():
                self._last_turn = time.monotonic()
            self._phase = "draining"
            incarnation.finish()
            return True
        except RETRIED as failure:
            incarnation.abandon()
            self._failures += 1
            if self._failures > self._plan.errors.retries or self._stop.is_set():
                raise
            wait = min(60.0, self._plan.errors.backoff * 2.0 ** (self._failures - 1))
            self._message = f"{type(failure).__name__}: {failure}"
            log.warning("%s; restoring the last commit in %.1f s", self._message, wait)
            self._tell("retrying", "worker", failure, wait)
            self._stop.wait(wait)
            return self._stop.is_set()
        except BaseException:
            incarnation.abandon()
            raise
        finally:
            incarnation.close()

    def _tell(self, what: str, *args: Any, **more: Any) -> None:
        for observer in self._observers:
            try:
                getattr(observer, what)(*args, **more)
            except Exception:
                log.exception("an observer failed: %r", observer)

    # -- those who watch ----------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """How the worker stands, as of the last half second; from any thread."""
        return Status(
            pipeline=self._plan.name,
            worker=self._name,
            phase=self._phase,
            health=self._health(),
            message=self._message,
            rows=self._rows,
            labelled=self._labels,
            rejected=dict(self._rejected),
            alarms=self._alarms,
            commits=self._commits,
            restores=self._restores,
            lag=self._lag,
            last_commit=None if self._last_commit is None else time.monotonic() - self._last_commit,
            last_checkpoint_bytes=self._last_bytes,
            last_turn=time.monotonic() - self._last_turn,
            shards=self._shard_status,
        )

    def _health(self) -> Health:
        if self._phase == "failed":
            return "failed"
        return "degraded" if self._failures else "ok"


class Incarnation:
    """A worker from one restore to the next failure: what it has open, and the shards that it has."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._plan = worker, worker._plan
        plan = self._plan
        self._identity = Identity(plan.name, worker._name, plan.guarantee, plan.every, {}, log)
        self._store = None if plan.directory is None else CheckpointStore(plan.directory, keep=plan.keep)
        self._source: LiveSource = plan.source()
        self._format: Format = registry.load("formats", self._source.format)()
        sinks: dict[str, Sink] = {f"sink.{i}": make() for i, make in enumerate(plan.sinks)}
        for role, maker in (("dead_letter", plan.dead_letter), ("alarms", plan.alarms)):
            if maker is not None:
                sinks[role] = maker()
        self._outlets = Outlets(sinks)
        self._commit: Commit | None = None
        self._shards: dict[str, Shard] = {}
        self._owner: dict[str, Shard] = {}
        self._failure: BaseException | None = None
        self._due = 0.0
        self._uncommitted = 0
        self._status_due = 0.0
        self._progress = time.monotonic()

    # -- life -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect; the sinks first, so that a predecessor's transaction is settled before positions are asked for."""
        for sink in self._outlets.sinks.values():
            sink.open(self._identity)
        self._source.open(self._identity)
        self._commit = commit_for(self._plan, self._source, self._outlets, self._worker._name)
        self._source.subscribe(self)
        self._due = time.monotonic() + self._plan.every

    def turn(self) -> bool:
        """One turn of the loop; False at the end of the stream."""
        plan = self._plan
        polled = self._source.poll(plan.batch_rows, self._patience())
        self._raise()
        assert self._commit is not None
        if polled:
            self._progress = time.monotonic()
            self._commit.before({records.partition: Mark(records.next) for records in polled})
        for records in polled:
            self._take(records)
        self._settle_held()
        now = time.monotonic()
        if now >= self._due:
            self.commit("interval")
        elif plan.every_rows is not None and self._uncommitted >= plan.every_rows:
            self.commit("rows")
        if now >= self._status_due:
            self._snapshot(now)
        if plan.stop_rows is not None and self._worker._rows >= plan.stop_rows:
            return False
        if plan.stop_idle is not None and now - self._progress >= plan.stop_idle:
            return False
        return bool(polled) or not self._source.finished

    def _patience(self) -> float:
        """How long a poll may wait: to fill a batch, or, if nothing comes, until something else is due."""
        return max(0.0, min(self._plan.batch_wait or IDLE, self._due - time.monotonic()))

    def finish(self) -> None:
        """Commit, and leave."""
        self.commit("stop")
        self._release(list(self._shards), lost=False)
        self._snapshot(time.monotonic())

    def abandon(self) -> None:
        """Give up what was done since the last commit."""
        if self._commit is not None:
            self._commit.abandon()
        if self._shards:
            self._release(list(self._shards), lost=True)

    def close(self) -> None:
        for close in (self._source.close, self._outlets.close):
            try:
                close()
            except Exception:
                log.exception("closing failed")

    # -- records --------------------------------------------------------------------------------------------------

    def _take(self, records: Records, *, caught_up: bool | None = None) -> None:
        shard = self._owner.get(records.partition)
        if shard is None:
            return
        if caught_up is None:
            caught_up = shard.schema is None and not self._source.lag().get(records.partition, 0)
        for done in shard.take(records, caught_up=caught_up):
            self._write(shard, done, records)

    def _settle_held(self) -> None:
        """Records held back for want of a schema need not wait for more where there are none."""
        waiting = [shard for shard in self._shards.values() if shard.held]
        if not waiting:
            return
        lag = self._source.lag()
        for shard in waiting:
            if not any(lag.get(partition, 0) for partition, owner in self._owner.items() if owner is shard):
                for done in shard.settle():
                    self._write(shard, done, None)

    def _write(self, shard: Shard, done: Done, records: Records | None) -> None:
        started = time.perf_counter()
        assert self._commit is not None
        outlets, loud = self._outlets, not done.silent
        if done.predictions is not None or done.dead is not None or done.alarms:
            self._commit.writing()
        if done.predictions is not None and len(done.predictions):
            outlets.write("sink", shard.name, done.predictions, transactional=loud)
        if done.dead is not None:
            outlets.write("dead_letter", shard.name, done.dead, transactional=loud)
        if done.alarms:
            outlets.write("alarms", shard.name, Alarms(done.alarms), transactional=loud)
        reach("mid-batch")
        worker = self._worker
        worker._rows += done.rows
        worker._labels += done.labels
        worker._alarms += len(done.alarms)
        self._uncommitted += done.rows + len(done.rejected)
        for record, stage, reason in done.rejected:
            worker._rejected[stage] = worker._rejected.get(stage, 0) + 1
            worker._tell("rejected", shard.name, record, stage, reason)
        for alarm in done.alarms:
            worker._tell("alarm", alarm)
        newest = float(records.times[-1]) if records is not None and records.times is not None else np.nan
        worker._tell(
            "batch",
            BatchDone(
                shard=shard.name,
                rows=done.rows,
                rejected=len(done.rejected),
                labels=done.labels,
                decode=done.decode,
                process=done.process,
                write=time.perf_counter() - started,
                age=time.time() - newest,
            ),
        )

    # -- commits --------------------------------------------------------------------------------------------------

    def commit(self, reason: Reason) -> None:
        """Commit all shards."""
        assert self._commit is not None
        shards = [shard for shard in self._shards.values() if shard.dirty]
        started = time.monotonic()
        self._due = started + self._plan.every
        if not shards:
            return
        before = self._uncommitted
        written = self._commit.commit(shards)
        self._uncommitted = 0
        now = time.monotonic()
        self._due = now + self._plan.every
        worker = self._worker
        worker._commits += 1
        worker._failures = 0
        worker._fresh = False  # from here on there is something to come back to
        worker._last_commit = now
        worker._last_bytes = sum(w.bytes for w in written.values() if w is not None)
        worker._tell(
            "committed",
            CommitDone(
                shards=[shard.name for shard in shards],
                checkpoint=max((w.id.sequence for w in written.values() if w is not None), default=0),
                seconds=now - started,
                bytes=worker._last_bytes,
                rows=before,
                reason=reason,
            ),
        )

    # -- partitions that come and go (called from within poll) ----------------------------------------------------

    def assigned(self, partitions: Sequence[str]) -> None:
        """Restore the shards of these partitions, and go to where they stand."""
        if self._failure is not None:
            return
        try:
            self._assign(partitions)
        except BaseException as error:  # a client's callback is no place for it: the loop raises it
            self._failure = error

    def revoked(self, partitions: Sequence[str]) -> None:
        """Commit, and let go of the shards of these partitions."""
        if self._failure is not None:
            return
        try:
            names = self._names(partitions)
            if names:
                self.commit("revoked")
                self._release(names, lost=False, partitions=partitions)
        except BaseException as error:
            self._failure = error

    def lost(self, partitions: Sequence[str]) -> None:
        """Let go without a commit. What a transaction holds of them takes the others' part with it: begin again."""
        if self._failure is not None:
            return
        names = self._names(partitions)
        if names and (isinstance(self._commit, Transactional) or self._plan.scope == "worker"):
            self._failure = FencedError(f"partitions were lost to another worker: {', '.join(partitions)}")
        elif names:
            self._release(names, lost=True, partitions=partitions)

    def _raise(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _names(self, partitions: Sequence[str]) -> list[str]:
        return sorted({self._owner[partition].name for partition in partitions if partition in self._owner})

    def _assign(self, partitions: Sequence[str]) -> None:
        assert self._commit is not None
        committed = {} if self._worker._fresh else self._commit.committed(partitions)
        for name, own in self._grouped(partitions).items():
            shard = self._shards.get(name)
            if shard is None:
                shard = self._restored(name, own, {p: committed[p] for p in own if p in committed})
            else:  # a worker's only shard gets more partitions
                shard.positions.update({p: committed[p].position for p in own if p in committed})
            for partition in own:
                self._owner[partition] = shard
                self._source.seek(partition, shard.positions.get(partition))
        self._worker._tell("assigned", sorted(self._grouped(partitions)))

    def _grouped(self, partitions: Sequence[str]) -> dict[str, list[str]]:
        """The partitions of each shard."""
        if self._plan.scope == "worker":
            return {f"worker-{self._worker._name}": list(partitions)} if partitions else {}
        return {partition: [partition] for partition in partitions}

    def _restored(self, name: str, partitions: list[str], committed: dict[str, Mark]) -> Shard:
        lineage = None if self._store is None else self._store.lineage(name, worker=self._worker._name)
        number = self._source.number(partitions[0]) if self._plan.scope == "partition" else None
        if lineage is not None:
            lineage.begin()  # before looking: whoever had the shard can't write any more
        shard = Shard(name, self._plan, self._format, lineage, number)
        states: dict[str, object] = {}
        if lineage is not None and not self._worker._fresh:
            begin = {Transactional: begin_transactional, Flushed: begin_flushed, Ahead: begin_ahead}[type(self._commit)]
            beginning = begin(shard, committed, on_missing=self._plan.on_missing)
            if beginning.checkpoint is not None:
                states = beginning.checkpoint.content["about"]["sinks"]
                self._worker._restores += 1
            shard.positions = dict(beginning.positions)
            where = None if beginning.checkpoint is None else str(beginning.checkpoint.id)
            self._worker._tell("restored", name, where, beginning.replayed)
        else:
            shard.positions = {partition: mark.position for partition, mark in committed.items()}
        reach("on-restore")
        self._outlets.restore(name, states)
        self._shards[name] = shard
        return shard

    def _release(self, names: Sequence[str], *, lost: bool, partitions: Sequence[str] | None = None) -> None:
        for name in names:
            shard = self._shards[name]
            gone = [p for p, owner in self._owner.items() if owner is shard and (partitions is None or p in partitions)]
            for partition in gone:
                del self._owner[partition]
                if self._plan.scope == "worker":
                    shard.positions.pop(partition, None)
            if shard not in self._owner.values():
                del self._shards[name]
                self._outlets.release(name)
                if shard.lineage is not None:
                    shard.lineage.release()
        self._worker._tell("released", list(names), lost=lost)

    def _snapshot(self, now: float) -> None:
        self._status_due = now + STATUS_EVERY
        self._worker._lag = self._source.lag()
        self._worker._shard_status = [shard.status() for shard in self._shards.values()]
