"""Progress on stderr: a bar with rows/s and the present metric on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

from .result import format_metric

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.2


class Progress:
    """Shows how far a pass over a stream has come.

    Parameters
    ----------
    name
        The stream's name.
    total
        Its rows, where known.
    enabled
        False shows nothing.
    """

    def __init__(self, name: str, total: int | None, *, enabled: bool) -> None:
        self._name, self._total, self._enabled = name, total, enabled
        self._rows = 0
        self._start = self._drawn = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]} {task.fields[metric]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._name, total=self._total, speed="", metric="")
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
            self._bar.console.print(message)
        else:
            print(message, file=sys.stderr, flush=True)
        self._start = self._drawn = time.monotonic()

    def count(self, rows: int) -> None:
        """Count ``rows`` more, where there is nothing to measure."""
        self.advance(rows, "", float("nan"))

    def advance(self, rows: int, metric: str, value: float) -> None:
        """Count ``rows`` more; ``value`` is the metric in the present window."""
        self._rows += rows
        now = time.monotonic()
        pause = SECONDS_BETWEEN_DRAWINGS if self._bar is not None else SECONDS_BETWEEN_LINES
        if not self._enabled or now - self._drawn < pause:
            return
        self._drawn = now
        speed = f"{self._rows / max(now - self._start, 1e-9):,.0f} rows/s"
        shown = f"{metric} {format_metric(metric, value)}" if metric else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._rows, speed=speed, metric=shown)
            return
        of = f" of {self._total:,}" if self._total else ""
        window = f", {shown} in the window" if shown else ""
        print(f"{self._name}: {self._rows:,}{of} rows, {speed}{window}", file=sys.stderr, flush=True)
