"""River: `evaluate.progressive_val_score` with accuracy, over dicts made beforehand."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from streams import Stream

from .contract import Peer, Ready, Round
from .ensembles import ENSEMBLES

TREES = ("hoeffding_tree", "extremely_fast_decision_tree", "hoeffding_adaptive_tree")
RIVERS = {name: ensemble.river for name, ensemble in ENSEMBLES.items() if ensemble.river is not None}
LEARNERS = (*TREES, "naive_bayes", "no_change", "prior", "knn_classifier", *RIVERS)


def make(stream: Stream, learner: str) -> Any:
    """A fresh River model, at River's defaults.

    River's Gaussian naive Bayes takes numbers only: nominal fields reach it as codes, and where all fields are binary
    its Bernoulli sibling takes its place. Its nearest neighbours search the same window as MOA's, exactly; they don't
    scale.
    """
    from river import dummy, naive_bayes, neighbors, tree

    if learner in RIVERS:
        return RIVERS[learner](stream, ENSEMBLES[learner].n)
    if learner == "hoeffding_tree":
        return tree.HoeffdingTreeClassifier(nominal_attributes=stream.nominal)
    if learner == "extremely_fast_decision_tree":
        return tree.ExtremelyFastDecisionTreeClassifier(nominal_attributes=stream.nominal)
    if learner == "hoeffding_adaptive_tree":
        return tree.HoeffdingAdaptiveTreeClassifier(nominal_attributes=stream.nominal, seed=1)
    if learner == "no_change":
        return dummy.NoChangeClassifier()
    if learner == "knn_classifier":
        return neighbors.KNNClassifier(10, engine=neighbors.LazySearch(window_size=1000), weighted=False)
    if learner == "prior":
        return dummy.PriorClassifier()
    binary = all(known is not None and len(known) == 2 for known in stream.categories)
    return naive_bayes.BernoulliNB() if binary else naive_bayes.GaussianNB()


def _prepare(folder: Path, rows: int, learner: str) -> Ready:
    from river import evaluate, metrics

    stream = Stream.load(folder).head(rows)
    dicts = stream.dicts()

    def run() -> Round:
        model = make(stream, learner)
        start = time.perf_counter()
        accuracy = evaluate.progressive_val_score(dicts, model, metrics.Accuracy())
        return Round(time.perf_counter() - start, accuracy.get())

    return Ready(run)


PEER = Peer("River", LEARNERS, _prepare, packages=("river",))
