"""EFDT and the Hoeffding Adaptive Tree as users meet them: drift, inspection, bounded state, parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import streamlearn as sl

KINDS = [sl.ExtremelyFastDecisionTreeClassifier, sl.HoeffdingAdaptiveTreeClassifier]


def trained(kind: type[Any], rows: int = 20_000, **params: Any) -> Any:
    tree = kind(**params)
    for batch in sl.open_stream("electricity").batches(limit=rows):
        tree.learn_many(batch)
    return tree


def switching(n: int, concept: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose class depends on field 0 in concept 0, on the opposite of field 1 in concept 1."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return X, (X[:, 0] > 0).astype(np.int64) if concept == 0 else (X[:, 1] < 0).astype(np.int64)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_tree_can_be_seen_and_explained(kind: type[Any]) -> None:
    tree = trained(kind, rows=12_000, grace_period=50, tau=0.2)
    text = tree.to_text()
    assert text.count(" of ") + text.count("(nothing learned yet)") == tree.n_leaves > 3
    assert tree.to_graphviz().count(" -> ") == tree.n_nodes - 1
    assert tree.summary() == {"nodes": tree.n_nodes, "leaves": tree.n_leaves, "depth": tree.height}
    assert sum(tree.feature_importances.values()) == pytest.approx(1.0)
    row = {"nswprice": 0.1, "day": "3", "vicprice": 0.003}
    why = tree.explain_one(row)
    assert why.prediction == tree.predict_one(row)
    assert why.probabilities == tree.predict_proba_one(row)


def test_an_adaptive_tree_forgets_a_concept_that_a_plain_one_keeps() -> None:
    errors = {}
    for name, tree in (("plain", sl.HoeffdingTreeClassifier()), ("adaptive", sl.HoeffdingAdaptiveTreeClassifier())):
        tree.learn_many(*switching(20_000, 0, 1))
        tree.learn_many(*switching(3_000, 1, 2))
        X, y = switching(2_000, 1, 3)
        errors[name] = float((tree.predict_many(X) != y).mean())
    assert errors["adaptive"] < 0.01 < errors["plain"] / 2


def test_an_anytime_tree_replaces_its_first_split_by_a_better_one() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 2))
    early, late = rng.random(60_000) < 0.1, rng.random(60_000) < 0.01
    y = np.where(np.arange(60_000) < 2_000, (X[:, 0] > 0) ^ early, (X[:, 1] > 0) ^ late).astype(np.int64)
    tree = sl.ExtremelyFastDecisionTreeClassifier()
    tree.learn_many(X[:2_000], y[:2_000])
    assert list(tree.feature_importances.values()) == [1.0, 0.0]
    tree.learn_many(X[2_000:], y[2_000:])
    first_test = tree.to_text(max_depth=1).split()[0]
    assert first_test == list(tree.feature_importances)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_state_stays_bounded_on_an_endless_drifting_stream(kind: type[Any]) -> None:
    tree = kind(grace_period=50, tau=0.2, delta=1e-3, max_nodes=200, max_active_leaves=100)
    node, block, window = 64 + 8 * 2 + 8, 2 * 48 * 4 + 8 * 4 + 100, 2600
    for part in range(60):
        tree.learn_many(*switching(3_000, part % 2, part))
        assert tree.n_nodes <= 200
        assert tree.nbytes < 2 * (200 * (node + window) + 100 * block) + 2000  # room is at most doubled


def test_alternates_are_counted_and_seeds_differ() -> None:
    one, two = (trained(sl.HoeffdingAdaptiveTreeClassifier, seed=seed) for seed in (1, 2))
    assert one.n_alternate_trees >= one.n_switch_alternate_trees + one.n_pruned_alternate_trees > 0
    assert one.to_text() != two.to_text()
    plain = [trained(sl.HoeffdingAdaptiveTreeClassifier, seed=s, bootstrap_sampling=False).to_text() for s in (1, 2)]
    assert plain[0] == plain[1]


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (KINDS[0], {"grace_period": 0.5}, "grace_period must be a whole number"),
        (KINDS[0], {"min_samples_reevaluate": 0}, "min_samples_reevaluate must be"),
        (KINDS[1], {"drift_window_threshold": 0}, "drift_window_threshold must be"),
        (KINDS[1], {"switch_significance": 0}, "switch_significance must be"),
        (KINDS[1], {"adwin_delta": 2}, "adwin_delta must be"),
        (KINDS[1], {"bootstrap_sampling": 1}, "bootstrap_sampling must be true or false"),
        (KINDS[1], {"seed": -1}, "seed must be"),
    ],
)
def test_bad_parameters_are_refused_by_name(kind: type[Any], params: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        kind(**params)
