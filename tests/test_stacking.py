"""Stacking: equal to the obvious program, better than its members, and honest about what it is made of."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest

import streamlearn as sl
from tests.naive.stacking import Stacking


def members() -> list[sl.Learner]:
    return [sl.NaiveBayes(), sl.NoChangeClassifier(), sl.HoeffdingTreeClassifier(grace_period=20, delta=0.1)]


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_naive_stack(seed: int) -> None:
    rng = random.Random(seed)
    ours = sl.StackingClassifier(members=members(), learning_rate=0.05, memory=20)
    naive = Stacking(members(), learning_rate=0.05, memory=20)
    for i in range(300):
        label = rng.choice("abc" if i > 100 else "ab")
        x = {"u": ord(label) + rng.gauss(0, 1 + seed), "v": rng.choice(["p", "q", label])}
        expected = naive.predict_proba(x)
        assert ours.predict_proba_one(x) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        if expected:
            assert expected[ours.predict_one(x)] == max(expected.values())
        w = rng.choice([1.0, 1.0, 2.0, 0.5, 30.0])
        ours.learn_one(x, label, w)
        naive.learn(x, label, w)
    trust = [{"log": log, "answer": answer} for log, answer in ours.trust().values()]
    for got, wanted in zip(trust, naive.weights, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9)


def test_learns_from_what_members_said_before_they_learned() -> None:
    """Rows that are learned without being predicted, or long after, teach the stack as those predicted right before."""
    rows = [({"x": float(i % 7)}, i % 7 > 3) for i in range(200)]
    at_once, apart = sl.StackingClassifier(members=members()), sl.StackingClassifier(members=members())
    for x, y in rows:
        at_once.predict_one(x)
        at_once.learn_one(x, y)
    apart.learn_many([x for x, _ in rows], [y for _, y in rows])
    assert at_once.trust() == apart.trust()


def test_wins_over_each_of_its_members_on_electricity() -> None:
    def right(learner: sl.Learner) -> int:
        batches = sl.open_stream("electricity").batches(limit=20_000)
        return sum(int((learner.test_then_train_many(b) == b.schema.decode_labels(b.y)).sum()) for b in batches)

    stack = sl.StackingClassifier()
    assert right(stack) > max(right(member) for member in stack.clone()._members)


def test_members_are_cloned_and_may_be_alike() -> None:
    member = sl.NaiveBayes()
    stack = sl.StackingClassifier(members=[member, member])
    stack.learn_one({"x": 1.0}, "a")
    assert member.classes == []
    assert list(stack.trust()) == ["NaiveBayes()", "NaiveBayes() #1"]


@pytest.mark.parametrize("wrong", [[], [sl.LinearRegression()], [sl.StandardScaler()], ["naive_bayes"]])
def test_refuses_what_cannot_vote(wrong: list[object]) -> None:
    with pytest.raises(sl.OptionError, match="members"):
        sl.StackingClassifier(members=wrong)  # type: ignore[arg-type]


def test_refuses_states_that_are_not_its_own() -> None:
    stack = sl.StackingClassifier(members=members())
    stack.learn_one({"x": 1.0}, "a")
    good = stack.state()
    for spoil in (
        lambda s: s["members"].pop(),
        lambda s: s["stacker"]["numbers"].fill(2),
        lambda s: s["stacker"]["weights"].fill(np.nan),
        lambda s: s["stacker"]["squares"].fill(-1.0),
        lambda s: s["stacker"].update(weights=np.zeros((2, 9))),
        lambda s: s["stacker"].pop("squares"),
        lambda s: s["members"][0].update(schema=None),
    ):
        bad = copy.deepcopy(good)
        spoil(bad)
        with pytest.raises(sl.StateError):
            stack.restore(bad)
    assert stack.predict_one({"x": 1.0}) == "a"


def test_large_batches_go_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 3)), rng.integers(0, 4, 500)
    whole, pieces = sl.StackingClassifier(members=members()), sl.StackingClassifier(members=members())
    expected = whole.test_then_train_many(X, y)
    monkeypatch.setattr("streamlearn.algorithms.ensembles.stacking.MOST_VOTES", 7)
    assert list(pieces.test_then_train_many(X, y)) == list(expected)
    assert whole.trust() == pieces.trust()
