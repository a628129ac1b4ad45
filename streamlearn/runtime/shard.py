"""A shard: the part of a pipeline that is restored as a whole, and a deterministic function of its ordered input."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np

from .. import __version__
from ..batch import Batch
from ..errors import InputError, StateError, StreamlearnError
from ..format import Format
from ..learner import Outputs
from ..records import Records, Rejected
from ..registry import near
from ..schema import Schema
from .checkpoints import Checkpoint, CheckpointId, Lineage, Written
from .contender import Contender
from .merge import Merge, Turn
from .observer import Alarm, ShardStatus, Stage
from .outputs import Answers, DeadLetters, Predictions
from .pending import LabelStep, PendingLabels
from .plan import Plan

log = logging.getLogger("streamlearn")


@dataclass(slots=True)
class Done:
    """What came of some records: outputs to be written, and what observers are told."""

    records: Records | None = None
    predictions: Predictions | None = None
    dead: list[DeadLetters] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    rejected: list[tuple[str, Stage, str]] = field(default_factory=list)
    silent: bool = False
    rows: int = 0
    labels: int = 0
    decode: float = 0.0
    process: float = 0.0


@dataclass(frozen=True, slots=True)
class _Failed:
    """A record that failed, and how many events of its turn come before it."""

    before: int
    stage: Stage
    records: Records
    rejected: Rejected


class Stop(StreamlearnError):  # noqa: N818 - no error of ours: somebody decided
    """A record failed, and the pipeline's policy, or its owner when asked, says to stop."""


class Shard:
    """Learners with their metrics and detectors, waiting labels, and the positions up to which all this is true.

    Parameters
    ----------
    name
        Names the shard's outputs and its checkpoints.
    plan
        The recipe.
    format, label_format
        Decode its records, and those of its labels where they have a source of their own.
    lineage
        Its checkpoints; None where nothing is kept.
    number
        The number of its partition, where it has one: outputs keep to it.
    """

    def __init__(
        self,
        name: str,
        plan: Plan,
        format: Format,
        lineage: Lineage | None,
        number: int | None = None,
        label_format: Format | None = None,
    ) -> None:
        self.name = name
        self.lineage = lineage
        self.positions: dict[str, Any] = {}
        """How far each of its partitions was processed."""
        self.left: dict[str, Any] = {}
        """How far it had processed partitions that it does not have now: a worker's only shard outlives them."""
        self.silent_until: dict[str, int] = {}
        """Offsets below which an earlier life has committed its transactional outputs: they are not written again.
        Until they are reached, nothing is committed: committed positions never go back, and a crash replays once more.
        """
        self.schema: Schema | None = None
        self.written: Written | None = None
        self.before: Callable[[Records], None] | None = None
        """Called with records that are about to be processed."""
        self.rows = self.labelled = self.rejected = 0
        self.dirty = False
        self._plan, self._format, self.number = plan, format, number
        self._first: list[Records] = []  # kept until there are enough to infer the schema from
        self._label_format = label_format
        self._pending: PendingLabels | None = None
        self.merge = None if plan.labels is None else Merge()
        self._previous: CheckpointId | None = None
        self._confirmed = False
        self._keyed: dict[CheckpointId, dict[str, Any]] = {}  # of each checkpoint, what its models by key need
        directory = None if lineage is None else lineage.directory
        self.contenders = [Contender(label, learner, plan, directory) for label, learner in plan.learners.items()]

    # -- records ----------------------------------------------------------------------------------------------------

    def take(self, records: Records) -> Iterator[Done]:
        """Predict and learn events, in order; where labels have a source of their own, they wait for `advance`.

        What came of some records is to be written before the next is asked for.

        Without a schema, records are held back until there are enough to infer one from, or no more for now, which the
        worker knows (`settle`): so what is inferred from a stream that is there already does not depend on how it is
        polled.
        """
        if self.schema is not None:
            yield from self._take(records)
            return
        self._first.append(records)
        if self.held >= self._plan.infer_rows:
            yield from self.settle()

    def settle(self) -> Iterator[Done]:
        """Infer the schema from the records that are held back, and take them."""
        held, self._first = self._first, []
        known = self._infer(Records.joined(held))
        for part in held:
            if known:
                yield from self._take(part)
            else:
                yield self._refuse_all(part)

    @property
    def held(self) -> int:
        """Records that are held back."""
        return sum(map(len, self._first))

    def _infer(self, records: Records) -> bool:
        """Fix the schema; False if not one of the records can be read."""
        readable = [found for found in self._format.documents(records) if isinstance(found, Mapping)]
        try:
            schema = self._format.infer(records, self._plan.roles)
        except InputError:
            if readable:
                raise  # but not what the pipeline says: nothing that setting records aside would mend
            return False
        self._look_for_target(readable)
        self._bind(schema)
        return True

    def _look_for_target(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Labels may be absent for a while; a misspelt target would be absent for ever."""
        target = self._plan.roles.target
        there = [document for document in documents if target in document]
        if self._plan.labels is not None and there:
            log.warning("%s: events have the target %r too; it is passed over, since labels: says where labels come "
                        "from", self.name, target)  # fmt: skip
        if target is None or self._plan.labels is not None or there:
            return
        columns = sorted({str(name) for document in documents for name in document})
        close = near(str(target), columns)
        said = f"{self.name}: none of the first {len(documents)} records has the target {target!r}"
        if close or len(documents) >= self._plan.infer_rows:
            hint = f"did you mean {close[0]!r}?" if close else "labels from elsewhere are named by labels: {from: …}"
            raise InputError(f"{said}; the columns are {', '.join(columns)}: {hint}")
        log.warning("%s: nothing is learned until one has", said)

    def _bind(self, schema: Schema) -> None:
        self.schema = schema
        for contender in self.contenders:
            contender.bind(schema)
        labels = self._plan.labels
        if labels is not None:
            self._pending = PendingLabels(
                schema,
                task=self.contenders[0].task,
                learners=[contender.label for contender in self.contenders],
                ttl=labels.ttl,
                default=labels.default,
                max_rows=labels.max_rows,
                max_early=labels.max_early,
                proba=any(contender.needs_proba for contender in self.contenders),
            )

    def _take(self, records: Records) -> Iterator[Done]:
        for part in self._split(records):
            if self.merge is None:
                yield self._process(part)
            else:
                self.merge.push_events(part)

    def advance(self, *, events_caught_up: bool, labels_caught_up: bool) -> Iterator[Done]:
        """Process events and labels in their common order, as far as it is known."""
        if self.merge is None or self.schema is None:
            return
        for turn in self.merge.take(events_caught_up=events_caught_up, labels_caught_up=labels_caught_up):
            yield self._process(turn.events, turn)

    def _split(self, records: Records) -> list[Records]:
        """Cut where the outputs of an earlier life end: what it committed is not written again."""
        until = self.silent_until.get(records.partition)
        known = 0 if until is None else int(np.searchsorted(records.offsets, until))
        if not 0 < known < len(records):
            return [records]
        return [records.slice(0, known), records.slice(known, len(records))]

    @property
    def replays(self) -> bool:
        """Whether it does again what an earlier life has committed."""
        return any(self.positions.get(partition, until) < until for partition, until in self.silent_until.items())

    def _is_silent(self, records: Records | None) -> bool:
        if not self.silent_until:
            return False
        if records is None:  # labels only: how many of them were committed is not known, and nothing is said twice
            return True
        until = self.silent_until.get(records.partition)
        if until is None:
            return False
        if records.offsets[0] < until:
            return True
        del self.silent_until[records.partition]
        return False

    def _process(self, records: Records | None, turn: Turn | None = None) -> Done:
        assert self.schema is not None
        done = Done(records, silent=self._is_silent(records))
        if self.before is not None and records is not None:
            self.before(records)
        started = time.perf_counter()
        classes = len(self.schema.classes)
        failed: list[_Failed] = []
        if records is None:
            rows, batch = np.zeros(0, np.int64), self.schema.encode([])
        else:
            decoded = self._format.decode(records, self.schema, self._plan.roles)
            rows, batch = decoded.rows, decoded.batch
            failed += [_Failed(rejected.row, "decode", records, rejected) for rejected in decoded.rejected]
        done.decode = time.perf_counter() - started
        failed += self._predict(batch, rows, records, turn, done, classes)
        self._set_aside(failed, done)
        if records is not None:
            self.positions[records.partition] = records.next
        done.process = time.perf_counter() - started - done.decode
        self.dirty = True
        return done

    def _predict(
        self, batch: Batch, rows: np.ndarray, records: Records | None, turn: Turn | None, done: Done, classes: int
    ) -> list[_Failed]:
        """Let all contenders predict the rows, and learn those whose labels are there; the records that failed."""
        assert self.schema is not None
        ids = [] if records is None else records.ids(rows)
        step, bad = (None, []) if turn is None else self._step(batch, rows, ids, records, turn)
        whole, schedule, late = (batch, None, 0) if step is None else (step.batch, step.schedule, step.late)
        if not len(whole) and len(self.schema.classes) == classes:  # else learners hear of the new class at once
            return bad
        outputs: dict[str, Outputs] = {}
        missed: dict[str, dict[int, str]] = {}
        for place, contender in enumerate(self.contenders):
            proba = contender.needs_proba or (place == 0 and self._plan.probabilities)
            outputs[contender.label], missed[contender.label] = contender.process(whole, schedule, proba=proba)
        if step is None:
            self._measure(batch, ids, outputs, missed, done)
        else:
            self._measure_step(step, outputs, missed, done)
        self.rows += len(ids)
        self.labelled += done.labels
        done.rows = len(ids)
        failed = {row - late: why for row, why in missed[self.contenders[0].label].items() if row >= late}
        if records is not None:
            good = np.array([row for row in range(len(ids)) if row not in failed], np.int64) if failed else None
            known = self._known(batch, classes) if step is None else step.known
            done.predictions = self._predictions(batch, records, rows, ids, outputs, late, good, known)
            bad += [
                _Failed(int(rows[row]), "process", records, Rejected(int(rows[row]), why))
                for row, why in failed.items()
            ]
        return bad

    def _measure(
        self,
        batch: Batch,
        ids: Sequence[str],
        outputs: Mapping[str, Outputs],
        missed: Mapping[str, Mapping[int, str]],
        done: Done,
    ) -> None:
        """Measure predictions whose labels are in the records."""
        for place, contender in enumerate(self.contenders):
            targets = contender.learner.targets(batch)
            if missed[contender.label]:
                targets = targets.copy()
                targets[list(missed[contender.label])] = -1 if targets.dtype == np.int64 else np.nan
            made = outputs[contender.label]
            raised = contender.measure(targets, made.prediction, batch.weight, made.proba)
            times = batch.event_time
            done.alarms += [
                self._alarm(contender, detector, level, ids[row], row, None if times is None else float(times[row]))
                for detector, level, row in raised
            ]
            if place == 0:
                done.labels = int(np.count_nonzero(targets >= 0 if targets.dtype == np.int64 else ~np.isnan(targets)))

    def _measure_step(
        self,
        step: LabelStep,
        outputs: Mapping[str, Outputs],
        missed: Mapping[str, Mapping[int, str]],
        done: Done,
    ) -> None:
        """Measure predictions as they were made, in the order in which their labels came."""
        assert self._pending is not None
        measured = self._pending.keep(step, outputs, missed)
        done.labels = len(step.targets)
        for contender in self.contenders:
            part = measured[contender.label]
            raised = contender.measure(part.targets, part.prediction, part.weight, part.proba)
            done.alarms += [
                self._alarm(contender, detector, level, str(step.ids[part.places[row]]), row, None)
                for detector, level, row in raised
            ]

    def _step(
        self, batch: Batch, rows: np.ndarray, ids: Sequence[str], records: Records | None, turn: Turn
    ) -> tuple[LabelStep, list[_Failed]]:
        """Find the predictions for which labels came, and the labels that are none."""
        labels = self._plan.labels
        assert labels is not None
        assert self._pending is not None
        assert self._label_format is not None
        documents = [self._label_format.documents(part) for part in turn.labels]
        arrivals, places, rejected = turn.arrivals(documents, rows, labels.key, labels.label)
        names = ids if batch.id is None else batch.id.to_pylist()
        times = None if records is None or records.times is None else records.times[rows]
        step = self._pending.take(batch, names, arrivals, times=times)
        rejected += [(places[r.row][0], Rejected(places[r.row][1], r.reason)) for r in step.rejected]
        first = np.cumsum([0, *map(len, turn.labels)])
        return step, [
            _Failed(int(turn.before[first[part] + bad.row]), "label", turn.labels[part], bad)
            for part, bad in sorted(rejected, key=lambda pair: (pair[0], pair[1].row))
        ]

    def _known(self, batch: Batch, classes: int) -> np.ndarray | None:
        """How many classes were known before each row, if there were ``classes`` before the batch."""
        assert self.schema is not None
        if len(self.schema.classes) == classes or batch.y is None:  # the usual case: none came meanwhile
            return None
        return np.maximum.accumulate(np.concatenate([[classes], batch.y[:-1] + 1]))

    def _predictions(
        self,
        batch: Batch,
        records: Records,
        rows: np.ndarray,
        ids: list[str],
        outputs: Mapping[str, Outputs],
        late: int,
        good: np.ndarray | None,
        known: np.ndarray | None,
    ) -> Predictions:
        """What is written of the rows: those that the champion could predict."""
        assert self.schema is not None

        def new(values: Any) -> Any:
            return None if values is None else values[late:] if good is None else values[late:][good]

        def own(values: Any) -> Any:
            return values if values is None or good is None else values.take(good)

        def answers(label: str, *, proba: bool) -> Answers:
            made = outputs[label]
            seen = known if known is None or good is None else known[good]
            return Answers(new(made.prediction), new(made.proba) if proba else None, seen if proba else None)

        champion, *shadows = self.contenders
        classified = champion.task == "classification"
        said = outputs[champion.label].details
        keys = records.keys
        own_rows = rows if good is None else rows[good]
        whole = len(own_rows) == len(records)
        return Predictions(
            prediction_id=ids if good is None else [ids[row] for row in good],
            champion=answers(champion.label, proba=self._plan.probabilities),
            classes=list(self.schema.classes) if classified else None,
            otherwise=self.schema.classes[0] if classified and self.schema.classes_declared else None,
            id=own(batch.id),
            event_time=own(batch.event_time),
            key=own(batch.key),
            model_version=champion.version,
            details=None if said is None else {name: new(values) for name, values in said.items()},
            shadows={shadow.label: answers(shadow.label, proba=False) for shadow in shadows},
            record_keys=keys if keys is None or whole else [keys[row] for row in own_rows],
            number=self.number,
        )

    def _alarm(
        self, contender: Contender, detector: str, level: int, record: str, row: int, when: float | None
    ) -> Alarm:
        return Alarm(
            pipeline=self._plan.name,
            shard=self.name,
            learner=contender.label,
            detector=detector,
            level="drift" if level == 2 else "warning",
            record=record,
            row=self.labelled + row,
            event_time=when,
        )

    def _set_aside(self, failed: list[_Failed], done: Done) -> None:
        """Do with failed records what the policy says, in the order of the stream, whatever the stage."""
        letters: list[_Failed] = []
        for bad in sorted(failed, key=lambda bad: (bad.before, bad.stage != "label")):
            record, reason = bad.records.id(bad.rejected.row), bad.rejected.reason
            done.rejected.append((record, bad.stage, reason))
            policy = getattr(self._plan.errors, bad.stage)
            ask = self._plan.errors.on_error
            if policy == "stop":
                raise Stop(f"{record}: {bad.stage}: {reason}; to go on, name a dead_letter or set errors.{bad.stage}")
            if ask is not None and not ask(bad.stage, record, reason):
                raise Stop(f"{record}: {bad.stage}: {reason}")
            if policy == "dead_letter":
                letters.append(bad)
        self.rejected += len(failed)
        for _, run in groupby(letters, key=lambda bad: (bad.stage, id(bad.records))):
            first, *others = run
            rejected = [first.rejected, *(bad.rejected for bad in others)]
            done.dead.append(DeadLetters.of(self._plan.name, first.stage, first.records, rejected, self.number))

    def _refuse_all(self, records: Records) -> Done:
        """Records of which not one can be read, so that there is no schema yet."""
        done = Done(records, silent=self._is_silent(records))
        if self.before is not None:
            self.before(records)
        failed = [
            _Failed(row, "decode", records, Rejected(row, document))
            for row, document in enumerate(self._format.documents(records))
            if isinstance(document, str)
        ]
        self._set_aside(failed, done)
        self.positions[records.partition] = records.next
        self.dirty = True
        return done

    # -- partitions -------------------------------------------------------------------------------------------------

    @property
    def shared(self) -> bool:
        """Whether it is a worker's only shard: partitions come and go, and their models stay."""
        return self._plan.scope == "worker"

    def begin(self, positions: Mapping[str, Any], partitions: Sequence[str]) -> None:
        """Begin with some of the partitions whose positions are known."""
        self.left = dict(positions)
        self.join({partition: positions[partition] for partition in partitions if partition in positions})

    def join(self, positions: Mapping[str, Any]) -> None:
        """Have these partitions from now on, each from its position; None is where the source's options say."""
        for partition, position in positions.items():
            self.left.pop(partition, None)
            if position is not None:
                self.positions[partition] = position

    def leave(self, partitions: Sequence[str]) -> None:
        """These are another worker's: forget what waits of them, and never commit them again."""
        for partition in partitions:
            if partition in self.positions:
                self.left[partition] = self.positions.pop(partition)
            self.silent_until.pop(partition, None)
        self._first = [records for records in self._first if records.partition not in partitions]
        if self.merge is not None:
            self.merge.drop(partitions)

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def checkpoint(self, sinks: Mapping[str, object]) -> Written | None:
        """Write what changed since the last checkpoint; that one's name if nothing did."""
        if self.lineage is None or not self.dirty:
            return self.written
        content = self.content(sinks)
        written = self.lineage.write(content)
        self._keyed[written.id] = self._keyed_states(content)
        self._previous, self.written = (None if self.written is None else self.written.id), written
        self.dirty = False
        return written

    def found(self, sinks: Mapping[str, object]) -> None:
        """Write down that nothing was done so far, and what the sinks are like: so they can be taken back to that.

        It is not the checkpoint that the next one comes after: nothing was committed.
        """
        if self.lineage is not None:
            self.lineage.write(self.content(sinks), note={"reason": "beginning"})

    def confirm(self) -> None:
        """Its checkpoint was committed by another store: leave a sign, once, that there is one to come back to."""
        if self.lineage is not None and not self._confirmed:
            self.lineage.confirm()
            self._confirmed = True

    def prune(self) -> None:
        """Remove checkpoints that no committed position can name any more."""
        if self.lineage is not None and self.written is not None:
            self.lineage.prune(named={self.written.id, *([] if self._previous is None else [self._previous])})
            self._collect(self.lineage.ids())

    def _collect(self, ids: Sequence[CheckpointId]) -> None:
        """Remove the files of models by key that no checkpoint names, once all that are left are known."""
        self._keyed = {id: states for id, states in self._keyed.items() if id in ids}
        if len(self._keyed) == len(ids):
            for contender in self.contenders:
                contender.collect([s[contender.label] for s in self._keyed.values() if contender.label in s])

    def _keyed_states(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What a checkpoint's content names of files of models by key; other models' states are not held on to."""
        if self._plan.roles.key is None:
            return {}
        return {label: state["learner"] for label, state in content["contenders"].items()}

    def content(self, sinks: Mapping[str, object]) -> dict[str, Any]:
        """Everything that the shard needs to go on bit for bit, and beside it what people want to know of it."""
        return {
            "about": {
                "streamlearn": __version__,
                "pipeline": self._plan.name,
                "shard": self.name,
                "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "after": None if self.written is None else str(self.written.id),
                "rows": self.rows,
                "labelled": self.labelled,
                "rejected": self.rejected,
                "positions": {**self.left, **self.positions},
                "sinks": dict(sinks),
                "fingerprint": dict(self._plan.fingerprint),
                "learners": {contender.label: contender.about() for contender in self.contenders},
                "metrics": {contender.label: contender.measured() for contender in self.contenders},
            },
            "schema": None if self.schema is None else self.schema.to_dict(),
            "contenders": {contender.label: contender.state() for contender in self.contenders},
            "pending": None if self._pending is None else self._pending.state(),
            "merge": None if self.merge is None else self.merge.state(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        StateError
            If it is another shard's or another pipeline's, or does not fit what the pipeline says now.
        """
        content = checkpoint.content
        about = content["about"]
        for key, mine in (("pipeline", self._plan.name), ("shard", self.name)):
            if about[key] != mine:
                raise StateError(f"the checkpoint belongs to the {key} {about[key]!r}, not to {mine!r}")
        refuse_changes(about["fingerprint"], self._plan.fingerprint)
        self.rows, self.labelled, self.rejected = about["rows"], about["labelled"], about["rejected"]
        self.left = dict(about["positions"])  # until it is known which partitions it has
        if content["schema"] is not None:
            schema = Schema.from_dict(content["schema"])
            self._bind(schema)
            for contender in self.contenders:
                if contender.label in content["contenders"]:  # a shadow that is new begins here
                    contender.restore(content["contenders"][contender.label], schema)
            if self._pending is not None and content["pending"] is not None:
                self._pending.restore(content["pending"])
        if self.merge is not None and content["merge"] is not None:
            self.merge.restore(content["merge"])
        self._keyed[checkpoint.id] = self._keyed_states(content)
        self.written = Written(checkpoint.id, checkpoint.digest, 0, 0.0)

    def status(self) -> ShardStatus:
        """How it stands."""
        return ShardStatus(
            shard=self.name,
            partitions=sorted(self.positions),
            rows=self.rows,
            labelled=self.labelled,
            waiting=0 if self._pending is None else self._pending.waiting,
            checkpoint=None if self.written is None else str(self.written.id),
            metrics={contender.label: contender.windowed() for contender in self.contenders},
            model_bytes={contender.label: contender.learner.nbytes for contender in self.contenders},
        )


def refuse_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was made by another configuration; the message names what differs.

    Raises
    ------
    StateError
        If anything differs but shadows that came or went.
    """
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if key == "learners":
            before = {name: spec for name, spec in (before or {}).items() if name in (now or {})}
            now = {name: spec for name, spec in (now or {}).items() if name in before}
            if not before:
                raise StateError("the pipeline's learners are all new, and the checkpoint holds none of them")
        while isinstance(before, Mapping) and isinstance(now, Mapping) and before != now:  # down to what differs
            name = next(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))
            key, before, now = f"{key}.{name}", before.get(name), now.get(name)
        if before != now:
            raise StateError(
                f"the checkpoint was made with {key}: {before!r}, but the pipeline now says {now!r}: undo the change, "
                "or begin anew in another checkpoint directory"
            )
