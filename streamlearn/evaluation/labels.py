"""Labels that come late: which rows a learner may learn before it predicts which others."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from ..batch import Batch
from ..durations import PATTERN, parse_duration
from ..errors import InputError, OptionError
from ..source import ROWS_PER_BATCH


@dataclass(frozen=True, slots=True)
class Delay:
    """When a label becomes known: so many rows or seconds after its row, or when the stream says (both None)."""

    rows: int | None = None
    seconds: float | None = None

    def times(self, batch: Batch, first: int) -> tuple[np.ndarray, np.ndarray]:
        """For each row, numbered from ``first`` on, when its label is known, and the time at which it is predicted.

        Raises
        ------
        InputError
            If the stream has no event times, or no label times, and they are needed.
        """
        numbers = np.arange(first, first + len(batch), dtype=np.float64)
        if self.rows is not None:
            return numbers + self.rows, numbers
        times = batch.event_time
        if times is None or np.isnan(times).any():
            raise InputError(
                "a delay by time needs the event time of every row: name its column (event_time=…, --event-time)"
            )
        if self.seconds is not None:
            return times + self.seconds, times
        if batch.label_time is None:
            raise InputError("delay='stream' needs a stream that knows when its labels come: this one does not")
        return batch.label_time, times


def parse_delay(value: Any) -> Delay | None:
    """A delay as people write it; None for labels that come at once.

    Parameters
    ----------
    value
        None or 0; a whole number of rows; a `timedelta`, or text such as ``"250ms"``, ``"90s"``, ``"5min"``, ``"2h"``,
        ``"7d"``; or ``"stream"``, for a stream whose rows say when their labels come.

    Raises
    ------
    OptionError
        If it is none of these.

    Examples
    --------
    >>> parse_delay(1000), parse_delay("5min"), parse_delay("0")
    (Delay(rows=1000, seconds=None), Delay(rows=None, seconds=300.0), None)
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = f"{value.total_seconds()}s"
    text = str(value).strip()
    if text == "stream":
        return Delay()
    if text.isdigit() and not isinstance(value, bool):
        return Delay(rows=int(text)) if int(text) else None
    if re.fullmatch(PATTERN, text) is None:
        raise OptionError(
            f"delay must be a number of rows, a time such as '90s', '5min', '2h' or '7d', or 'stream'; got {value!r}"
        )
    return Delay(seconds=parse_duration(text))


@dataclass(slots=True)
class Step:
    """What happens while a batch of new rows is predicted.

    Attributes
    ----------
    batch : Batch
        The earlier rows whose labels arrive meanwhile, then the new rows.
    late : int
        How many of them are earlier ones.
    teach : float64 [rows, folds]
        The weight with which each fold learns a row; 0 if it does not.
    test : bool [rows, folds]
        Whether a fold is tested on a row.
    order : int64 [m]
        The rows whose labels arrive, in the order in which they do.
    before : int64 [m]
        How many of the new rows are predicted before each of these labels arrives, rising.
    kept : list of (int, int64 [k])
        Where the earlier rows were new: the number of that step, and their places among its new rows.
    number : int
        Of this step.
    done : list of int
        Earlier steps of which no row waits any longer.
    """

    batch: Batch
    late: int
    teach: np.ndarray
    test: np.ndarray
    order: np.ndarray
    before: np.ndarray
    kept: list[tuple[int, np.ndarray]]
    number: int
    done: list[int]


@dataclass(slots=True)
class _Piece:
    """The new rows of one step, some of which still wait for their labels."""

    number: int
    first: int
    batch: Batch
    teach: np.ndarray
    test: np.ndarray
    due: np.ndarray
    waits: np.ndarray


class LateLabels:
    """Rows that wait for their labels.

    A label that is due at time t is there before the first row at time t or later is predicted. Time does not go back:
    a row that is older than one before it is predicted at the latter's time. Labels that are due at once follow their
    row's prediction, and equal times keep the order of the rows; how rows are cut into batches changes nothing.

    Parameters
    ----------
    delay : Delay or None
        None: labels come at once.
    """

    def __init__(self, delay: Delay | None) -> None:
        self._delay = delay
        self._pieces: deque[_Piece] = deque()
        self._rows, self._steps = 0, 0
        self._now = -np.inf

    def take(self, batch: Batch, teach: np.ndarray, test: np.ndarray) -> Step:
        """The step in which a batch is predicted; ``teach`` and ``test`` are as in `Step`."""
        n = len(batch)
        numbers = np.arange(n)
        if self._delay is None:
            due = now = np.arange(self._rows, self._rows + n, dtype=np.float64)
        else:
            due, now = self._delay.times(batch, self._rows)
        now = np.maximum.accumulate(np.maximum(now, self._now))
        self._now = now[-1]
        at = np.where(due <= now, numbers + 1, np.maximum(np.searchsorted(now, due), numbers + 1))
        waits = (at >= n) & (due > now)
        piece = _Piece(self._steps, self._rows, batch, teach, test, due, waits)
        arrivals = [
            (old, places, np.searchsorted(now, old.due[places]))
            for old in self._pieces
            if len(places := np.flatnonzero(old.waits & (old.due <= self._now)))
        ]
        known = np.flatnonzero(~waits)
        step = self._step(arrivals, piece, known, at[known])
        self._pieces.append(piece)
        self._forget(step)
        self._rows += n
        return step

    def finish(self) -> Iterator[Step]:
        """The steps in which all that still wait get their labels, in order of their times, and none is predicted."""
        waiting = [(piece, np.flatnonzero(piece.waits)) for piece in self._pieces]
        order = sorted(
            ((piece.due[place], piece.first + place, i, place) for i, (piece, places) in enumerate(waiting)
             for place in places)
        )  # fmt: skip
        nothing = Batch(self._pieces[-1].batch.schema, self._pieces[-1].batch.X[:0]) if self._pieces else None
        for start in range(0, len(order), ROWS_PER_BATCH):
            chosen = order[start : start + ROWS_PER_BATCH]
            arrivals = []
            for i, (piece, _) in enumerate(waiting):
                places = np.array(sorted(place for _, _, which, place in chosen if which == i), np.int64)
                if len(places):
                    arrivals.append((piece, places, np.zeros(len(places), np.int64)))
            assert nothing is not None
            folds = self._pieces[-1].teach.shape[1]
            none = np.zeros((0, folds))
            empty = _Piece(self._steps, self._rows, nothing, none, none.astype(bool), np.zeros(0), np.zeros(0, bool))
            step = self._step(arrivals, empty, np.zeros(0, np.int64), np.zeros(0, np.int64))
            self._forget(step)
            yield step

    def _step(
        self,
        arrivals: list[tuple[_Piece, np.ndarray, np.ndarray]],
        new: _Piece,
        known: np.ndarray,
        known_before: np.ndarray,
    ) -> Step:
        """Put the earlier rows in front of the new ones, and the labels in order."""
        parts = [(piece, places) for piece, places, _ in arrivals]
        late = sum(len(places) for _, places in parts)
        before = np.concatenate([*(at for _, _, at in arrivals), known_before])
        due = np.concatenate([*(piece.due[places] for piece, places in parts), new.due[known]])
        row = np.concatenate([*(piece.first + places for piece, places in parts), new.first + known])
        index = np.concatenate([np.arange(late), late + known])
        order = np.lexsort((row, due, before))
        for piece, places in parts:
            piece.waits[places] = False
        self._steps += 1
        return Step(
            batch=_joined([(piece.batch, places) for piece, places in parts], new.batch),
            late=late,
            teach=np.concatenate([*(piece.teach[places] for piece, places in parts), new.teach]),
            test=np.concatenate([*(piece.test[places] for piece, places in parts), new.test]),
            order=index[order],
            before=before[order],
            kept=[(piece.number, places) for piece, places in parts],
            number=new.number,
            done=[],
        )

    def _forget(self, step: Step) -> None:
        """Drop the pieces of which no row waits."""
        done = [piece for piece in self._pieces if not piece.waits.any()]
        step.done = [piece.number for piece in done]
        self._pieces = deque(piece for piece in self._pieces if piece.waits.any())


def _joined(parts: list[tuple[Batch, np.ndarray]], new: Batch) -> Batch:
    """Rows of earlier batches, then a whole one; fields that came later are missing in the earlier rows."""
    if not parts:
        return new
    width = max(new.X.shape[1], *(batch.X.shape[1] for batch, _ in parts))
    n = sum(len(places) for _, places in parts) + len(new)
    X = np.full((n, width), np.nan)
    y: list[np.ndarray] | None = [] if new.y is not None or any(batch.y is not None for batch, _ in parts) else None
    weight: list[np.ndarray] = []
    start = 0
    for batch, places in [*parts, (new, np.arange(len(new)))]:
        stop = start + len(places)
        X[start:stop, : batch.X.shape[1]] = batch.X[places]
        if y is not None and batch.y is not None:
            y.append(batch.y[places])
        weight.append(np.ones(len(places)) if batch.weight is None else batch.weight[places])
        start = stop
    weighted = new.weight is not None or any(batch.weight is not None for batch, _ in parts)
    return Batch(
        new.schema,
        X,
        None if y is None else np.concatenate(y),
        np.concatenate(weight) if weighted else None,
    )
