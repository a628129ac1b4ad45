"""Events and labels in one order: the order of two streams does not depend on how they are polled."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import container
from streamlearn.batch import Batch
from streamlearn.errors import StateError
from streamlearn.records import Records
from streamlearn.runtime.merge import Merge, Turn
from streamlearn.runtime.pending import PendingLabels

Item = tuple[str, str, int]  # side, origin, offset


class Topic:
    """One side: records in partitions that are there already, delivered in pieces from any position on."""

    def __init__(self, side: str, parts: dict[str, list[float]]) -> None:
        self.side, self.parts = side, parts
        self.next = dict.fromkeys(parts, 0)
        self.sought = dict.fromkeys(parts, 0)

    def seek(self, partition: str, position: int) -> None:
        self.next[partition] = self.sought[partition] = position

    def go_back(self, rows: int) -> None:
        """Deliver records again, though nobody asked for them."""
        for partition, position in self.next.items():
            self.next[partition] = max(self.sought[partition], position - rows)

    def poll(self, rows: int) -> Records | None:
        for partition, times in self.parts.items():
            start = self.next[partition]
            stop = min(start + rows, len(times))
            if start < stop:
                self.next[partition] = stop
                return Records(
                    partition,
                    partition,
                    np.arange(start, stop),
                    stop,
                    [f"{partition}/{i}".encode() for i in range(start, stop)],
                    times=np.array(times[start:stop]),
                )
        return None

    @property
    def caught_up(self) -> bool:
        return all(self.next[partition] == len(times) for partition, times in self.parts.items())


def items(turn: Turn) -> list[Item]:
    """A turn as one sequence."""
    labels = [("label", part.origin, int(offset)) for part in turn.labels for offset in part.offsets]
    assert len(labels) == len(turn.before)
    events = [] if turn.events is None else [("event", turn.events.origin, int(i)) for i in turn.events.offsets]
    result: list[Item] = []
    for i in range(len(events) + 1):
        result += [label for label, before in zip(labels, turn.before.tolist(), strict=True) if before == i]
        result += events[i : i + 1]
    return result


def expected(events: Topic, labels: Topic) -> list[Item]:
    """Both sides in the order of their times, which do not go back; events first."""
    order: list[tuple[float, int, int, Item]] = []
    for rank, topic in enumerate((events, labels)):
        latest, number = -np.inf, 0
        for partition, times in topic.parts.items():
            for i, time in enumerate(times):
                latest = max(latest, time) if time == time else latest
                order.append((latest, rank, number, (topic.side, partition, i)))
                number += 1
    return [item for *_, item in sorted(order)]


TIMES = st.lists(st.one_of(st.integers(0, 12).map(float), st.just(float("nan"))), min_size=5, max_size=20)
STEPS = st.lists(
    st.tuples(st.sampled_from(["events", "labels", "take", "restart", "again"]), st.integers(1, 6)),
    min_size=10,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(TIMES, st.lists(TIMES, min_size=1, max_size=2), STEPS)
def test_the_order_does_not_depend_on_polls_or_restarts_or_repetitions(
    event_times: list[float], label_times: list[list[float]], steps: list[tuple[str, int]]
) -> None:
    events = Topic("event", {"e-0": event_times})
    labels = Topic("label", {f"l-{i}": times for i, times in enumerate(label_times)})
    merge, taken, position = Merge(), [], 0

    def take() -> None:
        nonlocal position
        for turn in merge.take(events_caught_up=events.caught_up, labels_caught_up=labels.caught_up):
            taken.extend(items(turn))
            position = position if turn.events is None else turn.events.next

    for what, rows in [*steps, *[("events", 3), ("labels", 2), ("take", 0)] * 50]:
        topic = events if what == "events" else labels
        if what == "take":
            take()
        elif what == "restart":
            state = json.loads(json.dumps(merge.state()))
            merge = Merge()
            merge.restore(state)
            events.seek("e-0", position)
            for partition in labels.parts:
                labels.seek(partition, merge.position(partition) or 0)
        elif what == "again":
            events.go_back(rows)
            labels.go_back(rows)
        elif (records := topic.poll(rows)) is not None:
            (merge.push_events if topic is events else merge.push_labels)(records)
    assert taken == expected(events, labels)
    assert merge.buffered == (0, 0)


class Joined:
    """Events and labels, merged, joined and learned: what a shard does with two inputs."""

    def __init__(self) -> None:
        self.schema = sl.Schema.of(["a"], target="y")
        self.merge = Merge()
        self.pending = self.made()
        self.learner = sl.NaiveBayes()
        self.measured: list[tuple[int, int, list[float]]] = []

    def made(self) -> PendingLabels:
        return PendingLabels(self.schema, task="classification", learners=["m"], ttl=15.0, default="no", max_rows=9)

    def take(self, turn: Turn) -> None:
        n = 0 if turn.events is None else len(turn.events)
        numbers = np.zeros(0) if turn.events is None else turn.events.offsets.astype(np.float64)
        documents = [[{"id": f"e-{i}", "y": YES[i % 3]} for i in part.offsets.tolist()] for part in turn.labels]
        arrivals, _, _ = turn.arrivals(documents, np.arange(n), "id", "y")
        batch = Batch(self.schema, np.sin(numbers)[:, np.newaxis])
        ids = [] if turn.events is None else [f"e-{i}" for i in turn.events.offsets.tolist()]
        times = None if turn.events is None else turn.events.times
        step = self.pending.take(batch, ids, arrivals, times=times)
        outputs = self.learner.process(step.batch, step.schedule, proba=True)
        found = self.pending.keep(step, {"m": outputs})["m"]
        assert found.proba is not None
        proba = [[p for p in row if p] for row in found.proba.tolist()]
        self.measured += zip(found.targets.tolist(), found.prediction.tolist(), proba, strict=True)

    def restart(self) -> None:
        parts = {"merge": self.merge.state(), "pending": self.pending.state(), "schema": self.schema.to_dict()}
        saved = container.loads(container.dumps({**parts, "learner": self.learner.state()}))
        self.schema = sl.Schema.from_dict(saved["schema"])
        self.merge, self.pending, self.learner = Merge(), self.made(), sl.NaiveBayes()
        self.merge.restore(saved["merge"])
        self.pending.restore(saved["pending"])
        self.learner.restore(saved["learner"])


YES = ["no", "yes", "maybe"]
RISING = st.lists(st.integers(0, 4), min_size=5, max_size=30).map(lambda steps: np.cumsum(steps).astype(float).tolist())


@settings(max_examples=60, deadline=None)
@given(RISING, RISING, STEPS)
def test_what_is_learned_and_measured_does_not_depend_on_polls_or_restarts(
    event_times: list[float], label_times: list[float], steps: list[tuple[str, int]]
) -> None:
    def run(steps: list[tuple[str, int]]) -> Joined:
        events, labels, joined, position = (
            Topic("event", {"e": event_times}),
            Topic("label", {"l": label_times}),
            Joined(),
            0,
        )
        for what, rows in [*steps, *[("events", 3), ("labels", 2), ("take", 0)] * 50]:
            topic = events if what == "events" else labels
            if what == "take":
                turns = joined.merge.take(events_caught_up=events.caught_up, labels_caught_up=labels.caught_up)
                for turn in turns:
                    joined.take(turn)
                    position = position if turn.events is None else turn.events.next
            elif what == "restart":
                joined.restart()
                events.next["e"], labels.next["l"] = position, joined.merge.position("l") or 0
            elif (part := topic.poll(rows)) is not None:
                (joined.merge.push_events if topic is events else joined.merge.push_labels)(part)
        return joined

    one, other = run([]), run(steps)
    assert one.measured == other.measured
    assert one.pending.counters == other.pending.counters
    assert one.learner.predict_proba_one({"a": 0.5}) == other.learner.predict_proba_one({"a": 0.5})


def records(partition: str, times: list[float], start: int = 0) -> Records:
    offsets = np.arange(start, start + len(times))
    return Records(partition, partition, offsets, start + len(times), [b""] * len(times), times=np.array(times))


def test_an_event_waits_for_earlier_labels_until_there_are_none() -> None:
    merge = Merge()
    merge.push_events(records("e", [1.0, 5.0]))
    merge.push_labels(records("l", [0.5, 2.0]))
    (turn,) = merge.take(events_caught_up=False, labels_caught_up=False)
    assert items(turn) == [("label", "l", 0)]  # comes before every event, whatever else comes
    merge.push_labels(records("l", [5.0], 2))
    (turn,) = merge.take(events_caught_up=False, labels_caught_up=False)
    assert items(turn) == [("event", "e", 0), ("label", "l", 1), ("event", "e", 1)]
    merge.push_labels(records("l", [6.0], 3))
    assert merge.take(events_caught_up=False, labels_caught_up=True) == []  # earlier events may come
    (turn,) = merge.take(events_caught_up=True, labels_caught_up=False)
    assert items(turn) == [("label", "l", 2), ("label", "l", 3)]
    assert merge.buffered == (0, 0)


def test_records_without_times_are_as_late_as_those_before_them() -> None:
    merge = Merge()
    events, labels = records("e", [1.0, 2.0]), records("l", [1.0])
    events.times = labels.times = None
    merge.push_labels(labels)
    merge.push_events(events)
    turns = merge.take(events_caught_up=True, labels_caught_up=True)
    assert [item for turn in turns for item in items(turn)] == [("event", "e", 0), ("event", "e", 1), ("label", "l", 0)]


def test_buffers_are_bounded_but_for_labels_that_an_event_waits_for() -> None:
    merge = Merge(max_events=2, max_labels=3)
    assert merge.wants_events
    assert merge.wants_labels
    merge.push_events(records("e", [10.0, 20.0]))
    merge.push_labels(records("l", [11.0, 12.0, 13.0, 14.0]))
    assert not merge.wants_events
    assert merge.wants_labels  # the event at 20 waits for more
    assert merge.take(events_caught_up=False, labels_caught_up=False) == []
    merge.push_labels(records("l", [21.0, 22.0, 23.0], 4))
    assert not merge.wants_labels
    (turn,) = merge.take(events_caught_up=False, labels_caught_up=False)
    assert turn.before.tolist() == [1, 1, 1, 1]
    assert merge.buffered == (0, 3)
    assert merge.wants_events
    assert not merge.wants_labels


def test_a_source_that_begins_at_its_end_is_sought_to_where_it_began() -> None:
    merge = Merge()
    merge.push_labels(records("l", [1.0, 5.0], 700))
    assert merge.take(events_caught_up=False, labels_caught_up=False) == []
    again = Merge()
    again.restore(json.loads(json.dumps(merge.state())))
    assert again.position("l") == 700


def test_a_piece_that_was_taken_in_part_goes_on_where_it_stopped() -> None:
    """However small the pieces are in which it comes again, and however often that is begun."""
    times = [1.0, 2.0, 3.0, 9.0]
    merge = Merge()
    merge.push_events(records("e", [2.5]))
    merge.push_labels(records("l", times))
    (turn,) = merge.take(events_caught_up=False, labels_caught_up=False)
    assert items(turn) == [("label", "l", 0), ("label", "l", 1), ("event", "e", 0)]
    for delivered in (1, 0, 1, 0):  # what was taken comes again, and before it is all there everything stops again
        state, position = json.loads(json.dumps(merge.state())), merge.position("l")
        merge = Merge()
        merge.restore(state)
        merge.push_labels(records("l", times[position : position + delivered], position))
        assert merge.buffered == (0, 0)
    assert merge.position("l") == 2
    merge.push_events(records("e", [3.0, 4.0], 1))
    merge.push_labels(records("l", times[2:], 2))
    turns = merge.take(events_caught_up=True, labels_caught_up=True)
    assert [item for turn in turns for item in items(turn)] == [
        ("event", "e", 1),  # at 3.0, as the label
        ("label", "l", 2),
        ("event", "e", 2),
        ("label", "l", 3),
    ]


def test_what_goes_to_another_worker_is_forgotten() -> None:
    merge = Merge()
    for partition in ("l-0", "l-1"):
        merge.push_labels(records(partition, [1.0]))
    merge.take(events_caught_up=True, labels_caught_up=True)
    for partition in ("l-0", "l-1"):
        merge.push_labels(records(partition, [2.0, 3.0], 1))
    merge.push_events(records("e-0", [5.0]))
    merge.drop(["l-0", "e-0"])
    assert merge.buffered == (0, 2)
    assert (merge.position("l-0"), merge.position("l-1")) == (None, 1)


def test_records_that_come_again_are_passed_over_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    merge = Merge()
    merge.push_events(records("e", [1.0, 2.0, 3.0]))
    merge.push_events(records("e", [2.0, 3.0, 4.0], 1))  # while they wait
    merge.push_labels(records("l", [2.5]))
    merge.push_labels(records("l", [2.5]))
    turns = merge.take(events_caught_up=True, labels_caught_up=True)
    merge.push_events(records("e", [3.0, 4.0], 2))  # and after they were taken
    turns += merge.take(events_caught_up=True, labels_caught_up=True)
    assert [item for turn in turns for item in items(turn)] == [
        ("event", "e", 0),
        ("event", "e", 1),
        ("label", "l", 0),
        ("event", "e", 2),
        ("event", "e", 3),
    ]
    assert merge.again == (4, 1)
    assert merge.buffered == (0, 0)
    assert "e: 2 records came again" in caplog.text
    merge.drop(["e"])
    merge.push_events(records("e", [2.0, 3.0], 1))  # it came back, and was sought
    assert merge.buffered == (2, 0)


def test_labels_find_their_place_among_the_rows() -> None:
    """Of four events the second became no row: labels before and behind it stand between the same rows."""
    labels = [records("l", [0.0, 1.0, 1.5]), records("l", [2.0, 9.0], 3)]
    turn = Turn(records("e", [1.0, 1.0, 1.0, 1.0]), labels, np.array([0, 1, 2, 3, 4]))
    documents: list[list[Any]] = [
        [{"id": "a", "y": "yes"}, "not JSON", {"id": "b", "y": None}],
        [{"id": "c"}, None],
    ]
    arrivals, places, rejected = turn.arrivals(documents, np.array([0, 2, 3]), "id", "y")
    assert (arrivals.ids, arrivals.labels, arrivals.records) == (["a", "b"], ["yes", None], ["l-0", "l-2"])
    assert arrivals.before.tolist() == [0, 1]
    assert places == [(0, 0), (0, 2)]
    assert [(part, bad.row, bad.reason) for part, bad in rejected] == [
        (0, 1, "not JSON"),
        (1, 0, "there is no 'y'"),
    ]


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"times": [1.0], "labels": {}},
        {"times": [1.0, "x"], "labels": {}},
        {"times": [1.0, None], "labels": []},
    ],
)
def test_damaged_states_are_refused(state: Any) -> None:
    with pytest.raises(StateError, match="merge"):
        Merge().restore(state)
