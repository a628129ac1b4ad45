"""Which cells there are, and in which order they are worth running: one seed of each first, the cheap ones first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .cell import Cell, Finished
from .lineup import Entry, Stream

SECONDS_PER_UNIT = 5e-8
"""Of a row, a field and a model of a learner that never ran: about what a Hoeffding tree takes."""
SECONDS_TO_BEGIN = 1.0


def cells_of(streams: Sequence[Stream], entries: Sequence[Entry], seeds: int, rows: int | None) -> list[Cell]:
    """Every cell; one seed only where neither the stream nor the learner depends on it."""
    return [
        Cell(stream, entry, seed, rows)
        for seed in range(1, seeds + 1)
        for stream in streams
        for entry in entries
        if seed == 1 or stream.generated or entry.is_random
    ]


class Estimates:
    """How long cells will take, from those that are finished.

    A cell that ran before with another seed takes what it took then; else it takes what its learner took on other
    streams, by row and field.
    """

    def __init__(self, finished: Iterable[tuple[Cell, Finished]]) -> None:
        self._exact: dict[tuple[str, str], float] = {}
        self._by_learner: dict[str, list[float]] = {}
        for cell, done in finished:
            self.learn(cell, done.seconds)

    def learn(self, cell: Cell, seconds: float) -> None:
        """Take a finished cell into account."""
        self._exact[cell.stream.name, cell.entry.call] = seconds
        self._by_learner.setdefault(cell.entry.call, []).append(seconds / _units(cell))

    def seconds(self, cell: Cell) -> float:
        """How long a cell is likely to take."""
        exact = self._exact.get((cell.stream.name, cell.entry.call))
        if exact is not None:
            return exact
        known = self._by_learner.get(cell.entry.call)
        if known is None:
            return SECONDS_TO_BEGIN + SECONDS_PER_UNIT * cell.entry.members * _units(cell)
        return math.exp(sum(map(math.log, known)) / len(known)) * _units(cell)

    def next(self, waiting: Iterable[Cell], seconds_left: float | None) -> Cell | None:
        """The cell to run next, or None if none of them would be finished in the seconds that are left."""
        fitting = [cell for cell in waiting if seconds_left is None or self.seconds(cell) <= seconds_left]
        return min(fitting, key=lambda cell: (cell.seed, self.seconds(cell)), default=None)


def _units(cell: Cell) -> float:
    return max(cell.length * cell.stream.features, 1)
