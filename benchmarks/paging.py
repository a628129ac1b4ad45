"""Faults of the paging policies relative to the optimal ones: classical, told next arrivals, told one bit.

    python benchmarks/paging.py TRACES [--seeds 10] [--tables classical arrivals noise bits traces combined]

``TRACES`` is a folder of Parquet files with the columns ``object_id`` and, for several traces in a file, ``instance``.
Ratios are totals over the instances of a file: the sum of a policy's faults by the sum of the fewest possible; random
policies and random errors are averaged over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from streamlearn.algorithms.paging import eta, next_arrivals, opt, phase_bits, pleco, popu

import streamlearn as sl

ROBUST_FTP = ("weighted_combiner", {"policies": ["blind_oracle", "marker"]})
TOLD_ARRIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "FtP": ("blind_oracle", {}),
    "PredictiveMarker": ("predictive_marker", {}),
    "LMarker": ("l_marker", {}),
    "LNonMarker": ("deterministic_combiner", {"policies": ["l_non_marker", "marker"]}),
    "RobustFtP": ROBUST_FTP,
    "Trust&Doubt": ("trust_and_doubt", {}),
}
CLASSICAL = ["lru", "fifo", "clock", "lfu", "marker", "online_min", "arc", "s3_fifo", "sieve", "w_tiny_lfu"]
OTHERS = (
    ("twitter_cluster52_1m", 1000),
    ("twitter_cluster52_1m", 14000),
    ("cloudphysics_w106_2m", 1000),
    ("cache2k_orm_busy_1m", 500),
    ("cloudphysics_io", 5000),
    ("corda_vaultservice", 1000),
    ("lirs", 200),
    ("address", 500),
)
TOLD_BITS = ["flush", "flush_rand", "mark0", "bitlru", "bitrand", "guard"]


@dataclass
class Trace:
    """Requests of one instance and what hindsight knows of them."""

    pages: np.ndarray
    k: int

    @cached_property
    def faults(self) -> int:
        return int((~opt(self.pages, self.k).hits).sum())

    @cached_property
    def discard_bits(self) -> np.ndarray:
        return opt(self.pages, self.k).discard_bits

    @cached_property
    def phase_bits(self) -> np.ndarray:
        return phase_bits(self.pages, self.k)


def read(path: Path, k: int) -> list[Trace]:
    """The traces of a file, one for each instance, with pages numbered from 0."""
    table = pq.read_table(path)
    pages = table["object_id"].to_numpy().astype(np.int64)
    if "instance" not in table.column_names:
        return [Trace(pages, k)]
    instance = np.unique(table["instance"].to_numpy(), return_inverse=True)[1]
    return [Trace(np.unique(pages[instance == i], return_inverse=True)[1], k) for i in range(instance.max() + 1)]


def ratio(
    traces: Sequence[Trace],
    policy: str,
    params: dict[str, Any],
    seeds: int,
    bits: Callable[[Trace, int], Any] | None = None,
    predicted: Callable[[Trace, int], Any] | None = None,
) -> float:
    """Total faults of a policy, by the fewest possible; averaged over seeds."""
    faults = 0
    for seed in range(seeds):
        for number, trace in enumerate(traces):
            made = sl.make_policy({"type": policy, **params}, capacity=trace.k)
            if "seed" in made.params:
                made = type(made)(**{**made.params, "seed": 1000 * seed + number})
            faults += int(
                (
                    ~made.access_many(
                        trace.pages,
                        None if bits is None else bits(trace, seed * len(traces) + number),
                        predicted=None if predicted is None else predicted(trace, seed * len(traces) + number),
                    ).hits
                ).sum()
            )
    return faults / seeds / sum(trace.faults for trace in traces)


def flipped(bits: np.ndarray, p: float, seed: int) -> np.ndarray:
    """The bits, each of them wrong with probability ``p``."""
    return bits ^ (np.random.default_rng(seed).random(len(bits)) < p)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def classical(files: dict[str, list[Trace]], seeds: int) -> None:
    """Policies that are told nothing, and the best that marking could do."""
    rows = []
    for name, traces in files.items():
        cells = [f"{ratio(traces, policy, {}, seeds if is_random(policy) else 1):.3f}" for policy in CLASSICAL]
        marking = ratio(traces, "mark_and_predict", {}, seeds, bits=lambda trace, seed: trace.phase_bits)
        rows.append([name, *cells, f"{marking:.3f}"])
    table("Told nothing (and MARK&PREDICT, told the true phase bits)", ["trace", *CLASSICAL, "optimal marking"], rows)


def is_random(policy: str) -> bool:
    """Whether a policy draws random numbers."""
    return "seed" in sl.make_policy(policy, capacity=2).params


def arrivals(files: dict[str, list[Trace]], seeds: int) -> None:
    """Policies that are told next arrivals, as PLECO and POPU predict them."""
    rows = []
    for name, traces in files.items():
        for predictor in (pleco, popu):
            known = {id(trace): predictor(trace.pages) for trace in traces}
            cells = [
                f"{ratio(traces, *call, seeds, predicted=lambda trace, seed, known=known: known[id(trace)]):.3f}"
                for call in TOLD_ARRIVALS.values()
            ]
            rows.append([name, predictor.__name__.upper(), *cells])
    table("Told next arrivals", ["trace", "predictor", *TOLD_ARRIVALS], rows)


def noise(files: dict[str, list[Trace]], seeds: int) -> None:
    """Policies that are told true next arrivals plus lognormal noise."""
    rows = []
    for name, traces in files.items():
        for sigma in (0, 10, 50, 200):

            def noisy(trace: Trace, seed: int, sigma: int = sigma) -> np.ndarray:
                true = next_arrivals(trace.pages)
                late = np.where(true >= len(true), 10_000 * len(true), true)
                with np.errstate(over="ignore"):  # as good as never
                    return late + np.exp(sigma * np.random.default_rng(seed).standard_normal(len(true)))

            cells = [f"{ratio(traces, *call, seeds, predicted=noisy):.3f}" for call in TOLD_ARRIVALS.values()]
            rows.append([name, str(sigma), *cells])
    table("Told true next arrivals plus lognormal noise", ["trace", "sigma", *TOLD_ARRIVALS], rows)


def bits(files: dict[str, list[Trace]], seeds: int) -> None:
    """Policies that are told one bit, which is wrong with probability ``p``."""
    rows = []
    for name, traces in files.items():
        for p in (0.0, 0.01, 0.1, 0.3, 0.5, 1.0):
            repeats = seeds if 0.0 < p < 1.0 else 1
            wrong = np.zeros(2)
            for seed in range(repeats):
                for number, trace in enumerate(traces):
                    true = trace.discard_bits
                    wrong += eta(flipped(true, p, seed * len(traces) + number), true)
            cells = [
                f"{ratio(traces, policy, {}, seeds, lambda trace, seed, p=p: flipped(trace.discard_bits, p, seed)):.3f}"
                for policy in TOLD_BITS
            ]
            marking = ratio(
                traces, "mark_and_predict", {}, seeds, lambda trace, seed, p=p: flipped(trace.phase_bits, p, seed)
            )
            rows.append([name, f"{p:g}", *(f"{count:.0f}" for count in wrong / repeats), *cells, f"{marking:.3f}"])
    table(
        "Told discard bits (MARK&PREDICT: phase bits), each wrong with probability p; eta0, eta1: wrong zeros and ones",
        ["trace", "p", "eta0", "eta1", *TOLD_BITS, "mark_and_predict"],
        rows,
    )


def combined(folder: Path, seeds: int) -> None:
    """Combiners beside the policies that they combine."""
    policies = ["lru", "s3_fifo", "sieve", "arc", "w_tiny_lfu"]
    rows = []
    for name, k in (("brightkite", 10), ("citi", 100), *OTHERS):
        traces = read(folder / f"{name}.parquet", k)
        alone = [ratio(traces, policy, {}, 1) for policy in policies]
        followers = [
            ratio(traces, "deterministic_combiner", {"policies": policies}, 1),
            ratio(traces, "weighted_combiner", {"policies": policies}, seeds),
        ]
        cells = [*alone, *followers, *(faults / min(alone) for faults in followers)]
        rows.append([name, str(k), *(f"{cell:.3f}" for cell in cells)])
    header = ["trace", "k", *policies, "deterministic", "weighted", "deterministic : best", "weighted : best"]
    table("Combiners of five policies", header, rows)


def others(folder: Path, seeds: int) -> None:
    """The other traces: the optimal miss ratio, and policies relative to it."""
    rows = []
    for name, k in OTHERS:
        traces = read(folder / f"{name}.parquet", k)
        optimal = sum(trace.faults for trace in traces) / sum(len(trace.pages) for trace in traces)
        policies = ["lru", "marker", "s3_fifo", "sieve", "arc", "w_tiny_lfu"]
        cells = [f"{ratio(traces, policy, {}, seeds if is_random(policy) else 1):.3f}" for policy in policies]
        marking = ratio(traces, "mark_and_predict", {}, seeds, lambda trace, seed: trace.phase_bits)
        exact = [ratio(traces, policy, {}, 1, lambda trace, seed: trace.discard_bits) for policy in TOLD_BITS]
        rows.append([name, str(k), f"{optimal:.3f}", *cells, f"{marking:.3f}", "yes" if set(exact) == {1.0} else "NO"])
    header = ["trace", "k", "optimal miss ratio", *policies, "mark_and_predict, true bits", "discard bits: optimal"]
    table("Other traces, faults relative to the optimal ones", header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    tables = {"classical": classical, "arrivals": arrivals, "noise": noise, "bits": bits}
    names = [*tables, "traces", "combined"]
    parser.add_argument("--tables", nargs="*", choices=names, default=names)
    given = parser.parse_args()
    files = {
        "brightkite, k=10": read(given.traces / "brightkite.parquet", 10),
        "citi, k=100": read(given.traces / "citi.parquet", 100),
    }
    for name in given.tables:
        if name == "traces":
            others(given.traces, min(given.seeds, 3))
        elif name == "combined":
            combined(given.traces, min(given.seeds, 3))
        else:
            tables[name](files, given.seeds)


if __name__ == "__main__":
    main()
