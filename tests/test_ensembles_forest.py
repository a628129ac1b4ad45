"""Forests and bags of Hoeffding trees, against what many single trees do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mixed import benchmark_stream, prequential_accuracy
from streamlearn.algorithms.ensembles.adaptive_random_forest import number_of_features
from streamlearn.algorithms.trees.arrays import ENOUGH, extend, make_tree
from streamlearn.algorithms.trees.member_kernels import Space, clear_at, learn_at, shortage_at, vote_at
from streamlearn.algorithms.trees.one_row import tree_address

import streamlearn as sl
from streamlearn.random import generator, poisson

GROWING: dict[str, Any] = {"grace_period": 20, "delta": 0.1, "tau": 0.2}


def mixed(n: int, seed: int = 0) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows with two numeric and two nominal fields, some values missing; the concept changes half-way."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    labels = []
    for i in range(n):
        u, v, p, q = rng.normal(), rng.uniform(), rng.choice(["a", "b", "c"]), rng.choice(["x", "y"])
        score = (u + v if i < n // 2 else u - 3 * v) + (p == "a")
        rows.append({"u": u if i % 17 else None, "v": v, "p": str(p), "q": str(q) if i % 23 else None})
        labels.append("high" if score > 1 else "middle" if score > 0 else "low")
    return rows, labels


def test_a_bag_is_trees_that_learn_by_poisson_numbers() -> None:
    rows, labels = mixed(1500)
    bag = sl.OzaBagClassifier(n_models=4, seed=7, **GROWING)
    predictions = bag.test_then_train_many(rows, labels)

    trees = [sl.HoeffdingTreeClassifier(**GROWING) for _ in range(4)]
    rngs = [generator(7, member) for member in range(4)]
    for row, label, prediction in zip(rows, labels, predictions.tolist(), strict=True):
        votes: dict[Any, float] = {}
        for tree in trees:
            for known, share in tree.predict_proba_one(row).items():
                votes[known] = votes.get(known, 0.0) + share
        expected = max(votes, key=votes.__getitem__) if votes else bag.classes[0]
        assert prediction == (None if row is rows[0] else expected)
        for tree, rng in zip(trees, rngs, strict=True):
            tree.learn_one(row, label, float(poisson(rng, 1.0)))
    assert [view.n_nodes for view in bag.members] == [tree.n_nodes for tree in trees]
    assert min(tree.n_nodes for tree in trees) > 1


@pytest.mark.parametrize("name", ["OzaBagClassifier", "AdaptiveRandomForestClassifier"])
def test_threads_change_nothing(name: str) -> None:
    rows, labels = mixed(3000)
    alone, together = (getattr(sl, name)(n_models=5, threads=threads, **GROWING) for threads in (1, 3))
    assert alone.test_then_train_many(rows, labels).tolist() == together.test_then_train_many(rows, labels).tolist()
    ours, theirs = alone.state()["arrays"], together.state()["arrays"]
    assert all(same(ours[name], theirs[name]) for name in ours)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(same(a[name], b[name]) for name in a)
    return bool(a.tobytes() == b.tobytes())


def test_one_row_of_one_tree_by_address() -> None:
    """What boosters build on: vote, learn, ask for room, clear; against the tree itself."""
    rows, labels = mixed(1200)
    batch = sl.Schema.infer(rows, target_kind="nominal").encode(rows, labels)
    reference, empty = sl.HoeffdingTreeClassifier(**GROWING), sl.HoeffdingTreeClassifier(**GROWING)
    expected = reference.process(batch, proba=True)
    empty.process(batch, np.empty(0, np.int64))

    arrays = empty._arrays
    C = arrays.counts.shape[1]
    space = Space(np.empty(2), np.empty(2, np.int64), np.empty(C), np.empty(C), np.empty(0, np.int32), 0)
    rng, shares = generator(0), np.empty(C)
    for _ in range(2):
        tree = make_tree(arrays)
        for row in range(len(rows)):
            winner = vote_at(tree_address(tree), batch.X, row, space, shares)
            if row > 0:
                assert winner == expected.prediction[row]
                assert shares[: expected.proba.shape[1]].tolist() == expected.proba[row].tolist()
            while shortage_at(tree_address(tree)) != ENOUGH:
                arrays = extend(arrays)
                tree = make_tree(arrays)
            learn_at(tree_address(tree), rng, batch.X, row, batch.y[row], 1.0, space)
        clear_at(tree_address(tree))
        assert same(sl_state(arrays), sl_state(sl.HoeffdingTreeClassifier(**GROWING)._allocate(empty._shape)))


def sl_state(arrays: Any) -> dict[str, np.ndarray]:
    from streamlearn.algorithms.trees.arrays import trim

    return dict(trim(arrays)._asdict())


@pytest.mark.parametrize(
    ("array", "damage"),
    [
        ("rng", lambda a: a * 0),
        ("rng", lambda a: a[:-1]),
        ("tree_numbers", lambda a: a + 1),
        ("tree_numbers", lambda a: -a),
        ("tree_numbers", lambda a: a[:-1]),
        ("tree_counts", lambda a: a[:-1]),
        ("tree_children", lambda a: a + 1000),
        ("tree_free_blocks", lambda a: a[:-1]),
    ],
)
def test_a_damaged_state_is_refused(array: str, damage: Any) -> None:
    rows, labels = mixed(1000)
    bag = sl.OzaBagClassifier(n_models=3, **GROWING)
    bag.learn_many(rows, labels)
    state = bag.state()
    assert state["arrays"]["tree_children"].size > 0
    state["arrays"][array] = damage(state["arrays"][array])
    with pytest.raises(sl.StateError):
        bag.restore(state)


@pytest.mark.parametrize(
    ("array", "damage"),
    [
        ("slots", lambda a: a + 1),
        ("slots", lambda a: np.zeros_like(a)),
        ("slots", lambda a: a * -1),
        ("seen", lambda a: a * 0),
        ("seen", lambda a: a + 1),
        ("numbers", lambda a: a + 1),
        ("windows", lambda a: a + 1),
        ("tree_fields", lambda a: a * 0),
        ("tree_fields", lambda a: a + 1),
        ("tree_n_fields", lambda a: a + 3),
    ],
)
def test_a_damaged_forest_is_refused(array: str, damage: Any) -> None:
    rows, labels = mixed(1000)
    forest = sl.AdaptiveRandomForestClassifier(n_models=3, **GROWING)
    forest.learn_many(rows, labels)
    state = forest.state()
    state["arrays"][array] = damage(state["arrays"][array])
    with pytest.raises(sl.StateError, match=array.removeprefix("tree_")):
        forest.restore(state)


def test_trees_are_replaced_on_a_drift() -> None:
    """After the concept has changed the forest that watches errs less; without a background tree, one begins anew."""
    rows, labels = mixed(6000)
    watchful = sl.AdaptiveRandomForestClassifier(seed=1)
    abrupt = sl.AdaptiveRandomForestClassifier(seed=1, warning_delta=None)
    still = sl.AdaptiveRandomForestClassifier(seed=1, drift_delta=None)
    right = {}
    for forest in (watchful, abrupt, still):
        predictions = forest.test_then_train_many(rows, labels)
        right[forest] = sum(p == y for p, y in zip(predictions[3500:], labels[3500:], strict=True))
    assert min(right[watchful], right[abrupt]) > right[still]
    assert watchful.n_drifts_detected() > 0 < watchful.n_warnings_detected()
    assert watchful.n_drifts_detected() == sum(watchful.n_drifts_detected(tree) for tree in range(10))
    assert abrupt.n_drifts_detected() > 0 == abrupt.n_warnings_detected()
    assert still.n_drifts_detected() == still.n_warnings_detected() == 0


@pytest.mark.parametrize(
    ("max_features", "numbers"),
    [
        (0.6, [1, 1, 2, 2, 3, 5, 32]),
        ("sqrt", [1, 1, 2, 2, 2, 3, 7]),
        (3, [1, 2, 3, 3, 3, 3, 3]),
        (None, [1, 2, 3, 4, 5, 8, 54]),
    ],
)
def test_how_many_fields_a_leaf_draws(max_features: Any, numbers: list[int]) -> None:
    assert [number_of_features(max_features, n) for n in (1, 2, 3, 4, 5, 8, 54)] == numbers


@pytest.mark.parametrize(
    "params",
    [
        {"max_features": 0.0},
        {"max_features": 1.5},
        {"max_features": 0},
        {"max_features": "all"},
        {"max_features": True},
        {"lambda_value": 0},
        {"drift_delta": 0.0},
        {"warning_delta": 2.0},
        {"n_models": 0},
        {"threads": 0},
        {"seed": -1},
        {"grace_period": 0},
    ],
)
def test_parameters_out_of_range_are_named(params: dict[str, Any]) -> None:
    with pytest.raises(sl.OptionError, match=next(iter(params))):
        sl.AdaptiveRandomForestClassifier(**params)


MOA = {
    ("electricity", "AdaptiveRandomForestClassifier"): 89.46,
    ("electricity", "OzaBagClassifier"): 82.45,
    ("outdoor", "AdaptiveRandomForestClassifier"): 63.61,
    ("outdoor", "OzaBagClassifier"): 56.19,
    ("keystroke", "AdaptiveRandomForestClassifier"): 91.19,
    ("keystroke", "OzaBagClassifier"): 82.19,
    ("chess", "AdaptiveRandomForestClassifier"): 74.95,
    ("chess", "OzaBagClassifier"): 68.92,
    ("phishing", "AdaptiveRandomForestClassifier"): 94.14,
    ("phishing", "OzaBagClassifier"): 90.93,
}
"""Mean accuracy of MOA's ensembles of 10 over three seeds, in percent."""


@pytest.mark.parametrize(("stream", "name"), MOA)
def test_accuracy_is_not_below_that_of_moa(stream: str, name: str) -> None:
    found, short = [], stream in ("keystroke", "chess")
    for seed in range(1, 13) if short else (1, 2, 3):
        model = getattr(sl, name)(seed=seed)
        if stream == "electricity":
            found.append(100.0 * sl.evaluate(stream, model, metrics=["accuracy"]).summary[0]["accuracy"])
        else:
            found.append(prequential_accuracy(model, benchmark_stream(stream)))
    assert np.mean(found) > MOA[stream, name] - (1.0 if short else 0.3)
