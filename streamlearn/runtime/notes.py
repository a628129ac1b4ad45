"""What a committed position says about its checkpoint: few bytes, since brokers limit them."""

from __future__ import annotations

import json

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


def named_by(mark: Mark) -> tuple[CheckpointId, str] | None:
    """The checkpoint that a mark's note names, and its shard; None if somebody else wrote the note, or nobody did.

    Raises
    ------
    VersionError
        If a newer streamlearn wrote it.
    """
    try:
        note = json.loads(mark.note)
        if note["v"] > VERSION:
            raise VersionError("a newer streamlearn has committed for this group: upgrade")
        return CheckpointId.parse(note["ckpt"]), str(note["shard"])
    except (ValueError, KeyError, TypeError, OptionError) as error:
        if isinstance(error, VersionError):
            raise
        return None
