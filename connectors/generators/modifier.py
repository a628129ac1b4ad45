"""The base of what changes another source row by row: noise, missing values, late labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from streamlearn import registry
from streamlearn.batch import Batch
from streamlearn.parameters import check_range
from streamlearn.source import ROWS_PER_BATCH, Source, checked_position

from .generator import MAX_SEED, call_of, key, rewind


class Modifier(Source):
    """A source whose rows are those of another, each changed by itself.

    What is drawn for a row depends on the seed and the row's number alone: so it doesn't depend on batches, and going
    to a row is as quick as in the source below, which must be able to go to a row.

    Parameters
    ----------
    source
        Where the rows come from, from its start; its name, length and drifts are kept.
    seed
        Of what is drawn here; independent of the source's own.
    """

    def __init__(self, source: Source, *, seed: int) -> None:
        check_range("seed", seed, 0, MAX_SEED, kind=int)
        self.source, self.seed = rewind(source), seed
        self.name, self.rows, self.bounded = source.name, source.rows, source.bounded
        self.schema, self.drifts = source.schema, source.drifts
        self._key = key(seed, stream=4)
        self._next = 0

    def __repr__(self) -> str:
        return call_of(self)

    @abstractmethod
    def _change(self, batch: Batch, first: int) -> None:
        """Change the batch, whose first row is number ``first``; its arrays may be the source's own."""

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        polled = self.source.poll(max_rows, timeout)
        if polled is None:
            return None
        batch = polled.slice(0, len(polled))
        self._change(batch, self._next)
        self._next += len(batch)
        batch.position = self.position()
        return batch

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        row = checked_position(position, self.rows)
        self.source.seek({"row": row})
        self._next = row

    def close(self) -> None:
        self.source.close()


def columns_of(source: Source, fields: Sequence[Hashable] | None) -> np.ndarray:
    """Numbers of the named fields, int64; of all of them without names.

    Raises
    ------
    UnknownNameError
        If there is no such field; the message suggests near ones.
    """
    names = source.schema.names
    for name in fields or ():
        if name not in names:
            raise registry.unknown_name("field", str(name), map(str, names))
    return np.array([column for column, name in enumerate(names) if fields is None or name in fields], np.int64)
