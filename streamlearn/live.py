"""The contract of live sources: records in partitions, which a worker is given and loses while the stream goes on."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from .records import Records

Guarantee = Literal["at-most-once", "at-least-once", "exactly-once"]


@dataclass(frozen=True, slots=True)
class Worker:
    """Who opens a source or a sink.

    Parameters
    ----------
    pipeline
        The pipeline's name.
    name
        The worker's name, unique among the pipeline's workers and the same after a restart: it makes the static member
        of the consumer group and, behind the pipeline's name, the transactional id.
    guarantee
        What the pipeline promises; a sink that can't keep it refuses to open.
    commit_every
        Seconds between two commits, for time-outs that must be longer.
    single
        Whether the pipeline has one shard whatever happens (a source of one partition, one worker): a sink of files
        then needs no shard in its files' names.
    shared
        What the connectors of one worker share, such as a transactional producer; they own its keys.
    log
        Where connectors report what they do.
    """

    pipeline: str
    name: str = "0"
    guarantee: Guarantee = "at-least-once"
    commit_every: float = 5.0
    single: bool = False
    shared: dict[Any, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("streamlearn"))


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a partition was processed, as it is committed.

    Parameters
    ----------
    position
        As `Records.next` gave it.
    note
        A short text that travels with the position, where the source can keep it (Kafka: the metadata of the committed
        offset, at most 4,096 bytes).
    """

    position: Any
    note: str = ""


class Assignment(Protocol):
    """Who is told about partitions that come and go; called on the thread that polls, from within `LiveSource.poll`."""

    def assigned(self, partitions: Sequence[str]) -> None:
        """These are ours from now on; `LiveSource.seek` is called for each before this returns."""

    def revoked(self, partitions: Sequence[str]) -> None:
        """These go to another worker when this returns; until then they are ours, and may be committed."""

    def lost(self, partitions: Sequence[str]) -> None:
        """These are another worker's already: nothing of them may be committed."""


class LiveSource(ABC):
    """Records in partitions.

    The constructor takes options only and checks them; `open` connects. All other calls come from one thread.

    Attributes
    ----------
    name : str
        What logs and metrics call the source.
    bounded : bool
        Whether the stream ends: after `poll` returned nothing and `finished` is true there is nothing more.
    grouped : bool
        Whether other workers may have some of the partitions.
    format : str
        The registered format of the records' bytes; ``"table"`` if the source delivers columns.
    """

    name: str
    bounded: bool = False
    grouped: bool = False
    format: str = "json"

    @abstractmethod
    def open(self, worker: Worker) -> None:
        """Connect.

        Raises
        ------
        SourceError
            If the source is not there; the message says what was tried.
        """

    @abstractmethod
    def subscribe(self, assignment: Assignment) -> None:
        """Take part in sharing out the partitions. A source without a group assigns them all in the first `poll`."""

    @abstractmethod
    def assign(self, partitions: Sequence[str]) -> None:
        """Take exactly these partitions, without a group; instead of `subscribe`. Each is then `seek`-ed."""

    @abstractmethod
    def partitions(self) -> list[str]:
        """All partitions of the source, in order, whoever has them."""

    def number(self, partition: str) -> int:
        """The partition's number: those of two topics that belong together have the same."""
        return 0

    @abstractmethod
    def seek(self, partition: str, position: Any | None) -> None:
        """Deliver from here on: a position that `Records.next` gave, or None for where the options say to start.

        No record of a partition is delivered before it was sought.

        Raises
        ------
        PositionError
            If the source no longer has what is there (expired, truncated, replaced), unless the options say to go on.
        """

    @abstractmethod
    def poll(self, max_rows: int, timeout: float) -> list[Records]:
        """The next records, at most ``max_rows`` in all, waiting up to ``timeout`` seconds for the first.

        Records of different partitions come in the order of partitions, those of one in their own. Calls `Assignment`
        when partitions come or go; records of partitions that were taken away meanwhile are not delivered.
        """

    def pause(self, partitions: Sequence[str]) -> None:  # noqa: B027 - a file needs no such thing
        """Deliver nothing of these until `resume`; membership in the group goes on."""

    def resume(self, partitions: Sequence[str]) -> None:  # noqa: B027
        """Deliver these again."""

    @abstractmethod
    def lag(self) -> dict[str, int]:
        """Records not yet delivered, of each partition that we have, as far as known without waiting."""

    @property
    def finished(self) -> bool:
        """Whether a bounded source has delivered everything."""
        return self.bounded and not any(self.lag().values())

    def committed(self, partitions: Sequence[str]) -> dict[str, Mark]:
        """What was committed for these partitions, where something was; waits for transactions in flight.

        Raises
        ------
        SourceError
            If it can't be known; never an empty answer instead.
        """
        return {}

    def commit(self, marks: Mapping[str, Mark]) -> None:  # noqa: B027 - a file has nobody to tell
        """Tell the source how far the partitions were processed: for its monitoring, and for the next owner.

        Raises
        ------
        FencedError
            If one of the partitions is no longer ours.
        """

    def transaction_offsets(self, marks: Mapping[str, Mark]) -> Any:
        """What `Sink.commit` of a transactional sink needs to commit these marks inside its transaction."""
        return None

    def close(self) -> None:  # noqa: B027
        """Leave the group and release connections; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
