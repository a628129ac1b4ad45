"""One learner on its way through a stream: it is tested, taught and measured, at once or as labels come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..batch import Batch
from ..learner import Learner, Outputs
from ..passing import process_passing
from ..schema import Schema
from .classification import ClassificationMetrics
from .labels import Step
from .memory import Memory
from .queries import Query
from .regression import RegressionMetrics
from .result import Run


@dataclass(kw_only=True)
class Contestant:
    """One learner with one seed, and one fold where there are several."""

    label: str
    seed: int | None
    learner: Learner
    metrics: ClassificationMetrics | RegressionMetrics
    proba: bool
    fold: int | None = None
    query: Query | None = None
    learned: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    memory: Memory = field(default_factory=Memory)
    _kept: dict[int, _Kept] = field(default_factory=dict)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        seconds = time.perf_counter() - wall
        self.wall += seconds
        self.cpu += time.process_time() - cpu
        self.memory.sample(self.metrics.rows, self.learner.nbytes, seconds)

    def take(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Test, train and measure on one batch whose labels are there; targets and predictions."""
        with self._timed():
            outputs = self.learner.process(batch, proba=self.proba)
            targets = self.learner.targets(batch)
            self._measure(targets, outputs.prediction, batch.weight, outputs.proba)
        return targets, outputs.prediction

    def take_step(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Predict a step's new rows, and learn and measure those whose labels arrive; their targets and predictions.

        A row that this fold is not tested on has no target in what is returned.
        """
        fold = self.fold or 0
        with self._timed():
            earlier = [self._kept[number].at(places) for number, places in step.kept]
            tested, asked = step.test[:, fold], None
            if self.query is None:
                outputs = self._walk(step, tested, fold)
            else:
                asked = np.concatenate([*(kept.asked for kept in earlier), np.zeros(len(step.batch) - step.late, bool)])
                outputs = self._walk_asking(step, asked)
            new = _Kept(
                outputs.prediction[step.late :],
                None if outputs.proba is None else outputs.proba[step.late :],
                np.ones(0, bool) if asked is None else asked[step.late :],
            )
            self._kept[step.number] = new
            prediction = np.concatenate([*(kept.prediction for kept in earlier), new.prediction])[step.order]
            proba = _stacked([*(kept.proba for kept in earlier), new.proba], step.order) if self.proba else None
            for number in step.done:
                self._kept.pop(number, None)
            targets = self.learner.targets(step.batch)[step.order]
            targets = np.where(tested[step.order], targets, -1 if targets.dtype == np.int64 else np.nan)
            weight = None if step.batch.weight is None else step.batch.weight[step.order]
            self._measure(targets, prediction, weight, proba)
        return targets, prediction

    def _measure(
        self, targets: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None, proba: np.ndarray | None
    ) -> None:
        if isinstance(self.metrics, ClassificationMetrics):
            self.metrics.update(targets, prediction, weight, proba)
        else:
            self.metrics.update(targets, prediction, weight)

    def _walk(self, step: Step, tested: np.ndarray, fold: int) -> Outputs:
        """Predict and learn in the order in which labels arrive, in one call."""
        teach = step.teach[:, fold]
        learns = teach[step.order] > 0.0
        order, before = step.order[learns], step.before[learns]
        schedule = np.empty(len(step.batch) - step.late + len(order), np.int64)
        at = before + np.arange(len(order))
        schedule[at] = ~order
        is_prediction = np.ones(len(schedule), bool)
        is_prediction[at] = False
        schedule[is_prediction] = np.arange(step.late, len(step.batch))
        if not tested.all():
            schedule = schedule[(schedule < 0) | tested[np.maximum(schedule, 0)]]
        batch = step.batch
        if (teach[order] != 1.0).any():
            weight = teach if batch.weight is None else batch.weight * teach
            batch = Batch(batch.schema, batch.X, batch.y, weight)
        self._count(batch, order)
        return process_passing(self.learner, batch, schedule, proba=self.proba)

    def _walk_asking(self, step: Step, asked: np.ndarray) -> Outputs:
        """Predict, ask for some labels, and learn those that arrive; ``asked`` is completed on the way.

        Between two labels that are learned the learner does not change, so rows are predicted some at a time; what was
        predicted behind a label that turns out to be asked for, and to arrive, is thrown away and predicted anew.
        """
        assert self.query is not None
        n = len(step.batch) - step.late
        arrives = np.full(len(step.batch), n + 1)
        arrives[step.order] = step.before
        queue = step.order[asked[step.order]].tolist()  # asked for earlier: these arrive for certain
        outputs = Outputs(np.full(len(step.batch), -1, np.int64), None)
        parts: list[np.ndarray] = []
        rank = np.empty(len(step.batch), np.int64)
        rank[step.order] = np.arange(len(step.order))
        at_once = int(min(256.0, max(8.0, 2.0 / self.query.budget)))
        start = 0
        while start < n or queue:
            due = [row for row in queue if arrives[row] <= start or start == n]
            queue = queue[len(due) :]
            stop = min([n, start + at_once, *(int(arrives[row]) for row in queue[:1])])
            rows = np.concatenate([np.array(due, np.int64), np.arange(step.late + start, step.late + stop)])
            schedule = np.concatenate([~np.arange(len(due)), np.arange(len(due), len(rows))])
            self._count(step.batch, np.array(due, np.int64))
            found = self.learner.process(_chosen(step.batch, rows), schedule, proba=True)
            assert found.proba is not None
            confidence = found.proba.max(1, initial=0.0)[len(due) :].tolist()
            end = start
            while end < stop:
                row = step.late + end
                end += 1
                if self.query.ask(confidence[end - 1 - start]):
                    asked[row] = True
                    if arrives[row] <= n:
                        queue.append(row)
                        stop = min(stop, int(arrives[row]))
            queue.sort(key=rank.__getitem__)
            taken = slice(len(due), len(due) + end - start)
            outputs.prediction[step.late + start : step.late + end] = found.prediction[taken]
            parts.append(found.proba[taken])
            start = end
        late = np.zeros((step.late, 0))
        outputs.proba = _stacked([late, *parts], np.arange(step.late + n)) if self.proba else None
        return outputs

    def _count(self, batch: Batch, rows: np.ndarray) -> None:
        """Count the labels that the learner is given."""
        targets = self.learner.targets(batch)[rows]
        self.learned += int(np.count_nonzero(targets >= 0 if targets.dtype == np.int64 else ~np.isnan(targets)))

    def run(self, schema: Schema, *, learned_all: bool) -> Run:
        """What came of it."""
        return Run.measured(
            self.metrics,
            label=self.label,
            classes=schema.classes if self.learner.task == "classification" else None,
            params={name: _as_json(value) for name, value in self.learner.params.items()},
            seed=self.seed,
            fold=self.fold,
            learned=None if learned_all else self.learned,
            wall_seconds=self.wall,
            cpu_seconds=self.cpu,
            model_bytes=self.learner.nbytes or None,
            memory=self.memory.curve(),
            ram_hours=self.memory.ram_hours,
            peak_rss_bytes=_peak_rss(),
            inspection=self.learner.summary(),
        )


@dataclass(slots=True)
class _Kept:
    """What was predicted of the new rows of a step, and which labels were asked for."""

    prediction: np.ndarray
    proba: np.ndarray | None
    asked: np.ndarray

    def at(self, places: np.ndarray) -> _Kept:
        return _Kept(
            self.prediction[places],
            None if self.proba is None else self.proba[places],
            self.asked[places] if len(self.asked) else self.asked,
        )


def _chosen(batch: Batch, rows: np.ndarray) -> Batch:
    def cut(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else column[rows]

    return Batch(batch.schema, batch.X[rows], cut(batch.y), cut(batch.weight))


def _stacked(parts: list[Any], order: np.ndarray) -> np.ndarray:
    """Probabilities behind each other; classes that came later had none."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])[order]


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return [_as_json(part) for part in value] if isinstance(value, (list, tuple)) else repr(value)


def _peak_rss() -> int | None:
    """The most memory that the process held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
