"""Runs candidates over a stream, prequentially, and drops those that fall behind."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Literal, cast

from .. import models
from ..errors import OptionError
from ..evaluation import METRICS, evaluate
from ..evaluation.metrics import DEFAULT_METRICS, check_metrics
from ..evaluation.progress import Progress
from ..evaluation.result import format_metric
from ..schema import Kind
from ..source import Source, open_stream
from .journal import Journal
from .result import Trial, Tuning
from .space import Space, check_space, draw, grid

Search = Literal["halving", "random", "grid"]
LEAST_ROWS = 500  # fewer rows say next to nothing about a learner


def tune(
    stream: Any,
    learner: str,
    space: Space,
    *,
    search: Search = "halving",
    trials: int = 27,
    points: int = 5,
    eta: int = 3,
    metric: str | None = None,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    target: Hashable | None = None,
    kinds: Mapping[Hashable, Kind] | None = None,
    format: str | None = None,
    jobs: int | None = None,
    journal: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Tuning:
    """Search for the hyper-parameters with which a learner does best on a stream, test-then-train.

    The learner as it is given always competes, to the end, as trial 0. Successive halving (Jamieson and Talwalkar,
    2016) runs all candidates over a first part of the stream, the best third of them over a part three times as long,
    and so on to the end; random and grid search run each over the whole. A run is a pure function of its parameters, so
    neither the number of jobs nor an interruption changes the result.

    The best score was chosen for being the best, so it flatters. To know what the parameters are worth, tune on a first
    part of the stream (``limit``) and evaluate on all of it, or on another stream.

    Parameters
    ----------
    stream
        A name, a path or data that can be read many times (see `open_stream`).
    learner
        A registered name, perhaps with parameters and transformers in front, as in `make_learner`. What is tuned are
        parameters of the last.
    space
        For each parameter a list of choices, or a `Range`.
    search : "halving", "random" or "grid"
    trials
        Candidates that halving and random search draw, beside the learner as it is.
    points
        Numbers that grid search takes of a range.
    eta
        Halving keeps one candidate in ``eta`` and runs it over ``eta`` times as many rows, >= 2.
    metric
        What to compare by, over all rows so far; accuracy or MAE by default.
    seed
        Of the draw.
    seeds
        Seeds of the learner; the score is then their mean.
    limit
        Rows to tune on; the whole stream by default.
    target, kinds, format
        As in `open_stream`.
    jobs
        Runs at a time; all cores by default. Our kernels run beside each other in threads; learners in plain Python
        take turns.
    journal
        A file that notes each finished run. If it is there, the search goes on where it was.
    progress
        Whether to say on stderr how each run went.

    Returns
    -------
    Tuning
        The trials, the best first.

    Raises
    ------
    OptionError
        If a parameter or an option is unknown or out of range, or the journal is another search's.
    InputError
        If the stream can't be read.

    Examples
    --------
    >>> import streamlearn as sl
    >>> rates = {"learning_rate": [0.0001, 0.2]}
    >>> tuning = sl.tune("electricity", "logistic_regression", rates, search="grid", limit=2000)
    >>> [trial.params for trial in tuning.trials]
    [{'learning_rate': 0.2}, {}, {'learning_rate': 0.0001}]
    """
    axes = check_space(space)
    _check(search, trials=trials, points=points, eta=eta, jobs=jobs)
    candidates = [{}, *(grid(axes, points) if search == "grid" else draw(axes, trials, seed))]
    task = _task(learner, candidates)
    wanted = check_metrics(DEFAULT_METRICS[task][:1] if metric is None else [metric], task)[0]
    about = {"target": target, "kinds": kinds, "format": format}
    name, rows = _measure(stream, about, "nominal" if task == "classification" else "numeric", limit)
    plan = list(_plan(search, len(candidates), rows, eta))
    notes = Journal(
        journal,
        {
            "stream": name,
            "rows": rows,
            "learner": learner,
            "space": {key: repr(axis) for key, axis in axes.items()},
            "search": search,
            "candidates": len(candidates),
            "eta": eta,
            "metric": wanted,
            "seed": seed,
            "seeds": None if seeds is None else [int(each) for each in seeds],
        },
    )

    def run(trial: int, n_rows: int) -> tuple[float, float]:
        started = time.perf_counter()
        made = models.make_learner(learner, **candidates[trial])
        result = evaluate(stream, {"trial": made}, metrics=[wanted], limit=n_rows, seeds=seeds, **cast(Any, about))
        return float(result.summary[0][wanted]), time.perf_counter() - started

    better = 1.0 if METRICS[wanted].higher_is_better else -1.0
    reached: dict[int, int] = {}

    def standing(trial: int) -> tuple[int, float, int]:
        n_rows = reached.get(trial, 0)
        score = better * notes.scores.get((trial, n_rows), 0.0)
        return n_rows, -math.inf if math.isnan(score) else score, -trial

    alive = list(range(len(candidates)))
    try:
        with Progress(name, None, enabled=progress) as shown:
            for keep, n_rows in plan:
                alive = sorted(alive, key=standing, reverse=True)
                alive = [trial for place, trial in enumerate(alive) if place < keep or trial == 0]
                todo = [trial for trial in alive if (trial, n_rows) not in notes.scores]
                shown.say(
                    f"{len(alive)} candidates over {n_rows:,} rows of {name}, {len(alive) - len(todo)} of them done"
                )
                for trial, (score, seconds) in _in_threads(run, todo, n_rows, jobs):
                    notes.add((trial, n_rows), score, seconds)
                    what = ", ".join(f"{key}={value}" for key, value in candidates[trial].items()) or "as given"
                    shown.say(f"  {format_metric(wanted, score)}  {what}  ({seconds:.1f} s)")
                reached.update(dict.fromkeys(alive, n_rows))
    finally:
        notes.close()
    done = [
        Trial(
            number=trial,
            params=candidates[trial],
            scores={n_rows: notes.scores[trial, n_rows] for _, n_rows in plan if (trial, n_rows) in notes.scores},
            seconds=sum(seconds for run_of, seconds in notes.seconds.items() if run_of[0] == trial),
        )
        for trial in sorted(reached, key=standing, reverse=True)
    ]
    return Tuning(stream=name, learner=learner, metric=wanted, search=search, rows=rows, trials=done)


def _check(search: str, *, trials: int, points: int, eta: int, jobs: int | None) -> None:
    if search not in ("halving", "random", "grid"):
        raise OptionError(f"search must be 'halving', 'random' or 'grid', not {search!r}")
    for name, value, least in (("trials", trials, 1), ("points", points, 2), ("eta", eta, 2), ("jobs", jobs or 1, 1)):
        if value < least:
            raise OptionError(f"{name} must be at least {least}, got {value}")


def _task(learner: str, candidates: list[dict[str, Any]]) -> Any:
    """The learner's task; all candidates are made once, so that a wrong parameter is an error at once."""
    if not isinstance(learner, str):
        raise OptionError(f"name a registered learner, such as 'hoeffding_tree_classifier', not {learner!r}")
    made = [models.make_learner(learner, **params) for params in candidates]
    if made[0].task not in DEFAULT_METRICS:
        raise OptionError(f"{learner} is not a classifier or regressor: there is nothing to compare it by")
    return made[0].task


def _measure(stream: Any, about: dict[str, Any], target_kind: Kind, limit: int | None) -> tuple[str, int]:
    """The stream's name, and the rows to tune on."""
    if isinstance(stream, Source) or (hasattr(stream, "__next__") and hasattr(stream, "__iter__")):
        raise OptionError("each trial reads the stream from its start: give a name, a path, arrays or a table")
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, got {limit}")
    with open_stream(stream, target_kind=target_kind, **about) as source:
        rows = source.rows
        if rows is None and limit is None and source.bounded:
            rows = sum(len(batch) for batch in source.batches())
        if rows is None and limit is None:
            raise OptionError(f"{source.name} has no end: say how many rows to tune on (limit)")
        return source.name, min(each for each in (rows, limit) if each is not None)


def _plan(search: str, candidates: int, rows: int, eta: int) -> Iterator[tuple[int, int]]:
    """How many candidates to run over how many rows, rung by rung; the last rung runs over all of them."""
    if search != "halving":
        yield candidates, rows
        return
    rungs = min(int(math.log(candidates, eta) + 1e-9), int(math.log(max(rows / LEAST_ROWS, 1.0), eta) + 1e-9))
    for rung in range(rungs, -1, -1):
        yield max(1, math.ceil(candidates / eta ** (rungs - rung))), math.ceil(rows / eta**rung)


def _in_threads(
    run: Any, trials: list[int], n_rows: int, jobs: int | None
) -> Iterator[tuple[int, tuple[float, float]]]:
    """The runs as they finish. The first goes alone: it compiles what all need."""
    if trials:
        yield trials[0], run(trials[0], n_rows)
    with ThreadPoolExecutor(jobs or _cores()) as pool:
        running = {pool.submit(run, trial, n_rows): trial for trial in trials[1:]}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
