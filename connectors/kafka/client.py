"""The port to a Kafka client: what the source and the sink need of one, and which one serves them."""

from __future__ import annotations

import importlib.util
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, overload

import numpy as np

from streamlearn.errors import MissingExtraError, OptionError, PositionError, SourceError
from streamlearn.live import Mark
from streamlearn.parameters import check_choice
from streamlearn.records import Header
from streamlearn.sink import Messages

CLIENTS = ("auto", "kafka-python", "confluent")

T = TypeVar("T")


class ExpiredError(PositionError):
    """The position of a partition that is being read fell off the log."""


class Part(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    @property
    def name(self) -> str:
        """``events-3``."""
        return f"{self.topic}-{self.number}"

    @classmethod
    def named(cls, name: str) -> Part:
        """The partition that `name` names; topics may have hyphens of their own."""
        topic, _, number = name.rpartition("-")
        if not topic or not number.isdecimal():
            raise SourceError(f"{name!r} is no partition's name: write topic-number")
        return cls(topic, int(number))


@dataclass(slots=True)
class Run:
    """Consecutive records of a partition, as columns.

    Attributes
    ----------
    offsets : int64 [n]
        Rising; there are gaps where records were compacted away, or are none.
    time
        When a record was written, in milliseconds since the epoch, -1 where that is not known.
    """

    part: Part
    offsets: np.ndarray
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    headers: Sequence[Sequence[Header]]
    time: Callable[[int], int]

    def since(self, offset: int) -> Run:
        """Without the records before an offset."""
        i, time = int(np.searchsorted(self.offsets, offset)), self.time
        keys, headers = self.keys[i:], self.headers[i:]
        return Run(self.part, self.offsets[i:], self.values[i:], keys, headers, lambda row: time(i + row))


class Column(Sequence[T]):
    """A column that is made when it is first asked for: keys and headers seldom are.

    Parameters
    ----------
    make
        Gives the column; it is called once.
    length
        How long it will be.
    """

    __slots__ = ("_length", "_made", "_make")

    def __init__(self, make: Callable[[], list[T]], length: int) -> None:
        self._make: Callable[[], list[T]] | None = make
        self._made: list[T] = []
        self._length = length

    def _column(self) -> list[T]:
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return iter(self._column())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._column()[index]


@dataclass(frozen=True, slots=True)
class Offsets:
    """Offsets for a transaction, in the form of the client that read them, and the cluster that they belong to."""

    client: str
    cluster: str | None
    group: Any
    offsets: Any


class Rebalance(Protocol):
    """Who is told of a rebalance, on the thread that polls."""

    def assigned(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        """These are ours; where to start in each."""

    def revoked(self, parts: Sequence[Part]) -> None:
        """These go; until this returns they are ours."""

    def lost(self, parts: Sequence[Part]) -> None:
        """These are gone."""


class Reader(ABC):
    """A consumer. Errors come as those of `streamlearn.errors`; offsets are always committed by hand."""

    client: str

    @abstractmethod
    def partitions(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions, sorted; empty if there is no such topic."""

    @abstractmethod
    def topics(self) -> list[str]:
        """All topics."""

    @abstractmethod
    def subscribe(self, topics: Sequence[str], rebalance: Rebalance) -> None:
        """Join the group."""

    @abstractmethod
    def start(self, part: Part, offset: int) -> None:
        """Deliver a partition from an offset on; it is the group's, or nobody shares it out."""

    @abstractmethod
    def poll(self, max_rows: int, timeout: float) -> list[Run]:
        """The next records, waiting for the first only."""

    @abstractmethod
    def ends(self, part: Part) -> tuple[int, int]:
        """The first offset of a partition and the one after the last that may be read (its last stable offset)."""

    @abstractmethod
    def at(self, part: Part, milliseconds: int) -> int | None:
        """The first offset of a time or later; None if there is none."""

    @abstractmethod
    def known(self, part: Part) -> tuple[int, int]:
        """Without waiting: how far it was read, past what is no record, and the last stable offset last heard of."""

    @abstractmethod
    def pause(self, parts: Sequence[Part]) -> None: ...

    @abstractmethod
    def resume(self, parts: Sequence[Part]) -> None: ...

    @abstractmethod
    def committed(self, parts: Sequence[Part]) -> dict[Part, Mark]:
        """What the group committed, where it did; waits for transactions that may still commit (KIP-447)."""

    @abstractmethod
    def commit(self, marks: Mapping[Part, Mark]) -> None: ...

    @abstractmethod
    def in_transaction(self, marks: Mapping[Part, Mark]) -> Offsets:
        """The marks, for a writer of the same client."""

    @abstractmethod
    def close(self) -> None: ...


class Writer(ABC):
    """A producer: idempotent, acknowledged by all in-sync replicas, and transactional if it has an id."""

    client: str
    cluster: str | None

    @property
    @abstractmethod
    def spent(self) -> bool:
        """Whether it can do nothing more after an error, so that another must be made."""

    @abstractmethod
    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; the broker may create it now. 0 if there is none."""

    @abstractmethod
    def send(self, topic: str, messages: Messages, number: int | None) -> None:
        """Take records; waits while too many are under way. With `number`, all go to that partition."""

    @abstractmethod
    def flush(self) -> None:
        """Return when all records are acknowledged; raise if one can't be."""

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def send_offsets(self, offsets: Offsets) -> None:
        """Put a reader's offsets into the transaction; after an error nothing of it can have been committed."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def abort(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Let go without waiting for records under way."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is made of."""

    bootstrap: str
    group: str | None
    member: str
    protocol: str
    cooperative: bool
    options: Mapping[str, Any]
    log: logging.Logger


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer is made of; `transaction` is the transactional id, `timeout` the transaction's in seconds."""

    bootstrap: str
    transaction: str | None
    timeout: float
    options: Mapping[str, Any]
    log: logging.Logger


def choose(client: str, options: Mapping[str, Any]) -> str:
    """The client that serves: the one asked for, or the one whose names the options bear, or the faster one there is.

    Raises
    ------
    OptionError
        If there is no such client.
    MissingExtraError
        If confluent-kafka is asked for and not installed.
    """
    check_choice("client", client, CLIENTS)
    there = importlib.util.find_spec("confluent_kafka") is not None
    if client == "auto":
        return "confluent" if there and not _pythonic(options) else "kafka-python"
    if client == "confluent" and not there:
        raise MissingExtraError("confluent", 'client="confluent"')
    return client


def _pythonic(options: Mapping[str, Any]) -> bool:
    """Whether options are written as kafka-python writes them: security_protocol, not security.protocol."""
    return bool(options) and not any("." in name for name in options) and any("_" in name for name in options)


def open_reader(client: str, reading: Reading) -> Reader:
    """Connect a consumer of the client that `choose` chose."""
    if client == "confluent":
        from .confluent import ConfluentReader

        return ConfluentReader(reading)
    from .kafka_python import KafkaPythonReader

    return KafkaPythonReader(reading)


def open_writer(client: str, writing: Writing) -> Writer:
    """Connect a producer of the client that `choose` chose."""
    if client == "confluent":
        from .confluent import ConfluentWriter

        return ConfluentWriter(writing)
    from .kafka_python import KafkaPythonWriter

    return KafkaPythonWriter(writing)


def checked_options(options: Mapping[str, Any] | None, owned: Mapping[str, str]) -> dict[str, Any]:
    """The client's options, unrenamed, without those that streamlearn sets itself.

    Parameters
    ----------
    owned
        The options that may not be given, each with what to write instead or why not.

    Raises
    ------
    OptionError
        If one of those is given; the message says what to do.
    """
    given = dict(options or {})
    for name in given:
        if name in owned:
            raise OptionError(f"options: {name} can't be set here: {owned[name]}")
    return given


def servers(bootstrap: str | Iterable[str]) -> str:
    """Addresses of brokers as one text: ``host:port,host:port``.

    Raises
    ------
    OptionError
        If there is none.
    """
    listed = bootstrap.split(",") if isinstance(bootstrap, str) else [str(server) for server in bootstrap]
    found = ",".join(server.strip() for server in listed if server.strip())
    if not found:
        raise OptionError("bootstrap must name a broker, as host:port")
    return found
