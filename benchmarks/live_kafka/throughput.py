"""How many rows a second go from topic to topic, beside what the bare client consumes and decodes, and a River loop."""

from __future__ import annotations

from typing import Any

from .cluster import Cluster
from .running import best, measure, table

WHAT = {
    "consume": "consume",
    "consume_decode": "consume, decode",
    "consume_decode_write": "consume, decode, write",
    "consume_msgspec": "consume, msgspec struct",
    "consume_orjson": "consume, orjson",
    "consume_json": "consume, json",
    "ours": "streamlearn, topic to topic",
    "river_loop": "River, topic to topic",
}
PACE = {"confluent": 1.0, "kafka-python": 0.15}
"""Rows of each client, as a share: kafka-python is so much slower."""
RIVER = 0.08
"""River's share of them."""


def throughput(cluster: Cluster, clients: list[str], rows: int, repeat: int) -> dict[str, Any]:
    """Measure and print; everything that was measured."""
    topic = cluster.topic("events")
    size = cluster.fill(topic, rows)
    print(f"Throughput: one partition, events of {size:.0f} bytes, best of {repeat}, one process each\n", flush=True)
    found: dict[str, Any] = {}
    for client in clients:
        own = int(rows * PACE[client])
        runs: dict[str, list[dict[str, Any]]] = {subject: [] for subject in WHAT}
        for turn in range(repeat):
            for subject in WHAT:
                out = cluster.topic(f"out-{turn}")
                wanted = int(rows * RIVER * min(1.0, 2 * PACE[client])) if subject == "river_loop" else own
                spec = {"subject": subject, "client": client, "bootstrap": cluster.bootstrap, "topic": topic}
                runs[subject].append(measure({**spec, "out": out, "rows": wanted}))
                cluster.delete(out)
        found[client] = {subject: best(results) for subject, results in runs.items()}
        show(client, found[client])
    cluster.delete(topic)
    return {"bytes": size, "clients": found}


def show(client: str, found: dict[str, dict[str, Any]]) -> None:
    """A table, and the aims."""

    def per_cpu(subject: str) -> float:
        return float(found[subject]["rows"] / found[subject]["cpu"])

    def per_wall(subject: str) -> float:
        return float(found[subject]["rows"] / found[subject]["wall"])

    bare = per_cpu("consume_decode")
    table(
        [client, "rows", "rows/s", "rows/CPU s", "µs CPU/row", "of consume, decode"],
        [
            [
                WHAT[subject],
                f"{result['rows']:,}",
                f"{per_wall(subject):,.0f}",
                f"{per_cpu(subject):,.0f}",
                f"{1e6 / per_cpu(subject):.2f}",
                f"{per_cpu(subject) / bare:.0%}",
            ]
            for subject, result in found.items()
        ],
    )
    ours = found["ours"]
    parts = {name: 1e6 * seconds / ours["rows"] for name, seconds in ours["parts"].items()}
    rest = 1e6 * ours["wall"] / ours["rows"] - sum(parts.values())
    print("  streamlearn's µs a row: " + ", ".join(f"{k} {v:.2f}" for k, v in parts.items()) + f", the rest {rest:.2f}")
    idle = per_cpu("consume_decode_write")
    print(
        f"  {per_cpu('ours') / bare:.0%} of consume and decode (aim: 60 %), where a pipeline that only writes as much "
        f"reaches {idle / bare:.0%}: {per_cpu('ours') / idle:.0%} of that"
    )
    print(f"  {per_cpu('ours') / per_cpu('river_loop'):.1f} times River's loop (aim: 10)\n", flush=True)
