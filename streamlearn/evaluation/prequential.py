"""Prequential evaluation: learners are tested on each row of a stream before they learn it."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import numpy as np

from ..adapters import as_learner
from ..array_learner import ArrayLearner
from ..batch import Batch
from ..compiled import is_compiled
from ..errors import OptionError
from ..learner import SUPERVISED, Learner
from ..parameters import check_range
from ..schema import Kind, Schema
from ..source import ROWS_PER_BATCH, Source, open_stream
from ..work import test_then_train
from .classification import ClassificationMetrics
from .contestant import Contestant
from .disagreements import Disagreements
from .folds import Folds
from .labels import LateLabels, Step, parse_delay
from .metrics import DEFAULT_METRICS, Task, check_metrics, needs_proba
from .progress import Progress
from .queries import Query, make_query
from .regression import RegressionMetrics
from .result import Result

ROWS_TO_START_WITH = 2  # enough to bring every kernel of a learner into memory
DEFAULT_LEARNERS: dict[Kind, str] = {"nominal": "stacking_classifier", "numeric": "adaptive_random_forest_regressor"}
"""What runs where no learner is named, by the target's kind: for classes, the first of the drift benchmark's ranks."""


def evaluate(
    stream: Any,
    learners: Any = None,
    *,
    metrics: Iterable[str] | None = None,
    window: int = 1000,
    fading: float = 0.999,
    every: int | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    delay: int | str | timedelta | None = None,
    labels: float = 1.0,
    query: str | Query | None = None,
    folds: int | None = None,
    fold_mode: str = "cross-validation",
    seed: int = 0,
    target: Hashable | None = None,
    event_time: Hashable | None = None,
    schema: Schema | None = None,
    kinds: Mapping[Hashable, Kind] | None = None,
    format: str | None = None,
    progress: bool = False,
) -> Result:
    """Run learners test-then-train over a stream, in one pass, and measure them.

    The learners given are trained: afterwards they can predict, be inspected and be saved. With several seeds the
    first seed trains them, the others clones of them. Compilation, which happens once on a machine, is left out of the
    times.

    Parameters
    ----------
    stream
        A catalogue name, a path, ``(X, y)``, a table, an iterable of rows or a `Source` (see `open_stream`).
    learners
        A learner, or several as a list or as a dict by label. A learner is one of ours, a registered name such as
        ``"hoeffding_tree_classifier:grace_period=50"``, a River model, or a scikit-learn estimator with
        ``partial_fit``. By default the one in `DEFAULT_LEARNERS` that suits the stream's target.
    metrics
        Names of metrics; by default accuracy, kappa, kappa-M, kappa-T and macro F1, or MAE, RMSE and R².
    window : int
        Labelled rows in the sliding window.
    fading : float
        Weight of a row relative to the next one in the fading view, 0.001 … 1.
    every : int, optional
        Labelled rows between two points of the curves; the window by default.
    seeds
        Seeds for learners that take one; the result then has mean and standard deviation.
    limit : int, optional
        Rows after which to stop.
    delay
        When labels come: so many rows after theirs (the label of row i is there before row i + delay is predicted); a
        time, such as ``"5min"`` or a `timedelta`, after their row's event time; or ``"stream"``, when the stream's rows
        say. The prediction that counts is the one made when the row came. At the end of the stream all labels come.
    labels : float
        The share of rows whose labels the learners are given, drawn at random; all rows are measured.
    query
        Which labels to ask for, instead: ``"random"``, ``"fixed_uncertainty"``, ``"variable_uncertainty"`` or
        ``"randomised_uncertainty"`` with a ``budget`` (see `streamlearn.evaluation.queries`); each learner asks for its
        own. All rows are measured.
    folds : int, optional
        Evaluate so many models of each learner, each taught and tested on its own share of the rows; the result then
        has mean and standard deviation.
    fold_mode : "cross-validation", "split" or "bootstrap"
        How the rows are shared out, see `streamlearn.evaluation.folds`.
    seed
        Of the draws of labels and folds.
    target, event_time, schema, kinds, format
        As in `open_stream`.
    progress
        Whether to show progress on stderr: a bar on a terminal, else plain lines.

    Returns
    -------
    Result
        `summary`, `windows`, ``print``, `plot`, `to_json`, `to_parquet`.

    Raises
    ------
    OptionError
        If a learner, a metric or an option is unknown or out of range, or learners of different tasks are mixed.
    InputError
        If the stream can't be read; the message names the row and the field.

    Examples
    --------
    >>> import streamlearn as sl
    >>> result = sl.evaluate("electricity", sl.NoChangeClassifier(), metrics=["accuracy", "kappa"])
    >>> [round(100 * entry["accuracy"], 4) for entry in result.summary]
    [85.3306]
    """
    if learners is None:
        stream = open_stream(stream, target=target, event_time=event_time, schema=schema, kinds=kinds, format=format)
        learners = DEFAULT_LEARNERS[stream.schema.target_kind]
    named = named_learners(learners)
    tasks = {learner.task for learner in named.values()}
    if len(tasks) > 1 or not tasks <= set(SUPERVISED):
        raise OptionError(f"the learners must all be classifiers, or all regressors, not {', '.join(sorted(tasks))}")
    task = cast(Task, tasks.pop())
    wanted = check_metrics(DEFAULT_METRICS[task] if metrics is None else metrics, task)
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, got {limit}")
    wait = parse_delay(delay)
    strategy = None if query is None else make_query(query)
    check_range("labels", labels, 0, 1)
    if strategy is not None and (labels < 1.0 or folds is not None or task == "regression"):
        raise OptionError("query is for classifiers, and goes without labels and without folds")
    shares = None if folds is None else Folds(folds, fold_mode, seed)
    target_kind: Kind = "nominal" if task == "classification" else "numeric"
    source = open_stream(
        stream,
        target=target,
        event_time=event_time,
        schema=schema,
        kinds=kinds,
        target_kind=target_kind,
        format=format,
    )
    settings: dict[str, Any] = {"metrics": wanted, "window": window, "fading": fading, "every": every}

    def measures() -> ClassificationMetrics | RegressionMetrics:
        if task == "regression":
            return RegressionMetrics(**settings)
        known = source.schema
        return ClassificationMetrics(**settings, declared=known.classes_declared, n_classes=len(known.classes))

    contestants = [
        Contestant(
            label=label,
            seed=own,
            fold=fold,
            learner=learner if fold in (None, 0) else learner.clone(),
            metrics=measures(),
            proba=needs_proba(wanted),
            query=None if strategy is None else make_query(strategy),
        )
        for label, given in named.items()
        for learner, own in _seeded(given, seeds)
        for fold in ([None] if folds is None else range(folds))
    ]
    pairs = {
        fold: Disagreements([(c.label, c.seed) for c in contestants if c.fold == fold])
        for fold in dict.fromkeys(c.fold for c in contestants)
    }
    at_once = wait is None and labels == 1.0 and strategy is None and shares is None
    flow = None if at_once else _Flow(LateLabels(wait), labels, shares, np.random.default_rng([seed, 1]))
    rows = source.rows if limit is None or source.rows is None else min(limit, source.rows)
    with Progress(source.name, rows, enabled=progress) as shown:
        _walk(source, contestants, pairs, flow, limit, shown)
    return Result(
        stream=source.name,
        task=task,
        runs=[
            contestant.run(source.schema, learned_all=labels == 1.0 and strategy is None and shares is None)
            for contestant in contestants
        ],
        settings={
            "window": window,
            "fading": fading,
            "every": every,
            "limit": limit,
            "delay": None if wait is None else str(delay),
            "labels": None if labels == 1.0 else labels,
            "query": None if strategy is None else repr(strategy),
            "folds": folds,
            "fold_mode": None if folds is None else fold_mode,
            "seed": None if labels == 1.0 and folds is None else seed,
        },
        drifts=[{"row": drift.row, "width": drift.width} for drift in source.drifts],
        disagreements=[entry for counts in pairs.values() for entry in counts.counts()]
        if task == "classification"
        else [],
    )


@dataclass(slots=True)
class _Flow:
    """How labels reach the learners, where not all of them come at once and to all."""

    late: LateLabels
    labels: float
    shares: Folds | None
    random: np.random.Generator

    def take(self, batch: Batch) -> Step:
        n = len(batch)
        teach, test = (np.ones((n, 1)), np.ones((n, 1), bool)) if self.shares is None else self.shares.draw(n)
        if self.labels < 1.0:
            teach = teach * (self.random.random(n) < self.labels)[:, np.newaxis]
        return self.late.take(batch, teach, test)


def _walk(
    source: Source,
    contestants: list[Contestant],
    pairs: Mapping[int | None, Disagreements],
    flow: _Flow | None,
    limit: int | None,
    progress: Progress,
) -> None:
    def count(found: list[tuple[np.ndarray, np.ndarray]]) -> None:
        if contestants[0].learner.task == "classification":
            for fold, disagreements in pairs.items():
                of_fold = [each for each, contestant in zip(found, contestants, strict=True) if contestant.fold == fold]
                disagreements.update(of_fold[0][0], [prediction for _, prediction in of_fold])

    started = False
    for batch in source.batches(ROWS_PER_BATCH, limit=limit):
        if not started:
            started = True
            _bring_in_kernels(contestants, batch, progress)
        if flow is None:
            count([contestant.take(batch) for contestant in contestants])
        else:
            step = flow.take(batch)
            count([contestant.take_step(step) for contestant in contestants])
        first = contestants[0].metrics
        name = first.metrics[0]
        progress.advance(len(batch), name, first.values("window")[name])
    if flow is not None:
        for step in flow.late.finish():
            count([contestant.take_step(step) for contestant in contestants])


def _bring_in_kernels(contestants: list[Contestant], batch: Batch, progress: Progress) -> None:
    """Compile or load each learner's kernels on clones and a few rows, so that the times show the work alone."""
    few = batch.slice(0, ROWS_TO_START_WITH)
    for contestant in contestants:
        cores = _cores(contestant.learner)
        if cores:
            kernels = [getattr(type(core), "_advance", None) for core in cores]  # forests have no single kernel
            if not all(kernel is None or is_compiled(kernel) for kernel in kernels):
                progress.say(f"compiling {contestant.label} (once; kept on disk)")
            twin = contestant.learner.clone()
            outputs = twin.process(few, test_then_train(len(few)), proba=contestant.proba)
            scratch = type(contestant.metrics)(metrics=contestant.metrics.metrics)
            extra = (outputs.proba,) if isinstance(scratch, ClassificationMetrics) else ()
            scratch.update(twin.targets(few), outputs.prediction, few.weight, *extra)


def _cores(learner: Learner) -> list[ArrayLearner]:
    """The learners with kernels that a learner is made of, or is."""
    if isinstance(learner, ArrayLearner):
        return [learner]
    return [core for part in learner.parts for core in _cores(part)]


def named_learners(learners: Any) -> dict[str, Learner]:
    """The learners by label; labels are the registered names, told apart by their parameters, then by numbers."""
    if isinstance(learners, Mapping) and "type" not in learners:
        return {str(label): as_learner(learner) for label, learner in learners.items()}
    several = learners if isinstance(learners, (list, tuple)) else [learners]
    if not several:
        raise OptionError("give at least one learner")
    made = [as_learner(learner) for learner in several]
    plain = [spec if isinstance(spec, str) else _name(learner) for spec, learner in zip(several, made, strict=True)]
    labels = [repr(learner) if plain.count(name) > 1 else name for name, learner in zip(plain, made, strict=True)]
    named: dict[str, Learner] = {}
    for label, learner in zip(labels, made, strict=True):
        number = sum(1 for taken in named if taken == label or taken.startswith(f"{label} #"))
        named[label if not number else f"{label} #{number + 1}"] = learner
    return named


def _name(learner: Learner) -> str:
    model = getattr(learner, "model", None)  # an adapted model is known by its own class
    if model is not None:
        return str(model) if type(model).__module__.startswith("river.") else type(model).__name__
    if hasattr(learner, "steps"):
        return " | ".join(type(step).__name__ for step in learner.steps)
    return type(learner).__name__


def _seeded(learner: Learner, seeds: Sequence[int] | None) -> list[tuple[Learner, int | None]]:
    """The learner with each seed; as it is where there are no seeds, or it takes none."""
    if not seeds or "seed" not in inspect.signature(type(learner).__init__).parameters:
        model = getattr(learner, "model", None)
        if not seeds or model is None or not hasattr(model, "seed"):
            return [(learner, getattr(learner, "seed", None))]
        return [(learner.clone({"model": model.clone({"seed": seed})}), seed) for seed in seeds]
    return [(learner.clone({"seed": seed}), seed) for seed in seeds]
