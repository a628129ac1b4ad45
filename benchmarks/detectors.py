"""What one value costs in each detector of drift, beside River's detectors and MOA's, in one run.

All get the same values: errors whose rate is 0.2, then 0.35 (ABCD: rows of ten numbers). River has a call per value;
MOA is called through CapyMOA, whose bridge to Java is most of its time. Rounds of all contestants alternate, and the
best round of each counts.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import river.drift
import river.drift.binary
from rich.console import Console
from rich.table import Table

import streamlearn as sl
from streamlearn import registry
from streamlearn.models import make_detector

Make = Callable[[], Any]
RIVER: dict[str, Make] = {
    "adwin": river.drift.ADWIN,
    "ddm": river.drift.binary.DDM,
    "eddm": river.drift.binary.EDDM,
    "hddm_a": river.drift.binary.HDDMA,
    "hddm_w": river.drift.binary.HDDMW,
    "kswin": lambda: river.drift.KSWIN(seed=0),
    "page_hinkley": river.drift.PageHinkley,
}


def capymoa() -> dict[str, Make]:
    """CapyMOA's detectors by our names; none where it is not installed."""
    try:
        from capymoa.drift import detectors
    except ImportError:
        return {}
    names = {
        "abcd": "ABCD",
        "adwin": "ADWIN",
        "cusum": "CUSUM",
        "ddm": "DDM",
        "eddm": "EDDM",
        "ewma_chart": "EWMAChart",
        "geometric_moving_average": "GeometricMovingAverage",
        "hddm_a": "HDDMAverage",
        "hddm_w": "HDDMWeighted",
        "page_hinkley": "PageHinkley",
        "rddm": "RDDM",
        "seed": "SEED",
        "stepd": "STEPD",
    }
    return {name: getattr(detectors, theirs) for name, theirs in names.items()}


def nanoseconds(take: Callable[[], Any], n: int) -> float:
    """Time of one call that takes ``n`` values, for each of them."""
    started = time.perf_counter()
    take()
    return (time.perf_counter() - started) / n * 1e9


def each(update: Callable[[Any], Any], values: list[Any]) -> Callable[[], None]:
    """A call that shows the values one by one."""

    def take() -> None:
        for value in values:
            update(value)

    return take


def measure(name: str, contestants: dict[str, Make], values: np.ndarray, singles: int, rounds: int) -> dict[str, float]:
    """Best nanoseconds a value of each way to call each contestant."""
    best: dict[str, float] = {}
    few = values[:singles].tolist() if values.ndim == 1 else list(values[:singles])
    for _ in range(rounds):
        times = {
            "many": nanoseconds(partial(make_detector(name).update_many, values), len(values)),
            "one": nanoseconds(each(make_detector(name).update, few), len(few)),
        }
        for project, make in contestants.items():
            theirs = make()
            update = theirs.update if project == "River" else theirs.add_element
            part = few[:300] if name in ("kswin", "abcd") else few  # theirs take milliseconds a value
            times[project] = nanoseconds(each(update, part), len(part))
        best = {key: min(value, best.get(key, np.inf)) for key, value in times.items()}
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=500_000, help="values for the array call")
    parser.add_argument("--singles", type=int, default=20_000, help="values for the calls with one value")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detectors", nargs="*", default=registry.names("detectors"))
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    n = options.values
    errors = (rng.random(n) < np.where(np.arange(n) < n // 2, 0.2, 0.35)).astype(float)
    rows = rng.normal(size=(n // 10, 10))
    moa = capymoa()
    table = Table(box=None, header_style="bold")
    for column in ("detector", "update_many", "update", "River", "MOA through CapyMOA", "River / update_many"):
        table.add_column(column, justify="left" if column == "detector" else "right")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's, in River's KSWIN
        for name in options.detectors:
            peers = {"River": RIVER.get(name), "MOA": moa.get(name)}
            contestants = {project: make for project, make in peers.items() if make is not None}
            values = rows if make_detector(name).accepts == "rows" else errors
            best = measure(name, contestants, values, options.singles, options.rounds)
            ratio = f"{best['River'] / best['many']:.1f}×" if "River" in best else "–"
            cells = [f"{best[key]:,.0f}" if key in best else "–" for key in ("many", "one", "River", "MOA")]
            table.add_row(name, *cells, ratio)
    console = Console(width=110)
    console.print(f"nanoseconds a value; streamlearn {sl.__version__}, best of {options.rounds} rounds")
    console.print(table)


if __name__ == "__main__":
    main()
