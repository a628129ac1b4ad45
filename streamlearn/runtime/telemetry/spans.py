"""OpenTelemetry spans of a worker's batches, commits and restores, for whichever exporter the user has set up."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...errors import MissingExtraError
from ..observer import Alarm, BatchDone, CommitDone, Observer

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider


NANOSECONDS = 1_000_000_000


class SpanObserver(Observer):
    """Makes a span of each batch, commit and restore, after the fact: the worker is done when it tells.

    Only OpenTelemetry's API is used. Where spans go is the user's choice: a ``TracerProvider`` set in Python, or
    ``opentelemetry-instrument`` with its environment variables. Its processor runs on the worker's thread, so take a
    ``BatchSpanProcessor``, which only queues.

    Parameters
    ----------
    pipeline, worker
        Become attributes of each span.
    provider
        Makes the tracer; by default the global one.

    Raises
    ------
    MissingExtraError
        If OpenTelemetry is not installed.
    """

    def __init__(self, *, pipeline: str = "", worker: str = "0", provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingExtraError("otel", "telemetry with spans") from error
        self._names = {"streamlearn.pipeline": pipeline, "streamlearn.worker": worker}
        self._tracer: Tracer = trace.get_tracer("streamlearn", __version__, tracer_provider=provider)
        self._failed = trace.Status(trace.StatusCode.ERROR)
        self._events: list[tuple[str, dict[str, Any], int]] = []

    def batch(self, done: BatchDone) -> None:
        attributes: dict[str, Any] = {"shard": done.shard, "rows": done.rows, "labels": done.labels}
        attributes |= {"rejected": done.rejected, "decode_seconds": done.decode, "process_seconds": done.process}
        attributes["write_seconds"] = done.write
        if not math.isnan(done.age):
            attributes["event_age_seconds"] = done.age
        self._span("batch", done.decode + done.process + done.write, attributes)

    def committed(self, done: CommitDone) -> None:
        attributes = {"shards": done.shards, "checkpoint": done.checkpoint, "bytes": done.bytes, "rows": done.rows}
        self._span("commit", done.seconds, {**attributes, "reason": done.reason})

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        attributes = {"shard": shard, "checkpoint": checkpoint or "", "replayed": replayed}
        self._span("restore", seconds, attributes)

    def alarm(self, alarm: Alarm) -> None:
        """An event in the span of the batch that raised it, which ends after this."""
        names = ("shard", "learner", "detector", "level", "record", "row")
        self._note(alarm.level, {name: getattr(alarm, name) for name in names})

    def retrying(self, what: str, error: Exception, wait: float) -> None:
        """An event in the next span, which the failure made longer."""
        self._note("retry", {"what": what, "error": type(error).__name__, "wait_seconds": wait})

    def stopped(self, error: BaseException | None) -> None:
        if error is not None:
            self._span("stop", 0.0, {"error": type(error).__name__}, error)

    def _note(self, name: str, attributes: Mapping[str, Any]) -> None:
        if len(self._events) < 100:  # a span holds about so many; a storm of alarms is not kept
            self._events.append((name, _named(attributes), time.time_ns()))

    def _span(
        self, name: str, seconds: float, attributes: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        end = time.time_ns()
        begin = end - int(seconds * NANOSECONDS)
        span = self._tracer.start_span(
            f"streamlearn.{name}", attributes={**self._names, **_named(attributes)}, start_time=begin
        )
        for event, about, when in self._events:
            span.add_event(event, about, when)
        self._events.clear()
        if error is not None:
            span.set_status(self._failed)
        span.end(end)


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"streamlearn.{name}": value for name, value in attributes.items()}
