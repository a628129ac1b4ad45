"""Replays a stream as live records: into a topic or files, at a rate, with labels that come later."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from . import registry
from .batch import Batch
from .errors import InputError, OptionError
from .live import Worker
from .parameters import check_range
from .sink import Encoded, Messages, Output, Sink, only_json
from .source import Source

ROWS_AT_ONCE = 1000
TICK = 0.005
"""Seconds between two looks at what is due: at high rates, rows go out in groups of what came due meanwhile."""
FLUSH_EVERY = 1.0
TIME = 2
"""The column of a label's time."""

_encoder = msgspec.json.Encoder(enc_hook=str)


@dataclass(slots=True)
class Documents(Output):
    """Rows as JSON objects.

    Parameters
    ----------
    names
        Of the members.
    columns
        Their values, as lists of equal length.
    keys, number
        As in `Messages`.
    """

    names: list[str]
    columns: list[list[Any]]
    keys: list[bytes | None] | None = None
    number: int | None = None

    def __len__(self) -> int:
        return len(self.columns[0])

    def messages(self, format: str = "json") -> Messages:
        """One JSON object a row; what is missing is null."""
        only_json("replayed streams", format)
        rows = [dict(zip(self.names, values, strict=True)) for values in zip(*self.columns, strict=True)]
        return Messages(_encoder.encode_lines(rows).split(b"\n")[:-1], self.keys, None, self.number)

    def table(self) -> pa.RecordBatch:
        """The same as columns."""
        return pa.RecordBatch.from_pydict(dict(zip(self.names, self.columns, strict=True)))

    def rows(self, chosen: Sequence[int], number: int | None) -> Documents:
        """Some of the rows, for a partition."""
        keys = None if self.keys is None else [self.keys[i] for i in chosen]
        return Documents(self.names, [[column[i] for i in chosen] for column in self.columns], keys, number)


@dataclass(slots=True)
class Replayed:
    """What a replay did.

    Parameters
    ----------
    events, labels
        How many were written, and are safe.
    seconds
        How long it took.
    late
        Seconds that the latest event was written after its time, where there was a rate.
    next_row
        The stream's row to go on from.
    """

    events: int = 0
    labels: int = 0
    seconds: float = 0.0
    late: float = 0.0
    next_row: int = 0


@dataclass(frozen=True, slots=True)
class Delay:
    """How much later than its event a label comes: so many events, or seconds."""

    rows: int = 0
    seconds: float = 0.0


class Replay:
    """Writes the rows of a stream as JSON records, each when its time has come.

    A record has the row's fields by name, its target, an ``event_id`` (``<stream>-<row>``) and ``ts``: the time in
    seconds since the epoch at which it was due. Times are fixed by the rate and the start alone. If the sink is slow,
    events go out late, and what measures from ``ts`` sees all of the delay; nothing is left out, and the rate catches
    up. With ``labels``, the target is not in the events, but in records of their own with the same key.

    Parameters
    ----------
    source
        The stream, at the row to begin with.
    sink
        Where events go.
    rate
        Events a second; as fast as the sink takes them if None.
    rows
        Stop after so many events; by default at the end of the stream.
    labels
        Where labels go, ``{event_id, target, ts}`` each, ``ts`` being the time at which the label was due.
    delay
        How much later than the event.
    key
        The field whose value is the records' key; by default ``event_id`` is. The key decides a record's partition.
    partitions
        Deal events out to so many partitions by turns instead.
    clock, sleep
        For tests.

    Raises
    ------
    OptionError
        If an option is out of range, or the stream has no such field, no target for labels, or fields that are called
        like those that are added.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        rate: float | None = None,
        rows: int | None = None,
        labels: Sink | None = None,
        delay: Delay | None = None,
        key: str | None = None,
        partitions: int | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate is not None:
            check_range("rate", rate, 0, 1e9, open_low=True)
        if partitions is not None:
            check_range("partitions", partitions, 1, 1_000_000, kind=int)
        if rows is None and not source.bounded:
            raise OptionError(f"the stream {source.name} has no end: say how many rows (--rows)")
        schema = source.schema
        names = [*schema.names, *(n for n in (schema.event_time, schema.weight, schema.id) if n is not None)]
        if labels is not None and schema.target is None:
            raise OptionError(f"the stream {source.name} has no target: there are no labels to send")
        for added in ("event_id", "ts"):
            if added in [str(name) for name in (*names, schema.target)]:
                raise OptionError(f"the stream {source.name} has a field {added!r} of its own, which is added here")
        if key is not None and key not in [str(name) for name in schema.names]:
            raise registry.unknown_name("field", key, map(str, schema.names))
        self._source, self._sink, self._labels = source, sink, labels
        self._rate, self._rows, self._delay = rate, rows, delay or Delay()
        self._key, self._partitions = key, partitions
        self._clock, self._sleep = clock, sleep
        self._waiting: deque[tuple[int, Documents]] = deque()  # labels, with the number of their first event
        self._ahead: Batch | None = None  # rows that were read, and are not due yet
        self._start = _row_of(source)
        self.done = Replayed(next_row=self._start)

    def run(self, progress: Callable[[int], None] = lambda rows: None) -> Replayed:
        """Replay to the end; if this is interrupted, `done` tells how far it came, and waiting labels are sent at once.

        Parameters
        ----------
        progress
            Called with the number of events just written.

        Raises
        ------
        SinkError
            If a sink takes no more.
        """
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.enter_context(sink).open(Worker("produce", guarantee="at-most-once", single=True))
                sink.restore(self._source.name, None)
            self._rows_ahead()  # opening a stream, compiling a generator: before the clock starts
            began = self._clock()
            try:
                sent = self._send_events(began, progress)
                self._send_last_labels(sent)
            except KeyboardInterrupt:
                self._send_waiting_labels()  # nobody else will: whoever goes on begins behind their events
                raise
            finally:
                self._flush()
                self.done.seconds = self._clock() - began
        return self.done

    @property
    def _sinks(self) -> list[Sink]:
        return [self._sink] if self._labels is None else [self._sink, self._labels]

    def _send_events(self, began: float, progress: Callable[[int], None]) -> int:
        """Send events, and labels that become due meanwhile; how many events there were."""
        sent, flushed = 0, began
        while sent != self._rows:
            now = self._clock()
            due = self._due(sent, now - began)
            batch = self._take(due) if due else None
            if batch is not None:
                times = np.full(len(batch), now) if self._rate is None else self._time(sent, began, len(batch))
                self._send(batch, sent, times)
                sent += len(batch)
                if self._rate is not None:
                    self.done.late = max(self.done.late, self._clock() - float(times[0]))
                progress(len(batch))
            elif due:
                return sent
            self._send_labels(sent, now)
            if not due or now - flushed >= FLUSH_EVERY:
                self._flush()
                flushed = now
            if not due:
                self._sleep_until(float(self._time(sent, began, 1)[0]))
        return sent

    def _sleep_until(self, event: float) -> None:
        """Sleep until the next event or label is due."""
        label = self._waiting[0][1].columns[TIME][0] if self._waiting and self._delay.seconds else math.inf
        self._sleep(max(TICK, min(event, label) - self._clock()))

    def _rows_ahead(self) -> Batch | None:
        if self._ahead is None or not len(self._ahead):
            self._ahead = self._source.poll(ROWS_AT_ONCE)
        return self._ahead

    def _take(self, rows: int) -> Batch | None:
        """The next rows, at most so many; None at the end."""
        ahead = self._rows_ahead()
        if ahead is None:
            return None
        self._ahead = ahead.slice(rows, len(ahead))
        return ahead.slice(0, rows)

    def _due(self, sent: int, elapsed: float) -> int:
        """How many rows to send now, of those whose time has come."""
        left = ROWS_AT_ONCE if self._rows is None else min(ROWS_AT_ONCE, self._rows - sent)
        if self._rate is None:
            return left
        return min(left, math.floor(elapsed * self._rate + 1e-6) + 1 - sent)

    def _time(self, sent: int, began: float, rows: int) -> np.ndarray:
        assert self._rate is not None
        return began + np.arange(sent, sent + rows) / self._rate

    # -- records ------------------------------------------------------------------------------------------------------

    def _send(self, batch: Batch, first: int, times: np.ndarray) -> None:
        rows = range(self.done.next_row, self.done.next_row + len(batch))
        ids = [f"{self._source.name}-{row}" for row in rows]
        fields = columns_of(batch)
        target = str(batch.schema.target)
        labels = fields.pop(target) if self._labels is not None else None
        keyed = ids if self._key is None else fields[self._key]
        keys = [None if value is None else str(value).encode() for value in keyed]
        added = {"event_id": ids, "ts": times.tolist()}
        events = Documents([*fields, *added], [*fields.values(), *added.values()], keys)
        self._write(self._sink, events, first)
        self.done.events += len(batch)
        self.done.next_row += len(batch)
        if labels is not None:
            later = (times + self._delay.seconds).tolist()
            self._waiting.append((first, Documents(["event_id", target, "ts"], [ids, labels, later], keys)))

    def _send_labels(self, sent: int, now: float) -> None:
        """Send the labels that are due after so many events, or at this time."""
        while self._waiting:
            first, labels = self._waiting[0]
            times = labels.columns[TIME]
            due = bisect_right(times, now) if self._delay.seconds else min(sent - self._delay.rows - first, len(labels))
            if due > 0:
                self._send_some(labels.rows(range(due), None), first, now)
            if due < len(labels):
                if due > 0:
                    self._waiting[0] = first + due, labels.rows(range(due, len(labels)), None)
                return
            self._waiting.popleft()

    def _send_some(self, labels: Documents, first: int, now: float) -> None:
        assert self._labels is not None
        if self._delay.rows:
            labels.columns[TIME] = [now] * len(labels)
        self._write(self._labels, labels, first)
        self.done.labels += len(labels)

    def _send_last_labels(self, sent: int) -> None:
        """Send the labels that are still to come: at their times; no event makes those due that wait for events."""
        while self._waiting and self._delay.seconds:
            self._send_labels(sent, self._clock())
            if self._waiting:
                self._flush()
                self._sleep_until(math.inf)
        self._send_waiting_labels()

    def _send_waiting_labels(self) -> None:
        for first, labels in self._waiting:
            self._send_some(labels, first, self._clock())
        self._waiting.clear()

    def _write(self, sink: Sink, rows: Documents, first: int) -> None:
        shard, first = self._source.name, first + self._start
        if self._partitions is None:
            sink.write(shard, rows)
            return
        for number in range(self._partitions):
            chosen = range((number - first) % self._partitions, len(rows), self._partitions)
            if chosen:
                sink.write(shard, rows.rows(chosen, number))

    def _flush(self) -> None:
        for sink in self._sinks:
            sink.flush()


class FilesInTurn(Sink):
    """A folder of files of lines, of so many rows each, named by the number of their first row.

    Each is complete when the next is begun, as a reader that follows the folder needs it.

    Parameters
    ----------
    folder
        Where the files go.
    name
        What their names begin with.
    rows
        Rows of a file.
    first
        The number of the first row.
    """

    def __init__(self, folder: Path, *, name: str, rows: int, first: int = 0) -> None:
        check_range("rows of a file", rows, 1, 1 << 40, kind=int)
        self.name, self._folder, self._prefix, self._rows = str(folder), folder, name, rows
        self._next = first
        self._in_file = 0
        self._file: Sink | None = None

    def open(self, worker: Worker) -> None:
        """Make the folder."""
        self._worker = replace(worker, single=True)
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, shard: str, output: Output) -> None:
        """Write to the present file, and what it has no room for to the next ones."""
        values = output.messages().values
        while values:
            if self._file is None or self._in_file == self._rows:
                self.flush()
                self.close()
                self._file = self._begin(shard)
                self._in_file = 0
            some = values[: self._rows - self._in_file]
            self._file.write(shard, Encoded(some))
            self._in_file += len(some)
            self._next += len(some)
            values = values[len(some) :]

    def _begin(self, shard: str) -> Sink:
        sink: Sink = registry.load("sinks", "file")(self._folder / f"{self._prefix}-{self._next:012d}.jsonl")
        sink.open(self._worker)
        sink.restore(shard, None)
        return sink

    def flush(self) -> None:
        """Have everything in the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def columns_of(batch: Batch) -> dict[str, list[Any]]:
    """The values of a batch as people see them, by column: fields, roles, and the target last."""
    schema = batch.schema
    columns: dict[str, list[Any]] = {}
    for field, values in zip(schema.fields, batch.X.T, strict=True):
        columns[str(field.name)] = _shown(values, field.categories if field.kind == "nominal" else None)
    for name, role in ((schema.event_time, batch.event_time), (schema.weight, batch.weight)):
        if name is not None and role is not None:
            columns[str(name)] = _shown(role, None)
    if schema.id is not None and batch.id is not None:
        columns[str(schema.id)] = batch.id.to_pylist()
    if schema.target is not None and batch.y is not None:
        nominal = schema.target_kind == "nominal"
        y = np.where(batch.y < 0, np.nan, batch.y) if nominal else batch.y
        columns[str(schema.target)] = _shown(y, schema.classes if nominal else None)
    return columns


def _shown(values: np.ndarray, labels: Sequence[Hashable] | None) -> list[Any]:
    """Numbers or labels; None where the value is missing."""
    if labels is None:
        if np.isinf(values).any():
            raise InputError("JSON has no infinite numbers: this stream can't be replayed as JSON")
        return [None if value != value else value for value in values.tolist()]
    return [None if code != code else labels[int(code)] for code in values.tolist()]


def _row_of(source: Source) -> int:
    position = source.position()
    return int(position["row"]) if isinstance(position, dict) and "row" in position else 0
