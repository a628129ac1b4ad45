"""Rows that were predicted and wait for their labels, which come by id: late, early, twice or never."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa

from .. import columns
from ..array_learner import capacity
from ..batch import Batch
from ..errors import InputError, SchemaError
from ..learner import Outputs, Task
from ..parameters import check_range
from ..records import Rejected
from ..schema import Schema
from . import pending_kernels as kernels
from .ids import ids_to_arrays, is_id
from .kept import Kept, KeptPredictions, resized, widened
from .pending_kernels import ABSENT, COUNT, DONE, EARLY, NOBODY, WAITING, Bounds, StoreArrays, WalkArrays
from .pending_state import SavedLabels

UNBOUNDED = 2**62
ROW_BYTES = 160
"""What a waiting row costs beside its fields, its predictions and the bytes of its id: links, numbers, its place in the
dict of ids. An estimate, the same on all machines: what is evicted must not depend on them."""


@dataclass(slots=True)
class Arrivals:
    """Labels that come while the rows of a batch are predicted.

    Parameters
    ----------
    ids
        Which rows they are for.
    labels
        Class labels or values, as they came.
    before : int64 [m]
        How many of the batch's rows come before each, rising.
    records
        The ids of the records that brought them, for messages.
    """

    ids: Sequence[Any]
    labels: Sequence[Any]
    before: np.ndarray
    records: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def none(cls) -> Arrivals:
        """No label comes."""
        return cls([], [], np.zeros(0, np.int64))


@dataclass(slots=True)
class LabelStep:
    """What learners do while a batch of new rows is predicted.

    Attributes
    ----------
    batch : Batch
        The rows of earlier batches that are learned now, then the new rows; with the labels that arrived.
    late : int
        How many of them are of earlier batches.
    schedule : int64 [n + k]
        What to do in order: each new row is predicted, each label learned at its place.
    applied : int64 [k]
        The rows that are learned, in the order in which they are.
    targets : int64 [k] or float64 [k]
        What each is learned with.
    weight : float64 [k], optional
        Their weights.
    ids : list of length k
        Their ids.
    rejected : list of Rejected
        Labels that make no sense; ``row`` is the place among the arrivals.
    """

    batch: Batch
    late: int
    schedule: np.ndarray
    applied: np.ndarray
    targets: np.ndarray
    weight: np.ndarray | None
    ids: list[Hashable]
    rejected: list[Rejected]
    _slots: np.ndarray  # where the new rows that wait now are kept, and which of the batch's rows they are
    _rows: np.ndarray
    _made: dict[str, Kept]  # what was predicted of the earlier rows
    _kept: bool = False


@dataclass(slots=True)
class Measured:
    """Predictions as they were made, of the rows whose labels came, in the order in which these were applied.

    Attributes
    ----------
    places : int64 [k]
        Which of the step's labels: a learner that did not predict a row is not measured on it.
    targets, prediction, proba, weight : [k]
        As metrics take them.
    """

    places: np.ndarray
    targets: np.ndarray
    prediction: np.ndarray
    proba: np.ndarray | None
    weight: np.ndarray | None


class PendingLabels:
    """Rows of one shard that were predicted and wait for their labels.

    Rows and labels are taken in one order, and what happens depends on nothing else: not on how they are cut into
    batches, not on any clock of the machine, not on restarts in between.

    - A label for a row that waits is learned at its place in the order. One whose row has not come is kept, and is
      learned right after the row was predicted.
    - Of several labels for one id the first counts. An id that was learned is done: rows that come with it later, such
      as events delivered twice, are predicted and not learned.
    - A row that comes with the id of one that still waits takes its place, and its time begins anew.
    - Time is the latest time of all rows so far, and a row's time to live begins when it is predicted. It ends before
      the first row at that time or later: the row is then learned with the default label, or is dropped.

    Parameters
    ----------
    schema
        The schema that encodes the shard's batches; classes that labels bring are added to it.
    task : "classification" or "regression"
        What labels are.
    learners
        Names of the learners whose predictions are kept.
    ttl : float, optional
        Seconds that a row waits, and a label whose row has not come; by default as long as the bounds allow.
    default
        The label of rows whose time is over; None drops them.
    max_rows : int
        Rows that wait; beyond, the oldest is dropped.
    max_bytes : int, optional
        Memory of rows that wait, counted as 8 bytes a field, 8 a prediction, 8 a class (with `proba`), the bytes of the
        id, and 160.
    max_early : int
        Labels whose rows have not come; beyond, the oldest is dropped.
    max_done : int
        Ids that are remembered after their rows were learned or dropped.
    proba : bool
        Whether probabilities are kept.

    Raises
    ------
    OptionError
        If a bound is out of range.
    SchemaError
        If the default is no label of the schema.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> from streamlearn.runtime.pending import Arrivals, PendingLabels
    >>> schema = sl.Schema.of(["amount"], target="kind")
    >>> pending = PendingLabels(schema, task="classification", learners=["bayes"])
    >>> bayes = sl.NaiveBayes()
    >>> batch = schema.encode([{"amount": 12.0}, {"amount": 900.0}])
    >>> step = pending.take(batch, ["a", "b"], Arrivals(["a"], ["fine"], np.array([1])))
    >>> step.schedule.tolist()  # predict a, learn a, predict b
    [0, -1, 1]
    >>> measured = pending.keep(step, {"bayes": bayes.process(step.batch, step.schedule)})
    >>> pending.waiting, measured["bayes"].prediction.tolist()  # nothing was learned when a was predicted
    (1, [-1])
    """

    def __init__(
        self,
        schema: Schema,
        *,
        task: Task,
        learners: Sequence[str],
        ttl: float | None = None,
        default: Any = None,
        max_rows: int = 1_000_000,
        max_bytes: int | None = None,
        max_early: int = 100_000,
        max_done: int = 100_000,
        proba: bool = True,
    ) -> None:
        if ttl is not None:
            check_range("ttl", ttl, 0, 1e12, open_low=True)
        check_range("max_rows", max_rows, 1, 2**40, kind=int)
        if max_bytes is not None:
            check_range("max_bytes", max_bytes, 1, UNBOUNDED, kind=int)
        check_range("max_early", max_early, 0, 2**40, kind=int)
        check_range("max_done", max_done, 0, 2**40, kind=int)
        self._schema, self._nominal = schema, task == "classification"
        self._ttl, self._counts_bytes, self._proba = ttl, max_bytes is not None, proba
        self._learners = list(learners)
        self._bounds = Bounds(
            ttl=np.inf if ttl is None else float(ttl),
            default=np.nan if default is None else self._target(default),
            max_rows=max_rows,
            max_bytes=UNBOUNDED if max_bytes is None else max_bytes,
            max_early=max_early,
            max_done=max_done,
            fixed_bytes=ROW_BYTES + 8 * len(self._learners),
            class_bytes=8 * len(self._learners) if proba and self._nominal else 0,
        )
        self._forget()

    def _forget(self) -> None:
        self._entries: dict[Hashable, int] = {}
        self._ids: list[Hashable] = []
        self._spare: list[int] = []  # entries that stand for nothing
        self._s = _store(0, 0)
        self._s.numbers[kernels.CLASSES] = len(self._schema.classes) if self._nominal else 0
        self._X = np.empty((0, len(self._schema.fields)))
        self._weight: np.ndarray | None = None  # None while all are 1
        self._version = np.zeros(0, np.int64)
        self._keys: list[Hashable] | None = None  # None where rows have none
        self._made = {name: KeptPredictions() for name in self._learners}

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Rows that wait for their labels."""
        return int(self._s.ends[WAITING, COUNT])

    @property
    def early(self) -> int:
        """Labels that wait for their rows."""
        return int(self._s.ends[EARLY, COUNT])

    @property
    def clock(self) -> float:
        """The latest time of all rows so far, in seconds since the epoch; -inf before there is one."""
        return float(self._s.clock[0])

    @property
    def counters(self) -> dict[str, int]:
        """How often what happened, since the beginning.

        ``matched`` labels learned by their rows; ``early`` labels that came before their rows, ``unknown`` ones of them
        whose rows did not come in time; ``duplicate`` labels that were not the first for their id; ``late`` ones after
        their row was dropped or learned with the default; ``expired`` rows; ``evicted`` rows; ``replaced`` rows whose
        id came again while they waited; ``repeated`` rows that came with an id that was learned; ``anonymous`` rows
        without an id, of which nothing can be learned.
        """
        return dict(zip(kernels.COUNTERS, self._s.counters.tolist(), strict=True))

    @property
    def nbytes(self) -> int:
        """Memory in use, about: that of the arrays, and of the ids."""
        arrays = [*self._s, self._X, self._version, *([] if self._weight is None else [self._weight])]
        for made in self._made.values():
            arrays += [a for a in (made.prediction, made.proba, made.made) if a is not None]
        return sum(array.nbytes for array in arrays) + 160 * len(self._entries)

    # -- taking rows and labels -------------------------------------------------------------------------------------

    def take(
        self,
        batch: Batch,
        ids: Sequence[Any],
        arrivals: Arrivals,
        *,
        times: np.ndarray | None = None,
        version: int = 1,
    ) -> LabelStep:
        """Take new rows, and the labels that come while they are predicted; then `keep` must follow.

        Parameters
        ----------
        batch
            The new rows; their own targets are not looked at.
        ids
            One a row; a row whose id is None is predicted, and never learned.
        arrivals
            The labels.
        times : float64 [n], optional
            The rows' times where the batch has no event times.
        version
            Of the model that predicts them.

        Raises
        ------
        InputError
            If ids, times or places do not fit the batch, or there is a time to live and no time; nothing is taken then.
        """
        n = len(batch)
        if batch.schema is not self._schema:
            raise InputError("the batch was encoded by another schema")
        if len(ids) != n:
            raise InputError(f"the batch has {n} rows, and {len(ids)} ids")
        when = self._times(batch, times)
        before = np.ascontiguousarray(arrivals.before, np.int64)
        if len(before) != len(arrivals) or len(arrivals.labels) != len(arrivals):
            raise InputError(f"{len(arrivals)} ids, {len(arrivals.labels)} labels and {len(before)} places do not fit")
        if len(before) and ((np.diff(before) < 0).any() or before[0] < 0 or before[-1] > n):
            raise InputError(f"the places of labels must rise from 0 to at most {n}")
        good, targets, rejected = self._targets(arrivals)
        rows = self._enter(ids)
        labels = self._enter([arrivals.ids[i] for i in good])
        out = self._walk(batch, rows, when, labels, targets, before[good])
        operations, applied, late, _ = out.lengths.tolist()
        step = self._step(batch, out, operations, applied, late)
        self._store_rows(batch, step, version)
        self._forget_entries(out)
        step.rejected = rejected
        return step

    def keep(
        self, step: LabelStep, outputs: Mapping[str, Outputs], failed: Mapping[str, Collection[int]] | None = None
    ) -> dict[str, Measured]:
        """Keep the predictions of a step's new rows that wait, and give those whose labels came to be measured.

        Parameters
        ----------
        step
            As `take` gave it.
        outputs
            By learner, what it made of the step's batch and schedule.
        failed
            By learner, rows of the step's batch that it could not predict.

        Returns
        -------
        dict of str to Measured
            By learner.
        """
        if step._kept:
            raise InputError("the predictions of this step were kept already")
        step._kept = True
        n = len(step.batch) - step.late
        measured: dict[str, Measured] = {}
        for name, store in self._made.items():
            bad = failed.get(name, ()) if failed else ()
            new = Kept.of(outputs.get(name), step.late, n, bad, proba=self._proba)
            store.put(step._slots, new.at(step._rows))
            made = step._made[name].followed_by(new).at(step.applied)
            places = np.flatnonzero(made.made)
            if len(places) < len(step.applied):
                made = made.at(places)
            weight = None if step.weight is None else step.weight[places]
            measured[name] = Measured(places, step.targets[places], made.prediction, made.proba, weight)
        return measured

    def _times(self, batch: Batch, times: np.ndarray | None) -> np.ndarray:
        n = len(batch)
        given = batch.event_time if batch.event_time is not None else times
        if given is None:
            if self._ttl is not None and n:
                raise InputError("a time to live needs times: name the event time's column, or use a source with times")
            return np.full(n, np.nan)
        when = np.array(given, np.float64)
        if when.shape != (n,):
            raise InputError(f"the batch has {n} rows, and times of shape {when.shape}")
        when[~np.isfinite(when)] = np.nan
        return when

    def _target(self, label: Any) -> float:
        """A label's class code or value.

        Raises
        ------
        SchemaError
            If it is none.
        """
        name = "label" if self._schema.target is None else self._schema.target
        if self._nominal:
            code = self._schema.encode_label(label)
            if code < 0:
                raise SchemaError(f"{name!r} is missing")
            return float(code)
        value = np.nan if label is None or isinstance(label, bool) else columns.number(label, name, 0)
        if not np.isfinite(value):
            raise SchemaError(f"{name!r} must be a finite number, got {label!r}")
        return value

    def _targets(self, arrivals: Arrivals) -> tuple[np.ndarray, np.ndarray, list[Rejected]]:
        """Which arrivals make sense, their targets, and the others."""
        known: dict[Any, float] = {}  # labels are few, and asking the schema takes longer
        good: list[int] = []
        targets: list[float] = []
        rejected: list[Rejected] = []
        for i, (id, label) in enumerate(zip(arrivals.ids, arrivals.labels, strict=True)):
            try:
                if type(id) is not str and not is_id(id):
                    raise SchemaError(f"the id must be a text or a number, got {id!r:.80}")
                if type(label) is not str:
                    target = self._target(label)
                elif (target := known.get(label, -1.0)) < 0:
                    target = known[label] = self._target(label)
            except SchemaError as error:
                rejected.append(Rejected(i, str(error).removeprefix("row 0: ")))
            else:
                good.append(i)
                targets.append(target)
        return np.array(good, np.int64), np.array(targets, np.float64), rejected

    def _enter(self, ids: Sequence[Any]) -> np.ndarray:
        """The entries of ids, made where they are not known; -1 where there is no id."""
        kinds = set(map(type, ids))
        if not kinds <= {str, int}:
            ids = [id if is_id(id) else None for id in ids]
        known = np.fromiter(map(self._entries.get, ids, repeat(NOBODY)), np.int64, len(ids))
        places = [i for i in np.flatnonzero(known == NOBODY).tolist() if ids[i] is not None]
        if places:
            known[places] = self._add([ids[i] for i in places])
        return known

    def _add(self, ids: list[Hashable]) -> np.ndarray:
        """New entries for ids that are not known; an id that is there twice gets one."""
        spare, known = self._spare, len(self._ids)
        reused = spare[max(0, len(spare) - len(ids)) :]
        del spare[len(spare) - len(reused) :]
        entries = [*reused, *range(known, known + len(ids) - len(reused))]
        self._ids += [None] * (len(ids) - len(reused))
        self._reserve_entries(len(self._ids))
        before = len(self._entries)
        self._entries.update(zip(ids, entries, strict=True))
        if len(self._entries) - before < len(ids):
            used = [self._entries[id] for id in ids]
            spare += sorted(set(entries).difference(used))
            entries = used
        for entry, id in zip(entries, ids, strict=True):
            self._ids[entry] = id
        made = np.array(entries, np.int64)
        if self._counts_bytes:
            self._s.size[made] = _sizes(ids)
        return made

    def _reserve_entries(self, entries: int) -> None:
        if entries > len(self._s.status):
            new = capacity(entries, 1024)
            self._s = self._s._replace(**{name: resized(getattr(self._s, name), new, 0) for name in _BY_ENTRY})

    def _walk(
        self,
        batch: Batch,
        rows: np.ndarray,
        times: np.ndarray,
        labels: np.ndarray,
        targets: np.ndarray,
        before: np.ndarray,
    ) -> WalkArrays:
        n, waits = len(batch), self.waiting
        self._reserve(min(waits + n, max(waits, self._bounds.max_rows) + 1))
        learns = len(labels) + n + (waits if np.isfinite(self._bounds.default) else 0)
        out = WalkArrays(
            np.empty(n + learns, np.int64),
            np.empty(learns, np.int64),
            np.empty(learns),
            np.empty(learns, np.int64),
            np.empty(len(self._entries) + n + len(labels), np.int64),
            np.zeros(4, np.int64),
        )
        X = np.ascontiguousarray(batch.X)
        kernels.walk(self._s, self._bounds, X, rows, times, labels, targets, before, out)
        return out

    def _reserve(self, rows: int) -> None:
        """Room for so many waiting rows, in all columns."""
        old = len(self._s.new)
        width = len(self._schema.fields)
        if self._X.shape[1] < width:
            self._X = widened(self._X, width, np.nan)
        if rows <= old:
            return
        new = capacity(rows, 64)
        s = self._s._replace(**{name: resized(getattr(self._s, name), new, -1) for name in _BY_SLOT})
        free = int(s.numbers[kernels.FREE_SLOTS])
        s.free[free : free + new - old] = np.arange(new - 1, old - 1, -1)
        s.numbers[kernels.FREE_SLOTS] += new - old
        self._s = s
        self._X = resized(self._X, new, np.nan)
        self._version = resized(self._version, new, 0)
        if self._weight is not None:
            self._weight = resized(self._weight, new, 1.0)
        if self._keys is not None:
            self._keys += [None] * (new - old)
        for made in self._made.values():
            made.resize(new)

    def _step(self, batch: Batch, out: WalkArrays, operations: int, applied: int, late: int) -> LabelStep:
        """Rows of earlier batches in front of the new ones, with the labels that came."""
        n = len(batch)
        schedule = out.schedule[:operations].copy()
        learned = ~schedule[schedule < 0]
        slots = out.late[:late]
        dtype = np.int64 if self._nominal else np.float64
        targets = out.target[:applied].astype(dtype)
        y = np.full(late + n, -1 if self._nominal else np.nan, dtype)
        y[learned] = targets
        weight = batch.weight
        if late and (weight is not None or self._weight is not None):
            of_late = np.ones(late) if self._weight is None else self._weight[slots]
            weight = np.concatenate([of_late, np.ones(n) if weight is None else weight])
        if late:
            X = np.empty((late + n, self._X.shape[1]))
            X[:late] = self._X[slots]
            X[late:, : batch.X.shape[1]] = batch.X
            X[late:, batch.X.shape[1] :] = np.nan
            joined = Batch(batch.schema, X, y, weight, key=self._joined_keys(batch.key, slots))
        else:
            joined = Batch(batch.schema, batch.X, y, weight, key=batch.key)
        ids = self._ids
        return LabelStep(
            batch=joined,
            late=late,
            schedule=schedule,
            applied=learned,
            targets=targets,
            weight=None if weight is None else weight[learned],
            ids=[ids[entry] for entry in out.entry[:applied].tolist()],
            rejected=[],
            _slots=np.zeros(0, np.int64),
            _rows=np.zeros(0, np.int64),
            _made={name: made.at(slots) for name, made in self._made.items()},
        )

    def _joined_keys(self, new: pa.Array | None, slots: np.ndarray) -> pa.Array | None:
        if self._keys is None:
            return new
        late = [self._keys[slot] for slot in slots.tolist()]
        if new is None:
            return pa.array(late)
        try:
            return pa.concat_arrays([pa.array(late, new.type), new])
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # keys of another kind than before
            return pa.array(late + new.to_pylist())

    def _store_rows(self, batch: Batch, step: LabelStep, version: int) -> None:
        """Write the new rows that wait now where they wait."""
        slots, rows = np.empty(len(batch), np.int64), np.empty(len(batch), np.int64)
        count = kernels.new_rows(self._s, slots, rows)
        slots, rows = slots[:count], rows[:count]
        step._slots, step._rows = slots, rows
        X = batch.X[rows]
        self._X[slots] = X if X.shape[1] == self._X.shape[1] else widened(X, self._X.shape[1], np.nan)
        self._version[slots] = version
        if self._weight is None and batch.weight is not None:
            self._weight = np.ones(len(self._s.new))
        if self._weight is not None:
            self._weight[slots] = 1.0 if batch.weight is None else batch.weight[rows]
        if batch.key is not None:
            if self._keys is None:
                self._keys = [None] * len(self._s.new)
            keys = batch.key.to_pylist()
            for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
                self._keys[slot] = keys[row]

    def _forget_entries(self, out: WalkArrays) -> None:
        freed = out.freed[: out.lengths[kernels.FREED]]
        gone = np.unique(freed[self._s.status[freed] == ABSENT]).tolist()
        for entry in gone:
            del self._entries[self._ids[entry]]
            self._ids[entry] = None
        self._spare += gone

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything, as nested dicts and lists of arrays and JSON values; between `keep` and the next `take`."""
        s, ids = self._s, self._ids
        waiting, early, done = (kernels.in_order(s, which) for which in (WAITING, EARLY, DONE))
        slots = s.slot[waiting]

        def ids_of(entries: np.ndarray) -> dict[str, np.ndarray]:
            return ids_to_arrays([ids[entry] for entry in entries.tolist()])

        return {
            "clock": None if np.isneginf(s.clock[0]) else self.clock,
            "rows": int(s.numbers[kernels.ROWS]),
            "width": int(s.numbers[kernels.WIDTH]),
            "classes": int(s.numbers[kernels.CLASSES]),
            "counters": self.counters,
            "waiting": {
                "ids": ids_of(waiting),
                "X": widened(self._X[slots], len(self._schema.fields), np.nan),
                "weight": np.ones(len(slots)) if self._weight is None else self._weight[slots],
                "since": s.since[waiting],
                "number": s.number[slots],
                "version": self._version[slots],
                "keys": None if self._keys is None else ids_to_arrays([self._keys[slot] for slot in slots.tolist()]),
            },
            "predictions": [self._made[name].state(name, slots, len(self._schema.classes)) for name in self._learners],
            "early": {"ids": ids_of(early), "target": s.target[early], "since": s.since[early]},
            "done": {"ids": ids_of(done), "status": s.status[done]},
        }

    def restore(self, state: Any) -> None:
        """Continue from what `state` gave; the schema is that of the same checkpoint.

        Learners that the state does not know are not measured on rows predicted before. Bounds may be other than they
        were: what is too much leaves with the next row.

        Raises
        ------
        StateError
            If the state is damaged; nothing is changed then.
        """
        saved = SavedLabels(state, self._schema, nominal=self._nominal)
        self._forget()
        ids = saved.ids
        waits, earlies, n = saved.rows, len(saved.early_ids), len(ids)
        self._reserve_entries(n)
        self._ids, self._entries = ids, dict(zip(ids, range(n), strict=True))
        self._reserve(waits)
        s, waiting, early = self._s, saved.waiting, saved.early
        s.clock[0] = saved.clock
        s.numbers[[kernels.ROWS, kernels.WIDTH, kernels.CLASSES]] = saved.numbers
        s.counters[:] = saved.counters
        s.status[:waits], s.status[waits : waits + earlies] = kernels.IS_WAITING, kernels.IS_EARLY
        s.status[waits + earlies : n] = saved.done["status"]
        s.since[:waits], s.since[waits : waits + earlies] = waiting["since"], early["since"]
        s.target[waits : waits + earlies] = early["target"]
        s.slot[:waits] = np.arange(waits)
        s.number[:waits] = waiting["number"]
        s.numbers[kernels.FREE_SLOTS] -= waits  # slots are given out from the end, the first ones last
        for which, first, last in ((WAITING, 0, waits), (EARLY, waits, waits + earlies), (DONE, waits + earlies, n)):
            kernels.put_in_order(s, which, np.arange(first, last))
        if self._counts_bytes:
            s.size[:n] = _sizes(ids)
            s.numbers[kernels.ID_BYTES] = s.size[:waits].sum()
        self._X[:waits] = waiting["X"]
        self._version[:waits] = waiting["version"]
        if (waiting["weight"] != 1.0).any():
            self._weight = np.ones(len(s.new))
            self._weight[:waits] = waiting["weight"]
        if saved.keys is not None:
            self._keys = saved.keys + [None] * (len(s.new) - waits)
        self._made = {
            name: KeptPredictions.restored(saved.predictions.get(name), len(s.new)) for name in self._learners
        }

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Rows that wait, the oldest first, to be looked at.

        Returns
        -------
        list of dict
            ``id``, ``since`` (the clock when it was predicted), ``number`` (rows before it), ``version`` of the model,
            ``x`` (its fields), and ``predictions`` by learner.
        """
        entries = kernels.in_order(self._s, WAITING)[:limit]
        slots = self._s.slot[entries]
        X = widened(self._X[slots], len(self._schema.fields), np.nan)
        made = {name: store.at(slots) for name, store in self._made.items()}
        found = []
        for i, (entry, slot) in enumerate(zip(entries.tolist(), slots.tolist(), strict=True)):
            found.append(
                {
                    "id": self._ids[entry],
                    "since": float(self._s.since[entry]),
                    "number": int(self._s.number[slot]),
                    "version": int(self._version[slot]),
                    "x": self._schema.decode_row(X[i]),
                    "predictions": {
                        name: self._shown(kept.prediction[i]) for name, kept in made.items() if kept.made[i]
                    },
                }
            )
        return found

    def _shown(self, prediction: Any) -> Any:
        return self._schema.decode_label(int(prediction)) if self._nominal else float(prediction)


_BY_ENTRY = ("status", "older", "newer", "since", "target", "size", "slot")
_BY_SLOT = ("new", "number", "free")


def _store(entries: int, slots: int) -> StoreArrays:
    return StoreArrays(
        status=np.zeros(entries, np.int8),
        older=np.zeros(entries, np.int64),
        newer=np.zeros(entries, np.int64),
        since=np.zeros(entries),
        target=np.zeros(entries),
        size=np.zeros(entries, np.int64),
        slot=np.zeros(entries, np.int64),
        new=np.zeros(slots, np.int64),
        number=np.zeros(slots, np.int64),
        free=np.zeros(slots, np.int64),
        ends=np.array([[NOBODY, NOBODY, 0]] * 3, np.int64),
        numbers=np.zeros(kernels.NUMBERS, np.int64),
        counters=np.zeros(len(kernels.COUNTERS), np.int64),
        clock=np.array([-np.inf]),
    )


def _sizes(ids: Iterable[Hashable]) -> list[int]:
    """Bytes of ids; those that are no texts count 8."""
    return [len(id.encode("utf-8", "surrogatepass")) if type(id) is str else 8 for id in ids]
