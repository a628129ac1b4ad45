"""The learned bit beside LRU, S3-FIFO, SIEVE and the optimal policy on recorded requests; OneBitCache beside others.

    python benchmarks/learned_paging.py TRACES [--seeds 3] [--only citi] [--peers] [--calls] [--json out.json]

``TRACES`` is a folder of Parquet files with the columns ``object_id`` and, for several traces in a file, ``instance``:
each instance has a cold cache, and misses are summed over them. ``--peers`` lets libcachesim replay the same requests
with LRU, S3-FIFO, and LRB and 3L-Cache, which learn. ``--calls`` times caches for Python functions instead. Times are
processor time; predictions and learning are part of them.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import streamlearn as sl
from streamlearn.caching.simulate import next_arrivals
from streamlearn.caching.traces import Trace, open_trace

CASES = [
    ("brightkite", 10),
    ("citi", 100),
    ("cloudphysics_io", 5000),
    ("twitter_cluster52_1m", 1000),
    ("twitter_cluster52_1m", 14000),
    ("cloudphysics_w106_2m", 1000),
    ("lirs", 200),
    ("address", 256),
    ("cache2k_orm_busy_1m", 500),
    ("corda_vaultservice", 1000),
]
PEERS = {"LRU": "LRU", "S3-FIFO": "S3FIFO", "LRB": "LRB", "3L-Cache": "ThreeLCache"}


def ours(trace: Trace, k: int, seeds: int) -> dict[str, Any]:
    """Miss ratios of our policies, the best of the learned bit's experts, and requests a second of some."""
    misses: dict[str, float] = {}
    seconds: dict[str, float] = {}
    experts: dict[str, int] = {}
    for part in trace.parts:
        arrivals = next_arrivals(part)
        for name, shown in [("opt", "blind_oracle"), ("lru", "lru"), ("s3_fifo", "s3_fifo"), ("sieve", "sieve")]:
            policy = sl.make_policy(shown, capacity=k)
            started = time.thread_time()
            hits = policy.access_many(part, predicted=arrivals if name == "opt" else None).hits
            seconds[name] = seconds.get(name, 0.0) + time.thread_time() - started
            misses[name] = misses.get(name, 0) + int((~hits).sum())
        for seed in range(seeds):
            learned = sl.LearnedBit(capacity=k, seed=seed)
            learned.access(0)  # compiled
            learned.reset()
            started = time.thread_time()
            hits = learned.access_many(part).hits
            seconds["learned"] = seconds.get("learned", 0.0) + (time.thread_time() - started) / seeds
            misses["learned"] = misses.get("learned", 0.0) + (~hits).sum() / seeds
            if seed == 0:
                for expert, faults in learned.expert_faults.items():
                    experts[expert] = experts.get(expert, 0) + faults
    best = min(experts, key=lambda expert: experts[expert])
    return {
        "ratio": {name: count / trace.requests for name, count in misses.items()},
        "best expert": (best, experts[best] / trace.requests),
        "rate": {name: trace.requests / max(spent, 1e-9) / 1e6 for name, spent in seconds.items()},
    }


def peers(trace: Trace, k: int) -> dict[str, Any]:
    """Miss ratios and requests a second of libcachesim, which replays a file of its own format."""
    import libcachesim as lcs

    record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    misses: dict[str, float] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.oracleGeneral.bin"
        for part in trace.parts:
            arrivals = next_arrivals(part)
            records = np.zeros(len(part), record)
            records["time"], records["id"], records["size"] = np.arange(len(part)), part + 1, 1
            records["next"] = np.where(arrivals < len(part), arrivals, -1)
            records.tofile(path)
            for name, peer in PEERS.items():
                reader = lcs.TraceReader(
                    trace=str(path),
                    trace_type=lcs.TraceType.ORACLE_GENERAL_TRACE,
                    reader_init_params=lcs.ReaderInitParam(ignore_obj_size=True),
                )
                started = time.thread_time()
                ratio = getattr(lcs, peer)(k).process_trace(reader)[0]
                seconds[name] = seconds.get(name, 0.0) + time.thread_time() - started
                misses[name] = misses.get(name, 0) + ratio * len(part)
    return {
        "ratio": {name: count / trace.requests for name, count in misses.items()},
        "rate": {name: trace.requests / spent / 1e6 for name, spent in seconds.items()},
    }


def compare(folder: Path, only: list[str], seeds: int, with_peers: bool) -> list[dict[str, Any]]:
    """A line for each trace and size."""
    results = []
    heading = f"{'trace':22} {'k':>6} {'OPT':>6} {'LRU':>6} {'S3-FIFO':>7} {'SIEVE':>6} {'learned':>7}"
    print(heading + f" {'/LRU':>6} {'/S3':>6} {'/best':>6}  best expert       {'M req/s':>7}", flush=True)
    for name, k in CASES:
        if only and not any(part in name for part in only):
            continue
        trace = open_trace(folder / f"{name}.parquet")
        found = ours(trace, k, seeds)
        ratio, (expert, best) = found["ratio"], found["best expert"]
        learned = ratio["learned"]
        print(
            f"{name:22} {k:>6} {ratio['opt']:.4f} {ratio['lru']:.4f} {ratio['s3_fifo']:>7.4f} {ratio['sieve']:.4f} "
            f"{learned:>7.4f} {learned / ratio['lru']:>6.3f} {learned / ratio['s3_fifo']:>6.3f} "
            f"{learned / best:>6.3f}  {expert:17} {found['rate']['learned']:>7.2f}",
            flush=True,
        )
        if with_peers:
            found["libcachesim"] = peers(trace, k)
            for peer, value in found["libcachesim"]["ratio"].items():
                rate = found["libcachesim"]["rate"][peer]
                print(f"    libcachesim {peer:8} miss ratio {value:.4f}, {rate:.2f} M req/s", flush=True)
        results.append({"trace": name, "k": k, **found})
    return results


def calls(maxsize: int = 1000, n: int = 200_000) -> list[dict[str, Any]]:
    """What a call of a cached function costs, and how many are hits, for Zipf-like arguments with scans in between."""
    random = np.random.default_rng(0)
    arguments = random.zipf(1.2, n) % 20_000
    scan = np.arange(n) % 4000 < 1000
    arguments[scan] = 20_000 + np.flatnonzero(scan)
    keys = arguments.tolist()
    decorators: dict[str, Any] = {
        "functools.lru_cache": functools.lru_cache(maxsize),
        "one_bit_cache, lru": sl.one_bit_cache(maxsize, policy="lru"),
        "one_bit_cache, s3_fifo": sl.one_bit_cache(maxsize, policy="s3_fifo"),
        "one_bit_cache, learned_bit": sl.one_bit_cache(maxsize),
    }
    try:
        import cachetools

        decorators["cachetools.LRUCache"] = cachetools.cached(cachetools.LRUCache(maxsize), info=True)
    except ImportError:
        print("cachetools is not installed")
    results = []
    for name, decorate in decorators.items():
        function = decorate(lambda key: key)
        function(-1)
        hit = float("inf")
        started = time.thread_time()
        for key in keys:
            function(key)
        spent = (time.thread_time() - started) / n * 1e6
        hits = function.cache_info().hits / n
        for _ in range(5):
            started = time.thread_time()
            for _ in range(20_000):
                function(keys[0])
            hit = min(hit, (time.thread_time() - started) / 20_000 * 1e6)
        results.append({"cache": name, "us a call": spent, "us a hit": hit, "hits": hits})
        print(f"{name:28} {spent:6.2f} µs a call, {hit:5.2f} µs a hit; {hits:.1%} hits", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path, nargs="?", help="folder of Parquet files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the traces' names")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.calls:
        results = calls()
    elif given.traces is None:
        parser.error("name the folder of the traces")
    else:
        results = compare(given.traces, given.only, given.seeds, given.peers)
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
