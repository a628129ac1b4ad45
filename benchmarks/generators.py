"""Synthetic streams: rows a second beside River's and MOA's generators, and whether ours look like MOA's."""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"

from __future__ import annotations

import argparse
import collections
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import streamlearn as sl


class Contest(NamedTuple):
    """One stream in our words, in River's (None: it has none such) and in MOA's."""

    ours: str
    river: Callable[[Any, int], Iterable[Any]] | None
    moa: str | None


CONTESTS = {
    "sea": Contest("sea", lambda synth, s: synth.SEA(seed=s, noise=0.1), "SEAGenerator -i {s}"),
    "led": Contest(
        "led",
        lambda synth, s: synth.LED(seed=s, noise_percentage=0.1, irrelevant_features=True),
        "LEDGenerator -i {s}",
    ),
    "led_drift": Contest(
        "led_drift:n_drift_features=7",
        lambda synth, s: synth.LEDDrift(seed=s, noise_percentage=0.1, irrelevant_features=True, n_drift_features=7),
        "LEDGeneratorDrift -i {s} -d 7",
    ),
    "random_rbf": Contest(
        "random_rbf:n_classes=5",
        lambda synth, s: synth.RandomRBF(seed_model=s, seed_sample=s, n_classes=5),
        "RandomRBFGenerator -i {s} -r {s} -c 5",
    ),
    "random_rbf_drift": Contest(
        "random_rbf_drift:n_classes=5,change_speed=0.001",
        lambda synth, s: synth.RandomRBFDrift(seed_model=s, seed_sample=s, n_classes=5, change_speed=0.001),
        "RandomRBFGeneratorDrift -i {s} -r {s} -c 5 -s 0.001",
    ),
    "agrawal": Contest(
        "agrawal:function=3",
        lambda synth, s: synth.Agrawal(seed=s, classification_function=2, perturbation=0.05),
        "AgrawalGenerator -i {s} -f 3",
    ),
    "hyperplane": Contest(
        "hyperplane:n_drift_features=10,mag_change=0.001",
        lambda synth, s: synth.Hyperplane(seed=s, n_drift_features=10, mag_change=0.001),
        "HyperplaneGenerator -i {s} -k 10 -t 0.001",
    ),
    "sine": Contest(
        "sine:function=3,has_noise=true",
        lambda synth, s: synth.Sine(seed=s, classification_function=3, has_noise=True),
        "SineGenerator -i {s} -f 3",
    ),
    "mixed": Contest("mixed", lambda synth, s: synth.Mixed(seed=s), "MixedGenerator -i {s}"),
    "stagger": Contest(
        "stagger:function=2",
        lambda synth, s: synth.STAGGER(seed=s, classification_function=1),
        "STAGGERGenerator -i {s} -f 2",
    ),
    "random_tree": Contest(
        "random_tree",
        lambda synth, s: synth.RandomTree(seed_tree=s, seed_sample=s),
        "RandomTreeGenerator -i {s} -r {s}",
    ),
    "waveform": Contest(
        "waveform:has_noise=true",
        lambda synth, s: synth.Waveform(seed=s, has_noise=True),
        "WaveformGenerator -i {s} -n",
    ),
    "friedman": Contest("friedman", lambda synth, s: synth.Friedman(seed=s), None),
}
OF_THEIR_OWN_MODEL = ("random_rbf", "random_rbf_drift", "random_tree", "hyperplane")
"""Streams whose model is random as well: with another generator of random numbers it is another one."""

Timed = Callable[[], float]
"""Makes rows and returns how many came a second."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line a stream, and perhaps check."""
    options = parse(argv)
    moa = Moa() if "moa" in options.peers or options.check else None
    results = {}
    print(f"{'stream':<17}{'ours M/s':>10}{'dicts':>8}{'River':>9}{'MOA':>8}   faster than River, as dicts, than MOA")
    for name in options.streams:
        timed = contestants(CONTESTS[name], moa if "moa" in options.peers else None, options)
        best = dict.fromkeys(timed, 0.0)
        for _, (who, run) in itertools.product(range(options.repeat), timed.items()):
            best[who] = max(best[who], run())
        results[name] = best
        print(line(name, best), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps({"command": sys.argv, "rows_per_second": results}, indent=2) + "\n")
    return check(options, moa) if options.check and moa is not None else 0


def contestants(contest: Contest, moa: Moa | None, options: argparse.Namespace) -> dict[str, Timed]:
    """Everyone who takes part, warmed up."""
    rows, few = options.rows, options.peer_rows

    def ours() -> float:
        source = sl.open_stream(f"{contest.ours}{',' if ':' in contest.ours else ':'}seed={options.seed}")
        return rate(rows, lambda: collections.deque(source.batches(limit=rows), maxlen=0))

    def dicts() -> float:
        source = sl.open_stream(f"{contest.ours}{',' if ':' in contest.ours else ':'}seed={options.seed}")

        def walk() -> None:
            names = source.schema.names
            for batch in source.batches(limit=few):
                for x, y in zip(batch.X.tolist(), batch.y.tolist(), strict=True):  # type: ignore[union-attr]
                    dict(zip(names, x, strict=True)), y

        return rate(few, walk)

    ours()  # compiles
    timed: dict[str, Timed] = {"ours": ours, "dicts": dicts}
    if contest.river is not None and "river" in options.peers:
        from river.datasets import synth

        make = contest.river
        timed["river"] = lambda: rate(
            few, lambda: collections.deque(itertools.islice(make(synth, options.seed), few), maxlen=0)
        )
    if moa is not None and contest.moa is not None:
        cli = contest.moa.format(s=options.seed)
        moa.speed(cli, options.warm_up)
        timed["moa"] = lambda: moa.speed(cli, rows)
    return timed


def rate(rows: int, run: Callable[[], Any]) -> float:
    """Rows a second."""
    start = time.perf_counter()
    run()
    return rows / (time.perf_counter() - start)


def line(name: str, best: dict[str, float]) -> str:
    """One line of the table, in millions of rows a second, with ratios."""

    def cell(who: str, width: int) -> str:
        return f"{best[who] / 1e6:>{width}.3g}" if who in best else " " * width

    def ratio(one: str, other: str, width: int) -> str:
        return f"{best[one] / best[other]:>{width},.1f}×" if other in best else " " * (width + 1)

    rates = cell("ours", 10) + cell("dicts", 8) + cell("river", 9) + cell("moa", 8)
    return f"{name:<17}{rates}   {ratio('ours', 'river', 16)}{ratio('dicts', 'river', 9)}{ratio('ours', 'moa', 9)}"


class Moa:
    """MOA inside this process; making one starts Java."""

    def __init__(self) -> None:
        import capymoa  # noqa: F401 - starts Java with MOA's classes
        import jpype

        self._java = jpype.java.lang.Class

    def _object(self, cli: str, kind: str) -> Any:
        from moa.options import ClassOption

        return ClassOption.cliStringToObject(cli, self._java.forName(kind), None)

    def speed(self, cli: str, rows: int) -> float:
        """Rows a second that MOA's task makes."""
        task = self._object(f"MeasureStreamSpeed -s (generators.{cli}) -g {rows}", "moa.tasks.Task")
        return rate(rows, task.doTask)

    def rows(self, cli: str, rows: int) -> np.ndarray:
        """Rows of a generator, the class last."""
        stream = self._object(f"generators.{cli}", "moa.streams.InstanceStream")
        stream.prepareForUse()
        return np.array([stream.nextInstance().getData().toDoubleArray() for _ in range(rows)])


def check(options: argparse.Namespace, moa: Moa) -> int:
    """Compare distributions with MOA's; 1 if one of them differs."""
    bad = 0
    for name in options.streams:
        contest = CONTESTS[name]
        if contest.moa is None or name in OF_THEIR_OWN_MODEL:
            continue
        n = options.check_rows
        batches = list(sl.open_stream(contest.ours).batches(limit=n))
        ours = np.concatenate([np.column_stack([b.X, b.y]) for b in batches])  # type: ignore[list-item]
        smallest, tests = compared(ours, moa.rows(contest.moa.format(s=options.seed), n))
        differs = smallest < 0.01 / tests
        bad += differs
        print(f"{name:<17}{'DIFFERS from' if differs else 'as'} MOA's: smallest p of {tests} tests {smallest:.2g}")
    return 1 if bad else 0


def compared(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, int]:
    """The smallest p value of all columns, overall and by class, and how many tests there were."""
    from scipy import stats

    classes = [None, *np.unique(ours[:, -1])]
    values = [
        stats.ks_2samp(*(rows[:, j] if c is None else rows[rows[:, -1] == c, j] for rows in (ours, theirs))).pvalue
        for j in range(ours.shape[1])
        for c in classes
        if c is None or j < ours.shape[1] - 1
    ]
    return min(values), len(values)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--streams", nargs="+", choices=list(CONTESTS), default=list(CONTESTS))
    parser.add_argument("--peers", nargs="*", choices=["river", "moa"], default=["river", "moa"])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a pass, ours and MOA's")
    parser.add_argument("--peer-rows", type=int, default=20_000, help="rows of a pass that makes dicts")
    parser.add_argument("--warm-up", type=int, default=500_000, help="rows for Java's compiler")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="compare distributions with MOA's as well")
    parser.add_argument("--check-rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path, help="file for all numbers")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
