"""Recomputes from the inputs what a pipeline must have written, and compares: its code is its own.

Of the library it uses a learner, one row at a time: what is verified is the engine around learners. How records are
read, in which order they are learned, how labels find their rows, what counts as a duplicate, and how metrics are
counted is written here afresh, as plainly as can be, and imports nothing of the engine or the connectors.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlearn import Schema
from streamlearn.learner import Learner

SHOWN = 10  # differences that are told in full


@dataclass
class Input:
    """A record as it went in: its partition, the id that its prediction must bear, its bytes; and labels among them.

    A record with ``label_of`` is no event: it brings the label of the event with that id.
    """

    partition: str
    id: str
    value: bytes
    label_of: Any = None


@dataclass
class Task:
    """What the pipeline was told to do."""

    learner: Callable[[Schema], Learner]
    fields: Mapping[str, str]  # name: numeric or nominal
    target: str
    id: str | None = None
    key: str | None = None
    labels_in_records: bool = True


@dataclass
class Expected:
    """What must be written for one event."""

    id: str
    prediction: Any
    probabilities: dict[Any, float]


@dataclass
class Truth:
    """What must have come out of the inputs: predictions by partition, in order, dead letters, and counts."""

    predictions: dict[str, list[Expected]] = field(default_factory=dict)
    dead: dict[str, bytes] = field(default_factory=dict)
    labelled: Counter[str] = field(default_factory=Counter)
    correct: Counter[str] = field(default_factory=Counter)


@dataclass
class Findings:
    """What is wrong with the outputs; `ok` if nothing is."""

    rows: int = 0
    lost: int = 0
    duplicate: int = 0
    foreign: int = 0
    disordered: int = 0
    different: int = 0
    torn: int = 0
    dead_lost: int = 0
    dead_duplicate: int = 0
    dead_different: int = 0
    metrics: int = 0
    first: list[str] = field(default_factory=list)

    def say(self, kind: str, what: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.first) < SHOWN:
            self.first.append(f"{kind}: {what}")

    @property
    def ok(self) -> bool:
        return not any(value for name, value in vars(self).items() if name not in ("rows", "first"))

    def __str__(self) -> str:
        counts = ", ".join(f"{value} {name}" for name, value in vars(self).items() if name != "first")
        return "\n  ".join([counts, *self.first])


# -- what must come out -----------------------------------------------------------------------------------------------


def recompute(inputs: Iterable[Input], task: Task) -> Truth:
    """Predict, then learn, each partition's events in order, with models of its own."""
    by_partition: dict[str, list[Input]] = {}
    for record in inputs:
        by_partition.setdefault(record.partition, []).append(record)
    truth = Truth()
    for partition, records in by_partition.items():
        _recompute_partition(partition, records, task, truth)
    return truth


def _recompute_partition(partition: str, records: Sequence[Input], task: Task, truth: Truth) -> None:
    rows: list[tuple[Input, dict[str, Any]]] = []
    for record in records:
        row = read(record.value, task)
        if row is None:
            truth.dead[record.id] = record.value
        else:
            rows.append((record, row))
    schema = schema_of([row for _, row in rows], task)
    models: dict[Any, Learner] = {}
    waiting: dict[Any, tuple[dict[str, Any], Learner, Any]] = {}
    predictions = truth.predictions.setdefault(partition, [])

    def learn(x: dict[str, Any], label: Any, model: Learner, predicted: Any) -> None:
        model.learn_one(x, label)
        truth.labelled[partition] += 1
        truth.correct[partition] += predicted == label

    for record, row in rows:
        if record.label_of is not None:
            if record.label_of in waiting:
                x, model, predicted = waiting.pop(record.label_of)
                learn(x, row[task.target], model, predicted)
            continue
        x = {name: row.get(name) for name in schema.names}
        key = None if task.key is None or row.get(task.key) is None else str(row[task.key])
        if key not in models:
            models[key] = task.learner(Schema.from_dict(schema.to_dict()))
        model = models[key]
        predicted = model.predict_one(x)
        predictions.append(Expected(record.id, predicted, model.predict_proba_one(x)))
        label = row.get(task.target)
        if task.labels_in_records:
            if label is not None:
                learn(x, label, model, predicted)
        else:
            waiting[row[task.id] if task.id is not None else record.id] = x, model, predicted


def read(value: bytes, task: Task) -> dict[str, Any] | None:
    """A record's columns; None if it is no row."""
    try:
        row = json.loads(value.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(row, dict):
        return None
    for name, kind in task.fields.items():
        content = row.get(name)
        if content is None:
            continue
        number = isinstance(content, (int, float)) and not isinstance(content, bool)
        if number != (kind == "numeric") or isinstance(content, (list, dict)):
            return None
    return row


def schema_of(rows: Iterable[Mapping[str, Any]], task: Task) -> Schema:
    """The partition's schema in the end: everything in the order in which its rows bring it.

    A row brings the fields that have a value in it, in the order of their names.
    """
    fields: dict[str, None] = {}
    seen: dict[str, dict[Any, None]] = {name: {} for name in [*task.fields, task.target]}
    for row in rows:
        for name in sorted(task.fields):
            if row.get(name) is not None:
                fields.setdefault(name)
        for name, values in seen.items():
            if row.get(name) is not None:
                values.setdefault(row[name])
    return Schema.from_dict(
        {
            "fields": [
                {
                    "name": name,
                    "kind": task.fields[name],
                    "categories": list(seen[name]) if task.fields[name] == "nominal" else [],
                }
                for name in fields
            ],
            "target": task.target,
            "target_kind": "nominal",
            "classes": list(seen[task.target]),
            "classes_declared": False,
            "id": None,
            "event_time": None,
            "weight": None,
            "unknown": "grow",
        }
    )


# -- what came out ----------------------------------------------------------------------------------------------------


def lines(path: Path, findings: Findings) -> list[dict[str, Any]]:
    """The objects of a JSON lines file; a line that is none, or has no end, is torn."""
    if not path.exists():
        return []
    content = path.read_bytes()
    found = []
    *whole, rest = content.split(b"\n")
    if rest:
        findings.say("torn", f"{path.name} ends with {rest[-60:]!r}")
    for number, line in enumerate(whole):
        try:
            found.append(json.loads(line))
        except ValueError:
            findings.say("torn", f"{path.name}, line {number}: {line[:60]!r}")
    return found


def compare(
    truth: Truth, outputs: Iterable[Mapping[str, Any]], findings: Findings, *, duplicates: bool = False
) -> Findings:
    """Compare predictions as they were written, in their order.

    Parameters
    ----------
    truth
        What must have been written.
    outputs
        What was.
    findings
        Where to say what is wrong.
    duplicates
        Whether an output may come again (at least once), if it is the same each time.
    """
    wanted: dict[str, tuple[str, int, Expected]] = {}
    for partition, predictions in truth.predictions.items():
        for place, expectation in enumerate(predictions):
            wanted[expectation.id] = partition, place, expectation
    seen: Counter[str] = Counter()
    last: dict[str, int] = {}
    for output in outputs:
        findings.rows += 1
        id = output.get("prediction_id")
        if id not in wanted:
            findings.say("foreign", f"nobody asked for {id!r}: {output}")
            continue
        partition, place, expectation = wanted[id]
        seen[id] += 1
        if seen[id] > 1 and not duplicates:
            findings.say("duplicate", f"{id} comes {seen[id]} times")
        if seen[id] == 1:
            if place < last.get(partition, -1):
                findings.say("disordered", f"{id} comes after {truth.predictions[partition][last[partition]].id}")
            last[partition] = max(place, last.get(partition, -1))
        difference = difference_of(expectation, output)
        if difference:
            findings.say("different", f"{id}: {difference}")
    for id in wanted:
        if id not in seen:
            findings.say("lost", id)
    return findings


def difference_of(expectation: Expected, output: Mapping[str, Any]) -> str | None:
    """What differs between a prediction and what it must be, down to the last bit."""
    if "prediction" not in output or not same(expectation.prediction, output["prediction"]):
        return f"prediction {output.get('prediction')!r} instead of {expectation.prediction!r}"
    given = output.get("probabilities")
    if given is None:
        return None if not expectation.probabilities else "no probabilities"
    known = {text(label): probability for label, probability in expectation.probabilities.items()}
    for label in sorted({*known, *given}):
        if not same(known.get(label) or 0.0, given.get(label) or 0.0):
            return f"probability of {label} {given.get(label)!r} instead of {known.get(label)!r}"
    return None


def compare_dead(truth: Truth, letters: Iterable[Mapping[str, Any]], findings: Findings) -> Findings:
    """Compare dead letters: each bad record once, with its bytes."""
    import base64

    seen: Counter[str] = Counter()
    for letter in letters:
        id = letter["record"]
        seen[id] += 1
        if seen[id] > 1:
            findings.say("dead_duplicate", id)
        if id not in truth.dead:
            findings.say("dead_different", f"{id} is a good record: {letter['reason']}")
        elif base64.b64decode(letter["value"]) != truth.dead[id]:
            findings.say("dead_different", f"{id} has other bytes")
    for id in truth.dead:
        if id not in seen:
            findings.say("dead_lost", id)
    return findings


def compare_accuracy(truth: Truth, partition: str, measured: Mapping[str, Any], findings: Findings) -> Findings:
    """Compare the prequential accuracy of a partition with what was counted here."""
    accuracy = truth.correct[partition] / truth.labelled[partition] if truth.labelled[partition] else math.nan
    if not math.isclose(measured.get("accuracy", math.nan), accuracy, rel_tol=1e-12):
        findings.say("metrics", f"{partition}: accuracy {measured.get('accuracy')!r} instead of {accuracy!r}")
    return findings


def same(a: Any, b: Any) -> bool:
    """Equal, in kind and to the last bit."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool):
        return not isinstance(b, bool) and a == b
    return type(a) is type(b) and bool(a == b)


def text(label: Any) -> str:
    """A label as the name of a JSON object's member."""
    return label if isinstance(label, str) else json.dumps(label)


# -- what a checkpoint says -------------------------------------------------------------------------------------------


def about(path: Path) -> dict[str, Any]:
    """The readable part of a checkpoint: a safetensors file, whose header is JSON and holds the manifest."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    manifest = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["streamlearn"])
    found: dict[str, Any] = manifest["content"]["content"]["about"]
    return found


def counted(state: Path) -> Counter[str]:
    """How many rows, labels and dead letters there were up to the newest checkpoints of all shards."""
    total: Counter[str] = Counter()
    for shard in sorted(state.iterdir()) if state.exists() else ():
        for path in sorted(shard.glob("*.ckpt"))[-1:]:
            try:
                found = about(path)
            except FileNotFoundError:  # removed while we looked: there is a newer one
                return counted(state)
            total.update({name: found[name] for name in ("rows", "labelled", "rejected")})
    return total
