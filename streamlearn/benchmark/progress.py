"""Progress of a benchmark on stderr: a bar with the time left on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

from .cell import Cell, Finished
from .plan import Estimates

LONGEST = 60  # characters that describe what runs now


class Shown:
    """Shows how far a benchmark has come.

    Parameters
    ----------
    total
        Cells in all.
    before
        Of these, finished by an earlier run.
    jobs
        Cells that run at once.
    estimates
        From which the time left is reckoned.
    enabled
        False shows nothing.
    """

    def __init__(self, *, total: int, before: int, jobs: int, estimates: Estimates, enabled: bool) -> None:
        self._total, self._done, self._jobs, self._estimates, self._enabled = total, before, jobs, estimates, enabled
        self._running: dict[Cell, tuple[int, float]] = {}
        self._bar: Any = None
        self._task: Any = None
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        if self._enabled and self._done:
            self.say(f"{self._done:,} of {self._total:,} cells were finished before")
        if self._enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                MofNCompleteColumn(),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=self._total, completed=self._done, left="")
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, message: str) -> None:
        """Show a message, whatever else is shown."""
        if not self._enabled:
            return
        if self._bar is not None:
            self._bar.console.print(message, highlight=False, markup=False)
        else:
            print(message, file=sys.stderr, flush=True)

    def advance(self, cell: Cell, rows: int, seconds: float) -> None:
        """Note how far a running cell is."""
        self._running[cell] = (rows, seconds)

    def finish(self, cell: Cell, done: Finished) -> None:
        """Note that a cell is finished."""
        self._running.pop(cell, None)
        self._done += 1
        run = done.result.runs[0]
        self.say(
            f"[{self._done}/{self._total}] {name_of(cell)}: {100.0 * done.accuracy:.2f} %, "
            f"{run.rows_per_second:,.0f} rows/s, {done.seconds:,.1f} s"
        )

    def fail(self, cell: Cell, message: str) -> None:
        """Note that a cell failed."""
        self._running.pop(cell, None)
        self.say(f"failed: {name_of(cell)}: {message}")

    def show(self, waiting: list[Cell]) -> None:
        """Draw anew, with the time left."""
        if self._bar is None:
            return
        left = say_time(self.seconds_left(waiting))
        running = ", ".join(
            f"{cell.stream.name} {cell.entry.label} {100 * rows // max(cell.length, 1)} %"
            for cell, (rows, _) in self._running.items()
        )
        shown = running if len(running) <= LONGEST else running[: LONGEST - 1] + "…"
        self._bar.update(self._task, completed=self._done, left=f"about {left} left", description=shown)

    def seconds_left(self, waiting: list[Cell]) -> float:
        """The time that is likely needed until all cells are finished."""
        now = [self._rest(cell, *done) for cell, done in self._running.items()]
        return max([sum([*now, *map(self._estimates.seconds, waiting)]) / self._jobs, *now])

    def _rest(self, cell: Cell, rows: int, seconds: float) -> float:
        """What a running cell still needs: as it has gone so far, once that tells something."""
        if rows * 20 < cell.length or seconds <= 0.0:
            return max(self._estimates.seconds(cell) - seconds, 0.0)
        return seconds * (cell.length - rows) / rows


def name_of(cell: Cell) -> str:
    """A cell as messages call it."""
    return f"{cell.stream.name}, {cell.entry.label}, seed {cell.seed}"


def say_time(seconds: float) -> str:
    """A duration in words.

    Examples
    --------
    >>> say_time(42), say_time(200), say_time(10_000)
    ('42 s', '3 min', '2 h 47 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
