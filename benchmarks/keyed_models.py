"""How much memory a million models take of which ten thousand are hot, and what keeping the others on the disk costs.

Every key comes once, in order; then keys come at random, so that nearly every row wakes a model and lets another rest,
which is the worst that can happen. Run it with ``python benchmarks/keyed_models.py``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import streamlearn as sl
from streamlearn.batch import Batch
from streamlearn.runtime.keyed import KeyedModels

BATCH = 1_000


def resident() -> float:
    """The process's memory, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--hot", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of random keys, after every key came once")
    parser.add_argument("--learner", default="naive_bayes")
    parser.add_argument("--fields", type=int, default=5)
    parser.add_argument("--commit", type=int, default=20_000, help="rows between checkpoints")
    given = parser.parse_args()

    rng = np.random.default_rng(1)
    schema = sl.Schema.of([f"x{i}" for i in range(given.fields)], target="y", classes=["no", "yes"])
    with tempfile.TemporaryDirectory() as directory:
        models = KeyedModels(sl.make_learner(given.learner), directory=directory, max_hot=given.hot)

        def feed(keys: np.ndarray) -> None:
            X = rng.normal(size=(len(keys), given.fields))
            models.process(Batch(schema, X, (X[:, 0] > 0).astype(np.int64), key=pa.array(keys).cast(pa.string())))

        print(f"{'keys':>10} {'rows':>10} {'memory MB':>10} {'disk MB':>10} {'rows/s':>10} {'commit ms':>10}")
        kept: list[dict[str, object]] = []
        start, rows, reported = time.perf_counter(), 0, 0
        commits: list[float] = []
        every = max(given.keys // 10, BATCH)
        for at in range(0, given.keys + given.rows, BATCH):
            feed(np.arange(at, at + BATCH) if at < given.keys else rng.integers(0, given.keys, BATCH))
            rows += BATCH
            if rows % given.commit == 0:
                began = time.perf_counter()
                kept = [*kept[-2:], models.state()]
                models.collect(kept)
                commits.append(1000 * (time.perf_counter() - began))
            if rows - reported >= every or rows >= given.keys + given.rows:
                disk = sum(path.stat().st_size for path in Path(directory).iterdir()) / 1e6
                rate = (rows - reported) / (time.perf_counter() - start)
                commit = np.median(commits) if commits else float("nan")
                print(f"{len(models):10,} {rows:10,} {resident():10.0f} {disk:10.0f} {rate:10,.0f} {commit:10.1f}")
                start, reported, commits = time.perf_counter(), rows, []


if __name__ == "__main__":
    main()
