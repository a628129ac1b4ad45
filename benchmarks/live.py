"""Live pipelines on a real Kafka: throughput, the price of guarantees, latency, recovery, and a soak.

Run it with ``KAFKA_HOME=FOLDER python benchmarks/live.py``, or with ``--bootstrap HOST:PORT``; name figures to get only
those.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from live_kafka.cluster import cluster
from live_kafka.guarantees import guarantees
from live_kafka.latency import latency
from live_kafka.recovery import recovery
from live_kafka.soak import soak
from live_kafka.throughput import throughput

FIGURES = ("throughput", "guarantees", "latency", "recovery")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)} (default: all), soak")
    parser.add_argument("--bootstrap", help="a running Kafka; by default one is started from KAFKA_HOME")
    parser.add_argument("--clients", nargs="+", default=["confluent", "kafka-python"])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--rate", type=float, help="of latency and soak; by default half the peak, and 5,000")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="also soak for so long")
    parser.add_argument("--faults", action="store_true", help="kill -9 every minute of the soak")
    parser.add_argument("--quick", action="store_true", help="small figures, to see that all of it works")
    parser.add_argument("--json", type=Path, help="a file for everything that was measured")
    given = parser.parse_args()
    unknown = set(given.figures) - {*FIGURES, "soak"}
    if unknown:
        parser.error(f"unknown figure {unknown.pop()!r}; there are {', '.join(FIGURES)} and soak")
    wanted = given.figures or ([] if given.soak else list(FIGURES))
    quick, client = given.quick, given.clients[0]
    rows, repeat = (40_000, 1) if quick else (given.rows, given.repeat)

    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}; confluent-kafka {version('confluent-kafka')}, "
          f"kafka-python {version('kafka-python')}, river {version('river')}\n", flush=True)  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without stopping the broker and the workers
    found: dict[str, Any] = {}
    with cluster(given.bootstrap) as kafka:
        if "throughput" in wanted:
            found["throughput"] = throughput(kafka, given.clients, rows, repeat)
        if "guarantees" in wanted:
            found["guarantees"] = guarantees(kafka, client, rows, repeat, [0.1, 1.0] if quick else [0.1, 1.0, 5.0])
        if "latency" in wanted:
            seconds, rate = (6.0, given.rate or 2000.0) if quick else (20.0, given.rate)
            found["latency"] = latency(kafka, client, seconds, rate, [0.1] if quick else [0.1, 1.0])
        if "recovery" in wanted:
            found["recovery"] = recovery(kafka, client, [1.0] if quick else [1.0, 10.0, 100.0], 2 if quick else 5)
        if given.soak or "soak" in wanted:
            found["soak"] = soak(kafka, client, given.soak or 5.0, given.rate or 5000.0, faults=given.faults)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
