"""Dead letters: reading them from where a pipeline put them, and sending their records once more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from ..errors import InputError, SourceError
from ..live import LiveSource, Worker
from ..records import Header, Records
from ..sink import Messages, Output, Sink
from .outputs import Letter

Identity = tuple[str, str, str]
ROWS_AT_ONCE = 1000
PREFIX = "streamlearn."
"""What the headers begin with that tell why a record is here."""
SETTLED = 1.0
"""Seconds without a record after which a topic is believed when it says that there are no more."""
PATIENCE = 10.0
"""Seconds without a record after which one is no longer waited for that should be there."""


def read(source: LiveSource) -> Iterator[Letter]:
    """The dead letters of a source, from its beginning to its present end, partition by partition.

    A record is a letter in JSON; or the original record with headers ``streamlearn.reason``, ``streamlearn.stage`` and
    so on, as pipelines write them to topics.

    Raises
    ------
    InputError
        If a record is neither; the message names it.
    SourceError
        If the source does not deliver what it has.
    """
    with source:
        source.open(Worker("deadletter"))
        source.assign(source.partitions())
        for partition in source.partitions():
            source.seek(partition, None)
        heard = time.monotonic()
        while True:
            polled = source.poll(ROWS_AT_ONCE, 0.2)
            for records in polled:
                yield from _letters(records)
            quiet = time.monotonic() - heard
            if polled:
                heard = time.monotonic()
            elif source.finished or (quiet > SETTLED and not any(source.lag().values())):
                return
            elif quiet > PATIENCE:
                raise SourceError(f"source {source.name}: nothing came for {PATIENCE:.0f} s, though there is more")


def _letters(records: Records) -> Iterator[Letter]:
    for row, value in enumerate(records.values):
        headers = () if records.headers is None else records.headers[row]
        notes = {name.removeprefix(PREFIX): text for name, text in headers if name.startswith(PREFIX)}
        if "reason" in notes:
            key = None if records.keys is None else records.keys[row]
            yield _from_notes({name: (text or b"").decode() for name, text in notes.items()}, key, value, headers)
        elif value is not None:
            try:
                yield Letter.decode(value)
            except (ValueError, msgspec.MsgspecError) as error:
                raise InputError(f"record {records.id(row)} is no dead letter: {error}") from None


def _from_notes(notes: dict[str, str], key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> Letter:
    record = notes.get("record", "")
    partition, _, offset = record.rpartition("-")
    return Letter(
        pipeline=notes.get("pipeline", ""),
        stage=notes.get("stage", ""),
        reason=notes["reason"],
        partition=partition,
        record=record,
        offset=int(offset) if offset.isdigit() else -1,
        time=_number(notes.get("time")),
        key=key,
        headers=[(name, text) for name, text in headers if not name.startswith(PREFIX)],
        value=value,
        value_text=None if value is None else value[:200].decode(errors="replace"),
    )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


@dataclass(slots=True)
class Originals(Output):
    """The records that letters are about, as they came: bytes, key and headers.

    A header ``streamlearn.replayed`` tells the id that the record had.
    """

    letters: list[Letter]
    number: int | None = None

    def __len__(self) -> int:
        return len(self.letters)

    def messages(self, format: str = "json") -> Messages:
        """The original bytes, whatever they are."""
        return Messages(
            [letter.value or b"" for letter in self.letters],
            [letter.key for letter in self.letters],
            [[*letter.headers, (f"{PREFIX}replayed", letter.record.encode())] for letter in self.letters],
            self.number,
        )

    def table(self) -> pa.RecordBatch:
        """There are no columns: the bytes could not be decoded."""
        raise InputError("dead letters are replayed to a topic or to a file of lines, not to Parquet")


class Ledger:
    """Which dead letters were replayed: a file with a line each, beside the letters.

    A letter is known by its pipeline, record and stage, so that one that was written twice (a pipeline restarted
    between two commits) is replayed once. A line is written after its record is safe: if the replay is killed in
    between, up to `ROWS_AT_ONCE` records are sent again by the next one.

    Parameters
    ----------
    path
        The file; made when it is first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: set[Identity] = set()
        if path.exists():
            for line in path.read_bytes().split(b"\n")[:-1]:  # a torn last line counts as not written
                try:
                    note = json.loads(line)
                    self._done.add((note["pipeline"], note["record"], note["stage"]))
                except (ValueError, TypeError, KeyError):
                    raise InputError(f"{path} is no ledger of replayed dead letters: {line[:80]!r}") from None

    def __contains__(self, letter: Letter) -> bool:
        return identity(letter) in self._done

    def add(self, letters: list[Letter], to: str) -> None:
        """Note that letters were replayed, on the disk."""
        noted = [{"pipeline": x.pipeline, "record": x.record, "stage": x.stage, "to": to} for x in letters]
        text = b"".join(json.dumps(note).encode() + b"\n" for note in noted)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            end = self._end(file)
            os.ftruncate(file, end)
            os.pwrite(file, text, end)
            os.fsync(file)
        finally:
            os.close(file)
        self._done.update(map(identity, letters))

    @staticmethod
    def _end(file: int) -> int:
        """Behind the last whole line."""
        text = os.pread(file, os.fstat(file).st_size, 0)
        return text.rfind(b"\n") + 1


def identity(letter: Letter) -> Identity:
    """By what a letter is known."""
    return letter.pipeline, letter.record, letter.stage


@dataclass(slots=True)
class Outcome:
    """What a replay did: records sent, letters passed over as replayed before, letters that have no bytes."""

    sent: int = 0
    before: int = 0
    empty: int = 0


def replay(
    letters: Iterator[Letter],
    sink: Sink,
    ledger: Ledger,
    *,
    to: str,
    chosen: Callable[[Letter], bool] = lambda letter: True,
    limit: int | None = None,
    again: bool = False,
) -> Outcome:
    """Send the original records of dead letters to where they are read again.

    Parameters
    ----------
    letters
        As `read` gives them.
    sink
        Where the records go; those of a partition go to the partition of the same number, if there is one.
    ledger
        Which letters were replayed before: they are passed over.
    to
        What the ledger notes as the place.
    chosen
        Which letters to replay.
    limit
        At most so many.
    again
        Replay also what was replayed before.

    Raises
    ------
    SinkError
        If the sink takes no more; what was sent and noted before stays so.
    """
    outcome = Outcome()
    with sink:
        batch: list[Letter] = []
        taken: set[Identity] = set()
        for letter in letters:
            if not chosen(letter):
                continue
            if identity(letter) in taken or (letter in ledger and not again):
                outcome.before += 1
                continue
            if letter.value is None:
                outcome.empty += 1
                continue
            if limit is not None and outcome.sent + len(batch) >= limit:
                break
            taken.add(identity(letter))
            batch.append(letter)
            if len(batch) == ROWS_AT_ONCE:
                _send(batch, sink, ledger, to, outcome)
                batch = []
        _send(batch, sink, ledger, to, outcome)
    return outcome


def _send(batch: list[Letter], sink: Sink, ledger: Ledger, to: str, outcome: Outcome) -> None:
    if not batch:
        return
    if not outcome.sent:  # not before there is something to send, so that nothing empty is made
        sink.open(Worker("deadletter", single=True))
        sink.restore("deadletter", None)
    start = 0
    for end in range(1, len(batch) + 1):
        if end == len(batch) or batch[end].partition != batch[start].partition:
            sink.write("deadletter", Originals(batch[start:end], _number_of(batch[start].partition)))
            start = end
    sink.flush()
    ledger.add(batch, to)
    outcome.sent += len(batch)


def _number_of(partition: str) -> int | None:
    number = partition.rpartition("-")[2]
    return int(number) if number.isdigit() else None
