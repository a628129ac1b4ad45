"""Run a benchmark: every cell that isn't finished, in worker processes, until all are or the time is up."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from typing import Any

from ..errors import InputError, OptionError
from ..evaluation.result import Result
from ..evaluation.verdict import listed
from .board import Board
from .cell import METRICS, Cell, Finished
from .crew import Crew
from .folder import Folder
from .lineup import Stream, parse_learners, parse_streams
from .plan import Estimates, cells_of
from .progress import Shown, name_of
from .worker import Done, Progress, Task, machine

MAX_SEEDS = 1000
QUICK_ROWS = 2000
SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_WITHOUT_ROWS = 20.0
FEW = 4  # streams that are named where a learner fails in the same way on several


def drift(
    out: str | os.PathLike[str],
    *,
    streams: Sequence[str] = (),
    learners: Sequence[str] = (),
    seeds: int = 1,
    rows: int | None = None,
    jobs: int = 1,
    budget: float | None = None,
    any_version: bool = False,
    progress: bool = False,
) -> Board:
    """Run the drift benchmark, or go on with it where it was stopped.

    Each learner goes through each stream test-then-train, once for each seed; each of these cells is kept in a file of
    its own as soon as it is finished. The first seed of every cell comes first, and cheap cells come before dear ones.

    Parameters
    ----------
    out
        The folder in which cells are kept; made if it isn't there.
    streams
        Names of the benchmark's streams, by default all of them; or others: generators with parameters, data sets,
        paths, each perhaps with a name in front: ``"rbf_f=my_rbf.parquet"``.
    learners
        Labels of the benchmark's learners, by default all of them; or others: ``"LABEL=NAME:param=value"``.
    seeds
        How many, 1 … 1000: 1, 2, 3, … A seed makes a generated stream and whatever is random in a learner.
    rows
        Rows of each stream at most, at least 100; by default a million of a generated stream, all of a file.
    jobs
        Worker processes, at least 1. Times are then those of processes that share the machine.
    budget
        Minutes. A cell that is likely to need longer than what is left of them isn't begun.
    any_version
        Whether cells count as finished that another version of the code has run.
    progress
        Whether to show progress on stderr.

    Returns
    -------
    Board
        The streams and learners asked for, as far as they are finished.

    Raises
    ------
    OptionError
        If an option, a stream or a learner is unknown or out of range, or the folder's benchmark is of another length.
    InputError
        If the folder holds other things, or no stream is there.

    Examples
    --------
    >>> import tempfile
    >>> board = drift(tempfile.mkdtemp(), streams=["sea_a"], learners=["no-change", "naive-bayes"], rows=500)
    >>> board.labels, board.streams
    (['no-change', 'naive-bayes'], ['sea_a'])
    """
    _check(seeds=seeds, jobs=jobs, rows=rows, budget=budget)
    wanted, entries = parse_streams(streams), parse_learners(learners)
    missing = missing_among(wanted)
    there = [stream for stream in wanted if stream.name not in missing]
    if not there:
        raise InputError("; ".join(missing.values()))
    folder = Folder(out, rows=rows)
    cells = cells_of(there, entries, seeds, rows)
    done = _finished(folder, cells, any_version)
    failures: dict[Cell, str] = {}
    estimates = Estimates(done.items())
    with Shown(total=len(cells), before=len(done), jobs=jobs, estimates=estimates, enabled=progress) as shown:
        for message in missing.values():
            shown.say(f"left out: {message}")
        late = _run([c for c in cells if c not in done], folder, estimates, jobs, budget, shown, failures)
        if late:
            shown.say(
                f"{len(late):,} cells are not begun, since they would go beyond the budget: {name_of(late[0])}, …"
            )
    return Board.of(
        folder,
        wanted,
        entries,
        notes=[*missing.values(), *_told(failures)],
    )


def _check(*, seeds: int, jobs: int, rows: int | None, budget: float | None) -> None:
    if not 1 <= seeds <= MAX_SEEDS:
        raise OptionError(f"seeds must be 1 … {MAX_SEEDS}, got {seeds}")
    if jobs < 1:
        raise OptionError(f"jobs must be at least 1, got {jobs}")
    if rows is not None and rows < 100:
        raise OptionError(f"rows must be at least 100, got {rows}")
    if budget is not None and not budget > 0.0:
        raise OptionError(f"budget must be above 0 minutes, got {budget}")


def missing_among(streams: Sequence[Stream]) -> dict[str, str]:
    """What to do about each stream whose file isn't there, by the stream's name."""
    from ..datasets import find

    missing = {}
    for stream in streams:
        if not stream.generated:
            try:
                find(stream.what)
            except InputError as error:
                missing[stream.name] = str(error)
    return missing


def _told(failures: dict[Cell, str]) -> list[str]:
    """What failed, once for each learner and reason."""
    streams: dict[tuple[str, str], list[str]] = {}
    for cell, why in failures.items():
        streams.setdefault((cell.entry.label, why), []).append(f"{cell.stream.name} (seed {cell.seed})")
    told = []
    for (label, why), found in streams.items():
        shown = found if len(found) <= FEW else [*found[: FEW - 1], f"{len(found) - FEW + 1} more"]
        told.append(f"Failed: {label} on {listed(shown)}: {why}")
    return told


def _finished(folder: Folder, cells: Sequence[Cell], any_version: bool) -> dict[Cell, Finished]:
    """The cells that need not be run."""
    done = {cell: Finished.read(path) for cell in cells if (path := folder.file(cell)).is_file()}
    if any_version:
        kept = {_key(found.about): found for found in folder.finished()}
        done |= {cell: kept[key] for cell in cells if cell not in done and (key := _key(cell.identity)) in kept}
    return done


def _key(about: Any) -> tuple[Any, ...]:
    return about["stream"], about["learner"], about["seed"], about["rows"]


def _run(
    waiting: list[Cell],
    folder: Folder,
    estimates: Estimates,
    jobs: int,
    budget: float | None,
    shown: Shown,
    failures: dict[Cell, str],
) -> list[Cell]:
    """Run cells; those for which there was no time are returned."""
    end = None if budget is None else time.monotonic() + 60.0 * budget
    where = {**machine(), "jobs": jobs}
    compiling: dict[str, float] = {}  # learners whose first cell may be compiling what all need, and since when
    ready: set[str] = set()
    with Crew(min(jobs, max(len(waiting), 1))) as crew:
        while waiting or crew.is_busy:
            while crew.has_room:
                able = (cell for cell in waiting if cell.entry.call not in compiling)
                cell = estimates.next(able, None if end is None else end - time.monotonic())
                if cell is None:
                    break
                waiting.remove(cell)
                if cell.entry.call not in ready:
                    compiling[cell.entry.call] = time.monotonic()
                shown.advance(cell, 0, 0.0)
                crew.give(cell, _task(cell))
            if not crew.is_busy:  # what waits would take too long
                break
            for tag, message in crew.news(SECONDS_BETWEEN_LOOKS):
                if not isinstance(message, Progress) or message.rows > 0:
                    ready.add(tag.entry.call)
                    compiling.pop(tag.entry.call, None)
                if isinstance(message, Progress):
                    shown.advance(tag, message.rows, message.seconds)
                elif isinstance(message, Done):
                    found = Finished(
                        tag.stream,
                        tag.entry.label,
                        tag.entry.spec,
                        tag.about,
                        Result.from_json(message.result),
                        message.seconds,
                        where,
                    )
                    folder.keep(tag, found)
                    estimates.learn(tag, found.seconds)
                    shown.finish(tag, found)
                else:
                    folder.keep_failure(tag, message.message, message.details)
                    failures[tag] = message.message
                    shown.fail(tag, message.message)
            for call, since in compiling.items():
                if time.monotonic() - since > SECONDS_WITHOUT_ROWS:
                    compiling[call] = math.inf
                    shown.say(f"{call} is not under way yet: perhaps it is being compiled, once on a machine")
            shown.show(waiting)
    return waiting


def _task(cell: Cell) -> Task:
    return Task(
        cell.spec,
        cell.stream.generated,
        cell.entry.spec,
        cell.entry.label,
        cell.seed,
        cell.rows,
        cell.measure.every,
        cell.measure.window,
        METRICS,
    )
