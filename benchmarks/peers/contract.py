"""What the benchmark asks of a contestant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from streams import Stream


class Round(NamedTuple):
    """One test-then-train pass over the rows.

    Attributes
    ----------
    seconds
        Wall time of the pass; making the learner and preparing the rows are not in it.
    accuracy
        Share of rows predicted right before they were learned.
    """

    seconds: float
    accuracy: float


@dataclass(frozen=True)
class Ready:
    """A contestant whose rows are prepared.

    Parameters
    ----------
    run
        Makes a fresh learner and takes it over all rows.
    warm_up
        What makes the first pass as fast as later ones (compilation, a cache); None where nothing does.
    """

    run: Callable[[], Round]
    warm_up: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Peer:
    """A contestant.

    Parameters
    ----------
    title
        What tables and pictures call it.
    learners
        The contest's names of the learners it has.
    prepare
        Called in a process of its own with the stream's folder (see `streams.Stream.load`), the number of rows and the
        learner.
    write
        Writes the file it needs into the folder beforehand, in another process.
    packages
        Distributions whose versions a report names.
    """

    title: str
    learners: tuple[str, ...]
    prepare: Callable[[Path, int, str], Ready]
    write: Callable[[Stream, Path], None] | None = None
    packages: tuple[str, ...] = ()
