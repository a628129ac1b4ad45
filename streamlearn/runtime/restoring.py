"""Where a shard begins: which checkpoint, which positions, which outputs are taken back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError, StateError, VersionError
from ..live import Mark
from .checkpoints import Checkpoint, Lineage
from .notes import named_by
from .shard import Shard

log = logging.getLogger("streamlearn")


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a shard begins.

    Parameters
    ----------
    checkpoint
        What was restored; None if the shard begins afresh.
    positions
        Where each partition goes on; None where the source's options say.
    replayed
        Whether records are processed again whose outputs are committed already.
    """

    checkpoint: Checkpoint | None
    positions: dict[str, Any]
    replayed: bool = False


def begin_flushed(shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
    """From the newest checkpoint that can be read: what it says was flushed before it was written."""
    lineage = shard.lineage
    checkpoint = None if lineage is None else lineage.newest()
    if checkpoint is None:
        named = [found for mark in committed.values() if (found := named_by(mark)) is not None]
        if named and lineage is not None:
            _missing(shard, str(max(named)), on_missing)
        return Beginning(None, {partition: mark.position for partition, mark in committed.items()})
    shard.restore(checkpoint)
    positions = dict(shard.positions)
    for partition, mark in committed.items():
        owner = named_by(mark)
        if partition not in positions or (owner is not None and owner.shard != shard.name):
            positions[partition] = mark.position  # another worker had it meanwhile (where workers share models)
    return Beginning(checkpoint, positions)


def begin_ahead(shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
    """From the newest checkpoint, but where the positions say that were committed ahead of it."""
    beginning = begin_flushed(shard, {}, on_missing=on_missing)
    ahead = {partition: mark.position for partition, mark in committed.items()}
    return Beginning(beginning.checkpoint, {**beginning.positions, **ahead})


def begin_transactional(shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
    """From the checkpoint that the committed offsets name.

    If it is damaged, from an older one: the records between are processed again, and what a transaction has committed
    of them is not written again. If somebody rolled back since, from where they wanted to go, and all is repeated.
    """
    lineage = shard.lineage
    assert lineage is not None
    if not committed:
        _refuse_without_offsets(shard, lineage)
        return Beginning(_first(lineage), {})
    positions = {partition: mark.position for partition, mark in committed.items()}
    named = [found for mark in committed.values() if (found := named_by(mark)) is not None]
    own = [found for found in named if found.shard == shard.name]
    if not own:
        if named:
            _missing(shard, str(max(named)), on_missing)
        return Beginning(None, positions)
    wanted = max(own)
    try:
        checkpoint = lineage.newest(committed=wanted.id)
    except VersionError:
        raise
    except (StateError, CheckpointError) as error:
        _missing(shard, f"{wanted} ({error})", on_missing)
        return Beginning(None, positions)
    assert checkpoint is not None
    if checkpoint.id == wanted.id and not checkpoint.digest.startswith(wanted.digest):
        _missing(shard, f"{wanted}, which is another one there", on_missing)
        return Beginning(None, positions)
    shard.restore(checkpoint)
    lineage.discard_after(checkpoint.id)  # prepared, and never committed
    if checkpoint.id == wanted.id:
        return Beginning(checkpoint, positions)
    if checkpoint.is_rollback:
        return Beginning(checkpoint, {**positions, **shard.positions})
    log.warning("%s: checkpoint %s is damaged or gone: %s is restored, and what followed it is replayed",
                shard.name, wanted.id, checkpoint.id)  # fmt: skip
    shard.silent_until = dict(positions)
    return Beginning(checkpoint, {**positions, **shard.positions}, replayed=True)


def _first(lineage: Lineage) -> Checkpoint | None:
    """The checkpoint from before the first output (see `Shard.begin`), where nothing was committed yet."""
    for id in reversed(lineage.ids()):
        try:
            if not lineage.summary(id).about.get("positions"):
                return lineage.read(id)
        except (StateError, CheckpointError):
            continue
    return None


def _refuse_without_offsets(shard: Shard, lineage: Lineage) -> None:
    """Refuse to begin anew where something was committed already, which the group has forgotten.

    A checkpoint that was written after another proves that this one was committed.
    """
    for id in lineage.ids():
        try:
            after = lineage.summary(id).about.get("after")
        except (StateError, CheckpointError):
            after = "unknown"  # it can't be told: better ask than repeat
        if after is not None:
            raise StateError(
                f"{shard.name}: there are committed checkpoints ({id}), but the consumer group has no offsets: they "
                "have expired, or the group's name was changed. Going on would repeat predictions. Restore the group's "
                "offsets, or begin anew in another checkpoint directory"
            )


def _missing(shard: Shard, name: str, on_missing: str) -> None:
    """The committed position names a checkpoint that isn't here: never begin from an empty model silently.

    Raises
    ------
    StateError
        Unless the pipeline says to begin afresh.
    """
    said = (
        f"{shard.name}: the committed offset names a checkpoint ({name}) that is not in the checkpoint directory, or "
        "is damaged with all before it"
    )
    if on_missing != "fresh":
        raise StateError(
            f"{said}: bring the directory back (workers on several machines need a shared one), or say "
            "checkpoint: {on_missing: fresh} (--fresh) to go on from the offset with an empty model"
        )
    log.warning("%s: going on with an empty model, as on_missing says", said)
