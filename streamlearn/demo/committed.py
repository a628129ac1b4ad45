"""How far a running pipeline has come, told from outside by its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import StreamlearnError
from ..runtime.checkpoints import CheckpointStore


@dataclass(frozen=True, slots=True)
class Committed:
    """What is safe.

    Parameters
    ----------
    shards
        What each shard's newest checkpoint says about itself.
    owners
        The processes that have the shards.
    """

    shards: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    owners: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Look into a checkpoint directory; it need not be there yet."""
        found = cls()
        if not directory.is_dir():
            return found
        store = CheckpointStore(directory)
        for shard in store.shards():
            lineage = store.lineage(shard)
            owner = lineage.owner()
            if owner is not None:
                found.owners.add(owner.pid)
            try:
                ids = lineage.ids()
                if ids:
                    found.shards[shard] = lineage.summary(ids[0]).about
            except StreamlearnError:  # removed since it was listed: the next look finds its successor
                continue
        return found

    @property
    def rows(self) -> int:
        """Events that were predicted."""
        return sum(about["rows"] for about in self.shards.values())

    def accuracy(self, shard: str) -> float:
        """The champion's, test-then-train, since the beginning; 0 before the first event."""
        return float(self.shards[shard]["metrics"]["champion"].get("accuracy") or 0.0)

    @property
    def mean_accuracy(self) -> float:
        """Over all events."""
        right = sum(about["rows"] * self.accuracy(shard) for shard, about in self.shards.items())
        return right / self.rows if self.rows else 0.0
