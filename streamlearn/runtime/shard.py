"""A shard: the part of a pipeline that is restored as a whole, and a deterministic function of its ordered input."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from .. import __version__
from ..batch import Batch
from ..errors import InputError, StateError
from ..format import Format
from ..learner import Outputs
from ..records import Records, Rejected
from ..schema import Schema
from .checkpoints import Checkpoint, CheckpointId, Lineage, Written
from .contender import Contender
from .observer import Alarm, ShardStatus, Stage
from .outputs import DeadLetters, Predictions
from .plan import Plan

LEVELS = {1: "warning", 2: "drift"}


@dataclass(slots=True)
class Done:
    """What came of some records: outputs to be written, and what observers are told."""

    predictions: Predictions | None = None
    dead: DeadLetters | None = None
    alarms: list[Alarm] = field(default_factory=list)
    rejected: list[tuple[str, Stage, str]] = field(default_factory=list)
    silent: bool = False
    rows: int = 0
    labels: int = 0
    decode: float = 0.0
    process: float = 0.0


class Stop(Exception):  # noqa: N818 - not an error of ours: somebody decided
    """A record failed, and the pipeline's policy, or its owner when asked, says to stop."""


class Shard:
    """Learners with their metrics and detectors, waiting labels, and the positions up to which all this is true.

    Parameters
    ----------
    name
        Names the shard's outputs and its checkpoints.
    plan
        The recipe.
    format
        Decodes its records.
    lineage
        Its checkpoints; None where nothing is kept.
    number
        The number of its partition, where it has one: outputs keep to it.
    """

    def __init__(
        self, name: str, plan: Plan, format: Format, lineage: Lineage | None, number: int | None = None
    ) -> None:
        self.name = name
        self.lineage = lineage
        self.positions: dict[str, Any] = {}
        self.silent_until: dict[str, int] = {}
        """Offsets below which an earlier life has committed its transactional outputs: they are not written again."""
        self.schema: Schema | None = None
        self.written: Written | None = None
        self.rows = self.labelled = self.rejected = 0
        self.dirty = False
        self._plan, self._format, self._number = plan, format, number
        self._first: list[Records] = []  # kept until there are enough to infer the schema from
        self._previous: CheckpointId | None = None
        directory = None if lineage is None else lineage.directory
        self.contenders = [Contender(label, learner, plan, directory) for label, learner in plan.learners.items()]

    # -- records ----------------------------------------------------------------------------------------------------

    def take(self, records: Records, *, caught_up: bool) -> list[Done]:
        """Predict and learn records, in order.

        Without a schema, records are held back until there are enough to infer one from, or no more for now: so what is
        inferred from a stream that is already there does not depend on how it is polled.
        """
        if self.schema is not None:
            return self._process_split(records)
        self._first.append(records)
        if sum(map(len, self._first)) < self._plan.infer_rows and not caught_up:
            return []
        return self.settle()

    def settle(self) -> list[Done]:
        """Infer the schema from the records that are held back, and process them."""
        held, self._first = self._first, []
        if not self._infer(Records.joined(held)):
            return [self._refuse_all(part) for part in held]
        return [done for part in held for done in self._process_split(part)]

    @property
    def held(self) -> int:
        """Records that are held back."""
        return sum(map(len, self._first))

    def _infer(self, records: Records) -> bool:
        """Fix the schema; False if not one of the records can be read."""
        try:
            self._bind(self._format.infer(records, self._plan.roles))
        except InputError:
            if any(isinstance(document, Mapping) for document in self._format.documents(records)):
                raise  # readable, but not what the pipeline says: nothing that setting records aside would mend
            return False
        return True

    def _bind(self, schema: Schema) -> None:
        self.schema = schema
        for contender in self.contenders:
            contender.bind(schema)

    def _process_split(self, records: Records) -> list[Done]:
        """Process records; those whose outputs were committed by an earlier life apart from the others."""
        until = self.silent_until.get(records.partition)
        if until is None:
            return [self._process(records)]
        known = int(np.searchsorted(records.offsets, until))
        if known == len(records):
            done = self._process(records)
            done.silent = True
            return [done]
        del self.silent_until[records.partition]
        if known == 0:
            return [self._process(records)]
        done = self._process(records.slice(0, known))
        done.silent = True
        return [done, self._process(records.slice(known, len(records)))]

    def _process(self, records: Records) -> Done:
        assert self.schema is not None
        done = Done()
        started = time.perf_counter()
        decoded = self._format.decode(records, self.schema, self._plan.roles)
        failed: list[tuple[Rejected, Stage]] = [(rejected, "decode") for rejected in decoded.rejected]
        done.decode = time.perf_counter() - started
        if len(decoded.rows):
            self._predict(decoded.batch, decoded.rows, records, failed, done)
        done.process = time.perf_counter() - started - done.decode
        self._set_aside(records, failed, done)
        self.positions[records.partition] = records.next
        self.dirty = True
        return done

    def _predict(
        self,
        batch: Batch,
        rows: np.ndarray,
        records: Records,
        failed: list[tuple[Rejected, Stage]],
        done: Done,
    ) -> None:
        """Test then train all contenders on rows whose labels are in the records."""
        ids = records.ids(rows)
        made: dict[str, Outputs] = {}
        missed: dict[int, str] = {}
        for place, contender in enumerate(self.contenders):
            proba = contender.needs_proba or (place == 0 and self._plan.probabilities)
            outputs, failures = contender.process(batch, None, proba=proba)
            targets = contender.targets(batch)
            if failures:
                missed |= failures
                if place == 0:
                    failed += [(Rejected(int(rows[row]), reason), "process") for row, reason in failures.items()]
                targets = targets.copy()
                targets[list(failures)] = -1 if targets.dtype == np.int64 else np.nan
            made[contender.label] = outputs
            raised = contender.measure(targets, outputs.prediction, batch.weight, outputs.proba)
            done.alarms += [self._alarm(contender, *said, ids, batch) for said in raised]
            if place == 0:
                done.labels = int(np.count_nonzero(targets >= 0 if targets.dtype == np.int64 else ~np.isnan(targets)))
        self.labelled += done.labels
        self.rows += len(ids)
        done.rows = len(ids)
        champion = self.contenders[0]
        bad = {rejected.row for rejected, stage in failed if stage == "process"}
        keep = None if not bad else np.flatnonzero(~np.isin(rows, list(bad)))
        done.predictions = Predictions.of(
            records, rows, batch, ids, champion=champion, outputs=made, number=self._number, keep=keep
        )

    def _alarm(
        self, contender: Contender, detector: str, level: int, row: int, ids: Sequence[str], batch: Batch
    ) -> Alarm:
        return Alarm(
            pipeline=self._plan.name,
            shard=self.name,
            learner=contender.label,
            detector=detector,
            level="drift" if level == 2 else "warning",
            record=ids[row],
            row=self.rows + row,
            event_time=None if batch.event_time is None else float(batch.event_time[row]),
        )

    def _set_aside(self, records: Records, failed: list[tuple[Rejected, Stage]], done: Done) -> None:
        """Do with failed records what the policy says."""
        letters: list[tuple[int, Stage, str]] = []
        for rejected, stage in sorted(failed, key=lambda pair: pair[0].row):
            record = records.id(rejected.row)
            done.rejected.append((record, stage, rejected.reason))
            policy = getattr(self._plan.errors, stage)
            ask = self._plan.errors.on_error
            if policy == "stop" or (ask is not None and not ask(stage, record, rejected.reason)):
                raise Stop(f"{record}: {stage}: {rejected.reason}")
            if policy == "dead_letter":
                letters.append((rejected.row, stage, rejected.reason))
        self.rejected += len(failed)
        if letters:
            done.dead = DeadLetters.of(records, letters, pipeline=self._plan.name)

    def _refuse_all(self, records: Records) -> Done:
        """Records of which not one can be read, so that there is no schema yet."""
        done = Done()
        failed: list[tuple[Rejected, Stage]] = [
            (Rejected(row, document), "decode")
            for row, document in enumerate(self._format.documents(records))
            if isinstance(document, str)
        ]
        self._set_aside(records, failed, done)
        self.positions[records.partition] = records.next
        self.dirty = True
        return done

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def checkpoint(self, sinks: Mapping[str, object]) -> Written | None:
        """Write what changed since the last checkpoint; that one's name if nothing did."""
        if self.lineage is None or not self.dirty:
            return self.written
        written = self.lineage.write(self.content(sinks), note={})
        self._previous, self.written = (None if self.written is None else self.written.id), written
        self.dirty = False
        return written

    def prune(self) -> None:
        """Remove checkpoints that no committed position can name any more."""
        if self.lineage is not None and self.written is not None:
            self.lineage.prune(named={self.written.id, *([] if self._previous is None else [self._previous])})

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
                "positions": self.positions,
                "sinks": dict(sinks),
                "fingerprint": dict(self._plan.fingerprint),
                "learners": {contender.label: contender.about() for contender in self.contenders},
            },
            "schema": None if self.schema is None else self.schema.to_dict(),
            "contenders": {contender.label: contender.state() for contender in self.contenders},
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
        self.positions = dict(about["positions"])
        if content["schema"] is not None:
            self._bind(Schema.from_dict(content["schema"]))
            for contender in self.contenders:
                if contender.label in content["contenders"]:  # a shadow that is new begins here
                    contender.restore(content["contenders"][contender.label], self.schema)
        self.written = Written(checkpoint.id, checkpoint.digest, 0, 0.0)

    def status(self) -> ShardStatus:
        """How it stands."""
        return ShardStatus(
            shard=self.name,
            partitions=sorted(self.positions),
            rows=self.rows,
            labelled=self.labelled,
            waiting=0,
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
        if before != now:
            raise StateError(
                f"the checkpoint was made with {key}: {before!r}, but the pipeline now says {now!r}: undo the change, "
                "give the pipeline another name or checkpoint directory, or start anew with --fresh"
            )
