"""The walk over new rows and arriving labels, compiled: who waits, who is learned, who is forgotten.

An *entry* stands for one id that is known. It is in at most one of three lists, each in the order in which its entries
came into it, so that the oldest is always the first:

======== =========================================== ========================================
list     holds                                       its oldest leaves
======== =========================================== ========================================
WAITING  rows predicted, without a label so far      when its time is over, or room is needed
EARLY    labels whose rows have not come             likewise
DONE     ids whose rows wait no longer               when room is needed
======== =========================================== ========================================

Time never goes back here, so whoever came into a list first is the first whose time is over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import borrowed, inlined, kernel
from .entries import NOBODY
from .waiting_rows import resized

WAITING, EARLY, DONE = 0, 1, 2
ABSENT, IS_WAITING, IS_EARLY, LABELLED, DEFAULTED, DROPPED = 0, 1, 2, 3, 4, 5
FIRST, LAST, COUNT = 0, 1, 2

COUNTERS = (
    "matched",
    "early",
    "duplicate",
    "late",
    "unknown",
    "expired",
    "evicted",
    "replaced",
    "repeated",
    "anonymous",
)
MATCHED, EARLY_LABELS, DUPLICATE, LATE, UNKNOWN, EXPIRED, EVICTED, REPEATED_WAITING, REPEATED_DONE, ANONYMOUS = range(
    10
)

ROWS, WIDTH, CLASSES, ID_BYTES, FREE_SLOTS = range(5)
NUMBERS = 5


class StoreArrays(NamedTuple):
    """What is known of ids and of rows that wait.

    Attributes
    ----------
    status : int8 [entries]
        What the entry stands for: nothing, a waiting row, an early label, or why an id is done.
    older, newer : int64 [entries]
        Its neighbours in its list.
    since : float64 [entries]
        The clock when it came into its list.
    target : float64 [entries]
        An early label, as a class code or a value.
    size : int64 [entries]
        Bytes of its id, where they are counted.
    slot : int64 [entries]
        Where a waiting row's values are.
    new : int64 [slots]
        The place of the row in the batch at hand, -1 if it is from an earlier one.
    number : int64 [slots]
        How many rows were taken before it.
    free : int64 [slots]
        The slots that are free, ``numbers[FREE_SLOTS]`` of them.
    ends : int64 [3, 3]
        Of each list: the first entry, the last, how many.
    numbers : int64 [5]
        Rows taken; fields and classes seen; bytes of waiting rows' ids; free slots.
    counters : int64 [10]
        In the order of `COUNTERS`.
    clock : float64 [1]
        The latest time of all rows; -inf before the first that has one.
    """

    status: np.ndarray
    older: np.ndarray
    newer: np.ndarray
    since: np.ndarray
    target: np.ndarray
    size: np.ndarray
    slot: np.ndarray
    new: np.ndarray
    number: np.ndarray
    free: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray
    counters: np.ndarray
    clock: np.ndarray

    @classmethod
    def empty(cls) -> StoreArrays:
        """Nothing is known yet, and there is no room."""
        none = np.zeros(0, np.int64)
        return cls(
            status=np.zeros(0, np.int8),
            older=none,
            newer=none,
            since=np.zeros(0),
            target=np.zeros(0),
            size=none,
            slot=none,
            new=none,
            number=none,
            free=none,
            ends=np.array([[NOBODY, NOBODY, 0]] * 3, np.int64),
            numbers=np.zeros(NUMBERS, np.int64),
            counters=np.zeros(len(COUNTERS), np.int64),
            clock=np.array([-np.inf]),
        )

    def with_entries(self, entries: int) -> StoreArrays:
        """The same with room for so many entries."""
        names = ("status", "older", "newer", "since", "target", "size", "slot")
        return self._replace(**{name: resized(getattr(self, name), entries) for name in names})

    def with_slots(self, slots: int) -> StoreArrays:
        """The same with room for so many waiting rows; the new slots are given out in rising order."""
        old, free = len(self.new), int(self.numbers[FREE_SLOTS])
        larger = self._replace(
            new=resized(self.new, slots), number=resized(self.number, slots), free=resized(self.free, slots)
        )
        larger.free[free : free + slots - old] = np.arange(slots - 1, old - 1, -1)
        larger.numbers[FREE_SLOTS] += slots - old
        return larger


class Bounds(NamedTuple):
    """What limits waiting; ``ttl`` is inf and ``default`` NaN where there is none, ``nominal`` says what labels are."""

    nominal: bool
    ttl: float
    default: float
    max_rows: int
    max_bytes: int
    max_early: int
    max_done: int
    fixed_bytes: int
    class_bytes: int


class WalkArrays(NamedTuple):
    """What the walk leaves behind.

    Attributes
    ----------
    schedule : int64
        Operations on the step's batch, in which rows of earlier batches come first.
    entry : int64
        The entries whose rows are learned, in order.
    target : float64
        What they are learned with.
    late : int64
        Slots of learned rows that are from earlier batches, in order.
    known : int64 [n]
        Classes known when each new row was predicted.
    freed : int64
        Entries that became absent, and may have come back.
    lengths : int64 [4]
        How much of the schedule, of labels, of late rows and of freed entries there is.
    """

    schedule: np.ndarray
    entry: np.ndarray
    target: np.ndarray
    late: np.ndarray
    known: np.ndarray
    freed: np.ndarray
    lengths: np.ndarray

    @classmethod
    def room(cls, rows: int, labels: int, learns: int, entries: int) -> WalkArrays:
        """Enough for so many rows and labels, if no more rows are learned and no more entries known than these."""
        return cls(
            np.empty(rows + learns, np.int64),
            np.empty(learns, np.int64),
            np.empty(learns),
            np.empty(learns, np.int64),
            np.empty(rows, np.int64),
            np.empty(entries + rows + labels, np.int64),
            np.zeros(4, np.int64),
        )


OPERATIONS, LABELS, LATE_ROWS, FREED = 0, 1, 2, 3


@inlined
def _without_owners(s: StoreArrays, out: WalkArrays) -> tuple[StoreArrays, WalkArrays]:
    """The same arrays without reference counts, which would be most of the walk's time."""
    return (
        StoreArrays(
            borrowed(s.status),
            borrowed(s.older),
            borrowed(s.newer),
            borrowed(s.since),
            borrowed(s.target),
            borrowed(s.size),
            borrowed(s.slot),
            borrowed(s.new),
            borrowed(s.number),
            borrowed(s.free),
            borrowed(s.ends),
            borrowed(s.numbers),
            borrowed(s.counters),
            borrowed(s.clock),
        ),
        WalkArrays(
            borrowed(out.schedule),
            borrowed(out.entry),
            borrowed(out.target),
            borrowed(out.late),
            borrowed(out.known),
            borrowed(out.freed),
            borrowed(out.lengths),
        ),
    )


@inlined
def _append(s: StoreArrays, which: int, entry: int) -> None:
    last = s.ends[which, LAST]
    s.older[entry], s.newer[entry] = last, NOBODY
    if last == NOBODY:
        s.ends[which, FIRST] = entry
    else:
        s.newer[last] = entry
    s.ends[which, LAST] = entry
    s.ends[which, COUNT] += 1


@inlined
def _unlink(s: StoreArrays, which: int, entry: int) -> None:
    older, newer = s.older[entry], s.newer[entry]
    if older == NOBODY:
        s.ends[which, FIRST] = newer
    else:
        s.newer[older] = newer
    if newer == NOBODY:
        s.ends[which, LAST] = older
    else:
        s.older[newer] = older
    s.ends[which, COUNT] -= 1


@inlined
def _free(s: StoreArrays, out: WalkArrays, entry: int) -> None:
    """The id is known no longer."""
    s.status[entry] = ABSENT
    out.freed[out.lengths[FREED]] = entry
    out.lengths[FREED] += 1


@inlined
def _stop_waiting(s: StoreArrays, entry: int) -> int:
    """Take a row out of those that wait; the slot that becomes free."""
    _unlink(s, WAITING, entry)
    s.numbers[ID_BYTES] -= s.size[entry]
    slot = s.slot[entry]
    s.free[s.numbers[FREE_SLOTS]] = slot
    s.numbers[FREE_SLOTS] += 1
    return slot


@inlined
def _finish(s: StoreArrays, out: WalkArrays, entry: int, why: int, max_done: int) -> None:
    """Remember why an id waits no longer; forget the oldest of those if there are too many."""
    s.status[entry] = why
    _append(s, DONE, entry)
    while s.ends[DONE, COUNT] > max_done:
        oldest = s.ends[DONE, FIRST]
        _unlink(s, DONE, oldest)
        _free(s, out, oldest)


@inlined
def _learn(out: WalkArrays, row: int, entry: int, target: float) -> None:
    i = out.lengths[LABELS]
    out.entry[i], out.target[i] = entry, target
    out.lengths[LABELS] = i + 1
    out.schedule[out.lengths[OPERATIONS]] = ~row
    out.lengths[OPERATIONS] += 1


@inlined
def _learn_waiting(s: StoreArrays, out: WalkArrays, entry: int, target: float, n: int) -> None:
    """Learn a row that waits; rows of earlier batches are numbered from ``n`` on for now."""
    slot = _stop_waiting(s, entry)
    row = s.new[slot]
    if row < 0:
        row = n + out.lengths[LATE_ROWS]
        out.late[out.lengths[LATE_ROWS]] = slot
        out.lengths[LATE_ROWS] += 1
    _learn(out, row, entry, target)


@inlined
def _advance_clock(s: StoreArrays, time: float) -> None:
    if s.clock[0] == -np.inf:  # whoever is there already begins to wait with the first time that is known
        for which in (WAITING, EARLY):
            entry = s.ends[which, FIRST]
            while entry != NOBODY:
                s.since[entry] = time
                entry = s.newer[entry]
    s.clock[0] = time


@inlined
def _expire(s: StoreArrays, bounds: Bounds, out: WalkArrays, n: int) -> None:
    """What happens when the clock has moved: rows and labels whose time is over leave, the oldest first."""
    clock = s.clock[0]
    entry = s.ends[WAITING, FIRST]
    while entry != NOBODY and s.since[entry] + bounds.ttl <= clock:
        if bounds.default == bounds.default:
            _learn_waiting(s, out, entry, bounds.default, n)
            _finish(s, out, entry, DEFAULTED, bounds.max_done)
        else:
            _stop_waiting(s, entry)
            _finish(s, out, entry, DROPPED, bounds.max_done)
        s.counters[EXPIRED] += 1
        entry = s.ends[WAITING, FIRST]
    entry = s.ends[EARLY, FIRST]
    while entry != NOBODY and s.since[entry] + bounds.ttl <= clock:
        _unlink(s, EARLY, entry)
        _free(s, out, entry)
        s.counters[UNKNOWN] += 1
        entry = s.ends[EARLY, FIRST]


@inlined
def _take_label(s: StoreArrays, bounds: Bounds, out: WalkArrays, entry: int, target: float, n: int) -> None:
    status = s.status[entry]
    if bounds.nominal and target >= s.numbers[CLASSES]:
        s.numbers[CLASSES] = int(target) + 1
    if status == IS_WAITING:
        _learn_waiting(s, out, entry, target, n)
        _finish(s, out, entry, LABELLED, bounds.max_done)
        s.counters[MATCHED] += 1
    elif status == ABSENT:
        s.status[entry] = IS_EARLY
        s.target[entry], s.since[entry] = target, s.clock[0]
        _append(s, EARLY, entry)
        s.counters[EARLY_LABELS] += 1
        while s.ends[EARLY, COUNT] > bounds.max_early:
            oldest = s.ends[EARLY, FIRST]
            _unlink(s, EARLY, oldest)
            _free(s, out, oldest)
            s.counters[UNKNOWN] += 1
    elif status in (IS_EARLY, LABELLED):
        s.counters[DUPLICATE] += 1
    else:
        s.counters[LATE] += 1


@inlined
def _take_row(s: StoreArrays, bounds: Bounds, out: WalkArrays, entry: int, row: int) -> None:
    """Predict a row, then see whether it waits."""
    out.schedule[out.lengths[OPERATIONS]] = row
    out.lengths[OPERATIONS] += 1
    out.known[row] = s.numbers[CLASSES]
    if entry == NOBODY:
        s.counters[ANONYMOUS] += 1
        return
    status = s.status[entry]
    if status == IS_EARLY:
        _unlink(s, EARLY, entry)
        _learn(out, row, entry, s.target[entry])
        _finish(s, out, entry, LABELLED, bounds.max_done)
        s.counters[MATCHED] += 1
        return
    if status in (LABELLED, DEFAULTED):
        s.counters[REPEATED_DONE] += 1
        return
    if status == IS_WAITING:
        _stop_waiting(s, entry)
        s.counters[REPEATED_WAITING] += 1
    elif status == DROPPED:
        _unlink(s, DONE, entry)
    s.numbers[FREE_SLOTS] -= 1
    slot = s.free[s.numbers[FREE_SLOTS]]
    s.slot[entry] = slot
    s.new[slot], s.number[slot] = row, s.numbers[ROWS]
    s.status[entry], s.since[entry] = IS_WAITING, s.clock[0]
    s.numbers[ID_BYTES] += s.size[entry]
    _append(s, WAITING, entry)


@inlined
def _make_room(s: StoreArrays, bounds: Bounds, out: WalkArrays) -> None:
    """Let the oldest rows go while more wait than the bounds allow; one may always wait."""
    row_bytes = bounds.fixed_bytes + 8 * s.numbers[WIDTH] + bounds.class_bytes * s.numbers[CLASSES]
    count = s.ends[WAITING, COUNT]
    while count > bounds.max_rows or (count > 1 and count * row_bytes + s.numbers[ID_BYTES] > bounds.max_bytes):
        oldest = s.ends[WAITING, FIRST]
        _stop_waiting(s, oldest)
        _finish(s, out, oldest, DROPPED, bounds.max_done)
        s.counters[EVICTED] += 1
        count -= 1


@inlined
def _width(x: np.ndarray) -> int:
    """How many fields a row has, without missing values at its end: a width that later fields don't change."""
    width = len(x)
    while width and x[width - 1] != x[width - 1]:
        width -= 1
    return width


@kernel
def walk(
    s: StoreArrays,
    bounds: Bounds,
    X: np.ndarray,
    rows: np.ndarray,
    times: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    before: np.ndarray,
    out: WalkArrays,
) -> None:
    """Take rows and labels in their order.

    Parameters
    ----------
    s, bounds
        There are as many free slots as rows, or as ``max_rows + 1`` asks for.
    X : float64 [n, d]
    rows : int64 [n]
        The rows' entries, -1 for a row without an id.
    times : float64 [n]
        When they happened; NaN if unknown.
    labels : int64 [m]
        The labels' entries.
    targets : float64 [m]
        Class codes or values.
    before : int64 [m]
        How many rows come before each label, rising.
    out
        Written.
    """
    s, out = _without_owners(s, out)
    n, m = len(rows), len(labels)
    label = 0
    for row in range(n + 1):
        while label < m and before[label] <= row:
            _take_label(s, bounds, out, labels[label], targets[label], n)
            label += 1
        if row == n:
            break
        if times[row] > s.clock[0]:
            _advance_clock(s, times[row])
            _expire(s, bounds, out, n)
        s.numbers[WIDTH] = max(s.numbers[WIDTH], _width(X[row]))
        _take_row(s, bounds, out, rows[row], row)
        s.numbers[ROWS] += 1
        _make_room(s, bounds, out)
    late = out.lengths[LATE_ROWS]
    for i in range(out.lengths[OPERATIONS]):
        operation = out.schedule[i]
        row = operation if operation >= 0 else ~operation
        row = row + late if row < n else row - n
        out.schedule[i] = row if operation >= 0 else ~row


@kernel
def new_rows(s: StoreArrays, slots: np.ndarray, rows: np.ndarray) -> int:
    """The rows of the batch at hand that wait now: their slots and places; from now on they are earlier rows."""
    count = 0
    entry = s.ends[WAITING, LAST]
    while entry != NOBODY and s.new[s.slot[entry]] >= 0:
        slot = s.slot[entry]
        slots[count], rows[count] = slot, s.new[slot]
        s.new[slot] = -1
        count += 1
        entry = s.older[entry]
    return count


@kernel
def in_order(s: StoreArrays, which: int) -> np.ndarray:
    """The entries of a list, the oldest first."""
    entries = np.empty(s.ends[which, COUNT], np.int64)
    entry = s.ends[which, FIRST]
    for i in range(len(entries)):
        entries[i] = entry
        entry = s.newer[entry]
    return entries


@kernel
def put_in_order(s: StoreArrays, which: int, entries: np.ndarray) -> None:
    """Append entries to a list."""
    for entry in entries:
        _append(s, which, entry)
