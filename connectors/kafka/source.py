"""Kafka topics as a live source."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from streamlearn.errors import FencedError, OptionError, PositionError, SourceError
from streamlearn.live import Assignment, LiveSource, Mark, Worker
from streamlearn.parameters import call_of, check_choice, parameters_of
from streamlearn.records import Records, Stamps
from streamlearn.registry import near

from . import options as owned
from .client import ExpiredError, Part, Reader, Reading, Run, checked_options, choose, open_reader, servers

CATCH_UP = 5.0  # seconds for the end of a log to be known again after its leader has moved
QUIET = 30.0  # seconds after which a partition from which nothing comes is looked at

Start = Literal["earliest", "latest"] | Mapping[str, Any]


class KafkaSource(LiveSource):
    """The records of topics, shared out among the workers of a consumer group.

    Positions are offsets. They are kept by the pipeline, with its state, and told to the group for its monitoring (and,
    with transactions, as the point that everything else is restored from); the client itself commits nothing. Only
    records of committed transactions are delivered.

    Parameters
    ----------
    bootstrap
        Addresses of brokers: ``"host:port,host:port"`` or a list.
    topics
        A topic, or a list of topics.
    group
        The consumer group; needed by `subscribe`, not by `assign`.
    format
        The registered format of the records' bytes.
    start
        Where to begin in a partition that nothing was committed for: ``"earliest"``, ``"latest"``,
        ``{"timestamp": …}`` (seconds since the epoch or ISO 8601 text; the first record written then or later, the end
        if there is none), or ``{"offsets": {"events-0": 1200, …}}`` (partitions not named begin at their earliest
        record).
    client
        ``"kafka-python"``, ``"confluent"``, or ``"auto"``: confluent-kafka when it is installed, unless the options
        bear kafka-python's names.
    protocol
        ``"classic"``, or ``"consumer"`` for the group protocol of KIP-848 (confluent-kafka only; Kafka 4.0 and newer).
    rebalance
        ``"eager"``: workers are static members, so that one that was killed and started again has its partitions back
        at once; a rebalance stops all for a moment. ``"cooperative"``: partitions that stay are read on meanwhile, but
        those of a killed worker wait until its session is over. Not both: a static member that starts again between the
        two rounds of a cooperative rebalance gets back what it had, the second round never comes, and a partition
        stays without an owner. KIP-848 has static members and moves partitions one by one whatever this says.
    on_expired
        What to do when the records at a position are gone (retention removed them, or the topic was made anew):
        ``"fail"``, or go on from the ``"earliest"`` or the ``"latest"`` record.
    options
        The client's own options, unrenamed: ``{"security.protocol": "SASL_SSL"}`` for confluent-kafka,
        ``{"security_protocol": "SASL_SSL"}`` for kafka-python.

    Raises
    ------
    OptionError
        If a parameter is out of range, or an option is one that streamlearn sets itself.

    Examples
    --------
    >>> from streamlearn.connectors.kafka import KafkaSource
    >>> KafkaSource(bootstrap="127.0.0.1:9092", topics="events", group="power", start={"timestamp": "2026-01-01"})
    KafkaSource(bootstrap='127.0.0.1:9092', topics='events', group='power', start={'timestamp': '2026-01-01'})
    """

    def __init__(
        self,
        *,
        bootstrap: str | Iterable[str],
        topics: str | Sequence[str],
        group: str | None = None,
        format: str = "json",
        start: Start = "earliest",
        client: str = "auto",
        protocol: str = "classic",
        rebalance: str = "eager",
        on_expired: str = "fail",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.topics = topics
        self.group = group
        self.grouped = group is not None
        self.format = format
        self.start = start
        self.client = client
        self.protocol = protocol
        self.rebalance = rebalance
        self.on_expired = on_expired
        self.options = options
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        if not self._topics or not all(isinstance(topic, str) and topic for topic in self._topics):
            raise OptionError(f"topics must be a topic or a list of topics, got {topics!r}")
        check_choice("protocol", protocol, ("classic", "consumer"))
        check_choice("rebalance", rebalance, ("eager", "cooperative"))
        check_choice("on_expired", on_expired, ("fail", "earliest", "latest"))
        self._start = _parsed_start(start)
        self._servers = servers(bootstrap)
        self._client = choose(client, options or {})
        if protocol == "consumer" and self._client != "confluent":
            raise OptionError('protocol="consumer" (KIP-848) needs client="confluent"')
        self._options = checked_options(options, owned.READER[self._client])
        self.name = f"kafka:{','.join(self._topics)}"
        self._reader: Reader | None = None
        self._assignment: Assignment | None = None
        self._positions: dict[Part, int | None] = {}  # of the partitions that are ours; None until sought
        self._known: dict[str, Part] = {}
        self._paused: set[Part] = set()
        self._look_at = 0.0
        self._quiet: dict[Part, tuple[int, bool]] = {}  # when last looked at: its position, and whether it had more

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that it was made with."""
        return parameters_of(self)

    def __repr__(self) -> str:
        return call_of(self).replace(f"options={self.options!r}", "options={…}")  # there may be passwords in it

    def open(self, worker: Worker) -> None:
        if worker.guarantee == "exactly-once" and _uncommitted(self._options):
            raise OptionError("exactly-once needs isolation.level=read_committed")
        self._log = worker.log
        member = f"{worker.pipeline}-{worker.name}"
        cooperative = self.rebalance == "cooperative" and self.protocol == "classic"
        self._reader = open_reader(
            self._client,
            Reading(self._servers, self.group, member, self.protocol, cooperative, self._options, worker.log),
        )
        try:
            missing = [topic for topic in self._topics if not self._reader.partitions(topic)]
            if missing:
                raise SourceError(self._missing(missing[0]))
        except BaseException:
            self.close()
            raise

    def _missing(self, topic: str) -> str:
        there = [name for name in self._open.topics() if not name.startswith("__")]
        close = near(topic, there)
        hint = f"did you mean {' or '.join(close)}?" if close else f"topics there: {', '.join(there[:10]) or 'none'}"
        return f"no topic {topic!r} at {self._servers}; {hint}"

    @property
    def _open(self) -> Reader:
        if self._reader is None:
            raise SourceError(f"{self.name} is not open")
        return self._reader

    # Partitions

    def partitions(self) -> list[str]:
        return [Part(topic, number).name for topic in self._topics for number in self._open.partitions(topic)]

    def number(self, partition: str) -> int:
        return Part.named(partition).number

    def subscribe(self, assignment: Assignment) -> None:
        if self.group is None:
            raise OptionError("a source that shares partitions with other workers needs a group")
        self._assignment = assignment
        self._open.subscribe(self._topics, self)

    def assign(self, partitions: Sequence[str]) -> None:
        self._positions = {self._part(name): None for name in partitions}

    # What `Rebalance` asks for

    def assigned(self, parts: Sequence[Part]) -> dict[Part, int]:
        """The group gave partitions: the assignment seeks each."""
        assert self._assignment is not None
        self._positions |= dict.fromkeys(parts)
        self._assigning = True
        try:
            self._assignment.assigned([part.name for part in parts])
        finally:
            self._assigning = False
        starts = {part: self._positions[part] for part in parts}
        unsought = [part.name for part, start in starts.items() if start is None]
        if unsought:
            raise SourceError(f"{', '.join(unsought)}: assigned, but not sought")
        return {part: start for part, start in starts.items() if start is not None}

    _assigning = False

    def revoked(self, parts: Sequence[Part]) -> None:
        """The group takes partitions: they are ours until the assignment has been told."""
        assert self._assignment is not None
        try:
            self._assignment.revoked([part.name for part in parts if part in self._positions])
        finally:
            self._forget(parts)

    def lost(self, parts: Sequence[Part]) -> None:
        """The group has taken partitions: from now on nothing of them may be committed (F11)."""
        assert self._assignment is not None
        names = [part.name for part in parts if part in self._positions]
        self._forget(parts)
        self._assignment.lost(names)

    def _forget(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self._positions.pop(part, None)
            self._paused.discard(part)

    # Reading

    def seek(self, partition: str, position: Any | None) -> None:
        part = self._part(partition)
        if part not in self._positions:
            raise SourceError(f"{partition} is not assigned here")
        offset = self._first(part) if position is None else self._there(part, position)
        self._positions[part] = offset
        if not self._assigning:  # F5: the client is sent there before it may deliver anything
            self._open.start(part, offset)

    def _first(self, part: Part) -> int:
        """Where the options say to start."""
        low, end = self._open.ends(part)
        if self._start == "latest":
            return end
        if isinstance(self._start, int):
            at = self._open.at(part, self._start)
            return end if at is None else at
        if isinstance(self._start, dict) and part.name in self._start:
            return self._there(part, self._start[part.name])
        return low

    def _there(self, part: Part, position: Any) -> int:
        """The offset, if the partition still has what is there."""
        if not isinstance(position, int) or isinstance(position, bool) or position < 0:
            raise PositionError(f"{part.name}: a position is an offset >= 0, got {position!r}")
        deadline = time.monotonic() + CATCH_UP
        while True:
            low, end = self._open.ends(part)
            if low <= position <= end:
                return position
            if position < low or time.monotonic() > deadline:
                return self._expired(part, position, low, end)
            time.sleep(0.1)  # after a leader has moved, the end may lag behind for a moment

    def _expired(self, part: Part, position: int, low: int, end: int) -> int:
        """F1: the records are gone; fail, or go on from where the options say."""
        why = "retention removed the records" if position < low else "the topic was made anew, or its log was cut"
        told = f"{part.name}: position {position} is not there any more: it has offsets {low} to {end} ({why})"
        if self.on_expired == "fail":
            raise PositionError(
                f"{told}; set on_expired to earliest or latest to go on without them, or go back to an older checkpoint"
            )
        self._log.warning("kafka: %s; going on from the %s", told, self.on_expired)
        return low if self.on_expired == "earliest" else end

    def poll(self, max_rows: int, timeout: float) -> list[Records]:
        try:
            runs = self._open.poll(max_rows, timeout)
        except ExpiredError:
            self._recover()
            return []
        if not runs and time.monotonic() >= self._look_at:
            self._look_at_quiet_ones()
        return [records for run in runs if (records := self._records(run)) is not None]

    def _look_at_quiet_ones(self) -> None:
        """See that partitions from which nothing comes have nothing.

        Of a topic that was deleted, or made anew and is shorter now, clients deliver nothing more, and do not say so.
        """
        self._look_at = time.monotonic() + QUIET
        seen, self._quiet = self._quiet, {}
        for part, position in self._positions.items():
            at, was_behind = seen.get(part, (-1, False))
            if position is None or part in self._paused:
                continue
            behind = False
            if position == at:
                try:
                    there = part.number in self._open.partitions(part.topic)
                    low, end = self._open.ends(part) if there else (0, 0)
                except SourceError:  # nobody answers: the client waits for the brokers to come back, and so do we
                    return
                if not there:
                    raise SourceError(self._missing(part.topic))
                if not low <= position <= end:
                    self._recover()
                    return
                behind = max(position, self._open.known(part)[0]) < end
                if behind and was_behind:
                    raise SourceError(
                        f"{part.name}: the brokers have offsets up to {end}, and nothing came from {position} on for "
                        f"{QUIET:g} s: was the topic made anew?"
                    )
            self._quiet[part] = position, behind

    def _recover(self) -> None:
        """A position fell off the log while we were reading: seek anew, which fails if the options say so."""
        for part, position in list(self._positions.items()):
            if position is not None:
                self.seek(part.name, position)

    def _records(self, run: Run) -> Records | None:
        position = self._positions.get(run.part)
        if position is None or run.offsets[-1] < position:  # taken away meanwhile, or of before the last seek
            return None
        if run.offsets[0] < position:
            run = run.since(position)
        self._positions[run.part] = after = int(run.offsets[-1]) + 1
        name, time = run.part.name, run.time
        times = Stamps(lambda row: _seconds(time(row)), range(len(run.offsets)))
        return Records(name, name, run.offsets, after, run.values, None, run.keys, run.headers, times)

    def pause(self, partitions: Sequence[str]) -> None:
        parts = [self._part(name) for name in partitions]
        self._paused.update(parts)
        self._open.pause(parts)

    def resume(self, partitions: Sequence[str]) -> None:
        parts = [self._part(name) for name in partitions]
        self._paused.difference_update(parts)
        self._open.resume(parts)

    def lag(self) -> dict[str, int]:
        lags = {}
        for part, position in self._positions.items():
            reached, end = self._open.known(part)
            lags[part.name] = max(0, end - max(position or 0, reached))
        return lags

    # Committing

    def committed(self, partitions: Sequence[str]) -> dict[str, Mark]:
        if self.group is None:
            return {}
        found = self._open.committed([self._part(name) for name in partitions])
        return {part.name: mark for part, mark in found.items()}

    def commit(self, marks: Mapping[str, Mark]) -> None:
        if self.group is not None and marks:
            self._open.commit(self._ours(marks))

    def transaction_offsets(self, marks: Mapping[str, Mark]) -> Any:
        if self.group is None:
            raise OptionError("exactly-once through transactions needs a group: positions are committed in its name")
        return self._open.in_transaction(self._ours(marks))

    def _ours(self, marks: Mapping[str, Mark]) -> dict[Part, Mark]:
        found = {self._part(name): mark for name, mark in marks.items()}
        strange = [part.name for part in found if part not in self._positions]
        if strange:  # F11: the client would try, and after a lost rebalance even succeed
            raise FencedError(f"{', '.join(strange)}: no longer ours, so nothing of it may be committed")
        return found

    def _part(self, name: str) -> Part:
        part = self._known.get(name)
        if part is None:
            part = self._known[name] = Part.named(name)
        return part

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._positions.clear()
        self._paused.clear()
        self._quiet.clear()


def _seconds(milliseconds: int) -> float:
    return math.nan if milliseconds < 0 else milliseconds / 1000.0


def _parsed_start(start: Start) -> str | int | dict[str, int]:
    """``"earliest"``, ``"latest"``, milliseconds since the epoch, or offsets by partition."""
    if isinstance(start, Mapping):
        if set(start) == {"timestamp"}:
            return _milliseconds(start["timestamp"])
        if set(start) == {"offsets"} and isinstance(start["offsets"], Mapping):
            return {str(name): offset for name, offset in start["offsets"].items()}
    elif start in ("earliest", "latest"):
        return start
    raise OptionError(
        f'start must be "earliest", "latest", {{"timestamp": …}} or {{"offsets": {{"topic-0": …}}}}, got {start!r}'
    )


def _milliseconds(when: Any) -> int:
    if isinstance(when, int | float) and not isinstance(when, bool) and 0 <= when < 1e11:
        return int(when * 1000)
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            raise OptionError(f"start: {when!r} is not a time; write ISO 8601, or seconds since the epoch") from None
    if isinstance(when, datetime):
        return int(when.timestamp() * 1000)
    if hasattr(when, "isoformat"):  # a date, as YAML reads 2026-01-01
        return _milliseconds(when.isoformat())
    raise OptionError(f"start: {when!r} is not a time; write ISO 8601, or seconds since the epoch")


def _uncommitted(options: Mapping[str, Any]) -> bool:
    return "read_uncommitted" in (options.get("isolation.level"), options.get("isolation_level"))
