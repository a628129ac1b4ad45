"""The recipe of a pipeline: everything that a worker needs to make its parts, made anew at each restart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..detector import Detector
from ..format import Format, Roles
from ..learner import Learner
from ..live import Guarantee, LiveSource
from ..sink import Sink
from .observer import Stage

Policy = Literal["dead_letter", "skip", "stop"]
Scope = Literal["partition", "worker"]
OnError = Callable[[Stage, str, Exception | str], bool]
"""Asked about each record that fails: its stage, its id, what is wrong. True: set it aside and go on; False: stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """Where late labels come from, and how long predictions wait for them.

    Parameters
    ----------
    source
        Makes the second source.
    key
        The label record's column that names the event: its ``id`` where the schema names one, else its record id.
    label
        The label record's column that holds the label.
    ttl
        Seconds of event time after which a prediction no longer waits; None waits as long as the bounds allow.
    default
        The label that is learned then; None learns nothing.
    max_rows, max_early
        Predictions that wait, and labels that wait for their prediction, at most.
    """

    source: Callable[[], LiveSource]
    key: Hashable
    label: Hashable
    ttl: float | None = None
    default: Any = None
    max_rows: int = 1_000_000
    max_early: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPlan:
    """What happens to a record that fails at a stage, and how often a failing sink or source is tried again."""

    decode: Policy = "dead_letter"
    process: Policy = "dead_letter"
    label: Policy = "dead_letter"
    retries: int = 6
    backoff: float = 1.0
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a worker runs. The makers are called once for each start; learners and detectors are cloned."""

    name: str
    source: Callable[[], LiveSource]
    learners: Mapping[str, Learner]
    roles: Roles
    format: Callable[[str, Literal["source", "labels"]], Format]
    sinks: Sequence[Callable[[], Sink]] = ()
    dead_letter: Callable[[], Sink] | None = None
    alarms: Sequence[Callable[[], Sink]] = ()
    labels: LabelPlan | None = None
    errors: ErrorPlan = field(default_factory=ErrorPlan)
    detectors: Sequence[Detector] = ()
    metrics: Sequence[str] | None = None
    window: int = 1000
    scope: Scope = "partition"
    max_hot: int = 10_000
    pickle: bool = False
    infer_rows: int = 1000
    probabilities: bool = True
    guarantee: Guarantee = "at-least-once"
    directory: Path | None = None
    every: float = 5.0
    every_rows: int | None = None
    keep: int = 3
    on_missing: Literal["fail", "fresh"] = "fail"
    batch_rows: int = 1000
    batch_wait: float = 0.01
    stop_rows: int | None = None
    stop_idle: float | None = None
    stop_at_end: bool = True
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    @property
    def champion(self) -> str:
        """The learner whose predictions are the pipeline's."""
        return next(iter(self.learners))
