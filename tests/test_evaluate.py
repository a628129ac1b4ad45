"""`sl.evaluate`: the numbers of the plain loop, several learners and seeds, every kind of stream, honest errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from river import datasets, linear_model, metrics, naive_bayes, preprocessing
from river import evaluate as river_evaluate
from sklearn.linear_model import SGDClassifier, SGDRegressor

import streamlearn as sl


def rows(n: int = 600) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(n):
        u, v = rng.normal(size=2)
        made.append(
            {"u": float(u), "v": float(v), "p": str(rng.choice(["a", "b"])), "target": "up" if u > v else "down"}
        )
    return made


def test_accuracy_is_that_of_the_plain_loop() -> None:
    stream = rows()
    model = sl.NaiveBayes()
    right = 0
    for row in stream:
        x = {name: value for name, value in row.items() if name != "target"}
        right += model.predict_one(x) == row["target"]
        model.learn_one(x, row["target"])
    result = sl.evaluate(stream, sl.NaiveBayes(), metrics=["accuracy"])
    assert result.summary[0]["accuracy"] == pytest.approx(right / len(stream), abs=1e-15)
    assert result.summary[0]["rows"] == len(stream)


def test_every_form_of_a_stream_gives_the_same(tmp_path: Path) -> None:
    stream = rows()
    table = pa.Table.from_pylist(stream).select(["p", "u", "v", "target"])  # dicts' fields are sorted

    pa.csv.write_csv(table, tmp_path / "s.csv")
    pa.parquet.write_table(table, tmp_path / "s.parquet")
    forms: list[Any] = [stream, table, table.to_pandas(), tmp_path / "s.csv", str(tmp_path / "s.parquet")]
    forms.append([({k: v for k, v in row.items() if k != "target"}, row["target"]) for row in stream])
    scores = [sl.evaluate(form, sl.NaiveBayes(), metrics=["accuracy", "kappa"]).summary[0] for form in forms]
    assert len({(score["accuracy"], score["kappa"]) for score in scores}) == 1


def test_the_learner_given_is_trained() -> None:
    model = sl.NaiveBayes()
    sl.evaluate(rows(), model)
    assert model.predict_one({"u": 3.0, "v": -3.0, "p": "a"}) == "up"


def test_several_learners_in_one_pass_do_not_influence_each_other() -> None:
    alone = sl.evaluate(rows(), sl.NaiveBayes()).summary[0]["accuracy"]
    together = sl.evaluate(rows(), [sl.NoChangeClassifier(), sl.NaiveBayes(), sl.LogisticRegression()])
    assert together.summary[1]["accuracy"] == alone
    assert together.labels == ("NoChangeClassifier", "NaiveBayes", "LogisticRegression")


def test_who_names_no_learner_gets_the_one_that_suits_the_target() -> None:
    chosen = sl.evaluate(rows(300))
    assert [run.label for run in chosen.runs] == ["stacking_classifier"]
    X = np.random.default_rng(0).normal(size=(300, 2))
    several = sl.compare({"numbers": (X, X @ [1.0, 2.0]), "more": (X, X[:, 0])})
    assert [result.task for result in several.results] == ["regression", "regression"]


def test_labels_tell_learners_apart() -> None:
    pair = [sl.HoeffdingTreeClassifier(), sl.HoeffdingTreeClassifier(grace_period=50)]
    labels = sl.evaluate(rows(50), pair).labels
    assert labels == ("HoeffdingTreeClassifier()", "HoeffdingTreeClassifier(grace_period=50)")


def test_a_limit_stops_the_pass() -> None:
    assert sl.evaluate(rows(), sl.NaiveBayes(), limit=123).summary[0]["rows"] == 123


def test_a_river_model_scores_what_river_says() -> None:
    theirs = metrics.Accuracy()
    river_evaluate.progressive_val_score(datasets.Phishing(), naive_bayes.GaussianNB(), theirs)
    ours = sl.evaluate(datasets.Phishing(), naive_bayes.GaussianNB(), metrics=["accuracy"])
    # River leaves the first row, for which there is no prediction, out of its score.
    assert ours.summary[0]["accuracy"] == pytest.approx(theirs.get(), abs=1.0 / 1250)
    assert ours.labels == ("GaussianNB",)


def test_our_learner_in_rivers_evaluation() -> None:
    score = metrics.Accuracy()
    river_evaluate.progressive_val_score(datasets.Phishing(), sl.NaiveBayes(), score)
    ours = sl.evaluate(datasets.Phishing(), sl.NaiveBayes(), metrics=["accuracy"])
    assert ours.summary[0]["accuracy"] == pytest.approx(score.get(), abs=1.0 / 1250)


def test_our_learner_in_a_pipeline_of_river() -> None:
    model = preprocessing.StandardScaler() | sl.LogisticRegression()
    score = metrics.Accuracy()
    river_evaluate.progressive_val_score(datasets.Phishing(), model, score)
    assert score.get() > 0.8


def test_rivers_regressors_and_ours() -> None:
    result = sl.evaluate(
        datasets.TrumpApproval(),
        {"river": preprocessing.StandardScaler() | linear_model.LinearRegression(), "ours": sl.LinearRegression()},
    )
    assert result.metrics == ("mae", "rmse", "r2")
    assert all(entry["mae"] < 10 for entry in result.summary)


def test_scikit_learn() -> None:
    stream = [{**row, "p": {"a": 0.0, "b": 1.0}[row["p"]]} for row in rows()]
    exact = sl.from_sklearn(SGDClassifier(random_state=0), classes=["up", "down"])
    faster = sl.from_sklearn(SGDClassifier(random_state=0), classes=["up", "down"], rows_per_step=50)
    result = sl.evaluate(stream, {"exact": exact, "faster": faster})
    assert all(entry["accuracy"] > 0.8 for entry in result.summary)
    with pytest.raises(sl.InputError, match="classes="):
        sl.evaluate(stream, SGDClassifier())
    targets = [{"u": row["u"], "target": 3.0 * row["u"]} for row in stream]
    assert sl.evaluate(targets, SGDRegressor(random_state=0)).summary[0]["r2"] > 0.5


def test_seeds_of_a_model_with_randomness() -> None:
    from river import forest

    result = sl.evaluate(rows(200), forest.ARFClassifier(n_models=2), seeds=[1, 2], metrics=["accuracy"])
    assert result.summary[0]["seeds"] == 2
    assert "accuracy_std" in result.summary[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sl.evaluate(rows(), []), "at least one learner"),
        (
            lambda: sl.evaluate(rows(), [sl.NaiveBayes(), sl.LinearRegression()]),
            "all be classifiers, or all regressors",
        ),
        (lambda: sl.evaluate(rows(), sl.StandardScaler()), "all be classifiers"),
        (lambda: sl.evaluate(rows(), sl.NaiveBayes(), metrics=["acuracy"]), "did you mean accuracy"),
        (lambda: sl.evaluate(rows(), sl.NaiveBayes(), limit=0), "limit must be at least 1"),
        (lambda: sl.evaluate(rows(), 3), "not a learner"),
        (lambda: sl.evaluate(3, sl.NaiveBayes()), "can't open a int as a stream"),
        (lambda: sl.evaluate("electrcity", sl.NaiveBayes()), "electricity"),
        (lambda: sl.evaluate([], sl.NaiveBayes()), "no rows"),
        (lambda: sl.evaluate(rows(), sl.NaiveBayes(), target="label"), "no target column 'label'"),
        (lambda: sl.evaluate([{"x": 1}], sl.NaiveBayes()), "say which column is the target"),
        (lambda: sl.evaluate((np.zeros((3, 1)), [1, 2]), sl.NaiveBayes()), "X has 3 rows, y has 2"),
    ],
)
def test_errors_say_what_to_do(call: Any, message: str) -> None:
    with pytest.raises(sl.StreamlearnError, match=message):
        call()


def test_positions_of_every_source_in_memory() -> None:
    stream = rows(30)
    sources: list[Any] = [stream, pa.Table.from_pylist(stream), (np.arange(30.0).reshape(30, 1), list("ab" * 15))]
    for form in sources:
        source = sl.open_stream(form)
        source.poll(7)
        position = source.position()
        after = source.poll(5)
        source.seek(position)
        again = source.poll(5)
        assert after is not None
        assert again is not None
        np.testing.assert_array_equal(after.X, again.X)
        np.testing.assert_array_equal(after.y, again.y)
        with pytest.raises(sl.InputError, match="can't seek"):
            source.seek({"row": -1})


def test_batches_made_by_hand_are_checked() -> None:
    schema = sl.Schema.of(["a", "b"], target="y", classes=["no", "yes"])
    model = sl.NaiveBayes(schema=schema)
    for X, y in [(np.zeros((3, 3)), [0, 1, 0]), (np.zeros((3, 2)), [0, 1, 2]), (np.zeros((3, 2)), [0, 1])]:
        with pytest.raises(sl.InputError, match="the batch's"):
            model.process(sl.Batch(schema, X, np.array(y)))
    with pytest.raises(sl.InputError, match="rows outside"):
        model.process(sl.Batch(schema, np.zeros((3, 2)), np.array([0, 1, 0])), np.array([3]))
    short = model.process(sl.Batch(schema, np.zeros((3, 1)), np.array([0, 1, 0])))  # the second field is missing
    assert short.prediction.tolist() == [-1, 0, 0]


def test_a_transformer_refuses_what_would_lead_it_astray() -> None:
    schema = sl.Schema.of(["a", "b"], target="y", classes=["no", "yes"])
    scaler = sl.StandardScaler(schema=schema)
    with pytest.raises(sl.InputError, match="rows outside"):
        scaler.transform(sl.Batch(schema, np.zeros((3, 2))), np.array([3]))
    with pytest.raises(sl.InputError, match="the batch's"):
        scaler.transform(sl.Batch(schema, np.zeros((3, 3))), np.array([0]))
    narrow = scaler.transform(sl.Batch(schema, np.zeros((3, 1))), np.array([~0, 1]))
    assert narrow.tolist() == [[0.0], [0.0]]


def test_sizes_and_class_scores_are_taken_along_the_stream() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    learners = {"tree": sl.HoeffdingTreeClassifier(), "river": naive_bayes.GaussianNB()}
    tree, river = sl.evaluate((X, y), learners, metrics=["accuracy"], limit=10_000).runs
    assert tree.memory is not None
    assert tree.memory.column("row").to_pylist() == [8192, 10_000]
    sizes = tree.memory.column("model_bytes").to_pylist()
    assert sizes[0] <= sizes[1] == tree.model_bytes
    assert 0.0 < tree.ram_hours <= 1.000001 * sizes[1] / 2**30 * tree.wall_seconds / 3600
    assert river.memory is None  # how much a Python object holds isn't known
    assert math.isnan(river.ram_hours)
    assert tree.class_curve is not None
    assert tree.class_curve.column("row").to_pylist()[::2] == tree.curve.column("row").to_pylist()


def test_probability_metrics_agree_with_rivers() -> None:
    model, theirs = naive_bayes.GaussianNB(), metrics.ROCAUC(n_thresholds=2000)
    X, y = np.random.default_rng(1).normal(size=(1500, 2)), np.tile([True, False], 750)
    X[y] += 0.7
    result = sl.evaluate((X, y), model, metrics=["roc_auc"])
    twin = model.clone()
    for x, label in zip(X, y, strict=True):
        row = {"0": x[0], "1": x[1]}
        theirs.update(bool(label), twin.predict_proba_one(row))
        twin.learn_one(row, bool(label))
    assert result.summary[0]["roc_auc"] == pytest.approx(theirs.get(), abs=0.01)
