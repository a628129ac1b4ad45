"""Whether a worker's memory, files and threads stay as they are while it works for long, and nothing goes wrong."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .cluster import Cluster
from .running import result, start, table
from .subjects import pipeline_settings
from .worker import Worker

SAMPLE_EVERY = 2.0
TELL_EVERY = 30.0
FAULT_EVERY = 60.0
WARM = 0.25
"""Share of each life that is left out of slopes: buffers fill, the tree grows."""
RETENTION = {"retention.ms": "120000", "segment.ms": "30000", "segment.bytes": str(64 << 20)}


def soak(cluster: Cluster, client: str, minutes: float, rate: float, *, faults: bool) -> dict[str, Any]:
    """Run, measure and print; everything that was measured."""
    topic, out = cluster.topic("events", **RETENTION), cluster.topic("out", **RETENTION)
    spec = {"bootstrap": cluster.bootstrap, "client": client, "topic": topic, "out": out, "guarantee": "exactly-once"}
    seconds = 60 * minutes
    killed = f", kill -9 every {FAULT_EVERY:g} s" if faults else ""
    print(f"Soak: {client}, exactly-once, {rate:,.0f} events a second for {minutes:g} minutes{killed}\n", flush=True)
    lives: list[list[dict[str, float]]] = [[]]
    with tempfile.TemporaryDirectory() as folder:
        settings = pipeline_settings({**spec, "every": 1.0}, "state")
        settings["learner"]["max_nodes"] = 1000  # so that the model is no reason for growth
        worker = Worker(Path(folder), settings)
        worker.start()
        try:
            worker.wait(lambda found: True)
            rows = int(rate * seconds)
            reading = {**spec, "topic": out, "rows": rows, "patience": 120.0, "skip": 5.0}
            reader = start("reader", {**reading, "isolation": "read_committed"})
            load = start("load", {**spec, "rate": rate, "seconds": seconds})
            began = told = fault = time.monotonic()
            while load.poll() is None:
                time.sleep(SAMPLE_EVERY)
                now = time.monotonic()
                lives[-1].append({"at": now - began, **_look(worker)})
                if now - told >= TELL_EVERY:
                    told = now
                    print("  " + ", ".join(f"{name} {value:,.1f}" for name, value in lives[-1][-1].items()), flush=True)
                if faults and now - fault >= FAULT_EVERY and seconds - (now - began) > FAULT_EVERY / 2:
                    fault = now
                    worker.kill()
                    worker.start()
                    worker.wait(lambda found: True)
                    lives.append([])
            sent, read = result(load), result(reader)
            worker.stop()
        finally:
            worker.kill()
    cluster.delete(topic, out)
    return show(lives, sent, read)


def _look(worker: Worker) -> dict[str, float]:
    """The process as the system sees it, and what it has committed."""
    at = Path(f"/proc/{worker.process.pid}")
    status = dict(line.split(":", 1) for line in (at / "status").read_text().splitlines())
    times = (at / "stat").read_text().rsplit(")", 1)[1].split()
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(os.listdir(at / "fd")),
        "cpu_s": (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
        "rows": worker.committed().rows,
    }


def show(lives: list[list[dict[str, float]]], sent: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
    """A line for each life of the worker; slopes without its beginning."""
    found = []
    for life in lives:
        settled = life[int(len(life) * WARM) :]
        if len(settled) < 5:
            continue
        at = np.array([sample["at"] for sample in settled])

        def slope(name: str, settled: list[dict[str, float]] = settled, at: np.ndarray = at) -> float:
            return float(np.polyfit(at - at[0], [sample[name] for sample in settled], 1)[0])

        used = (settled[-1]["cpu_s"] - settled[0]["cpu_s"]) / (at[-1] - at[0])
        ends = {name: settled[-1][name] for name in ("rss_mb", "threads", "files")}
        grown = {f"{name}_per_hour": 3600 * slope(name) for name in ends}
        found.append({"seconds": at[-1] - at[0], "rows_per_s": slope("rows"), "cpu": used, **ends, **grown})
    table(
        ["seconds", "rows/s", "CPU", "RSS MB", "MB/h", "threads", "/h", "files", "/h"],
        [
            [
                f"{life['seconds']:.0f}",
                f"{life['rows_per_s']:,.0f}",
                f"{life['cpu']:.0%}",
                f"{life['rss_mb']:.1f}",
                f"{life['rss_mb_per_hour']:+.1f}",
                f"{life['threads']:.0f}",
                f"{life['threads_per_hour']:+.1f}",
                f"{life['files']:.0f}",
                f"{life['files_per_hour']:+.1f}",
            ]
            for life in found
        ],
    )
    print(
        f"  {sent['sent']:,} events sent, {read['rows']:,} predictions read in committed transactions: "
        f"{read['lost']:,} lost, {read['again']:,} twice; {len(lives) - 1} times kill -9\n",
        flush=True,
    )
    return {"lives": found, "sent": sent, "read": read, "kills": len(lives) - 1}
