"""The adaptive random forest and streaming random patches agree with the obvious ones, bit for bit."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed import LABELS, Event, benchmark_stream, check_laws, events, prequential_accuracy, schema
from naive import ensembles as naive
from streamlearn.algorithms.ensembles.adaptive_random_forest import number_of_features
from streamlearn.algorithms.ensembles.streaming_random_patches import draw_subspaces, number_of_fields
from streamlearn.algorithms.trees.arrays import N_BLOCKS, SUBSPACE, HoeffdingTreeArrays
from test_ensembles_boosting import drifting
from test_hoeffding_tree_kernels import described, described_naive

import streamlearn as sl

EAGER: dict[str, Any] = {"grace_period": 20, "delta": 0.1, "tau": 0.3}
JUMPY: dict[str, Any] = {"drift_delta": 0.4, "warning_delta": 0.8}

NAMES = [
    "adaptive_random_forest_classifier",
    "leveraging_bagging_classifier",
    "online_smooth_boost_classifier",
    "oza_boost_classifier",
    "streaming_random_patches_classifier",
]
PATCHES = [
    {},
    {"subspace_size": 3, "disable_weighted_vote": True},
    {"subspace_size": "sqrt", "seed": 5},
    {"training_method": "subspaces"},
    {"training_method": "resampling", "lam": 2.0},
]


def in_full_width(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """A tree whose blocks have observers for all fields, those beside its subspace empty."""
    if a.options[SUBSPACE] == 0:
        return a
    B, C, Bn = len(a.free_blocks), a.counts.shape[1], a.numeric.shape[3]
    numeric = np.zeros((B, C, a.numeric.shape[2], len(a.numeric_fields)))
    slots = np.zeros((B, C, len(a.nominal_fields)), np.int32)
    for b in range(a.numbers[N_BLOCKS]):
        n_numeric, n_nominal = a.n_fields[b]
        numeric[b][:, :, a.place[a.fields[b, :n_numeric]]] = a.numeric[b, :, :, :n_numeric]
        slots[b][:, ~a.place[a.fields[b, Bn : Bn + n_nominal]]] = a.slots[b, :, :n_nominal]
    return a._replace(numeric=numeric, slots=slots)


def compare(model: Any, oracle: naive.NaiveRenewing, batch: sl.Batch) -> None:
    """Every prediction that is no near-tie agrees, so do all probabilities, all alarms, and all trees bit for bit."""
    outputs = model.process(batch, proba=True)
    weight = np.ones(len(batch)) if batch.weight is None else batch.weight
    for i, (x, y, w) in enumerate(zip(batch.X.tolist(), batch.y.tolist(), weight.tolist(), strict=True)):
        proba = oracle.proba(x)
        expected = proba + [0.0] * (outputs.proba.shape[1] - len(proba))
        if oracle.learned and not any(expected):
            expected = [1.0 / len(expected)] * len(expected)
        assert outputs.proba[i].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
        best, second = sorted([*expected, 0.0])[:-3:-1]
        assert outputs.prediction[i] == oracle.predict(x) or best - second < 1e-9
        oracle.learn(x, y, w)
    own, trees = model._arrays
    for i in range(model.n_models):
        ours = described(in_full_width(trees[model._tree_of(own, i)]))
        assert ours == described_naive(oracle.members[i])
        assert (model.n_drifts_detected(i), model.n_warnings_detected(i)) == (oracle.n_drifts[i], oracle.n_warnings[i])
    assert own.hits.T.tolist() == [oracle.right, oracle.seen]


def tree_options(options: dict[str, Any]) -> dict[str, Any]:
    return {"grace": options["grace_period"], "delta": options["delta"], "tau": options["tau"]}


@pytest.mark.parametrize("options", PATCHES)
def test_patches_agree_with_the_oracle(options: dict[str, Any]) -> None:
    batch = drifting(2500)
    model = sl.StreamingRandomPatchesClassifier(n_models=4, **EAGER, **JUMPY, **options)
    same = {"seed", "training_method", "disable_weighted_vote"} & set(options)
    oracle = naive.NaivePatches(
        [bool(flag) for flag in batch.schema.shape.nominal],
        n_models=4,
        tree=tree_options(EAGER),
        m=partial(number_of_fields, model.subspace_size),
        lambda_value=model.lam,
        **JUMPY,
        **{name: options[name] for name in same},
    )
    compare(model, oracle, batch)
    assert model.n_drifts_detected() > 1
    assert max(tree.n_nodes for tree in model.members) > 1
    if model.training_method != "resampling":
        assert model.subspaces == [["abcd"[field] for field in fields] for fields in oracle.fields]


@pytest.mark.parametrize("options", [{}, {"max_features": 1, "seed": 3}, {"max_features": 3, "lambda_value": 1.0}])
def test_the_forest_agrees_with_the_oracle(options: dict[str, Any]) -> None:
    batch = drifting(2500)
    model = sl.AdaptiveRandomForestClassifier(n_models=4, **EAGER, **JUMPY, **options)
    oracle = naive.NaiveForest(
        [bool(flag) for flag in batch.schema.shape.nominal],
        n_models=4,
        tree=tree_options(EAGER),
        m=partial(number_of_features, model.max_features),
        lambda_value=model.lambda_value,
        seed=model.seed,
        **JUMPY,
    )
    compare(model, oracle, batch)
    assert model.n_drifts_detected() > 1


@pytest.mark.parametrize("stream", ["chess", "keystroke"])
def test_real_streams_agree_with_the_oracles(stream: str) -> None:
    batch = benchmark_stream(stream)
    nominal = [bool(flag) for flag in batch.schema.shape.nominal]
    m = round(0.6 * len(nominal))
    compare(sl.StreamingRandomPatchesClassifier(n_models=3), naive.NaivePatches(nominal, n_models=3, m=m), batch)
    compare(sl.AdaptiveRandomForestClassifier(n_models=3), naive.NaiveForest(nominal, n_models=3, m=m), batch)


def test_threads_change_nothing() -> None:
    batch = drifting(2000)
    alone, together = (
        sl.StreamingRandomPatchesClassifier(n_models=4, threads=threads, **EAGER, **JUMPY) for threads in (1, 2)
    )
    assert alone.process(batch).prediction.tolist() == together.process(batch).prediction.tolist()
    for name, array in alone.state()["arrays"].items():
        if not isinstance(array, dict):
            assert array.tobytes() == together.state()["arrays"][name].tobytes()


def test_how_many_fields_a_member_knows() -> None:
    """As MOA has it: never one of several."""
    assert [number_of_fields(0.6, n) for n in (1, 2, 3, 4, 8, 54)] == [1, 2, 2, 2, 5, 32]
    assert [number_of_fields("sqrt", n) for n in (2, 9, 54)] == [2, 4, 8]
    assert [number_of_fields("rmsqrt", n) for n in (2, 9, 54)] == [2, 5, 46]
    assert [number_of_fields(size, 8) for size in (1, 3, 8, 100)] == [2, 3, 8, 8]


@pytest.mark.parametrize(("n", "size", "members"), [(4, 2, 3), (4, 2, 9), (20, 3, 50), (30, 5, 50)])
def test_first_subspaces_differ_as_far_as_they_can(n: int, size: int, members: int) -> None:
    drawn = [np.zeros(n, np.uint8) for _ in range(members)]
    draw_subspaces(1, size, np.arange(n, dtype=np.int32), drawn)
    assert {int(marks.sum()) for marks in drawn} == {size}
    assert len({marks.tobytes() for marks in drawn}) == min(members, math.comb(n, size))


def test_a_field_that_comes_later_takes_the_place_of_another_in_some_members() -> None:
    model = sl.StreamingRandomPatchesClassifier(n_models=30, seed=1)
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "d": None}
    model.learn_one(first, "yes")
    assert {len(fields) for fields in model.subspaces} == {2}
    model.learn_one({**first, "d": 1.0}, "no")
    assert {len(fields) for fields in model.subspaces} == {2}
    assert 5 < sum("d" in fields for fields in model.subspaces) < 25


@settings(max_examples=20, deadline=None)
@given(stream=events(LABELS), cuts=st.lists(st.integers(0, 30), max_size=3), name=st.sampled_from(NAMES))
def test_fields_that_come_later_obey_the_laws(
    tmp_path_factory: pytest.TempPathFactory, stream: list[Event], cuts: list[int], name: str
) -> None:
    model = sl.make_learner(f"{name}:n_models=3,grace_period=3,delta=0.5,tau=0.5")
    model = type(model)(**model.params, schema=schema())
    check_laws(model, stream, cuts, tmp_path_factory.mktemp("laws") / "model")


@pytest.mark.parametrize(
    "options",
    [
        {"subspace_size": 0},
        {"subspace_size": 1.5},
        {"subspace_size": "half"},
        {"training_method": "none"},
        {"lam": 0},
        {"drift_delta": 0.0},
        {"disable_detector": "both"},
        {"threads": 0},
    ],
)
def test_parameters_out_of_range_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(sl.OptionError, match=next(iter(options))):
        sl.StreamingRandomPatchesClassifier(**options)


MOA = {
    ("electricity", "StreamingRandomPatchesClassifier"): 88.88,
    ("keystroke", "StreamingRandomPatchesClassifier"): 93.29,
    ("chess", "StreamingRandomPatchesClassifier"): 78.26,
    ("phishing", "StreamingRandomPatchesClassifier"): 94.38,
}
"""Mean accuracy of MOA's ensembles of 10 over three seeds."""


@pytest.mark.parametrize(("stream", "name"), MOA)
def test_accuracy_is_that_of_moa(stream: str, name: str) -> None:
    found = []
    for seed in (1, 2, 3):
        model = getattr(sl, name)(seed=seed)
        if stream == "electricity":
            found.append(100.0 * sl.evaluate(stream, model, metrics=["accuracy"]).summary[0]["accuracy"])
        else:
            found.append(prequential_accuracy(model, benchmark_stream(stream)))
    assert np.mean(found) == pytest.approx(MOA[stream, name], abs=1.3 if stream in ("keystroke", "chess") else 0.6)
