"""Checkpoints whose contents are numbered, so that a test can tell which one it got back, and that it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamlearn.runtime.checkpoints import CheckpointId, CheckpointStore, Lineage
from streamlearn.runtime.disk import Disk

FOLDER = Path("/state")
SHARD = "events-3"


def content(number: int) -> dict[str, Any]:
    """A content that tells which it is, in its JSON and in its arrays."""
    return {"about": {"rows": number}, "weights": np.full(200, float(number)), "seen": np.arange(number % 7)}


def number_in(checkpoint: Any) -> int:
    """Which content a checkpoint holds, after a look at all of it; 0 if there is no checkpoint."""
    if checkpoint is None:
        return 0
    number: int = checkpoint.about["rows"]
    assert same(checkpoint.content, content(number))
    return number


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def lineage_on(disk: Disk | None, directory: Path = FOLDER, keep: int = 2) -> Lineage:
    return CheckpointStore(directory, keep=keep, disk=disk).lineage(SHARD, worker="0")


def filled(directory: Path, count: int, keep: int = 3, disk: Disk | None = None) -> Lineage:
    """A lineage with so many checkpoints, owned."""
    lineage = lineage_on(disk, directory, keep)
    lineage.begin()
    for number in range(1, count + 1):
        lineage.write(content(number))
    return lineage


def spoil(lineage: Lineage, id: CheckpointId) -> None:
    path = lineage.directory / id.file_name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
