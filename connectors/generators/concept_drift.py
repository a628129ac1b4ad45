"""Streams behind each other: one concept gives way to the next, at once or little by little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from streamlearn.batch import Batch
from streamlearn.compiled import inlined, kernel
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.random import restart, uniform
from streamlearn.source import ROWS_PER_BATCH, Drift, Source, checked_position

from .common_schema import Translation, common_schema
from .generator import MAX_ROWS, MAX_SEED, call_of, key, rewind

CERTAIN = 10.0
"""Widths from the centre beyond which the choice is certain: the chance of the other side is below 2**-53."""


class ConceptDrift(Source):
    """A stream that changes from one source to another.

    Row n, counted from 1, comes from ``after`` with the probability ``1 / (1 + exp(-4 (n - position) / width))``, else
    from ``before``. A source goes on only when a row is drawn from it. Either may be a ConceptDrift itself, so that
    concepts follow each other; see `concepts`.

    Going to a row draws the choices of at most 20 widths again (some 10 ns each) and no rows.

    Parameters
    ----------
    before, after : Source
        With the same fields and the same kind of target; their classes and categories are united. Both must be able to
        go to a row.
    position : int
        The centre of the change, >= 0.
    width : int
        Rows that the change takes, >= 0; 0 switches between row ``position`` and the next.
    seed : int
        Of the choices.
    rows : int or None
        Where the stream ends; by default where a row is drawn from a source that has no more.
    name : str
        What to call the stream.

    Raises
    ------
    OptionError
        If a parameter is out of range.
    SchemaError
        If the sources' fields or targets differ; the message names the field.

    Examples
    --------
    >>> from streamlearn.connectors.generators import ConceptDrift, SEA
    >>> stream = ConceptDrift(SEA(function=1), SEA(function=2, seed=2), position=5000, width=1000)
    >>> stream.drifts
    (Drift(row=5000, width=1000),)
    >>> stream.seek({"row": 4_999})
    >>> len(stream.poll(10))
    10

    References
    ----------
    Bifet et al., "New ensemble methods for evolving data streams", KDD 2009; MOA's ``ConceptDriftStream``. There a
    row's chance of the less likely source is never 0; here it is, where it is below 2**-53.
    """

    def __init__(
        self,
        before: Source,
        after: Source,
        *,
        position: int,
        width: int = 1,
        seed: int = 1,
        rows: int | None = None,
        name: str = "concept_drift",
    ) -> None:
        check_range("position", position, 0, MAX_ROWS, kind=int)
        check_range("width", width, 0, MAX_ROWS, kind=int)
        check_range("seed", seed, 0, MAX_SEED, kind=int)
        if rows is not None:
            check_range("rows", rows, 0, MAX_ROWS, kind=int)
        self.name, self.rows = name, rows
        self.bounded = rows is not None or before.bounded or after.bounded
        self.before, self.after, self.width, self.seed = rewind(before), rewind(after), width, seed
        self.schema = common_schema(before.schema, after.schema)
        self._translations = Translation(before.schema, self.schema), Translation(after.schema, self.schema)
        self._position = position
        self._key = key(seed, stream=2)
        self._next = 0
        self.drifts = self._all_drifts()

    def __repr__(self) -> str:
        return call_of(self)

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        n = max_rows if self.rows is None else min(max_rows, self.rows - self._next)
        if n <= 0:
            return None
        from_after = np.empty(n, np.bool_)
        n_after = int(_choose(self._key, self._next, self._position, self.width, from_after))
        try:
            before = _exactly(self.before, n - n_after, timeout)
            after = _exactly(self.after, n_after, timeout)
        except BaseException:
            self.seek(self.position())  # neither side may be ahead of the other
            raise
        n = _complete(from_after, len(before or ()), len(after or ()))
        if n < len(from_after):
            self.rows = self._next + n  # a source has no more
        self._next += n
        return self._merged(before, after, from_after[:n]) if n else None

    def _merged(self, before: Batch | None, after: Batch | None, from_after: np.ndarray) -> Batch:
        """The rows of both sides in the order in which they were drawn."""
        n_after = int(from_after.sum())
        n_before = len(from_after) - n_after
        sides = [
            translation(part.slice(0, n))
            for part, n, translation in zip((before, after), (n_before, n_after), self._translations, strict=True)
            if part is not None and n
        ]
        whole = sides[0] if len(sides) == 1 else _interleaved(sides[0], sides[1], from_after)
        whole.schema, whole.position = self.schema, self.position()
        return whole

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        row = checked_position(position, self.rows)
        n_after = int(_count(self._key, row, self._position, self.width))
        self.before.seek({"row": row - n_after})
        self.after.seek({"row": n_after})
        self._next = row

    def close(self) -> None:
        self.before.close()
        self.after.close()

    def _all_drifts(self) -> tuple[Drift, ...]:
        """This change, and those of the sources that come while most rows are drawn from them."""
        found = [Drift(self._position, self.width)]
        for drift in self.before.drifts:
            row = _row_of(drift.row, lambda n: n - self._expected_after(n), self._position)
            if row < self._position:
                found.append(Drift(row, drift.width))
        for drift in self.after.drifts:
            row = _row_of(drift.row, self._expected_after, self._position)
            if row > self._position:
                found.append(Drift(row, drift.width))
        return tuple(sorted(found, key=lambda drift: drift.row))

    def _expected_after(self, row: int) -> float:
        """How many of the first ``row`` rows come from ``after``, on average."""
        past = row - self._position
        if self.width == 0:
            return max(past, 0)
        x = 4.0 * past / self.width
        return past if x > 500 else math.log1p(math.exp(x)) * self.width / 4.0


def concepts(
    sources: Sequence[Source],
    positions: Sequence[int],
    widths: int | Sequence[int] = 1,
    *,
    seed: int = 1,
    rows: int | None = None,
    name: str = "concepts",
) -> Source:
    """Sources behind each other as nested `ConceptDrift` streams, the first change innermost.

    Parameters
    ----------
    sources
        One a concept, at least two. For a recurring concept give a second source of the same kind; the same object
        can't be at two rows.
    positions
        The centres of the changes, ascending, one less than there are sources.
    widths
        Rows that the changes take; one number for all, or one each.
    seed, rows, name
        As of `ConceptDrift`.

    Raises
    ------
    OptionError
        If the numbers don't fit each other.

    Examples
    --------
    >>> from streamlearn.connectors.generators import ConceptDrift, SEA, concepts
    >>> stream = concepts([SEA(function=1), SEA(function=3), SEA(function=1, seed=2)], [1000, 2000], 50)
    >>> [drift.row for drift in stream.drifts]
    [1000, 2000]
    """
    widths = [widths] * len(positions) if isinstance(widths, int) else list(widths)
    if len(sources) < 2:
        raise OptionError(f"a drift needs two concepts at least, got {len(sources)}")
    if len(positions) != len(sources) - 1 or len(widths) != len(positions):
        raise OptionError(f"{len(sources)} concepts need {len(sources) - 1} positions, and as many widths or one")
    if list(positions) != sorted(set(positions)):
        raise OptionError(f"the positions must ascend, got {', '.join(map(str, positions))}")
    if len({id(source) for source in sources}) < len(sources):
        raise OptionError("a source is there twice: give a second one of the same kind, perhaps with another seed")
    whole = sources[0]
    for level, (source, position, width) in enumerate(zip(sources[1:], positions, widths, strict=True)):
        outermost: dict[str, Any] = {"rows": rows, "name": name} if level == len(positions) - 1 else {}
        own = (seed + level) % MAX_SEED  # the choices of one level must not be those of the next
        whole = ConceptDrift(whole, source, position=position, width=width, seed=own, **outermost)
    return whole


def _exactly(source: Source, rows: int, timeout: float) -> Batch | None:
    """So many rows of the source in one batch; fewer only at its end."""
    got: list[Batch] = []
    while rows > 0:
        batch = source.poll(rows, timeout)
        if batch is None:
            break
        got.append(batch)
        rows -= len(batch)
    return None if not got else got[0] if len(got) == 1 else _joined(got)


def _complete(from_after: np.ndarray, n_before: int, n_after: int) -> int:
    """How many rows there are up to the first whose side has no more than these rows."""
    n = len(from_after)
    if n_before + n_after == n:
        return n
    for is_after, count in ((False, n_before), (True, n_after)):
        rows = np.flatnonzero(from_after == is_after)
        if count < len(rows):
            n = min(n, int(rows[count]))
    return n


def _joined(batches: list[Batch]) -> Batch:
    """Batches of one source as one."""
    width = max(batch.X.shape[1] for batch in batches)
    X = np.full((sum(map(len, batches)), width), np.nan)
    start = 0
    for batch in batches:
        X[start : start + len(batch), : batch.X.shape[1]] = batch.X
        start += len(batch)

    def all_of(column: str) -> Any:
        values = [getattr(batch, column) for batch in batches]
        if any(value is None for value in values):
            return None
        return pa.concat_arrays(values) if column == "id" else np.concatenate(values)

    return Batch(batches[-1].schema, X, **{column: all_of(column) for column in _COLUMNS})


def _interleaved(before: Batch, after: Batch, from_after: np.ndarray) -> Batch:
    """Rows of both, in the order in which they were drawn; a column that one of them lacks is dropped."""
    order = np.empty(len(from_after), np.int64)
    order[~from_after] = np.arange(len(before))
    order[from_after] = len(before) + np.arange(len(after))
    whole = _joined([before, after])
    columns = {name: getattr(whole, name) for name in _COLUMNS}
    taken = {name: None if values is None else values.take(order) for name, values in columns.items()}
    return Batch(whole.schema, whole.X[order], **taken)


_COLUMNS = ("y", "weight", "id", "event_time", "label_time")


def _row_of(row: int, count: Any, start: int) -> int:
    """The first n at which ``count(n)``, which ascends, rounds to ``row``; a number far behind ``start`` if none."""
    low, high = 0, 2 * (start + row) + 2
    while low < high:
        middle = (low + high) // 2
        if count(middle) >= row - 0.5:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def share_after(row: int, position: int, width: int) -> float:
    """The probability that a row, counted from 0, comes from the second side."""
    past = row + 1 - position
    if past > CERTAIN * width:
        return 1.0
    if past < -CERTAIN * width or width == 0:
        return 0.0
    return 1.0 / (1.0 + math.exp(-4.0 * past / width))


@inlined
def _is_after(state: np.ndarray, key: np.uint64, row: int, position: int, width: int) -> bool:
    share = share_after(row, position, width)
    if 0.0 < share < 1.0:
        restart(state, key, row)
        return uniform(state) < share
    return share == 1.0


@inlined
def _open_rows(first: int, end: int, position: int, width: int) -> tuple[int, int]:
    """Which of the rows ``first … end - 1`` are drawn: those before are certain to be old, those behind to be new."""
    band = math.ceil(CERTAIN * width)
    start = min(max(first, position - 1 - band), end)
    return start, max(start, min(end, position + band))


@kernel
def _choose(key: np.uint64, first: int, position: int, width: int, from_after: np.ndarray) -> int:
    """Draw which side the rows from ``first`` on come from; how many come from the second."""
    state = np.empty(4, np.uint64)
    start, stop = _open_rows(first, first + len(from_after), position, width)
    from_after[: start - first] = False
    from_after[stop - first :] = True
    count = first + len(from_after) - stop
    for row in range(start, stop):
        is_after = _is_after(state, key, row, position, width)
        from_after[row - first] = is_after
        count += is_after
    return count


@kernel
def _count(key: np.uint64, rows: int, position: int, width: int) -> int:
    """How many of the first ``rows`` rows come from the second side."""
    state = np.empty(4, np.uint64)
    start, stop = _open_rows(0, rows, position, width)
    count = rows - stop
    for row in range(start, stop):
        count += _is_after(state, key, row, position, width)
    return count
