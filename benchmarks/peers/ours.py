"""streamlearn itself: `sl.evaluate` as a whole, with its default metrics, from memory or from a Parquet file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import formats
from streams import Stream

from .contract import Peer, Ready, Round
from .ensembles import ENSEMBLES

TREES = ("hoeffding_tree", "extremely_fast_decision_tree", "hoeffding_adaptive_tree")
LINEAR = ("logistic_regression", "perceptron", "pa_classifier")
LEARNERS = (*TREES, "naive_bayes", "no_change", "prior", *LINEAR, "mlp_classifier", "knn_classifier", *ENSEMBLES)
WARM_UP_ROWS = 1000


def registered(learner: str) -> str:
    """The registered name: trees are named here as they are in all projects, and there are some for regression too."""
    if learner in ENSEMBLES:
        return ENSEMBLES[learner].call
    return f"{learner}_classifier" if learner in TREES else learner


def _from_memory(folder: Path, rows: int, learner: str) -> Ready:
    import streamlearn as sl

    stream = Stream.load(folder).head(rows)
    fields = [
        sl.Field(name) if known is None else sl.Field(name, "nominal", list(known))
        for name, known in zip(stream.fields, stream.categories, strict=True)
    ]
    schema = sl.Schema(fields, target="y", classes=range(len(stream.classes)))
    return _evaluating((stream.X, stream.y), learner, {"schema": schema})


def _from_parquet(folder: Path, rows: int, learner: str) -> Ready:
    return _evaluating(folder / formats.PARQUET, learner, {"target": formats.TARGET, "limit": rows})


def _evaluating(stream: Any, learner: str, options: dict[str, Any]) -> Ready:
    import streamlearn as sl

    def run() -> Round:
        start = time.perf_counter()
        result = sl.evaluate(stream, registered(learner), **options)
        return Round(time.perf_counter() - start, float(result.summary[0]["accuracy"]))

    return Ready(run, warm_up=lambda: sl.evaluate(stream, registered(learner), **{**options, "limit": WARM_UP_ROWS}))


MEMORY = Peer("streamlearn", LEARNERS, _from_memory, packages=("streamlearn", "numba", "numpy"))
PARQUET = Peer(
    "streamlearn, Parquet file",
    LEARNERS,
    _from_parquet,
    write=formats.write_parquet,
    packages=("streamlearn", "pyarrow"),
)
