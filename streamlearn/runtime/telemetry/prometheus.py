"""A worker's numbers for Prometheus: what its status holds is read when scraped, the rest is counted as it happens."""

from __future__ import annotations

import math
import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ... import __version__
from ...parameters import check_range
from ..observer import Alarm, BatchDone, CommitDone, Observer, Status
from .health import STALL_AFTER, judge

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the buckets for work: a batch of a few rows takes a millisecond, a large checkpoint seconds."""

AGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 86400.0)
"""Bounds of the buckets for the age of records, which after an outage may be a day."""

STAGES = ("decode", "process", "label", "sink")
REASONS = ("interval", "rows", "revoked", "stop", "start")
PHASES = ("starting", "running", "draining", "stopped", "failed")
HEALTHS = ("ok", "degraded", "stalled", "failed")

Series = Mapping[Any, float]
"""Values by the values of their labels, which are a tuple."""


class Histogram:
    """Counts by bucket and a sum. One thread adds, others may read: a reader copies the counts in one step.

    Parameters
    ----------
    bounds
        Upper bounds of the buckets, rising; one without a bound is added.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; NaN is not counted, and one below 0, as a wrong clock makes it, counts as 0."""
        if not math.isnan(value):
            self.counts[bisect_left(self.bounds, value)] += 1
            self.sum += max(value, 0.0)

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        counts, total, buckets = list(self.counts), 0, []
        for bound, count in zip([*self.bounds, math.inf], counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == math.inf else str(bound), float(total)))
        return buckets


class Metrics(Observer, Collector):
    """A worker's metrics, in a registry of their own; all carry the labels ``pipeline`` and ``worker``.

    The sets of labels are bounded: partitions beyond ``max_series`` are summed under ``other``, shards beyond it are
    left out where a sum makes no sense (prequential metrics), and ``streamlearn_shards`` tells how many there are. Keys
    of keyed models are never labels.

    Parameters
    ----------
    pipeline, worker
        The names that tell this worker's series from others'.
    restarts
        How often the worker was restarted; by default what the supervisor says in ``STREAMLEARN_RESTARTS``.
    max_series
        How many partitions, shards and alarms (learner, detector, level) are told apart.
    stall_after
        Seconds without a turn of the loop after which ``streamlearn_health`` is ``stalled``.
    webhook
        Whose deliveries are counted, if there is one: `WebhookObserver.counts`.

    Examples
    --------
    >>> metrics = Metrics(pipeline="power", worker="0")
    >>> metrics.batch(BatchDone("events-0", 100, 0, 90, decode=0.001, process=0.004, write=0.002, age=0.3))
    >>> text, content_type = metrics.expose()
    >>> 'streamlearn_event_age_seconds_count{pipeline="power",worker="0"} 1.0' in text.decode()
    True
    """

    def __init__(
        self,
        *,
        pipeline: str = "",
        worker: str = "0",
        restarts: int | None = None,
        max_series: int = 200,
        stall_after: float = STALL_AFTER,
        webhook: Mapping[str, int] | None = None,
    ) -> None:
        check_range("max_series", max_series, 1, 100_000, kind=int)
        self._names = {"pipeline": pipeline, "worker": worker}
        self._restarts = _restarts_of(os.environ) if restarts is None else restarts
        self._max_series = max_series
        self._stall_after = stall_after
        self._webhook = webhook
        self._worker: Any = None
        self._parts = {part: Histogram(SECONDS) for part in ("decode", "process", "write")}
        self._age = Histogram(AGES)
        self._commit = Histogram(SECONDS)
        self._restore = Histogram(SECONDS)
        self._commits: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._alarms: Counter[tuple[str, str, str]] = Counter()
        self._alarmed: dict[tuple[str, str, str], float] = {}
        self._alarms_lock = threading.Lock()  # their dictionaries grow while another thread reads them
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    # -- as it happens, on the worker's thread

    def started(self, worker: Any) -> None:
        self._worker = worker

    def batch(self, done: BatchDone) -> None:
        self._parts["decode"].add(done.decode)
        self._parts["process"].add(done.process)
        self._parts["write"].add(done.write)
        self._age.add(done.age)

    def committed(self, done: CommitDone) -> None:
        self._commit.add(done.seconds)
        self._commits[done.reason] = self._commits.get(done.reason, 0) + 1

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        self._restore.add(seconds)

    def alarm(self, alarm: Alarm) -> None:
        labels = (alarm.learner, alarm.detector, alarm.level)
        with self._alarms_lock:
            if labels not in self._alarms and len(self._alarms) >= self._max_series:
                labels = ("other", "other", alarm.level)
            self._alarms[labels] += 1
            self._alarmed[labels] = time.time()

    # -- when scraped, on the scraping thread

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics as text, and its content type: OpenMetrics where ``accept`` asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        if self._worker is not None:
            yield from self._of_status(self._worker.status())
        yield self._counter("restarts", "Restarts of this worker by its supervisor.", {(): self._restarts})
        commits = {(reason,): count for reason, count in dict(self._commits).items()}
        yield self._counter("commits", "Commits, by what brought them about.", commits, "reason")
        parts = {(part,): histogram for part, histogram in self._parts.items()}
        yield self._histogram("batch_seconds", "Time spent on a batch, by part.", parts, "part")
        age = "Age of a batch's newest record when its outputs were written."
        yield self._histogram("event_age_seconds", age, {(): self._age})
        yield self._histogram("commit_seconds", "Time that a commit took.", {(): self._commit})
        yield self._histogram("restore_seconds", "Time that restoring a shard took.", {(): self._restore})
        with self._alarms_lock:
            alarms = dict(self._alarms)
            alarmed = dict(self._alarmed)
        names = ("learner", "detector", "level")
        yield self._counter("drift_alarms", "Alarms of drift detectors.", alarms, *names)
        last = "When a detector last raised an alarm, in seconds since the epoch."
        yield self._gauge("last_drift_timestamp_seconds", last, alarmed, *names)
        if self._webhook is not None:
            sent = {(outcome,): count for outcome, count in self._webhook.items()}
            yield self._counter("webhook_alarms", "Alarms for the webhook, by what became of them.", sent, "outcome")

    def _of_status(self, status: Status) -> Iterator[Metric]:
        yield self._counter("rows", "Events predicted.", {(): status.rows})
        yield self._counter("labels", "Labels applied.", {(): status.labelled})
        rejected = {(stage,): status.rejected.get(stage, 0) for stage in STAGES}
        yield self._counter("dead_letters", "Records set aside, by the stage that refused them.", rejected, "stage")
        yield self._counter("restores", "Shards restored from checkpoints.", {(): status.restores})

        lag = self._bounded({(partition,): records for partition, records in status.lag.items()})
        yield self._gauge("lag_records", "Records not yet read.", lag, "partition")
        waiting = self._bounded({(shard.shard,): shard.waiting for shard in status.shards})
        yield self._gauge("pending_labels", "Predictions that wait for their labels.", waiting, "shard")
        scores: dict[tuple[str, str, str], float] = {}
        for shard in status.shards[: self._max_series]:
            for learner, metrics in shard.metrics.items():
                scores.update({(learner, name, shard.shard): value for name, value in metrics.items()})
        labels = ("learner", "metric", "shard")
        yield self._gauge("prequential", "Prequential metrics over the window.", scores, *labels)
        sizes: Counter[tuple[str]] = Counter()
        for shard in status.shards:
            sizes.update({(learner,): size for learner, size in shard.model_bytes.items()})
        yield self._gauge("model_bytes", "Size of a learner's models, all shards together.", dict(sizes), "learner")

        age = {} if status.last_commit is None else {(): status.last_commit}
        yield self._gauge("checkpoint_age_seconds", "Time since the last commit.", age)
        yield self._gauge("checkpoint_bytes", "Size of the last checkpoint.", {(): status.last_checkpoint_bytes})
        yield self._gauge("shards", "Shards that this worker has.", {(): len(status.shards)})
        yield self._gauge("partitions", "Partitions that this worker has.", {(): len(status.lag)})
        yield self._gauge("loop_age_seconds", "Time since the loop last came around.", {(): status.last_turn})
        health = judge(status, self._stall_after).health
        states = {(state,): state == health for state in HEALTHS}
        yield self._gauge("health", "1 for how the worker is, 0 for how it is not.", states, "state")
        phases = {(state,): state == status.phase for state in PHASES}
        yield self._gauge("phase", "1 for what the worker does, 0 for what it does not.", phases, "state")
        about = {(__version__, status.guarantee): 1}
        yield self._gauge("worker_info", "What runs.", about, "version", "guarantee")

    # -- families of series

    def _gauge(self, name: str, what: str, values: Series, *labels: str) -> Metric:
        return self._family(GaugeMetricFamily, name, what, values, labels)

    def _counter(self, name: str, what: str, values: Series, *labels: str) -> Metric:
        return self._family(CounterMetricFamily, name, what, values, labels)

    def _family(
        self,
        kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
        name: str,
        what: str,
        values: Series,
        labels: tuple[str, ...],
    ) -> Metric:
        family = kind(f"streamlearn_{name}", what, labels=[*self._names, *labels])
        for own, value in values.items():
            family.add_metric([*self._names.values(), *own], float(value))
        return family

    def _histogram(self, name: str, what: str, values: Mapping[Any, Histogram], *labels: str) -> Metric:
        family = HistogramMetricFamily(f"streamlearn_{name}", what, labels=[*self._names, *labels])
        for own, histogram in values.items():
            family.add_metric([*self._names.values(), *own], histogram.buckets(), histogram.sum)
        return family

    def _bounded(self, values: Series) -> Series:
        """The first series as they are, and the sum of the rest as ``other``."""
        names = list(values)
        kept = {name: values[name] for name in names[: self._max_series]}
        rest = names[self._max_series :]
        return {**kept, ("other",): sum(values[name] for name in rest)} if rest else kept


def _restarts_of(environ: Mapping[str, str]) -> int:
    text = environ.get("STREAMLEARN_RESTARTS", "0")
    return int(text) if text.isdecimal() else 0
