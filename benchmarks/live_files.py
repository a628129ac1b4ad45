"""How fast lines are read from a live file and written to one, beside the plainest loops over Python's files."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from streamlearn import registry
from streamlearn.live import Worker
from streamlearn.sink import Encoded


def read_ours(path: Path, rows: int) -> int:
    """Poll the file to its end; each piece has its values, row numbers and a position."""
    source = registry.load("live_sources", "file")(path)
    source.open(Worker("benchmark"))
    source.assign(source.partitions())
    source.seek(path.name, None)
    found = 0
    while not source.finished:
        found += sum(len(records.values) for records in source.poll(rows, 0.0))
    source.close()
    return found


def read_loop(path: Path, rows: int) -> int:
    """What a program without streamlearn does: iterate over the file, in pieces."""
    found = 0
    with path.open("rb") as file:
        while lines := [line.rstrip(b"\n") for line in islice(file, rows)]:
            found += len(lines)
    return found


def write_ours(path: Path, values: list[bytes], rows: int, *, guarantee: str) -> int:
    """Write pieces, with a commit at the end."""
    path.unlink(missing_ok=True)
    sink = registry.load("sinks", "file")(path)
    sink.open(Worker("benchmark", guarantee=guarantee, single=True))
    sink.restore("s", None)
    for first in range(0, len(values), rows):
        sink.write("s", Encoded(values[first : first + rows]))
    sink.flush()
    written: int = sink.state("s")["rows"]
    sink.close()
    return written


def write_loop(path: Path, values: list[bytes]) -> int:
    """A line at a time into a buffered file."""
    with path.open("wb") as file:
        for value in values:
            file.write(value + b"\n")
    return len(values)


def main() -> None:
    """Measure in turns, and print the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines of the file")
    parser.add_argument("--bytes", type=int, default=200, help="bytes of a line")
    parser.add_argument("--piece", type=int, default=1000, help="rows asked for at a time")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "events.jsonl", Path(folder) / "out.jsonl"
        value = json.dumps({"x": 1.5, "text": ""}).encode()
        value = value[:-2] + b"x" * max(0, args.bytes - len(value) - 1) + value[-2:]
        values = [value] * args.rows
        path.write_bytes(b"".join(value + b"\n" for value in values))
        contestants: dict[str, Callable[[], int]] = {
            "read: streamlearn": lambda: read_ours(path, args.piece),
            "read: for line in file": lambda: read_loop(path, args.piece),
            "write: streamlearn, at-least-once": lambda: write_ours(out, values, args.piece, guarantee="at-least-once"),
            "write: streamlearn, exactly-once": lambda: write_ours(out, values, args.piece, guarantee="exactly-once"),
            "write: file.write(line)": lambda: write_loop(out, values),
        }
        best = dict.fromkeys(contestants, (float("inf"), float("inf")))
        for _ in range(args.repeat):
            for name, run in contestants.items():
                wall, cpu = time.perf_counter(), time.process_time()
                rows = run()
                took = time.perf_counter() - wall, time.process_time() - cpu
                assert rows == args.rows, f"{name}: {rows} rows instead of {args.rows}"
                best[name] = min(best[name], took, key=lambda pair: pair[1])
    print(f"{args.rows:,} lines of {len(value) + 1} bytes, {args.piece} at a time, best of {args.repeat}\n")
    print(f"{'':36}{'M rows/s':>10}{'M rows per CPU second':>24}")
    for name, (wall, cpu) in best.items():
        print(f"{name:36}{args.rows / wall / 1e6:10.2f}{args.rows / cpu / 1e6:24.2f}")


if __name__ == "__main__":
    main()
