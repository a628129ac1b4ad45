"""One worker of a name at a time, tried with processes that hold the lock and die."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamlearn.errors import CheckpointError
from streamlearn.runtime.lock import WorkerLock, running

HOLD = """
import sys, time
from streamlearn.runtime.lock import WorkerLock
WorkerLock(sys.argv[1], sys.argv[2]).acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "a/0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_worker_of_the_same_name_is_refused(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    start = time.monotonic()
    with pytest.raises(CheckpointError) as raised:
        WorkerLock(tmp_path, "a/0", wait=0.2).acquire()
    assert time.monotonic() - start >= 0.2
    for part in (str(tmp_path), "worker 'a/0'", f"process {holder.pid} on ", "since 20", "another name"):
        assert part in str(raised.value)
    assert [f"process {holder.pid}" in line for line in running(tmp_path)] == [True]
    with WorkerLock(tmp_path, "a/1"):
        assert len(running(tmp_path)) == 2


def test_kill_9_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert running(tmp_path) == []
    with WorkerLock(tmp_path, "a/0"):
        assert f"process {os.getpid()}" in running(tmp_path)[0]


def test_a_worker_waits_for_one_that_is_just_ending(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    threading.Timer(0.2, holder.kill).start()
    with WorkerLock(tmp_path, "a/0", wait=30):
        pass


def test_a_lock_is_taken_and_given_back(tmp_path: Path) -> None:
    lock = WorkerLock(tmp_path / "new" / "folder", "0", wait=0)
    lock.acquire()
    lock.acquire()
    with pytest.raises(CheckpointError, match="in use"):
        WorkerLock(tmp_path / "new" / "folder", "0", wait=0).acquire()
    lock.release()
    lock.release()
    with lock:
        pass
    assert running(tmp_path / "new" / "folder") == []
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="can't lock"):
        WorkerLock(tmp_path / "file", "0").acquire()


def test_a_lock_whose_file_is_unreadable_still_holds(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    (file,) = (tmp_path / "workers").iterdir()
    for text in ("", "{", "[1]", '{"pid": 1}'):
        file.write_text(text)
        with pytest.raises(CheckpointError, match="in use by another process: stop it"):
            WorkerLock(tmp_path, "a/0", wait=0).acquire()
        assert running(tmp_path) == ["worker 'a/0'"]


def test_a_disk_that_takes_no_more_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(CheckpointError, match=r"No space left on device: check checkpoint\.dir"):
        WorkerLock(tmp_path, "0").acquire()
    monkeypatch.undo()
    with WorkerLock(tmp_path, "0"):  # nobody has it
        pass
