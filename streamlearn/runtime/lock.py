"""One process at a time is the worker of a name: a lock that the system frees however the process ends."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

from ..errors import CheckpointError

FOLDER = "workers"
_STEP = 0.05  # seconds between two tries


@dataclass(frozen=True, slots=True)
class Process:
    """Who holds something, for people to find: a process on a host, since when."""

    worker: str
    host: str
    pid: int
    boot: str
    since: str

    @classmethod
    def this(cls, worker: str) -> Self:
        """The running process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(worker, socket.gethostname(), os.getpid(), _boot_id(), now)

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """What `to_json` gave; None if it is no such thing, as after a crash while it was written."""
        try:
            fields = json.loads(data)
            return cls(**{name: kind(fields[name]) for name, kind in _FIELDS.items()})
        except (ValueError, KeyError, TypeError):
            return None

    def to_json(self) -> bytes:
        """As one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def __str__(self) -> str:
        return f"worker {self.worker!r}, process {self.pid} on {self.host}, since {self.since}"


_FIELDS: dict[str, Any] = {"worker": str, "host": str, "pid": int, "boot": str, "since": str}


class WorkerLock:
    """The right to be the worker of a name on a directory of checkpoints.

    It is an ``flock`` on ``<directory>/workers/<worker>.lock``: the kernel frees it when the process ends, kill -9
    included, so that no lock is ever stale (a child that was forked meanwhile shares it). The file tells who holds it;
    it stays when the lock is released. Several hosts that share the directory need a file system that shares locks
    (NFS does); where it does not, epochs still keep a second worker from committing (see `Lineage`).

    Parameters
    ----------
    directory
        The directory of checkpoints; it is made if it is not there.
    worker
        The worker's name.
    wait
        Seconds to wait for a worker of the same name that is just ending.

    Examples
    --------
    >>> import tempfile
    >>> with WorkerLock(tempfile.mkdtemp(), "0"):
    ...     pass
    """

    def __init__(self, directory: str | Path, worker: str, *, wait: float = 1.0) -> None:
        self.worker = worker
        self.wait = wait
        self.path = Path(directory) / FOLDER / (quote(worker, safe=" =,@+") + ".lock")
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        CheckpointError
            If another process has it (the message says which), or the directory can't be used.
        """
        if self._handle is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise CheckpointError(f"can't lock {self.path}: {error.strerror}: check checkpoint.dir") from error
        try:
            self._lock(handle)
            os.ftruncate(handle, 0)
            os.pwrite(handle, Process.this(self.worker).to_json(), 0)
        except BaseException as error:
            os.close(handle)
            if isinstance(error, OSError):
                raise CheckpointError(f"can't write {self.path}: {error.strerror}: check checkpoint.dir") from error
            raise
        self._handle = handle

    def _lock(self, handle: int) -> None:
        until = time.monotonic() + self.wait
        while not _try(handle, self.path):
            if time.monotonic() >= until:
                holder = Process.from_json(os.pread(handle, 4096, 0)) or "another process"
                raise CheckpointError(
                    f"{self.path.parent.parent} is in use by {holder}: stop it, or give this worker another name"
                )
            time.sleep(_STEP)

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._handle is not None:
            os.close(self._handle)  # frees it; the file stays, since a name that comes and goes can't be locked safely
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def running(directory: str | Path) -> list[str]:
    """Those who hold a worker's lock on a directory of checkpoints, described for people."""
    holders = []
    for path in sorted((Path(directory) / FOLDER).glob("*.lock")):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not _try(handle, path):
                worker = unquote(path.name.removesuffix(".lock"))
                holders.append(str(Process.from_json(os.pread(handle, 4096, 0)) or f"worker {worker!r}"))
        finally:
            os.close(handle)
    return holders


def _try(handle: int, path: Path) -> bool:
    """Take the lock unless somebody has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise CheckpointError("checkpoints of live pipelines need a POSIX system: its locks and its renames") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise CheckpointError(f"the file system of {path.parent} can't lock files: {error.strerror}") from error
    return True


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
