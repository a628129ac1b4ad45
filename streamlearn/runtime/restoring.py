"""Where a shard begins: which checkpoint, which positions, which outputs are taken back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError, StateError, VersionError
from ..live import Mark
from .checkpoints import Checkpoint, CheckpointId, Lineage
from .notes import Named, named_by
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
        Where each partition goes on that was ever processed; others begin where the source's options say.
    replayed
        Whether records are processed again whose outputs are committed already.
    """

    checkpoint: Checkpoint | None
    positions: dict[str, Any]
    replayed: bool = False

    @property
    def restored(self) -> CheckpointId | None:
        """The checkpoint that was restored, if anything was done before it: a shard's first may hold nothing yet."""
        return self.checkpoint.id if self.checkpoint is not None and self.checkpoint.about["positions"] else None


def begin_flushed(shard: Shard, committed: Mapping[str, Mark], *, on_missing: str) -> Beginning:
    """From the newest checkpoint that can be read: what it says was flushed before it was written."""
    lineage = shard.lineage
    checkpoint = None if lineage is None else lineage.newest()
    if checkpoint is None:
        named = _named(shard, committed)
        if named and lineage is not None:
            _missing(shard, str(max(named)), on_missing)
        return Beginning(None, {partition: mark.position for partition, mark in committed.items()})
    shard.restore(checkpoint)
    positions = {partition: position_at(shard, partition, mark) for partition, mark in committed.items()}
    return Beginning(checkpoint, {**shard.left, **positions})


def position_at(shard: Shard, partition: str, mark: Mark | None) -> Any | None:
    """Where a shard goes on in a partition: where it was itself, unless another has committed the partition since.

    The mark may lag behind the shard, since the source is told last; or be ahead of it, if a later checkpoint is
    damaged. So what the shard knows decides; if that is nothing, it was before the partition's first record.
    """
    owner = None if mark is None else named_by(mark)
    if mark is not None and (owner is None or owner.shard != shard.name):
        return shard.left.get(partition, mark.position) if owner is None else mark.position
    return shard.left.get(partition)


def _named(shard: Shard, committed: Mapping[str, Mark]) -> list[Named]:
    """The checkpoints that committed offsets name, but for those of other workers, whose models are none of ours."""
    named = [found for mark in committed.values() if (found := named_by(mark)) is not None]
    return [found for found in named if found.shard == shard.name or not shard.shared]


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
    positions = {partition: mark.position for partition, mark in committed.items()}
    own = {p: named for p, mark in committed.items() if (named := named_by(mark)) and named.shard == shard.name}
    if not own:
        return _begin_unnamed(shard, lineage, committed, on_missing)
    wanted = max(own.values())
    try:
        checkpoint = lineage.newest(committed=wanted.id)
    except VersionError:
        raise
    except (StateError, CheckpointError) as error:
        if shard.shared and lineage.ids():  # pruned, while others had the partition
            return _go_on(shard, lineage, positions)
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
    back = {partition: position for partition, position in shard.left.items() if partition in own}
    if checkpoint.is_rollback:
        return Beginning(checkpoint, {**positions, **back})
    log.warning("%s: checkpoint %s is damaged or gone: %s is restored, and what followed it is replayed",
                shard.name, wanted.id, checkpoint.id)  # fmt: skip
    shard.silent_until = {partition: positions[partition] for partition in back}
    return Beginning(checkpoint, {**positions, **back}, replayed=True)


def _begin_unnamed(shard: Shard, lineage: Lineage, committed: Mapping[str, Mark], on_missing: str) -> Beginning:
    """No committed offset names a checkpoint of this shard: it is new, or something is wrong."""
    positions = {partition: mark.position for partition, mark in committed.items()}
    named = _named(shard, committed)
    if named:
        _missing(shard, str(max(named)), on_missing)
        return Beginning(None, positions)
    proved = _proved(lineage)
    if proved is None and not lineage.confirmed:
        return Beginning(_beginning(shard, lineage), positions)
    if shard.shared and committed and proved is not None:  # others have all that it had, but its model goes on
        return _go_on(shard, lineage, positions)
    if not committed:
        raise StateError(
            f"{shard.name}: checkpoints were committed ({proved}), but the consumer group has no offsets: they have "
            "expired, the group's name was changed, or the brokers lost them. Going on might repeat predictions. "
            "Restore the group's offsets, or begin anew in another checkpoint directory"
        )
    _refuse(
        f"{shard.name}: there are committed checkpoints ({proved}), but the group's offsets name none: somebody else "
        "has set them, and the model does not belong to them. Go back to a checkpoint and its offsets (streamlearn "
        "ckpt rollback), or say checkpoint: {on_missing: fresh} (--fresh) to go on from there with an empty model",
        shard,
        on_missing,
    )
    return Beginning(None, positions)


def _go_on(shard: Shard, lineage: Lineage, positions: dict[str, Any]) -> Beginning:
    """Keep the model that a worker's partitions share, and go on where others have come to meanwhile.

    Whether its newest checkpoint was committed, no offset tells any more. If it was not, the model has learned some
    events that others learn as well, which `scope: worker` allows; outputs are not concerned.
    """
    checkpoint = lineage.newest()
    assert checkpoint is not None
    shard.restore(checkpoint)
    return Beginning(checkpoint, positions)


def _beginning(shard: Shard, lineage: Lineage) -> Checkpoint | None:
    """The checkpoint of a shard that had done nothing yet, if it left one.

    Others that are there were prepared only, and must not stand in for a later one.
    """
    ids = lineage.ids()
    first = lineage.read(ids[-1]) if ids and not lineage.summary(ids[-1]).about["positions"] else None
    if not shard.shared:  # else a partition that others have may name one of them, and come back
        lineage.discard_after(None if first is None else first.id)
    if first is not None:
        shard.restore(first)
        shard.written = None
    return first


def _proved(lineage: Lineage) -> CheckpointId | None:
    """The newest checkpoint that was certainly committed, since another was written after it."""
    proved = []
    for id in lineage.ids():
        try:
            after = lineage.summary(id).about.get("after")
        except (StateError, CheckpointError):
            after = str(id)  # it can't be told: better ask than repeat
        if after is not None:
            proved.append(CheckpointId.parse(after))
    if not proved and lineage.confirmed:
        proved = lineage.ids()[-1:]  # the first
    return max(proved, default=None)


def refuse_vanished(shard: Shard, last: CheckpointId | None, *, on_missing: str) -> None:
    """A worker has written a shard's checkpoint, ``last``, and now there is none: somebody removed the folder.

    Raises
    ------
    StateError
        Unless the pipeline says to begin afresh.
    """
    if last is not None and shard.lineage is not None and not shard.lineage.ids():
        _refuse(
            f"{shard.name}: checkpoint {last} was written, and is gone with all others: {shard.lineage.directory} was "
            "removed while the pipeline ran. Bring it back, or say checkpoint: {on_missing: fresh} (--fresh) to begin "
            "with an empty model",
            shard,
            on_missing,
        )


def _missing(shard: Shard, name: str, on_missing: str) -> None:
    """The committed position names a checkpoint that isn't here: never begin from an empty model silently.

    Raises
    ------
    StateError
        Unless the pipeline says to begin afresh.
    """
    _refuse(
        f"{shard.name}: the committed offset names a checkpoint ({name}) that is not in the checkpoint directory, or "
        "is damaged with all before it: bring the directory back (workers on several machines need a shared one), or "
        "say checkpoint: {on_missing: fresh} (--fresh) to go on from the offset with an empty model",
        shard,
        on_missing,
    )


def _refuse(why: str, shard: Shard, on_missing: str) -> None:
    if on_missing != "fresh":
        raise StateError(why)
    log.warning("%s: going on with an empty model, as on_missing says", shard.name)
