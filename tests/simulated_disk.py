"""A file system in memory that knows what a power cut may leave of it, and disks that fail or take turns."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamlearn.runtime.disk import Disk

SECTOR = 512
Entry = tuple[Path, int | None]  # a name comes to stand for an inode, or for nothing


@dataclass
class Inode:
    """A file: what programs see, and how much of it was synced."""

    data: bytearray = field(default_factory=bytearray)
    safe: int = 0

    def remains(self, every_subset: bool) -> Iterator[bytes]:
        """What a power cut may leave: of the sectors that were not synced any may be lost, and the end may be cut."""
        sectors = range(self.safe // SECTOR * SECTOR, len(self.data), SECTOR)
        yield bytes(self.data)
        if self.safe == len(self.data):
            return
        yield bytes(self.data[: self.safe])
        for start in sectors:
            yield bytes(self.data[: max(start, self.safe)])  # torn
        subsets = itertools.product((False, True), repeat=len(sectors)) if every_subset else [(True,) * len(sectors)]
        for lost in subsets:
            left = bytearray(self.data)
            for start, is_lost in zip(sectors, lost, strict=True):
                if is_lost:
                    end = min(start + SECTOR, len(left))
                    left[max(start, self.safe) : end] = bytes(end - max(start, self.safe))
            yield bytes(left)


class SimulatedDisk(Disk):
    """Files in memory.

    A power cut keeps what was synced. Of the rest it may keep or lose each change of a name (the two halves of a rename
    on their own) and each sector: more than any real disk does, so that what survives here survives there.

    Parameters
    ----------
    files
        What is there, all of it safe.
    before
        Called with the operation's name before each operation that changes something.
    """

    def __init__(self, files: dict[Path, bytes] | None = None, before: Callable[[str], None] | None = None) -> None:
        self.inodes = [Inode(bytearray(data), len(data)) for data in (files or {}).values()]
        self.entries: dict[Path, int] = dict(zip(files or {}, itertools.count()))
        self.safe_entries = dict(self.entries)
        self.pending: list[Entry] = []  # changes of names since their folder was synced
        self.before = before or (lambda operation: None)

    def make_directory(self, directory: Path) -> None:
        pass  # folders are where files are

    def names(self, directory: Path) -> list[str]:
        self.before("names")
        return [path.name for path in self.entries if path.parent == directory]

    def size(self, path: Path) -> int:
        return len(self.read(path))

    def read(self, path: Path, start: int = 0, count: int | None = None) -> bytes:
        if path not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        data = self.inodes[self.entries[path]].data
        return bytes(data[start:] if count is None else data[start : start + count])

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        self.before("create")
        if exclusive and path in self.entries:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self.inodes.append(Inode())
        self._enter(path, len(self.inodes) - 1)
        return len(self.inodes) - 1

    def write(self, handle: int, chunks: Sequence[bytes | memoryview]) -> None:
        self.before("write")
        self.inodes[handle].data += b"".join(chunks)

    def sync(self, handle: int) -> None:
        self.before("sync")
        self.inodes[handle].safe = len(self.inodes[handle].data)

    def close(self, handle: int) -> None:
        pass

    def rename(self, old: Path, new: Path) -> None:
        self.before("rename")
        if old not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(old))
        self._enter(new, self.entries[old])
        self._enter(old, None)

    def unlink(self, path: Path) -> None:
        self.before("unlink")
        if path in self.entries:
            self._enter(path, None)

    def sync_directory(self, directory: Path) -> None:
        self.before("sync_directory")
        for path, inode in self.pending:
            if path.parent == directory:
                _set(self.safe_entries, path, inode)
        self.pending = [change for change in self.pending if change[0].parent != directory]

    def _enter(self, path: Path, inode: int | None) -> None:
        _set(self.entries, path, inode)
        self.pending.append((path, inode))

    def after_power_cut(self, every_subset: bool = True) -> Iterator[dict[Path, bytes]]:
        """Everything that a power cut at this moment may leave."""
        for kept in itertools.product((False, True), repeat=len(self.pending)):
            entries = dict(self.safe_entries)
            for (path, inode), is_kept in zip(self.pending, kept, strict=True):
                if is_kept:
                    _set(entries, path, inode)
            contents = [list(self.inodes[inode].remains(every_subset)) for inode in entries.values()]
            for choice in itertools.product(*contents):
                yield dict(zip(entries, choice, strict=True))

    def files(self) -> dict[Path, bytes]:
        """What programs see."""
        return {path: bytes(self.inodes[inode].data) for path, inode in self.entries.items()}


def _set(entries: dict[Path, int], path: Path, inode: int | None) -> None:
    if inode is None:
        entries.pop(path, None)
    else:
        entries[path] = inode


class LyingDisk(SimulatedDisk):
    """A disk that says it has synced and has not: the mistakes that the enumeration must find."""

    def __init__(self, lies: str) -> None:
        super().__init__()
        self.lies = lies

    def sync(self, handle: int) -> None:
        if self.lies != "sync":
            super().sync(handle)

    def sync_directory(self, directory: Path) -> None:
        if self.lies != "sync_directory":
            super().sync_directory(directory)


class FailingDisk(Disk):
    """A real disk on which one kind of operation fails."""

    def __init__(self) -> None:
        self.fails: dict[str, int] = {}  # operation -> errno

    def _try(self, operation: str) -> None:
        if operation in self.fails:
            number = self.fails[operation]
            raise OSError(number, os.strerror(number))

    def make_directory(self, directory: Path) -> None:
        self._try("make_directory")
        super().make_directory(directory)

    def names(self, directory: Path) -> list[str]:
        self._try("names")
        return super().names(directory)

    def read(self, path: Path, start: int = 0, count: int | None = None) -> bytes:
        self._try("read")
        return super().read(path, start, count)

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        self._try("create")
        return super().create(path, exclusive=exclusive)

    def write(self, handle: int, chunks: Sequence[bytes | memoryview]) -> None:
        if "write" in self.fails:  # as a full disk does: a part is written
            super().write(handle, [b"".join(chunks)[:100]])
        self._try("write")
        super().write(handle, chunks)

    def sync(self, handle: int) -> None:
        self._try("sync")
        super().sync(handle)

    def rename(self, old: Path, new: Path) -> None:
        self._try("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._try("unlink")
        super().unlink(path)

    def sync_directory(self, directory: Path) -> None:
        self._try("sync_directory")
        super().sync_directory(directory)
