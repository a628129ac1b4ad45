"""The process that opens damaged model files: whatever it loads it also uses, and it must neither crash nor hang."""

from __future__ import annotations

import faulthandler
import gc
import resource
import traceback
import warnings
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import streamlearn as sl
from streamlearn import container, models

ROWS = 256  # more than a grace period of the tree, so that it also tries to split
Outcome = Literal["refused", "identical", "accepted", "error", "crashed", "hung"]


class Task(NamedTuple):
    """A file to open.

    Attributes
    ----------
    model
        Name of the model that it was before it was damaged.
    path
    seed
        Of the rows that a loaded model is used on.
    """

    model: str
    path: Path
    seed: tuple[int, int]


class Verdict(NamedTuple):
    """What became of a file, and why."""

    outcome: Outcome
    reason: str = ""


def serve(connection: Connection, originals: Mapping[str, bytes], extra_bytes: int, log: Path) -> None:
    """Answer each `Task` with a `Verdict`; begins by sending "ready" once everything is compiled."""
    warnings.simplefilter("ignore")
    with log.open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        for name, data in originals.items():
            learner = models.revive(container.loads(data))
            if container.dumps(models.describe(learner)) != data:
                raise RuntimeError(f"{name}: loading and saving gives another file")
            use(learner, np.random.default_rng(0))
        _limit_memory(extra_bytes)
        connection.send("ready")
        while (task := connection.recv()) is not None:
            connection.send(judge(task, originals[task.model]))
            gc.collect(0)


def judge(task: Task, original: bytes) -> Verdict:
    """Load a file and use what came out of it."""
    try:
        learner = sl.load(task.path)
    except sl.StreamlearnError as error:
        return Verdict("refused", str(error).replace(f"{task.path}: ", ""))
    except BaseException:
        return Verdict("error", traceback.format_exc())
    try:
        outcome: Outcome = "identical" if container.dumps(models.describe(learner)) == original else "accepted"
        use(learner, np.random.default_rng(task.seed))
    except sl.StreamlearnError as error:
        return Verdict("accepted", f"then refused rows: {error}")
    except BaseException:
        return Verdict("error", "after loading: " + traceback.format_exc())
    return Verdict(outcome)


def use(learner: Any, rng: np.random.Generator) -> None:
    """Predict and learn random rows, as dicts and as a matrix."""
    schema = learner.state()["schema"]
    if schema is None:
        return
    fields = sl.Schema.from_dict(schema).fields
    columns = [_column(field, rng) for field in fields]
    X = np.column_stack(columns) if columns else np.empty((ROWS, 0))
    y = _targets(learner, rng)
    for rows in (X, _dicts(fields, X, rng)):
        if learner.task == "transformation":
            learner.transform_many(rows)
            learner.learn_many(rows)
            learner.transform_many(rows)
            continue
        learner.predict_many(rows)
        learner.learn_many(rows, y)
        learner.test_then_train_many(rows, y)
        if learner.task == "classification":
            learner.predict_proba_many(rows)
    learner.state()


def _column(field: Any, rng: np.random.Generator) -> np.ndarray:
    """Values for a field, some of them missing, some of them odd."""
    if field.kind == "nominal":
        column = rng.integers(max(1, len(field.categories)), size=ROWS).astype(np.float64)
        missing = rng.random(ROWS) < (0.05 if field.categories else 1.0)
    else:
        column = rng.normal(size=ROWS) * 10.0 ** rng.integers(-3, 4)
        column[rng.random(ROWS) < 0.01] = rng.choice([np.inf, -np.inf, 1e300, -1e300, 0.0])
        missing = rng.random(ROWS) < 0.05
    column[missing] = np.nan
    return column


def _dicts(fields: Any, X: np.ndarray, rng: np.random.Generator) -> list[dict[Any, Any]]:
    """The rows as dicts, now and then with a category or a field that is new."""
    rows: list[dict[Any, Any]] = []
    for values in X.tolist():
        row = {
            f.name: v if f.kind == "numeric" or v != v else f.categories[int(v)]
            for f, v in zip(fields, values, strict=True)
        }
        if rng.random() < 0.02:
            nominal = [f.name for f in fields if f.kind == "nominal"]
            row[nominal[0] if nominal and rng.random() < 0.7 else "new field"] = "new"
        rows.append(row)
    return rows


def _targets(learner: Any, rng: np.random.Generator) -> Any:
    if learner.task == "regression":
        return rng.normal(size=ROWS)
    labels = [*learner.classes, "new label", None]
    return [labels[int(i)] for i in rng.integers(len(labels), size=ROWS)]


def _limit_memory(extra_bytes: int) -> None:
    """Let the process grow by so much and no more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    size = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (size + extra_bytes, resource.RLIM_INFINITY))
