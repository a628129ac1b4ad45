"""Requests per second of cache policies, beside libcachesim's loop in C over a binary trace, in one run.

    python benchmarks/paging_speed.py TRACE.parquet [--capacity 14000] [--repeat 5]

libcachesim (``pip install libcachesim``) replays a file in its own format with ``process_trace``; ours are shown the
same requests as an array, pages being numbered 0, 1, 2, …: so we do not read a file, and, with ``table="dense"``, do
not hash. The column "hash" has our time when we do. Contestants take turns, the best turn of each counts, and the
number of misses is compared. The ratio is that of the processor's time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcachesim
import numpy as np
import pyarrow.parquet as pq
from streamlearn.algorithms.paging import next_arrivals, opt

import streamlearn as sl

PEERS = {
    "lru": "LRU",
    "fifo": "FIFO",
    "clock": "Clock",
    "sieve": "Sieve",
    "s3_fifo": "S3FIFO",
    "lfu": "LFU",
    "arc": "ARC",
    "w_tiny_lfu": "WTinyLFU",
    "opt": "Belady",
}
ALONE = ["marker", "mark_and_predict", "flush", "mark0", "bitlru", "bitrand", "guard", "online_min"]
RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
"""A request in libCacheSim's format ``oracleGeneral``."""


def write_trace(pages: np.ndarray, path: Path) -> None:
    """Write requests for libcachesim."""
    after = next_arrivals(pages)
    rows = np.zeros(len(pages), RECORD)
    rows["time"], rows["id"], rows["size"] = np.arange(len(pages)), pages + 1, 1
    rows["next"] = np.where(after < len(pages), after, -1)
    rows.tofile(path)


def replay(name: str, capacity: int, path: Path) -> Callable[[], int]:
    """libcachesim's turn: the number of misses."""

    def turn() -> int:
        params = libcachesim.ReaderInitParam()
        params.ignore_obj_size = True
        reader = libcachesim.TraceReader(str(path), libcachesim.TraceType.ORACLE_GENERAL_TRACE, params)
        cache = getattr(libcachesim, name)(cache_size=capacity)
        ratio, _ = cache.process_trace(reader)
        return round(ratio * (path.stat().st_size // RECORD.itemsize))

    return turn


def ours(name: str, capacity: int, pages: np.ndarray, bits: np.ndarray, table: str) -> Callable[[], int]:
    """Our turn: the number of misses."""

    def turn() -> int:
        if name == "opt":
            return int((~opt(pages, capacity).hits).sum())
        return int((~sl.make_policy(name, capacity=capacity, table=table).access_many(pages, bits).hits).sum())

    return turn


def timed(turn: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds on the wall, seconds of the processor, misses."""
    wall, cpu = time.perf_counter(), time.process_time()
    misses = turn()
    return time.perf_counter() - wall, time.process_time() - cpu, misses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--capacity", type=int, default=14_000)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    pages = pq.read_table(given.trace)["object_id"].to_numpy().astype(np.int64)
    bits = opt(pages, given.capacity).discard_bits
    print(f"{given.trace.stem}, {len(pages):,} requests, {given.capacity:,} pages cached: million requests per second,")
    print(f"best of {given.repeat} turns, on the wall (of the processor)\n")
    header = ["policy", "dense", "hash", "libcachesim", "dense : libcachesim", "misses", "libcachesim's misses"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.oracleGeneral"
        write_trace(pages, path)
        for name in [*PEERS, *ALONE]:
            contestants = {
                table: ours(name, given.capacity, pages, bits, table)
                for table in (["dense"] if name == "opt" else ["dense", "hash"])
            }
            if name in PEERS:
                contestants["libcachesim"] = replay(PEERS[name], given.capacity, path)
            contestants["dense"]()  # compiles
            turns: dict[str, list[Any]] = {who: [] for who in contestants}
            for _ in range(given.repeat):
                for who, turn in contestants.items():
                    turns[who].append(timed(turn))
            speed = {
                who: tuple(len(pages) / min(t[i] for t in done) / 1e6 for i in (0, 1)) for who, done in turns.items()
            }
            misses = {who: done[0][2] for who, done in turns.items()}
            cells = [
                f"{speed[who][0]:.1f} ({speed[who][1]:.1f})" if who in speed else ""
                for who in ("dense", "hash", "libcachesim")
            ]
            factor = f"{speed['dense'][1] / speed['libcachesim'][1]:.0f}×" if name in PEERS else ""
            peer = f"{misses['libcachesim']:,}" if name in PEERS else ""
            print(f"| {name} | {' | '.join(cells)} | {factor} | {misses['dense']:,} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
