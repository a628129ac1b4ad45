"""The baselines agree with the obvious versions, obey the laws, and reach MOA's figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import LABELS, Event, benchmark_stream, check_laws, events, one_by_one, prequential_accuracy, schema
from naive import baselines as naive

import streamlearn as sl

BOTH = [sl.NoChangeClassifier, sl.PriorClassifier]
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(stream=events(LABELS))
def test_no_change_predicts_the_label_before(stream: list[Event]) -> None:
    _, y, w = zip(*stream, strict=True)
    assert one_by_one(sl.NoChangeClassifier(schema=schema()), stream) == naive.no_change(y, w)


@MANY
@given(stream=events(LABELS))
def test_prior_predicts_the_label_of_most_weight(stream: list[Event]) -> None:
    _, y, w = zip(*stream, strict=True)
    model = sl.PriorClassifier(schema=schema())
    for (x, label, weight), tally in zip(stream, naive.prior(list(y), list(w)), strict=True):
        total = sum(tally.values())
        if total == 0.0:
            assert model.predict_one(x) is None
            assert not any(model.predict_proba_one(x).values())
        else:
            frequencies = model.predict_proba_one(x)
            assert frequencies == pytest.approx({c: tally[c] / total for c in frequencies}, rel=1e-12)
            assert model.predict_one(x) == max(frequencies, key=lambda c: frequencies[c])
        model.learn_one(x, label, weight)


@pytest.mark.parametrize("learner", BOTH)
@MANY
@given(stream=events(LABELS), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws(learner: type[sl.Classifier], stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    check_laws(learner(schema=schema()), stream, cuts, tmp_path / "model")


@pytest.mark.parametrize("learner", BOTH)
def test_declared_classes_without_a_label_are_not_predicted(learner: type[sl.Classifier]) -> None:
    model = learner(schema=sl.Schema.of(["a"], target="y", classes=["no", "yes"]))
    assert model.process(sl.Batch(model.schema, np.zeros((2, 1))), np.array([0, 1])).prediction.tolist() == [-1, -1]
    model.learn_many([{"a": 1.0}] * 3, ["yes", "yes", "no"], [1.0, 1.0, 0.0])
    assert model.predict_one({"a": 1.0}) == "yes"
    assert model.predict_proba_one({"a": 1.0}) == {"no": 0.0, "yes": 1.0}


def test_prior_gives_ties_to_the_lowest_code() -> None:
    model = sl.PriorClassifier()
    for label in ["no", "yes", "yes", "no"]:
        model.learn_one({"a": 1.0}, label)
    assert model.predict_one({"a": 1.0}) == "no"


def test_damaged_states_are_refused() -> None:
    for learner, name in [(sl.NoChangeClassifier, "last"), (sl.PriorClassifier, "best")]:
        model = learner()
        model.learn_one({"a": 1.0}, "no")
        state = model.state()
        state["arrays"][name][0] = 1
        with pytest.raises(sl.StateError, match=name):
            model.restore(state)


@pytest.mark.parametrize(
    ("name", "no_change", "majority"),
    [
        ("electricity", 85.3306, 57.5344),
        ("outdoor", 90.2250, 2.3750),
        ("keystroke", 6.5000, 5.6250),
        ("chess", 56.4612, 60.2386),
        ("phishing", 51.4066, 55.5948),
    ],
)
def test_moa_figures(name: str, no_change: float, majority: float) -> None:
    stream = benchmark_stream(name)
    assert prequential_accuracy(sl.NoChangeClassifier(), stream) == pytest.approx(no_change, abs=5e-5)
    assert prequential_accuracy(sl.PriorClassifier(), stream) == pytest.approx(majority, abs=5e-5)
