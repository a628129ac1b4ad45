"""`streamlearn.Pipeline`: a live stream through online learners into sinks, with guarantees."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from ..adapters import AdaptedLearner, FunctionLearner, as_learner
from ..detector import Detector
from ..errors import OptionError
from ..evaluation.metrics import check_metrics
from ..learner import SUPERVISED, Learner
from ..live import LiveSource
from ..sink import Sink
from .config import PipelineConfig
from .observer import Observer, Status
from .parts import GIVEN
from .plan import ErrorPlan, LabelPlan, OnError, Plan
from .worker import Worker, check


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Parameters
    ----------
    rows, labelled, rejected, alarms, commits, restores
        Events predicted, labels applied, records set aside by stage, drift alarms, commits, restores from a checkpoint.
    metrics
        By shard and learner, over the window.
    """

    rows: int
    labelled: int
    rejected: dict[str, int]
    alarms: int
    commits: int
    restores: int
    metrics: dict[str, dict[str, dict[str, float]]]

    def __str__(self) -> str:
        parts = [f"{self.rows:,} events", f"{self.labelled:,} labels", f"{self.commits:,} commits"]
        parts += [f"{n:,} set aside at {stage}" for stage, n in self.rejected.items()]
        parts += [f"{self.alarms:,} drift alarms"] if self.alarms else []
        return ", ".join(parts)


class Pipeline:
    """A live stream through online learners into sinks.

    Each event is predicted, learned when its label is there, and measured prequentially; state and positions are
    committed together, so that a pipeline that is killed goes on as if nothing had been.

    Parameters
    ----------
    on_error
        Asked about each record that fails (stage, record id, reason): True goes on as the policy says, False stops.
    settings
        The keys of a pipeline file, with the same names, forms and defaults (see docs/pipelines.md): ``name``,
        ``source``, ``schema``, ``learner`` or ``learners``, ``key``, ``labels``, ``metrics``, ``drift``, ``sink``,
        ``checkpoint``, ``guarantee``, ``dead_letter`` and others. Where one names a thing, such as
        ``{"type": "file", "path": "events.jsonl"}``, an object of your own may stand instead: a `LiveSource`, a `Sink`,
        a learner, a River model, a scikit-learn estimator with ``partial_fit``, a function of a row, a detector.

    Raises
    ------
    OptionError
        If a key is unknown, a value out of range, or keys contradict each other; the message names the key.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> import streamlearn as sl
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> lines = [json.dumps({"x": i % 7, "class": "odd" if i % 2 else "even"}) for i in range(100)]
    >>> _ = (folder / "events.jsonl").write_text("".join(line + "\\n" for line in lines))
    >>> pipeline = sl.Pipeline(
    ...     name="parity",
    ...     source={"type": "file", "path": str(folder / "events.jsonl")},
    ...     schema={"target": "class"},
    ...     learner=sl.HoeffdingTreeClassifier(),
    ...     sink={"type": "file", "path": str(folder / "predictions.jsonl")},
    ...     checkpoint={"dir": str(folder / "state")},
    ...     guarantee="exactly-once",
    ... )
    >>> pipeline.run().rows
    100
    >>> pipeline.run().rows  # nothing new has come
    0
    """

    def __init__(self, *, on_error: OnError | None = None, **settings: Any) -> None:
        objects: dict[str, Any] = {}
        config = PipelineConfig.from_mapping(_named(settings, objects))
        self._prepare(config, objects, on_error)

    @classmethod
    def from_config(cls, config: PipelineConfig, *, on_error: OnError | None = None) -> Self:
        """A pipeline out of settings that were read and checked."""
        pipeline = cls.__new__(cls)
        pipeline._prepare(config, {}, on_error)
        return pipeline

    def _prepare(self, config: PipelineConfig, objects: Mapping[str, Any], on_error: OnError | None) -> None:
        self.config = config
        self.plan = _plan(config, objects, on_error)
        self._worker: Worker | None = None
        self._stopped = False

    def check(self, *, worker: str = "0") -> None:
        """Connect to the source and the sinks, look at the checkpoints, and read nothing.

        Raises
        ------
        StreamlearnError
            If something would not work; the message says what.
        """
        check(self.plan, worker)

    def run(self, *, worker: str = "0", observers: Iterable[Observer] = ()) -> Summary:
        """Run until the stream ends or `stop` is called.

        Parameters
        ----------
        worker
            This worker's name: the same after a restart, and unique among those who run this pipeline.
        observers
            Told what happens (`streamlearn.runtime.telemetry`).

        Raises
        ------
        StreamlearnError
            If something failed that trying again did not mend. What was committed stays, and another run goes on there.
        """
        self._worker = Worker(self.plan, worker, observers)
        if self._stopped:
            self._worker.stop()
        self._worker.run()
        status = self._worker.status()
        return Summary(
            rows=status.rows,
            labelled=status.labelled,
            rejected=status.rejected,
            alarms=status.alarms,
            commits=status.commits,
            restores=status.restores,
            metrics={shard.shard: shard.metrics for shard in status.shards},
        )

    def stop(self) -> None:
        """Finish the batch, commit, and let `run` return; from any thread, or from a signal handler."""
        self._stopped = True
        if self._worker is not None:
            self._worker.stop()

    def status(self) -> Status | None:
        """How the worker stands; None before `run`."""
        return None if self._worker is None else self._worker.status()

    def __repr__(self) -> str:
        return f"Pipeline(name={self.plan.name!r}, guarantee={self.plan.guarantee!r})"


# -- objects among settings -------------------------------------------------------------------------------------------


def _named(settings: Mapping[str, Any], objects: dict[str, Any]) -> dict[str, Any]:
    """Settings in which objects are replaced by their names; the objects, by where they stood."""

    def swap(place: str, value: Any) -> Any:
        if value is None or isinstance(value, (str, Mapping)):
            return value
        objects[place] = value
        shown = f"{value.__module__}:{value.__qualname__}" if inspect.isroutine(value) else repr(value)
        return {"detector" if place.startswith("drift.") else "type": GIVEN, "object": shown}

    given: dict[str, Any] = {"name": "pipeline", **settings}
    for key in ("source", "learner", "dead_letter"):
        if key in given:
            given[key] = swap(key, given[key])
    if isinstance(given.get("learners"), Mapping):
        given["learners"] = {name: swap(f"learners.{name}", model) for name, model in given["learners"].items()}
    for key in ("sink", "alarms", "drift"):
        if key in given and given[key] is not None:
            parts = list(given[key]) if isinstance(given[key], (list, tuple)) else [given[key]]
            given[key] = [swap(f"{key}.{i}", part) for i, part in enumerate(parts)]
    if isinstance(given.get("labels"), Mapping) and "from" in given["labels"]:
        given["labels"] = {**given["labels"], "from": swap("labels.from", given["labels"]["from"])}
    return given


def _plan(config: PipelineConfig, objects: Mapping[str, Any], on_error: OnError | None) -> Plan:
    """The recipe; everything that it names is made once, so that wrong options are errors now."""
    learners = _learners(config, objects)
    task = next(iter(learners.values())).task
    if any(learner.task != task for learner in learners.values()):
        kinds = ", ".join(f"{name} is for {learner.task}" for name, learner in learners.items())
        raise OptionError(f"the learners must all be of one kind, but {kinds}")
    for name, learner in learners.items():
        if config.guarantee != "at-most-once" and not config.checkpoint.pickle and _needs_pickle(learner):
            raise OptionError(
                f"{name}: {learner!r} is a Python object, which can be kept as a pickle only, and pickles run code "
                "when they are read: say checkpoint: {pickle: true} if you trust the checkpoint directory"
            )
    wanted = config.metrics
    return Plan(
        name=config.name,
        source=_maker(objects.get("source"), config.make_source),
        format=config.make_format,
        learners=learners,
        roles=config.roles(task),
        sinks=_makers(config, objects, "sink"),
        dead_letter=None if config.dead_letter is None else _maker(objects.get("dead_letter"), config.make_dead_letter),
        alarms=_makers(config, objects, "alarms"),
        labels=_label_plan(config, objects),
        errors=ErrorPlan(
            decode=config.policy("decode"),
            process=config.policy("process"),
            label=config.policy("label"),
            retries=config.errors.sink.retries,
            backoff=config.errors.sink.backoff,
            on_error=on_error,
        ),
        detectors=_detectors(config, objects),
        metrics=None if wanted is None or task not in SUPERVISED else check_metrics(wanted, cast(Any, task)),
        window=config.window,
        scope=config.scope,
        max_hot=config.keys.max_hot,
        pickle=config.checkpoint.pickle,
        infer_rows=config.schema_.infer_rows,
        guarantee=config.guarantee,
        directory=config.checkpoint.dir,
        every=config.checkpoint.every,
        every_rows=config.checkpoint.rows,
        keep=config.checkpoint.keep,
        on_missing=config.checkpoint.on_missing,
        batch_rows=config.batch.rows,
        batch_wait=config.batch.wait,
        stop_rows=config.stop.rows,
        stop_idle=config.stop.idle,
        stop_at_end=config.stop.at_end,
        fingerprint=config.fingerprint(),
    )


def _learners(config: PipelineConfig, objects: Mapping[str, Any]) -> dict[str, Learner]:
    if config.learner is not None and "learner" in objects:
        return {"champion": as_learner(objects["learner"])}
    made = config.make_learners(given={key.partition(".")[2]: value for key, value in objects.items()})
    return {name: as_learner(model) for name, model in made.items()}


def _needs_pickle(learner: Learner) -> bool:
    return isinstance(learner, AdaptedLearner) and not isinstance(learner, FunctionLearner)


def _maker(given: Any, make: Callable[[], Any]) -> Callable[[], Any]:
    """What makes a part at each start: an object that a program gave is opened again."""
    if given is not None:
        return lambda: given
    make()  # wrong options are errors now, not at the first event
    return make


def _makers(
    config: PipelineConfig, objects: Mapping[str, Any], key: Literal["sink", "alarms"]
) -> list[Callable[[], Sink]]:
    specs = getattr(config, key)

    def maker(i: int) -> Callable[[], Sink]:
        return _maker(objects.get(f"{key}.{i}"), lambda: config.make_sink(key, i))

    return [maker(i) for i in range(len(specs))]


def _detectors(config: PipelineConfig, objects: Mapping[str, Any]) -> list[Detector]:
    return [objects.get(f"drift.{i}") or config.make_detector(i) for i in range(len(config.drift))]


def _label_plan(config: PipelineConfig, objects: Mapping[str, Any]) -> LabelPlan | None:
    if not config.late_labels:
        return None
    labels = config.labels
    return LabelPlan(
        source=cast(Callable[[], LiveSource], _maker(objects.get("labels.from"), config.make_labels_source)),
        key=config.label_key,
        label=config.label_field,
        ttl=labels.ttl,
        default=labels.default,
        max_rows=labels.max_rows,
        max_early=labels.max_early,
    )
