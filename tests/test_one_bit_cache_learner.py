"""A cache policy as a learner: what its rows are, what its outputs say, and a pipeline that is killed and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamlearn as sl
from streamlearn.errors import SchemaError, StateError
from streamlearn.testing import ABORT, Crash, MemoryBroker, MemorySink, MemorySource
from tests.test_bit_predictor import requests


@pytest.mark.parametrize("as_text", [False, True])
def test_it_decides_as_its_policy(as_text: bool) -> None:
    pages = requests(1200, most=80)
    keys: list[Any] = [f"user {page}" for page in pages] if as_text else [float(page) for page in pages]
    learner = sl.OneBitCacheLearner(capacity=10, field="user")
    rows = [{"other": 1.0, "user": key} for key in keys]
    schema = sl.Schema.infer(rows, target_kind="nominal")
    outputs = learner.process(schema.encode(rows))
    ids = (np.array([keys.index(key) for key in keys]) if as_text else pages).astype(np.float64)
    order = {key: code for code, key in enumerate(dict.fromkeys(keys))}  # codes of texts
    numbers = np.array([order[key] for key in keys], np.float64) if as_text else ids
    policy = sl.LearnedBit(capacity=10, table="hash")
    expected = policy.decide_many((numbers.view(np.uint64) >> np.uint64(1)).astype(np.int64))
    assert outputs.prediction.tolist() == expected.hits.tolist()
    assert outputs.details is not None
    assert outputs.details["bit"].tolist() == expected.bits.tolist()
    assert outputs.details["probability"].tolist() == expected.probabilities.tolist()
    held: set[Any] = set()
    for key, hit, evicted in zip(keys, outputs.prediction, outputs.details["evicted"], strict=True):
        assert hit == (key in held)
        held.discard(evicted)
        held.add(key)
        assert len(held) <= 10


def test_what_is_no_request() -> None:
    learner = sl.OneBitCacheLearner(capacity=2, field="user")
    rows = [{"user": 7}, {"user": None}, {"user": 8}, {"user": 9}]
    assert learner.test_then_train_many(rows, w=[1.0, 1.0, 0.0, 1.0]).tolist() == [0, 0, 0, 0]
    assert [learner.predict_one({"user": user}) for user in (7, 8, 9, None)] == [1, 0, 1, 0]
    assert learner.policy.cached.size == 2
    learner.learn_one({"user": 8}, w=0.0)
    assert learner.predict_one({"user": 8}) == 0
    learner.learn_one({"user": -0.0})
    assert learner.predict_one({"user": 0}) == 1


def test_the_key_must_be_there() -> None:
    with pytest.raises(SchemaError, match="did you mean 'user'"):
        sl.OneBitCacheLearner(capacity=2, field="usr").learn_one({"user": 7})
    with pytest.raises(sl.OptionError, match="capacity"):
        sl.OneBitCacheLearner(capacity=0)
    learner = sl.OneBitCacheLearner(capacity=2)
    with pytest.raises(StateError):
        learner.restore({"schema": None, "policy": {"arrays": 3}})


def pipeline(broker: MemoryBroker, folder: Path, **settings: Any) -> sl.Pipeline:
    given: dict[str, Any] = {
        "name": "front",
        "source": MemorySource(broker, "requests"),
        "schema": {"id": "request"},
        "learner": {"type": "one_bit_cache", "capacity": 8, "field": "user"},
        "sink": MemorySink(broker, "decisions"),
        "checkpoint": {"dir": str(folder / "state"), "every": 100},
        "batch": {"rows": 7, "wait": 0},
    }
    return sl.Pipeline(**{**given, **settings})


def test_a_pipeline_that_is_killed_decides_as_one_that_is_not(tmp_path: Path) -> None:
    rows = [{"request": i, "user": f"u{page}"} for i, page in enumerate(requests(600, most=60).tolist())]
    whole = MemoryBroker({"requests": [rows]})
    assert pipeline(whole, tmp_path / "whole").run().rows == 600
    decisions = whole.documents("decisions")
    held: set[str] = set()
    for row, decision in zip(rows, decisions, strict=True):
        assert decision["id"] == row["request"]
        assert decision["prediction"] == (row["user"] in held)
        assert set(decision["details"]) == {"evicted", "bit", "probability"}
        held.discard(decision["details"]["evicted"])
        held.add(row["user"])
        assert len(held) <= 8
    assert any(decision["prediction"] for decision in decisions)

    killed = MemoryBroker({"requests": [[*rows[:350], ABORT, *rows[350:]]]})
    with pytest.raises(Crash):
        pipeline(killed, tmp_path / "killed").run()
    pipeline(killed, tmp_path / "killed").run()
    by_id = {}
    for decision in killed.documents("decisions"):
        assert by_id.setdefault(decision["id"], decision["details"]) == decision["details"]  # again, but the same
    assert [by_id[row["request"]] for row in rows] == [decision["details"] for decision in decisions]


def test_a_cache_for_each_tenant(tmp_path: Path) -> None:
    pages = requests(200, most=30).tolist()
    rows = [{"request": i, "tenant": "ab"[i % 2], "user": page} for i, page in enumerate(pages)]
    broker = MemoryBroker({"requests": [rows]})
    made = pipeline(broker, tmp_path, key="tenant")
    made.run()
    decisions = broker.documents("decisions")
    for tenant in (0, 1):
        alone = sl.OneBitCacheLearner(capacity=8, field="user")
        own = [{"user": row["user"]} for row in rows[tenant::2]]
        outputs = alone.process(sl.Schema.infer(own, target_kind="nominal").encode(own))
        assert outputs.details is not None
        assert [d["prediction"] for d in decisions[tenant::2]] == outputs.prediction.tolist()
        assert [d["details"]["evicted"] for d in decisions[tenant::2]] == outputs.details["evicted"].tolist()


def test_details_are_columns_of_tables() -> None:
    from streamlearn.runtime.outputs import Answers, Predictions

    details = {"evicted": np.array(["a", None], object), "bit": np.array([0, 1], object)}
    table = Predictions(["t-0", "t-1"], Answers(np.array([0, 1])), details=details).table()
    assert table["detail.evicted"].to_pylist() == ["a", None]
    assert table["detail.bit"].to_pylist() == [0, 1]
