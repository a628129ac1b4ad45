"""Predictions that wait for their labels: against an oracle that takes one event at a time, and case by case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import container
from streamlearn.batch import Batch
from streamlearn.learner import Outputs
from streamlearn.runtime.pending import Arrivals, LabelStep, PendingLabels
from tests.naive.pending import Pending

CLASSES = ["no", "yes", "maybe"]
Event = tuple[Any, ...]  # ("row", id, time, features) or ("label", id, label)


def arrivals_of(events: list[Event]) -> Arrivals:
    """The labels among events, each at its place."""
    rows = np.cumsum([event[0] == "row" for event in events], dtype=np.int64)
    labels = [i for i, event in enumerate(events) if event[0] == "label"]
    return Arrivals([events[i][1] for i in labels], [events[i][2] for i in labels], rows[labels])


class Driver:
    """Feeds events to `PendingLabels` in batches, predicts each row by its number, logs as the oracle does."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.schema = sl.Schema.of(["a", "b", "c"], target="y", classes=CLASSES)
        self.pending = self.made()
        self.rows = 0
        self.log: list[tuple[Any, ...]] = []

    def made(self) -> PendingLabels:
        return PendingLabels(self.schema, task="classification", learners=["m"], **self.options)

    def feed(self, events: list[Event]) -> None:
        rows = [event for event in events if event[0] == "row"]
        X = np.array([row[3] for row in rows], np.float64).reshape(len(rows), 3)
        times = np.array([row[2] for row in rows], np.float64)
        batch = Batch(self.schema, X, event_time=times)
        step = self.pending.take(batch, [row[1] for row in rows], arrivals_of(events))
        self.check(step, X)

    def check(self, step: LabelStep, X: np.ndarray) -> None:
        """Rows carry their number in the first field: what is predicted and learned is told by it."""
        assert step.batch.y is not None
        new = len(step.batch) - step.late
        np.testing.assert_array_equal(step.batch.X[step.late :], X)
        for operation in step.schedule.tolist():
            row = operation if operation >= 0 else ~operation
            number = int(step.batch.X[row, 0])
            if operation >= 0:
                assert row >= step.late
                self.log.append(("predict", number, int(step.known[row - step.late])))
            else:
                self.log.append(("learn", number, self.schema.classes[step.batch.y[row]]))
        numbers = step.batch.X[:, 0]
        prediction = (numbers % 3).astype(np.int64)
        proba = np.zeros((len(step.batch), len(self.schema.classes)))
        proba[:, 0] = numbers / 1024
        prediction[: step.late], proba[: step.late] = -1, 0.0  # nothing is predicted there
        measured = self.pending.keep(step, {"m": Outputs(prediction, proba)})["m"]
        learned = numbers[step.applied]
        np.testing.assert_array_equal(measured.targets, step.batch.y[step.applied])
        np.testing.assert_array_equal(measured.prediction, learned % 3)
        assert measured.proba is not None
        np.testing.assert_array_equal(measured.proba[:, 0], learned / 1024)
        assert not measured.proba[:, 1:].any()
        self.rows += new


def events_of(draw_rows: list[Event]) -> list[Event]:
    """Rows numbered in their first field, their times by steps from one to the next."""
    number, now = 0, 0.0
    events: list[Event] = []
    for event in draw_rows:
        if event[0] == "row":
            features = [float(number), 1.0 if event[3] > 1 else math.nan, 1.0 if event[3] > 2 else math.nan]
            unknown = math.isnan(event[2])
            number, now = number + 1, now if unknown else now + event[2]
            events.append(("row", event[1], math.nan if unknown else now, features))
        else:
            events.append(event)
    return events


IDS = st.one_of(st.integers(0, 12), st.sampled_from(["a", "b", "c" * 90, "é" * 70]))
ROWS = st.tuples(
    st.just("row"),
    st.one_of(IDS, IDS, IDS, st.none()),
    st.sampled_from([0.0, 0.5, 0.5, 1.0, 2.0, 5.0, -3.0, math.nan]),
    st.integers(1, 3),
)
LABELS = st.tuples(st.just("label"), IDS, st.sampled_from([*CLASSES, "other"]))
EVENTS = st.one_of(ROWS, ROWS, LABELS, LABELS)
STREAMS = st.one_of(st.lists(EVENTS, max_size=8), st.lists(EVENTS, min_size=30, max_size=60)).map(events_of)
CUTS = st.lists(st.integers(0, 60), min_size=2, max_size=8)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "ttl": st.sampled_from([0.5, 2.0, 5.0]),
        "default": st.sampled_from(["no", "never"]),
        "max_rows": st.integers(1, 6),
        "max_bytes": st.integers(700, 2200),  # for two rows to six
        "max_early": st.integers(0, 3),
        "max_done": st.integers(0, 4),
    },
)


def cut(events: list[Event], cuts: list[int]) -> list[list[Event]]:
    places = sorted({min(c, len(events)) for c in cuts})
    return [events[a:b] for a, b in zip([0, *places], [*places, len(events)], strict=True)]


def oracle(events: list[Event], options: dict[str, Any]) -> Pending:
    classes = list(dict.fromkeys([*CLASSES, *([options["default"]] if "default" in options else [])]))
    naive = Pending(**options, fixed_bytes=256 + 8, class_bytes=8, classes=len(classes))
    for event in events:
        if event[0] == "row":
            naive.row(event[1], event[2], int(np.count_nonzero(~np.isnan(event[3]))))
        else:
            if event[2] not in classes:
                classes.append(event[2])
            naive.label(event[1], event[2], classes.index(event[2]))
    return naive


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal, bit for bit."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other and type(one) is type(other))


@settings(max_examples=200, deadline=None)
@given(STREAMS, OPTIONS, CUTS)
def test_rows_and_labels_are_taken_as_one_by_one(events: list[Event], options: dict[str, Any], cuts: list[int]) -> None:
    driver = Driver(**options)
    for part in cut(events, cuts):
        driver.feed(part)
    naive = oracle(events, options)
    assert driver.log == naive.log
    assert {name: count for name, count in driver.pending.counters.items() if count} == naive.counters
    shown = driver.pending.rows()
    assert [row["id"] for row in shown] == list(naive.waiting)
    assert [(row["number"], row["since"]) for row in shown] == [(w.row, w.since) for w in naive.waiting.values()]
    assert (driver.pending.waiting, driver.pending.early) == (len(naive.waiting), len(naive.early))
    assert driver.pending.clock == naive.clock


@settings(max_examples=150, deadline=None)
@given(STREAMS, OPTIONS, CUTS, CUTS)
def test_the_state_does_not_depend_on_batches_or_restarts(
    events: list[Event], options: dict[str, Any], cuts: list[int], restarts: list[int]
) -> None:
    whole = Driver(**options)
    for part in cut(events, cuts):
        whole.feed(part)
    resumed = Driver(**options)
    for part in cut(events, restarts):
        resumed.feed(part)
        saved = container.loads(
            container.dumps({"pending": resumed.pending.state(), "schema": resumed.schema.to_dict()})
        )
        resumed.schema = sl.Schema.from_dict(saved["schema"])
        resumed.pending = resumed.made()
        resumed.pending.restore(saved["pending"])
    assert resumed.log == whole.log
    if events:
        assert same(whole.pending.state(), resumed.pending.state())


def test_many_rows_and_labels_are_taken_as_one_by_one() -> None:
    """Long enough for every array to grow, and for entries and slots to be given out again."""
    random = np.random.default_rng(5)
    events: list[Event] = []
    sent: list[str] = []
    for row in range(5000):
        sent.append(f"id-{row if random.random() > 0.02 else int(random.integers(0, row + 1))}")
        events.append(("row", sent[-1], row + float(random.normal(scale=5)), [float(row), math.nan, math.nan]))
        while random.random() < 0.45:
            id = sent[max(0, len(sent) - 1 - int(random.exponential(700)))]
            events.append(("label", f"id-{row + 5}" if random.random() < 0.05 else id, str(random.choice(CLASSES))))
    options = {"ttl": 1500.0, "default": "no", "max_rows": 900, "max_early": 50, "max_done": 1000}
    driver = Driver(**options)
    start = 0
    while start < len(events):
        stop = start + int(random.integers(1, 1500))
        driver.feed(events[start:stop])
        start = stop
    naive = oracle(events, options)
    assert driver.log == naive.log
    assert {name: count for name, count in driver.pending.counters.items() if count} == naive.counters
    assert [row["id"] for row in driver.pending.rows()] == list(naive.waiting)
    assert set(naive.counters) == set(driver.pending.counters) - {"anonymous"}  # all that can happen did,
    assert min(naive.counters.values()) > 20  # and often


def test_learners_learn_what_a_walk_by_hand_teaches_them() -> None:
    """Several learners on one stream of labels that come late, early and never, against their verbs for one row."""
    random = np.random.default_rng(3)
    schema = sl.Schema.of(["a", "b", "c"], target="y", classes=CLASSES)
    learners = {"bayes": sl.NaiveBayes(), "tree": sl.HoeffdingTreeClassifier(grace_period=10, delta=0.5)}
    twins = {name: type(learner)(schema=schema, **learner.params) for name, learner in learners.items()}
    options = {"ttl": 80.0, "default": "no"}
    pending = PendingLabels(schema, task="classification", learners=list(learners), **options)
    X = random.normal(size=(700, 3)).round(2)
    events: list[Event] = []
    for row in range(600):
        events.append(("row", row, float(row), X[row].tolist()))
        if random.random() < 0.7:
            target = max(0, row + int(random.integers(-60, 5)))
            events.append(("label", target, CLASSES[int(X[target, 0] > 0)]))
    naive = oracle(events, options)
    expected: dict[str, list[Any]] = {name: [] for name in twins}
    for name, twin in twins.items():
        made: dict[int, Any] = {}
        for what, row, *label in naive.log:
            x = dict(zip("abc", X[row].tolist(), strict=True))
            if what == "predict":
                made[row] = twin.predict_one(x)
            else:
                expected[name].append(made[row])
                twin.learn_one(x, label[0])
    found: dict[str, list[Any]] = {name: [] for name in learners}
    start = 0
    while start < len(events):
        part = events[start : start + int(random.integers(1, 90))]
        start += len(part)
        rows = [event for event in part if event[0] == "row"]
        batch = schema.encode(np.array([event[3] for event in rows]).reshape(len(rows), 3))
        batch.event_time = np.array([event[2] for event in rows])
        step = pending.take(batch, [event[1] for event in rows], arrivals_of(part))
        outputs = {name: learner.process(step.batch, step.schedule, proba=True) for name, learner in learners.items()}
        for name, measured in pending.keep(step, outputs).items():
            found[name] += [CLASSES[code] if code >= 0 else CLASSES[0] for code in measured.prediction.tolist()]
    assert {what for what, *_ in naive.log} == {"predict", "learn"}
    x = {"a": 0.3, "b": -0.2, "c": 0.9}
    for name, learner in learners.items():
        assert found[name] == expected[name]
        assert learner.predict_proba_one(x) == twins[name].predict_proba_one(x)
