"""Run the same learners over several streams, one after the other or side by side, keeping what is finished."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..errors import InputError, OptionError
from ..learner import Learner
from .comparison import Comparison
from .prequential import evaluate, named_learners
from .result import Result, versions


def compare(
    streams: Any,
    learners: Any = None,
    *,
    jobs: int = 1,
    keep: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **options: Any,
) -> Comparison:
    """Run learners test-then-train over several streams, and compare them.

    The learners given are not trained: each stream has clones of them.

    Parameters
    ----------
    streams
        A list of what `evaluate` takes (names, paths, data), or a dict of it by the name to show.
    learners
        As in `evaluate`: one, a list, or a dict by label; by default each stream has the one that suits its target.
    jobs : int
        Streams to go through at once, each in a process of its own, at least 1. The figures are the same for any
        number, but times are those of processes that share the machine.
    keep
        A folder for finished streams' results: a comparison that was stopped, and is started again with the same
        learners, options and versions, does not repeat them. Streams must then be names or paths.
    progress
        Whether to show progress on stderr.
    **options
        `evaluate`'s other options: metrics, window, fading, every, seeds, limit, target, kinds, …

    Returns
    -------
    Comparison
        ``print``, `scores`, `mean_ranks`, `friedman`, `pairs`, `plot`, `report`, `to_json`.

    Raises
    ------
    OptionError
        If there is no stream, or an option is out of range.
    InputError
        If a stream can't be read.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> X = np.random.default_rng(0).normal(size=(600, 2))
    >>> streams = {"sum": (X, X[:, 0] + X[:, 1] > 0), "product": (X, X[:, 0] * X[:, 1] > 0)}
    >>> comparison = sl.compare(streams, {"bayes": sl.NaiveBayes(), "logistic": sl.LogisticRegression()})
    >>> comparison.mean_ranks("accuracy")
    {'logistic': 1.0, 'bayes': 2.0}
    """
    if jobs < 1:
        raise OptionError(f"jobs must be at least 1, got {jobs}")
    several = _several(streams)
    contestants = {} if learners is None else named_learners(learners)
    kept = {i: _file(keep, stream, contestants, options) for i, (_, stream) in enumerate(several)} if keep else {}
    results: dict[int, Result] = {i: Result.from_json(file) for i, file in kept.items() if file.exists()}
    if progress and results:
        print(f"{len(results)} of {len(several)} streams were finished before", file=sys.stderr, flush=True)
    work = {i: stream for i, (_, stream) in enumerate(several) if i not in results}
    start = time.monotonic()
    for i, result in _finished(work, contestants, options, jobs, progress):
        results[i] = result
        if keep:
            _write(result, kept[i])
        if progress:
            seconds = time.monotonic() - start
            done = f"{result.stream}: finished, {len(results)} of {len(several)} streams, {seconds:,.1f} s"
            print(done, file=sys.stderr, flush=True)
    return Comparison(results=_renamed([(name, results[i]) for i, (name, _) in enumerate(several)]))


def _several(streams: Any) -> list[tuple[str | None, Any]]:
    """The streams, each with the name it is to have, if one was given."""
    if isinstance(streams, Mapping):
        named: list[tuple[str | None, Any]] = [(str(name), stream) for name, stream in streams.items()]
    elif isinstance(streams, (list, tuple)):
        named = [(None, stream) for stream in streams]
    else:
        raise OptionError(f"streams must be a list, or a dict by name, not {type(streams).__name__}")
    if not named:
        raise OptionError("give at least one stream")
    return named


def _finished(
    work: Mapping[int, Any], learners: Mapping[str, Learner], options: Mapping[str, Any], jobs: int, progress: bool
) -> Iterator[tuple[int, Result]]:
    """Each stream's number and result, as they become ready."""
    if jobs == 1 or len(work) < 2:
        for i, stream in work.items():
            yield i, _on_one(stream, learners, options, progress)
        return
    # Spawned rather than forked: Numba's and Arrow's threads don't survive a fork.
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn")) as workers:
        futures = {workers.submit(_on_one, stream, learners, options, False): i for i, stream in work.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _on_one(stream: Any, learners: Mapping[str, Learner], options: Mapping[str, Any], progress: bool) -> Result:
    clones = {label: learner.clone() for label, learner in learners.items()}
    return evaluate(stream, clones or None, progress=progress, **options)


def _renamed(results: Sequence[tuple[str | None, Result]]) -> list[Result]:
    """The results by the names wanted; names that occur again get numbers."""
    found: list[Result] = []
    for wanted, result in results:
        name = result.stream if wanted is None else wanted
        number = 1
        while any(other.stream == (name if number == 1 else f"{name} #{number}") for other in found):
            number += 1
        found.append(replace(result, stream=name if number == 1 else f"{name} #{number}"))
    return found


def _file(
    keep: str | os.PathLike[str], stream: Any, learners: Mapping[str, Learner], options: Mapping[str, Any]
) -> Path:
    """Where a stream's result is kept: the name tells the stream, learners, options and versions that it is of."""
    folder = Path(keep)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to keep results in")
    if not isinstance(stream, (str, os.PathLike)):
        raise OptionError(f"to keep results, give streams by name or path, not a {type(stream).__name__}")
    path = Path(stream)
    about = {
        "stream": os.fspath(stream),
        "file": [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None,
        "learners": {label: repr(learner) for label, learner in learners.items()},
        "options": {name: _told(value) for name, value in sorted(options.items()) if value is not None},
        "versions": versions(),
    }
    digest = hashlib.sha256(json.dumps(about, default=repr).encode()).hexdigest()[:16]
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', path.name)[:60]}-{digest}.json"


def _told(value: Any) -> Any:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)) else value


def _write(result: Result, file: Path) -> None:
    """All or nothing, so that a result that was cut off is not taken for a finished one."""
    unfinished = file.with_suffix(".part")
    result.to_json(unfinished)
    os.replace(unfinished, file)
