"""Prequential evaluation: learners are tested on each row of a stream before they learn it."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..adapters import as_learner
from ..array_learner import ArrayLearner
from ..batch import Batch
from ..compiled import is_compiled
from ..errors import OptionError
from ..learner import SUPERVISED, Learner
from ..schema import Kind, Schema
from ..source import ROWS_PER_BATCH, Source, open_stream
from ..work import test_then_train
from .metrics import DEFAULT_METRICS, ClassificationMetrics, RegressionMetrics, Task, check_metrics, needs_proba
from .progress import Progress
from .result import Result, Run

ROWS_TO_START_WITH = 2  # enough to bring every kernel of a learner into memory


@dataclass(kw_only=True)
class _Contestant:
    """One learner with one seed, on its way through the stream."""

    label: str
    seed: int | None
    learner: Learner
    metrics: ClassificationMetrics | RegressionMetrics
    wall: float = 0.0
    cpu: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    def take(self, batch: Batch, proba: bool) -> None:
        """Test, train and measure on one batch."""
        wall, cpu = time.perf_counter(), time.process_time()
        outputs = self.learner.process(batch, proba=proba)
        if isinstance(self.metrics, ClassificationMetrics):
            self.metrics.update(self.learner.targets(batch), outputs.prediction, batch.weight, outputs.proba)
        else:
            self.metrics.update(self.learner.targets(batch), outputs.prediction, batch.weight)
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def run(self, schema: Schema) -> Run:
        """What came of it."""
        return Run.measured(
            self.metrics,
            label=self.label,
            classes=schema.classes if self.learner.task == "classification" else None,
            params={name: _as_json(value) for name, value in self.learner.params.items()},
            seed=self.seed,
            wall_seconds=self.wall,
            cpu_seconds=self.cpu,
            model_bytes=self.learner.nbytes or None,
            peak_rss_bytes=_peak_rss(),
            inspection=self.learner.summary(),
        )


def evaluate(
    stream: Any,
    learners: Any,
    *,
    metrics: Iterable[str] | None = None,
    window: int = 1000,
    fading: float = 0.999,
    every: int | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    target: Hashable | None = None,
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
        ``partial_fit``.
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
    target, schema, kinds, format
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
    named = _named(learners)
    tasks = {learner.task for learner in named.values()}
    if len(tasks) > 1 or not tasks <= set(SUPERVISED):
        raise OptionError(f"the learners must all be classifiers, or all regressors, not {', '.join(sorted(tasks))}")
    task = cast(Task, tasks.pop())
    wanted = check_metrics(DEFAULT_METRICS[task] if metrics is None else metrics, task)
    if limit is not None and limit < 1:
        raise OptionError(f"limit must be at least 1, got {limit}")
    target_kind: Kind = "nominal" if task == "classification" else "numeric"
    source = open_stream(stream, target=target, schema=schema, kinds=kinds, target_kind=target_kind, format=format)
    settings: dict[str, Any] = {"metrics": wanted, "window": window, "fading": fading, "every": every}

    def start(label: str, learner: Learner, seed: int | None) -> _Contestant:
        if task == "regression":
            return _Contestant(label=label, seed=seed, learner=learner, metrics=RegressionMetrics(**settings))
        classes = source.schema.classes
        measured = ClassificationMetrics(**settings, declared=source.schema.classes_declared, n_classes=len(classes))
        return _Contestant(label=label, seed=seed, learner=learner, metrics=measured)

    contestants = [start(label, *seeded) for label, learner in named.items() for seeded in _seeded(learner, seeds)]
    rows = source.rows if limit is None or source.rows is None else min(limit, source.rows)
    with Progress(source.name, rows, enabled=progress) as shown:
        _walk(source, contestants, needs_proba(wanted), limit, shown)
    return Result(
        stream=source.name,
        task=task,
        runs=[contestant.run(source.schema) for contestant in contestants],
        settings={"window": window, "fading": fading, "every": every, "limit": limit},
    )


def _walk(source: Source, contestants: list[_Contestant], proba: bool, limit: int | None, progress: Progress) -> None:
    started = False
    for batch in source.batches(ROWS_PER_BATCH, limit=limit):
        if not started:
            started = True
            _bring_in_kernels(contestants, batch, proba, progress)
        for contestant in contestants:
            contestant.take(batch, proba)
        first = contestants[0].metrics
        name = first.metrics[0]
        progress.advance(len(batch), name, first.values("window")[name])


def _bring_in_kernels(contestants: list[_Contestant], batch: Batch, proba: bool, progress: Progress) -> None:
    """Compile or load each learner's kernels on clones and a few rows, so that the times show the work alone."""
    few = batch.slice(0, ROWS_TO_START_WITH)
    for contestant in contestants:
        learner = contestant.learner
        core: Any = learner.steps[-1] if hasattr(learner, "steps") else learner
        if isinstance(core, ArrayLearner):
            if not is_compiled(type(core)._advance):
                progress.say(f"compiling {contestant.label} (once; kept on disk)")
            twin = learner.clone()
            outputs = twin.process(few, test_then_train(len(few)), proba=proba)
            scratch = type(contestant.metrics)(metrics=contestant.metrics.metrics)
            extra = (outputs.proba,) if isinstance(scratch, ClassificationMetrics) else ()
            scratch.update(twin.targets(few), outputs.prediction, few.weight, *extra)


def _named(learners: Any) -> dict[str, Learner]:
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


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return [_as_json(part) for part in value] if isinstance(value, (list, tuple)) else repr(value)


def _peak_rss() -> int | None:
    """The most memory that the process held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
