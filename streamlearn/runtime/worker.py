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
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ..errors import (
    CheckpointError,
    FencedError,
    OptionError,
    SinkError,
    SourceError,
    UncertainError,
    may_pass,
)
from ..format import Format
from ..live import LiveSource, Mark
from ..live import Worker as Identity
from ..records import Records
from ..sink import Sink
from .checkpoints import CheckpointId, CheckpointStore
from .commit import Ahead, Commit, Outlets, Transactional, commit_for
from .crash_points import reach
from .lock import WorkerLock
from .observer import BatchDone, CommitDone, Health, Observer, Phase, ShardStatus, Status
from .outputs import Alarms
from .plan import Plan
from .restoring import position_at, refuse_vanished
from .shard import Done, Shard, refuse_changes

log = logging.getLogger("streamlearn")

RETRIED = (FencedError, UncertainError, SinkError, SourceError, CheckpointError)
STATUS_EVERY = 0.5  # seconds between two snapshots for those who watch
IDLE = 0.1  # seconds that a poll waits where nothing else is due
JOINING = 30.0  # seconds without a partition that do not count as idle: a group takes its time to share them out
WELL = 60.0  # seconds after which earlier failures are forgiven where there is nothing to commit
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
    """

    def __init__(self, plan: Plan, name: str = "0", observers: Iterable[Observer] = ()) -> None:
        self._plan, self._name = plan, name
        self._observers = list(observers)
        self._stopping = False
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
        self._written: dict[str, CheckpointId] = {}  # of each shard that it had, the newest checkpoint that it wrote
        self._safe_rows = 0  # of `_rows`, those that are committed: only these were predicted for good

    def stop(self) -> None:
        """Finish the batch, commit, and end; from any thread, or from a signal handler."""
        self._stopping = True  # a plain flag: a lock could be held by the very code that the signal interrupts

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        StreamlearnError
            If something fails that trying again would not mend, or did not mend.
        """
        for _ in self.turns():
            pass

    def turns(self) -> Generator[None, None, None]:
        """The same, handing over control after each turn of the loop: tests let several workers take turns."""
        error: BaseException | None = None
        try:
            with ExitStack() as held:
                if self._plan.directory is not None:
                    held.enter_context(WorkerLock(self._plan.directory, self._name))
                self._tell("started", self)
                while not (yield from self._live()):
                    yield
            self._phase = "stopped"
        except BaseException as failure:
            self._phase, self._message, error = "failed", str(failure), failure
            raise
        finally:
            self._tell("stopped", error)

    def _live(self) -> Generator[None, None, bool]:
        """One life, from the last commit to the end of the stream or to a failure; whether it was the last."""
        self._phase = "starting"
        incarnation = Incarnation(self)
        try:
            incarnation.connect()
            incarnation.begin()
            self._phase = "running"
            while not self._stopping and incarnation.turn():
                self._last_turn = time.monotonic()
                yield
            self._phase = "draining"
            incarnation.finish()
            return True
        except RETRIED as failure:
            incarnation.abandon()
            self._message = f"{type(failure).__name__}: {failure}"
            if self._stopping and isinstance(failure, FencedError):
                log.warning("%s; what was not committed is another worker's now", self._message)
                return True  # partitions move while many workers are stopped: nothing of ours is left to do
            self._failures += 1
            if self._failures > self._plan.errors.retries or self._stopping or not may_pass(failure):
                raise
            wait = min(60.0, self._plan.errors.backoff * 2.0 ** (self._failures - 1))
            fields = {"pipeline": self._plan.name, "worker": self._name, "error": self._message, "wait": wait}
            log.warning(
                "%s; restoring the last commit in %.1f s",
                self._message,
                wait,
                extra={"event": "retrying", "fields": fields},
            )
            self._tell("retrying", "worker", failure, wait)
            until = time.monotonic() + wait
            while not self._stopping and time.monotonic() < until:
                time.sleep(min(IDLE, wait))
            return self._stopping
        except BaseException:
            incarnation.abandon()
            raise
        finally:
            incarnation.close()

    def _is_well(self) -> None:
        """Forget earlier failures: the last of them is mended."""
        self._failures, self._message = 0, ""

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
            guarantee=self._plan.guarantee,
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
        self._identity = Identity(plan.name, worker._name, plan.guarantee, plan.every, shared={}, log=log)
        self._store = None if plan.directory is None else CheckpointStore(plan.directory, keep=plan.keep)
        self._source: LiveSource = plan.source()
        self._format: Format = plan.format(self._source.format, "source")
        self._labels: LiveSource | None = None if plan.labels is None else plan.labels.source()
        self._label_format = None if self._labels is None else plan.format(self._labels.format, "labels")
        sinks: dict[str, Sink] = {f"sink.{i}": make() for i, make in enumerate(plan.sinks)}
        sinks |= {f"alarms.{i}": make() for i, make in enumerate(plan.alarms)}
        if plan.dead_letter is not None:
            sinks["dead_letter"] = plan.dead_letter()
        self._outlets = Outlets(sinks)
        self._commit: Commit | None = None
        self._shards: dict[str, Shard] = {}
        self._owner: dict[str, Shard] = {}
        self._label_partitions: dict[str, list[str]] = {}
        self._paused: tuple[set[str], set[str]] = set(), set()  # of events, of labels
        self._failure: BaseException | None = None
        self._due = 0.0
        self._uncommitted = self._rows = 0
        self._status_due = 0.0
        self._began = self._progress = time.monotonic()

    # -- life -----------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect. A predecessor's transaction is settled when the sinks are open, before positions are asked for."""
        self._source.open(self._identity)
        single = not self._source.grouped and len(self._source.partitions()) == 1
        for sink in self._outlets.sinks.values():
            sink.open(replace(self._identity, single=single))
        if self._labels is not None:
            self._labels.open(self._identity)
            self._check_pairs(self._labels)
        self._commit = commit_for(self._plan, self._source, self._outlets, self._worker._name)

    def begin(self) -> None:
        """Take part."""
        self._source.subscribe(self)
        self._due = time.monotonic() + self._plan.every

    def turn(self) -> bool:
        """One turn of the loop; False at the end of the stream."""
        plan = self._plan
        try:
            polled = self._source.poll(plan.batch_rows, self._patience())
        finally:
            self._raise()  # what failed in a callback, whatever the source made of that
        assert self._commit is not None
        for records in polled:
            self._take(records)
            self._progress = time.monotonic()  # behind the work: what takes long is no idleness
        self._settle_held()
        if self._labels is not None:
            self._merge(self._labels)
        now = time.monotonic()
        if now >= self._due:
            self.commit("interval")
        elif plan.every_rows is not None and self._uncommitted >= plan.every_rows:
            self.commit("rows")
        if now >= self._status_due:
            self._snapshot(now)
        if plan.stop_rows is not None and self._worker._safe_rows + self._rows >= plan.stop_rows:
            return False
        if self._idled(now):
            return False
        return bool(polled) or not self._finished()

    def _idled(self, now: float) -> bool:
        """Whether nothing came for as long as the plan says; what is known to be there is waited for."""
        limit = self._plan.stop_idle
        if limit is None or now - self._progress < limit + (0.0 if self._owner else JOINING):
            return False
        return not any(self._source.lag().values()) and (self._labels is None or not any(self._labels.lag().values()))

    def _finished(self) -> bool:
        """Whether nothing more will come."""
        if (
            not self._plan.stop_at_end
            or not self._source.finished
            or any(shard.held for shard in self._shards.values())
        ):
            return False
        return self._labels is None or self._labels.finished

    def _patience(self) -> float:
        """How long a poll may wait for a first record, with which it returns at once.

        A long wait costs nothing then, but where labels may come meanwhile, which are looked for in between.
        """
        now, wait = time.monotonic(), max(self._plan.batch_wait, IDLE)
        if self._labels is not None and now - self._progress < 1.0:
            wait = self._plan.batch_wait
        return max(0.0, min(wait, self._due - now))

    def finish(self) -> None:
        """Commit, and leave."""
        self.commit("stop")
        self._snapshot(time.monotonic())
        self._release(list(self._shards), lost=False)

    def abandon(self) -> None:
        """Give up what was done since the last commit; what fails meanwhile hides no failure that led here."""
        try:
            if self._commit is not None:
                self._commit.abandon()
            if self._shards:
                self._release(list(self._shards), lost=True)
        except Exception:
            log.exception("giving up failed")

    def close(self) -> None:
        for close in (self._source.close, *([] if self._labels is None else [self._labels.close]), self._outlets.close):
            try:
                close()
            except Exception:
                log.exception("closing failed")

    # -- records --------------------------------------------------------------------------------------------------

    def _take(self, records: Records) -> None:
        shard = self._owner.get(records.partition)
        if shard is None:
            return
        for done in shard.take(records):
            self._write(shard, done)

    def _merge(self, labels: LiveSource) -> None:
        """Poll labels, and process events and labels in their common order.

        Where one side has enough for now, the other is waited for: its source is paused.
        """
        for records in labels.poll(self._plan.batch_rows, 0.0):
            self._progress = time.monotonic()
            for shard in self._shards.values():
                if records.partition in self._label_partitions.get(shard.name, ()):
                    assert shard.merge is not None
                    shard.merge.push_labels(records)
        lag, label_lag = self._source.lag(), labels.lag()
        for shard in list(self._shards.values()):
            assert shard.merge is not None
            events = [partition for partition, owner in self._owner.items() if owner is shard]
            own = self._label_partitions.get(shard.name, [])
            turn = shard.advance(
                events_caught_up=not any(lag.get(partition, 0) for partition in events),
                labels_caught_up=not any(label_lag.get(partition, 0) for partition in own),
            )
            for done in turn:
                self._write(shard, done)
            self._throttle(self._source, self._paused[0], events, wanted=shard.merge.wants_events)
            self._throttle(labels, self._paused[1], own, wanted=shard.merge.wants_labels)

    @staticmethod
    def _throttle(source: LiveSource, paused: set[str], partitions: list[str], *, wanted: bool) -> None:
        if wanted:
            if some := [partition for partition in partitions if partition in paused]:
                source.resume(some)
                paused.difference_update(some)
        elif not paused.issuperset(partitions):
            source.pause(partitions)
            paused.update(partitions)

    def _settle_held(self) -> None:
        """Records held back for want of a schema need not wait for more where there are none."""
        waiting = [shard for shard in self._shards.values() if shard.held]
        if not waiting:
            return
        lag = self._source.lag()
        for shard in waiting:
            if not any(lag.get(partition, 0) for partition, owner in self._owner.items() if owner is shard):
                for done in shard.settle():
                    self._write(shard, done)

    def _write(self, shard: Shard, done: Done) -> None:
        started = time.perf_counter()
        assert self._commit is not None
        outlets, loud = self._outlets, not done.silent
        if done.predictions is not None or done.dead or done.alarms:
            self._commit.writing()
        if done.predictions is not None and len(done.predictions):
            outlets.write("sink", shard.name, done.predictions, transactional=loud)
        for dead in done.dead:
            outlets.write("dead_letter", shard.name, dead, transactional=loud)
        if done.alarms:
            outlets.write("alarms", shard.name, Alarms(done.alarms), transactional=loud)
        reach("mid-batch")
        worker = self._worker
        worker._rows += done.rows
        self._rows += done.rows
        worker._labels += done.labels
        worker._alarms += len(done.alarms)
        self._uncommitted += done.rows + len(done.rejected)
        for record, stage, reason in done.rejected:
            worker._rejected[stage] = worker._rejected.get(stage, 0) + 1
            worker._tell("rejected", shard.name, record, stage, reason)
        for alarm in done.alarms:
            worker._tell("alarm", alarm)
        times = None if done.records is None else done.records.times
        newest = np.nan if times is None else float(times[-1])
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
        """Commit all shards that have done anything, but those that do again what is committed."""
        assert self._commit is not None
        shards = [shard for shard in self._shards.values() if shard.dirty and not shard.replays]
        started = time.monotonic()
        self._due = started + self._plan.every
        if not shards:
            if started - self._began > WELL:
                self._worker._is_well()
            return
        before = self._uncommitted
        written = self._commit.commit(shards)
        self._uncommitted = 0
        now = time.monotonic()
        self._due = now + self._plan.every
        worker = self._worker
        worker._written |= {name: made.id for name, made in written.items() if made is not None}
        worker._commits += 1
        worker._is_well()
        worker._safe_rows += self._rows
        self._rows = 0
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
                if resumed := sorted(self._paused[0].intersection(partitions)):
                    self._source.resume(resumed)  # should they come back, then as they first came
                self._release(names, lost=False, partitions=partitions)
                self._assign_labels()
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
            try:
                self._release(names, lost=True, partitions=partitions)
                self._assign_labels()
            except BaseException as error:
                self._failure = error

    def _raise(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _names(self, partitions: Sequence[str]) -> list[str]:
        return sorted({self._owner[partition].name for partition in partitions if partition in self._owner})

    def _assign(self, partitions: Sequence[str]) -> None:
        if not partitions:
            return
        assert self._commit is not None
        # A worker's only shard may have been committed with partitions that others have now: ask for all.
        whole = self._plan.scope == "worker"
        committed = self._commit.committed(self._source.partitions() if whole else partitions)
        for name, own in self._grouped(partitions).items():
            shard = self._shards.get(name)
            if shard is None:
                marks = committed if whole else {p: committed[p] for p in own if p in committed}
                shard = self._restored(name, own, marks)
            else:
                shard.join({p: position_at(shard, p, committed.get(p)) for p in own})
            for partition in own:
                self._owner[partition] = shard
                self._source.seek(partition, shard.positions.get(partition))
        self._assign_labels()
        self._progress = time.monotonic()
        self._worker._tell("assigned", sorted(self._grouped(partitions)))

    def _check_pairs(self, labels: LiveSource) -> None:
        """Labels must be in the partitions that their events are in, or one worker must have them all."""
        events, others = self._source.partitions(), labels.partitions()
        numbers = sorted(self._source.number(partition) for partition in events)
        if (
            self._plan.scope == "partition"
            and len(events) > 1
            and (
                len(set(numbers)) < len(numbers)
                or numbers != sorted({labels.number(partition) for partition in others})
            )
        ):
            raise self._unpaired(labels, f"{len(events)} partitions", len(others))

    def _unpaired(self, labels: LiveSource, events: str, others: int) -> OptionError:
        return OptionError(
            f"labels: {self._source.name} has {events} and {labels.name} has {others}: give both as many, and events "
            "and their labels the same key, or say scope: worker"
        )

    def _assign_labels(self) -> None:
        """Read the labels of the shards that are ours, each from where it stands."""
        labels = self._labels
        if labels is None:
            return
        there = labels.partitions()
        self._label_partitions = {
            name: [
                partition
                for partition in there
                if self._plan.scope == "worker" or len(there) == 1 or labels.number(partition) == shard.number
            ]
            for name, shard in self._shards.items()
        }
        for name, parts in self._label_partitions.items():
            if not parts:  # added since `_check_pairs`: its events would wait for ever
                raise self._unpaired(labels, f"a partition {name} now", len(there))
        own = sorted({partition for parts in self._label_partitions.values() for partition in parts})
        labels.assign(own)
        self._paused[1].clear()
        for name, parts in self._label_partitions.items():
            merge = self._shards[name].merge
            assert merge is not None
            for partition in parts:
                merge.rewind(partition)  # what waits comes again
                labels.seek(partition, merge.position(partition))
        if own:
            labels.resume(own)

    def _grouped(self, partitions: Sequence[str]) -> dict[str, list[str]]:
        """The partitions of each shard."""
        if self._plan.scope == "worker":
            return {f"worker-{self._worker._name}": list(partitions)} if partitions else {}
        return {partition: [partition] for partition in partitions}

    def _restored(self, name: str, partitions: list[str], committed: dict[str, Mark]) -> Shard:
        assert self._commit is not None
        plan = self._plan
        lineage = None if self._store is None else self._store.lineage(name, worker=self._worker._name)
        started = time.monotonic()
        number = self._source.number(partitions[0]) if self._plan.scope == "partition" else None
        if lineage is not None:
            lineage.begin()  # before looking: whoever had the shard can't write any more
        shard = Shard(name, self._plan, self._format, lineage, number, self._label_format)
        if isinstance(self._commit, Ahead):
            commit = self._commit
            shard.before = lambda records: commit.before({records.partition: Mark(records.next)})
        states: dict[str, object] = {}
        if lineage is not None:
            refuse_vanished(shard, self._worker._written.get(name), on_missing=plan.on_missing)
            beginning = self._commit.begin(shard, committed, on_missing=self._plan.on_missing)
            if beginning.checkpoint is not None:
                states = beginning.checkpoint.content["about"]["sinks"]
            shard.begin(beginning.positions, partitions)
            restored = None if beginning.restored is None else str(beginning.restored)
            self._worker._restores += restored is not None
            self._worker._tell("restored", name, restored, beginning.replayed, time.monotonic() - started)
        else:
            shard.begin({partition: mark.position for partition, mark in committed.items()}, partitions)
        reach("on-restore")
        self._outlets.restore(name, states)
        if lineage is not None and shard.written is None and plan.guarantee == "exactly-once" and self._outlets.exact:
            # A crash before the first commit leaves outputs behind: the next life must know that they are ours.
            shard.found(self._outlets.states(name))
        self._shards[name] = shard
        return shard

    def _release(self, names: Sequence[str], *, lost: bool, partitions: Sequence[str] | None = None) -> None:
        """Let go of partitions, or of all; a shard goes with its only one, a worker's only shard with the worker."""
        for name in names:
            shard = self._shards[name]
            gone = [p for p, owner in self._owner.items() if owner is shard and (partitions is None or p in partitions)]
            for partition in gone:
                del self._owner[partition]
            self._paused[0].difference_update(gone)
            if partitions is not None and shard.shared:
                shard.leave(gone)
                continue
            del self._shards[name]
            self._outlets.release(name)
            if shard.lineage is not None:
                shard.lineage.release()
            self._label_partitions.pop(name, None)
        self._worker._tell("released", list(names), lost=lost)

    def _snapshot(self, now: float) -> None:
        self._status_due = now + STATUS_EVERY
        self._worker._lag = self._source.lag()
        self._worker._shard_status = [shard.status() for shard in self._shards.values()]


def check(plan: Plan, name: str) -> None:
    """Connect to everything that a plan names, look at the checkpoints, and take in nothing.

    Raises
    ------
    StreamlearnError
        If something would not work.
    """
    incarnation = Incarnation(Worker(plan, f"{name}-check"))  # by its own name it would fence the worker that runs
    try:
        incarnation.connect()
        if plan.directory is not None:
            store = CheckpointStore(plan.directory, keep=plan.keep)
            for shard in store.shards():
                found = store.lineage(shard).newest()
                if found is not None:
                    refuse_changes(found.about["fingerprint"], plan.fingerprint)
    finally:
        incarnation.close()
