"""What the writers of files share: locks, and errors that say what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from pathlib import Path

from streamlearn.errors import FORBIDDEN, SinkError

WAIT_FOR_LOCK = 2.0
"""Seconds: a worker that was killed a moment ago, or gives its shard away just now, may still hold the lock."""


def lock(file: int, path: Path) -> None:
    """Lock an open file until it is closed, also by the death of the process.

    Raises
    ------
    SinkError
        If another worker, or another sink of this one, has it.
    """
    until = time.monotonic() + WAIT_FOR_LOCK
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise SinkError(
                    f"another worker or sink writes {path}: stop it, or give this one another path"
                ) from None
        time.sleep(0.02)


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(path: Path, error: OSError) -> SinkError:
    """The error for a disk that took no more, or a path that can't be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(path.parent).free
        return SinkError(f"can't write {path}: the disk, a quota or a limit is full ({free:,} bytes free): make room")
    if error.errno in FORBIDDEN:
        why = "a file is in the way" if error.errno in (errno.EEXIST, errno.ENOTDIR) else error.strerror
        return SinkError(f"can't write {path}: {why}: give the sink another path, or make this one writable")
    return SinkError(f"can't write {path}: {error.strerror or error}")
