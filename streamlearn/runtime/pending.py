"""Rows that were predicted and wait for their labels, which come by id: late, early, twice or never."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import columns
from ..array_learner import capacity
from ..batch import Batch
from ..errors import InputError, SchemaError
from ..jsonable import plain
from ..learner import Outputs, Task
from ..parameters import check_range
from ..records import Rejected
from ..schema import Schema
from . import pending_kernels as kernels
from .entries import NOBODY, Entries
from .ids import ids_to_arrays, is_id
from .pending_kernels import ABSENT, COUNT, DONE, EARLY, WAITING, Bounds, StoreArrays, WalkArrays
from .pending_state import SavedLabels
from .waiting_rows import Kept, WaitingRows

UNBOUNDED = 2**62
ROW_BYTES = 256
"""What a waiting row costs beside its fields, its predictions and the characters of its id. An estimate, the same on
all machines, since what is evicted must not depend on them."""
ID_BYTES = 160
"""As much of it as an id costs that stands for no waiting row: its place in the dict, and the object itself."""


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
    known : int64 [n]
        How many classes were known when each new row was predicted; labels that come later in the batch bring more.
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
    known: np.ndarray
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
        id, and 256.
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
        self._ttl, self._has_default, self._counts_bytes, self._proba = (
            ttl,
            default is not None,
            max_bytes is not None,
            proba,
        )
        self._learners = list(learners)
        self._bounds = Bounds(
            nominal=self._nominal,
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
        self._entries = Entries()
        self._rows = WaitingRows(self._learners)
        self._s = StoreArrays.empty()
        self._s.numbers[kernels.CLASSES] = len(self._schema.classes) if self._nominal else 0

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
        return sum(array.nbytes for array in self._s) + self._rows.nbytes + ID_BYTES * len(self._entries)

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
        self._reserve(n)
        learns = n + len(good) + (self.waiting if self._has_default else 0)
        out = WalkArrays.room(n, len(good), learns, len(self._entries))
        X = np.ascontiguousarray(batch.X)
        kernels.walk(self._s, self._bounds, X, rows, when, labels, targets, before[good], out)
        step = self._step(batch, out, version)
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
        for name, store in self._rows.made.items():
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
                if type(id) is not str and not is_id(plain(id)):
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
        """The entries of ids, -1 where there is no id; the arrays have room for them."""
        entries = self._entries.enter(ids)
        if self._entries.room > len(self._s.status):
            self._s = self._s.with_entries(capacity(self._entries.room, 1024))
        if self._counts_bytes:
            known = np.flatnonzero(entries != NOBODY)
            self._s.size[entries[known]] = [_size(ids[i]) for i in known.tolist()]
        return entries

    def _reserve(self, more: int) -> None:
        """Room for so many more waiting rows, as far as the bounds allow them."""
        waits, slots = self.waiting, len(self._s.new)
        most = min(waits + more, max(waits, self._bounds.max_rows) + 1)
        if most > slots:
            slots = capacity(most, 64)
            self._s = self._s.with_slots(slots)
        self._rows.reserve(slots, len(self._schema.fields))

    def _step(self, batch: Batch, out: WalkArrays, version: int) -> LabelStep:
        """What the walk says, for learners; the new rows that wait now take the slots of those that do no longer."""
        operations, applied, late, freed = out.lengths.tolist()
        slots, learned = out.late[:late], out.entry[:applied]
        schedule = out.schedule[:operations].copy()
        dtype = np.int64 if self._nominal else np.float64
        joined = self._rows.before(slots, batch)
        step = LabelStep(
            batch=joined,
            late=late,
            schedule=schedule,
            known=out.known,
            applied=~schedule[schedule < 0],
            targets=out.target[:applied].astype(dtype),
            weight=None,
            ids=self._entries.ids(learned),
            rejected=[],
            _slots=np.empty(len(batch), np.int64),
            _rows=np.empty(len(batch), np.int64),
            _made={name: made.at(slots) for name, made in self._rows.made.items()},
        )
        joined.y = np.full(len(joined), -1 if self._nominal else np.nan, dtype)
        joined.y[step.applied] = step.targets
        step.weight = None if joined.weight is None else joined.weight[step.applied]
        wait = kernels.new_rows(self._s, step._slots, step._rows)
        step._slots, step._rows = step._slots[:wait], step._rows[:wait]
        self._rows.put(step._slots, batch, step._rows, version)
        gone = out.freed[:freed]
        self._entries.forget(np.unique(gone[self._s.status[gone] == ABSENT]))
        return step

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything, as nested dicts and lists of arrays and JSON values; between `keep` and the next `take`."""
        s, classes = self._s, len(self._schema.classes)
        self._reserve(0)  # fields that came meanwhile
        waiting, early, done = (kernels.in_order(s, which) for which in (WAITING, EARLY, DONE))
        slots = s.slot[waiting]

        def ids_of(entries: np.ndarray) -> dict[str, np.ndarray]:
            return ids_to_arrays(self._entries.ids(entries))

        return {
            "clock": None if np.isneginf(s.clock[0]) else self.clock,
            "rows": int(s.numbers[kernels.ROWS]),
            "width": int(s.numbers[kernels.WIDTH]),
            "classes": int(s.numbers[kernels.CLASSES]),
            "counters": self.counters,
            "waiting": {
                "ids": ids_of(waiting),
                "since": s.since[waiting],
                "number": s.number[slots],
                **self._rows.state(slots),
            },
            "predictions": [made.state(name, slots, classes) for name, made in self._rows.made.items()],
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
        ids, waits = saved.ids, saved.rows
        until = waits + len(saved.early_ids)
        self._forget()
        self._entries = Entries(ids)
        self._s = s = self._s.with_entries(capacity(len(ids), 1024)).with_slots(capacity(waits, 64))
        s.clock[0], s.counters[:] = saved.clock, saved.counters
        s.numbers[[kernels.ROWS, kernels.WIDTH, kernels.CLASSES]] = saved.numbers
        s.status[:waits], s.status[waits:until] = kernels.IS_WAITING, kernels.IS_EARLY
        s.status[until : len(ids)] = saved.done["status"]
        s.since[:waits], s.since[waits:until] = saved.waiting["since"], saved.early["since"]
        s.target[waits:until] = saved.early["target"]
        s.slot[:waits], s.number[:waits], s.new[:waits] = np.arange(waits), saved.waiting["number"], -1
        s.numbers[kernels.FREE_SLOTS] -= waits  # the first slots were to be given out first
        for which, first, last in ((WAITING, 0, waits), (EARLY, waits, until), (DONE, until, len(ids))):
            kernels.put_in_order(s, which, np.arange(first, last))
        if self._counts_bytes:
            s.size[: len(ids)] = list(map(_size, ids))
            s.numbers[kernels.ID_BYTES] = s.size[:waits].sum()
        self._reserve(0)
        self._rows.restore(saved.waiting, saved.keys, saved.predictions)

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Rows that wait, the oldest first, to be looked at.

        Returns
        -------
        list of dict
            ``id``, ``since`` (the clock when it was predicted), ``number`` (rows before it), ``version`` of the model,
            ``x`` (its fields), and ``predictions`` by learner.
        """
        self._reserve(0)  # fields that came meanwhile
        entries = kernels.in_order(self._s, WAITING)[:limit]
        slots = self._s.slot[entries]
        X, versions = self._rows.fields(slots)
        made = {name: store.at(slots) for name, store in self._rows.made.items()}
        return [
            {
                "id": id,
                "since": float(self._s.since[entries[i]]),
                "number": int(self._s.number[slots[i]]),
                "version": int(versions[i]),
                "x": self._schema.decode_row(X[i]),
                "predictions": {name: self._shown(kept.prediction[i]) for name, kept in made.items() if kept.made[i]},
            }
            for i, id in enumerate(self._entries.ids(entries))
        ]

    def _shown(self, prediction: Any) -> Any:
        return self._schema.decode_label(int(prediction)) if self._nominal else float(prediction)


def _size(id: Any) -> int:
    """Bytes of an id; one that is no text counts 8."""
    return len(id.encode("utf-8", "surrogatepass")) if type(id) is str else 8
