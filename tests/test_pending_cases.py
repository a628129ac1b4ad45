"""Predictions that wait for their labels, case by case; what does not fit; what damaged checkpoints may say."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import container
from streamlearn.batch import Batch
from streamlearn.errors import InputError, OptionError, SchemaError, StateError
from streamlearn.learner import Outputs
from streamlearn.runtime.ids import ids_from_arrays, ids_to_arrays
from streamlearn.runtime.pending import Arrivals, PendingLabels


class Desk:
    """Rows and labels one after the other, in words; the learner predicts the majority."""

    def __init__(self, **options: Any) -> None:
        self.schema = sl.Schema.of(["a"], target="y")
        self.pending = PendingLabels(self.schema, task="classification", learners=["m"], **options)
        self.learner = sl.PriorClassifier()
        self.number = 0

    def __call__(self, *events: str, times: list[float] | None = None) -> list[str]:
        """``"x"`` is a row, ``"x=yes"`` a label; what was predicted and learned is told likewise."""
        rows = [event for event in events if "=" not in event]
        labels = [event.split("=") for event in events if "=" in event]
        before = [sum("=" not in e for e in events[:i]) for i, event in enumerate(events) if "=" in event]
        X = np.arange(self.number, self.number + len(rows), dtype=np.float64)[:, np.newaxis]
        self.number += len(rows)
        when = np.zeros(len(rows)) if times is None else np.array(times)
        arrivals = Arrivals([id for id, _ in labels], [label for _, label in labels], np.array(before, np.int64))
        step = self.pending.take(Batch(self.schema, X, event_time=when), rows, arrivals)
        outputs = self.learner.process(step.batch, step.schedule, proba=True)
        self.measured = self.pending.keep(step, {"m": outputs})["m"]
        assert step.batch.y is not None
        said, ids = [], iter(step.ids)
        for operation in step.schedule.tolist():
            if operation >= 0:
                said.append(rows[operation - step.late])
            else:
                said.append(f"{next(ids)}={self.schema.classes[step.batch.y[~operation]]}")
        return said

    @property
    def counted(self) -> dict[str, int]:
        return {name: count for name, count in self.pending.counters.items() if count}


def test_a_label_is_learned_at_its_place() -> None:
    desk = Desk()
    assert desk("a", "b", "a=yes", "c") == ["a", "b", "a=yes", "c"]
    assert desk("d", "b=no", "c=no", "e") == ["d", "b=no", "c=no", "e"]
    assert desk.counted == {"matched": 3}
    assert [row["id"] for row in desk.pending.rows()] == ["d", "e"]


def test_metrics_get_the_prediction_that_was_made() -> None:
    desk = Desk()
    desk("a", "b", "a=yes")  # both were predicted when nothing was known
    desk("c")  # yes is all that is known
    desk("d", "b=no", "c=no", "b=no")
    assert desk.measured.targets.tolist() == [1, 1]
    assert desk.measured.prediction.tolist() == [-1, 0]
    assert desk.measured.proba is not None
    assert desk.measured.proba.tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_a_label_that_comes_first_waits_for_its_row() -> None:
    desk = Desk()
    assert desk("a=yes", "b") == ["b"]
    assert desk.pending.early == 1
    assert desk("a", "b=no") == ["a", "a=yes", "b=no"]
    assert desk.counted == {"matched": 2, "early": 1}


def test_the_first_of_several_labels_counts() -> None:
    desk = Desk()
    assert desk("a", "a=yes", "a=no", "b=no", "b=yes", "b") == ["a", "a=yes", "b", "b=no"]
    assert desk("a=no") == []
    assert desk.counted == {"matched": 2, "early": 1, "duplicate": 3}


def test_a_row_whose_time_is_over_is_learned_with_the_default() -> None:
    desk = Desk(ttl=10.0, default="no")
    assert desk("a", "b", "c", times=[0.0, 5.0, 9.9]) == ["a", "b", "c"]
    assert desk("d", "a=yes", times=[10.0]) == ["a=no", "d"]  # before the row at that very time; then it is too late
    assert desk.measured.targets.tolist() == [0]  # and it is measured
    assert desk("e", times=[100.0]) == ["b=no", "c=no", "d=no", "e"]
    assert desk.counted == {"expired": 4, "late": 1}


def test_a_row_whose_time_is_over_is_dropped_without_a_default() -> None:
    desk = Desk(ttl=10.0)
    assert desk("a", "b", "a=yes", times=[0.0, 10.0]) == ["a", "b"]
    assert desk.counted == {"expired": 1, "late": 1}
    assert desk("a", "a=yes", times=[11.0]) == ["a", "a=yes"]  # it was not learned: it may come again


def test_an_event_that_comes_again_while_it_waits_takes_the_first_ones_place() -> None:
    """What is refreshed just before its time is over must not leave with the old time."""
    desk = Desk(ttl=10.0, default="no")
    assert desk("a", "a", "b", times=[0.0, 9.0, 10.0]) == ["a", "a", "b"]
    assert desk("c", "a=yes", times=[18.9]) == ["c", "a=yes"]
    assert desk.counted == {"replaced": 1, "matched": 1}
    assert [(row["id"], row["since"]) for row in desk.pending.rows()] == [("b", 10.0), ("c", 18.9)]


def test_an_event_that_comes_again_when_its_time_is_over_is_not_learned_twice() -> None:
    desk = Desk(ttl=10.0, default="no")
    assert desk("a", "a", "a=yes", "b", times=[0.0, 10.0, 30.0]) == ["a", "a=no", "a", "b"]
    assert desk.counted == {"expired": 1, "repeated": 1, "late": 1}


def test_an_event_that_comes_again_after_its_label_is_not_learned_twice() -> None:
    desk = Desk(ttl=10.0, default="no")
    assert desk("a", "a=yes", "a", "b", times=[0.0, 1.0, 50.0]) == ["a", "a=yes", "a", "b"]
    assert desk.counted == {"matched": 1, "repeated": 1}


def test_the_oldest_rows_make_room_in_bytes() -> None:
    """A row costs 256, 8 a field, 8 a prediction, 8 a class and its id; this holds for all by what the widest costs."""
    each = 256 + 8 + 8 + 2 * 8
    schema = sl.Schema.of(["a", "b"], target="y", classes=["no", "yes"])

    def pending(max_bytes: int) -> PendingLabels:
        return PendingLabels(schema, task="classification", learners=["m"], max_bytes=max_bytes)

    narrow, wide = schema.encode([{"a": 1.0}] * 4), schema.encode([{"a": 1.0, "b": 2.0}])
    one, four = narrow.slice(0, 1), pending(4 * (each + 1))
    four.take(one, ["a long id" * 9], Arrivals(["a long id" * 9], ["no"], np.array([1])))  # what is done is not counted
    four.take(narrow, ["a", "b", "c", "d"], Arrivals.none())
    assert four.waiting == 4
    again = pending(4 * (each + 1))
    again.restore(four.state())
    for both in (four, again):
        both.take(one, ["ee"], Arrivals.none())
        assert [row["id"] for row in both.rows()] == ["c", "d", "ee"]  # one byte too many
        both.take(one, ["f"], Arrivals(["ee"], ["no"], np.array([0])))
        both.take(one, ["g"], Arrivals.none())
        assert both.waiting == 4
        both.take(wide, ["h"], Arrivals.none())
        assert [row["id"] for row in both.rows()] == ["f", "g", "h"]  # each counts like the widest
        both.take(one, ["i"], Arrivals.none())
        assert [row["id"] for row in both.rows()] == ["g", "h", "i"]  # and still does


def test_the_oldest_row_makes_room() -> None:
    desk = Desk(max_rows=2)
    assert desk("a", "b", "c", "a=yes", "b=yes") == ["a", "b", "c", "b=yes"]
    assert desk.counted == {"evicted": 1, "late": 1, "matched": 1}


def test_early_labels_are_bounded_by_number_and_by_time() -> None:
    desk = Desk(max_early=2, ttl=10.0)
    assert desk("x=yes", "y=yes", "z=yes", "x", times=[0.0]) == ["x"]
    assert desk.counted == {"early": 3, "unknown": 1}
    assert desk("z", "y", times=[9.0, 10.0]) == ["z", "z=yes", "y"]  # y's row came too late for its label
    assert desk.counted == {"early": 3, "unknown": 2, "matched": 1, "expired": 1}


def test_time_does_not_go_back_and_begins_with_the_first() -> None:
    desk = Desk(ttl=10.0)
    desk("a", "x=yes", "b", "c", times=[math.nan, 100.0, 3.0])  # a and x wait from 100 on, and c too
    assert desk.pending.clock == 100.0
    assert [row["since"] for row in desk.pending.rows()] == [100.0] * 3
    assert desk("x", "a=no", "c=no", times=[math.inf]) == ["x", "x=yes", "a=no", "c=no"]  # that is no time


def test_rows_without_an_id_are_predicted_only() -> None:
    schema = sl.Schema.of(["a"], target="y")
    pending = PendingLabels(schema, task="classification", learners=[])
    step = pending.take(schema.encode(np.zeros((4, 1))), [None, math.nan, ["a"], b"a"], Arrivals.none())
    assert step.schedule.tolist() == [0, 1, 2, 3]
    assert (pending.waiting, pending.counters["anonymous"]) == (0, 4)


def test_ids_are_the_same_whether_they_come_from_numpy_or_from_python() -> None:
    schema = sl.Schema.of(["a"], target="y")
    pending = PendingLabels(schema, task="classification", learners=[])
    batch = schema.encode(np.zeros((3, 1)))
    arrivals = Arrivals([np.int64(7), "x", 8], ["yes"] * 3, np.full(3, 3))
    step = pending.take(batch, [7, np.str_("x"), np.int64(8)], arrivals)
    assert step.ids == [7, "x", 8]
    assert list(map(type, step.ids)) == [int, str, int]


def test_labels_that_make_no_sense_are_told_apart() -> None:
    schema = sl.Schema.of(["a"], target="y", classes=["no", "yes"], unknown="error")
    pending = PendingLabels(schema, task="classification", learners=[])
    labels = ["yes", None, "yes", "maybe", ["yes"], "no"]
    arrivals = Arrivals(["a", "a", ["a"], "a", "a", None], labels, np.full(6, 1))
    step = pending.take(schema.encode(np.zeros((1, 1))), ["a"], arrivals)
    assert step.schedule.tolist() == [0, -1]
    assert [(rejected.row, rejected.reason) for rejected in step.rejected] == [
        (1, "'y' is missing"),
        (2, "the id must be a text or a number, got ['a']"),
        (3, "unknown class 'maybe'; the classes are no, yes"),
        (4, "a label must be hashable, got list"),
        (5, "the id must be a text or a number, got None"),
    ]


def test_values_as_labels() -> None:
    schema = sl.Schema.of(["a"], target="y", target_kind="numeric")
    pending = PendingLabels(schema, task="regression", learners=["m"], ttl=10, default=0.5)
    learner = sl.LinearRegression(schema=schema)
    batch = schema.encode(np.array([[1.0], [2.0], [3.0]]))
    arrivals = Arrivals(["a", "b", "c", "d", "e"], [2, 4.5, "7", math.inf, True], np.array([1, 2, 2, 3, 3]))
    step = pending.take(batch, ["a", "b", "c"], arrivals, times=np.array([0.0, 1.0, 10.0]))
    outputs = learner.process(step.batch, step.schedule)
    measured = pending.keep(step, {"m": outputs})["m"]
    assert measured.targets.tolist() == [2.0, 4.5]
    assert measured.prediction.tolist() == outputs.prediction[:2].tolist()
    assert [rejected.reason for rejected in step.rejected] == [
        "field 'y': expected a number, got '7'",
        "'y' must be a finite number, got inf",
        "'y' must be a finite number, got True",
    ]
    again = PendingLabels(schema, task="regression", learners=["m"], ttl=10, default=0.5)
    again.restore(container.loads(container.dumps(pending.state())))
    step = again.take(schema.encode(np.array([[4.0]])), ["f"], Arrivals.none(), times=np.array([20.0]))
    measured = again.keep(step, {"m": learner.process(step.batch, step.schedule)})["m"]
    assert (step.ids, measured.targets.tolist()) == (["c"], [0.5])
    assert measured.prediction.tolist() == outputs.prediction[2:].tolist()


def test_rows_keep_their_fields_weights_and_keys() -> None:
    schema = sl.Schema.of(["a"], target="y")
    pending = PendingLabels(schema, task="classification", learners=[])
    first = schema.encode([{"a": 1.0}, {"a": 2.0}], weight=[3.0, 1.0])
    first.key = pa.array(["k1", "k2"])
    pending.keep(pending.take(first, [1, 2], Arrivals.none()), {})
    restored = PendingLabels(schema, task="classification", learners=[])
    restored.restore(container.loads(container.dumps(pending.state())))
    second = schema.encode([{"a": 3.0, "b": 4.0}])  # a field that the first rows did not have
    second.key = pa.array(["k3"])
    step = restored.take(second, [3], Arrivals([2, 1], ["x", "y"], np.array([0, 1])))
    np.testing.assert_array_equal(step.batch.X, [[2.0, math.nan], [1.0, math.nan], [3.0, 4.0]])
    assert step.batch.key is not None
    assert step.batch.key.to_pylist() == ["k2", "k1", "k3"]
    assert step.batch.weight is not None
    assert step.batch.weight.tolist() == [1.0, 3.0, 1.0]
    assert step.weight is not None
    assert step.weight.tolist() == [1.0, 3.0]
    (waits,) = restored.rows()
    assert waits["x"] == {"a": 3.0, "b": 4.0}


def test_a_learner_is_measured_on_rows_that_it_predicted() -> None:
    schema = sl.Schema.of(["a"], target="y", classes=["no", "yes"])
    alone = PendingLabels(schema, task="classification", learners=["old"])
    step = alone.take(schema.encode(np.zeros((2, 1))), ["a", "b"], Arrivals.none(), version=4)
    alone.keep(step, {"old": Outputs(np.array([0, 1]), np.eye(2))})
    both = PendingLabels(schema, task="classification", learners=["old", "new"])
    both.restore(alone.state())
    arrivals = Arrivals(["b", "c", "d"], ["no"] * 3, np.array([0, 2, 2]))
    step = both.take(schema.encode(np.zeros((2, 1))), ["c", "d"], arrivals)
    made = Outputs(np.array([-1, 1, 0]), np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 0.0]]))
    measured = both.keep(step, {"old": made, "new": made}, failed={"old": {2}})
    assert measured["old"].places.tolist() == [0, 1]
    assert measured["old"].prediction.tolist() == [1, 1]
    assert measured["new"].places.tolist() == [1, 2]
    assert measured["new"].prediction.tolist() == [1, 0]
    with pytest.raises(InputError, match="kept already"):
        both.keep(step, {"old": made, "new": made})
    (row,) = both.rows()
    assert row["predictions"] == {"old": "no"}
    assert (row["id"], row["version"], row["number"]) == ("a", 4, 0)


def test_nothing_is_left_of_who_had_a_slot_before() -> None:
    schema = sl.Schema.of(["a"], target="y", classes=["no", "yes", "maybe"])
    batch = schema.encode(np.zeros((1, 1)))

    def pending() -> PendingLabels:
        return PendingLabels(schema, task="classification", learners=["m"])

    used, fresh = pending(), pending()
    step = used.take(batch, ["a"], Arrivals.none())
    used.keep(step, {"m": Outputs(np.array([2]), np.array([[0.1, 0.2, 0.7]]))})
    step = used.take(batch, ["b"], Arrivals(["a"], ["no"], np.array([0])))
    used.keep(step, {"m": Outputs(np.array([0, 1]), np.array([[0.0, 0.0], [0.5, 0.5]]))})  # knows fewer classes
    step = fresh.take(batch, ["b"], Arrivals.none())
    fresh.keep(step, {"m": Outputs(np.array([1]), np.array([[0.5, 0.5]]))})
    assert container.dumps(used.state()["predictions"][0]) == container.dumps(fresh.state()["predictions"][0])
    fresh = pending()
    for each, label in ((used, Arrivals(["b"], ["no"], np.array([0]))), (fresh, Arrivals.none())):
        step = each.take(batch, ["c"], label)
        n = len(step.batch)
        each.keep(step, {"m": Outputs(np.zeros(n, np.int64))}, failed={"m": {n - 1}})  # c is not predicted
        each.keep(each.take(batch, ["d"], Arrivals.none()), {"m": Outputs(np.array([1]), np.array([[0.0, 1.0]]))})
    assert container.dumps(used.state()["predictions"][0]) == container.dumps(fresh.state()["predictions"][0])


def test_bounds_may_be_smaller_after_a_restart() -> None:
    desk = Desk()
    desk("a", "b", "c", "x=yes", "y=yes", "d=yes", "d")
    small = Desk(max_rows=1, max_early=1, max_done=0)
    small.schema.update(desk.schema)
    small.pending.restore(desk.pending.state())
    assert small.pending.waiting == 3
    small("e", "z=no")
    assert [row["id"] for row in small.pending.rows()] == ["e"]
    assert small.pending.early == 1
    assert len(small.pending.state()["done"]["status"]) == 0


# -- what does not fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"ttl": 0}, {"ttl": math.nan}, {"max_rows": 0}, {"max_bytes": 0}, {"max_early": -1}, {"max_done": 1.5}],
)
def test_bounds_out_of_range_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        PendingLabels(sl.Schema.of(["a"]), task="classification", learners=[], **options)


def test_a_default_that_is_no_class_is_refused() -> None:
    schema = sl.Schema.of(["a"], target="y", classes=["no"], unknown="error")
    with pytest.raises(SchemaError, match="never"):
        PendingLabels(schema, task="classification", learners=[], default="never")


def test_what_does_not_fit_the_batch_is_refused_and_nothing_is_taken() -> None:
    schema = sl.Schema.of(["a"], target="y")
    pending = PendingLabels(schema, task="classification", learners=[], ttl=5)
    batch, times, none = schema.encode(np.zeros((2, 1))), np.zeros(2), Arrivals.none()
    before = container.dumps(pending.state())
    for ids, arrivals, when, message in [
        (["a"], none, times, "2 rows, and 1 ids"),
        (["a", "b"], none, None, "needs times"),
        (["a", "b"], none, np.zeros(3), "times of shape"),
        (["a", "b"], Arrivals(["a"], ["x", "y"], np.array([0])), times, "do not fit"),
        (["a", "b"], Arrivals(["a"], ["x"], np.array([3])), times, "must rise from 0"),
        (["a", "b"], Arrivals(["a", "b"], ["x", "x"], np.array([1, 0])), times, "must rise"),
    ]:
        with pytest.raises(InputError, match=message):
            pending.take(batch, ids, arrivals, times=when)
    with pytest.raises(InputError, match="another schema"):
        pending.take(sl.Schema.of(["a"]).encode(np.zeros((1, 1))), ["a"], none, times=np.zeros(1))
    assert container.dumps(pending.state()) == before
    assert schema.classes == []


# -- states ---------------------------------------------------------------------------------------------------------


def filled() -> Desk:
    desk = Desk(ttl=10.0)
    desk("a", "b", "c", "x=yes", "b=no", "d", times=[0.0, 1.0, 2.0, 3.0])
    desk("e", "f", times=[4.0, 5.0])
    return desk


def parts(state: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a state its values are."""
    inner = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else None
    if inner is None:
        return [path]
    return [found for key, value in inner for found in parts(value, (*path, key))]


def changed(state: dict[str, Any], path: tuple[Any, ...], change: Any) -> dict[str, Any]:
    twin = copy.deepcopy(state)
    place: Any = twin
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return twin


def numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype != bool


DAMAGES = {
    "gone": lambda v: None if v is not None else 3,
    "shorter": lambda v: v[:-1] if isinstance(v, np.ndarray) and len(v) else -1,
    "longer": lambda v: np.concatenate([v, v[:1]]) if isinstance(v, np.ndarray) and len(v) else "text",
    "another kind": lambda v: v.astype(np.float32) if isinstance(v, np.ndarray) else 2**70,
    "too large": lambda v: np.full_like(v, 99) if numbers(v) else [v],
    "too small": lambda v: np.full_like(v, -99) if numbers(v) and v.dtype != np.uint8 else {"a": v},
    "no number": lambda v: v * np.nan if numbers(v) and v.dtype == np.float64 else math.nan,
    "turned": lambda v: v[::-1].copy() if isinstance(v, np.ndarray) else True,
}


def test_a_damaged_state_is_refused_or_harmless() -> None:
    desk = filled()
    state = desk.pending.state()
    told = {"refused": 0, "harmless": 0}
    for path in parts(state):
        for damage in DAMAGES.values():
            victim = Desk(ttl=10.0)
            victim.schema.update(desk.schema)
            before = container.dumps(victim.pending.state())
            try:
                victim.pending.restore(changed(state, path, damage))
            except StateError:
                told["refused"] += 1
                assert container.dumps(victim.pending.state()) == before
                continue
            told["harmless"] += 1  # other numbers of the same kind: whatever they mean, it goes on
            victim("g", "a=yes", "x", times=[50.0, 60.0])
            victim("h", "i", "g=yes", times=[70.0, 80.0])
            victim.pending.restore(victim.pending.state())
    assert told["refused"] > 5 * told["harmless"] > 0


def test_states_of_other_schemas_are_refused() -> None:
    fresh = Desk(ttl=10.0)  # knows no class
    with pytest.raises(StateError, match="schema"):
        fresh.pending.restore(filled().pending.state())
    with pytest.raises(StateError, match="expected the keys"):
        fresh.pending.restore({})


def test_an_id_that_is_there_twice_is_refused() -> None:
    desk = filled()
    state = desk.pending.state()
    state["early"]["ids"] = ids_to_arrays(["a"])
    with pytest.raises(StateError, match="twice"):
        desk.pending.restore(state)


def test_the_state_is_as_large_as_what_waits() -> None:
    desk = Desk(max_done=10)
    for start in range(0, 3000, 100):
        ids = [f"{i:06d}" for i in range(start, start + 100)]
        desk(*ids, *ids, *[f"{id}=yes" for id in ids])
    assert desk.pending.waiting == 0
    assert len(container.dumps(desk.pending.state())) < 6000
    assert desk.pending.nbytes < 100_000


# -- ids ------------------------------------------------------------------------------------------------------------

ANY_ID = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False), st.none()),
    lambda inner: st.tuples(inner, inner),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(st.text()), st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(ANY_ID)))
def test_ids_come_back_as_they_were(ids: list[Any]) -> None:
    back = ids_from_arrays(container.loads(container.dumps(ids_to_arrays(ids))))
    assert back == ids
    assert list(map(type, back)) == list(map(type, ids))


def test_ids_with_half_a_surrogate_pair_come_back() -> None:
    assert ids_from_arrays(ids_to_arrays(["a", "\ud800", "é"])) == ["a", "\ud800", "é"]


@pytest.mark.parametrize(
    "damage",
    [
        {"kind": np.array([0, 3], np.uint8)},
        {"kind": np.array([0, 0], np.uint8)},
        {"kind": np.array([2, 1], np.uint8)},
        {"integers": np.zeros(2, np.int64)},
        {"integers": np.zeros(1)},
        {"ends": np.array([5])},
        {"ends": np.array([-1])},
        {"ends": np.array([1, 2])},
        {"text": np.array([255, 254], np.uint8)},
        {"text": np.zeros((1, 2), np.uint8)},
    ],
)
def test_damaged_ids_are_refused(damage: dict[str, np.ndarray]) -> None:
    with pytest.raises(StateError, match="ids"):
        ids_from_arrays({**ids_to_arrays(["ab", 7]), **damage})
