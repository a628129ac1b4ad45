"""A process that works on cells, one after the other, and tells how far it is."""

from __future__ import annotations

import gc
import math
import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from ..batch import Batch
from ..source import ROWS_PER_BATCH, Source

SECONDS_BETWEEN_MESSAGES = 0.25
LONGEST = 200  # characters of what is said of a failure; the whole of it is kept in a file


class Task(NamedTuple):
    """A cell as it is sent to a worker."""

    spec: str
    generated: bool
    learner: str
    label: str
    seed: int
    rows: int | None
    every: int
    window: int
    metrics: tuple[str, ...]


class Progress(NamedTuple):
    """How many rows are done, and the seconds since the first of them were, when everything was compiled."""

    rows: int
    seconds: float


class Done(NamedTuple):
    """The result, as JSON, and the seconds that making rows, predicting, learning and measuring took."""

    result: str
    seconds: float


class Failed(NamedTuple):
    """What went wrong, in one line, and where."""

    message: str
    details: str


Message = Progress | Done | Failed


class Watched(Source):
    """A source that tells how many rows were taken from it, and knows the seconds that it took to make them."""

    def __init__(self, source: Source, tell: Callable[[int], None]) -> None:
        self._source, self._tell, self._taken = source, tell, 0
        self.seconds = 0.0
        self.name, self.schema, self.rows = source.name, source.schema, source.rows
        self.bounded, self.drifts = source.bounded, source.drifts

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        """As the source, and tell."""
        self._tell(self._taken)
        start = time.perf_counter()
        batch = self._source.poll(max_rows, timeout)
        self.seconds += time.perf_counter() - start
        self._taken += 0 if batch is None else len(batch)
        return batch

    def position(self) -> Any:
        """As the source."""
        return self._source.position()

    def seek(self, position: Any) -> None:
        """As the source."""
        self._source.seek(position)

    def close(self) -> None:
        """As the source."""
        self._source.close()


def work(connection: Connection) -> None:
    """Take tasks until the other end closes; Ctrl-C is for the other end to act on.

    A process whose parent was killed notices when it next tells how far it is, and ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send(answer(task, connection.send))
        except (BrokenPipeError, ConnectionResetError):
            return


def answer(task: Task, send: Callable[[Progress], None]) -> Message:
    """Run a cell, or say why that failed."""
    try:
        return perform(task, send)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return Failed(said if len(said) <= LONGEST else said[: LONGEST - 1] + "…", traceback.format_exc())


def perform(task: Task, send: Callable[[Progress], None]) -> Done:
    """Run a cell."""
    from ..evaluation import evaluate
    from ..models import make_learner
    from ..source import open_stream
    from .cell import slim

    gc.collect()
    forget_peak()
    begun = told = -math.inf

    def tell(rows: int) -> None:
        nonlocal begun, told
        now = time.perf_counter()
        if rows > 0 and begun < 0.0:
            begun = now
        if now - told >= SECONDS_BETWEEN_MESSAGES:
            told = now
            send(Progress(rows, max(now - begun, 0.0) if rows > 0 else 0.0))

    with Watched(open_stream(task.spec, target_kind="nominal"), tell) as source:
        result = evaluate(
            source,
            {task.label: make_learner(task.learner)},
            metrics=task.metrics,
            window=task.window,
            every=task.every,
            seeds=[task.seed],
            limit=None if task.generated else task.rows,
        )
    # Without compilation, which comes once on a machine, so that the next cell's time can be told from this one's.
    return Done(slim(result, peak()).to_json(), source.seconds + result.runs[0].wall_seconds)


def forget_peak() -> None:
    """Let the kernel count the peak of memory anew, where it can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak() -> int | None:
    """The most bytes that the process held since then; None where the system doesn't say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def machine() -> dict[str, Any]:
    """What times depend on."""
    import platform

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": name, "cores": cores}
