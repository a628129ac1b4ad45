"""Prequential metrics agree with scikit-learn and with a version computed from scratch, however the rows are cut."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import metrics as naive
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from streamlearn.errors import InputError, OptionError, StateError, UnknownNameError
from streamlearn.evaluation import METRICS, ClassificationMetrics, RegressionMetrics, needs_proba
from streamlearn.evaluation.kernels import CLASSIFICATION, FADED, REGRESSION
from streamlearn.evaluation.metrics import DEFAULT_METRICS, VIEWS, check_metrics
from streamlearn.evaluation.probability_kernels import PROBABILITY, RANK_BINS, rank_bin

EVERYTHING = settings(max_examples=60, deadline=None)


def stream(seed: int, n: int, classes: int, missing: float = 0.0, unlabelled: float = 0.0) -> dict[str, np.ndarray]:
    """Labels with runs, predictions that are often right, fractional weights, unnormalised probabilities."""
    rng = np.random.default_rng(seed)
    y = np.repeat(rng.integers(0, classes, n), rng.integers(1, 4, n))[:n]
    prediction = np.where(rng.random(n) < 0.6, y, rng.integers(0, classes, n))
    prediction[rng.random(n) < missing] = -1
    y[rng.random(n) < unlabelled] = -1
    proba = rng.random((n, classes)) * rng.integers(0, 2, (n, classes))
    return {"y": y, "prediction": prediction, "weight": rng.choice([0.0, 0.1, 0.5, 1.0, 3.0], n), "proba": proba}


def cut(columns: dict[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    return {name: column[start:stop] for name, column in columns.items()}


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two states are equal bit for bit."""
    arrays, others = left["arrays"], right["arrays"]
    return (
        left["parameters"] == right["parameters"]
        and arrays.keys() == others.keys()
        and all(arrays[name].tobytes() == others[name].tobytes() for name in arrays)
    )


def as_bytes(table: pa.Table) -> dict[str, bytes]:
    """A table bit for bit: for Arrow itself, NaN differs from NaN."""
    return {name: table.column(name).to_numpy().tobytes() for name in table.column_names}


def from_scratch(
    columns: dict[str, np.ndarray], view: str, window: int, fading: float, declared: bool
) -> dict[str, float]:
    rows = naive.labelled_rows(
        columns["y"].tolist(),
        columns["prediction"].tolist(),
        columns["weight"].tolist(),
        columns["proba"].tolist(),
        declared=declared,
    )
    return naive.classification(rows, naive.weights(rows, view, window, fading), FADED if view == "fading" else 0.0)


def assert_close(found: dict[str, float], expected: dict[str, float]) -> None:
    """Whether classification metrics agree, ``expected`` being empty where nothing has any weight."""
    if not expected:
        assert all(math.isnan(value) for value in found.values())
        return
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-9, abs=1e-9, nan_ok=True), name


# -- classification ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_agrees_with_scikit_learn(classes: int) -> None:
    data = stream(1, 3000, classes)
    data["weight"] = np.random.default_rng(0).random(3000)
    y, prediction, weight = data["y"], data["prediction"], data["weight"]
    metrics = ClassificationMetrics(metrics=CLASSIFICATION, window=700)
    metrics.update(**data)
    for view, part in (("cumulative", slice(None)), ("window", slice(-700, None))):
        found = metrics.values(view)
        args, kwargs = (y[part], prediction[part]), {"sample_weight": weight[part]}
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(*args, **kwargs))
        assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(*args, **kwargs))
        assert found["kappa"] == pytest.approx(sk.cohen_kappa_score(*args, **kwargs))
        for average in ("micro", "macro", "weighted"):
            precision, recall, f1, _ = sk.precision_recall_fscore_support(
                *args, average=average, zero_division=0, **kwargs
            )
            assert found[f"f1_{average}"] == pytest.approx(f1)
            if average != "micro":
                assert found[f"precision_{average}"] == pytest.approx(precision)
                assert found[f"recall_{average}"] == pytest.approx(recall)
    np.testing.assert_allclose(metrics.confusion, sk.confusion_matrix(y, prediction, sample_weight=weight))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        y, prediction, zero_division=0, sample_weight=weight
    )
    scores = metrics.per_class()
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("support", support)):
        np.testing.assert_allclose(scores[name], expected)


def test_log_loss_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    y, proba = rng.integers(0, 3, 500), rng.dirichlet([1.0, 1.0, 1.0], 500)
    metrics = ClassificationMetrics(metrics=["log_loss"])
    metrics.update(y, proba.argmax(axis=1), None, 7.0 * proba)
    assert metrics.values()["log_loss"] == pytest.approx(sk.log_loss(y, proba))


def test_log_loss_of_rows_without_probabilities_and_of_certain_errors() -> None:
    metrics = ClassificationMetrics(metrics=["log_loss"], window=1)
    for row, expected in (
        ([0.0, 0.0, 0.0], math.log(2)),  # two classes seen
        ([math.nan, 1.0, 0.0], math.log(2)),
        ([math.inf, 1.0, 0.0], math.log(2)),
        ([0.0, 1.0, 0.0], -math.log1p(-1e-15)),
        ([1.0, 0.0, 0.0], -math.log(1e-15)),
        ([0.5], -math.log(1e-15)),  # no column for the class
        ([], math.log(2)),
    ):
        metrics.update(np.array([1]), np.array([0]), None, np.array([row]))
        assert metrics.values("window")["log_loss"] == pytest.approx(expected, rel=1e-12)


def test_kappas_by_hand() -> None:
    """Ten rows worked out on paper: the majority counts the current label, the first previous label is class 0."""
    y = np.array([0, 0, 1, 1, 1, 0, 1, 1, 0, 1])
    prediction = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1, 1])
    metrics = ClassificationMetrics(metrics=["accuracy", "kappa", "kappa_m", "kappa_t"])
    metrics.update(y, prediction)
    # majority right: rows 0, 1 (0), 4 (1 leads 3:2), 5 (tie 3:3 goes to 0), 6, 7, 9; previous right: 0, 1, 3, 4, 7
    assert metrics.values() == {
        "accuracy": pytest.approx(0.7),
        "kappa": pytest.approx((0.7 - (0.4 * 0.3 + 0.6 * 0.7)) / (1.0 - (0.4 * 0.3 + 0.6 * 0.7))),
        "kappa_m": pytest.approx((0.7 - 0.7) / 0.3, abs=1e-12),
        "kappa_t": pytest.approx((0.7 - 0.5) / 0.5),
    }


@EVERYTHING
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 120),
    classes=st.integers(1, 11),
    window=st.integers(1, 50),
    fading=st.sampled_from([0.7, 0.9, 0.999, 1.0]),
    declared=st.booleans(),
)
def test_every_view_equals_a_computation_from_scratch(
    seed: int, n: int, classes: int, window: int, fading: float, declared: bool
) -> None:
    data = stream(seed, n, classes, missing=0.1, unlabelled=0.2)
    metrics = ClassificationMetrics(metrics=CLASSIFICATION, window=window, fading=fading, every=7, declared=declared)
    metrics.update(**data)
    for view in VIEWS:
        assert_close(metrics.values(view), from_scratch(data, view, window, fading, declared))
    labelled = np.flatnonzero(data["y"] >= 0) + 1
    due = labelled[6::7].tolist() + ([n] if len(labelled) % 7 else [])
    curve = metrics.curve()
    assert curve.column("row").to_pylist() == due
    for i, row in enumerate(due):
        expected = from_scratch(cut(data, 0, row), "window", window, fading, declared)
        found = {name: curve.column(f"{name}_window")[i].as_py() for name in CLASSIFICATION}
        assert_close(found, expected)


@EVERYTHING
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    metrics=st.sampled_from([DEFAULT_METRICS["classification"], CLASSIFICATION, (*PROBABILITY, *CLASSIFICATION)]),
)
def test_cutting_rows_into_calls_changes_nothing(seed: int, cuts: list[int], metrics: tuple[str, ...]) -> None:
    data = stream(seed, 300, 20, missing=0.05, unlabelled=0.1)
    options: dict[str, Any] = {"metrics": metrics, "window": 40, "every": 3, "fading": 0.5}
    whole, pieces = ClassificationMetrics(**options), ClassificationMetrics(**options)
    whole.update(**data)
    edges = [0, *sorted(cuts), 300]
    for start, stop in pairwise(edges):
        pieces.update(**cut(data, start, stop))
        pieces.values("window")  # looking changes nothing either
    assert same(whole.state(), pieces.state())
    assert as_bytes(whole.curve()) == as_bytes(pieces.curve())
    assert whole.class_curve() == pieces.class_curve()
    assert whole.calibration() == pieces.calibration()


@EVERYTHING
@given(seed=st.integers(0, 10_000), at=st.integers(0, 200))
def test_resumes_bit_for_bit_at_any_row(seed: int, at: int) -> None:
    data = stream(seed, 200, 20, missing=0.05, unlabelled=0.1)
    wanted = (*PROBABILITY[::-1], *CLASSIFICATION)
    options: dict[str, Any] = {"metrics": wanted, "window": 30, "every": 2, "declared": True, "n_classes": 3}
    whole, first, second = (ClassificationMetrics(**options) for _ in range(3))
    whole.update(**data)
    first.update(**cut(data, 0, at))
    second.update(**stream(99, 17, 12))  # whatever was there before is gone after restore
    second.restore(first.state())
    assert same(first.state(), second.state())
    first.update(**stream(98, 40, 30))  # a state shares nothing with its metrics
    second.update(**cut(data, at, 200))
    assert same(whole.state(), second.state())
    assert as_bytes(second.curve()) == as_bytes(whole.curve())
    assert second.class_curve() == whole.class_curve()
    assert second.calibration() == whole.calibration()


def test_classes_grow_past_every_capacity() -> None:
    y = np.arange(3000) % 1500
    metrics = ClassificationMetrics(metrics=["accuracy", "f1_macro"], every=100)
    metrics.update(y[:1000], y[:1000])
    assert metrics.confusion is not None
    np.testing.assert_array_equal(metrics.confusion, np.eye(1000))
    metrics.update(y[1000:], y[1000:])
    assert metrics.n_known == 1500
    assert metrics.values() == {"accuracy": 1.0, "f1_macro": 1.0}
    assert metrics.per_class()["support"].tolist() == [2.0] * 1500
    assert metrics.confusion is None  # too large to keep


def test_points_outgrow_their_first_room() -> None:
    y = np.arange(1000) % 2
    metrics = ClassificationMetrics(metrics=["accuracy"], every=1)
    metrics.update(y, np.zeros(1000, np.int64))
    assert metrics.curve().column("row").to_pylist() == list(range(1, 1001))
    np.testing.assert_allclose(metrics.curve().column("accuracy"), np.cumsum(y == 0) / np.arange(1, 1001))


def test_long_streams_do_not_overflow_the_fading_view() -> None:
    """With a factor of 0.5 the growing weights are rescaled every 300 rows."""
    y = np.random.default_rng(5).integers(0, 3, 5000)
    prediction = np.where(np.random.default_rng(6).random(5000) < 0.7, y, 0)
    metrics = ClassificationMetrics(metrics=CLASSIFICATION[:-1], fading=0.5)
    metrics.update(y, prediction)
    rows = naive.labelled_rows(y.tolist(), prediction.tolist())
    expected = naive.classification(rows, naive.weights(rows, "fading", 1, 0.5), FADED)
    assert_close(metrics.values("fading"), {name: expected[name] for name in CLASSIFICATION[:-1]})


def test_a_class_leaves_the_fading_view_once_it_weighs_nothing() -> None:
    y = np.array([1] + [0] * 60)
    metrics = ClassificationMetrics(metrics=["f1_macro"], fading=0.5)
    metrics.update(y[:20], np.zeros(20, np.int64))
    assert metrics.values("fading")["f1_macro"] == pytest.approx(0.5, abs=0.01)
    metrics.update(y[20:], np.zeros(41, np.int64))
    assert metrics.values("fading")["f1_macro"] == pytest.approx(1.0)
    assert metrics.values()["f1_macro"] < 0.51


def test_missing_predictions_are_wrong_unless_classes_are_declared() -> None:
    y, none = np.array([0, 1]), np.array([-1, -1])
    wrong, first = (
        ClassificationMetrics(metrics=["accuracy"]),
        ClassificationMetrics(metrics=["accuracy"], declared=True),
    )
    wrong.update(y, none)
    first.update(y, none)
    assert (wrong.values()["accuracy"], first.values()["accuracy"]) == (0.0, 0.5)
    assert wrong.confusion is not None
    assert first.confusion is not None
    assert (wrong.confusion.sum(), first.confusion.tolist()) == (0.0, [[1.0, 0.0], [1.0, 0.0]])
    assert wrong.per_class()["support"].tolist() == [1.0, 1.0]
    assert (wrong.unpredicted, first.unpredicted) == (2, 2)


def test_unlabelled_rows_are_only_counted() -> None:
    metrics = ClassificationMetrics(metrics=["accuracy"], every=2)
    metrics.update(np.array([0, -1, -1, 0, -1]), np.array([0, 5000, 1, 1, 1]))
    assert (metrics.rows, metrics.labelled, metrics.n_known) == (5, 2, 2)
    assert metrics.curve().to_pydict() == {
        "row": [4], "accuracy": [0.5], "accuracy_fading": [pytest.approx(0.999 / 1.999)], "accuracy_window": [0.5]
    }  # fmt: skip


def test_undefined_metrics_are_nan() -> None:
    metrics = ClassificationMetrics(metrics=CLASSIFICATION[:-1])
    assert all(math.isnan(value) for view in VIEWS for value in metrics.values(view).values())
    assert metrics.curve().num_rows == 0
    metrics.update(np.zeros(10, np.int64), np.zeros(10, np.int64))
    values = metrics.values()
    assert [name for name, value in values.items() if math.isnan(value)] == ["kappa", "kappa_m", "kappa_t"]
    assert values["accuracy"] == values["f1_macro"] == 1.0


def test_fractional_weights_leave_no_phantom_class_in_the_window() -> None:
    """Adding and subtracting 0.1 and 0.7 would leave a residue of class 1, and halve the macro F1."""
    y = np.array([1, 1, 1, 0, 0, 0])
    metrics = ClassificationMetrics(metrics=["f1_macro"], window=3)
    metrics.update(y, y, np.array([0.1, 0.7, 0.2, 1.0, 1.0, 1.0]))
    metrics.update(np.array([0]), np.array([0]))
    assert metrics.values("window") == {"f1_macro": 1.0}


# -- classes over the window -------------------------------------------------------------------------------------------


def test_the_curve_of_each_class_is_its_scores_over_the_window() -> None:
    data = stream(4, 130, 60)
    metrics = ClassificationMetrics(metrics=["accuracy"], window=40, every=25)
    metrics.update(**data)
    curve = metrics.class_curve()
    assert sorted(set(curve.column("row").to_pylist())) == [25, 50, 75, 100, 125, 130]
    for row in (25, 75, 130):
        recent = cut(data, max(row - 40, 0), row)
        seen = [c for c in range(50) if recent["weight"] @ ((recent["y"] == c) | (recent["prediction"] == c)) > 0.0]
        precision, recall, f1, support = sk.precision_recall_fscore_support(
            recent["y"], recent["prediction"], labels=seen, sample_weight=recent["weight"], zero_division=0
        )
        own = [point for point in curve.to_pylist() if point["row"] == row]
        assert [point["class"] for point in own] == seen
        for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("support", support)):
            np.testing.assert_allclose([point[name] for point in own], expected, err_msg=name)


# -- probabilities -----------------------------------------------------------------------------------------------------


def likely(seed: int, n: int, classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that tell much about them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + (y[:, None] == np.arange(classes))
    p = np.exp(sharpness * logits)
    return y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 8.0, 80.0])
def test_probabilities_agree_with_scikit_learn(classes: int, sharpness: float) -> None:
    y, p = likely(2, 6000, classes, sharpness)
    weight = np.random.default_rng(0).random(6000)
    metrics = ClassificationMetrics(metrics=PROBABILITY, window=500)
    metrics.update(y, p.argmax(axis=1), weight, 4.0 * p)
    p /= p.sum(axis=1, keepdims=True)  # to the last bit, on which ties depend where learners are nearly certain
    for view, part, error in (("cumulative", slice(None), 2e-4), ("window", slice(-500, None), 1e-12)):
        found, truth, own, w = metrics.values(view), y[part], p[part], weight[part]
        brier = sk.brier_score_loss(truth, own, sample_weight=w, labels=np.arange(classes), scale_by_half=False)
        assert found["brier"] == pytest.approx(brier)
        shown = own[:, 1] if classes == 2 else own
        if classes == 2:
            area = sk.roc_auc_score(truth, shown, sample_weight=w)
        else:
            area = sk.roc_auc_score(truth, shown, sample_weight=w, multi_class="ovr")
        assert found["roc_auc"] == pytest.approx(area, abs=error)


def test_calibration_agrees_with_scikit_learn() -> None:
    y, p = likely(3, 5000, 2, 3.0)
    metrics = ClassificationMetrics(metrics=["calibration_error"])
    metrics.update(y, p.argmax(axis=1), None, p)
    right, top = p.argmax(axis=1) == y, p.max(axis=1)
    accuracy, confidence = calibration_curve(right, top, n_bins=15)
    bins = metrics.calibration()
    assert bins is not None
    np.testing.assert_allclose([entry["accuracy"] for entry in bins], accuracy)
    np.testing.assert_allclose([entry["confidence"] for entry in bins], confidence)
    weight = np.array([entry["weight"] for entry in bins])
    assert weight.sum() == 5000
    assert all(entry["low"] <= entry["confidence"] <= entry["high"] for entry in bins)
    expected = np.average(np.abs(accuracy - confidence), weights=weight)
    assert metrics.values()["calibration_error"] == pytest.approx(expected)
    assert ClassificationMetrics(metrics=["log_loss"]).calibration() is None


@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-308, 2.0**-49, 0.1, 0.25, 0.5, 0.7, 1.0 - 2.0**-49, 1.0 - 2.0**-53, 1.0])
def test_bins_keep_the_order_of_probabilities(p: float) -> None:
    lower = [q for q in (0.0, 0.5 * p, 0.98 * p, math.nextafter(p, 0.0)) if q < p]
    assert all(rank_bin(q) <= rank_bin(p) for q in lower)
    assert 0 <= rank_bin(p) < RANK_BINS
    assert rank_bin(0.5 * p) < rank_bin(p) or p == 0.0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 70),
    classes=st.integers(1, 7),
    window=st.integers(1, 30),
    fading=st.sampled_from([0.5, 0.9, 1.0]),
)
def test_every_view_of_probabilities_equals_a_computation_from_scratch(
    seed: int, n: int, classes: int, window: int, fading: float
) -> None:
    data = stream(seed, n, classes, missing=0.1, unlabelled=0.2)
    data["proba"] **= np.array([20.0, 200.0])[seed % 2]  # some of them nearly 0, and many equal
    data["proba"][::3] = np.round(data["proba"][::3], 1)
    metrics = ClassificationMetrics(metrics=PROBABILITY, window=window, fading=fading, every=9)
    metrics.update(**data)
    curve = metrics.curve()
    for stop in [*curve.column("row").to_pylist(), n]:
        columns = {name: values[:stop].tolist() for name, values in data.items()}
        rows = naive.labelled_rows(columns["y"], columns["prediction"], columns["weight"], columns["proba"])
        for view in VIEWS if stop == n else ("window",):
            faded = FADED if view == "fading" else 0.0
            expected = naive.probability(rows, naive.weights(rows, view, window, fading), view != "window", faded)
            if stop == n:
                assert_close(metrics.values(view), expected)
            else:
                i = curve.column("row").to_pylist().index(stop)
                assert_close({name: curve.column(f"{name}_window")[i].as_py() for name in PROBABILITY}, expected)


def test_a_class_that_comes_late_had_no_probability_before() -> None:
    metrics = ClassificationMetrics(metrics=["roc_auc"])
    metrics.update(np.array([0, 1, 0, 1]), np.zeros(4, np.int64), None, np.array([[0.6, 0.4]] * 4))
    metrics.update(np.array([2, 2]), np.array([2, 0]), None, np.array([[0.2, 0.2, 0.6], [0.5, 0.5, 0.0]]))
    # of 8 pairs each: class 2 ranks 4 rightly and ties 4, class 0 the same, class 1 ranks 2 rightly and ties 4
    expected = ((4 + 4 * 0.5) / 8 + (4 + 4 * 0.5) / 8 + (2 + 4 * 0.5) / 8) / 3
    for view in ("cumulative", "window"):
        assert metrics.values(view)["roc_auc"] == pytest.approx(expected)


def test_the_area_is_undefined_for_one_class_and_for_very_many() -> None:
    metrics = ClassificationMetrics(metrics=["roc_auc", "brier"])
    metrics.update(np.zeros(5, np.int64), np.zeros(5, np.int64), None, np.ones((5, 1)))
    assert math.isnan(metrics.values()["roc_auc"])
    assert metrics.values()["brier"] == 0.0
    y = np.arange(2000) % 200
    metrics.update(y, y, None, np.eye(200)[y])
    assert all(math.isnan(metrics.values(view)["roc_auc"]) for view in VIEWS)
    assert metrics.values("window")["brier"] == 0.0


# -- regression --------------------------------------------------------------------------------------------------------


def values_stream(seed: int, n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = 1e6 + rng.normal(size=n)
    prediction = y + rng.normal(scale=0.5, size=n)
    prediction[rng.random(n) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    y[rng.random(n) < 0.2] = np.nan
    return {"y": y, "prediction": prediction, "weight": rng.choice([0.0, 0.1, 1.0, 2.5], n)}


def test_regression_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.normal(5.0, 2.0, 4000), rng.random(4000)
    prediction = y + rng.normal(size=4000)
    metrics = RegressionMetrics(metrics=REGRESSION, window=300)
    metrics.update(y, prediction, weight)
    for view, part in (("cumulative", slice(None)), ("window", slice(-300, None))):
        args, kwargs = (y[part], prediction[part]), {"sample_weight": weight[part]}
        assert metrics.values(view) == {
            "mae": pytest.approx(sk.mean_absolute_error(*args, **kwargs)),
            "mse": pytest.approx(sk.mean_squared_error(*args, **kwargs)),
            "rmse": pytest.approx(sk.root_mean_squared_error(*args, **kwargs)),
            "r2": pytest.approx(sk.r2_score(*args, **kwargs)),
        }


@EVERYTHING
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 120),
    window=st.integers(1, 50),
    fading=st.sampled_from([0.5, 0.9, 0.999, 1.0]),
)
def test_every_view_of_a_regression_equals_a_computation_from_scratch(
    seed: int, n: int, window: int, fading: float
) -> None:
    data = values_stream(seed, n)
    metrics = RegressionMetrics(metrics=REGRESSION, window=window, fading=fading)
    metrics.update(**data)
    labelled = np.isfinite(data["y"])
    y, prediction, weight = (data[name][labelled] for name in ("y", "prediction", "weight"))
    age = np.arange(len(y))[::-1]
    for view, scale in (("cumulative", 1.0), ("window", age < window), ("fading", fading**age)):
        found, expected = metrics.values(view), naive.regression(y, prediction, weight * scale)
        if not expected:
            assert all(math.isnan(value) for value in found.values())
            continue
        for name in ("mae", "mse", "rmse"):
            assert found[name] == pytest.approx(expected[name], rel=1e-9)
        # the targets lie a million standard deviations from zero, and one row may hold nearly all the weight
        if expected["mse"] / (1.0 - expected["r2"]) > 1e-4:
            assert found["r2"] == pytest.approx(expected["r2"], rel=1e-4, abs=1e-4)
    assert metrics.unpredicted == np.count_nonzero(~np.isfinite(prediction))


@EVERYTHING
@given(seed=st.integers(0, 10_000), at=st.integers(0, 300))
def test_regression_resumes_bit_for_bit_at_any_row(seed: int, at: int) -> None:
    data = values_stream(seed, 300)
    whole, first, second = (RegressionMetrics(window=30, every=2, fading=0.5) for _ in range(3))
    whole.update(**data)
    first.update(**cut(data, 0, at))
    second.restore(first.state())
    second.update(**cut(data, at, 300))
    assert same(whole.state(), second.state())
    assert as_bytes(second.curve()) == as_bytes(whole.curve())


def test_r2_of_constant_targets_is_undefined() -> None:
    metrics = RegressionMetrics(metrics=["r2", "mae"])
    metrics.update(np.full(5, 0.1), np.full(5, 0.2))
    assert math.isnan(metrics.values()["r2"])
    assert metrics.values()["mae"] == pytest.approx(0.1)


# -- names, options and states -----------------------------------------------------------------------------------------


def test_every_metric_is_listed_once() -> None:
    assert (*CLASSIFICATION, *PROBABILITY, *REGRESSION) == tuple(METRICS)
    assert [name for name in METRICS if needs_proba([name])] == ["log_loss", *PROBABILITY]
    for task, names in DEFAULT_METRICS.items():
        assert check_metrics(names, task) == names


def test_unknown_metrics_suggest_near_names() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown metric 'acuracy': did you mean accuracy"):
        ClassificationMetrics(metrics=["acuracy"])
    with pytest.raises(UnknownNameError, match=r"known are mae, mse, rmse, r2"):
        RegressionMetrics(metrics=["zzz"])
    with pytest.raises(OptionError, match=r"metric 'mae' is for regression, but the task is classification"):
        ClassificationMetrics(metrics=["mae"])
    with pytest.raises(OptionError, match=r"named twice"):
        ClassificationMetrics(metrics=["kappa", "kappa"])
    with pytest.raises(OptionError, match=r"metrics is empty"):
        ClassificationMetrics(metrics=[])


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"window": 2.5},
        {"every": 0},
        {"fading": 0.0},
        {"fading": 1.1},
        {"fading": math.nan},
        {"n_classes": -1},
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        ClassificationMetrics(**options)


def test_the_repr_makes_the_metrics_again() -> None:
    metrics = ClassificationMetrics(metrics=["kappa"], window=7, declared=True)
    again = eval(repr(metrics))
    assert repr(again) == repr(metrics)


def test_inputs_that_do_not_fit_change_nothing() -> None:
    metrics = ClassificationMetrics(metrics=["log_loss"])
    y, proba = np.array([0, 1]), np.full((2, 2), 0.5)
    for arguments, message in (
        ((y, y), "pass proba"),
        ((y, y, None, proba[:1]), r"proba has shape \(1, 2\)"),
        ((y, y[:1], None, proba), r"prediction has shape \(1,\)"),
        ((y[None], y, None, proba), r"y has shape \(1, 2\)"),
        ((y, y, np.array([1.0, -1.0]), proba), "row 1: weight is -1.0"),
        ((y, y, np.array([math.nan, 1.0]), proba), "row 0: weight is nan"),
        ((y, y, np.array([1.0, math.inf]), proba), "row 1: weight is inf"),
    ):
        with pytest.raises(InputError, match=message):
            metrics.update(*arguments)
    assert metrics.rows == 0
    with pytest.raises(InputError, match="row 1: class code 10000 is out of range"):
        metrics.update(np.array([0, 10_000]), y, None, proba)
    with pytest.raises(OptionError, match="view"):
        metrics.values("windowed")  # type: ignore[arg-type]


def test_read_only_and_strided_arrays_are_taken() -> None:
    y = np.array([0, 9, 1, 9, 1, 9])[::2]
    y.flags.writeable = False
    metrics = ClassificationMetrics(metrics=["accuracy"])
    metrics.update(y, np.array([0, 1, 0], np.int32))
    assert metrics.values()["accuracy"] == pytest.approx(2 / 3)
    metrics.update(y[:0], y[:0])
    assert metrics.rows == 3


def damaged(state: dict[str, Any], name: str, change: Any) -> dict[str, Any]:
    arrays = {**state["arrays"], name: change(state["arrays"][name].copy())}
    return {**state, "arrays": arrays}


def put(place: Any, value: float) -> Any:
    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tally", lambda array: array[:, :1], "tally should be float64"),
        ("weight", lambda array: array.astype(np.float32), "weight should be float64"),
        ("points", lambda array: None, "points should be float64"),
        ("numbers", put(3, 10**15), "number of points"),
        ("numbers", put(1, 10**15), "contradict"),
        ("numbers", put(slice(0, 2), 10**15), "number of points"),
        ("numbers", put(4, 10**9), "contradict"),
        ("numbers", put(5, 7), "a class that it doesn't know"),
        ("label", put(0, 99), "label holds a class that it doesn't know"),
        ("guess", put(0, -2), "guess holds a class that it doesn't know"),
        ("scale", put(1, math.nan), "scale"),
    ],
)
def test_damaged_states_are_refused_and_change_nothing(name: str, change: Any, message: str) -> None:
    metrics = ClassificationMetrics(window=5)
    metrics.update(np.arange(20) % 3, np.arange(20) % 2)
    before = metrics.state()
    with pytest.raises(StateError, match=message):
        metrics.restore(damaged(before, name, change))
    assert same(before, metrics.state())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("numbers", put(0, 7), "contradict"),
        ("numbers", put(2, 9999), "contradict"),
        ("ranks", lambda array: array[:, :1], "ranks should be float64"),
        ("label", put(0, 99), "label holds a class that it doesn't know"),
        ("top", put(0, 1e9), "top holds what is no probability"),
        ("top", put(0, math.nan), "top holds what is no probability"),
        ("scale", put(0, 0.5), "scale"),
    ],
)
def test_damaged_states_of_probabilities_are_refused(name: str, change: Any, message: str) -> None:
    metrics = ClassificationMetrics(metrics=["accuracy", "roc_auc"], window=5)
    metrics.update(np.arange(20) % 3, np.arange(20) % 2, None, np.eye(3)[np.arange(20) % 2])
    before = metrics.state()
    with pytest.raises(StateError, match=message):
        metrics.restore(damaged(before, f"probability_{name}", change))
    assert same(before, metrics.state())


def test_states_of_other_metrics_are_refused() -> None:
    with pytest.raises(StateError, match="window=1000 can't restore a state with 5"):
        ClassificationMetrics().restore(ClassificationMetrics(window=5).state())
    with pytest.raises(StateError, match="metrics="):
        ClassificationMetrics().restore(RegressionMetrics().state())
    with pytest.raises(StateError, match="not a state of metrics"):
        ClassificationMetrics().restore({})
