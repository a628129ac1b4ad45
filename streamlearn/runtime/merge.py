"""The two inputs of a shard, events and labels, in one order: that of the times at which they were written."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import StateError
from ..records import Records, Rejected
from .pending import Arrivals

log = logging.getLogger("streamlearn")


@dataclass(slots=True)
class Turn:
    """Events, and the labels that come among them.

    Parameters
    ----------
    events
        As they were pushed; None where there are labels only.
    labels
        In order.
    before : int64 [m]
        How many of the events come before each label, rising.
    """

    events: Records | None
    labels: list[Records]
    before: np.ndarray

    def arrivals(
        self,
        documents: Sequence[Sequence[Mapping[Any, Any] | str | None]],
        rows: np.ndarray,
        key: Any,
        label: Any,
    ) -> tuple[Arrivals, list[tuple[int, int]], list[tuple[int, Rejected]]]:
        """The labels as `PendingLabels` takes them.

        Parameters
        ----------
        documents
            Of each of `labels`, as `Format.documents` gives them; tombstones are passed over.
        rows : int64 [n]
            Which of the events became rows (`Decoded.rows`); empty where there are no events.
        key, label
            The columns that name the row and hold its label.

        Returns
        -------
        arrivals
        places
            For each arrival, which of `labels` it is in, and its row there.
        rejected
            Records that are no labels: which of `labels`, and what is wrong.
        """
        ids: list[Any] = []
        values: list[Any] = []
        places: list[tuple[int, int]] = []
        rejected: list[tuple[int, Rejected]] = []
        kept: list[int] = []
        number = 0
        for part, found in enumerate(documents):
            for row, document in enumerate(found):
                if isinstance(document, str):
                    rejected.append((part, Rejected(row, document)))
                elif document is not None:
                    missing = [name for name in (key, label) if name not in document]
                    if missing:
                        rejected.append((part, Rejected(row, f"there is no {missing[0]!r}")))
                    else:
                        ids.append(document[key])
                        values.append(document[label])
                        places.append((part, row))
                        kept.append(number)
                number += 1
        before = np.searchsorted(rows, self.before[kept]) if kept else np.zeros(0, np.int64)
        records = [self.labels[part].id(row) for part, row in places]
        return Arrivals(ids, values, before, records), places, rejected


@dataclass(slots=True)
class _Side:
    """Records of one input that wait for their turn, with times that do not go back."""

    waiting: deque[tuple[Records, np.ndarray]] = field(default_factory=deque)
    count: int = 0
    latest: float = -np.inf  # of what was pushed
    reached: float = -np.inf  # of what was taken
    last: dict[str, tuple[str, int]] = field(default_factory=dict)  # by partition, origin and offset of what was pushed
    again: int = 0  # records that came a second time

    def push(self, records: Records) -> None:
        """Take records, but those that were taken before: a source that was not sought has no reason to go back."""
        origin, offset = self.last.get(records.partition, ("", -1))
        known = int(np.searchsorted(records.offsets, offset, side="right")) if records.origin == origin else 0
        if known:
            self.again += known
            log.warning("%s: %d records came again, and are passed over", records.partition, known)
            records = records.slice(known, len(records))
        if not len(records):
            return
        self.last[records.partition] = records.origin, int(records.offsets[-1])
        times = np.full(len(records), np.nan) if records.times is None else np.asarray(records.times, np.float64)
        times = np.maximum.accumulate(np.where(np.isnan(times), -np.inf, times))
        times = np.maximum(times, self.latest)
        self.waiting.append((records, times))
        self.count += len(records)
        self.latest = float(times[-1])

    def pop(self) -> tuple[Records, np.ndarray]:
        records, times = self.waiting.popleft()
        self.count -= len(records)
        self.reached = float(times[-1])
        return records, times

    def put_back(self, records: Records, times: np.ndarray) -> None:
        self.waiting.appendleft((records, times))
        self.count += len(records)

    def drop(self, partitions: Sequence[str]) -> None:
        for partition in partitions:
            self.last.pop(partition, None)
        self.waiting = deque(part for part in self.waiting if part[0].partition not in partitions)
        self.count = sum(len(records) for records, _ in self.waiting)


@dataclass(slots=True)
class _Place:
    """How far a partition of labels was taken.

    Parameters
    ----------
    at
        The position of the first piece that was not taken as a whole; None is where the source begins by itself.
    after
        Origin and offset of the last record of that piece that was taken.
    skip
        As `after`, as long as a source that was sought to `at` delivers what was taken already.
    """

    at: Any = None
    after: tuple[str, int] | None = None
    skip: tuple[str, int] | None = None

    @classmethod
    def of(cls, saved: Any) -> _Place:
        after = None if saved["after"] is None else (str(saved["after"][0]), int(saved["after"][1]))
        return cls(saved["at"], after, after)

    def saved(self) -> dict[str, Any]:
        return {"at": self.at, "after": None if self.after is None else list(self.after)}

    def pass_over(self, records: Records) -> int:
        """How many of the records were taken already."""
        if self.skip is None or not len(records):
            return 0
        origin, offset = self.skip
        known = int(np.searchsorted(records.offsets, offset, side="right")) if records.origin == origin else 0
        if known < len(records) or records.offsets[-1] == offset:
            self.skip = None
        if known == len(records):
            self.at = records.next
            self.after = self.skip
        return known


class Merge:
    """Puts events and labels into one order, whatever the pieces in which they come.

    A record's place is its time, or that of the latest record before it on its side, if that is later; a record without
    a time takes the latter. Of equal times the event comes first, since what a label is about was there before it.

    An event waits until no earlier label can come: until a label that is later was pushed, or the labels are caught up;
    and a label likewise. So the order of two streams that are there already does not depend on how they are polled.
    Nothing waits for a side that has no more for now: a record that comes there later, although it was written earlier,
    comes too late for its place, and takes the next.

    Parameters
    ----------
    max_events, max_labels : int
        Records that may wait on a side before no more are wanted. One piece of events is always taken as a whole, with
        all labels that come among its events: these are wanted beyond the bound.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.records import Records
    >>> from streamlearn.runtime.merge import Merge
    >>> merge = Merge()
    >>> merge.push_events(Records("e-0", "e-0", np.arange(3), 3, [b""] * 3, times=np.array([1.0, 2.0, 4.0])))
    >>> merge.push_labels(Records("l-0", "l-0", np.arange(2), 2, [b""] * 2, times=np.array([2.0, 3.0])))
    >>> merge.take(events_caught_up=True, labels_caught_up=False)  # a label may still come before the event at 4.0
    []
    >>> [turn.before.tolist() for turn in merge.take(events_caught_up=True, labels_caught_up=True)]
    [[2, 2]]
    >>> merge.position("l-0")
    2
    """

    def __init__(self, *, max_events: int = 10_000, max_labels: int = 100_000) -> None:
        self._max_events, self._max_labels = max_events, max_labels
        self._events, self._labels = _Side(), _Side()
        self._places: dict[str, _Place] = {}

    # -- what comes in ----------------------------------------------------------------------------------------------

    def push_events(self, records: Records) -> None:
        """Take events, as they were polled; those that come again are passed over."""
        self._events.push(records)

    def push_labels(self, records: Records) -> None:
        """Take labels, as they were polled; those that come again, or were taken before `restore`, are passed over."""
        place = self._places.setdefault(records.partition, _Place())
        if place.at is None and len(records) and isinstance(records.next, int):
            place.at = int(records.offsets[0])  # positions are offsets: wherever this source begins, it began here
        known = place.pass_over(records)
        if known:
            self._labels.last[records.partition] = records.origin, int(records.offsets[known - 1])
        self._labels.push(records.slice(known, len(records)))

    @property
    def wants_events(self) -> bool:
        """Whether events should be polled; otherwise it is time to pause their source."""
        return self._events.count < self._max_events

    @property
    def wants_labels(self) -> bool:
        """Whether labels should be polled; otherwise it is time to pause their source."""
        return self._labels.count < self._max_labels or not self._is_covered(False)

    @property
    def again(self) -> tuple[int, int]:
        """Events and labels that were delivered again, and passed over."""
        return self._events.again, self._labels.again

    @property
    def buffered(self) -> tuple[int, int]:
        """Events and labels that wait for their turn."""
        return self._events.count, self._labels.count

    # -- what goes out ----------------------------------------------------------------------------------------------

    def take(self, *, events_caught_up: bool, labels_caught_up: bool) -> list[Turn]:
        """What may be processed now, in order.

        Parameters
        ----------
        events_caught_up, labels_caught_up
            Whether everything that is there on this side, for now, was pushed.
        """
        turns: list[Turn] = []
        while self._events.waiting and self._is_covered(labels_caught_up):
            events, times = self._events.pop()
            labels, when = self._pop_labels(times[-1])
            turns.append(Turn(events, labels, np.searchsorted(times, when, side="right")))
        until = self._events.waiting[0][1][0] if self._events.waiting else np.inf if events_caught_up else -np.inf
        labels, when = self._pop_labels(until)
        if labels:
            turns.append(Turn(None, labels, np.zeros(len(when), np.int64)))
        return turns

    def _is_covered(self, labels_caught_up: bool) -> bool:
        """Whether all labels that come before the end of the first piece of events are here."""
        return labels_caught_up or not self._events.waiting or self._labels.latest >= self._events.waiting[0][1][-1]

    def _pop_labels(self, until: float) -> tuple[list[Records], np.ndarray]:
        """Labels of earlier times than ``until``."""
        side, labels, times = self._labels, [], [np.zeros(0)]
        while side.waiting and side.waiting[0][1][0] < until:
            records, when = side.pop()
            place = self._places[records.partition]
            n = int(np.searchsorted(when, until)) if until < np.inf else len(when)
            if n < len(records):
                side.put_back(records.slice(n, len(records)), when[n:])
                place.after = records.origin, int(records.offsets[n - 1])
                records, when = records.slice(0, n), when[:n]
            else:
                place.at, place.after = records.next, None
            side.reached = float(when[-1])
            labels.append(records)
            times.append(when)
        return labels, np.concatenate(times)

    def drop(self, partitions: Sequence[str]) -> None:
        """Forget what waits of these partitions, of events or labels: they are another worker's now."""
        self._events.drop(partitions)
        self._labels.drop(partitions)
        for partition in partitions:
            self._places.pop(partition, None)

    def rewind(self, partition: str) -> None:
        """Forget what waits of a partition of labels, and expect it again from its `position` on."""
        self._labels.drop([partition])
        self._labels.latest = self._labels.waiting[-1][1][-1] if self._labels.waiting else self._labels.reached
        place = self._places.setdefault(partition, _Place())
        place.skip = place.after

    # -- state ------------------------------------------------------------------------------------------------------

    def position(self, partition: str) -> Any | None:
        """Where to `LiveSource.seek` a partition of labels after `restore`; None if nothing is known of it."""
        return self._places[partition].at if partition in self._places else None

    def state(self) -> dict[str, Any]:
        """How far labels were taken, as JSON; what waits is not in it, and comes again."""
        return {
            "times": [None if np.isneginf(side.reached) else side.reached for side in (self._events, self._labels)],
            "labels": {partition: place.saved() for partition, place in self._places.items()},
        }

    def restore(self, state: Any) -> None:
        """Continue from what `state` gave; what waits is dropped.

        Raises
        ------
        StateError
            If it is no such state.
        """
        try:
            events, labels = (-np.inf if time is None else float(time) for time in state["times"])
            places = {str(partition): _Place.of(saved) for partition, saved in state["labels"].items()}
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise StateError(f"not the state of a merge: {error!r}") from None
        self._events, self._labels = _Side(latest=events, reached=events), _Side(latest=labels, reached=labels)
        self._places = places
