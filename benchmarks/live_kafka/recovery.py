"""How long a worker that was killed takes from the start of its process to its first commit, by the size of its state.

The state is predictions that wait for their labels: 1, 10 or 100 MB of checkpoint.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from .cluster import Cluster
from .running import table
from .subjects import pipeline_settings
from .worker import Worker

EVERY = 0.1


def recovery(cluster: Cluster, client: str, megabytes: list[float], repeat: int) -> dict[str, Any]:
    """Measure and print; everything that was measured."""
    print(f"Recovery: {client}, exactly-once from topic to topic, commits every {EVERY:g} s, {repeat} times kill -9\n")
    found = {f"{size:g}": _run(cluster, client, size, repeat) for size in megabytes}
    table(
        ["state", "rows waiting", "checkpoint MB", "median s", "longest s"],
        [
            [
                f"{size} MB",
                f"{told['rows']:,}",
                f"{told['bytes'] / 1e6:.1f}",
                f"{statistics.median(told['seconds']):.2f}",
                f"{max(told['seconds']):.2f}",
            ]
            for size, told in found.items()
        ],
    )
    return found


def _run(cluster: Cluster, client: str, megabytes: float, repeat: int) -> dict[str, Any]:
    topic, labels, out = (cluster.topic(name) for name in ("events", "labels", "out"))
    with tempfile.TemporaryDirectory() as folder:
        spec = {
            "bootstrap": cluster.bootstrap,
            "client": client,
            "topic": topic,
            "out": out,
            "guarantee": "exactly-once",
        }
        settings = pipeline_settings({**spec, "every": EVERY}, "state")
        source = {"type": "kafka", "bootstrap": cluster.bootstrap, "client": client, "topics": [labels]}
        settings["labels"] = {"from": source, "key": "event_id", "max_rows": 2_000_000}
        worker = Worker(Path(folder), settings)
        rows, size = 0, 0
        try:
            worker.start()
            while size < megabytes * 1e6:
                more = 1000 if not rows else max(1000, int(rows * (megabytes * 1e6 / size - 1)))
                cluster.fill(topic, more, first=rows)
                rows += more
                worker.wait(lambda found, rows=rows: found.rows >= rows)
                size = sum(path.stat().st_size for path in _newest(worker))
            seconds = []
            for _ in range(repeat):
                worker.kill()
                cluster.fill(topic, 1000, first=rows)
                began = time.monotonic()
                worker.start()
                worker.wait(lambda found, rows=rows: found.rows > rows, every=0.005)
                seconds.append(time.monotonic() - began)
                rows += 1000
                worker.wait(lambda found, rows=rows: found.rows >= rows)
            worker.stop()
        finally:
            worker.kill()
    cluster.delete(topic, labels, out)
    return {"rows": rows, "bytes": size, "seconds": seconds}


def _newest(worker: Worker) -> list[Path]:
    """The newest checkpoint file of each shard."""
    shards = [folder for folder in worker.state.iterdir() if any(folder.glob("*.ckpt"))]
    return [max(folder.glob("*.ckpt")) for folder in shards]
