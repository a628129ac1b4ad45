"""Where a shard begins: which checkpoint, which positions, which outputs are taken back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError, StateError, VersionError
from ..live import Mark
from .checkpoints import Checkpoint, CheckpointId, Lineage
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
            _missing(shard, str(named[0][0]), on_missing)
        return Beginning(None, {partition: mark.position for partition, mark in committed.items()})
    shard.restore(checkpoint)
    positions = dict(shard.positions)
    for partition, mark in committed.items():
        owner = named_by(mark)
        if partition not in positions or (owner is not None and owner[1] != shard.name):
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
    of them is not written again.
    """
    lineage = shard.lineage
    assert lineage is not None
    if not committed:
        followed = [id for id in lineage.ids() if _follows(lineage, id)]
        if followed:
            raise StateError(
                f"{shard.name}: there are committed checkpoints ({followed[0]}), but the consumer group has no "
                "offsets: they have expired, or the group's name was changed. Going on would repeat predictions. "
                "Restore the group's offsets, or begin anew in another checkpoint directory"
            )
        return Beginning(None, {})
    positions = {partition: mark.position for partition, mark in committed.items()}
    names = sorted({name for mark in committed.values() if (name := named_by(mark)) is not None}, reverse=True)
    mine = [id for id, owner in names if owner == shard.name]
    if not mine:
        if any(mark.note for mark in committed.values()):
            _missing(shard, next(iter(committed.values())).note, on_missing)
        return Beginning(None, positions)
    wanted = mine[0]
    try:
        checkpoint = lineage.read(wanted)
    except CheckpointError:
        _missing(shard, str(wanted), on_missing)
        return Beginning(None, positions)
    except VersionError:
        raise
    except StateError as error:
        log.warning("%s: checkpoint %s can't be used (%s): an older one is, and what follows it is replayed",
                    shard.name, wanted, error)  # fmt: skip
        return _older(shard, lineage, wanted, positions, on_missing)
    shard.restore(checkpoint)
    lineage.discard_after(checkpoint.id)  # prepared, and never committed
    return Beginning(checkpoint, positions)


def _older(
    shard: Shard, lineage: Lineage, wanted: CheckpointId, positions: dict[str, Any], on_missing: str
) -> Beginning:
    for id in lineage.ids():
        if id >= wanted:
            continue
        try:
            checkpoint = lineage.read(id)
        except (StateError, CheckpointError):
            continue
        shard.restore(checkpoint)
        shard.silent_until = dict(positions)
        return Beginning(checkpoint, {**positions, **shard.positions}, replayed=True)
    _missing(shard, str(wanted), on_missing)
    return Beginning(None, positions)


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


def _follows(lineage: Lineage, id: CheckpointId) -> bool:
    """Whether a checkpoint was written after another was committed."""
    try:
        return lineage.read(id).content["about"]["after"] is not None
    except (StateError, CheckpointError):
        return True  # it can't be told: better ask than repeat
