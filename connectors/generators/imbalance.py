"""Class proportions as one wants them, fixed or changing, in any source."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from streamlearn.batch import Batch
from streamlearn.compiled import inlined, kernel
from streamlearn.errors import InputError, OptionError
from streamlearn.parameters import check_range
from streamlearn.random import restart, uniform
from streamlearn.source import ROWS_PER_BATCH, Drift, Source, checked_position

from .concept_drift import share_after
from .generator import MAX_ROWS, MAX_SEED, call_of, key, rewind

PATIENCE = 1_000_000
"""Rows of the source in which a class that is wanted must turn up."""


class ClassImbalance(Source):
    """A source whose classes come in the proportions that are asked for, by leaving out rows.

    For each row a class is drawn by the proportions; rows of the source are left out until one of that class comes. A
    change of the proportions over time is a change from ``proportions`` to ``then``, as sharp or gradual as in
    `ConceptDrift`. Drifts of the source itself are not told, since the row at which they come depends on what is drawn:
    change concepts outside, with a `ConceptDrift` of two such sources.

    A position tells the source's row too, so that going there is quick; going to ``{"row": n}`` alone walks there from
    the start.

    Parameters
    ----------
    source : Source
        With a nominal target whose classes are known beforehand. It must be able to go to a row.
    proportions : dict
        By class label, >= 0, in any unit; classes that are not named are left out.
    then : dict, optional
        The later proportions.
    position, width : int
        Centre and width of the change to ``then``.
    seed : int
        Of what is drawn here.

    Raises
    ------
    OptionError
        If a class is unknown, or no proportion is positive.
    InputError
        While reading, if a wanted class does not come in a million rows of the source.

    Examples
    --------
    >>> from streamlearn.connectors.generators import ClassImbalance, SEA
    >>> source = ClassImbalance(SEA(), proportions={"groupA": 1, "groupB": 99})
    >>> round(float(source.poll(20_000).y.mean()), 2)
    0.99
    """

    def __init__(
        self,
        source: Source,
        *,
        proportions: Mapping[Hashable, float],
        then: Mapping[Hashable, float] | None = None,
        position: int = 0,
        width: int = 1,
        seed: int = 1,
    ) -> None:
        check_range("position", position, 0, MAX_ROWS, kind=int)
        check_range("width", width, 0, MAX_ROWS, kind=int)
        check_range("seed", seed, 0, MAX_SEED, kind=int)
        self.source, self.proportions, self.then, self.seed = source, proportions, then, seed
        self.name, self.schema, self.bounded = source.name, source.schema, source.bounded
        self._early = _summed("proportions", proportions, source)
        self._late = self._early if then is None else _summed("then", then, source)
        self._position, self._width = position, width
        self.drifts = () if then is None else (Drift(position, width),)
        self._key = key(seed, stream=5)
        self._go(0, 0)

    def __repr__(self) -> str:
        return call_of(self)

    def _go(self, row: int, used: int) -> None:
        self._next, self._used, self._since = row, used, 0
        self._held: Batch | None = None  # polled, the first row of it not yet looked at
        if used == 0:
            rewind(self.source)
        else:
            self.source.seek({"row": used})

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        while True:
            if self._held is None:
                self._held = self.source.poll(ROWS_PER_BATCH, timeout)
                if self._held is None:
                    return None
            held, self._held = self._held, None
            if held.y is None:
                raise InputError(f"{self.name}: rows without targets have no classes to choose by")
            picked = np.empty(min(max_rows, len(held)), np.int64)
            found, looked = _pick(
                self._key, self._next, held.y, self._early, self._late, self._position, self._width, picked
            )
            self._used += looked
            if looked < len(held):
                self._held = held.slice(looked, len(held))
            if found:
                self._next, self._since = self._next + found, 0
                return self._chosen(held, picked[:found])
            self._since += looked
            if self._since > PATIENCE:
                raise InputError(
                    f"{self.name}: no row of the class wanted at row {self._next} in {PATIENCE:,} rows of the source: "
                    "leave out of the proportions what it doesn't have"
                )

    def _chosen(self, held: Batch, picked: np.ndarray) -> Batch:
        def chosen(column: Any) -> Any:
            return None if column is None else column.take(picked)

        return Batch(
            self.schema,
            held.X[picked],
            chosen(held.y),
            chosen(held.weight),
            chosen(held.id),
            chosen(held.event_time),
            chosen(held.label_time),
            position=self.position(),
        )

    def position(self) -> dict[str, int]:
        return {"row": self._next, "used": self._used}

    def seek(self, position: Any) -> None:
        row = checked_position(position, None)
        used = position.get("used")
        if used is not None:
            self._go(row, checked_position({"row": used}, self.source.rows))
            return
        if row < self._next:
            self._go(0, 0)
        while self._next < row:
            if self.poll(min(ROWS_PER_BATCH, row - self._next)) is None:
                raise InputError(f"can't seek to {position!r}: the stream ends at row {self._next}")

    def close(self) -> None:
        self.source.close()


def _summed(option: str, proportions: Mapping[Hashable, float], source: Source) -> np.ndarray:
    """Proportions by class code, summed up, the last being 1."""
    known = source.schema.classes
    for label, share in proportions.items():
        if label not in known:
            raise OptionError(f"{option}: unknown class {label!r}; the classes are {', '.join(map(str, known))}")
        check_range(f"{option}[{label!r}]", share, 0, 1e300)
    shares = np.array([float(proportions.get(label, 0.0)) for label in known])
    if not 0 < shares.sum() < np.inf:
        raise OptionError(f"{option}: name at least one class with a proportion above 0")
    summed = np.cumsum(shares)
    return np.asarray(summed / summed[-1])


@inlined
def _wanted(
    state: np.ndarray, key: np.uint64, row: int, early: np.ndarray, late: np.ndarray, position: int, width: int
) -> int:
    """The class that a row is to have."""
    restart(state, key, row)
    change = share_after(row, position, width)
    drawn = uniform(state)
    c = 0
    while drawn >= early[c] + change * (late[c] - early[c]):  # the last sum is 1
        c += 1
    return c


@kernel
def _pick(
    key: np.uint64,
    row: int,
    y: np.ndarray,
    early: np.ndarray,
    late: np.ndarray,
    position: int,
    width: int,
    picked: np.ndarray,
) -> tuple[int, int]:
    """Choose among labels ``y`` for the rows from ``row`` on; how many were found, how many looked at."""
    state = np.empty(4, np.uint64)
    found = looked = 0
    while found < len(picked):
        wanted = _wanted(state, key, row + found, early, late, position, width)
        while looked < len(y) and y[looked] != wanted:
            looked += 1
        if looked == len(y):
            break
        picked[found] = looked
        found, looked = found + 1, looked + 1
    return found, looked
