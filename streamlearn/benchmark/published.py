"""What a paper published for the benchmark's streams, to stand beside what is measured here."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Figure(NamedTuple):
    """A published accuracy in percent; its standard deviation is None where the paper gives none."""

    accuracy: float
    std: float | None


class Published(NamedTuple):
    """A paper's table.

    Parameters
    ----------
    source
        Which paper.
    notes
        How the figures were come by.
    accuracy
        By stream and by the learner's label in the benchmark's own line-up.
    """

    source: str
    notes: tuple[str, ...]
    accuracy: dict[str, dict[str, Figure]]


@cache
def published() -> Published:
    """The table of the paper whose protocol this benchmark follows.

    Examples
    --------
    >>> published().accuracy["led_a"]["DriftMoE-data"]
    Figure(accuracy=73.77, std=0.18)
    """
    table = json.loads(files(__package__).joinpath("published.json").read_text(encoding="utf-8"))
    return Published(
        table["source"],
        (table["exact"], table["read"]),
        {
            stream: {
                label: Figure(*entry) if isinstance(entry, list) else Figure(entry, None)
                for label, entry in row.items()
            }
            for stream, row in table["accuracy"].items()
        },
    )
