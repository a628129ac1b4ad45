"""The checkpoint store: what is written comes back; damage, full disks and strangers are noticed."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numbered_checkpoints import SHARD, content, filled, lineage_on, number_in, spoil
from simulated_disk import FailingDisk

from streamlearn import container
from streamlearn.errors import CheckpointError, FencedError, OptionError, StateError, VersionError
from streamlearn.runtime.checkpoints import CheckpointId, CheckpointStore
from streamlearn.runtime.disk import Disk

# -- what it is for


def test_the_newest_comes_back(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "state")
    assert store.shards() == []
    lineage = store.lineage(SHARD)
    assert lineage.newest() is None
    lineage.begin()
    first = lineage.write(content(1), note={"reason": "start"})
    second = lineage.write(content(2))
    assert (first.id, second.id) == (CheckpointId(1, 1), CheckpointId(1, 2))
    found = store.lineage(SHARD).newest()
    assert found is not None
    assert (found.id, found.digest, found.bytes) == (second.id, second.digest, second.bytes)
    assert number_in(found) == 2
    assert lineage.read(first.id).note == {"reason": "start"}
    assert store.shards() == [SHARD]


def test_a_new_owner_goes_on_in_a_new_epoch(tmp_path: Path) -> None:
    old = lineage_on(None, tmp_path)
    old.begin()
    old.write(content(1))
    new = lineage_on(None, tmp_path)
    new.begin()
    assert number_in(new.newest()) == 1
    assert new.write(content(2)).id == CheckpointId(2, 2)
    new.release()
    new.begin()
    assert new.write(content(3)).id == CheckpointId(3, 3)
    owner = new.owner()
    assert owner is not None
    assert owner.pid == os.getpid()


def test_what_is_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 1)
    for number in (1, 2):
        (lineage.directory / (CheckpointId(1, number).file_name + ".tmp")).touch()
    assert lineage.ids() == [CheckpointId(1, 1)]


def test_equal_contents_have_equal_arrays_checksums(tmp_path: Path) -> None:
    lineage = lineage_on(None, tmp_path)
    lineage.begin()
    one, two = lineage.write(content(1)), lineage.write(content(1))
    assert one.digest != two.digest  # the id is in the file
    assert lineage.summary(one.id).content["weights"] == lineage.summary(two.id).content["weights"]


def test_only_an_owner_writes(tmp_path: Path) -> None:
    lineage = lineage_on(None, tmp_path)
    for act in (lambda: lineage.write(content(1)), lineage.prune, lambda: lineage.discard_after(CheckpointId(1, 1))):
        with pytest.raises(FencedError, match="begin an epoch"):
            act()


@pytest.mark.parametrize(
    "shard", ["events-3", "a/b", "..", ".", "workers", "ä-0", "%2E", "a%2Fb", "x" * 200, "C:\\x", "\udcff", "a b=c"]
)
def test_any_shard_has_a_folder_of_its_own(tmp_path: Path, shard: str) -> None:
    store = CheckpointStore(tmp_path / "state")
    for name in (shard, "other"):
        lineage = store.lineage(name)
        lineage.begin()
        lineage.write(content(1))
        assert lineage.directory.parent == tmp_path / "state"
    assert store.shards() == sorted([shard, "other"])
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("shard", ["", "x" * 256, "/" * 86])
def test_a_shard_without_a_possible_folder_is_refused(tmp_path: Path, shard: str) -> None:
    with pytest.raises(OptionError, match="1 to 255"):
        CheckpointStore(tmp_path).lineage(shard)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_different_shards_have_different_folders(a: str, b: str) -> None:
    store = CheckpointStore("state")
    assert (store.lineage(a).directory == store.lineage(b).directory) == (a == b)


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "3"])
def test_keep_is_checked(keep: Any) -> None:
    with pytest.raises(OptionError, match="keep"):
        CheckpointStore("state", keep=keep)


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "1-2-3", "a-b", "1-2 ", "١-٢", "1-" + "9" * 30])
def test_ids_are_read_strictly(text: str) -> None:
    assert CheckpointId.parse("12-345") == CheckpointId(12, 345)
    with pytest.raises(OptionError, match="2-17"):
        CheckpointId.parse(text)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    lineage = lineage_on(None, tmp_path, keep=1)
    lineage.begin()
    for name in ("notes.txt", "1-1.ckpt", "000001-0000000001.ckpt.bak", ".hidden"):
        (lineage.directory / name).write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    lineage.write(content(1))
    lineage.write(content(2))
    lineage.prune()
    assert lineage.ids() == [CheckpointId(1, 2)]
    assert (
        sorted(p.name for p in lineage.directory.iterdir() if "mine" in p.read_bytes().decode("latin1"))[0] == ".hidden"
    )
    assert len(list(lineage.directory.iterdir())) == 6
    assert CheckpointStore(tmp_path).shards() == [SHARD]


# -- damage


def damaged_files(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Files with bytes flipped, cut off, put in, zeroed, or written over with others of their own."""
    for _ in range(count):
        kind, at = int(rng.integers(5)), int(rng.integers(len(data)))
        size = int(rng.integers(1, 64))
        edited = bytearray(data)
        if kind == 0:
            for place in rng.integers(len(data), size=rng.integers(1, 5)):
                edited[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del edited[at:]
        elif kind == 2:
            edited[at:at] = rng.bytes(size)
        elif kind == 3:
            edited[at : at + size] = bytes(len(edited[at : at + size]))
        else:
            start = int(rng.integers(len(data)))
            piece = data[start : start + size]
            edited[at : at + len(piece)] = piece
        yield bytes(edited)


FUZZED = int(os.environ.get("STREAMLEARN_FUZZ", "2000"))


def test_a_damaged_file_is_refused_or_identical(tmp_path: Path) -> None:
    lineage = lineage_on(None, tmp_path)
    lineage.begin()
    id = lineage.write({**content(5), "deep": [{"x": [1, 2.5, None, "ä"]}, np.eye(3)]}).id
    path = lineage.directory / id.file_name
    original, sound, about = path.read_bytes(), lineage.read(id), lineage.summary(id)
    refused = 0
    for data in damaged_files(original, np.random.default_rng(0), FUZZED):
        path.write_bytes(data)
        try:
            read = lineage.read(id)
        except VersionError:
            pytest.fail("a damaged file was taken for a newer version's")
        except StateError:
            assert data != original
            refused += 1
        else:
            assert container.dumps(read.content) == container.dumps(sound.content)
        try:
            assert lineage.summary(id).about == about.about  # the manifest is checked without the arrays
        except StateError:
            assert data != original
    assert refused > FUZZED * 0.8


def forged(text: str, arrays: dict[str, np.ndarray]) -> bytes:
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return bytes(safetensors.numpy.save(arrays, metadata={"streamlearn": text, "sha256": checksum}))


def document(**changes: Any) -> str:
    head = {"shard": SHARD, "id": "1-1", "created": "", "version": "", "note": {}}
    file = {"format": "streamlearn", "version": 2, "content": {"checkpoint": head, "content": {}}, "arrays": {}}
    return json.dumps({**file, **changes})


HOSTILE = {
    "not JSON": "{",
    "a list": "[]",
    "deep": document(content=json.loads("[" * 500 + "]" * 500)),
    "very deep": "[" * 100_000,
    "key twice": '{"format": "streamlearn", "format": "streamlearn"}',
    "no checkpoint": document(content={"model": {}}),
    "checkpoint is a list": document(content={"checkpoint": [], "content": {}}),
    "content is a list": document(content={"checkpoint": {}, "content": []}),
    "another shard": document(content={"checkpoint": {"shard": "x", "id": "1-1"}, "content": {}}),
    "another id": document(content={"checkpoint": {"shard": SHARD, "id": "1-2"}, "content": {}}),
    "array that is not there": document(content={"array": "x"}),
    "array that is not named": document(arrays={"x": ""}),
    "arrays is a list": document(arrays=[]),
    "version 0": document(version=0),
    "version is true": document(version=True),
    "version is a float": document(version=2.0),
    "version is text": document(version="2"),
    "version 1 with a later one's checksum": document(version=1),
    "huge number": document(content={"n": 1}).replace('"n": 1', '"n": ' + "9" * 10_000),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("arrays", [{}, {"x": np.zeros(3)}], ids=["bare", "arrays"])
def test_hostile_manifests_are_refused(tmp_path: Path, text: str, arrays: dict[str, np.ndarray]) -> None:
    lineage = lineage_on(None, tmp_path)
    lineage.begin()
    id = CheckpointId(1, 1)
    (lineage.directory / id.file_name).write_bytes(forged(text, arrays))
    for look in (lineage.read, lineage.summary):
        with pytest.raises(StateError) as raised:
            look(id)
        assert not isinstance(raised.value, VersionError)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [2**60], "data_offsets": [0, 2**63]},
        {"dtype": "F64", "shape": [-1], "data_offsets": [8, 0]},
        {"dtype": "F64", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F128", "shape": [1], "data_offsets": [0, 16]},
        {"dtype": "F64", "shape": "3", "data_offsets": [0, 24]},
        {"dtype": "F64", "shape": [3]},
        {"dtype": ["F64"], "shape": [3], "data_offsets": [0, 24]},
        {"dtype": "F64", "shape": [1e999], "data_offsets": [0, 24]},
        7,
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, entry: Any) -> None:
    text = document(arrays={"x": ""})
    metadata = {"streamlearn": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    head = json.dumps({"__metadata__": metadata, "x": entry}).encode()
    lineage = lineage_on(None, tmp_path)
    lineage.begin()
    id = CheckpointId(1, 1)
    (lineage.directory / id.file_name).write_bytes(len(head).to_bytes(8, "little") + head + bytes(24))
    for look in (lineage.read, lineage.summary):
        with pytest.raises(StateError):
            look(id)


def test_a_corrupt_newest_is_passed_over_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path, 3)
    lineage = lineage_on(None, tmp_path)
    spoil(lineage, CheckpointId(1, 3))
    with caplog.at_level(logging.WARNING):
        assert number_in(lineage.newest()) == 2
    assert [skipped.id for skipped in lineage.skipped] == [CheckpointId(1, 3)]
    assert "weights" in lineage.skipped[0].reason
    assert "checkpoint 1-3 of shard 'events-3': the checksum of content/weights" in caplog.text
    assert number_in(lineage.newest()) == 2
    assert len(lineage.skipped) == 1


def test_if_all_are_corrupt_it_stops(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 2)
    for id in lineage.ids():
        spoil(lineage, id)
    with pytest.raises(StateError, match=r"2 checkpoints in .*all are damaged: restore the files from a backup"):
        lineage.newest()
    assert len(lineage.ids()) == 2


def test_a_newer_version_is_never_passed_over(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 2)
    path = lineage.directory / CheckpointId(1, 2).file_name
    path.write_bytes(forged(document(version=3), {}))
    for look in (lineage.newest, lambda: lineage.read(CheckpointId(1, 2)), lambda: lineage.summary(CheckpointId(1, 2))):
        with pytest.raises(VersionError, match=r"1-2.*newer streamlearn.*upgrade"):
            look()


def test_an_unreadable_sector_is_damage_and_no_permission_is_not(tmp_path: Path) -> None:
    class BadSector(FailingDisk):
        number = errno.EIO

        def read(self, path: Path, start: int = 0, count: int | None = None) -> bytes:
            if path.name == CheckpointId(1, 2).file_name:
                raise OSError(self.number, os.strerror(self.number))
            return super().read(path, start, count)

    disk = BadSector()
    lineage = filled(tmp_path, 2, disk=disk)
    assert number_in(lineage.newest()) == 1
    assert "the disk can't read it" in lineage.skipped[0].reason
    disk.number = errno.EACCES
    with pytest.raises(CheckpointError, match="no permission"):
        lineage.newest()


def test_a_file_under_anothers_name_is_refused(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 2)
    shutil.copy(lineage.directory / CheckpointId(1, 1).file_name, lineage.directory / CheckpointId(9, 9).file_name)
    with pytest.raises(StateError, match="holds checkpoint 1-1 of shard 'events-3': it was renamed or copied"):
        lineage.read(CheckpointId(9, 9))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint 7-7: there are 1-2, 1-1"):
        filled(tmp_path, 2).read(CheckpointId(7, 7))


def test_what_files_cannot_hold_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 1)
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"x": deep}
    for bad in ({"x": object()}, {"x": np.array(["a"])}, {1: 2}, deep):
        with pytest.raises(StateError):
            lineage.write(bad)  # type: ignore[arg-type]
    assert number_in(lineage.newest()) == 1
    assert len(list(lineage.directory.iterdir())) == 2


# -- removing


def test_pruning_keeps_the_newest_and_the_named(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 6, keep=2)
    assert lineage.prune(named={CheckpointId(1, 2), CheckpointId(7, 7)}) == [
        CheckpointId(1, number) for number in (1, 3, 4)
    ]
    assert [id.sequence for id in lineage.ids()] == [6, 5, 2]
    assert lineage.prune() == [CheckpointId(1, 2)]


def test_pruning_never_removes_the_only_sound_ones(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    lineage = lineage_on(None, tmp_path, keep=2)
    lineage.begin()
    for number in (3, 4, 5):
        spoil(lineage, CheckpointId(1, number))
    assert lineage.prune() == []  # looks itself: nothing was read before
    assert [id.sequence for id in lineage.ids()] == [5, 4, 3, 2, 1]
    lineage.write(content(6))
    assert lineage.prune() == [CheckpointId(1, 1)]  # damaged ones do not count among those that are kept
    lineage.write(content(7))
    assert [id.sequence for id in lineage.prune()] == [2, 3, 4, 5]
    assert number_in(lineage.newest()) == 7


def test_what_was_prepared_and_not_committed_is_discarded(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 4)
    with pytest.raises(CheckpointError, match="nothing was removed"):
        lineage.discard_after(CheckpointId(1, 0))
    assert lineage.discard_after(CheckpointId(1, 9)) == []
    assert lineage.discard_after(CheckpointId(1, 2)) == [CheckpointId(1, 3), CheckpointId(1, 4)]
    assert number_in(lineage.newest()) == 2
    assert lineage.write(content(5)).id == CheckpointId(1, 5)  # a number is never used again


def test_what_was_committed_elsewhere_decides(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 4)
    assert number_in(lineage.newest(committed=CheckpointId(1, 3))) == 3
    spoil(lineage, CheckpointId(1, 3))
    assert number_in(lineage.newest(committed=CheckpointId(1, 3))) == 2
    assert [skipped.id for skipped in lineage.skipped] == [CheckpointId(1, 3)]
    (lineage.directory / CheckpointId(1, 2).file_name).unlink()
    assert number_in(lineage.newest(committed=CheckpointId(1, 2))) == 1
    with pytest.raises(CheckpointError, match="1-0 was committed, and neither it nor one before it is in"):
        lineage.newest(committed=CheckpointId(1, 0))
    with pytest.raises(CheckpointError, match=r"2-7 was committed.*is this the pipeline's checkpoint\.dir"):
        CheckpointStore(tmp_path).lineage("other").newest(committed=CheckpointId(2, 7))


def test_going_back_overrules_what_was_committed(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    lineage = lineage_on(None, tmp_path)
    lineage.begin()
    assert lineage.rollback(CheckpointId(1, 1)).id == CheckpointId(2, 5)
    lineage.write(content(6))
    for committed in (CheckpointId(1, 3), CheckpointId(1, 4)):
        found = lineage.newest(committed=committed)
        assert (number_in(found), found and found.is_rollback) == (1, True)
    assert lineage.discard_after(CheckpointId(1, 3)) == [CheckpointId(1, 4), CheckpointId(2, 6)]
    lineage.write(content(7))
    assert number_in(lineage.newest(committed=CheckpointId(2, 7))) == 7
    spoil(lineage, CheckpointId(2, 5))
    assert number_in(lineage.newest(committed=CheckpointId(1, 3))) == 3
    assert [skipped.id for skipped in lineage.skipped] == [CheckpointId(2, 5)]
    newer = lineage.directory / CheckpointId(9, 9).file_name
    newer.write_bytes(forged(document(version=3), {}))
    with pytest.raises(VersionError):
        lineage.newest(committed=CheckpointId(1, 3))


def test_a_fenced_owner_removes_nothing(tmp_path: Path) -> None:
    zombie = filled(tmp_path, 4, keep=1)
    lineage_on(None, tmp_path).begin()
    for act in (zombie.prune, lambda: zombie.discard_after(CheckpointId(1, 1))):
        with pytest.raises(FencedError):
            act()
    assert len(zombie.ids()) == 4


# -- disks that refuse


@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename", "names", "sync_directory"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path, operation: str, number: int) -> None:
    disk = FailingDisk()
    lineage = filled(tmp_path, 2, disk=disk)
    before = {path.name: path.read_bytes() for path in lineage.directory.iterdir()}
    disk.fails = {operation: number}
    with pytest.raises(CheckpointError) as raised:
        lineage.write(content(3))
    message = str(raised.value)
    assert "events-3" in message
    assert str(lineage.directory) in message
    assert isinstance(raised.value.__cause__, OSError)
    if operation == "sync_directory":  # it has its name already, and may keep it
        assert "checkpoint 1-3 may not be safe" in message
    else:
        assert {path.name: path.read_bytes() for path in lineage.directory.iterdir()} == before
    if operation == "write" and number == errno.ENOSPC:
        assert "1-3 was NOT written, the one before it is intact: the disk is full: make room" in message
    disk.fails = {}
    assert lineage.write(content(4)).id == CheckpointId(1, 4)
    assert number_in(lineage.newest()) == 4


@pytest.mark.parametrize("operation", ["make_directory", "create", "write", "sync", "sync_directory", "unlink"])
def test_who_cannot_take_over_does_not_stop_the_owner(tmp_path: Path, operation: str) -> None:
    owner = filled(tmp_path, 1)
    (owner.directory / "000001-0000000009.ckpt.tmp").touch()
    disk = FailingDisk()
    disk.fails = {operation: errno.ENOSPC}
    other = lineage_on(disk, tmp_path)
    with pytest.raises(CheckpointError, match="can't take over the checkpoints: the disk is full"):
        other.begin()
    with pytest.raises(FencedError):
        other.write(content(9))
    if operation != "unlink":  # which comes after the claim
        owner.write(content(2))
        assert number_in(owner.newest()) == 2


def test_a_file_that_cannot_be_removed_is_an_error_and_no_loss(tmp_path: Path) -> None:
    disk = FailingDisk()
    lineage = filled(tmp_path, 4, keep=1, disk=disk)
    disk.fails = {"unlink": errno.EIO}
    with pytest.raises(CheckpointError, match="can't remove checkpoint 1-1: the disk fails"):
        lineage.prune()
    disk.fails = {"unlink": errno.EIO, "write": errno.ENOSPC}
    with pytest.raises(CheckpointError, match="NOT written"):
        lineage.write(content(5))
    assert list(lineage.directory.glob("*.tmp"))
    disk.fails = {}
    assert len(lineage.ids()) == 4
    new = lineage_on(None, tmp_path)
    new.begin()
    assert not list(lineage.directory.glob("*.tmp"))
    assert number_in(new.newest()) == 4


def run(program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, **options
    )


WRITE = """
import os, sys
from pathlib import Path
import numpy as np
from streamlearn.errors import CheckpointError
from streamlearn.runtime.checkpoints import CheckpointStore

if sys.argv[3:]:
    os.setuid(int(sys.argv[3]))
lineage = CheckpointStore(Path(sys.argv[1])).lineage("events-3")
try:
    lineage.begin()
    lineage.write({"about": {"rows": 1}, "weights": np.full(int(sys.argv[2]), 1.0)})
except CheckpointError as error:
    print(error)
"""


def test_a_file_size_limit_stands_for_a_full_disk(tmp_path: Path) -> None:
    lineage = filled(tmp_path, 1)
    before = (lineage.directory / CheckpointId(1, 1).file_name).read_bytes()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    done = run(WRITE, str(tmp_path), "1000000", preexec_fn=limit)
    assert "2-2 was NOT written, the one before it is intact: the file is larger than may be" in done.stdout, done
    assert sorted(path.name for path in lineage.directory.iterdir()) == ["000001-0000000001.ckpt", "000002.owner"]
    assert (lineage.directory / CheckpointId(1, 1).file_name).read_bytes() == before
    assert done.stderr == ""


def test_a_new_folder_is_made_durable(tmp_path: Path) -> None:
    synced = []

    class Recording(Disk):
        def sync_directory(self, directory: Path) -> None:
            synced.append(directory)

    Recording().make_directory(tmp_path / "a" / "b" / "c")
    assert sorted(synced) == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    Recording().make_directory(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


def test_a_directory_that_cannot_be_written_is_named() -> None:
    nobody = ["65534"] if os.getuid() == 0 else []  # root may write anywhere
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        done = run(WRITE, f"{folder}/state", "1", *nobody)
        os.chmod(folder, 0o755)
    assert "no permission: let the worker write there, or name another checkpoint.dir" in done.stdout, done
