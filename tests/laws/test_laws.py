"""The laws that every registered learner obeys (the design's section 6)."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn.learner import SUPERVISED, Learner

from . import streams
from .conftest import Maker
from .equality import bits, same

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def targets_for(learner: Learner) -> st.SearchStrategy[Any]:
    return streams.TARGETS if learner.task == "regression" else streams.LABELS


def one_by_one(learner: Learner, rows: list[Any], y: list[Any], w: list[float]) -> list[Any]:
    """Predictions of the plain loop."""
    predictions = []
    for x, target, weight in zip(rows, y, w, strict=True):
        predictions.append(learner.predict_one(x))
        learner.learn_one(x, target, weight)
    return predictions


def in_batches(learner: Learner, rows: list[Any], y: list[Any], w: list[float], cuts: list[int]) -> list[Any]:
    """Predictions of test-then-train, batch by batch."""
    predictions: list[Any] = []
    for start, stop in itertools.pairwise(cuts):
        part = learner.test_then_train_many(rows[start:stop], y[start:stop], w[start:stop])
        predictions += part.tolist()
    return predictions


@few
@given(data=st.data())
def test_one_equals_many(make: Maker, data: st.DataObject) -> None:
    rows = data.draw(streams.rows())
    n = len(rows)
    y = data.draw(st.lists(targets_for(make()), min_size=n, max_size=n))
    w = data.draw(st.lists(streams.WEIGHTS, min_size=n, max_size=n))
    single, batched = make(), make()
    expected = one_by_one(single, rows, y, w)
    got = in_batches(batched, rows, y, w, data.draw(streams.cuts(n)))
    assert list(map(bits, got)) == list(map(bits, expected))
    probe = data.draw(streams.rows(most=5))
    assert list(map(bits, single.predict_many(probe).tolist())) == list(map(bits, batched.predict_many(probe).tolist()))


def test_one_equals_many_on_a_long_stream(make: Maker) -> None:
    rows, labels, values = streams.drifting(1500)
    y: list[Any] = values if make().task == "regression" else labels
    w = [1.0] * len(rows)
    single, batched = make(), make()
    expected = one_by_one(single, rows, y, w)
    got = in_batches(batched, rows, y, w, [0, 1, 2, 700, 701, 1500])
    assert list(map(bits, got)) == list(map(bits, expected))


@few
@given(data=st.data())
def test_resume_continues_bit_for_bit(make: Maker, tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(streams.rows(least=2))
    n = len(rows)
    y = data.draw(st.lists(targets_for(make()), min_size=n, max_size=n))
    at = data.draw(st.integers(0, n))
    whole, stopped = make(), make()
    whole.learn_many(rows[:at] or rows[:0], y[:at]) if at else None
    stopped.learn_many(rows[:at], y[:at]) if at else None
    stopped.save(tmp_path / "model")
    resumed = sl.load(tmp_path / "model")
    assert repr(resumed) == repr(stopped)
    expected = one_by_one(whole, rows[at:], y[at:], [1.0] * (n - at))
    got = one_by_one(resumed, rows[at:], y[at:], [1.0] * (n - at))
    assert list(map(bits, got)) == list(map(bits, expected))
    assert same(resumed.state(), whole.state())


def test_resume_on_a_long_stream(make: Maker, tmp_path: Path) -> None:
    rows, labels, values = streams.drifting(1200, seed=3)
    y: list[Any] = values if make().task == "regression" else labels
    whole, stopped = make(), make()
    for learner in (whole, stopped):
        learner.learn_many(rows[:777], y[:777])
    stopped.save(tmp_path / "model")
    resumed = sl.load(tmp_path / "model")
    expected = whole.test_then_train_many(rows[777:], y[777:]).tolist()
    assert resumed.test_then_train_many(rows[777:], y[777:]).tolist() == expected
    assert same(resumed.state(), whole.state())


@few
@given(data=st.data())
def test_predicting_changes_nothing(make: Maker, data: st.DataObject) -> None:
    rows = data.draw(streams.rows(least=2))
    y = data.draw(st.lists(targets_for(make()), min_size=len(rows), max_size=len(rows)))
    learner = make()
    learner.learn_many(rows[1:], y[1:])
    before = learner.state()
    unseen = {**rows[0], "p": "never seen", "extra": 1.0}
    learner.predict_one(unseen)
    learner.predict_many([unseen, *rows])
    if learner.task == "classification":
        learner.predict_proba_one(unseen)
        learner.predict_proba_many(rows)
    assert same(learner.state(), before)


def test_same_seed_same_numbers(make: Maker) -> None:
    rows, labels, values = streams.drifting(400, seed=1)
    y: list[Any] = values if make().task == "regression" else labels
    first, second = make(), make()
    np.random.seed(0)
    first.learn_many(rows, y)
    np.random.seed(1)
    second.learn_many(rows, y)
    assert same(first.state(), second.state())


def test_state_is_bounded(make: Maker) -> None:
    """Past its first rows a learner grows by less than its first half did, however long the stream."""
    rows, labels, values = streams.drifting(6000, seed=2)
    y: list[Any] = values if make().task == "regression" else labels
    learner = make()
    learner.learn_many(rows[:3000], y[:3000])
    half = learner.nbytes
    learner.learn_many(rows[3000:], y[3000:])
    assert learner.nbytes <= 4 * half + 65_536


def test_no_memory_leaks(make: Maker) -> None:
    """A thousand calls leave nothing behind."""
    rows, labels, values = streams.drifting(50)
    y: list[Any] = values if make().task == "regression" else labels
    learner = make()
    learner.learn_many(rows, y)
    for x in rows:
        learner.predict_one(x)
    tracemalloc.start()
    try:
        held = []
        for _ in range(3):
            for _ in range(20):
                for x in rows:
                    learner.predict_one(x)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
        assert held[2] - held[1] < 50_000  # 50 bytes a call: a buffer that is kept would be more, noise is less
    finally:
        tracemalloc.stop()


class TestHonestInput:
    """Bad input gives the documented result or an error that names the field and the row; the state stays sound."""

    def trained(self, make: Maker) -> tuple[Learner, list[Any]]:
        rows, labels, values = streams.drifting(60)
        learner = make()
        learner.learn_many(rows, values if learner.task == "regression" else labels)
        return learner, rows

    def good_target(self, learner: Learner) -> Any:
        return 1.0 if learner.task == "regression" else "high"

    def test_text_where_a_number_belongs(self, make: Maker) -> None:
        learner, rows = self.trained(make)
        before = learner.state()
        y = self.good_target(learner)
        with pytest.raises(sl.InputError, match=r"row 1.*'u'.*expected a number.*'abc'"):
            learner.learn_many([rows[0], {**rows[0], "u": "abc"}], [y, y])
        with pytest.raises(sl.InputError, match=r"'u'.*expected a number.*'abc'"):
            learner.learn_one({**rows[0], "u": "abc"}, y)
        with pytest.raises(sl.InputError, match=r"'u'"):
            learner.predict_one({**rows[0], "u": "abc"})
        assert same(learner.state(), before)

    def test_wrong_width(self, make: Maker) -> None:
        learner = make()
        y = [self.good_target(learner)] * 3
        learner.learn_many(np.zeros((3, 2)), y)
        before = learner.state()
        with pytest.raises(sl.InputError, match="2 columns"):
            learner.learn_many(np.zeros((3, 5)), y)
        with pytest.raises(sl.InputError, match="rows"):
            learner.learn_many(np.zeros((2, 2)), y)
        assert same(learner.state(), before)

    def test_bad_weights(self, make: Maker) -> None:
        learner, rows = self.trained(make)
        before = learner.state()
        y = self.good_target(learner)
        for weight in (-1.0, math.nan, math.inf):
            with pytest.raises(sl.InputError, match=r"w(eight)? must be a finite number"):
                learner.learn_one(rows[0], y, weight)
        with pytest.raises(sl.InputError, match="row 1"):
            learner.learn_many(rows[:2], [y, y], [1.0, -2.0])
        assert same(learner.state(), before)

    def test_missing_and_infinite_values(self, make: Maker) -> None:
        learner, rows = self.trained(make)
        y = self.good_target(learner)
        for value in (math.nan, math.inf, -math.inf, None):
            learner.learn_one({**rows[0], "u": value}, y)
            learner.predict_one({**rows[0], "u": value})
        learner.learn_one({}, y)
        prediction = learner.predict_one({})
        if learner.task == "regression":
            assert math.isfinite(prediction)
            assert math.isfinite(learner.predict_one(rows[0]))
        elif learner.task == "anomaly":
            assert 0.0 <= prediction <= 1.0
        elif learner.task in ("clustering", "caching"):
            assert prediction >= 0
        else:
            probabilities = learner.predict_proba_one(rows[0])
            assert all(0.0 <= p <= 1.0 for p in probabilities.values())

    def test_empty_batch(self, make: Maker) -> None:
        learner, rows = self.trained(make)
        before = learner.state()
        learner.learn_many(rows[:0], [])
        assert len(learner.predict_many(np.empty((0, 4)))) == 0
        assert same(learner.state(), before)

    def test_rows_without_labels_are_skipped(self, make: Maker) -> None:
        rows, _, _ = streams.drifting(10)
        learner = make()
        if learner.task not in SUPERVISED:
            pytest.skip("it learns from rows without labels")
        learner.learn_many(rows, [None] * 10)
        assert learner.predict_one(rows[0]) == (0.0 if learner.task == "regression" else None)

    def test_one_class_and_constant_columns(self, make: Maker) -> None:
        learner = make()
        y = 2.0 if learner.task == "regression" else "only"
        for _ in range(300):
            learner.learn_one({"a": 1.0, "b": "x"}, y)
        prediction = learner.predict_one({"a": 1.0, "b": "x"})
        if learner.task == "regression":
            assert math.isfinite(prediction)
        elif learner.task == "classification":
            assert prediction == "only"
        elif learner.task == "caching":
            assert prediction == 1  # a hit
        else:
            assert 0 <= prediction < 0.5  # in a crowd, or in the only cluster

    def test_a_schema_that_forbids_the_unknown(self, make: Maker) -> None:
        learner = make()
        kind: Any = "numeric" if learner.task == "regression" else "nominal"
        fields = [sl.Field("u"), sl.Field("p", "nominal", ["a", "b"])]
        strict = type(learner)(**learner.params, schema=sl.Schema(fields, target_kind=kind, unknown="error"))
        y = self.good_target(learner)
        strict.learn_one({"u": 1.0, "p": "a"}, y)
        before = strict.state()
        with pytest.raises(sl.InputError, match="unknown category 'z'"):
            strict.learn_one({"u": 1.0, "p": "z"}, y)
        with pytest.raises(sl.InputError, match="unknown field 'w'"):
            strict.learn_one({"u": 1.0, "p": "a", "w": 1.0}, y)
        with pytest.raises(sl.InputError, match="'p' is missing"):
            strict.learn_one({"u": 1.0}, y)
        assert same(strict.state(), before)

    def test_a_damaged_state_is_refused_and_changes_nothing(self, make_any: Maker) -> None:
        rows, labels, values = streams.drifting(30)
        learner = make_any()
        learner.learn_many(rows, values if learner.task == "regression" else labels)
        before = learner.state()
        for damage in ({}, {"schema": None}, {**before, "extra": 1}, {**before, "schema": {"fields": 3}}):
            with pytest.raises(sl.StateError):
                learner.restore(damage)
        assert same(learner.state(), before)


def test_clone_shares_nothing(make_any: Maker) -> None:
    rows, labels, values = streams.drifting(40)
    learner = make_any()
    y = values if learner.task == "regression" else labels
    learner.learn_many(rows, y)
    clone = learner.clone()
    fresh = clone.state()
    twin = copy.deepcopy(learner)
    learned = twin.state()
    learner.learn_many(rows, y)
    assert same(clone.state(), fresh)
    assert same(twin.state(), learned)


def test_reset_forgets_everything(make_any: Maker) -> None:
    rows, labels, values = streams.drifting(40)
    learner = make_any()
    untouched = make_any().state()
    learner.learn_many(rows, values if learner.task == "regression" else labels)
    learner.reset()
    assert same(learner.state(), untouched)


def test_repr_is_the_call_that_made_it(make_any: Maker) -> None:
    learner = make_any()
    names = {name: getattr(sl, name) for name in dir(sl) if name[0].isupper()}
    assert repr(eval(repr(learner), names)) == repr(learner)


def test_unknown_parameters_suggest_the_near_one() -> None:
    with pytest.raises(sl.OptionError, match=r"grace_perod.*did you mean grace_period"):
        sl.make_learner("hoeffding_tree_classifier:grace_perod=3")
    with pytest.raises(sl.UnknownNameError, match=r"did you mean hoeffding_tree_classifier"):
        sl.make_learner("hoefding_tree_classifier")
