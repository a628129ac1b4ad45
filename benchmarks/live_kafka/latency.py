"""How long an event takes from when it was due to when its prediction is read, at half of what the worker could do."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from .cluster import Cluster
from .running import result, start, table
from .subjects import pipeline_settings
from .worker import Worker

READERS = {"at-least-once": ["read_uncommitted"], "exactly-once": ["read_uncommitted", "read_committed"]}


def latency(
    cluster: Cluster, client: str, seconds: float, rate: float | None, intervals: list[float]
) -> dict[str, Any]:
    """Measure and print; everything that was measured."""
    peak = None
    if rate is None:
        peak = _peak(cluster, client)
        rate = peak / 2
    skip = min(3.0, seconds / 4)
    told = "" if peak is None else f", half of the {peak:,.0f} measured just before"
    print(f"Latency: {client}, {rate:,.0f} events a second for {seconds:g} s{told}; the first {skip:g} s left out\n")
    found: dict[str, Any] = {}
    lines = []
    for guarantee, every in [("at-least-once", intervals[-1]), *(("exactly-once", every) for every in intervals)]:
        for isolation, told_ in _run(cluster, client, guarantee, every, rate, seconds, skip).items():
            found[f"{guarantee} {every:g} {isolation}"] = told_
            points = [f"{1000 * told_[name]:,.1f}" for name in ("p50", "p99", "p99.9", "max")]
            sent = told_["sent"]
            late = f"{1000 * sent['latest']:.0f}"
            lines.append([guarantee, f"{every:g} s", isolation, *points, late, f"{told_['lost']}", f"{told_['again']}"])
    table(
        ["guarantee", "every", "reader", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "sent late", "lost", "twice"], lines
    )
    return {"rate": rate, "peak": peak, "found": found}


def _peak(cluster: Cluster, client: str) -> float:
    """Rows a second that arrive when more are sent than can be: producer, broker and reader have the machine too."""
    flood, seconds = (150_000.0, 4.0) if client == "confluent" else (60_000.0, 4.0)
    (found,) = _run(cluster, client, "at-least-once", 1.0, flood, seconds, 0.0).values()
    return float(found["rows"] / found["span"])


def _run(
    cluster: Cluster, client: str, guarantee: str, every: float, rate: float, seconds: float, skip: float
) -> dict[str, dict[str, Any]]:
    topic, out = cluster.topic("events"), cluster.topic("out")
    spec = {"bootstrap": cluster.bootstrap, "client": client, "topic": topic, "out": out}
    with tempfile.TemporaryDirectory() as folder:
        settings = pipeline_settings({**spec, "guarantee": guarantee, "every": every}, "state")
        worker = Worker(Path(folder), settings)
        worker.start()
        try:
            worker.wait(lambda found: True)
            rows = int(rate * seconds)
            reading = {**spec, "topic": out, "rows": rows, "patience": 30.0, "skip": skip}
            readers = {how: start("reader", {**reading, "isolation": how}) for how in READERS[guarantee]}
            time.sleep(1.0)  # the readers are there
            sent = result(start("load", {**spec, "rate": rate, "seconds": seconds}))
            found = {how: {**result(reader), "sent": sent} for how, reader in readers.items()}
            worker.stop()
        finally:
            worker.kill()
    cluster.delete(topic, out)
    return found
