"""The contract of sinks, and of what is written to them: predictions, dead letters, alarms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from .errors import InputError, OptionError
from .live import Worker
from .records import Header


@dataclass(slots=True)
class Messages:
    """Encoded records for a sink, as columns.

    Parameters
    ----------
    values
        The records' bytes, one a record and without a line end.
    keys, headers
        One each a record, where there are any.
    number
        The number of the partition that the inputs came from; a sink with as many partitions keeps to it, so that the
        order of a partition survives.
    """

    values: Sequence[bytes]
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Sequence[Header]] | None = None
    number: int | None = None

    def __len__(self) -> int:
        return len(self.values)


class Output(ABC):
    """Rows that go to a sink: it takes them as messages or as columns, whichever it stores."""

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def messages(self, format: str = "json") -> Messages:
        """Encoded, one record a row; ``format`` is ``"json"``, or another that the output knows."""

    @abstractmethod
    def table(self) -> pa.RecordBatch:
        """As columns; equal kinds of outputs have equal Arrow schemas."""


def only_json(what: str, format: str) -> None:
    """Refuse formats but JSON.

    Raises
    ------
    OptionError
        If the format is another.
    """
    if format != "json":
        raise OptionError(f"{what} are written as json, not as {format!r}")


@dataclass(slots=True)
class Encoded(Messages, Output):
    """Messages that were encoded before: a sink takes them as they are; one that stores columns can't."""

    def messages(self, format: str = "json") -> Messages:
        """Themselves."""
        return self

    def table(self) -> pa.RecordBatch:
        """Not to be had.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("these are encoded messages, not columns: write them to a topic, or to a file of JSON lines")


class Sink(ABC):
    """Where outputs go, a shard's outputs in their order.

    A *shard* is the part of a pipeline that is restored as a whole: a partition with its models, or all of a worker's
    partitions where they share models. The constructor takes options only and checks them; `open` connects. The worker
    calls, in this order: `open`; for each shard that it gets `restore`; then ever again `begin` (transactional sinks
    only), `write` …, `flush`, `state`, `commit`; `release` for each shard that it gives away; `close`.

    Attributes
    ----------
    name : str
        What logs and metrics call the sink.
    transactional : bool
        Whether this sink, as it was opened, writes inside transactions that commit the source's positions too.
    exact : bool
        Whether `restore` takes back what was written after the state (a file is truncated), so that outputs are
        exactly once without transactions.
    """

    name: str
    transactional: bool = False
    exact: bool = False

    @abstractmethod
    def open(self, worker: Worker) -> None:
        """Connect; a transactional sink fences its predecessor of the same worker name and aborts its transaction.

        Raises
        ------
        SinkError
            If the sink is not there; the message says what was tried.
        OptionError
            If the sink can't keep ``worker.guarantee``; the message says which can.
        """

    def restore(self, shard: str, state: Any | None) -> None:  # noqa: B027 - nothing to take back
        """Go back to what `state` gave for this shard; None if nothing of it was committed so far.

        Under exactly-once an `exact` sink takes back everything after it. It never takes away what it did not write:
        with ``state`` None and something there already, it raises SinkError.
        """

    @abstractmethod
    def write(self, shard: str, output: Output) -> None:
        """Take outputs; they may be buffered, but not without bound: a full buffer makes this wait.

        Raises
        ------
        SinkError
            If an earlier or this write failed for good.
        """

    @abstractmethod
    def flush(self) -> None:
        """Return when everything written is safe: acknowledged by the brokers, or on the disk (at-most-once: written).

        Raises
        ------
        SinkError
            If something written can't be made safe.
        """

    def state(self, shard: str) -> Any:
        """What `restore` needs to come back to this point, as JSON; called after `flush`."""
        return None

    def begin(self) -> None:  # noqa: B027
        """Begin a transaction, before the first `write` after `open` or `commit`."""

    def commit(self, offsets: Any) -> None:  # noqa: B027
        """Commit the transaction together with what `LiveSource.transaction_offsets` gave.

        Raises
        ------
        FencedError
            If another worker took over: nothing was committed.
        UncertainError
            If it is unknown whether it was committed: reopen the sink and ask the source.
        SinkError
            If it was not committed.
        """

    def abort(self) -> None:  # noqa: B027
        """Give up the transaction, if one is open; never raises for one that is gone already."""

    def release(self, shard: str) -> None:  # noqa: B027
        """The shard goes to another worker: close what is its."""

    def close(self) -> None:  # noqa: B027
        """Release connections without flushing; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
