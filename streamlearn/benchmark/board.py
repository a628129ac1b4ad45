"""What came of a benchmark, finished or not: results by stream and learner, ranks, and what a paper published."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..evaluation import statistics
from ..evaluation.comparison import Comparison
from ..evaluation.result import Result, Run
from .cell import METRICS, Finished, identity_of, is_current
from .folder import Folder
from .lineup import PAPER, Entry, Stream, default_streams, labels_by_call
from .published import Figure, published

MOST = 10
"""Failures that are told one by one."""


@dataclass(frozen=True)
class Place:
    """A learner on a stream: what its cells say together.

    Parameters
    ----------
    runs
        One a seed.
    seconds
        Of all its cells.
    is_current
        Whether the code that ran them is the code that is here now.
    """

    runs: Sequence[Run]
    seconds: float
    is_current: bool

    @property
    def seeds(self) -> int:
        """How many seeds it is the mean of."""
        return len(self.runs)

    def mean(self, metric: str) -> float:
        """Mean of a metric over the whole stream."""
        return float(np.mean([run.cumulative[metric] for run in self.runs]))

    def std(self, metric: str) -> float | None:
        """Sample standard deviation over the seeds; None for one seed."""
        values = [run.cumulative[metric] for run in self.runs]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    @property
    def rows_per_second(self) -> float:
        """Of all its seeds together, for predicting, learning and measuring, by the processor's clock.

        The wall's would count what else the machine did in the hours that a benchmark takes.
        """
        seconds = sum(run.cpu_seconds for run in self.runs)
        return sum(run.rows for run in self.runs) / seconds if seconds > 0.0 else math.nan

    @property
    def model_bytes(self) -> float:
        """The largest model, at its largest along the stream; NaN where unknown."""
        sizes = [max(run.memory.column("model_bytes").to_pylist()) for run in self.runs if run.memory is not None]
        return float(max(sizes, default=math.nan))

    @property
    def peak_bytes(self) -> float:
        """The most that the process held; NaN where unknown."""
        return float(max((run.peak_rss_bytes for run in self.runs if run.peak_rss_bytes is not None), default=math.nan))


@dataclass(kw_only=True)
class Board:
    """The state of a benchmark.

    Parameters
    ----------
    rows
        Of each stream at most; None for whole streams.
    streams, labels
        In the order in which they are shown.
    results
        By stream, each with the runs of those learners that have any.
    places
        By stream and label, where there is one.
    calls
        By label, the call that makes the learner.
    notes
        What is missing, what failed.
    """

    rows: int | None
    streams: list[str]
    labels: list[str]
    results: dict[str, Result]
    places: dict[tuple[str, str], Place]
    calls: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, out: str | os.PathLike[str], streams: Sequence[Stream] = (), entries: Sequence[Entry] = ()) -> Board:
        """The benchmark in a folder, finished or not.

        Parameters
        ----------
        out
        streams, entries
            Those to show; by default all that the folder has cells of.

        Raises
        ------
        InputError
            If there is no benchmark, or no cell of what is asked for.
        """
        folder = Folder(out, must_exist=True)
        failures = folder.failures()
        shown = failures if len(failures) <= MOST else [*failures[: MOST - 1], f"and {len(failures) - MOST + 1} more"]
        board = cls.of(folder, streams, entries, notes=[f"Failed: {line}" for line in shown])
        if not board.places:
            raise InputError(f"{folder.path} has no finished cell" + (" of these" if streams or entries else ""))
        return board

    @classmethod
    def of(
        cls, folder: Folder, streams: Sequence[Stream], entries: Sequence[Entry], notes: Sequence[str] = ()
    ) -> Board:
        """Put together what a folder has of streams and learners; of all of them, where none is named."""
        finished = folder.finished()
        by_call = _labels_by_call(entries, finished)
        by_stream = _streams_by_what(streams, finished)
        cells: dict[tuple[str, str], list[Finished]] = {}
        for done in finished:
            stream = by_stream.get((done.stream.name, done.stream.what))
            label = by_call.get(done.about["learner"])
            same_file = done.about["stream"] == identity_of(done.stream, done.about["seed"], done.about["rows"])
            if stream is not None and label is not None and same_file and done.about["rows"] == folder.rows:
                cells.setdefault((stream, label), []).append(done)
        places = {key: _place(key[1], cells[key]) for key in cells}
        names, labels = list(dict.fromkeys(by_stream.values())), list(dict.fromkeys(by_call.values()))
        results = {}
        for name in names:
            runs = [run for label in labels if (name, label) in places for run in places[name, label].runs]
            if runs:
                first = next(done.result for (stream, _), found in cells.items() if stream == name for done in found)
                results[name] = replace(first, stream=name, runs=runs, disagreements=[])
        return cls(
            rows=folder.rows,
            streams=names,
            labels=labels,
            results=results,
            places=places,
            calls={label: call for call, label in by_call.items()},
            notes=list(notes),
        )

    # -- what can be compared ---------------------------------------------------------------------------------------

    @property
    def present(self) -> list[str]:
        """The learners that have finished at least one cell."""
        return [label for label in self.labels if any((stream, label) in self.places for stream in self.streams)]

    @property
    def complete(self) -> list[str]:
        """The streams that all those learners have finished."""
        return [s for s in self.streams if self.present and all((s, label) in self.places for label in self.present)]

    @property
    def is_paper_complete(self) -> bool:
        """Whether the paper's nine streams are among these."""
        return set(PAPER) <= set(self.complete)

    def comparison(self) -> Comparison | None:
        """The complete streams as a comparison; None where there are fewer than two streams or learners."""
        if len(self.complete) < 2 or len(self.present) < 2:
            return None
        return Comparison(results=[self.results[stream] for stream in self.complete])

    def mean_ranks(self, streams: Sequence[str] | None = None) -> dict[str, float]:
        """Each learner's mean rank by accuracy over the complete streams, or over those named; empty if none is."""
        wanted = self.complete if streams is None else list(streams)
        if not wanted:
            return {}
        scores = [[self.places[stream, label].mean("accuracy") for label in self.present] for stream in wanted]
        ranks = statistics.average_ranks(np.array(scores)).mean(axis=0).tolist()
        return dict(sorted(zip(self.present, ranks, strict=True), key=lambda item: item[1]))

    def figure(self, stream: str, label: str) -> Figure | None:
        """What the paper published for a learner as it has it; None if nothing, or if this run is of other rows."""
        own = labels_by_call().get(self.calls[label], "")
        return published().accuracy.get(stream, {}).get(own) if self.rows is None else None

    # -- showing and files ------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from .tables import as_words

        return as_words(self)

    def write(self, out: str | os.PathLike[str], *, command: str | None = None, pictures: bool = True) -> list[str]:
        """Write tables, pictures and the report into a folder; the names of the files.

        Parameters
        ----------
        out
        command
            What was typed to get here, for the report.
        pictures
            Whether to draw, and to write the report, which holds drawings.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed, but for pictures.
        """
        from .writing import write_all

        return write_all(self, out, command=command, pictures=pictures)


def _place(label: str, found: Sequence[Finished]) -> Place:
    """One cell a seed, the newest; those of the present code, if there are any."""
    current = [done for done in found if is_current(done)]
    newest = {done.about["seed"]: done for done in current or found}
    chosen = [newest[seed] for seed in sorted(newest)]
    runs = [replace(done.result.runs[0], label=label, seed=done.about["seed"]) for done in chosen]
    return Place(runs, sum(done.seconds for done in chosen), bool(current))


def _labels_by_call(entries: Sequence[Entry], finished: Sequence[Finished]) -> dict[str, str]:
    """What to call each learner: by the line-up, or as it was called when it was run."""
    if entries:
        return {entry.call: entry.label for entry in entries}
    line_up = labels_by_call()
    calls = {done.about["learner"]: done.label for done in finished}
    labels: dict[str, str] = {}
    for call, given in calls.items():
        label = line_up.get(call, given)
        labels[call] = label if label not in labels.values() else call
    order = [*line_up, *(call for call in calls if call not in line_up)]
    return {call: labels[call] for call in order if call in labels}


def _streams_by_what(streams: Sequence[Stream], finished: Sequence[Finished]) -> dict[tuple[str, str], str]:
    """What to call each stream, by its name and what it is made of."""
    if streams:
        return {(stream.name, stream.what): stream.name for stream in streams}
    known = [(stream.name, stream.what) for stream in default_streams()]
    found = dict.fromkeys((done.stream.name, done.stream.what) for done in finished)
    names: dict[tuple[str, str], str] = {}
    for key in [*(key for key in known if key in found), *(key for key in found if key not in known)]:
        names[key] = key[0] if key[0] not in names.values() else f"{key[0]} ({key[1]})"
    return names


def summary(board: Board) -> list[dict[str, Any]]:
    """One dict a place: stream, learner, call, seeds, rows, each metric's mean and deviation, speed, memory, paper."""
    found = []
    for stream in board.streams:
        for label in board.labels:
            place = board.places.get((stream, label))
            if place is None:
                continue
            figure = board.figure(stream, label)
            entry: dict[str, Any] = {
                "stream": stream,
                "learner": label,
                "call": board.calls[label],
                "seeds": place.seeds,
                "rows": place.runs[0].rows,
            }
            for metric in METRICS:
                entry[metric], entry[f"{metric}_std"] = place.mean(metric), place.std(metric)
            entry |= {
                "rows_per_second": place.rows_per_second,
                "model_bytes": place.model_bytes,
                "peak_rss_bytes": place.peak_bytes,
                "seconds": place.seconds,
                "paper_accuracy": None if figure is None else figure.accuracy / 100.0,
                "paper_std": None if figure is None or figure.std is None else figure.std / 100.0,
                "is_current": place.is_current,
            }
            found.append(entry)
    return found
