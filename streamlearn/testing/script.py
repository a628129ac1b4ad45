"""What a partition in memory holds: records, and between them marks of what happens there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import OptionError
from ..records import Header


class Crash(BaseException):
    """The process dies here: every source and sink of the worker raises this from now on, and commits nothing.

    It is no `Exception`, so that no handler of errors takes it for one.
    """


@dataclass(frozen=True, slots=True)
class Item:
    """A record with all that it can have.

    Parameters
    ----------
    value
        Bytes, or what JSON can express; None is a tombstone.
    key, headers
        As in Kafka.
    time
        When it was written, in seconds since the epoch.
    """

    value: Any
    key: bytes | None = None
    headers: Sequence[Header] = ()
    time: float | None = None

    @property
    def bytes(self) -> bytes | None:
        """The value as it is delivered."""
        if self.value is None or isinstance(self.value, bytes):
            return self.value
        return json.dumps(self.value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing comes for so many polls: what is behind it arrives late."""

    polls: int = 1


@dataclass(frozen=True, slots=True)
class Revoke:
    """The partition is taken away in order, with time to commit: given to ``to``, if that is another member of the
    group; else back after ``polls``.
    """

    to: str | None = None
    polls: int = 1


@dataclass(frozen=True, slots=True)
class Lose:
    """The partition is another's already when the worker hears of it: ``to``'s, if that is another member of the group;
    else nobody's, and back after ``polls``.
    """

    to: str | None = None
    polls: int = 1


ABORT: Literal["abort"] = "abort"
"""Polling raises `Crash` here, once."""
EOF: Literal["eof"] = "eof"
"""The stream ends here for whoever polls first; the next incarnation goes on behind it."""
GAP: Literal["gap"] = "gap"
"""An offset without a record, as transaction markers and compaction leave them."""

Mark = Quiet | Revoke | Lose | Literal["abort", "eof"]


@dataclass(slots=True)
class Partition:
    """Records by offset, and the marks before each offset; those that were met are gone."""

    items: list[Item | None] = field(default_factory=list)  # None is a gap
    marks: dict[int, list[Mark]] = field(default_factory=dict)
    start: int = 0  # earlier records expired

    def append(self, script: Iterable[Any]) -> None:
        """Add records and marks."""
        for entry in script:
            if isinstance(entry, (Quiet, Revoke, Lose)) or (isinstance(entry, str) and entry in (ABORT, EOF)):
                self.marks.setdefault(len(self.items), []).append(entry)
            elif isinstance(entry, str):
                if entry != GAP:
                    raise OptionError(f"{entry!r} is neither a record nor a mark; write text records as bytes")
                self.items.append(None)
            elif isinstance(entry, Item):
                self.items.append(entry)
            elif entry is None or isinstance(entry, (bytes, Mapping, list, int, float)):
                self.items.append(Item(entry))
            else:
                raise OptionError(f"{entry!r} is neither a record (bytes, JSON, None, Item) nor a mark")

    def left(self, offset: int) -> int:
        """How many records there are from an offset on."""
        return sum(item is not None for item in self.items[max(offset, self.start) :])
