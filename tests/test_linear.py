"""The linear models agree with River and with the obvious versions, and learn batches as single rows."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed import LABELS, VALUES, Event, benchmark_stream, check_laws, events, prequential_accuracy, schema
from naive import linear as naive
from river import linear_model, optim
from river import preprocessing as river

import streamlearn as sl

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOMINAL = {"colour", "city"}
OPTIONS = st.fixed_dictionaries(
    {"optimizer": st.sampled_from(["sgd", "adagrad", "ftrl"])},
    optional={
        "learning_rate": st.sampled_from([0.01, 0.3, 1.0]),
        "intercept_lr": st.sampled_from([0.0, 0.05]),
        "l1": st.sampled_from([0.0, 0.05]),
        "l2": st.sampled_from([0.0, 0.1]),
        "standardize": st.booleans(),
        "clip_gradient": st.sampled_from([0.2, 1e12]),
    },
)


def all_options(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in inspect.signature(type(model)).parameters if name != "schema"}


# Values that are all but equal or huge have deviations in which both versions keep few digits: they are for the laws.
def tame(stream: list[Event]) -> list[Event]:
    """The stream with its numbers rounded and within ±100."""

    def number(value: Any) -> Any:
        odd = isinstance(value, float) and (abs(value) > 100 or 0 < abs(value) < 1e-3)
        return None if odd else round(value, 2) if isinstance(value, float) and value == value else value

    return [Event({name: number(v) for name, v in x.items()}, y, w) for x, y, w in stream]


@MANY
@given(stream=events(LABELS), options=OPTIONS)
def test_classification_agrees_with_the_formulas(stream: list[Event], options: dict[str, Any]) -> None:
    model = sl.LogisticRegression(schema=schema(), **options)
    oracle = naive.LogisticRegression(NOMINAL, all_options(model))
    for x, y, w in tame(stream):
        proba = model.predict_proba_one(x)
        if oracle.labels:
            expected = oracle.predict_proba(x)
            assert {label: p for label, p in proba.items() if label in expected} == pytest.approx(expected, abs=1e-8)
            assert sum(proba.values()) == pytest.approx(1.0)
            assert proba[model.predict_one(x)] == max(proba.values())
        else:
            assert model.predict_one(x) is None
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@MANY
@given(stream=events(VALUES), options=OPTIONS, loss=st.sampled_from(["squared", "huber", "absolute"]))
def test_regression_agrees_with_the_formulas(stream: list[Event], options: dict[str, Any], loss: str) -> None:
    model = sl.LinearRegression(schema=schema("numeric"), loss=loss, **options)
    oracle = naive.LinearRegression(NOMINAL, all_options(model))
    for x, y, w in tame(stream):
        assert model.predict_one(x) == pytest.approx(oracle.predict(x), rel=1e-6, abs=1e-6)
        if y is not None and loss == "absolute" and abs(oracle.row.score(oracle.features(x)) - y) < 1e-6:
            continue  # the gradient jumps here: a rounding decides
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "ftrl"])
@MANY
@given(stream=events(LABELS), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_classification(optimizer: str, stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    model = sl.LogisticRegression(optimizer=optimizer, l1=0.01, schema=schema())
    check_laws(model, stream, cuts, tmp_path / "model")
    assert np.isfinite(model.state()["arrays"]["coefficient"]).all()


@pytest.mark.parametrize("standardize", [False, True])
@MANY
@given(stream=events(VALUES), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_regression(standardize: bool, stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    model = sl.LinearRegression(standardize=standardize, schema=schema("numeric"))
    check_laws(model, stream, cuts, tmp_path / "model")
    assert np.isfinite(model.state()["arrays"]["coefficient"]).all()


PASSIVE_AGGRESSIVE = st.fixed_dictionaries(
    {"mode": st.sampled_from([0, 1, 2])},
    optional={"C": st.sampled_from([0.1, 1.0]), "learn_intercept": st.booleans(), "standardize": st.booleans()},
)
BY_MISTAKES = {
    "perceptron": st.fixed_dictionaries({}, optional={"l2": st.sampled_from([0.0, 0.1]), "standardize": st.booleans()}),
    "pa_classifier": PASSIVE_AGGRESSIVE,
}


@pytest.mark.parametrize("name", list(BY_MISTAKES))
@MANY
@given(stream=events(LABELS), data=st.data())
def test_learning_from_mistakes_agrees_with_the_formulas(name: str, stream: list[Event], data: st.DataObject) -> None:
    model = sl.make_learner(name, **data.draw(BY_MISTAKES[name]))
    model = type(model)(schema=schema(), **model.params)
    oracle = getattr(naive, type(model).__name__)(["colour", "city"], all_options(model))
    for x, y, w in tame(stream):
        proba = model.predict_proba_one(x)
        if oracle.labels:
            expected = oracle.predict_proba(x)
            assert {label: proba[label] for label in expected} == pytest.approx(expected, abs=1e-9)
            assert proba[model.predict_one(x)] == max(proba.values())
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@MANY
@given(stream=events(VALUES), options=PASSIVE_AGGRESSIVE, eps=st.sampled_from([0.0, 0.1, 2.0]))
def test_passive_aggressive_regression_is_its_formulas(
    stream: list[Event], options: dict[str, Any], eps: float
) -> None:
    model = sl.PARegressor(eps=eps, schema=schema("numeric"), **options)
    oracle = naive.PARegressor(["colour", "city"], all_options(model))
    for x, y, w in tame(stream):
        assert model.predict_one(x) == oracle.predict(x)
        model.learn_one(x, y, w)
        oracle.learn(x, y, w)


@pytest.mark.parametrize("name", ["perceptron", "pa_classifier:mode=0", "pa_classifier", "pa_classifier:mode=2"])
@pytest.mark.parametrize("standardize", [False, True])
@MANY
@given(stream=events(LABELS), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_learning_from_mistakes(
    name: str, standardize: bool, stream: list[Event], cuts: list[int], tmp_path: Path
) -> None:
    params = {**sl.make_learner(name).params, "standardize": standardize}
    model = type(sl.make_learner(name))(schema=schema(), **params)
    check_laws(model, stream, cuts, tmp_path / "model")
    assert np.isfinite(model.state()["arrays"]["coefficient"]).all()


@pytest.mark.parametrize("mode", [0, 1, 2])
@MANY
@given(stream=events(VALUES), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_laws_of_passive_aggressive_regression(mode: int, stream: list[Event], cuts: list[int], tmp_path: Path) -> None:
    model = sl.PARegressor(mode=mode, standardize=False, schema=schema("numeric"))
    check_laws(model, stream, cuts, tmp_path / "model")
    assert np.isfinite(model.state()["arrays"]["coefficient"]).all()


# -- River -------------------------------------------------------------------------------------------------------------


def numeric_rows(n: int = 600, d: int = 5) -> tuple[list[dict[str, float]], np.ndarray]:
    """Rows of numbers of several scales, some of them missing, and a linear score of them."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (n, d))
    X[:, 1] = np.sign(X[:, 1])
    score = X @ np.arange(1.0, d + 1) + 0.3 * rng.normal(size=n)
    scaled = (X * 10.0 ** np.arange(-2, d - 2) + 7).tolist()
    return [{f"x{i}": v for i, v in enumerate(row) if rng.random() < 0.9} for row in scaled], score


RIVER = [
    ({"learning_rate": 0.1}, lambda: optim.SGD(0.1)),
    ({"learning_rate": 0.02, "l2": 0.1}, lambda: optim.SGD(0.02)),
    ({"learning_rate": 0.1, "schedule": "inverse_sqrt"}, lambda: optim.SGD(optim.schedulers.InverseScaling(0.1))),
    ({"learning_rate": 0.3, "optimizer": "adagrad"}, lambda: optim.AdaGrad(0.3)),
    ({"learning_rate": 0.3, "optimizer": "adagrad", "l2": 0.01}, lambda: optim.AdaGrad(0.3)),
]


@pytest.mark.parametrize(("options", "optimizer"), RIVER)
def test_classification_agrees_with_river(options: dict[str, Any], optimizer: Any) -> None:
    rows, score = numeric_rows()
    scheduled = optim.schedulers.InverseScaling(0.05) if "schedule" in options else 0.05
    theirs = river.StandardScaler() | linear_model.LogisticRegression(
        optimizer(), l2=options.get("l2", 0.0), intercept_lr=scheduled, clip_gradient=0.9
    )
    ours = sl.LogisticRegression(
        intercept_lr=0.05,
        clip_gradient=0.9,
        schema=sl.Schema.of([f"x{i}" for i in range(5)], target="y", classes=[False, True]),
        **options,
    )
    learned: set[bool] = set()
    for x, value in zip(rows, score.tolist(), strict=True):
        if len(learned) == 2:
            assert ours.predict_proba_one(x) == pytest.approx(theirs.predict_proba_one(x), abs=1e-9)
        ours.learn_one(x, value > 0.5, 1.5)
        theirs["StandardScaler"].learn_one(x)
        theirs["LogisticRegression"].learn_one(theirs["StandardScaler"].transform_one(x), value > 0.5, w=1.5)
        learned.add(value > 0.5)


def test_scaling_by_weight_is_the_only_difference_of_weights_to_river() -> None:
    """Equal weights leave means and variances as they are, so that the comparisons with weights above are fair."""
    ours, weighted = sl.StandardScaler(), sl.StandardScaler()
    for x in ({"a": 1.0}, {"a": 4.0}, {"a": 2.0}):
        ours.learn_one(x)
        weighted.learn_one(x, None, 1.5)
    assert ours.transform_one({"a": 3.0}) == pytest.approx(weighted.transform_one({"a": 3.0}), rel=1e-12)


@pytest.mark.parametrize(("options", "optimizer"), RIVER)
@pytest.mark.parametrize(
    ("loss", "theirs_loss"),
    [
        ("squared", optim.losses.Squared()),
        ("huber", optim.losses.Huber(0.4)),
        ("absolute", optim.losses.Absolute()),
    ],
)
def test_regression_agrees_with_river(options: dict[str, Any], optimizer: Any, loss: str, theirs_loss: Any) -> None:
    rows, score = numeric_rows()
    options = {**options, "learning_rate": options["learning_rate"] / 5}
    theirs_optimizer = optimizer()
    theirs_optimizer.lr = (
        optim.schedulers.InverseScaling(options["learning_rate"])
        if "schedule" in options
        else optim.schedulers.Constant(options["learning_rate"])
    )
    scheduled = optim.schedulers.InverseScaling(0.05) if "schedule" in options else 0.05
    theirs = river.StandardScaler() | linear_model.LinearRegression(
        theirs_optimizer, loss=theirs_loss, l2=options.get("l2", 0.0), intercept_lr=scheduled, clip_gradient=4.0
    )
    ours = sl.LinearRegression(
        intercept_lr=0.05,
        clip_gradient=4.0,
        loss=loss,
        epsilon=0.4,
        schema=sl.Schema.of([f"x{i}" for i in range(5)], target="y", target_kind="numeric"),
        **options,
    )
    for x, y in zip(rows, score.tolist(), strict=True):
        assert ours.predict_one(x) == pytest.approx(theirs.predict_one(x), abs=1e-9)
        ours.learn_one(x, y)
        theirs.learn_one(x, y)


class FreshFTRL(optim.FTRLProximal):
    """River's FTRL with coefficients brought up to date before each gradient; a step with gradients 0 does that."""

    def look_ahead(self, w: Any) -> Any:
        return self._step_with_dict(w, dict.fromkeys(w, 0.0))


def test_ftrl_agrees_with_river_brought_up_to_date() -> None:
    rows, score = numeric_rows()
    theirs = river.StandardScaler() | linear_model.LogisticRegression(
        FreshFTRL(alpha=0.3, beta=0.5, l1=0.0, l2=0.2), intercept_lr=0.05
    )
    ours = sl.LogisticRegression(
        optimizer="ftrl",
        learning_rate=0.3,
        beta=0.5,
        l2=0.2,
        intercept_lr=0.05,
        schema=sl.Schema.of([f"x{i}" for i in range(5)], target="y", classes=[False, True]),
    )
    for i, (x, value) in enumerate(zip(rows, score.tolist(), strict=True)):
        features = theirs["StandardScaler"].transform_one(x)
        if i > 20:
            theirs["LogisticRegression"].optimizer.look_ahead(theirs["LogisticRegression"]._weights)
            expected = theirs["LogisticRegression"].predict_proba_one(features)
            assert ours.predict_proba_one(x) == pytest.approx(expected, abs=1e-9)
        ours.learn_one(x, value > 0.5)
        theirs.learn_one(x, value > 0.5)


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_perceptron_agrees_with_river(l2: float) -> None:
    rows, score = numeric_rows()
    theirs = river.StandardScaler() | linear_model.Perceptron(l2=l2)
    ours = sl.Perceptron(l2=l2, schema=sl.Schema.of([f"x{i}" for i in range(5)], target="y", classes=[False, True]))
    learned: set[bool] = set()
    for x, value in zip(rows, score.tolist(), strict=True):
        if len(learned) == 2:
            assert ours.predict_proba_one(x) == pytest.approx(theirs.predict_proba_one(x), abs=1e-9)
        ours.learn_one(x, value > 0.5)
        theirs.learn_one(x, value > 0.5)
        learned.add(value > 0.5)


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("intercept", [False, True])
def test_passive_aggressive_models_agree_with_river(mode: int, intercept: bool) -> None:
    rows, score = numeric_rows()
    theirs = linear_model.PAClassifier(C=0.05, mode=mode, learn_intercept=False)
    theirs_value = linear_model.PARegressor(C=0.05, mode=mode, eps=0.2, learn_intercept=False)
    theirs_value.loss = lambda y, prediction: max(abs(y - prediction) - 0.2, 0.0)  # its own takes y for 0 or 1
    fields = [f"x{i}" for i in range(5)]
    options: dict[str, Any] = {"C": 0.05, "mode": mode, "learn_intercept": intercept, "standardize": False}
    ours = sl.PAClassifier(schema=sl.Schema.of(fields, target="y", classes=[False, True]), **options)
    ours_value = sl.PARegressor(eps=0.2, schema=sl.Schema.of(fields, target="y", target_kind="numeric"), **options)
    constant = {"1": 1.0} if intercept else {}
    learned: set[bool] = set()
    for row, value in zip(rows, score.tolist(), strict=True):
        x = {name: (number - 7.0) / 10.0 ** (int(name[1]) - 2) for name, number in row.items()}
        if len(learned) == 2:
            assert ours.predict_proba_one(x) == pytest.approx(theirs.predict_proba_one(x | constant), abs=1e-9)
        assert ours_value.predict_one(x) == pytest.approx(theirs_value.predict_one(x | constant), rel=1e-9, abs=1e-9)
        ours.learn_one(x, value > 0.5)
        theirs.learn_one(x | constant, value > 0.5)
        ours_value.learn_one(x, value)
        theirs_value.learn_one(x | constant, value)
        learned.add(value > 0.5)


# -- particulars -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "l1"), [("sgd", 0.1), ("adagrad", 0.1), ("ftrl", 20.0)])
def test_l1_shrinks_useless_coefficients_to_zero(optimizer: str, l1: float) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(4000, 6))
    y = (X[:, 0] > 0).astype(np.int64)
    free = sl.LogisticRegression(optimizer=optimizer, learning_rate=0.01)
    sparse = sl.LogisticRegression(optimizer=optimizer, learning_rate=0.01, l1=l1)
    zeros = 0
    for part in range(0, 4000, 400):
        free.learn_many(X[part : part + 400], y[part : part + 400])
        sparse.learn_many(X[part : part + 400], y[part : part + 400])
        zeros += int((sparse.state()["arrays"]["coefficient"][1, 2:7] == 0.0).sum())
    dense, thin = (model.state()["arrays"]["coefficient"][1] for model in (free, sparse))
    assert zeros >= 5
    assert (dense[1:7] != 0.0).all()
    assert np.abs(thin[2:7]).sum() < np.abs(dense[2:7]).sum() / 2 < abs(thin[1])


def test_a_third_class_turns_the_sigmoid_into_the_softmax() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(3000, 2))
    y = X.argmax(axis=1)
    model = sl.LogisticRegression(schema=sl.Schema.of(["a", "b"], target="y"))
    model.learn_many(X, y)
    reference = model.state()["arrays"]["coefficient"][0]
    assert not reference.any()
    y = np.where(X.max(axis=1) < 0, 2, y)
    accuracy = np.mean(model.test_then_train_many(np.tile(X, (3, 1)), np.tile(y, 3)) == np.tile(y, 3))
    assert accuracy > 0.9
    assert model.state()["arrays"]["coefficient"][0].any()


def test_steps_of_the_squared_loss_never_explode() -> None:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(2000, 50))
    y = X @ rng.normal(size=50)
    model = sl.LinearRegression(learning_rate=10.0, intercept_lr=10.0)
    prediction = model.test_then_train_many(X, y, rng.uniform(0.5, 1000.0, 2000))
    assert np.mean((prediction - y)[1000:] ** 2) < np.var(y)


@pytest.mark.parametrize("classes", [2, 4])
def test_an_aggressive_step_ends_at_the_margin(classes: int) -> None:
    rng = np.random.default_rng(8)
    model = sl.PAClassifier(mode=0, standardize=False)
    model.learn_many(rng.normal(size=(classes, 3)), np.arange(classes))
    for x, y in zip(rng.normal(size=(50, 3)), rng.integers(classes, size=50).tolist(), strict=True):
        row = dict(zip(("x0", "x1", "x2"), x.tolist(), strict=True))
        before = model.predict_proba_one(row)
        rival = max((label for label in range(classes) if label != y), key=before.__getitem__)
        model.learn_one(row, y)
        after = model.predict_proba_one(row)
        assert np.log(after[y] / after[rival]) >= 1.0 - 1e-9


def test_weight_is_how_much_a_row_may_move_the_coefficients() -> None:
    rows = [({"a": 1.0, "b": -2.0}, 3.0), ({"a": 0.5, "b": 1.0}, -4.0)]
    heavy, careless = sl.PARegressor(C=0.1, standardize=False), sl.PARegressor(C=0.3, standardize=False)
    for x, y in rows:
        heavy.learn_one(x, y, 3.0)
        careless.learn_one(x, y)
    assert heavy.predict_one({"a": 1.0, "b": 1.0}) == pytest.approx(careless.predict_one({"a": 1.0, "b": 1.0}))


def test_unseen_categories_and_missing_values_contribute_nothing() -> None:
    model = sl.LinearRegression(schema=schema("numeric"))
    rows = [{"a": float(i % 5), "colour": "red" if i % 2 else "blue"} for i in range(200)]
    model.learn_many(rows, [x["a"] for x in rows])
    mean = {"a": 2.0}
    for x in ({}, {"a": None}, {"a": float("inf")}, {"a": 2.0, "colour": "green"}, {"a": 2.0, "city": "Oslo"}):
        assert model.predict_one(x) == pytest.approx(model.predict_one(mean), abs=1e-12)


def test_rows_encoded_before_the_schema_grew_are_still_taken() -> None:
    grown = sl.Schema.of(["a"], target="y", classes=["no", "yes"])
    narrow = grown.encode([{"a": -1.0}, {"a": 1.0}], ["no", "yes"])
    wide = grown.encode([{"a": -1.5, "b": 2.0}, {"a": 1.5, "b": 2.5}], ["no", "yes"])
    model = sl.LogisticRegression()
    for batch in (wide, narrow, wide):
        model.process(batch)
    assert model.process(narrow, np.array([0, 1])).prediction.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimizer", "adam"),
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("intercept_lr", -1.0),
        ("schedule", "cosine"),
        ("l1", -0.1),
        ("l2", float("nan")),
        ("beta", -1.0),
        ("clip_gradient", 0.0),
        ("standardize", 1),
    ],
)
def test_parameters_are_checked(name: str, value: Any) -> None:
    for learner in (sl.LogisticRegression, sl.LinearRegression):
        with pytest.raises(sl.OptionError, match=name):
            learner(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("C", 0.0), ("C", float("inf")), ("mode", 3), ("mode", True), ("learn_intercept", 1), ("standardize", "no")],
)
def test_parameters_of_passive_aggressive_models_are_checked(name: str, value: Any) -> None:
    for learner in (sl.PAClassifier, sl.PARegressor):
        with pytest.raises(sl.OptionError, match=name):
            learner(**{name: value})


def test_further_parameters_are_checked() -> None:
    with pytest.raises(sl.OptionError, match="eps"):
        sl.PARegressor(eps=-1.0)
    for name, value in {"l2": 1.5, "clip_gradient": 0.0, "standardize": 0}.items():
        with pytest.raises(sl.OptionError, match=name):
            sl.Perceptron(**{name: value})  # type: ignore[arg-type]


def test_contradictions_are_refused() -> None:
    with pytest.raises(sl.OptionError, match="schedule"):
        sl.LogisticRegression(optimizer="ftrl", schedule="inverse_sqrt")
    with pytest.raises(sl.OptionError, match=r"learning_rate \* l2"):
        sl.LinearRegression(learning_rate=2.0, l2=1.0)
    with pytest.raises(sl.OptionError, match="loss"):
        sl.LinearRegression(loss="hinge")
    with pytest.raises(sl.OptionError, match="epsilon"):
        sl.LinearRegression(loss="huber", epsilon=0.0)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("class_of", 0, 5), ("row_of", 1, 0), ("numbers", 1, 3), ("offset", 1, 9), ("options", 0, 2.0), ("nominal", 0, 0)],
)
def test_damaged_states_are_refused(name: str, place: int, value: float) -> None:
    model = sl.LogisticRegression(schema=schema())
    model.learn_many([{"a": 1.0, "colour": "red"}, {"a": 2.0, "colour": "blue"}], ["no", "yes"])
    state = model.state()
    state["arrays"][name][place] = value
    with pytest.raises(sl.StateError, match=name):
        model.restore(state)


def test_defaults_do_well_on_electricity() -> None:
    assert prequential_accuracy(sl.LogisticRegression(), benchmark_stream("electricity")) > 90.5
