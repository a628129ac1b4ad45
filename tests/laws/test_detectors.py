"""The laws that every registered detector obeys."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import river.base
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river.checks import common

import streamlearn as sl
from streamlearn import registry
from streamlearn.detector import Detector
from streamlearn.models import make_detector

from . import streams
from .equality import same

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EXTRA = [
    "adwin:clock=1,delta=0.5",
    "rddm:warm_start=5,min_size_stable_concept=7,max_size_concept=20,warn_limit=4",
    "kswin:window_size=8,stat_size=4,alpha=0.5",
    "stepd:window_size=4,alpha_drift=0.2,alpha_warning=0.5",
    "seed:block_size=2,compress_term=3,delta=0.5",
    "hddm_a:two_sided_test=true",
    "hddm_w:two_sided_test=true,on_decrease=restart",
    "abcd:n_min=5,max_size=60,maximum_absolute_value=0.01",
]
NAMES = registry.names("detectors") + EXTRA
Maker = Callable[[], Any]


@pytest.fixture(params=NAMES)
def make(request: pytest.FixtureRequest) -> Maker:
    return lambda: make_detector(request.param)


def values_for(detector: Any, n: int, seed: int = 0) -> list[Any]:
    """Values of the kind that the detector takes, whose distribution changes every few hundred."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.random(n // 150 + 1), 150)[:n]
    if detector.accepts == "binary":
        return (rng.random(n) < level).astype(float).tolist()
    if detector.accepts == "unit":
        return np.clip(rng.normal(level, 0.2), 0, 1).tolist()
    if detector.accepts == "real":
        return rng.normal(5 * level, level).tolist()
    return [
        {"a": a, "b": b + a, "c": c * scale} for (a, b, c), scale in zip(rng.normal(size=(n, 3)), level, strict=True)
    ]


def one_by_one(detector: Any, values: list[Any]) -> list[int]:
    levels = []
    for value in values:
        detector.update(value)
        levels.append(2 if detector.drift_detected else int(detector.warning_detected))
    return levels


@few
@given(data=st.data())
def test_one_equals_many(make: Maker, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 400))
    single, many = make(), make()
    values = values_for(single, n, data.draw(st.integers(0, 1000)))
    levels: list[int] = []
    for start, stop in itertools.pairwise(data.draw(streams.cuts(n))):
        levels += many.update_many(values[start:stop]).tolist()
    assert one_by_one(single, values) == levels
    assert same(single.state(), many.state())
    assert many.n_detections == levels.count(2)


@few
@given(data=st.data())
def test_resume_continues_bit_for_bit(make: Maker, data: st.DataObject, tmp_path_factory: Any) -> None:
    detector = make()
    values = values_for(detector, 500, data.draw(st.integers(0, 1000)))
    half = data.draw(st.integers(0, 500))
    detector.update_many(values[:half])
    path = tmp_path_factory.mktemp("saved") / "detector"
    detector.save(path)
    resumed, pickled = sl.load(path), copy.deepcopy(detector)
    levels = detector.update_many(values[half:])
    for other in (resumed, pickled):
        assert repr(other) == repr(detector)
        assert other.update_many(values[half:]).tolist() == levels.tolist()
        assert same(other.state(), detector.state())


def test_every_detector_sees_drift_and_goes_on(make: Maker) -> None:
    detector = make()
    if detector.accepts == "binary":
        pattern = [0.0] * 9 + [1.0]
        values: Any = (pattern * 80 + [1.0, 0.0] * 200) * 2
    elif detector.accepts == "rows":
        X = np.random.default_rng(0).normal(size=(6000, 3))
        X[3000:, 2] += 30.0
        values = X
    else:
        rng = np.random.default_rng(0)
        high = 1.0 if detector.accepts == "unit" else 30.0
        values = high * np.clip(rng.normal(np.repeat([0.2, 0.8, 0.2], 1000), 0.05), 0, 1)
    levels = detector.update_many(values)
    assert 2 in levels
    assert detector.n_detections == (levels == 2).sum()


def test_the_greatest_values_leave_a_state_that_can_be_restored(make: Maker) -> None:
    detector = make()
    extreme = [-1e60, 1e60] if detector.accepts in ("real", "rows") else [0.0, 1.0]
    values: Any = np.repeat(extreme * 20, 50)
    detector.update_many(np.column_stack([values, -values, values]) if detector.accepts == "rows" else values)
    other = make()
    other.restore(detector.state())
    assert same(other.state(), detector.state())


def test_state_is_bounded(make: Maker) -> None:
    detector = make()
    values = values_for(detector, 3000)
    detector.update_many(values[:10])
    size = detector.nbytes
    detector.update_many(values)
    assert detector.nbytes == size < 2_000_000


def test_no_memory_leaks(make: Maker) -> None:
    detector = make()
    values = values_for(detector, 200)
    one_by_one(detector, values)
    tracemalloc.start()
    try:
        held = []
        for _ in range(3):
            for _ in range(5):
                one_by_one(detector, values)
                detector.update_many(values)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
        assert held[2] - held[1] < 50_000
    finally:
        tracemalloc.stop()


def test_bad_values_are_refused_and_nothing_is_taken_in(make: Maker) -> None:
    detector = make()
    good = values_for(detector, 50)
    detector.update_many(good)
    before = detector.state()
    bad: list[Any] = [math.nan, math.inf, -math.inf, None, "much", 1e200]
    if detector.accepts != "real":
        bad.append(2.0)
    if detector.accepts == "binary":
        bad.append(0.5)
    if detector.accepts == "rows":
        bad = [{**good[0], "b": value} for value in bad[:6]]
    for value in bad:
        with pytest.raises(sl.InputError):
            detector.update(value)
        with pytest.raises(sl.InputError):
            detector.update_many([*good[:3], value])
        assert same(detector.state(), before)
    with pytest.raises(sl.InputError, match="row 1"):
        detector.update_many([good[0], bad[0]])
    assert detector.update_many([]).tolist() == []
    assert same(detector.state(), before)


def test_a_damaged_state_is_refused_and_changes_nothing(make: Maker) -> None:
    detector = make()
    detector.update_many(values_for(detector, 50))
    before = detector.state()
    arrays = before["arrays"]
    cut = {name: array[:-1] for name, array in arrays.items()}
    other = {name: array.astype(np.float32) for name, array in arrays.items()}
    for damage in (
        {},
        {**before, "extra": 1},
        *({**before, "arrays": a} for a in (3, {}, cut, other, {**arrays, "x": 1})),
    ):
        with pytest.raises(sl.StateError):
            detector.restore(damage)
        assert same(detector.state(), before)


def test_clone_shares_nothing(make: Maker) -> None:
    detector = make()
    fresh = detector.state()
    values = values_for(detector, 300)
    detector.update_many(values)
    clone, twin = detector.clone(), copy.deepcopy(detector)
    learned = twin.state()
    detector.update_many(values)
    assert same(clone.state(), fresh)
    assert same(twin.state(), learned)


def test_reset_is_new(make: Maker) -> None:
    detector = make()
    fresh = detector.state()
    detector.update_many(values_for(detector, 300))
    detector.reset()
    assert same(detector.state(), fresh)
    assert not detector.drift_detected
    assert not detector.warning_detected


def test_repr_is_the_call_that_made_it(make: Maker) -> None:
    names = {name: getattr(sl, name) for name in registry.classes("detectors")}
    detector = make()
    assert repr(eval(repr(detector), names)) == repr(detector)


def test_it_is_a_detector_of_river(make: Maker) -> None:
    detector = make()
    assert isinstance(detector, Detector)
    assert isinstance(detector, river.base.DriftDetector)
    assert sl.make_detector(registry.name_of("detectors", type(detector)) or "").drift_detected is False


CHECKS = [
    common.check_repr,
    common.check_str,
    common.check_clone_same_class,
    common.check_clone_is_idempotent,
    common.check_init_has_default_params_for_tests,
    common.check_init_default_params_are_not_mutable,
    common.check_doc,
    common.check_clone_changes_memory_addresses,
    common.check_pickling_supports_roundtrip,
    common.check_repr_roundtrips_clone,
    common.check_get_params_matches_signature,
]
"""River's checks of everything that has parameters; it has none of detectors as such."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_river_check(make: Maker, check: Callable[[Any], None]) -> None:
    check(make())


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    made = make_detector("kswin:seed=3")
    made.save(tmp_path / "detector")
    assert repr(sl.load(tmp_path / "detector")) == "KSWIN(seed=3)"
