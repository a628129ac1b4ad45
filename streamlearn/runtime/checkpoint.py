"""What a checkpoint is called, what it says about itself, and what it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from ..errors import OptionError


@dataclass(frozen=True, order=True, slots=True)
class CheckpointId:
    """A checkpoint's place in its lineage, written ``epoch-sequence``.

    Examples
    --------
    >>> CheckpointId.parse("2-17") < CheckpointId(3, 1)
    True
    """

    epoch: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` gives, as it stands in notes and on the command line.

        Raises
        ------
        OptionError
            If it is no such thing.
        """
        match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text)
        if match is None:
            raise OptionError(f"{text!r} is no checkpoint: write EPOCH-SEQUENCE, such as 2-17")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"

    @property
    def file_name(self) -> str:
        """Sorted by name, files are sorted by age."""
        return f"{self.epoch:06}-{self.sequence:010}.ckpt"


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint that is safe on the disk: its checksum, its size, what it took."""

    id: CheckpointId
    digest: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a checkpoint says about itself, without its arrays.

    Parameters
    ----------
    id, shard
        Which checkpoint of which shard.
    digest
        SHA-256 that vouches for the whole file.
    created
        When it was written, ISO 8601 in UTC.
    version
        The streamlearn that wrote it.
    note
        As given to `Lineage.write`.
    content
        As given to `Lineage.write`, with a `container.Stored` in the place of each array in a summary that was read
        without them.
    bytes
        The file's length.
    """

    id: CheckpointId
    shard: str
    digest: str
    created: str
    version: str
    note: dict[str, Any]
    content: dict[str, Any]
    bytes: int

    @property
    def about(self) -> dict[str, Any]:
        """The part of the content that is for people, empty if there is none."""
        about = self.content.get("about")
        return about if isinstance(about, dict) else {}

    @property
    def is_rollback(self) -> bool:
        """Whether somebody wanted to go back to an older checkpoint, of which this one is a copy."""
        return self.note.get("reason") == "rollback"


class Checkpoint(Summary):
    """A checkpoint that was read and found sound; its content has the arrays."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A damaged checkpoint that was passed over."""

    id: CheckpointId
    reason: str
