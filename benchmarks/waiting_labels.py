"""What it costs that predictions wait for their labels: ours against the dict of rows that a loop in Python would keep.

Rows of ten numbers wait until so many do; then, for each row that comes, the label of the oldest comes too. Both sides
take turns in one process, a batch each; memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import streamlearn as sl
from streamlearn import container
from streamlearn.batch import Batch
from streamlearn.learner import Outputs
from streamlearn.runtime.pending import Arrivals, PendingLabels

FIELDS = 10
BATCH = 1000
TURNS = 100


class Side(Protocol):
    """One way to keep rows."""

    def take(self, X: np.ndarray, start: int, ids: list[str], labels: list[str]) -> int:
        """Keep rows, find those whose labels come; how many were found."""

    def save(self) -> bytes:
        """All that waits, as bytes."""

    def load(self, data: bytes) -> None:
        """Continue from these."""


class Ours:
    """Arrays; a time to live and a default label are in force."""

    def __init__(self) -> None:
        self.schema = sl.Schema.of([f"f{i}" for i in range(FIELDS)], target="y", classes=["no", "yes"])
        self.pending = self._made()

    def _made(self) -> PendingLabels:
        return PendingLabels(
            self.schema, task="classification", learners=["m"], ttl=1e9, default="no", max_rows=10_000_000
        )

    def take(self, X: np.ndarray, start: int, ids: list[str], labels: list[str]) -> int:
        batch = Batch(self.schema, X, event_time=np.arange(start, start + len(X), dtype=np.float64))
        arrivals = Arrivals(labels, ["yes"] * len(labels), np.arange(len(labels)))
        step = self.pending.take(batch, ids, arrivals)
        n = len(step.batch)
        return len(self.pending.keep(step, {"m": Outputs(np.zeros(n, np.int64), np.full((n, 2), 0.5))})["m"].targets)

    def save(self) -> bytes:
        return container.dumps(self.pending.state())

    def load(self, data: bytes) -> None:
        self.pending = self._made()
        self.pending.restore(container.loads(data))


class Dict:
    """A dict of rows and predictions by id: no time to live, no early or second labels."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[dict[str, float], int, list[float]]] = {}
        self.names = [f"f{i}" for i in range(FIELDS)]

    def take(self, X: np.ndarray, start: int, ids: list[str], labels: list[str]) -> int:
        rows = [dict(zip(self.names, values, strict=True)) for values in X.tolist()]  # as they come out of JSON
        found = []
        labels_too = iter(labels)
        for id, row in zip(ids, rows, strict=True):
            found += [self.waiting.pop(label) for label in (next(labels_too, None),) if label in self.waiting]
            self.waiting[id] = row, 0, [0.5, 0.5]
        return len(found)

    def save(self) -> bytes:
        return pickle.dumps(self.waiting)

    def load(self, data: bytes) -> None:
        self.waiting = pickle.loads(data)


def names(start: int) -> list[str]:
    """The ids of a batch."""
    return [f"event-{i:09d}" for i in range(start, start + BATCH)]


def fill(side: Side, waiting: int) -> None:
    """Let so many rows wait."""
    X = np.random.default_rng(0).normal(size=(BATCH, FIELDS))
    for start in range(0, waiting, BATCH):
        side.take(X, start, names(start), [])


def grown(kind: type[Any], waiting: int, result: Any) -> None:
    """In a process of its own: the memory that the rows take."""
    side = kind()
    fill(side, BATCH)  # kernels are there
    before = resident()
    fill(side, waiting)
    result.put(resident() - before)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def timed(call: Any, *args: Any) -> tuple[float, Any]:
    """Seconds that a call took, and what it gave."""
    start = time.perf_counter()
    found = call(*args)
    return time.perf_counter() - start, found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print a line for each side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--waiting", type=int, default=1_000_000, help="rows that wait")
    waiting = parser.parse_args(argv).waiting // BATCH * BATCH
    sides: dict[str, Any] = {"streamlearn": Ours(), "a dict": Dict()}
    for side in sides.values():
        fill(side, waiting)
    micros: dict[str, list[float]] = {name: [] for name in sides}
    X = np.random.default_rng(1).normal(size=(BATCH, FIELDS))
    for turn in range(TURNS):
        start = turn * BATCH
        new, old = names(waiting + start), names(start)
        for name in sorted(sides, reverse=turn % 2 == 0):
            seconds, found = timed(sides[name].take, X, waiting + start, new, old)
            assert found == BATCH, name
            micros[name].append(1e6 * seconds / BATCH)
    print(f"{waiting:,} rows wait; µs for a row and a label\n")
    print(f"{'':<12} {'µs, median':>10} {'bytes a row':>12} {'save, s':>8} {'MB':>6} {'load, s':>8}")
    for name, side in sides.items():
        queue = multiprocessing.get_context("spawn").Queue()
        process = multiprocessing.get_context("spawn").Process(target=grown, args=(type(side), waiting, queue))
        process.start()
        held = queue.get() / waiting
        process.join()
        save, data = timed(side.save)
        load, _ = timed(side.load, data)
        figures = (
            f"{statistics.median(micros[name]):>10.2f} {held:>12.0f} {save:>8.2f} {len(data) / 1e6:>6.0f} {load:>8.2f}"
        )
        print(f"{name:<12} {figures}", flush=True)


if __name__ == "__main__":
    main()
