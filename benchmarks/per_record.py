"""What one event costs: `predict_one` and `learn_one` with dicts, our Hoeffding tree against River's.

Both run in this process and take turns, a chunk of rows each, so that whatever slows the machine down slows both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import report
from peers import river
from streams import STREAMS, Stream

CHUNK = 500


@dataclass
class Side:
    """One of the two models, with what was measured so far."""

    title: str
    model: Any
    micros: list[float] = field(default_factory=list)
    right: int = 0

    @property
    def median(self) -> float:
        """Microseconds per row of the median chunk."""
        return statistics.median(self.micros)

    @property
    def mean(self) -> float:
        """Microseconds per row of all chunks."""
        return statistics.fmean(self.micros)

    def take(self, rows: Sequence[tuple[dict[Hashable, Any], int]]) -> None:
        """Test and train on a chunk; keep the microseconds per row."""
        predict, learn, right = self.model.predict_one, self.model.learn_one, 0
        start = time.perf_counter()
        for x, y in rows:
            right += predict(x) == y
            learn(x, y)
        self.micros.append(1e6 * (time.perf_counter() - start) / len(rows))
        self.right += right


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each stream and print one line for each side."""
    options = parse(argv)
    results = []
    print(f"{'stream':<12} {'model':<12} {'rows':>8} {'µs a pair, median':>18} {'mean':>7} {'accuracy %':>11}  ratio")
    for name in options.streams:
        stream = STREAMS[name](options.rows, options.seed)
        sides = race(stream)
        ratio = sides[1].median / sides[0].median
        for side, note in zip(sides, ("", f"{ratio:.1f}×"), strict=True):
            accuracy = 100.0 * side.right / len(stream)
            figures = f"{len(stream):>8,} {side.median:>18.2f} {side.mean:>7.2f} {accuracy:>11.4f}"
            print(f"{name:<12} {side.title:<12} {figures}  {note}".rstrip(), flush=True)
            facts = {"median_us": side.median, "mean_us": side.mean, "accuracy": accuracy}
            results.append({"stream": name, "model": side.title, "rows": len(stream), **facts})
    if options.json:
        options.json.write_text(json.dumps({**report.facts(), "results": results}, indent=1), encoding="utf-8")


def race(stream: Stream) -> tuple[Side, Side]:
    """Take both models over the stream, chunk by chunk, the first of a chunk in turn."""
    import streamlearn as sl

    fields = [
        sl.Field(name) if known is None else sl.Field(name, "nominal", list(range(len(known))))
        for name, known in zip(stream.fields, stream.categories, strict=True)
    ]
    schema = sl.Schema(fields, target="y", classes=range(len(stream.classes)))
    rows = stream.dicts()
    ours = Side("streamlearn", sl.make_learner("hoeffding_tree_classifier", schema=schema))
    theirs = Side("River", river.make(stream, "hoeffding_tree"))
    warm_up = Side("", ours.model.clone())
    warm_up.take(rows[:CHUNK])  # compiles, or loads, the kernels
    for number, start in enumerate(range(0, len(rows), CHUNK)):
        chunk = rows[start : start + CHUNK]
        for side in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            side.take(chunk)
    return ours, theirs


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="rows of a synthetic stream, at most of a real one")
    parser.add_argument("--streams", nargs="+", choices=list(STREAMS), default=["sea", "electricity"])
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic streams")
    parser.add_argument("--json", type=Path, help="file for the numbers, with versions and command line")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
