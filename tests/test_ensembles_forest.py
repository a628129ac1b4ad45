"""Forests and bags of Hoeffding trees, against what many single trees do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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


def test_threads_change_nothing() -> None:
    rows, labels = mixed(3000)
    alone, together = (sl.OzaBagClassifier(n_models=5, threads=threads, **GROWING) for threads in (1, 3))
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
