"""How large a model was along the stream, and what its memory cost over time."""

from __future__ import annotations

import math

import pyarrow as pa

SECONDS_PER_HOUR = 3600.0
GIGABYTE = 2.0**30  # as MOA counts them


class Memory:
    """Sizes of one model, taken batch by batch.

    Examples
    --------
    >>> memory = Memory()
    >>> memory.sample(row=8192, size=2**30, seconds=1800.0)
    >>> memory.sample(row=16384, size=2**31, seconds=1800.0)
    >>> memory.ram_hours, memory.curve().column("model_bytes").to_pylist()
    (1.5, [1073741824, 2147483648])

    References
    ----------
    Bifet, A., Holmes, G., Pfahringer, B., Frank, E. (2010). Fast perceptron decision tree learning from evolving data
    streams. PAKDD (RAM-hours).
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._sizes: list[int] = []
        self._ram_hours = 0.0

    def sample(self, row: int, size: int, seconds: float) -> None:
        """Note the model's size in bytes after so many rows; it counts for the seconds since the last sample.

        A size of 0 says that it isn't known.
        """
        if size > 0:
            self._rows.append(row)
            self._sizes.append(size)
            self._ram_hours += size / GIGABYTE * (seconds / SECONDS_PER_HOUR)

    @property
    def ram_hours(self) -> float:
        """Gigabytes times hours; NaN where no size was known."""
        return self._ram_hours if self._sizes else math.nan

    def curve(self) -> pa.Table | None:
        """Columns ``row`` and ``model_bytes`` (int64); None where no size was known."""
        if not self._sizes:
            return None
        return pa.table({"row": pa.array(self._rows, pa.int64()), "model_bytes": pa.array(self._sizes, pa.int64())})
