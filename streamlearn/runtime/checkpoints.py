"""Checkpoints on the disk: written whole or not at all, read only if sound, and kept until a later one is safe.

A directory holds a folder for each shard, and in it the shard's *lineage*: files ``<epoch>-<sequence>.ckpt`` and one
``<epoch>.owner``. Whoever gets a shard begins a new epoch. The newest checkpoint is the one with the highest epoch, and
in it the highest sequence.

**Writing.** A checkpoint is written to ``….ckpt.tmp``, synced, renamed, and the folder is synced. A crash before the
rename leaves the predecessor the newest, one after it the new file; the bytes are on the disk before the name is, so
there is no third state. Nothing older is removed before that.

**Fencing.** A worker that was cut off may wake up and write (a *zombie*), at any time after its shard has gone to
another. So the order of steps is:

- a new owner (1) claims the epoch: it creates ``<epoch>.owner``, which fails if somebody has; (2) then removes the
  temporary files of older epochs; (3) then looks which checkpoint is the newest;
- a writer (a) creates its temporary file; (b) then looks for a higher epoch, and gives up if there is one; (c) then
  renames.

If (a) comes before (2), the file is gone, and (c) fails. If it comes after, the claim was there before (b), and (b) saw
it. Either way no checkpoint of an older epoch appears after (3): what the new owner restores stays the newest. The same
holds for two owners that begin at once.
"""

from __future__ import annotations

import errno
import logging
import re
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from .. import __version__, container
from ..errors import CheckpointError, FencedError, OptionError, StateError, VersionError
from .checkpoint import Checkpoint, CheckpointId, Skipped, Summary, Written
from .disk import Disk
from .lock import FOLDER as WORKERS
from .lock import Process

__all__ = ["Checkpoint", "CheckpointId", "CheckpointStore", "Lineage", "Skipped", "Summary", "Written"]

_FILE = re.compile(r"([0-9]+)-([0-9]+)\.ckpt(\.tmp)?")
_OWNER = re.compile(r"([0-9]+)\.owner")
_CONFIRMED = "committed"
_MAX_NAME = 255  # bytes of a file name, on all file systems in use
_ADVICE = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EFBIG: "the file is larger than may be: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: name another checkpoint.dir",
    errno.EACCES: "no permission: let the worker write there, or name another checkpoint.dir",
    errno.EIO: "the disk fails",
    errno.ENOENT: "the folder was removed",
}

log = logging.getLogger("streamlearn.checkpoints")


class CheckpointStore:
    """A directory of checkpoints.

    Parameters
    ----------
    directory
        The folder; it is made when a lineage begins.
    keep
        How many checkpoints of each shard to keep, at least 1.
    disk
        The file system.

    Examples
    --------
    >>> import tempfile
    >>> store = CheckpointStore(tempfile.mkdtemp(), keep=2)
    >>> lineage = store.lineage("events-3")
    >>> lineage.begin()
    >>> str(lineage.write({"about": {"rows": 10}}, note={}).id)
    '1-1'
    >>> lineage.newest().content
    {'about': {'rows': 10}}
    """

    def __init__(self, directory: str | Path, *, keep: int = 3, disk: Disk | None = None) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise OptionError(f"keep must be a whole number from 1 on, not {keep!r}")
        self.directory = Path(directory)
        self.keep = keep
        self.disk = Disk() if disk is None else disk

    def lineage(self, shard: str, *, worker: str = "") -> Lineage:
        """The checkpoints of a shard; ``worker`` is who says so in the owner's file."""
        return Lineage(self, shard, worker)

    def shards(self) -> list[str]:
        """The shards that have a folder, sorted."""
        return sorted(_shard_name(name) for name in self.disk.names(self.directory) if self._is_shard(name))

    def _is_shard(self, name: str) -> bool:
        if _folder_name(_shard_name(name)) != name:  # not ours, nor is "workers"
            return False
        try:
            found = self.disk.names(self.directory / name)
        except NotADirectoryError:
            return False
        return any(_FILE.fullmatch(entry) or _OWNER.fullmatch(entry) for entry in found)


class Lineage:
    """The checkpoints of one shard.

    Anybody may read. Only an owner, after `begin`, may write and remove; it is told by FencedError when another owner
    has begun. An owner that was fenced stays so until it begins again.

    Attributes
    ----------
    skipped : list of Skipped
        What the last `newest` passed over.
    """

    def __init__(self, store: CheckpointStore, shard: str, worker: str = "") -> None:
        self.shard = shard
        self.worker = worker
        self.directory = store.directory / _folder_name(shard)
        self.keep = store.keep
        self.skipped: list[Skipped] = []
        self._disk = store.disk
        self._epoch: int | None = None
        self._sequence = 0
        self._sound: set[CheckpointId] = set()
        self._damaged: set[CheckpointId] = set()

    # -- owning

    def begin(self) -> None:
        """Become the owner: take a higher epoch than any before, so that nobody else can write any more.

        Read what to restore after this, not before.

        Raises
        ------
        CheckpointError
            If the directory can't be written.
        """
        try:
            self._disk.make_directory(self.directory)
            while True:
                names = self._disk.names(self.directory)
                epoch = 1 + _highest_epoch(names)
                if self._claim(epoch) and _highest_epoch(self._disk.names(self.directory)) == epoch:
                    break
            for name in self._disk.names(self.directory):
                match = _FILE.fullmatch(name) or _OWNER.fullmatch(name)
                if match and int(match[1]) < epoch and not name.endswith(".ckpt"):
                    self._disk.unlink(self.directory / name)  # owners before us, and what they were writing
        except OSError as error:
            raise self._failure("can't take over the checkpoints", error) from error
        self._epoch = epoch
        self._sequence = max((id.sequence for id in self.ids()), default=0)

    def _claim(self, epoch: int) -> bool:
        path = self.directory / f"{epoch:06}.owner"
        try:
            handle = self._disk.create(path, exclusive=True)
        except FileExistsError:
            return False
        try:
            self._fill(handle, [Process.this(self.worker).to_json()])
            self._disk.sync_directory(self.directory)  # the epoch is ours also after a power cut
        except BaseException:
            self._discard(path)  # who can't write must not keep others from it
            raise
        return True

    def owner(self) -> Process | None:
        """Who began the highest epoch; None if nobody did, or nobody knows."""
        owners = [(int(match[1]), name) for name in self._names() if (match := _OWNER.fullmatch(name))]
        try:
            return Process.from_json(self._disk.read(self.directory / max(owners)[1])) if owners else None
        except OSError:
            return None

    def release(self) -> None:
        """Cease to own; the next owner begins a higher epoch all the same."""
        self._epoch = None

    @property
    def epoch(self) -> int | None:
        """The epoch that we own; None before `begin`."""
        return self._epoch

    # -- writing

    def write(self, content: dict[str, Any], *, note: dict[str, Any] | None = None) -> Written:
        """Write a checkpoint; it is safe on the disk when this returns.

        If it raises, the predecessors are intact, and the new one may be there or not, as after a crash. It may run on
        a thread of its own, while nothing else is asked of this lineage.

        Parameters
        ----------
        content
            Nested dicts and lists of arrays and JSON scalars, not changed meanwhile; ``content["about"]`` is JSON for
            people (see ``docs/checkpoints.md``).
        note
            JSON that says why it was written.

        Raises
        ------
        FencedError
            If another owner has begun: the shard is no longer ours.
        CheckpointError
            If the disk refuses; the message says what to do.
        StateError
            If the content holds what files can't.
        """
        epoch = self._owned()
        start = time.perf_counter()
        self._sequence += 1  # a number that failed is not used again: what stands under a name never changes
        id = CheckpointId(epoch, self._sequence)
        head = {
            "shard": self.shard,
            "id": str(id),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "version": __version__,
            "note": note or {},
        }
        encoded = container.encode({"checkpoint": head, "content": content})
        path = self.directory / id.file_name
        temporary = path.with_name(path.name + ".tmp")
        try:
            self._fill(self._disk.create(temporary), encoded.chunks)
            self._check_owner(epoch)
            self._disk.rename(temporary, path)
        except BaseException as error:
            self._discard(temporary)
            if isinstance(error, FileNotFoundError):  # a new owner removed it
                self._check_owner(epoch)
            if isinstance(error, OSError):
                intact = "" if error.errno == errno.ENOENT else ", the one before it is intact"
                raise self._failure(f"checkpoint {id} was NOT written{intact}", error) from error
            raise
        try:
            self._disk.sync_directory(self.directory)
        except OSError as error:
            raise self._failure(f"checkpoint {id} may not be safe, the one before it is intact", error) from error
        self._sound.add(id)
        return Written(id, encoded.digest, encoded.size, time.perf_counter() - start)

    def rollback(self, id: CheckpointId) -> Written:
        """Make an older checkpoint the newest, by writing a copy of it; `newest` heeds it whatever was committed since.

        Raises
        ------
        FencedError, StateError, CheckpointError
            As `read` and `write` do.
        """
        return self.write(self.read(id).content, note={"reason": "rollback", "of": str(id)})

    def _fill(self, handle: int, chunks: Sequence[bytes | memoryview]) -> None:
        try:
            self._disk.write(handle, chunks)
            self._disk.sync(handle)  # if this fails it is not tried again: the kernel may have dropped the bytes
        finally:
            self._disk.close(handle)

    def _discard(self, path: Path) -> None:
        try:
            self._disk.unlink(path)
        except OSError as error:  # the next owner removes it
            log.warning("can't remove %s: %s", path, error.strerror)

    def confirm(self) -> None:
        """Leave a sign that another store has committed a checkpoint of ours, should it ever forget that it did.

        It need not be synced: it matters when both that store has lost its memory and the host its power.
        """
        path = self.directory / _CONFIRMED
        try:
            self._disk.close(self._disk.create(path))
        except OSError as error:
            raise self._failure("can't tell that it was committed", error) from error

    @property
    def confirmed(self) -> bool:
        """Whether `confirm` was ever called."""
        return _CONFIRMED in self._names()

    # -- reading

    def ids(self) -> list[CheckpointId]:
        """All checkpoints, newest first, damaged ones included."""
        names = set(self._names())
        matches = (_FILE.fullmatch(name) for name in names)
        found = {CheckpointId(int(match[1]), int(match[2])) for match in matches if match}
        return sorted((id for id in found if id.file_name in names), reverse=True)

    def read(self, id: CheckpointId) -> Checkpoint:
        """Read a checkpoint, checked to the last byte.

        Raises
        ------
        StateError
            If it is damaged; `VersionError` if a newer streamlearn wrote it.
        CheckpointError
            If there is none, or the disk refuses.
        """
        data = self._read(id)
        try:
            file = container.decode(data)
            checkpoint = Checkpoint(**self._parts(id, file.content), digest=file.digest, bytes=len(data))
        except StateError as error:
            if not isinstance(error, VersionError):
                self._damaged.add(id)
            raise self._refusal(id, error) from None
        self._sound.add(id)
        return checkpoint

    def summary(self, id: CheckpointId) -> Summary:
        """What a checkpoint says about itself; its arrays are not read, and not checked.

        Raises
        ------
        StateError, CheckpointError
            As `read` does.
        """
        path = self.directory / id.file_name
        try:
            size = self._disk.size(path)
            manifest = container.read_manifest(lambda start, count: self._disk.read(path, start, count), size)
            return Summary(**self._parts(id, manifest.content), digest=manifest.digest, bytes=size)
        except StateError as error:
            raise self._refusal(id, error) from None
        except OSError as error:
            raise self._unread(id, error) from error

    def newest(self, *, committed: CheckpointId | None = None) -> Checkpoint | None:
        """The newest sound checkpoint; None if there are no checkpoints at all.

        Damaged ones are passed over: each is logged, and listed in `skipped`.

        Parameters
        ----------
        committed
            Where another store tells which checkpoint was committed, as the offsets in Kafka do: later ones do not
            count, since they were only prepared, unless somebody wanted to go back to them (`rollback`). If the
            committed one is gone or damaged, one before it is returned.

        Raises
        ------
        StateError
            If there are checkpoints, and all are damaged; `VersionError` at the first from a newer version, since to
            pass over it would silently lose what it holds.
        CheckpointError
            If neither the committed checkpoint nor one before it is there, or the disk refuses.
        """
        self.skipped = []
        prepared = [] if committed is None else self._prepared(committed)
        for id in self.ids():
            if id in prepared:
                continue
            try:
                return self.read(id)
            except VersionError:
                raise
            except StateError as error:
                self._skip(id, error)
        if self.skipped:
            reasons = "; ".join(skipped.reason for skipped in self.skipped)
            raise StateError(
                f"shard {self.shard!r} has {len(self.skipped)} checkpoints in {self.directory}, and all are damaged: "
                f"restore the files from a backup, or move the folder away to start anew ({reasons})"
            )
        if committed is not None:
            raise CheckpointError(
                f"shard {self.shard!r}: checkpoint {committed} was committed, and neither it nor one before it is in "
                f"{self.directory}: is this the pipeline's checkpoint.dir, shared by all its workers?"
            )
        return None

    def _prepared(self, committed: CheckpointId) -> list[CheckpointId]:
        """Checkpoints after the committed one whose commit did not take place."""
        return [id for id in self.ids() if id > committed and not self._is_rollback(id)]

    def _is_rollback(self, id: CheckpointId) -> bool:
        try:
            return self.summary(id).is_rollback
        except VersionError:
            raise
        except StateError as error:
            self._skip(id, error)
            return False

    def _skip(self, id: CheckpointId, error: StateError) -> None:
        log.warning("%s; passed over", error)
        self.skipped.append(Skipped(id, str(error)))

    def _read(self, id: CheckpointId) -> bytes:
        try:
            return self._disk.read(self.directory / id.file_name)
        except OSError as error:
            raise self._unread(id, error) from error

    def _unread(self, id: CheckpointId, error: OSError) -> StateError | CheckpointError:
        if error.errno == errno.ENOENT:
            there = ", ".join(map(str, self.ids())) or "none"
            return CheckpointError(f"shard {self.shard!r} has no checkpoint {id}: there are {there}")
        if error.errno == errno.EIO:  # a bad sector is damage, and the predecessor is elsewhere
            self._damaged.add(id)
            return self._refusal(id, StateError("the disk can't read it"))
        return self._failure(f"can't read checkpoint {id}", error)

    def _parts(self, id: CheckpointId, document: dict[str, Any]) -> dict[str, Any]:
        head, content = document.get("checkpoint"), document.get("content")
        if set(document) != {"checkpoint", "content"} or not isinstance(head, dict) or not isinstance(content, dict):
            raise StateError("a sound file, but not a checkpoint")
        if (head.get("shard"), head.get("id")) != (self.shard, str(id)):
            raise StateError(
                f"holds checkpoint {head.get('id')} of shard {head.get('shard')!r}: it was renamed or copied"
            )
        note = head.get("note")
        return {
            "id": id,
            "shard": self.shard,
            "created": str(head.get("created")),
            "version": str(head.get("version")),
            "note": note if isinstance(note, dict) else {},
            "content": content,
        }

    # -- removing

    def prune(self, *, named: Collection[CheckpointId] = ()) -> list[CheckpointId]:
        """Remove what is older than the newest ones; returns which.

        The newest `keep` stay, not counting those known to be damaged, and so do the ``named``: the committed one,
        where another store says which it is. A checkpoint is only removed if a newer one stays that this lineage has
        written, or read and found sound.

        Raises
        ------
        FencedError
            If another owner has begun.
        CheckpointError
            If the disk refuses.
        """
        self._check_owner(self._owned())
        ids = self.ids()
        while len(counted := [id for id in ids if id not in self._damaged][: self.keep]) == self.keep:
            if self._has_sound(counted):
                return self._remove(id for id in ids if id < counted[-1] and id not in named)
        return []

    def discard_after(self, committed: CheckpointId | None) -> list[CheckpointId]:
        """Remove what was prepared after the committed checkpoint (None: where there is none) and not committed.

        Do so before the first `write` of an epoch: once a later checkpoint is committed, nothing tells any more that
        these were not, and if that one is damaged, they must not stand in for it.

        Raises
        ------
        FencedError
            If another owner has begun.
        CheckpointError
            If neither the committed one nor one before it is there, or the disk refuses.
        """
        self._check_owner(self._owned())
        if committed is None:
            return self._remove(self.ids())
        if min(self.ids(), default=committed) > committed:
            raise CheckpointError(f"shard {self.shard!r} has no checkpoint up to {committed}: nothing was removed")
        return self._remove(self._prepared(committed))  # safe with the next `write`, which syncs the folder

    def _has_sound(self, ids: list[CheckpointId]) -> bool:
        """Whether one of them is known to be sound; if not, and none is found so, the newest is known to be damaged."""
        if not self._sound.intersection(ids):
            try:
                self.read(ids[0])
            except VersionError:
                raise
            except StateError as error:
                log.warning("%s", error)
                return False
        return True

    def _remove(self, ids: Iterable[CheckpointId]) -> list[CheckpointId]:
        removed = []
        for id in sorted(ids):
            try:
                self._disk.unlink(self.directory / id.file_name)
            except OSError as error:
                raise self._failure(f"can't remove checkpoint {id}", error) from error
            removed.append(id)
            self._sound.discard(id)
            self._damaged.discard(id)
        return removed

    # -- the rest

    def _names(self) -> list[str]:
        try:
            return self._disk.names(self.directory)
        except OSError as error:
            raise self._failure("can't list the checkpoints", error) from error

    def _owned(self) -> int:
        if self._epoch is None:
            raise FencedError(f"shard {self.shard!r}: begin an epoch before you write its checkpoints")
        return self._epoch

    def _check_owner(self, epoch: int) -> None:
        if _highest_epoch(self._names()) > epoch:
            owner = self.owner()
            raise FencedError(
                f"shard {self.shard!r} was taken over by {owner or 'another worker'}: nothing of ours is written"
            )

    def _refusal(self, id: CheckpointId, error: StateError) -> StateError:
        return type(error)(f"checkpoint {id} of shard {self.shard!r}: {error}")

    def _failure(self, what: str, error: OSError) -> CheckpointError:
        reason = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        return CheckpointError(f"shard {self.shard!r}: {what}: {reason} ({self.directory})")


def _highest_epoch(names: Iterable[str]) -> int:
    matches = (_FILE.fullmatch(name) or _OWNER.fullmatch(name) for name in names)
    return max((int(match[1]) for match in matches if match), default=0)


def _folder_name(shard: str) -> str:
    """A shard's name as a folder's: `unquote` gives it back, and it never leads elsewhere."""
    name = quote(shard, safe=" =,@+:", errors="surrogatepass")
    if name.startswith(".") or name == WORKERS:
        name = f"%{ord(shard[0]):02X}{name[1:]}"
    if not 0 < len(name) <= _MAX_NAME:
        raise OptionError(f"shard {shard!r}: its name must have 1 to {_MAX_NAME} letters to name a folder")
    return name


def _shard_name(folder: str) -> str:
    return unquote(folder, errors="surrogatepass")
