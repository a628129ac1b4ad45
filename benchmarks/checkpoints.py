"""What a checkpoint costs: how long learning waits, how long until it is safe, how long to read it again.

State of 1, 10 and 100 MB in 20 arrays. Beside it, in turns in the same run and on the same disk: the bytes alone,
written and synced (no format and no checksum: the floor), and a pickle and a safetensors file written as people do it
safely (temporary file, sync, rename, sync of the folder), with a SHA-256 of the bytes, since ours has one too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from streamlearn.runtime.checkpoints import CheckpointStore

ARRAYS = 20
MEGABYTE = 1_000_000
Act = Callable[[], Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    options = parse(argv)
    results = []
    print(f"{'MB':>5} {'what':<38} {'median ms':>10} {'best':>8} {'worst':>8}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.directory) as folder:
            for name, seconds in measure(size, options.repeat, Path(folder)).items():
                times = [1e3 * statistics.median(seconds), 1e3 * min(seconds), 1e3 * max(seconds)]
                print(f"{size:>5} {name:<38} {times[0]:>10.2f} {times[1]:>8.2f} {times[2]:>8.2f}", flush=True)
                results.append({"megabytes": size, "what": name, "seconds": seconds})
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def measure(size: int, repeat: int, folder: Path) -> dict[str, list[float]]:
    """Seconds of each act, repeated in turns so that a busy disk is busy for all."""
    rng = np.random.default_rng(0)
    state = {f"array_{i}": rng.random(size * MEGABYTE // 8 // ARRAYS) for i in range(ARRAYS)}
    content = {"about": {"rows": 1}, "state": state}
    lineage = CheckpointStore(folder).lineage("events-0")
    lineage.begin()
    id = lineage.write(content).id
    raw = b"".join(array.tobytes() for array in state.values())

    def ours() -> None:
        nonlocal id
        id = lineage.write(content).id

    acts: dict[str, Act] = {
        "copy of the state (learning waits)": lambda: {name: array.copy() for name, array in state.items()},
        "checkpoint, until safe": ours,
        "floor: the bytes, written and synced": lambda: safely(folder / "raw", raw),
        "pickle, SHA-256, written safely": lambda: hashed(folder / "pickle", pickle.dumps(content, protocol=5)),
        "safetensors, SHA-256, written safely": lambda: hashed(folder / "plain", safetensors.numpy.save(state)),
        "checkpoint read and verified": lambda: lineage.read(id),
        "manifest read and verified": lambda: lineage.summary(id),
    }
    seconds: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(repeat):
        for name, act in acts.items():
            start = time.perf_counter()
            act()
            seconds[name].append(time.perf_counter() - start)
        lineage.prune()
    return seconds


def hashed(path: Path, data: bytes) -> None:
    """Write bytes and their checksum."""
    safely(path, data + hashlib.sha256(data).digest())


def safely(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 100], help="megabytes (default: 1 10 100)")
    parser.add_argument("--repeat", type=int, default=7, help="times of each (default: 7)")
    parser.add_argument(
        "--directory", type=Path, help="a folder on the disk to measure (default: the system's for files)"
    )
    parser.add_argument("--json", type=Path, help="write all times as JSON")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
