"""The Hoeffding tree as users meet it: MOA's figures to every digit, inspection, bounds, parameters."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import streamlearn as sl

ROOT = Path(__file__).parents[1]
REFERENCE = json.loads((ROOT / "benchmarks" / "moa_reference.json").read_text(encoding="utf-8"))
DATA = Path(os.environ.get("STREAMLEARN_DATA", ROOT.parent / "shared" / "data" / "drift"))
SMALL = ["electricity", "outdoor", "keystroke", "chess", "phishing"]
DECIMALS = {"accuracy": 4, "kappa": 2, "kappa_t": 2, "kappa_m": 2}


@pytest.mark.parametrize("name", SMALL)
def test_every_digit_is_moas(name: str) -> None:
    """Accuracy, kappas and the size of the tree, for all learners of the reference; benchmarks/ runs all files."""
    if name != "electricity" and not (DATA / f"{name}.parquet").exists():
        pytest.skip(f"{name}.parquet is not in the data directory")
    stream = name if name == "electricity" else DATA / f"{name}.parquet"
    learners = {label: sl.make_learner(made["ours"]) for label, made in REFERENCE["learners"].items()}
    summary = sl.evaluate(stream, learners, metrics=list(DECIMALS)).summary
    for entry in summary:
        label = entry["learner"]
        ours = {metric: f"{100 * entry[metric]:.{digits}f}" for metric, digits in DECIMALS.items()}
        if "nodes" in entry:
            ours["leaves"] = f"{entry['leaves']} / {entry['depth']}"
            ours["tree"] = f"{entry['nodes']} / {ours['leaves']}"
        expected = REFERENCE["files"][name][label]
        assert {key: ours[key] for key in expected} == expected, label


def trained(rows: int = 20_000, **params: Any) -> sl.HoeffdingTreeClassifier:
    tree = sl.HoeffdingTreeClassifier(**params)
    for batch in sl.open_stream("electricity").batches(limit=rows):
        tree.learn_many(batch)
    return tree


def test_text_and_graphviz_show_every_leaf() -> None:
    tree = trained()
    text = tree.to_text()
    assert text.count(" of ") == tree.n_leaves
    assert "nswprice <= " in text
    assert "day = 1" in text
    dot = tree.to_graphviz()
    assert dot.count(" -> ") == tree.n_nodes - 1
    assert dot.startswith("digraph")
    assert len(tree.to_text(max_depth=1).splitlines()) == 2
    assert sl.HoeffdingTreeClassifier().to_text() == "(nothing learned yet)"


def test_importances_are_shares_of_the_fields_that_split() -> None:
    importances = trained().feature_importances
    assert sum(importances.values()) == pytest.approx(1.0)
    assert min(importances.values()) >= 0.0
    assert importances["day"] > importances["period"] == 0.0


def test_an_explanation_leads_to_the_prediction() -> None:
    tree = trained()
    row = {"nswprice": 0.1, "day": "3", "vicprice": 0.003}
    why = tree.explain_one(row)
    assert why.prediction == tree.predict_one(row)
    assert why.probabilities == tree.predict_proba_one(row)
    assert why.ended_at == "leaf"
    assert why.path[0].startswith("nswprice > ")
    assert repr(why.prediction) in str(why)
    assert tree.explain_one({}).ended_at == "split"
    assert tree.explain_one({}).decided_by == "majority class"
    with pytest.raises(sl.StateError, match="nothing was learned"):
        sl.HoeffdingTreeClassifier().explain_one(row)


def test_leaf_predictions_differ_as_they_say() -> None:
    scores = {
        mode: sl.evaluate(
            "electricity", sl.HoeffdingTreeClassifier(leaf_prediction=mode), metrics=["accuracy"]
        ).summary[0]["accuracy"]
        for mode in ("mc", "nb", "nba")
    }
    assert len(set(scores.values())) == 3


def test_bounds_end_growth_but_not_learning() -> None:
    small = trained(max_nodes=10)
    assert small.n_nodes <= 10
    shallow = trained(max_depth=1)
    assert shallow.height == 1
    tiny = trained(max_active_leaves=3)
    assert tiny.n_nodes < trained().n_nodes
    assert len(tiny.state()["arrays"]["numeric"]) <= 3
    for tree in (small, shallow, tiny):
        before = sum(tree.explain_one({"nswprice": 0.5}).counts.values())
        for _ in range(50):
            tree.learn_one({"nswprice": 0.5}, "UP")
        assert sum(tree.explain_one({"nswprice": 0.5}).counts.values()) == before + 50


def test_gini_and_binary_splits_grow_other_trees() -> None:
    texts = {trained(**p).to_text() for p in ({}, {"split_criterion": "gini"}, {"binary_split": True})}
    assert len(texts) == 3
    assert "≠" in trained(binary_split=True, grace_period=50).to_text()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"grace_period": 0}, "grace_period must be a number > 0"),
        ({"delta": 2.0}, "delta must be"),
        ({"delta": "small"}, "delta must be"),
        ({"leaf_prediction": "NBA"}, "leaf_prediction must be one of 'mc', 'nb', 'nba'"),
        ({"split_criterion": "entropy"}, "split_criterion must be one of"),
        ({"max_depth": 1.5}, "max_depth must be a whole number"),
        ({"binary_split": "yes"}, "binary_split must be true or false"),
        ({"max_share_to_split": 0}, "max_share_to_split"),
        ({"schema": {"a": "numeric"}}, "schema must be a Schema"),
    ],
)
def test_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        sl.HoeffdingTreeClassifier(**params)
