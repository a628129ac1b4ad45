"""Several workers on one machine: started, started again when they fail, stopped together, never left behind."""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, BinaryIO

CONFIGURATION, AGAIN = 2, 75
"""Exit statuses of a worker: a wrong option, which no restart mends; and EX_TEMPFAIL, which one may."""

SUPERVISED, RESTARTS = "STREAMLEARN_SUPERVISED", "STREAMLEARN_RESTARTS"
"""Environment variables by which a worker knows that it has a supervisor, and how often it was started again."""

_TICK = 0.1
"""Seconds between two looks at the processes."""

_LONGEST_LINE = 1 << 20
"""Bytes after which a line is passed on before its end."""


@dataclass
class _Worker:
    """One worker's process, its failures, and when it starts next."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float | None = 0.0
    failures: int = 0
    misconfigured: int = 0
    restarts: int = 0
    outcome: str = ""
    unfinished: dict[int, bytes] = field(default_factory=dict)


class Supervisor:
    """Runs a command once for each worker until all are done, or it is told to stop.

    A worker that ends with status 0 is done. Any other end starts it again after a wait that doubles with each failure
    and is drawn at random from its upper half, so that workers that failed together do not come back together; the
    others go on meanwhile. Each worker leads a process group of its own. Its standard input is a pipe that only the
    supervisor holds open: whatever ends the supervisor, kill -9 included, closes it, and `watch_supervisor` in the
    worker sees that.

    Parameters
    ----------
    workers
        Their names.
    command
        The command of a worker, by its name and by how often it was started again.
    grace
        Seconds from SIGTERM to SIGKILL.
    first_wait, longest_wait
        Seconds before the first start again, and before the last.
    healthy
        Seconds of life after which a worker's failures are forgiven.
    give_up
        Ends in a row with status 2, a wrong option, after which all is stopped.
    prefix
        Whether the workers' names stand before the lines that they write to their standard error.
    out, err
        Where lines of the workers' standard outputs and errors go, and to ``err`` what the supervisor says.
    """

    def __init__(
        self,
        workers: Sequence[str],
        command: Callable[[str, int], Sequence[str]],
        *,
        grace: float = 30.0,
        first_wait: float = 1.0,
        longest_wait: float = 60.0,
        healthy: float = 60.0,
        give_up: int = 3,
        prefix: bool = True,
        out: BinaryIO | None = None,
        err: BinaryIO | None = None,
    ) -> None:
        self._workers = [_Worker(name) for name in workers]
        self._command = command
        self._grace, self._healthy, self._give_up = grace, healthy, give_up
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._prefix = prefix
        self._out, self._err = out or sys.stdout.buffer, err or sys.stderr.buffer
        self._random = random.Random()
        self._selector = selectors.DefaultSelector()
        self._stopping, self._urgent = False, False
        self._stopped_at: float | None = None
        self._killed = False
        self._status = 0

    def stop(self) -> None:
        """End the workers with SIGTERM, and after the grace time, or when called again, with SIGKILL.

        Safe in a signal handler and from any thread.
        """
        self._urgent, self._stopping = self._stopping, True

    def run(self) -> int:
        """Run until every worker is done or given up; returns the exit status."""
        try:
            while any(worker.process is not None or worker.due is not None for worker in self._workers):
                now = time.monotonic()
                self._carry_out_stop(now)
                for worker in self._workers:
                    self._tend(worker, now)
                self._forward(_TICK)
        finally:
            self._kill_all()
            self._selector.close()
        for worker in self._workers:
            again = f", after {worker.restarts} restart{'s' * (worker.restarts > 1)}" if worker.restarts else ""
            self._say(f"worker {worker.name} {worker.outcome}{again}")
        return self._status

    # -- the life of a worker -------------------------------------------------------------------------------------

    def _tend(self, worker: _Worker, now: float) -> None:
        if worker.process is None:
            if worker.due is not None and now >= worker.due:
                self._start(worker, now)
            return
        status = worker.process.poll()
        if status is None:
            return
        self._hang_up(worker)
        worker.process, worker.outcome = None, _outcome(status)
        if self._stopping:
            self._status = self._status or (0 if status == 0 else 1)
        elif status != 0:
            self._after_failure(worker, status, now)

    def _start(self, worker: _Worker, now: float) -> None:
        worker.due, worker.started = None, now
        process = subprocess.Popen(
            self._command(worker.name, worker.restarts),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, SUPERVISED: "1", RESTARTS: str(worker.restarts)},
            start_new_session=True,
        )
        worker.process = process
        for stream, target in ((process.stdout, self._out), (process.stderr, self._err)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, (worker, target))

    def _after_failure(self, worker: _Worker, status: int, now: float) -> None:
        if now - worker.started >= self._healthy:
            worker.failures = 0
        worker.failures += 1
        worker.misconfigured = worker.misconfigured + 1 if status == CONFIGURATION else 0
        if worker.misconfigured >= self._give_up:
            self._say(
                f"worker {worker.name} {worker.outcome} {self._give_up} times in a row: a wrong option; giving up"
            )
            self._status = CONFIGURATION
            self._stopping = True
            return
        longest = min(self._longest_wait, self._first_wait * 2.0 ** min(worker.failures - 1, 30))
        wait = longest * self._random.uniform(0.5, 1.0)
        worker.due = now + wait
        worker.restarts += 1
        self._say(f"worker {worker.name} {worker.outcome}; it starts again in {wait:.1f} s")

    def _carry_out_stop(self, now: float) -> None:
        if not self._stopping:
            return
        if self._stopped_at is None:
            self._stopped_at = now
            self._say("stopping: the workers finish their batches and commit")
            for worker in self._workers:
                if worker.due is not None:
                    worker.due, worker.outcome = None, worker.outcome or "was not started"
            self._signal_all(signal.SIGTERM)
        elif not self._killed and (self._urgent or now - self._stopped_at > self._grace):
            self._killed = True
            self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.process.pid, number)  # it leads its group

    def _kill_all(self) -> None:
        """Leave nothing behind, whatever ended `run`."""
        self._signal_all(signal.SIGKILL)
        for worker in self._workers:
            if worker.process is not None:
                worker.process.wait()
                self._hang_up(worker)

    # -- what workers write ---------------------------------------------------------------------------------------

    def _forward(self, timeout: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _ in self._selector.select(timeout):
            worker, target = key.data
            if not self._pass_on(worker, key.fileobj, target):  # type: ignore[arg-type]
                self._selector.unregister(key.fileobj)

    def _pass_on(self, worker: _Worker, stream: IO[bytes], target: BinaryIO) -> bool:
        """Write whole lines; whether there may be more."""
        try:
            data = os.read(stream.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        lines = (worker.unfinished.pop(stream.fileno(), b"") + data).split(b"\n")
        if data:
            worker.unfinished[stream.fileno()] = lines.pop()
        elif lines[-1:] == [b""]:
            lines.pop()
        mark = f"[{worker.name}] ".encode() if self._prefix and target is self._err else b""
        if len(worker.unfinished.get(stream.fileno(), b"")) > _LONGEST_LINE:
            lines.append(worker.unfinished.pop(stream.fileno()))
        if lines:
            self._write(target, b"".join(mark + line + b"\n" for line in lines))
        return bool(data)

    def _hang_up(self, worker: _Worker) -> None:
        """Read what an ended worker wrote last, and close its pipes; a child of its own may still hold them."""
        assert worker.process is not None
        for stream, target in ((worker.process.stdout, self._out), (worker.process.stderr, self._err)):
            assert stream is not None
            if stream in {key.fileobj for key in self._selector.get_map().values()}:
                self._selector.unregister(stream)
                ready = selectors.DefaultSelector()
                ready.register(stream, selectors.EVENT_READ)
                while ready.select(0) and self._pass_on(worker, stream, target):
                    pass
                ready.close()
            stream.close()
        assert worker.process.stdin is not None
        worker.process.stdin.close()

    def _say(self, text: str) -> None:
        self._write(self._err, f"streamlearn: {text}\n".encode())

    @staticmethod
    def _write(target: BinaryIO, data: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: no reason to stop what runs
            target.write(data)
            target.flush()


def _outcome(status: int) -> str:
    if status == 0:
        return "is done"
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def watch_supervisor(stop: Callable[[], None], *, grace: float = 30.0) -> None:
    """In a worker: when the supervisor is gone, stop, and after the grace time end the process whatever it does."""
    if os.environ.get(SUPERVISED) != "1":
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        stop()
        time.sleep(grace)
        os._exit(AGAIN)  # nothing is lost: a worker survives kill -9 as well

    threading.Thread(target=watch, name="streamlearn-supervisor-watch", daemon=True).start()
