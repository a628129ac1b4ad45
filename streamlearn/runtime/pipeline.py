"""`streamlearn.Pipeline`: a live stream through online learners into sinks, with guarantees."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from ..adapters import AdaptedLearner, FunctionLearner, as_learner
from ..detector import Detector
from ..durations import parse_duration
from ..errors import OptionError
from ..evaluation.metrics import check_metrics
from ..format import Roles
from ..learner import SUPERVISED, Learner
from ..live import Guarantee, LiveSource
from ..live import Worker as Identity
from ..models import make_detector
from ..parameters import check_choice, check_range
from ..schema import Kind
from ..sink import Sink
from . import parts
from .commit import Outlets, commit_for
from .observer import Observer, Status
from .plan import ErrorPlan, LabelPlan, OnError, Plan, Scope
from .worker import Worker

POLICIES = ("dead_letter", "skip", "stop")
GUARANTEES = ("at-most-once", "at-least-once", "exactly-once")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Parameters
    ----------
    rows, labelled, rejected, alarms, commits, restores
        Events predicted, labels applied, records set aside by stage, drift alarms, commits, restores from a checkpoint.
    metrics
        Of each learner, by shard, over its window.
    """

    rows: int
    labelled: int
    rejected: dict[str, int]
    alarms: int
    commits: int
    restores: int
    metrics: dict[str, dict[str, dict[str, float]]]


class Pipeline:
    """A live stream through online learners into sinks.

    Each event is predicted, learned when its label is there, and measured prequentially; state and positions are
    committed together, so that a pipeline that is killed goes on as if nothing had been. What it takes has the names
    and the forms of a pipeline file (``streamlearn run``, see docs/pipelines.md); wherever that names a thing, such as
    ``{"type": "file", "path": "events.jsonl"}``, an object of your own may stand instead.

    Parameters
    ----------
    source : LiveSource or mapping
        Where events come from.
    learner
        A learner: one of ours, a registered name, a River model, a scikit-learn estimator with ``partial_fit``, a
        function of a row; or, as ``learners``, several by name, of which the first is the champion, whose predictions
        are written.
    name
        Names the checkpoints, the metrics and, with the worker's name behind it, the transactional id.
    schema : mapping
        ``target``, ``id``, ``event_time``, ``weight``, ``fields`` (kinds), ``unknown``, ``infer_rows``.
    key
        The column whose every value gets a model of its own.
    scope : "partition" or "worker"
        Whether each partition has its own models, which move with it, or all of a worker's share them.
    labels : mapping
        Where labels come from that are not in the records; see docs/live_labels.md.
    metrics, window
        Prequential metrics, and the labelled rows of their window.
    drift
        A detector, or several, that watch each learner's errors.
    sink, dead_letter, alarms : Sink or mapping, or for ``sink`` a list of them
        Where predictions, records that failed, and drift alarms go.
    checkpoint : mapping
        ``dir``, ``every``, ``rows``, ``keep``, ``on_missing``.
    guarantee : "at-most-once", "at-least-once" or "exactly-once"
        What holds after a crash; see docs/guarantees.md.
    errors, batch, stop : mapping
        Policies by stage; rows and milliseconds of a batch; when to end.
    on_error
        Asked about each record that fails (stage, record id, reason): True goes on as the policy says, False stops.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> import streamlearn as sl
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> lines = [json.dumps({"x": i % 7, "class": "odd" if i % 2 else "even"}) for i in range(100)]
    >>> _ = (folder / "events.jsonl").write_text("\\n".join(lines) + "\\n")
    >>> pipeline = sl.Pipeline(
    ...     source={"type": "file", "path": str(folder / "events.jsonl")},
    ...     schema={"target": "class"},
    ...     learner=sl.HoeffdingTreeClassifier(),
    ...     sink={"type": "file", "path": str(folder / "predictions.jsonl")},
    ...     checkpoint={"dir": str(folder / "state")},
    ...     guarantee="exactly-once",
    ... )
    >>> pipeline.run().rows
    100
    """

    def __init__(
        self,
        *,
        source: LiveSource | Mapping[str, Any],
        learner: Any = None,
        learners: Mapping[str, Any] | None = None,
        name: str = "pipeline",
        schema: Mapping[str, Any] | None = None,
        key: Hashable | None = None,
        keys: Mapping[str, Any] | None = None,
        scope: Scope = "partition",
        labels: Mapping[str, Any] | None = None,
        metrics: Sequence[str] | None = None,
        window: int = 1000,
        drift: Any = (),
        alarms: Sink | Mapping[str, Any] | None = None,
        sink: Any = (),
        checkpoint: Mapping[str, Any] | None = None,
        guarantee: Guarantee = "at-least-once",
        dead_letter: Sink | Mapping[str, Any] | None = None,
        errors: Mapping[str, Any] | None = None,
        batch: Mapping[str, Any] | None = None,
        stop: Mapping[str, Any] | None = None,
        on_error: OnError | None = None,
        fingerprint: Mapping[str, Any] | None = None,
    ) -> None:
        check_choice("scope", scope, ("partition", "worker"))
        check_choice("guarantee", guarantee, GUARANTEES)
        check_range("window", window, 1, 10**9)
        given = learners if learners is not None else {"champion": learner} if learner is not None else {}
        if not given or (learner is not None and learners is not None):
            raise OptionError("a pipeline needs a learner, or learners by name, and not both")
        made = {label: _learner(model) for label, model in given.items()}
        kinds = {model.task for model in made.values()}
        if len(kinds) > 1:
            raise OptionError(f"the learners must be of one kind, not {', '.join(sorted(kinds))}")
        task = kinds.pop()
        checkpoints = _taken("checkpoint", checkpoint, dir=None, every=5.0, rows=None, keep=3, on_missing="fail")
        if guarantee != "at-most-once" and checkpoints["dir"] is None:
            raise OptionError(f"guarantee: {guarantee} needs a directory for checkpoints: checkpoint: {{dir: ./state}}")
        roles = _roles(schema, key, task)
        policies = _taken("errors", errors, decode="dead_letter", process="dead_letter", label="dead_letter", sink=None)
        for stage in ("decode", "process", "label"):
            check_choice(f"errors.{stage}", policies[stage], POLICIES)
        retries = _taken("errors.sink", policies["sink"], retries=5, backoff=1.0)
        batches = _taken("batch", batch, rows=1000, wait=0.005)
        ends = _taken("stop", stop, rows=None, idle=None, at_end=True)
        detectors = [drift] if isinstance(drift, (str, Mapping, Detector)) else list(drift or ())
        sinks = [sink] if isinstance(sink, (Sink, Mapping)) else list(sink or ())
        self.plan = Plan(
            name=name,
            source=_maker("live_sources", source),
            learners=made,
            roles=roles,
            sinks=[_maker("sinks", one) for one in sinks],
            dead_letter=None if dead_letter is None else _maker("sinks", dead_letter),
            alarms=None if alarms is None else _maker("sinks", alarms),
            labels=_labels(labels, roles),
            errors=ErrorPlan(
                decode=policies["decode"],
                process=policies["process"],
                label=policies["label"],
                retries=retries["retries"],
                backoff=parse_duration(retries["backoff"]),
                on_error=on_error,
            ),
            detectors=[one if isinstance(one, Detector) else make_detector(_detector(one)) for one in detectors],
            metrics=None if metrics is None or task not in SUPERVISED else check_metrics(metrics, cast(Any, task)),
            window=window,
            scope=scope,
            max_hot=_taken("keys", keys, max_hot=10_000)["max_hot"],
            pickled=frozenset(label for label, model in given.items() if _is_pickled(model)),
            infer_rows=(schema or {}).get("infer_rows", 1000),
            guarantee=guarantee,
            directory=None if checkpoints["dir"] is None else Path(checkpoints["dir"]),
            every=parse_duration(checkpoints["every"]),
            every_rows=checkpoints["rows"],
            keep=checkpoints["keep"],
            on_missing=checkpoints["on_missing"],
            batch_rows=batches["rows"],
            batch_wait=parse_duration(batches["wait"]),
            stop_rows=ends["rows"],
            stop_idle=None if ends["idle"] is None else parse_duration(ends["idle"]),
            fingerprint=_fingerprint(made, roles, scope, labels) if fingerprint is None else fingerprint,
        )
        self._refuse_unsaved()
        self._worker: Worker | None = None
        self._stopped = False
