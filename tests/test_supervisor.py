"""The supervisor with real processes: restarts, isolation, stopping, and an end of its own by kill -9."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamlearn.runtime.supervisor import Supervisor

FAST = {"first_wait": 0.05, "longest_wait": 0.2}


def supervisor(program: str, workers: list[str], folder: Path, **options: object) -> tuple[Supervisor, io.BytesIO]:
    """A supervisor of Python programs, to which their worker's name and number of restarts is told."""
    err = io.BytesIO()

    def command(name: str, restarts: int) -> list[str]:
        return [sys.executable, "-c", program, name, str(restarts), str(folder)]

    return Supervisor(workers, command, err=err, out=io.BytesIO(), **{**FAST, **options}), err  # type: ignore[arg-type]


def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def in_background(supervisor: Supervisor) -> tuple[threading.Thread, list[int]]:
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(supervisor.run()))
    thread.start()
    return thread, status


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


CRASHES_TWICE = """
import os, signal, sys
name, restarts, folder = sys.argv[1:]
print("started", restarts, os.environ["STREAMLEARN_RESTARTS"], os.environ["STREAMLEARN_SUPERVISED"], file=sys.stderr)
with open(f"{folder}/{name}", "a") as file:
    file.write(restarts)
if name == "bad":
    if restarts == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    if restarts == "1":
        sys.exit(75)
"""


def test_a_worker_that_fails_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    supervised, err = supervisor(CRASHES_TWICE, ["good", "bad"], tmp_path)
    assert supervised.run() == 0
    assert (tmp_path / "good").read_text() == "0"
    assert (tmp_path / "bad").read_text() == "012"
    text = err.getvalue().decode()
    assert "[good] started 0 0 1\n" in text
    assert "[bad] started 2 2 1\n" in text
    assert "worker bad was killed by SIGKILL; it starts again in 0.0 s" in text
    assert "worker bad ended with status 75; it starts again in 0.1 s" in text
    assert text.endswith("streamlearn: worker good is done\nstreamlearn: worker bad is done, after 2 restarts\n")


def test_waits_double_up_to_the_longest_and_begin_anew_after_a_healthy_life(tmp_path: Path) -> None:
    program = "import sys, time; time.sleep(0.7 if sys.argv[2] == '4' else 0); sys.exit(sys.argv[2] != '6')"
    supervised, err = supervisor(program, ["a"], tmp_path, first_wait=0.1, longest_wait=0.4, healthy=0.6)
    assert supervised.run() == 0
    waits = [float(line.split()[-2]) for line in err.getvalue().decode().splitlines() if "starts again" in line]
    for wait, longest in zip(waits, [0.1, 0.2, 0.4, 0.4, 0.1, 0.2], strict=True):
        assert longest / 2 - 0.06 <= wait <= longest + 0.06


def test_a_wrong_option_is_given_up_after_three_times_and_all_stop(tmp_path: Path) -> None:
    program = "import sys, time; sys.exit(2) if sys.argv[1] == 'wrong' else time.sleep(60)"
    supervised, err = supervisor(program, ["other", "wrong"], tmp_path)
    started = time.monotonic()
    assert supervised.run() == 2
    assert time.monotonic() - started < 20
    assert "worker wrong ended with status 2 3 times in a row: a wrong option; giving up" in err.getvalue().decode()
    assert "worker other was killed by SIGTERM" in err.getvalue().decode()


GRACEFUL = """
import pathlib, signal, sys, time
name, restarts, folder = sys.argv[1:]
def end(*_):
    pathlib.Path(folder, name + "-ended").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "deaf" else end)
pathlib.Path(folder, name).touch()
time.sleep(60)
"""


def test_stop_lets_every_worker_finish(tmp_path: Path) -> None:
    supervised, err = supervisor(GRACEFUL, ["a", "b"], tmp_path)
    thread, status = in_background(supervised)
    until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    supervised.stop()
    thread.join(20)
    assert status == [0]
    assert (tmp_path / "a-ended").exists()
    assert (tmp_path / "b-ended").exists()
    assert "starts again" not in err.getvalue().decode()


@pytest.mark.parametrize("again", [False, True], ids=["after the grace time", "when told again"])
def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, again: bool) -> None:
    supervised, err = supervisor(GRACEFUL, ["a", "deaf"], tmp_path, grace=60.0 if again else 0.5)
    thread, status = in_background(supervised)
    until(lambda: (tmp_path / "a").exists() and (tmp_path / "deaf").exists())
    supervised.stop()
    until((tmp_path / "a-ended").exists)
    if again:
        supervised.stop()
    thread.join(20)
    assert status == [1]
    assert "worker deaf was killed by SIGKILL" in err.getvalue().decode()


def test_a_worker_that_waits_for_its_next_start_stops_at_once(tmp_path: Path) -> None:
    supervised, err = supervisor("import sys; sys.exit(1)", ["a"], tmp_path, first_wait=60.0, longest_wait=60.0)
    thread, status = in_background(supervised)
    until(lambda: b"starts again" in err.getvalue())
    supervised.stop()
    thread.join(20)
    assert status == [0]


def test_lines_of_workers_are_not_mixed_and_their_outputs_stay_apart(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "for i in range(300):\n"
        "    os.write(1, b'{\"row\": '); os.write(1, b'%d}\\n' % i); os.write(2, b'log '); os.write(2, b'line\\n')\n"
        "os.write(2, b'no end')\n"
    )
    out, err = io.BytesIO(), io.BytesIO()
    supervised = Supervisor(["a", "b"], lambda name, _: [sys.executable, "-c", program], out=out, err=err)
    assert supervised.run() == 0
    assert sorted(out.getvalue().splitlines()) == sorted(b'{"row": %d}' % i for i in range(300) for _ in "ab")
    lines = [line for line in err.getvalue().splitlines() if not line.startswith(b"streamlearn:")]
    assert sorted(lines) == sorted([b"[a] log line", b"[b] log line"] * 300 + [b"[a] no end", b"[b] no end"])


ORPHAN = """
import os, pathlib, sys, time
from streamlearn.runtime.supervisor import watch_supervisor
name, restarts, folder = sys.argv[1:]
stopped = []
def stop():
    pathlib.Path(folder, name + "-stopped").touch()
    stopped.append(True)
watch_supervisor(stop, grace=0.5)
pathlib.Path(folder, name).write_text(str(os.getpid()))
while name == "deaf" or not stopped:
    time.sleep(0.02)
"""

PARENT = f"""
import sys
from streamlearn.runtime.supervisor import Supervisor
folder = sys.argv[1]
Supervisor(["kind", "deaf"], lambda name, n: [sys.executable, "-c", {ORPHAN!r}, name, str(n), folder]).run()
"""


def test_no_worker_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in ("kind", "deaf")))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [int((tmp_path / name).read_text()) for name in ("kind", "deaf")]
    until(lambda: not any(alive(pid) for pid in workers))
    assert (tmp_path / "kind-stopped").exists()  # was asked, and had time
    assert os.getpid() not in workers


def test_without_a_supervisor_nothing_is_watched() -> None:
    program = (
        "from streamlearn.runtime.supervisor import watch_supervisor as w; w(lambda: print('stopped')); print('ran')"
    )
    done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stdout == "ran\n"
