"""Run contestants one after the other, each in a process of its own, and take down time, accuracy and memory."""

from __future__ import annotations

import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from peers import PEERS

MB = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One contestant with one learner on the first rows of one stream."""

    stream: str
    peer: str
    learner: str
    rows: int


@dataclass(frozen=True)
class Standing:
    """What an entry achieved.

    Parameters
    ----------
    entry
    seconds
        Wall time of each pass.
    accuracy
        Of the last pass.
    warm_up_seconds
        Compilation or the first pass; 0 where the contestant needs none.
    ready_mb, peak_mb
        Resident memory of its process when the rows were prepared, and the most it held while it ran.
    """

    entry: Entry
    seconds: list[float]
    accuracy: float
    warm_up_seconds: float
    ready_mb: float
    peak_mb: float

    @property
    def title(self) -> str:
        """What tables call the contestant."""
        title = PEERS[self.entry.peer].title
        return f"{title}, {self.entry.learner}" if self.entry.peer == "vw" else title

    @property
    def best(self) -> float:
        """Rows per second of the fastest pass."""
        return self.entry.rows / min(self.seconds)

    @property
    def median(self) -> float:
        """Rows per second of the median pass."""
        return self.entry.rows / statistics.median(self.seconds)


def run(entry: Entry, folder: Path, repeat: int) -> Standing:
    """Measure an entry in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, entry, folder, repeat).result()


def _measure(entry: Entry, folder: Path, repeat: int) -> Standing:
    ready = PEERS[entry.peer].prepare(folder, entry.rows, entry.learner)
    ready_mb = _memory("VmRSS")
    _forget_peak()
    start = time.perf_counter()
    if ready.warm_up is not None:
        ready.warm_up()
    warm_up_seconds = time.perf_counter() - start if ready.warm_up is not None else 0.0
    rounds = [ready.run() for _ in range(repeat)]
    return Standing(
        entry, [r.seconds for r in rounds], rounds[-1].accuracy, warm_up_seconds, ready_mb, _memory("VmHWM")
    )


def _forget_peak() -> None:
    """Let the peak start from the present, so that preparing the rows is not in it (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _memory(key: str) -> float:
    """A line of ``/proc/self/status`` in MB; elsewhere the peak since the process began.

    ``getrusage`` is the second choice: on Linux its peak begins with that of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(key))
        return int(line.split()[1]) * 1024 / MB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / MB
