"""What people see of a worker: metrics, health, logs, spans, the live view, webhooks, dashboard and alerts."""

from __future__ import annotations

import http.server
import io
import json
import logging
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grafana_foundation_sdk.cog.encoder as grafana_encoder
import grafana_foundation_sdk.models.dashboard as grafana
import numpy as np
import promql_parser as promql
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rich.cells import cell_len
from rich.console import Console

from streamlearn.errors import MissingExtraError, OptionError
from streamlearn.runtime.observer import Alarm, BatchDone, CommitDone, Observer, ShardStatus, Status
from streamlearn.runtime.telemetry import (
    Endpoint,
    LiveView,
    LogObserver,
    Metrics,
    SpanObserver,
    Watchdog,
    WebhookObserver,
    judge,
    make_observers,
)
from streamlearn.runtime.telemetry.live_view import Picture, Seen, line, sparkline
from streamlearn.runtime.telemetry.logs import LineHandler
from streamlearn.runtime.telemetry.prometheus import Histogram
from streamlearn.runtime.telemetry.redaction import redacted

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
PATIENCE = 10.0  # seconds until a test gives up on what happens on another thread


def status(**changes: Any) -> Status:
    """A worker in the middle of its work."""
    made = Status(
        pipeline="power",
        worker="0",
        phase="running",
        health="ok",
        message="",
        rows=12_000,
        labelled=11_900,
        rejected={"decode": 3, "sink": 1},
        alarms=2,
        commits=7,
        restores=2,
        lag={"events-0": 0, "events-1": 250},
        last_commit=3.5,
        last_checkpoint_bytes=4_300_000,
        shards=[
            ShardStatus(
                shard=f"events-{i}",
                partitions=[f"events-{i}"],
                rows=6_000,
                labelled=5_950,
                waiting=50 + i,
                checkpoint="1-12",
                metrics={"champion": {"accuracy": 0.9 - 0.1 * i, "kappa": 0.7}, "shadow": {"accuracy": math.nan}},
                model_bytes={"champion": 1000, "shadow": 10},
            )
            for i in range(2)
        ],
        guarantee="exactly-once",
        last_turn=0.01,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


class Worker:
    """Stands for the worker: gives the status that the test sets."""

    def __init__(self, **changes: Any) -> None:
        self.now = status(**changes)

    def status(self) -> Status:
        return self.now


DRIFT = Alarm("power", "events-0", "champion", "adwin", "drift", "events-0-41", 41_000, 1.5)
BATCH = BatchDone("events-0", rows=100, rejected=1, labels=90, decode=0.002, process=0.03, write=0.004, age=0.7)
COMMIT = CommitDone(["events-0", "events-1"], checkpoint=13, seconds=0.02, bytes=4096, rows=5000, reason="interval")


def tell(observer: Observer, worker: Worker) -> None:
    """A run in small, with everything that a worker tells."""
    observer.started(worker)
    observer.restored("events-0", "1-12", True, 0.4)
    observer.restored("events-1", None, False)
    observer.assigned(["events-0", "events-1"])
    observer.batch(BATCH)
    observer.rejected("events-0", "events-0-7", "decode", "field 'price' is 'x', not a number")
    observer.alarm(DRIFT)
    observer.retrying("commit", TimeoutError("no answer"), 0.5)
    observer.committed(COMMIT)
    observer.released(["events-1"], lost=False)


def wait_for(what: Callable[[], Any]) -> Any:
    """What ``what`` returns once it is true."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        if time.monotonic() > end:
            pytest.fail("it did not happen in time")
        time.sleep(0.01)
    return found


# -- metrics


def series(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of an exposition by name and labels, as Prometheus's own parser reads it."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return series(text)[name, frozenset({"pipeline": "power", "worker": "0", **labels}.items())]


def exposed() -> Metrics:
    """Metrics after a run in which everything happened once."""
    counts = {"delivered": 1, "failed": 0, "dropped": 0}
    metrics = Metrics(pipeline="power", worker="0", restarts=1, webhook=counts)
    tell(metrics, Worker())
    return metrics


def test_metrics_are_what_the_worker_says() -> None:
    text = exposed().expose()[0].decode()
    assert value(text, "streamlearn_rows_total") == 12_000
    assert value(text, "streamlearn_labels_total") == 11_900
    assert value(text, "streamlearn_dead_letters_total", stage="decode") == 3
    assert value(text, "streamlearn_dead_letters_total", stage="process") == 0  # there before the first
    assert value(text, "streamlearn_lag_records", partition="events-1") == 250
    assert value(text, "streamlearn_prequential", learner="champion", metric="accuracy", shard="events-1") == 0.8
    nothing = value(text, "streamlearn_prequential", learner="shadow", metric="accuracy", shard="events-0")
    assert math.isnan(nothing)
    assert value(text, "streamlearn_pending_labels", shard="events-1") == 51
    assert value(text, "streamlearn_model_bytes", learner="champion") == 2000
    assert value(text, "streamlearn_checkpoint_age_seconds") == 3.5
    assert value(text, "streamlearn_checkpoint_bytes") == 4_300_000
    assert value(text, "streamlearn_commits_total", reason="interval") == 1
    assert value(text, "streamlearn_restores_total") == 2
    assert value(text, "streamlearn_restarts_total") == 1
    assert value(text, "streamlearn_health", state="ok") == 1
    assert value(text, "streamlearn_health", state="stalled") == 0
    assert value(text, "streamlearn_phase", state="running") == 1
    assert value(text, "streamlearn_drift_alarms_total", learner="champion", detector="adwin", level="drift") == 1
    when = value(text, "streamlearn_last_drift_timestamp_seconds", learner="champion", detector="adwin", level="drift")
    assert abs(when - time.time()) < 60
    assert value(text, "streamlearn_batch_seconds_sum", part="process") == 0.03
    assert value(text, "streamlearn_batch_seconds_bucket", part="process", le="0.025") == 0
    assert value(text, "streamlearn_batch_seconds_bucket", part="process", le="0.05") == 1
    assert value(text, "streamlearn_event_age_seconds_count") == 1
    assert value(text, "streamlearn_webhook_alarms_total", outcome="delivered") == 1


def test_no_commit_yet_is_no_age() -> None:
    metrics = Metrics(pipeline="power")
    metrics.started(Worker(last_commit=None))
    assert "streamlearn_checkpoint_age_seconds{" not in metrics.expose()[0].decode()


def test_openmetrics_is_given_where_it_is_asked_for() -> None:
    body, content_type = exposed().expose("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics.text_string_to_metric_families(body.decode())}  # a strict parser
    assert {"streamlearn_rows", "streamlearn_batch_seconds", "streamlearn_lag_records"} <= names


def test_names_and_units_are_those_of_prometheus() -> None:
    for family in text_string_to_metric_families(exposed().expose()[0].decode()):
        assert re.fullmatch(r"(streamlearn|process)_[a-z0-9_]+", family.name), family.name
        assert family.documentation, family.name
        assert not re.search(r"_(ms|millis|minutes|kb|mb|percent)(_|$)", family.name), family.name
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith("_total"), sample.name
            assert family.name.startswith("process_") or {"pipeline", "worker"} <= set(sample.labels), sample.name


@given(st.lists(st.floats(-1, 100) | st.just(math.nan), max_size=50))
def test_histograms_count_like_numpy(values: list[float]) -> None:
    bounds = (0.001, 0.5, 1.0, 30.0)
    histogram = Histogram(bounds)
    for one in values:
        histogram.add(one)
    known = np.array([one for one in values if not math.isnan(one)])
    assert [count for _, count in histogram.buckets()] == [*(np.sum(known <= bound) for bound in bounds), len(known)]
    assert histogram.sum == pytest.approx(np.sum(np.maximum(known, 0)))


def test_series_are_bounded() -> None:
    lag = {f"events-{i}": i for i in range(500)}
    shards = [ShardStatus(f"s{i}", [], 0, 0, 1, None, {"tree": {"accuracy": 1.0}}, {"tree": 1}) for i in range(500)]
    metrics = Metrics(pipeline="power", max_series=20)
    metrics.started(Worker(lag=lag, shards=shards))
    for i in range(500):
        metrics.alarm(Alarm("power", "s", f"learner-{i}", "adwin", "drift", "r", 1, None))
    found = series(metrics.expose()[0].decode())

    def of(name: str) -> dict[Any, float]:
        return {labels: one for (sample, labels), one in found.items() if sample == name}

    assert len(of("streamlearn_lag_records")) == 21
    assert sum(of("streamlearn_lag_records").values()) == sum(lag.values())
    assert sum(of("streamlearn_pending_labels").values()) == 500
    assert len(of("streamlearn_prequential")) == 20
    assert sum(of("streamlearn_shards").values()) == 500
    assert len(of("streamlearn_drift_alarms_total")) == 21
    assert sum(of("streamlearn_drift_alarms_total").values()) == 500


def test_labels_with_quotes_and_lines_are_escaped() -> None:
    metrics = Metrics(pipeline='po"w\ner\\')
    metrics.started(Worker(lag={'a"\n\\': 5}))
    samples = series(metrics.expose()[0].decode())
    labels = frozenset({"pipeline": 'po"w\ner\\', "worker": "0", "partition": 'a"\n\\'}.items())
    assert samples["streamlearn_lag_records", labels] == 5


@pytest.mark.parametrize(("said", "restarts"), [("3", 3), ("", 0), ("x", 0), (None, 0)])
def test_the_supervisor_tells_the_restarts(said: str | None, restarts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMLEARN_RESTARTS", raising=False)
    if said is not None:
        monkeypatch.setenv("STREAMLEARN_RESTARTS", said)
    assert value(Metrics(pipeline="power").expose()[0].decode(), "streamlearn_restarts_total") == restarts


def test_metrics_may_be_scraped_while_they_are_counted() -> None:
    metrics = Metrics(pipeline="power")
    metrics.started(Worker())
    ended = threading.Event()

    def work() -> None:
        i = 0
        while not ended.is_set():
            metrics.batch(BATCH)
            metrics.alarm(Alarm("power", "s", f"learner-{i % 150}", "adwin", "drift", "r", 1, None))
            i += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        counts = [
            value(metrics.expose()[0].decode(), "streamlearn_batch_seconds_count", part="write") for _ in range(20)
        ]
    finally:
        ended.set()
        thread.join()
    assert counts == sorted(counts)


# -- health


@pytest.mark.parametrize(
    ("changes", "health", "reason"),
    [
        ({}, "ok", None),
        ({"message": "all is well"}, "ok", None),
        ({"health": "degraded", "message": "kafka does not answer"}, "degraded", "kafka does not answer"),
        ({"last_turn": 31.0}, "stalled", "has not come around for 31 s"),
        ({"last_turn": 31.0, "phase": "draining"}, "stalled", "31 s"),
        ({"last_turn": 31.0, "phase": "starting"}, "ok", None),
        ({"last_turn": 31.0, "phase": "stopped"}, "ok", None),
        ({"phase": "failed", "health": "failed", "message": "disk full"}, "failed", "disk full"),
        ({"phase": "failed"}, "failed", "log"),
    ],
)
def test_health_and_its_reasons(changes: dict[str, Any], health: str, reason: str | None) -> None:
    verdict = judge(status(**changes))
    assert verdict.health == health
    assert (verdict.reasons == []) if reason is None else (reason in verdict.reasons[0])


class Hanging:
    """A worker whose loop hangs on a thread of its own until it is let go."""

    def __init__(self) -> None:
        self.turned = time.monotonic()
        self.let_go = threading.Event()

    def status(self) -> Status:
        return status(last_turn=time.monotonic() - self.turned)

    def loop(self, watchdog: Watchdog) -> None:
        watchdog.started(self)
        self.deep_inside(30)
        for _ in range(200):
            self.turned = time.monotonic()
            time.sleep(0.005)
        watchdog.stopped(None)

    def deep_inside(self, calls: int) -> None:
        if calls:
            self.deep_inside(calls - 1)
        else:
            self.hang_in_a_sink()

    def hang_in_a_sink(self) -> None:
        self.let_go.wait(PATIENCE)


def test_a_watchdog_says_once_where_the_loop_hangs_and_when_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    worker, watchdog = Hanging(), Watchdog(stall_after=0.15)
    with caplog.at_level(logging.INFO, logger="streamlearn"):
        loop = threading.Thread(target=worker.loop, args=[watchdog])
        loop.start()
        wait_for(lambda: "stalled" in caplog.text)
        time.sleep(0.2)
        worker.let_go.set()
        wait_for(lambda: "turns again" in caplog.text)
        loop.join()
    watchdog.close()
    stalls = [record for record in caplog.records if getattr(record, "event", "") == "stalled"]
    assert len(stalls) == 1
    message = stalls[0].getMessage()
    assert "in hang_in_a_sink" in message  # the innermost calls, however deep they are
    assert "in loop\n" not in message
    assert [record.event for record in caplog.records] == ["stalled", "recovered"]  # type: ignore[attr-defined]


# -- the endpoint


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    metrics = Metrics(pipeline="power")
    made = Endpoint(metrics, port=0)
    yield made
    made.close()


def get(endpoint: Endpoint, path: str, **headers: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint.url + path, headers=headers), timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.mark.parametrize(
    ("changes", "health", "ready"),
    [
        ({}, 200, 200),
        ({"health": "degraded"}, 200, 200),
        ({"phase": "starting"}, 200, 503),
        ({"phase": "draining"}, 200, 503),
        ({"last_turn": 99.0}, 503, 503),
        ({"health": "failed", "phase": "failed"}, 503, 503),
        ({"phase": "stopped"}, 200, 503),
    ],
)
def test_probes(endpoint: Endpoint, changes: dict[str, Any], health: int, ready: int) -> None:
    endpoint.started(Worker(**changes))
    code, content_type, body = get(endpoint, "/health")
    assert (code, content_type) == (health, "application/json")
    assert set(json.loads(body)) == {"health", "phase", "reasons"}
    assert get(endpoint, "/ready")[0] == ready


def test_probes_before_the_worker_starts(endpoint: Endpoint) -> None:
    assert get(endpoint, "/health")[0] == 200
    assert get(endpoint, "/ready")[0] == 503
    assert get(endpoint, "/metrics")[0] == 200


def test_the_status_as_strict_json(endpoint: Endpoint) -> None:
    endpoint.started(Worker(health="degraded", message="kafka does not answer"))
    code, _, body = get(endpoint, "/status")
    found = json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert code == 200
    assert found["shards"][0]["metrics"]["shadow"] == {"accuracy": None}
    assert found["reasons"] == ["kafka does not answer"]
    assert found["lag"] == {"events-0": 0, "events-1": 250}


def test_health_and_status_keep_secrets(endpoint: Endpoint) -> None:
    endpoint.started(Worker(health="degraded", message="can't connect with sasl.password=hunter2"))
    for path in ("/health", "/status"):
        body = get(endpoint, path)[2]
        assert "sasl.password=***" in body
        assert "hunter2" not in body


def test_metrics_over_http(endpoint: Endpoint) -> None:
    endpoint.started(Worker())
    code, content_type, body = get(endpoint, "/metrics?debug=1")
    assert code == 200
    assert content_type.startswith("text/plain")
    assert "streamlearn_restarts_total" in body
    assert get(endpoint, "/metrics", Accept="application/openmetrics-text")[2].endswith("# EOF\n")


def test_other_paths_and_methods(endpoint: Endpoint) -> None:
    assert get(endpoint, "/")[0] == 404
    request = urllib.request.Request(endpoint.url + "/health", method="HEAD")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(urllib.request.Request(endpoint.url + "/health", b"{}", method="POST"), timeout=5)
    assert raised.value.code == 501
    raised.value.close()


def test_a_status_that_can_not_be_had_is_an_error_not_an_ok(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def status(self) -> Status:
            raise RuntimeError("hunter2")

    endpoint.started(Broken())
    code, _, body = get(endpoint, "/health")
    assert code == 500
    assert "hunter2" not in body


def test_a_client_that_says_nothing_does_not_hold_up_others(endpoint: Endpoint) -> None:
    with socket.create_connection((endpoint.host, endpoint.port)):
        assert get(endpoint, "/health")[0] == 200


def test_a_port_that_is_taken_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(OptionError, match=rf"127\.0\.0\.1:{endpoint.port}.*prometheus\.port"):
        Endpoint(Metrics(), port=endpoint.port)


def test_a_closed_endpoint_frees_its_port() -> None:
    first = Endpoint(Metrics(), port=0)
    first.close()
    first.close()
    Endpoint(Metrics(), port=first.port).close()


# -- logs


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


def log_of(stream: io.StringIO, format: str, **options: Any) -> LogObserver:
    return LogObserver(format=format, pipeline="power", worker="0", stream=stream, **options)


def test_json_logs_are_an_object_a_line(lines: io.StringIO) -> None:
    observer = log_of(lines, "json", level="debug")
    tell(observer, Worker())
    observer.stopped(RuntimeError("two\nlines"))
    observer.close()
    found = [json.loads(text) for text in lines.getvalue().splitlines()]
    events = [entry["event"] for entry in found]
    assert events == [
        *["started", "restored", "restored", "assigned", "rejected", "drift", "retrying", "committed", "released"],
        "failed",
    ]
    assert all((entry["pipeline"], entry["worker"]) == ("power", "0") for entry in found)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]) for entry in found)
    restored = found[1]
    assert (restored["level"], restored["shard"], restored["checkpoint"]) == ("info", "events-0", "1-12")
    assert "RuntimeError: two\nlines" in found[-1]["error"]


def test_commits_are_for_debugging(lines: io.StringIO) -> None:
    observer = log_of(lines, "text")
    tell(observer, Worker())
    observer.close()
    assert "restored from checkpoint 1-12" in lines.getvalue()
    assert "committed" not in lines.getvalue()


def test_text_of_records_can_not_pose_as_another_line(lines: io.StringIO) -> None:
    observer = log_of(lines, "text")
    observer.rejected("s", "events-0-1", "decode", "bad\n2026-01-01 00:00:00 INFO power/0: all is well\x1b[2J\r")
    observer.close()
    text = lines.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert [row for row in text.splitlines() if row.startswith("2026-01-01")] == []


def test_records_set_aside_are_summed_up(lines: io.StringIO) -> None:
    observer = log_of(lines, "json", every=1000.0)
    for i in range(5000):
        observer.rejected("s", f"events-0-{i}", "decode", "bad")
    observer.rejected("s", "events-0-9", "sink", "bad")
    observer.stopped(None)
    observer.close()
    first, rest, _ = [json.loads(text) for text in lines.getvalue().splitlines()]
    assert (first["record"], first["count"]) == ("events-0-0", 1)
    assert rest["counts"] == {"decode": 4999, "sink": 1}


@pytest.mark.parametrize(
    "text",
    [
        "sasl.password=hunter2",
        "{'sasl.password': 'hunter2', 'a': 1}",
        '"client_secret": "hunter2"',
        "kafka://me:hunter2@broker:9092",
        "https://hunter2@hooks.example/x",
        "Authorization: Bearer hunter2hunter2",
        "api_key: hunter2, x",
        'sasl.jaas.config="org.apache X password=hunter2;"',
        "AWS_SECRET_ACCESS_KEY=hunter2",
    ],
)
def test_secrets_are_masked(text: str, lines: io.StringIO) -> None:
    assert "hunter2" not in redacted(text)
    observer = log_of(lines, "json")
    observer.retrying("connect", ConnectionError(text), 1.0)
    observer.stopped(ConnectionError(text))
    observer.close()
    assert "***" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()


@pytest.mark.parametrize(
    "text", ["field 'price' is 'x'", "key events-1", "at row 3: expected number", "tokenised 5", "a basic assumption"]
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("piece", ["a", "password", 'password="', "://", "bearer ", "authorization:", "token = "])
def test_no_text_takes_long(piece: str) -> None:
    assert len(redacted(piece * 1_000_000)) < 100_000  # would take hours if it took the square of the length


def test_a_long_text_loses_its_middle() -> None:
    assert redacted("begin" + "x" * 50_000 + "end").startswith("begin")
    assert redacted("begin" + "x" * 50_000 + "end").endswith("end")


def test_a_reader_that_does_not_read_costs_lines_not_time() -> None:
    read, write = os.pipe()
    with open(write, "w", buffering=1) as full, open(read) as reader:
        handler = LineHandler(full)
        handler.setFormatter(logging.Formatter("%(message)s"))
        for i in range(30_000):  # far more than the pipe and the queue hold: returns all the same
            handler.emit(logging.makeLogRecord({"msg": f"{i:<80}"}))
        rows: list[str] = []
        reading = threading.Thread(target=lambda: rows.extend(reader))
        reading.start()
        time.sleep(0.2)
        handler.emit(logging.makeLogRecord({"msg": "the last"}))
        handler.close()
        full.close()
        reading.join(PATIENCE)
    assert rows[0].startswith("0 ")
    assert rows[-1] == "the last\n"
    assert any("log lines were dropped" in row for row in rows)
    assert 1000 < len(rows) < 30_000


def test_two_workers_of_a_process_log_each_their_own(lines: io.StringIO) -> None:
    other = io.StringIO()
    first = LogObserver(pipeline="power", worker="0", stream=lines)
    second = LogObserver(pipeline="power", worker="1", stream=other)
    first.assigned(["a"])
    second.assigned(["b"])
    second.close()
    first.close()
    assert "has a now" in lines.getvalue()
    assert "has b now" not in lines.getvalue()
    assert "has a now" not in other.getvalue()


def test_closing_leaves_the_logger_as_it_was(lines: io.StringIO) -> None:
    logger = logging.getLogger("streamlearn")
    before = list(logger.handlers), logger.level, logger.propagate
    observer = log_of(lines, "text", level="debug")
    observer.close()
    observer.close()
    assert (logger.handlers, logger.level, logger.propagate) == before


# -- spans


def test_spans_of_batches_commits_and_restores() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    observer = SpanObserver(pipeline="power", worker="0", provider=provider)
    tell(observer, Worker())
    observer.stopped(OSError("disk full"))
    spans = exporter.get_finished_spans()
    assert [span.name.removeprefix("streamlearn.") for span in spans] == [
        *["restore", "restore", "batch", "commit", "stop"]
    ]
    restore, _, batch, commit, stop = spans
    attributes = dict(batch.attributes or {})
    assert attributes["streamlearn.pipeline"] == "power"
    assert attributes["streamlearn.rows"] == 100
    assert attributes["streamlearn.event_age_seconds"] == 0.7
    assert batch.end_time - batch.start_time == pytest.approx(0.036e9, rel=1e-6)
    assert restore.end_time - restore.start_time == pytest.approx(0.4e9, rel=1e-6)
    assert (commit.attributes or {})["streamlearn.shards"] == ("events-0", "events-1")
    assert [event.name for event in commit.events] == ["drift", "retry"]
    assert not stop.status.is_ok


def test_spans_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match=r"streamlearn\[otel\]"):
        make_observers({"spans": True})


# -- webhooks


class Receiver:
    """A server on this machine that answers posts with the codes that it is given, the last one for ever."""

    def __init__(self, *codes: int, headers: dict[str, str] | None = None) -> None:
        self.posts: list[dict[str, Any]] = []
        self.hang = threading.Event()
        self.hang.set()
        outer, left = self, list(codes)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append(json.loads(body, parse_constant=lambda name: pytest.fail(name)))
                outer.hang.wait(PATIENCE)
                try:
                    self.send_response(left.pop(0) if len(left) > 1 else left[0])
                    for name, content in (headers or {}).items():
                        self.send_header(name, content)
                    self.end_headers()
                except OSError:  # the client went away
                    pass

            def do_GET(self) -> None:
                outer.posts.append({"method": "GET"})

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_alarms_are_posted() -> None:
    with Receiver(200) as receiver:
        webhook = WebhookObserver(receiver.url)
        webhook.alarm(DRIFT)
        webhook.close()
    (post,) = receiver.posts
    assert webhook.counts == {"delivered": 1, "failed": 0, "dropped": 0}
    assert post["id"] == "power-events-0-41-champion-adwin-drift"
    assert post["text"] == "power: adwin reports drift of champion at row 41,000 (events-0-41)"
    assert (post["level"], post["row"], post["event_time"]) == ("drift", 41_000, 1.5)


def test_warnings_are_posted_where_they_are_wanted() -> None:
    warning = Alarm("power", "s", "champion", "ddm", "warning", "events-0-3", 3, None)
    with Receiver(204) as receiver:
        for level in ("drift", "warning"):
            webhook = WebhookObserver(receiver.url, level=level)
            webhook.alarm(warning)
            webhook.alarm(DRIFT)
            webhook.close()
    assert [post["level"] for post in receiver.posts] == ["drift", "warning", "drift"]


@pytest.mark.parametrize(
    ("codes", "posts", "outcome"),
    [
        ((500, 503, 200), 3, "delivered"),
        ((429, 200), 2, "delivered"),
        ((500,), 3, "failed"),
        ((400,), 1, "failed"),
        ((302,), 1, "failed"),  # not followed: it would become a GET
    ],
)
def test_what_is_tried_again(codes: tuple[int, ...], posts: int, outcome: str) -> None:
    with Receiver(*codes, headers={"Location": "/elsewhere"}) as receiver:
        webhook = WebhookObserver(receiver.url, retries=2, backoff=0.01)
        webhook.alarm(DRIFT)
        wait_for(lambda: sum(webhook.counts.values()))
        webhook.close()
    assert len(receiver.posts) == posts
    assert webhook.counts[outcome] == 1


def test_a_server_that_hangs_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(200) as receiver:
        receiver.hang.clear()
        webhook = WebhookObserver(receiver.url, timeout=30, capacity=3)
        webhook.alarm(DRIFT)
        wait_for(lambda: receiver.posts)
        for _ in range(10):  # the first hangs, three wait, seven are dropped; none of this waits for the server
            webhook.alarm(DRIFT)
        assert webhook.counts == {"delivered": 0, "failed": 0, "dropped": 7}
        assert caplog.text.count("alarms are dropped") == 1
        webhook.close(timeout=0.2)
        assert webhook.counts["dropped"] == 10
        assert not receiver.hang.is_set()


def test_a_time_out_is_a_failure() -> None:
    with Receiver(200) as receiver:
        receiver.hang.clear()
        webhook = WebhookObserver(receiver.url, timeout=0.1, retries=1, backoff=0)
        webhook.alarm(DRIFT)
        wait_for(lambda: webhook.counts["failed"])
        webhook.close()
        assert len(receiver.posts) == 2


def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    webhook = WebhookObserver(f"http://127.0.0.1:{port}/services/hunter2", retries=1, backoff=0)
    with caplog.at_level(logging.WARNING, logger="streamlearn"):
        webhook.alarm(DRIFT)
        wait_for(lambda: webhook.counts["failed"])
        webhook.close()
    assert "not delivered to http://127.0.0.1" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/x", "hooks.example/hunter2", "http://", "http://[", ""]
)
def test_only_http(url: str) -> None:
    with pytest.raises(OptionError, match="webhook") as raised:
        WebhookObserver(url)
    assert "hunter2" not in str(raised.value)


# -- the live view


def seen(**changes: Any) -> Seen:
    """A minute of work, half a second a sample."""
    made = Seen(0.0)
    for i in range(120):
        now = status(rows=1000 * i, **changes)
        made.sample(now, judge(now), 0.5 * i)
    made.batch, made.commit = BATCH, COMMIT
    made.alarms.append((30.0, DRIFT))
    made.resumed = "resumed from checkpoint 1-12 at row 20,000"
    return made


def drawn(made: Seen, width: int, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, color_system=None)
    console.print(Picture(made))
    file.flush()
    file.seek(0)
    return file.read()


@pytest.mark.parametrize("width", [20, 44, 60, 80, 99, 100, 120, 200])
def test_the_view_fits_any_terminal(width: int) -> None:
    many = {f"a-topic-with-a-rather-long-name-{i}": i for i in range(40)}
    text = drawn(seen(lag=many, health="degraded", message="kafka does not answer " * 5), width)
    assert max(map(cell_len, text.splitlines())) <= width


def test_the_view_shows_what_matters() -> None:
    text = drawn(seen(), 120)
    for part in (
        *["power", "worker 0", "running ok", "up 59.5 s", "exactly-once", "resumed from checkpoint 1-12 at row 20,000"],
        *["119,000", "2,000/s", "11,900", "101 waiting", "decode 3, sink 1", "3.5 s ago", "4.1 MiB", "7 commits"],
        *["champion", "shadow", "85.00 %", "70.00 %", "2.0 KiB", "events-1", "250", "caught up"],
        *["29.5 s ago", "drift", "champion, adwin", "row 41,000", "700 ms"],
    ):
        assert part in text, part


def test_a_failure_is_seen() -> None:
    assert "disk full" in drawn(seen(phase="failed", health="failed", message="disk full"), 80)
    assert "has not come around for 40 s" in drawn(seen(last_turn=40.0), 80)


def test_the_view_before_there_is_anything() -> None:
    empty = seen(shards=[], lag={}, last_commit=None, alarms=0)
    empty.alarms.clear()
    empty.batch = empty.commit = None
    text = drawn(empty, 80)
    assert "no metrics yet" in text
    assert "none yet" in text
    assert "starting" in drawn(Seen(0.0), 80)


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({}, "no metrics yet"),
        ({"tree": {}}, r"│ tree +0 B"),
        ({"tree": {"profit": 12.5}}, r"│ tree +12\.5 "),
        ({"tree": {"rmse": math.inf}}, r"│ tree +inf "),
        ({"tree": {"accuracy": math.nan}}, r"│ tree +- "),
    ],
)
def test_the_view_of_any_metrics(metrics: dict[str, dict[str, float]], shown: str) -> None:
    assert re.search(shown, drawn(seen(shards=[ShardStatus("s", [], 9, 9, 0, None, metrics, {})]), 100))


def test_foreign_names_are_shown_as_they_are() -> None:
    made = seen(
        lag={"[red]a[/nothing]\x1b[2J": 3},
        shards=[ShardStatus("s", [], 9, 9, 0, None, {"[bold]t[/x]": {"[m]": 1.0}}, {})],
        health="degraded",
        message="broker said [/] and \x1b[31m",
    )
    text = drawn(made, 120)
    for part in (r"[red]a[/nothing]\x1b[2J", "[bold]t[/x]", "[m]", r"broker said [/] and \x1b[31m"):
        assert part in text
    assert "\x1b" not in text + line(made)


def test_the_view_on_a_terminal_without_unicode() -> None:
    drawn(seen(), 80, encoding="ascii").encode("ascii")


@pytest.mark.parametrize("values", [[], [math.nan], [1.0], [2.0, 2.0], [0.0, -1.0, 5.0, math.nan, math.inf]])
def test_sparklines_are_as_long_as_what_they_show(values: list[float]) -> None:
    assert len(sparkline(values)) == (len(values) if any(not math.isnan(one) for one in values) else 0)


def test_lines_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    view = LiveView(console=Console(file=file, width=40), line_every=0.02)
    tell(view, Worker())
    wait_for(lambda: file.getvalue().count("\n") >= 3)
    view.stopped(None)
    view.close()
    first = file.getvalue().splitlines()[0]
    assert first.startswith("power/0 running, ok | 12,000 rows")
    assert "champion Accuracy 85.00 % Kappa 70.00 %" in first
    assert "\x1b" not in file.getvalue()


def test_the_view_is_redrawn_on_a_terminal_and_stays_when_it_ends() -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, _environ={"TERM": "xterm"})
    view = LiveView(console=console, every=0.02)
    worker = Worker()
    tell(view, worker)
    wait_for(lambda: file.getvalue().count("12,000") >= 3)
    worker.now = status(rows=12_345, phase="stopped")
    view.stopped(None)
    assert "12,345" in file.getvalue()
    assert "resumed from checkpoint 1-12 at row 6,000" in file.getvalue()


def test_a_line_names_the_trouble() -> None:
    assert line(seen(health="degraded", message="kafka does not answer")).endswith("| kafka does not answer")


# -- from the pipeline file


def test_observers_that_are_asked_for() -> None:
    made = make_observers(
        {
            "prometheus": {"host": "127.0.0.1", "port": 0, "max_series": 10},
            "logs": {"level": "warning", "format": "json"},
            "webhook": "http://127.0.0.1:9/x",
            "spans": False,
            "stall_after": 5,
        },
        pipeline="power",
        worker="w",
    )
    try:
        assert [type(one) for one in made] == [Watchdog, LogObserver, WebhookObserver, Metrics, Endpoint]
        (found,) = [one for one in made if isinstance(one, Endpoint)]
        assert (
            'streamlearn_webhook_alarms_total{outcome="failed",pipeline="power",worker="w"} 0.0'
            in get(found, "/metrics")[2]
        )
    finally:
        for one in made:
            one.close()


@pytest.mark.parametrize(
    ("telemetry", "message"),
    [
        ({"promethius": {}}, "prometheus"),
        ({"prometheus": {"prot": 1}}, "port"),
        ({"prometheus": {"port": 99_999}}, "port"),
        ({"prometheus": 9108}, "mapping"),
        ({"logs": {"level": "loud"}}, "level"),
        ({"logs": {"stream": "x", "form": "text"}}, "format"),
        ({"logs": {"stream": "x"}}, "stream"),
        ({"webhook": "nowhere"}, "http"),
        ({"webhook": {"timeout": 1}}, "url"),
        ({"prometheus": {"max_series": 0}}, "max_series"),
        ({"stall_after": 0}, "stall_after"),
    ],
)
def test_mistakes_are_named_and_leave_nothing_behind(telemetry: dict[str, Any], message: str) -> None:
    threads, handlers = threading.active_count(), list(logging.getLogger("streamlearn").handlers)
    with pytest.raises(OptionError, match=message):
        make_observers({"logs": True, **telemetry})
    wait_for(lambda: threading.active_count() <= threads)
    assert logging.getLogger("streamlearn").handlers == handlers


# -- dashboard and alerts


def labels_by_metric() -> dict[str, set[str]]:
    """Every series that the endpoint exposes after a run, with its labels and those that Prometheus adds."""
    found: dict[str, set[str]] = {"up": set()}
    for name, labels in series(exposed().expose()[0].decode()):
        found.setdefault(name, set()).update(key for key, _ in labels)
    return {name: labels | {"job", "instance"} for name, labels in found.items()}


def alert_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return json.loads((DEPLOY / "grafana" / "dashboards" / "streamlearn.json").read_text(encoding="utf-8"))


def expressions() -> Iterator[tuple[str, str]]:
    for rule in alert_rules():
        yield rule["alert"], rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard()["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


VARIABLES = {
    "$pipeline": "power",
    "$worker": "0|1",
    "$metric": "accuracy",
    "$__rate_interval": "1m",
    "$__range": "1h",
}


def selectors_and_labels(expression: str) -> tuple[list[Any], set[str]]:
    """The selectors of an expression, and the labels that it groups or matches by."""
    for name, put in VARIABLES.items():
        expression = expression.replace(name, put)
    assert "$" not in expression
    selectors: list[Any] = []
    labels: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            selectors.append(node)
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            labels.update(node.modifier.labels)
        elif isinstance(node, promql.BinaryExpr) and node.modifier is not None:
            labels.update(node.modifier.group_labels or [])
            if node.modifier.matching is not None:
                labels.update(node.modifier.matching.labels)

    promql.walk(promql.parse(expression), visit)
    return selectors, labels


@pytest.mark.parametrize(("where", "expression"), [pytest.param(*pair, id=pair[0]) for pair in expressions()])
def test_expressions_parse_and_name_what_is_exposed(where: str, expression: str) -> None:
    known = labels_by_metric()
    selectors, grouped = selectors_and_labels(expression)
    assert selectors, where
    for selector in selectors:
        assert selector.name in known, f"{where}: nothing exposes {selector.name}"
        assert {matcher.name for matcher in selector.matchers.matchers} <= known[selector.name], where
    assert grouped <= set().union(*(known[selector.name] for selector in selectors)), where


def test_what_is_exposed_is_shown_or_alerted_on() -> None:
    used = {selector.name for _, expression in expressions() for selector in selectors_and_labels(expression)[0]}
    known = {name for name in labels_by_metric() if name.startswith("streamlearn_")}
    in_histograms = {name for name in known if name.endswith(("_bucket", "_count", "_sum"))}
    assert known - in_histograms - used == {"streamlearn_phase"}


def test_the_page_lists_every_metric() -> None:
    page = (DEPLOY.parent / "docs" / "telemetry.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(streamlearn_\w+)`", page))
    exposed_families = {
        family.name + "_total" * (family.type == "counter")
        for family in text_string_to_metric_families(exposed().expose()[0].decode())
    }
    assert listed == {name for name in exposed_families if name.startswith("streamlearn_")}


def test_the_dashboard_is_what_grafana_knows() -> None:
    """Grafana's own model of a dashboard gives back everything that is in the file, but for its plugins' options."""
    plugin = {"definition", "expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
    given = dashboard()
    back = json.loads(grafana_encoder.JSONEncoder().encode(grafana.Dashboard.from_json(given)))

    def lost(a: Any, b: Any, path: str) -> Iterator[str]:
        if isinstance(a, dict) and isinstance(b, dict):
            for key, part in a.items():
                if key not in b and key not in plugin:
                    yield f"{path}.{key}"
                elif key in b:
                    yield from lost(part, b[key], f"{path}.{key}")
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for i, (one, other) in enumerate(zip(a, b, strict=True)):
                yield from lost(one, other, f"{path}[{i}]")
        elif a != b:
            yield path

    assert list(lost(given, back, "$")) == []


def test_the_panels_have_their_own_places_and_ids() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert x + w <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_says_what_to_do_and_has_a_test() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    tested = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    for rule in alert_rules():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["alert"] in tested


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")
@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]])
def test_prometheus_own_tool_agrees(command: list[str]) -> None:
    done = subprocess.run([PROMTOOL or "", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
