"""The verifier notices whatever can go wrong with outputs; a verifier that finds nothing would prove nothing."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import streamlearn as sl

from .events import FIELDS, TARGET, events, inputs
from .verifier import Findings, Input, Task, Truth, compare, compare_accuracy, compare_dead, lines, recompute

TASK = Task(lambda schema: sl.NaiveBayes(schema=schema), FIELDS, TARGET)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return recompute(inputs(events(400, 1), "events.jsonl"), TASK)


def written(truth: Truth) -> list[dict[str, Any]]:
    """Faultless outputs."""
    return [
        json.loads(json.dumps({"prediction_id": e.id, "prediction": e.prediction, "probabilities": e.probabilities}))
        for e in truth.predictions["0"]
    ]


def test_nothing_is_found_where_nothing_is_wrong(truth: Truth) -> None:
    findings = compare(truth, written(truth), Findings())
    assert findings.ok, findings
    assert findings.rows > 380
    assert 0 < len(truth.dead) < 20


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("lost", lambda out: out.pop(200)),
        ("lost", lambda out: out.pop()),
        ("duplicate", lambda out: out.insert(300, copy.deepcopy(out[299]))),
        ("duplicate", lambda out: out.append(copy.deepcopy(out[10]))),
        ("disordered", lambda out: out.insert(10, out.pop(11))),
        ("foreign", lambda out: out.append({"prediction_id": "events.jsonl-400", "prediction": "low"})),
        ("different", lambda out: out[100].update(prediction="none")),
        ("different", lambda out: out[100].update(prediction=None)),
        ("different", lambda out: out[100].pop("prediction")),
        ("different", lambda out: out[100]["probabilities"].update(low=out[100]["probabilities"]["low"] * (1 + 3e-16))),
        ("different", lambda out: out[100]["probabilities"].pop("low")),
        ("different", lambda out: out[100].pop("probabilities")),
    ],
)
def test_each_fault_is_found_and_told(truth: Truth, kind: str, damage: Callable[[Any], Any]) -> None:
    outputs = written(truth)
    damage(outputs)
    findings = compare(truth, outputs, Findings())
    assert getattr(findings, kind) == 1
    assert not findings.ok
    assert kind in str(findings)
    assert sum(value for name, value in vars(findings).items() if name not in ("rows", "first", kind)) == 0


def test_duplicates_may_be_allowed_but_not_different_ones(truth: Truth) -> None:
    outputs = written(truth)
    again = [copy.deepcopy(output) for output in outputs[50:100]]
    assert compare(truth, [*outputs[:100], *again, *outputs[100:]], Findings(), duplicates=True).ok
    again[3]["prediction"] = "none"
    assert compare(truth, [*outputs, *again], Findings(), duplicates=True).different == 1


def test_torn_lines_are_found(tmp_path: Path, truth: Truth) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(output) + "\n" for output in written(truth)))
    findings = Findings()
    assert len(lines(path, findings)) == len(written(truth))
    assert findings.ok
    path.write_bytes(path.read_bytes()[:-5] + b"\n" + path.read_bytes()[-20:-3])
    assert len(lines(path, findings)) == len(written(truth)) - 1
    assert findings.torn == 2


def test_dead_letters(truth: Truth) -> None:
    letters = [
        {"record": id, "reason": "bad", "value": base64.b64encode(value).decode()} for id, value in truth.dead.items()
    ]
    assert compare_dead(truth, letters, Findings()).ok
    assert compare_dead(truth, letters[1:], Findings()).dead_lost == 1
    assert compare_dead(truth, [*letters, letters[0]], Findings()).dead_duplicate == 1
    assert compare_dead(truth, [*letters[1:], {**letters[0], "value": "AAAA"}], Findings()).dead_different == 1
    good = {"record": truth.predictions["0"][0].id, "reason": "?", "value": ""}
    assert compare_dead(truth, [*letters, good], Findings()).dead_different == 1


def test_metrics(truth: Truth) -> None:
    accuracy = truth.correct["0"] / truth.labelled["0"]
    assert 0.3 < accuracy < 1.0
    assert compare_accuracy(truth, "0", {"accuracy": accuracy}, Findings()).ok
    assert compare_accuracy(truth, "0", {"accuracy": accuracy + 1 / truth.labelled["0"]}, Findings()).metrics == 1
    assert compare_accuracy(truth, "0", {}, Findings()).metrics == 1


def test_late_labels_are_learned_where_they_come() -> None:
    """By hand: the second event is predicted before the first one's label, the third one after it."""

    def event(i: int) -> Input:
        return Input("0", f"e-{i}", json.dumps({"event_id": i, "f0": 1.0}).encode())

    def label(i: int, value: str) -> Input:
        return Input("0", f"l-{i}", json.dumps({"event_id": i, TARGET: value}).encode(), label_of=i)

    task = Task(TASK.learner, FIELDS, TARGET, id="event_id", labels_in_records=False)
    stream = [event(0), event(1), label(0, "low"), label(0, "high"), event(2), label(7, "high"), label(2, "low")]
    truth = recompute(stream, task)
    assert [e.prediction for e in truth.predictions["0"]] == [None, None, "low"]
    assert truth.labelled["0"] == 2
    assert truth.correct["0"] == 1


def test_models_by_key_and_by_partition() -> None:
    def event(partition: str, i: int, customer: Any, label: str) -> Input:
        return Input(
            partition, f"{partition}-{i}", json.dumps({"customer": customer, "f0": 1.0, TARGET: label}).encode()
        )

    task = Task(TASK.learner, FIELDS, TARGET, key="customer")
    truth = recompute([event(p, i, c, "low") for i in range(2) for p in "ab" for c in (7, "8")], task)
    assert [e.prediction for e in truth.predictions["a"]] == [None, None, "low", "low"]
    assert [e.prediction for e in truth.predictions["b"]] == [None, None, "low", "low"]
