"""One learner of a shard, champion or shadow: it is tested, taught, measured, and watched for drift."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..adapters import AdaptedLearner, FunctionLearner
from ..batch import Batch
from ..detector import Detector
from ..errors import InputError, StateError
from ..evaluation.classification import ClassificationMetrics
from ..evaluation.metrics import DEFAULT_METRICS, needs_proba
from ..evaluation.regression import RegressionMetrics
from ..learner import SUPERVISED, Learner, Outputs
from ..passing import process_passing
from ..registry import name_of
from ..schema import Schema
from ..work import test_then_train
from .keyed import KeyedModels
from .plan import Plan

NO_CURVE = 2**62  # labelled rows between two points of a curve: a stream without end keeps none


class Contender:
    """A learner with its metrics and its detectors.

    Parameters
    ----------
    label
        What the pipeline calls it.
    prototype
        The learner to clone; with a key, one model is kept for each.
    plan
        The recipe.
    directory
        Where models of keys that are not in memory are kept.
    """

    def __init__(self, label: str, prototype: Learner, plan: Plan, directory: Path | None) -> None:
        self.label = label
        self._plan = plan
        self._foreign = isinstance(prototype, AdaptedLearner)
        self.learner: Learner | KeyedModels = (
            prototype.clone()
            if plan.roles.key is None
            else KeyedModels(
                prototype, directory=None if directory is None else directory / "keys" / label, max_hot=plan.max_hot
            )
        )
        self.task = prototype.task
        self.generation = 1
        self.metrics: ClassificationMetrics | RegressionMetrics | None = None
        self.detectors: list[Detector] = [detector.clone() for detector in plan.detectors]
        self._names = [name_of("detectors", type(detector)) or type(detector).__name__ for detector in self.detectors]
        self._levels = [0] * len(self.detectors)
        wanted = plan.metrics or DEFAULT_METRICS.get(cast(Any, self.task), ())
        self._wanted = tuple(wanted)
        self.needs_proba = self.task == "classification" and needs_proba(self._wanted)

    @property
    def version(self) -> str:
        """Names the model that predicts: the learner, and how often it was exchanged."""
        return f"{self.label}/{self.generation}"

    def bind(self, schema: Schema, n_classes: int | None = None) -> None:
        """The shard's schema is known: metrics depend on the classes that it had at the beginning."""
        if self.task not in SUPERVISED:
            return
        settings: dict[str, Any] = {"metrics": self._wanted, "window": self._plan.window, "every": NO_CURVE}
        if self.task == "regression":
            self.metrics = RegressionMetrics(**settings)
        else:
            self.metrics = ClassificationMetrics(
                **settings,
                declared=schema.classes_declared,
                n_classes=len(schema.classes) if n_classes is None else n_classes,
            )

    def process(self, batch: Batch, schedule: np.ndarray | None, *, proba: bool) -> tuple[Outputs, dict[int, str]]:
        """Walk a schedule; outputs, and for each row that failed the reason.

        Our learners take in a whole call or nothing, so the rows of a call that failed can be tried one by one. Other
        people's models may have learned half of it: with these, each row is a call of its own.
        """
        if not self._foreign:
            try:
                return process_passing(self.learner, batch, schedule, proba=proba), {}
            except InputError:
                if self._plan.errors.process == "stop" or len(batch) == 1:
                    raise
        return self._process_each(batch, schedule, proba)

    def _process_each(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> tuple[Outputs, dict[int, str]]:
        n = len(batch)
        scored = self.task in ("regression", "anomaly")
        outputs = Outputs(np.zeros(n) if scored else np.full(n, -1, np.int64))
        probabilities: dict[int, np.ndarray] = {}
        failed: dict[int, str] = {}
        for step in (test_then_train(n) if schedule is None else schedule).tolist():
            row = step if step >= 0 else ~step
            if row in failed:
                continue
            try:
                now = np.array([0 if step >= 0 else -1], np.int64)
                one = process_passing(self.learner, batch.slice(row, row + 1), now, proba=proba and step >= 0)
            except Exception as error:
                if self._plan.errors.process == "stop":
                    raise
                failed[row] = f"{self.label}: {type(error).__name__}: {error}"
                continue
            if step >= 0:
                outputs.prediction[row] = one.prediction[0]
                if one.proba is not None:
                    probabilities[row] = one.proba[0]
        if proba and self.task == "classification":
            width = max((len(row) for row in probabilities.values()), default=0)
            outputs.proba = np.zeros((n, width))
            for row, values in probabilities.items():
                outputs.proba[row, : len(values)] = values
        return outputs, failed

    def measure(
        self, targets: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None, proba: np.ndarray | None
    ) -> list[tuple[str, int, int]]:
        """Take in predictions whose labels came, in the order of the labels: what the detectors say.

        Returns
        -------
        list of (detector, level, row)
            Each drift, and each beginning of a warning.
        """
        if self.metrics is None:
            return []
        if isinstance(self.metrics, ClassificationMetrics):
            self.metrics.update(targets, prediction, weight, proba if self.needs_proba else None)
            known = np.flatnonzero(targets >= 0)
            errors = (prediction[known] != targets[known]).astype(np.float64)
        else:
            self.metrics.update(targets, prediction, weight)
            known = np.flatnonzero(~np.isnan(targets))
            errors = np.abs(prediction[known] - targets[known])
        said: list[tuple[str, int, int]] = []
        for i, detector in enumerate(self.detectors if len(errors) else ()):
            levels = detector.update_many(errors)
            before = np.concatenate([[self._levels[i]], levels[:-1]])
            self._levels[i] = int(levels[-1])
            raised = np.flatnonzero((levels == 2) | ((levels == 1) & (before == 0)))
            said += [(self._names[i], int(levels[row]), int(known[row])) for row in raised]
        return said

    def windowed(self) -> dict[str, float]:
        """The metrics over the window."""
        return {} if self.metrics is None else self.metrics.values("window")

    def collect(self, kept: Sequence[Mapping[str, Any]]) -> None:
        """Remove files of models by key that no kept state names."""
        if isinstance(self.learner, KeyedModels):
            self.learner.collect(kept)

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """What a checkpoint's manifest says of it."""
        prototype = self.learner.prototype if isinstance(self.learner, KeyedModels) else self.learner
        return {
            "type": name_of("learners", type(prototype)) or type(prototype).__name__,
            "params": {name: _shown(value) for name, value in prototype.params.items()},
            "bytes": self.learner.nbytes,
            "version": self.version,
        }

    def measured(self) -> dict[str, float | None]:
        """The metrics over the whole stream; None for those that are not defined."""
        values = {} if self.metrics is None else self.metrics.values()
        return {name: None if np.isnan(value) else value for name, value in values.items()}

    def state(self) -> dict[str, Any]:
        """Everything it needs to go on bit for bit."""
        return {
            "learner": self._learner_state(),
            "generation": self.generation,
            "metrics": None if self.metrics is None else self.metrics.state(),
            "detectors": [detector.state() for detector in self.detectors],
            "levels": list(self._levels),
        }

    def restore(self, state: Mapping[str, Any], schema: Schema) -> None:
        """Continue from what `state` gave."""
        saved = state["metrics"]
        self.bind(schema, None if saved is None else saved["parameters"].get("n_classes"))
        self._restore_learner(state["learner"])
        self.generation = int(state["generation"])
        if self.metrics is not None and saved is not None:
            self.metrics.restore(saved)
        if len(state["detectors"]) == len(self.detectors):
            for detector, saved in zip(self.detectors, state["detectors"], strict=True):
                detector.restore(saved)
            self._levels = [int(level) for level in state["levels"]]

    def _learner_state(self) -> dict[str, Any]:
        if not self._foreign:
            return self.learner.state()
        learner = cast(AdaptedLearner, self.learner)
        if not self._plan.pickle or isinstance(learner, FunctionLearner):
            return learner.state()  # raises, and says why
        return {"pickle": np.frombuffer(pickle.dumps(learner), np.uint8)}

    def _restore_learner(self, state: Mapping[str, Any]) -> None:
        if "pickle" not in state:
            self.learner.restore(state)
        elif self._plan.pickle:
            self.learner = pickle.loads(state["pickle"].tobytes())
        else:
            raise StateError(
                f"the checkpoint holds {self.label} as a pickle, which runs code when it is read: say checkpoint: "
                "{pickle: true} if you trust the checkpoint directory"
            )


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)
