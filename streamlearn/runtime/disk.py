"""The few operations on a file system that checkpoints are made of, as a port that tests record and break."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


class Disk:
    """A POSIX file system.

    What was written is safe after `sync` of the file; that a name exists, is gone, or stands for another file is safe
    after `sync_directory` of the folder. Everything raises OSError.
    """

    def make_directory(self, directory: Path) -> None:
        """Make a folder and those above it, durably; nothing happens if it is there."""
        missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            self.sync_directory(folder.parent)

    def names(self, directory: Path) -> list[str]:
        """Names of what is in a folder, in no order; none if there is no such folder."""
        try:
            return os.listdir(directory)
        except FileNotFoundError:
            return []

    def size(self, path: Path) -> int:
        """A file's length in bytes."""
        return path.stat().st_size

    def read(self, path: Path, start: int = 0, count: int | None = None) -> bytes:
        """A file's bytes from ``start`` on, ``count`` of them or all; fewer if it ends before."""
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            return file.readall() if count is None else _read(file.fileno(), count)

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        """Open a file for writing, empty; FileExistsError if it is there and ``exclusive`` is set."""
        mode = os.O_EXCL if exclusive else os.O_TRUNC
        return os.open(path, os.O_WRONLY | os.O_CREAT | mode | os.O_CLOEXEC, 0o666)

    def write(self, handle: int, chunks: Sequence[bytes | memoryview]) -> None:
        """Append all of the chunks."""
        with open(handle, "wb", buffering=1 << 20, closefd=False) as file:
            file.writelines(chunks)

    def sync(self, handle: int) -> None:
        """Return when the file's bytes are on the disk."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Close a file that `create` opened."""
        os.close(handle)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in the place of a file that has it, at once."""
        os.replace(old, new)

    def unlink(self, path: Path) -> None:
        """Remove a file; nothing happens if it is gone."""
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """Return when the names in a folder are on the disk."""
        handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(handle: int, count: int) -> bytes:
    parts = []
    while count > 0 and (part := os.read(handle, min(count, 1 << 30))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
