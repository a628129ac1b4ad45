"""Drift of the inputs alone: the numbers that a sensor shows change their zero or their scale."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from streamlearn.batch import Batch
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.source import Drift, Source

from .modifier import Modifier, columns_of
from .recurrence import checked_positions


class InputDrift(Modifier):
    """A source whose numbers x become ``gain x + offset`` at some rows, and x again at others; targets stay.

    Parameters
    ----------
    source : Source
    positions : sequence of int
        Rows at which the numbers change, ascending: at the first they become ``gain x + offset``, at the second x
        again, and so on.
    gain, offset : float
        -1e6 … 1e6; the offset in the fields' own unit.
    fields : sequence of names, optional
        Which fields; by default all that are numeric.

    Raises
    ------
    OptionError
        If the positions don't ascend, or a field is nominal.

    Examples
    --------
    >>> from streamlearn.connectors.generators import InputDrift, Memory
    >>> stream = InputDrift(Memory(), offset=1.5, positions=(500,))
    >>> stream.drifts
    (Drift(row=500, width=0),)
    >>> batch = stream.poll(1000)
    >>> bool(batch.X[:500].mean() < 0.1), bool(batch.X[500:].mean() > 1.4)
    (True, True)
    """

    def __init__(
        self,
        source: Source,
        *,
        positions: Sequence[int],
        gain: float = 1.0,
        offset: float = 0.0,
        fields: Sequence[Hashable] | None = None,
    ) -> None:
        check_range("gain", gain, -1e6, 1e6)
        check_range("offset", offset, -1e6, 1e6)
        super().__init__(source, seed=0)
        kinds = [field.kind for field in source.schema.fields]
        columns = columns_of(source, fields).tolist()
        for column in columns if fields is not None else ():
            if kinds[column] == "nominal":
                raise OptionError(f"{source.schema.names[column]!r} is nominal: its categories have no scale to drift")
        self.positions = checked_positions(positions)
        self.gain, self.offset, self.fields = gain, offset, fields
        self._columns = [column for column in columns if kinds[column] == "numeric"]
        own = [Drift(row) for row in self.positions]
        self.drifts = tuple(sorted([*source.drifts, *own], key=lambda drift: drift.row))

    def _change(self, batch: Batch, first: int) -> None:
        stop = first + len(batch)
        bounds = [*self.positions[1::2], stop] if len(self.positions) % 2 else self.positions[1::2]
        X = batch.X.copy()
        for start, end in zip(self.positions[::2], bounds, strict=True):
            rows = slice(max(start - first, 0), max(end - first, 0))
            X[rows, self._columns] = self.gain * X[rows, self._columns] + self.offset
        batch.X = X
