"""Streams of mixed rows that hypothesis makes up, and the laws that every learner obeys on them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

import streamlearn as sl


class Event(NamedTuple):
    """A row, its label or value (None: unlabelled), and its weight."""

    x: dict[str, Any]
    y: Any
    w: float


MISSING = [None, math.nan]
ODD = [math.inf, -math.inf, 1e-200, -3e-140, 1e99, -1e150, 5e-324]
NUMBERS = st.one_of(
    st.integers(-3, 3).map(float), st.floats(-10, 10), st.sampled_from([*MISSING, 0.0, 1.0, 1.0]), st.sampled_from(ODD)
)
CATEGORIES = st.sampled_from([None, "red", "green", "blue", "black", "white", "grey"])
ROWS = st.fixed_dictionaries(
    {"a": NUMBERS, "b": NUMBERS, "colour": CATEGORIES},
    optional={"late": st.floats(-2, 2), "city": st.sampled_from(["Oslo", "Lima", "Bonn"])},
)
"""Fields `late` and `city` are unknown to the schema of `schema`: they are added when they first appear."""

WEIGHTS = st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5, 0.3, 0.0])
LABELS = st.sampled_from(["no", "yes", "no", "yes", "maybe", None])
VALUES = st.one_of(st.floats(-10, 10), st.sampled_from([None, math.nan, math.inf, 0.0]))


def events(targets: st.SearchStrategy[Any], most: int = 30) -> st.SearchStrategy[list[Event]]:
    """Lists of events."""
    return st.lists(st.builds(Event, ROWS, targets, WEIGHTS), min_size=1, max_size=most)


def schema(target_kind: Any = "nominal") -> sl.Schema:
    """The fields that are known beforehand."""
    fields = [sl.Field("a"), sl.Field("b"), sl.Field("colour", "nominal")]
    return sl.Schema(fields, target="y", target_kind=target_kind)


def one_by_one(model: Any, stream: Sequence[Event]) -> list[Any]:
    """Predict, then learn, each event by the calls for one row."""
    predictions = []
    for x, y, w in stream:
        predictions.append(model.predict_one(x))
        model.learn_one(x, y, w)
    return predictions


def in_batches(model: Any, stream: Sequence[Event], cuts: Sequence[int]) -> list[Any]:
    """Predict, then learn, in batches that end at ``cuts``."""
    predictions: list[Any] = []
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    for start, end in zip([0, *ends], ends, strict=False):
        if start < end:
            x, y, w = zip(*stream[start:end], strict=True)
            predictions += model.test_then_train_many(list(x), list(y), list(w)).tolist()
    return predictions


def same(left: Any, right: Any) -> bool:
    """Whether two states, or parts of them, agree bit for bit."""
    if isinstance(left, dict):
        return set(left) == set(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes())
    return bool(left == right)


def check_laws(model: Any, stream: Sequence[Event], cuts: Sequence[int], path: Path) -> None:
    """One = many, resume, predict is pure; ``model`` is fresh."""
    batched, resumed = model.clone(), model.clone()
    predictions = one_by_one(model, stream)
    assert in_batches(batched, stream, cuts) == predictions
    assert same(batched.state(), model.state())

    half = len(stream) // 2
    head = one_by_one(resumed, stream[:half])
    resumed.save(path)
    resumed = type(model).load(path)
    assert head + one_by_one(resumed, stream[half:]) == predictions
    assert same(resumed.state(), model.state())

    before = model.state()
    model.predict_many([event.x for event in stream])
    model.predict_one({"a": 1.0, "colour": "never seen", "unknown field": 3})
    assert same(model.state(), before)


def benchmark_stream(name: str) -> sl.Batch:
    """A stream of the drift benchmarks as one batch; skips the test where the files are not there."""
    folder = Path(os.environ.get("STREAMLEARN_DATA", Path(__file__).parents[1] / "../shared/data/drift"))
    if not (folder / f"{name}.parquet").exists():
        pytest.skip(f"the stream {name} is not there: set STREAMLEARN_DATA to the folder of the Parquet files")
    table = pq.read_table(folder / f"{name}.parquet")
    return sl.Schema.infer(table, target="target", target_kind="nominal").encode(table)


def prequential_accuracy(model: Any, batch: sl.Batch) -> float:
    """Percent of rows predicted right before they were learned; no prediction counts as class 0, as in MOA."""
    prediction = model.process(batch).prediction
    return 100.0 * float(np.mean(np.maximum(prediction, 0) == batch.y))
