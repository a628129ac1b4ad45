"""Regression trees and forests: errors and speed of ours, River's and MOA's, on the same rows in one process.

The streams are River's own generators, with seeds, its data set of approval polls, and electricity prices. River's
trees get rows as dicts, once as they are and once behind its StandardScaler, since its leaves need scaled numbers.
MOA's learners run in the loop inside Java that CapyMOA uses, on instances in Java's memory, unscaled. In each of
`--repeat` rounds everybody takes a turn; times are the best ones. Forests have ten trees each and otherwise their own
defaults; River's takes seconds for a thousand rows: `--groups trees` leaves the forests out.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import report

WARM_UP_SECONDS = 5.0  # Java compiles what runs often, in the background


@dataclass(frozen=True)
class Rows:
    """A stream: names of the fields, numbers [n, d], targets [n]."""

    fields: list[str]
    X: np.ndarray
    y: np.ndarray


@dataclass
class Contestant:
    """A pass over the rows that gives seconds and predictions, and what came of the passes so far."""

    title: str
    take: Callable[[], tuple[float, np.ndarray]]
    seconds: list[float] = field(default_factory=list)
    error: float = 0.0
    squared: float = 0.0

    def turn(self, y: np.ndarray) -> None:
        """One pass."""
        seconds, predictions = self.take()
        self.seconds.append(seconds)
        self.error = float(np.abs(predictions - y).mean())
        self.squared = float(np.sqrt(((predictions - y) ** 2).mean()))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each stream and print one line for each contestant."""
    options = parse(argv)
    results = []
    print(f"{'stream':<14} {'learner':<34} {'rows':>7} {'MAE':>10} {'RMSE':>10} {'rows/s':>11}  ours is")
    for name in options.streams:
        rows = STREAMS[name](options.rows, options.seed)
        for group in contestants(rows, options.groups, options.peers):
            for number in range(options.repeat):
                for contestant in group if number % 2 == 0 else group[::-1]:
                    contestant.turn(rows.y)
            ours = min(group[0].seconds)
            for contestant in group:
                best = min(contestant.seconds)
                note = f"{best / ours:,.1f}× as fast" if contestant is not group[0] else ""
                errors = f"{contestant.error:>10.4f} {contestant.squared:>10.4f}"
                speed = f"{len(rows.y) / best:>11,.0f}"
                print(
                    f"{name:<14} {contestant.title:<34} {len(rows.y):>7,} {errors} {speed}  {note}".rstrip(), flush=True
                )
                facts = {"mae": contestant.error, "rmse": contestant.squared, "seconds": contestant.seconds}
                results.append({"stream": name, "learner": contestant.title, "rows": len(rows.y), **facts})
    if options.json:
        options.json.write_text(json.dumps({**report.facts(), "results": results}, indent=1), encoding="utf-8")


# -- streams -----------------------------------------------------------------------------------------------------------


def collect(pairs: Iterable[tuple[dict[Hashable, Any], Any]], rows: int) -> Rows:
    """The first rows of a stream of River's; words become numbers in order of appearance."""
    words: dict[Any, float] = {}
    X, y, fields = [], [], []
    for x, target in itertools.islice(pairs, rows):
        X.append([float(v) if isinstance(v, (int, float)) else words.setdefault(v, len(words)) for v in x.values()])
        y.append(float(target))
        fields = [str(name) for name in x]
    return Rows(fields, np.array(X, np.float64), np.array(y))


def friedman(rows: int, seed: int) -> Rows:
    """Friedman's function of five of ten numbers."""
    from river.datasets import synth

    return collect(synth.Friedman(seed=seed), rows)


def friedman_drift(kind: str) -> Callable[[int, int], Rows]:
    """Friedman's function with drifts at quarters of the stream (Ikonomovska et al. 2011)."""

    def make(rows: int, seed: int) -> Rows:
        from river.datasets import synth

        at = (rows // 4, rows // 2, 3 * rows // 4)[: 3 if kind == "lea" else 2]
        return collect(synth.FriedmanDrift(drift_type=kind, position=at, transition_window=rows // 20, seed=seed), rows)

    return make


def planes(rows: int, seed: int) -> Rows:
    """Breiman's two planes, of ten numbers."""
    from river.datasets import synth

    return collect(synth.Planes2D(seed=seed), rows)


def mv(rows: int, seed: int) -> Rows:
    """Ten fields that depend on one another."""
    from river.datasets import synth

    return collect(synth.Mv(seed=seed), rows)


def approval(rows: int, seed: int) -> Rows:
    """1,001 days of polls on a president's approval."""
    from river import datasets

    return collect(datasets.TrumpApproval(), rows)


def price(rows: int, seed: int) -> Rows:
    """The electricity price of the packaged file, from its other fields."""
    import streamlearn as sl

    source = sl.open_stream("electricity")
    X = np.concatenate([batch.X for batch in source.batches(limit=rows)])
    fields = [str(name) for name in source.schema.names]
    target = fields.index("nswprice")
    rest = [name for name in fields if name != "nswprice"]
    return Rows(rest, np.ascontiguousarray(np.delete(X, target, axis=1)), X[:, target].copy())


STREAMS: dict[str, Callable[[int, int], Rows]] = {
    "friedman": friedman,
    "friedman-lea": friedman_drift("lea"),
    "friedman-gra": friedman_drift("gra"),
    "friedman-gsg": friedman_drift("gsg"),
    "planes": planes,
    "mv": mv,
    "approval": approval,
    "price": price,
}


# -- contestants -------------------------------------------------------------------------------------------------------


def contestants(rows: Rows, groups: Sequence[str], peers: Sequence[str]) -> list[list[Contestant]]:
    """Plain trees and adaptive trees, and forests, each with ours first."""
    made = []
    if "trees" in groups:
        made += trees(rows, peers)
    if "forests" in groups:
        made.append(forests(rows, peers))
    return made


def trees(rows: Rows, peers: Sequence[str]) -> list[list[Contestant]]:
    """Two groups, plain and adaptive trees."""
    import streamlearn as sl

    plain = [Contestant("streamlearn HoeffdingTree", ours(sl.HoeffdingTreeRegressor, rows))]
    adaptive = [Contestant("streamlearn HoeffdingAdaptiveTree", ours(sl.HoeffdingAdaptiveTreeRegressor, rows))]
    if "river" in peers:
        from river import tree

        for group, title, maker in (
            (plain, "River HoeffdingTree", tree.HoeffdingTreeRegressor),
            (adaptive, "River HoeffdingAdaptiveTree", lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=1)),
        ):
            group += [Contestant(title, rivers(maker, rows, scaled=False))]
            group += [Contestant(title + ", scaled", rivers(maker, rows, scaled=True))]
    if "moa" in peers:
        plain.append(Contestant("MOA FIMT-DD", moas(rows, "trees.FIMTDD")))
    return [plain, adaptive]


def forests(rows: Rows, peers: Sequence[str]) -> list[Contestant]:
    """Adaptive random forests of ten trees."""
    import streamlearn as sl

    def make() -> sl.AdaptiveRandomForestRegressor:
        return sl.AdaptiveRandomForestRegressor(n_models=10)

    group = [Contestant("streamlearn AdaptiveRandomForest", ours(make, rows))]
    if "river" in peers:
        from river import forest

        def rivers_make() -> forest.ARFRegressor:
            return forest.ARFRegressor(seed=1)

        group.append(Contestant("River ARF", rivers(rivers_make, rows, scaled=False)))
        group.append(Contestant("River ARF, scaled", rivers(rivers_make, rows, scaled=True)))
    if "moa" in peers:
        group.append(Contestant("MOA AdaptiveRandomForest", moas(rows, "meta.AdaptiveRandomForestRegressor -s 10")))
    return group


def ours(make: Callable[[], Any], rows: Rows) -> Callable[[], tuple[float, np.ndarray]]:
    """Arrays in, arrays out."""
    make().test_then_train_many(rows.X[:500], rows.y[:500])  # compiles, or loads, the kernels

    def take() -> tuple[float, np.ndarray]:
        learner = make()
        start = time.perf_counter()
        predictions = learner.test_then_train_many(rows.X, rows.y)
        return time.perf_counter() - start, predictions

    return take


def rivers(make: Callable[[], Any], rows: Rows, *, scaled: bool) -> Callable[[], tuple[float, np.ndarray]]:
    """Rows as dicts, made beforehand."""
    from river import preprocessing

    dicts = [dict(zip(rows.fields, row, strict=True)) for row in rows.X.tolist()]
    targets = rows.y.tolist()

    def take() -> tuple[float, np.ndarray]:
        learner = preprocessing.StandardScaler() | make() if scaled else make()
        predictions = []
        start = time.perf_counter()
        for x, y in zip(dicts, targets, strict=True):
            predictions.append(learner.predict_one(x))
            learner.learn_one(x, y)
        return time.perf_counter() - start, np.array(predictions)

    return take


def moas(rows: Rows, command: str) -> Callable[[], tuple[float, np.ndarray]]:
    """Java's own loop, timed; the predictions come from a second, slower pass."""
    import jpype
    from capymoa.stream import NumpyStream  # starts Java; only then can Java's packages be imported
    from moa.classifiers import Regressor
    from moa.evaluation import BasicRegressionPerformanceEvaluator, EfficientEvaluationLoops
    from moa.options import ClassOption
    from moa.streams import CachedInstancesStream

    stream = NumpyStream(rows.X, rows.y, target_type="numeric", feature_names=rows.fields)
    header = stream.get_schema().get_moa_header()
    instances = in_java(rows, header, jpype)

    def fresh() -> Any:
        learner = ClassOption.cliStringToObject(command, Regressor, None)
        learner.setModelContext(header)
        learner.prepareForUse()
        return learner

    def loop() -> float:
        cached = CachedInstancesStream(instances)
        learner, evaluator, windowed = fresh(), *(BasicRegressionPerformanceEvaluator() for _ in range(2))
        start = time.perf_counter()
        EfficientEvaluationLoops.PrequentialEvaluation(
            cached, learner, evaluator, windowed, len(rows.y), len(rows.y), False, False
        )
        return time.perf_counter() - start

    learner = fresh()
    predictions = np.zeros(len(rows.y))
    for i in range(len(rows.y)):
        votes = learner.getVotesForInstance(instances.get(i))
        predictions[i] = votes[0] if len(votes) else 0.0
        learner.trainOnInstance(instances.get(i))
    until = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < until:
        loop()
    return lambda: (loop(), predictions)


def in_java(rows: Rows, header: Any, jpype: Any) -> Any:
    """The rows as MOA instances."""
    from com.yahoo.labs.samoa.instances import DenseInstance, Instances

    instances = Instances(header, len(rows.y))
    instances.setClassIndex(len(rows.fields))
    for row in jpype.JArray.of(np.column_stack([rows.X, rows.y])):
        instance = DenseInstance(1.0, row)
        instance.setDataset(instances)
        instances.add(instance)
    return instances


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a stream, at most")
    parser.add_argument("--streams", nargs="+", choices=list(STREAMS), default=list(STREAMS))
    parser.add_argument("--groups", nargs="+", choices=("trees", "forests"), default=["trees", "forests"])
    parser.add_argument("--peers", nargs="*", choices=("river", "moa"), default=["river", "moa"])
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--seed", type=int, default=42, help="of the streams")
    parser.add_argument("--json", type=Path, help="file for the numbers, with versions and command line")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
