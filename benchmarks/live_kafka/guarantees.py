"""What each guarantee costs, by the time between two commits."""

from __future__ import annotations

from typing import Any

from .cluster import Cluster
from .running import best, measure, table

GUARANTEES = ("at-most-once", "at-least-once", "exactly-once")
NEVER = 3600.0


def guarantees(cluster: Cluster, client: str, rows: int, repeat: int, intervals: list[float]) -> dict[str, Any]:
    """Measure and print; everything that was measured."""
    topic = cluster.topic("events")
    cluster.fill(topic, rows)
    print(f"Guarantees: {client}, topic to topic, {rows:,} rows, best of {repeat}\n", flush=True)
    cells = [("at-least-once", NEVER)] + [(g, s) for g in GUARANTEES for s in intervals]
    runs: dict[tuple[str, float], list[dict[str, Any]]] = {cell: [] for cell in cells}
    for _ in range(repeat):
        for guarantee, every in cells:
            out = cluster.topic("out")
            spec = {"subject": "ours", "client": client, "bootstrap": cluster.bootstrap, "topic": topic, "out": out}
            runs[guarantee, every].append(measure({**spec, "rows": rows, "guarantee": guarantee, "every": every}))
            cluster.delete(out)
    found = {cell: best(results) for cell, results in runs.items()}
    base = found["at-least-once", NEVER]

    def cost(result: dict[str, Any], what: str) -> str:
        return f"{result[what] / result['rows'] / (base[what] / base['rows']) - 1:+.1%}"

    table(
        ["guarantee", "every", "commits", "rows/s", "µs CPU/row", "CPU", "wall", "in commits", "mean", "longest"],
        [
            [
                guarantee,
                "at the end" if every == NEVER else f"{every:g} s",
                f"{result['commits']}",
                f"{result['rows'] / result['wall']:,.0f}",
                f"{1e6 * result['cpu'] / result['rows']:.2f}",
                cost(result, "cpu"),
                cost(result, "wall"),
                f"{result['parts']['commit'] / result['wall']:.1%}",
                f"{1000 * result['parts']['commit'] / result['commits']:.0f} ms",
                f"{1000 * result['longest_commit']:.0f} ms",
            ]
            for (guarantee, every), result in found.items()
        ],
    )
    cluster.delete(topic)
    return {f"{guarantee} {every:g}": result for (guarantee, every), result in found.items()}
