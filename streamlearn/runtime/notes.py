"""What a committed position says about its checkpoint: few bytes, since brokers limit them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..errors import OptionError, VersionError
from ..live import Mark
from .checkpoints import CheckpointId, Written

VERSION = 1


def note_of(shard: str, written: Written | None) -> str:
    """The note that names a shard's checkpoint."""
    if written is None:
        return ""
    return json.dumps(
        {"v": VERSION, "shard": shard, "ckpt": str(written.id), "h": written.digest[:8]}, separators=(",", ":")
    )


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """The checkpoint that a note names: its id, the beginning of its checksum, its shard."""

    id: CheckpointId
    shard: str
    digest: str

    def __str__(self) -> str:
        return f"{self.id} of {self.shard}"


def named_by(mark: Mark) -> Named | None:
    """The checkpoint that a mark's note names; None if somebody else wrote the note, or nobody did.

    Raises
    ------
    VersionError
        If a newer streamlearn wrote it.
    """
    try:
        note = json.loads(mark.note)
        if note["v"] > VERSION:
            raise VersionError("a newer streamlearn has committed for this group: upgrade")
        return Named(CheckpointId.parse(note["ckpt"]), str(note["shard"]), str(note["h"]))
    except (ValueError, KeyError, TypeError, OptionError) as error:
        if isinstance(error, VersionError):
            raise
        return None
