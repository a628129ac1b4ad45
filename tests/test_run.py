"""How ``streamlearn run`` takes signals, what its exit statuses say, and how it starts several workers."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from live_parts import installed

from streamlearn import errors
from streamlearn.cli.commands.run import status_of

WAITS = """
import os, sys, time
from streamlearn.cli.commands.run import stopping
stopped = False  # a plain flag: an event's lock may be held by the very code that the signal interrupts
def stop():
    global stopped
    os.write(1, b"stop\\n")
    stopped = "deaf" not in sys.argv
with stopping(stop, "stopping" if "again" not in sys.argv else ""):
    print("ready", flush=True)
    while not stopped:
        time.sleep(0.05)
print("ended", flush=True)
"""


def waiting(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order(number: signal.Signals) -> None:
    process = waiting()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("stop\nended\n", "streamlearn: stopping\n", 0)


def test_a_second_signal_ends_at_once() -> None:
    process = waiting("deaf")
    assert process.stdout is not None
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "stop\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 130


def test_a_supervisor_hears_every_signal() -> None:
    process = waiting("deaf", "again")
    assert process.stdout is not None
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stop\n"
    process.kill()
    process.communicate()


def caused(error: errors.StreamlearnError, number: int) -> errors.StreamlearnError:
    error.__cause__ = OSError(number, os.strerror(number))
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OptionError("x"), 2),
        (errors.UnknownNameError("x"), 2),
        (errors.MissingExtraError("otel", "x"), 2),
        (errors.SourceError("x"), 75),
        (errors.SinkError("x"), 75),
        (errors.FencedError("x"), 75),
        (errors.UncertainError("x"), 75),
        (errors.PositionError("x"), 1),
        (errors.RefusedError("x"), 1),
        (errors.StateError("x"), 1),
        (errors.CheckpointError("x"), 1),
        (caused(errors.CheckpointError("x"), errno.ENOSPC), 75),
        (caused(errors.SinkError("x"), errno.ENOSPC), 75),
        (caused(errors.SinkError("x"), errno.EACCES), 1),
        (caused(errors.CheckpointError("x"), errno.EROFS), 1),
        (errors.InputError("x"), 1),
    ],
)
def test_statuses_say_whether_a_restart_may_help(error: errors.StreamlearnError, status: int) -> None:
    assert status_of(error) == status


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the test's parts, which is on the path of subprocesses too."""
    folder = tmp_path / "parts"
    folder.mkdir()
    with installed(folder, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(folder))
        yield folder


PIPELINE = """\
name: power
source: {type: well, path: events}
schema: {target: class}
learner: naive_bayes
sink: {type: drain, path: out, password: hunter2}
"""


def streamlearn(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamlearn", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_settings_are_shown_with_secrets_masked(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    shown = streamlearn("run", "p.yaml", "--show", "--set", "batch.rows=7", "--name", "7", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    settings = yaml.safe_load(shown.stdout)
    assert settings["name"] == "7"
    assert settings["batch"] == {"rows": 7, "wait": 0.01}
    assert settings["sink"] == [{"type": "drain", "path": "out", "password": "***"}]
    (tmp_path / "again.yaml").write_text(shown.stdout)
    assert streamlearn("run", "again.yaml", "--show", cwd=tmp_path).stdout == shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--worker", "a/b"], "--worker a/b: a name has letters, digits, '.', '_' and '-' only"),
        (["--workers", "2"], "--workers 2: the source does not share its records out among workers"),
        (["--workers", "2", "--live"], "--live shows one worker"),
    ],
)
def test_wrong_options_end_with_status_2(parts: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    done = streamlearn("run", "p.yaml", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"streamlearn: {message}")
