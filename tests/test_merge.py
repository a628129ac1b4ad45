"""Events and labels in one order: the order of two streams does not depend on how they are polled."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlearn.records import Records
from streamlearn.runtime.merge import Merge, Turn

Item = tuple[str, str, int]  # side, origin, offset


class Topic:
    """One side: records in partitions that are there already, delivered in pieces from any position on."""

    def __init__(self, side: str, parts: dict[str, list[float]]) -> None:
        self.side, self.parts = side, parts
        self.next = dict.fromkeys(parts, 0)

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


TIMES = st.lists(st.one_of(st.integers(0, 12).map(float), st.just(float("nan"))), max_size=20)
STEPS = st.lists(st.tuples(st.sampled_from(["events", "labels", "take", "restart"]), st.integers(1, 6)), max_size=40)


@settings(max_examples=400, deadline=None)
@given(TIMES, st.lists(TIMES, min_size=1, max_size=2), STEPS)
def test_the_order_does_not_depend_on_polls_or_restarts(
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
            events.next["e-0"] = position
            for partition in labels.parts:
                labels.next[partition] = merge.position(partition) or 0
        elif (records := topic.poll(rows)) is not None:
            (merge.push_events if topic is events else merge.push_labels)(records)
    assert taken == expected(events, labels)
    assert merge.buffered == (0, 0)
