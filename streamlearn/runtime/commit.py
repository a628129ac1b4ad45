"""How a worker makes its work safe: one class for each order in which outputs, checkpoints and positions are committed.

A commit covers all shards of a worker. Between two commits nothing counts: a worker that fails anywhere is restored to
the last commit, in the same process or in the next, by the same code (`restoring`).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import CheckpointError, OptionError, StateError
from ..live import LiveSource, Mark
from ..sink import Output, Sink
from .checkpoints import Written
from .crash_points import reach
from .notes import note_of
from .plan import Plan
from .restoring import Beginning, begin_ahead, begin_flushed, begin_transactional
from .shard import Shard


class Outlets:
    """The sinks of a worker, by the names under which checkpoints keep their states."""

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self.sinks = dict(sinks)

    @property
    def transactional(self) -> list[Sink]:
        return [sink for sink in self.sinks.values() if sink.transactional]

    @property
    def plain(self) -> list[Sink]:
        return [sink for sink in self.sinks.values() if not sink.transactional]

    @property
    def exact(self) -> bool:
        """Whether some take outputs back when they are restored."""
        return any(sink.exact for sink in self.sinks.values())

    def write(self, name: str, shard: str, output: Output, *, transactional: bool = True) -> None:
        """Write to the sinks called ``name`` or ``name.<n>``; those in transactions only if asked to."""
        for key, sink in self.sinks.items():
            if key.partition(".")[0] == name and (transactional or not sink.transactional):
                sink.write(shard, output)

    def flush(self) -> None:
        for sink in self.plain:
            sink.flush()

    def states(self, shard: str) -> dict[str, object]:
        return {name: sink.state(shard) for name, sink in self.sinks.items()}

    def restore(self, shard: str, states: Mapping[str, object]) -> None:
        for name, sink in self.sinks.items():
            sink.restore(shard, states.get(name))

    def release(self, shard: str) -> None:
        for sink in self.sinks.values():
            sink.release(shard)

    def close(self) -> None:
        for sink in self.sinks.values():
            sink.close()


class Commit(ABC):
    """The order of a commit."""

    def __init__(self, source: LiveSource, outlets: Outlets) -> None:
        self._source, self._outlets = source, outlets

    def committed(self, partitions: Sequence[str]) -> dict[str, Mark]:
        """What was committed for these partitions, where something was."""
        return self._source.committed(partitions)

    @abstractmethod
    def begin(self, shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
        """Bring a shard to what was committed last (see `restoring`)."""

    def writing(self) -> None:  # noqa: B027 - only transactions begin
        """Outputs are about to be written."""

    @abstractmethod
    def commit(self, shards: Sequence[Shard]) -> dict[str, Written | None]:
        """Make safe what these shards did; the checkpoints that were written, by shard.

        Raises
        ------
        FencedError, UncertainError, SinkError, SourceError, OSError
            If it is not safe, or not known to be: the worker must be restored.
        """

    def abandon(self) -> None:  # noqa: B027
        """Give up what was done since the last commit; never raises."""

    def _checkpoint(self, shards: Iterable[Shard]) -> dict[str, Written | None]:
        reach("before-checkpoint")
        written = {shard.name: shard.checkpoint(self._outlets.states(shard.name)) for shard in shards}
        reach("after-checkpoint")
        return written

    @staticmethod
    def _marks(shards: Iterable[Shard]) -> dict[str, Mark]:
        return {
            partition: Mark(position, note_of(shard.name, shard.written))
            for shard in shards
            for partition, position in shard.positions.items()
        }


class Flushed(Commit):
    """At least once: first the outputs are safe, then the checkpoint, then the source is told.

    A crash before the checkpoint repeats outputs, after it nothing. Sinks that can take outputs back (files) are cut to
    the lengths in the checkpoint when a shard is restored: with these it is exactly once. What the source is told
    serves its monitoring, and a shard whose checkpoint is elsewhere: the checkpoint's positions decide.
    """

    def begin(self, shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
        return begin_flushed(shard, committed, on_missing=on_missing)

    def commit(self, shards: Sequence[Shard]) -> dict[str, Written | None]:
        reach("before-flush")
        self._outlets.flush()
        reach("after-flush")
        written = self._checkpoint(shards)
        reach("before-commit")
        self._source.commit(self._marks(shards))
        reach("after-commit")
        for shard in shards:
            shard.prune()
        return written


class Transactional(Commit):
    """Exactly once into a transactional sink: its transaction is the commit point.

    The checkpoint is safe *before*, and the committed offsets carry its name. A crash in between leaves a checkpoint
    that nothing names, and an aborted transaction: the predecessor is restored. A crash afterwards finds the name.
    Therefore a checkpoint is removed only after a later one was committed. An outcome that is not known
    (`UncertainError`) is never guessed at: the sink is opened anew, which settles it, and the source is asked.
    """

    def __init__(self, source: LiveSource, outlets: Outlets) -> None:
        super().__init__(source, outlets)
        self._open = False

    def writing(self) -> None:
        if not self._open:
            for sink in self._outlets.transactional:
                sink.begin()
            self._open = True

    def begin(self, shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
        return begin_transactional(shard, committed, on_missing=on_missing)

    def commit(self, shards: Sequence[Shard]) -> dict[str, Written | None]:
        self.writing()  # positions move on even where there was nothing to write
        reach("before-flush")
        self._outlets.flush()
        reach("after-flush")
        written = self._checkpoint(shards)
        offsets = self._source.transaction_offsets(self._marks(shards))
        reach("before-commit")
        self._outlets.transactional[0].commit(offsets)
        self._open = False
        reach("after-commit")
        for shard in shards:
            shard.confirm()
            shard.prune()
        return written

    def abandon(self) -> None:
        if self._open:
            for sink in self._outlets.transactional:
                sink.abort()
            self._open = False


class Ahead(Commit):
    """At most once: positions are committed before their records are processed, checkpoints now and then.

    A crash loses the predictions of the records in flight, and what was learned since the last checkpoint. Sources
    without a memory of their own get one, a small file in the checkpoint directory; it is not synced to the disk, so a
    host that goes down may repeat some.
    """

    def __init__(self, source: LiveSource, outlets: Outlets, memory: Path | None) -> None:
        super().__init__(source, outlets)
        self._memory = memory
        self._positions: dict[str, object] = {}

    def committed(self, partitions: Sequence[str]) -> dict[str, Mark]:
        told = self._source.committed(partitions)
        if self._memory is not None and self._memory.exists():
            try:
                self._positions = dict(json.loads(self._memory.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                raise StateError(
                    f"{self._memory} can't be read ({error}): remove it to go on from the last checkpoint"
                ) from None
        return {p: Mark(self._positions[p]) for p in partitions if p in self._positions} | told

    def before(self, marks: Mapping[str, Mark]) -> None:
        """Records are about to be processed."""
        self._source.commit(marks)
        if self._memory is not None:
            self._positions |= {partition: mark.position for partition, mark in marks.items()}
            draft = self._memory.with_suffix(".new")
            try:
                draft.write_text(json.dumps(self._positions), encoding="utf-8")
                draft.replace(self._memory)
            except OSError as error:
                raise CheckpointError(f"positions can't be kept in {self._memory}: {error.strerror}") from error

    def begin(self, shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
        return begin_ahead(shard, committed, on_missing=on_missing)

    def commit(self, shards: Sequence[Shard]) -> dict[str, Written | None]:
        self._outlets.flush()
        written = self._checkpoint(shards)
        for shard in shards:
            shard.prune()
        return written


def commit_for(plan: Plan, source: LiveSource, outlets: Outlets, worker: str) -> Commit:
    """The order that keeps the plan's guarantee with these sinks.

    Raises
    ------
    OptionError
        If no order does.
    """
    if plan.guarantee == "at-most-once":
        memory = None if plan.directory is None or source.grouped else plan.directory / f"ahead-{worker}.json"
        return Ahead(source, outlets, memory)
    if plan.guarantee == "at-least-once":
        return Flushed(source, outlets)
    loose = [name for name, sink in outlets.sinks.items() if not (sink.transactional or sink.exact)]
    if loose:
        raise OptionError(
            f"exactly-once: {loose[0]} ({outlets.sinks[loose[0]].name}) can neither take part in a transaction nor "
            "take outputs back: use a kafka or file sink, or guarantee: at-least-once"
        )
    return Transactional(source, outlets) if outlets.transactional else Flushed(source, outlets)
