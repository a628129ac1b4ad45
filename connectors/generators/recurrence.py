"""The base of streams whose next value follows from the ones before: difference and differential equations."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.schema import Schema
from streamlearn.source import ROWS_PER_BATCH, Drift

from .generator import MAX_ROWS, Generator


class Recurrence(Generator):
    """Base of streams cut out of a series that is made value by value, in order.

    Row n has the series' columns ``inputs`` at time n, and as its target the column ``target`` at time ``n + lead``.
    The series depends on the parameters and the seed alone; going to a later row makes the values between, going back
    makes them from the start.

    The series may have two regimes that take turns: it changes from the one to the other at each of ``positions``,
    going on from where it is.

    Parameters
    ----------
    schema
        Fields and target.
    width, inputs, target, lead
        Columns of the series, those that are fields, the one that is the target, and how far ahead it is taken.
    positions
        Times at which the regime changes, ascending.
    seed
        Of the series; 0 … 2**64 - 1.
    rows
        Where the stream ends; None for one that doesn't.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        width: int,
        inputs: Sequence[int],
        target: int,
        lead: int,
        positions: Sequence[int],
        seed: int,
        rows: int | None,
    ) -> None:
        super().__init__(schema, seed=seed, rows=rows)
        self.positions = checked_positions(positions)
        self.drifts = tuple(Drift(row) for row in self.positions)
        self._width, self._inputs, self._target, self._lead = width, list(inputs), target, lead
        self._start()

    @abstractmethod
    def _begin(self) -> None:
        """Be where the series starts."""

    @abstractmethod
    def _advance(self, first: int, series: np.ndarray, regime: int) -> None:
        """Write the values of the times from ``first`` on into ``series``, float64 [n, width]; regime 0 or 1."""

    def _start(self) -> None:
        self._begin()
        self._made = 0
        self._kept = self._make(self._lead)

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        if first < self._made - self._lead:
            self._start()
        while (between := first - (self._made - self._lead)) > 0:
            self._extend(min(between, ROWS_PER_BATCH))
        series = self._extend(len(X))
        X[:] = series[: len(X), self._inputs]
        y[:] = series[self._lead :, self._target]

    def _extend(self, n: int) -> np.ndarray:
        """Make ``n`` further values; they and the ``lead`` before them, float64 [lead + n, width]."""
        series = np.concatenate([self._kept, self._make(n)])
        self._kept = series[n:].copy()
        return series

    def _make(self, n: int) -> np.ndarray:
        """The next ``n`` values, a stretch between changes at a time."""
        series = np.empty((n, self._width))
        start, stop = self._made, self._made + n
        bounds = [start, *(row for row in self.positions if start < row < stop), stop]
        for first, last in itertools.pairwise(bounds):
            regime = sum(row <= first for row in self.positions) % 2
            self._advance(first, series[first - start : last - start], regime)
        self._made = stop
        return series


def checked_positions(positions: Sequence[int]) -> tuple[int, ...]:
    """Rows at which something changes, as a tuple.

    Raises
    ------
    OptionError
        If they don't ascend, or one is no row.
    """
    rows = tuple(positions)
    for row in rows:
        check_range("positions", row, 0, MAX_ROWS, kind=int)
    if list(rows) != sorted(set(rows)):
        raise OptionError(f"positions: the rows must ascend, got {positions!r}")
    return rows
