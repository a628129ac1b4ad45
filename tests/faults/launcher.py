"""Starts processes that are ready at once: a parent that has imported everything forks each of them.

A life between two kills lasts a fraction of a second, so the seconds that Python takes to import NumPy, Arrow and Numba
and to load kernels would be most of it. A forked child is a process like any other: it has a process group of its own,
and dies of kill -9 with all its memory. This file, run as a program, is the parent; it ends when its standard input is
closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Launcher:
    """The parent, seen from a test.

    Parameters
    ----------
    warm
        A pipeline file that the parent runs once itself, so that its children find kernels loaded.
    """

    def __init__(self, warm: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(warm)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # no thread outlives a fork
        )
        self._ended: dict[int, int] = {}
        self._news = threading.Condition()
        self._started: list[int] = []
        self._gone = False
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Start ``streamlearn ARGV`` in a process group of its own; its process id."""
        order = {"argv": list(argv), "cwd": str(cwd), "env": dict(env), "log": str(log)}
        assert self._process.stdin is not None
        with self._news:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            if not self._news.wait_for(lambda: self._started or self._gone, 60) or self._gone:
                raise RuntimeError("the launcher does not start processes any more")
            return self._started.pop()

    def status(self, pid: int) -> int | None:
        """The exit status, as `subprocess` counts it (-9: killed); None while the process runs."""
        with self._news:
            return self._ended.get(pid)

    def wait(self, pid: int, timeout: float) -> int | None:
        """Wait for the end of a process, at most so many seconds."""
        with self._news:
            self._news.wait_for(lambda: pid in self._ended or self._gone, timeout)
            return self._ended.get(pid)

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the parent; its children were ended by those who started them."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._listening.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            with self._news:
                if "started" in news:
                    self._started.append(news["started"])
                else:
                    self._ended[news["ended"]] = news["status"]
                self._news.notify_all()
        with self._news:
            self._gone = True
            self._news.notify_all()


def _become(order: Mapping[str, Any]) -> None:
    """In the child: be the command; never returns."""
    status = 70
    try:
        os.setpgid(0, 0)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(order["cwd"])
        os.environ.update(order["env"])
        sys.argv = ["streamlearn", *order["argv"]]
        from streamlearn.cli import main

        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _warm_up(file: Path) -> None:
    """Run a pipeline once: what it imports and compiles is then there."""
    from streamlearn.runtime.config import PipelineConfig
    from streamlearn.runtime.pipeline import Pipeline

    before = os.getcwd()
    os.chdir(file.parent)
    Pipeline.from_config(PipelineConfig.load(file.name)).run()
    os.chdir(before)
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    if len([name for name in names if not name.startswith("jemalloc")]) > 1:  # that one is made anew after a fork
        raise RuntimeError(f"a child would lack the threads {names}")


def _serve() -> None:
    """Read orders, fork, and tell when children started and ended."""
    import select

    _warm_up(Path(sys.argv[1]))
    telling, told = os.dup(1), bytearray()
    os.dup2(2, 1)  # what is printed by mistake must not be taken for news
    children: set[int] = set()

    def tell(**news: int) -> None:
        os.write(telling, json.dumps(news).encode() + b"\n")

    while True:
        ready = select.select([0], [], [], 0.005 if children else 1.0)[0]
        for pid in list(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.discard(pid)
                tell(ended=pid, status=os.waitstatus_to_exitcode(status))
        if not ready:
            continue
        data = os.read(0, 65536)
        if not data:
            return
        told += data
        while b"\n" in told:
            line, _, rest = told.partition(b"\n")
            told = bytearray(rest)
            pid = os.fork()
            if pid == 0:
                os.close(telling)
                _become(json.loads(line))
            children.add(pid)
            tell(started=pid)


if __name__ == "__main__":
    _serve()
