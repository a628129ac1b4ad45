"""Drifts between sources, noise, class proportions and late labels: same rows however they are cut, known drifts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import generators as naive
from scipy import stats
from streamlearn.connectors import generators
from streamlearn.connectors.generators import (
    LED,
    SEA,
    STAGGER,
    Agrawal,
    AttributeNoise,
    ClassImbalance,
    ConceptDrift,
    Friedman,
    FriedmanDrift,
    Hyperplane,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Sine,
    concepts,
)

import streamlearn as sl

quick = settings(max_examples=25, deadline=None)


def table() -> Any:
    numbers = list(range(500))
    kinds = pa.array(["abc"[i % 3] for i in numbers]).dictionary_encode()
    labels = pa.array([str(i % 2) for i in numbers]).dictionary_encode()
    return pa.table({"x": [i / 7 for i in numbers], "kind": kinds, "class": labels})


def even() -> sl.Source:
    return ClassImbalance(STAGGER(), proportions={"false": 1, "true": 1})


SOURCES: dict[str, Callable[[], sl.Source]] = {
    "abrupt": lambda: ConceptDrift(SEA(), SEA(function=3, seed=2), position=120, width=0),
    "gradual": lambda: ConceptDrift(Agrawal(), Agrawal(function=2, seed=2), position=150, width=60, seed=3),
    "nested": lambda: concepts([LED(seed=i) for i in range(1, 5)], [60, 110, 200], [30, 1, 90], rows=260),
    "moving": lambda: ConceptDrift(Hyperplane(mag_change=0.01), Hyperplane(mag_change=0.02), position=90, width=40),
    "recurring": lambda: concepts([Sine(), Sine(function=2), Sine(seed=2)], [80, 160], 20, rows=250),
    "bounded": lambda: ConceptDrift(SEA(rows=100), SEA(function=2, rows=90), position=80, width=30),
    "tables": lambda: ConceptDrift(sl.open_stream(table()), sl.open_stream(table()), position=100, width=50),
    "mislabelled": lambda: LabelNoise(LED(rows=200), noise=0.3),
    "disturbed": lambda: AttributeNoise(Agrawal(rows=200), noise=0.3, sigma=2.0),
    "gaps": lambda: MissingValues(LED(rows=200), share=0.2),
    "late": lambda: LabelDelay(SEA(rows=200), delay=30, shape="exponential"),
    "rare": lambda: ClassImbalance(SEA(rows=500), proportions={"groupA": 1, "groupB": 5}),
    "rarer": lambda: ClassImbalance(
        LED(), proportions={"1": 1, "2": 1}, then={"2": 1, "9": 3}, position=100, width=50, seed=4
    ),
    "everything": lambda: LabelDelay(
        MissingValues(
            LabelNoise(ConceptDrift(even(), STAGGER(function=2), position=100, width=30), noise=0.1), share=0.1
        ),
        delay=3,
    ),
}
COLUMNS = ("X", "y", "weight", "event_time", "label_time")


def collected(batches: list[sl.Batch]) -> dict[str, np.ndarray | None]:
    def all_of(column: str) -> np.ndarray | None:
        parts = [getattr(batch, column) for batch in batches]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    return {column: all_of(column) for column in COLUMNS}


def drained(source: sl.Source, rows: int, sizes: list[int]) -> list[sl.Batch]:
    """The next rows, or as many as there are, in batches of the sizes, which repeat."""
    batches: list[sl.Batch] = []
    for size in itertools.cycle(sizes):
        if rows == 0:
            break
        batch = source.poll(min(size, rows))
        if batch is None:
            break
        assert 0 < len(batch) <= size
        assert batch.schema == source.schema
        rows -= len(batch)
        batches.append(batch)
    return batches


def rows_of(whole: dict[str, np.ndarray | None], start: int) -> dict[str, np.ndarray | None]:
    return {name: None if values is None else values[start:] for name, values in whole.items()}


def same(a: dict[str, np.ndarray | None], b: dict[str, np.ndarray | None]) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("name", SOURCES)
@quick
@given(st.lists(st.integers(1, 70), min_size=1, max_size=4), st.data())
def test_rows_depend_on_neither_batches_nor_restarts(name: str, sizes: list[int], data: st.DataObject) -> None:
    whole = collected(drained(SOURCES[name](), 300, [300]))
    n = len(whole["X"])
    source = SOURCES[name]()
    same(collected(drained(source, 300, sizes)), whole)
    for start in (data.draw(st.integers(0, n - 1)), 0, data.draw(st.integers(0, n - 1))):
        source.seek({"row": start})
        same(collected(drained(source, 300 - start, sizes)), rows_of(whole, start))
    source.seek({"row": 0})
    head = drained(source, data.draw(st.integers(1, n - 1)), sizes)
    other = SOURCES[name]()
    other.seek(head[-1].position)  # as a checkpoint does
    same(collected(drained(other, 300 - sum(map(len, head)), [50])), rows_of(whole, sum(map(len, head))))


def test_sources_show_the_call_that_made_them_and_start_at_their_first_row() -> None:
    for name, make in SOURCES.items():
        if name != "tables":
            again = eval(repr(make()), dict(vars(generators)))
            same(collected(drained(again, 100, [40])), collected(drained(make(), 100, [100])))
    used = SEA(rows=100)
    used.poll(30)
    np.testing.assert_array_equal(LabelNoise(used, noise=0.0).poll(100).X, SEA().poll(100).X)
    used.poll(30)
    np.testing.assert_array_equal(ConceptDrift(used, SEA(), position=100).poll(50).X, SEA().poll(50).X)


def test_a_drift_draws_from_its_sides_in_their_order() -> None:
    source = ConceptDrift(SEA(noise=0.0), SEA(noise=0.0, function=2, seed=2), position=2000, width=1000)
    X = source.poll(5000).X
    before, after = SEA().poll(5000).X.tolist(), SEA(seed=2).poll(5000).X.tolist()
    drawn = []
    for row in X.tolist():
        drawn.append(row == after[sum(drawn)])
        if not drawn[-1]:
            assert row == before[len(drawn) - 1 - sum(drawn)]
    expected = [naive.share_after(n, 2000, 1000) for n in range(1, 5001)]
    z = (sum(drawn) - sum(expected)) / math.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(z) < 4
    for low, high in ((1000, 1500), (1500, 2000), (2000, 2500), (2500, 3000)):
        assert np.mean(drawn[low:high]) == pytest.approx(np.mean(expected[low:high]), abs=0.08)


def test_after_an_error_both_sides_stand_where_they_stood() -> None:
    class Failing(LabelNoise):
        broken = False

        def poll(self, max_rows: int = 10, timeout: float = 0.0) -> sl.Batch | None:
            if self.broken:
                raise sl.InputError("for now")
            return super().poll(max_rows, timeout)

    failing = Failing(SEA(seed=2), noise=0.0)
    source = ConceptDrift(SEA(), failing, position=50, width=40)
    whole = ConceptDrift(SEA(), SEA(seed=2), position=50, width=40).poll(100).X
    np.testing.assert_array_equal(source.poll(30).X, whole[:30])
    failing.broken = True
    with pytest.raises(sl.InputError, match="for now"):
        source.poll(40)
    failing.broken = False
    np.testing.assert_array_equal(source.poll(70).X, whole[30:])


def test_an_abrupt_drift_is_where_it_is_said_to_be() -> None:
    source = ConceptDrift(SEA(), SEA(seed=2), position=700, width=0)
    X = source.poll(1000).X
    np.testing.assert_array_equal(X[:700], SEA().poll(700).X)
    np.testing.assert_array_equal(X[700:], SEA(seed=2).poll(300).X)
    assert source.drifts == (sl.Drift(700, 0),)


def test_drifts_of_the_sides_are_carried_over() -> None:
    inner = FriedmanDrift(drift_type="gra", positions=(100, 5000))
    shifted = ConceptDrift(Friedman(), inner, position=2000, width=10)
    assert shifted.drifts == (sl.Drift(2000, 10), sl.Drift(2100, 0), sl.Drift(7000, 0))
    cut = ConceptDrift(inner, Friedman(), position=2000, width=10)
    assert cut.drifts == (sl.Drift(100, 0), sl.Drift(2000, 10))
    led = sl.open_stream("led_g")
    assert led.drifts == (sl.Drift(225_000, 50_000), sl.Drift(475_000, 50_000), sl.Drift(725_000, 50_000))
    assert LabelNoise(shifted_classes(), noise=0.1).drifts == (sl.Drift(50, 1),)
    balance = ClassImbalance(SEA(), proportions={"groupA": 1}, then={"groupB": 1}, position=9, width=4)
    assert balance.drifts == (sl.Drift(9, 4),)


def shifted_classes() -> ConceptDrift:
    return ConceptDrift(SEA(), SEA(function=2), position=50)


def test_going_to_a_far_row_is_quick_and_exact() -> None:
    source = sl.open_stream("led_g")
    batches = list(source.batches(limit=600_000))
    source.seek({"row": 599_000})
    np.testing.assert_array_equal(source.poll(1000).X, np.concatenate([b.X for b in batches])[599_000:])


def test_sides_with_other_orders_of_categories_are_united(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("colour,n,class\n" + "red,1,yes\nblue,2,no\n" * 20)
    (tmp_path / "b.csv").write_text("colour,n,class\n" + "green,3,maybe\nblue,4,yes\n" * 20)
    one, two = (sl.open_stream(tmp_path / name) for name in ("a.csv", "b.csv"))
    source = ConceptDrift(one, two, position=20, width=10)
    rows = [
        (source.schema.decode_row(x), source.schema.decode_label(y))
        for batch in source.batches(7)
        for x, y in zip(batch.X, batch.y, strict=True)
    ]
    want = {1.0: ("red", "yes"), 2.0: ("blue", "no"), 3.0: ("green", "maybe"), 4.0: ("blue", "yes")}
    assert {x["n"] for x, _ in rows} == set(want)
    assert all((x["colour"], y) == want[x["n"]] for x, y in rows)
    assert source.schema.fields[0].categories == ["red", "blue", "green"]


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(sl.SchemaError, match="'attrib1'"):
        ConceptDrift(SEA(), Hyperplane(), position=1)
    with pytest.raises(sl.SchemaError, match=r"field 0: one source has 'att1' \(nominal\), the other 'att1' \(num"):
        ConceptDrift(LED(), Hyperplane(n_features=24), position=1)
    sea = SEA()
    with pytest.raises(sl.OptionError, match="there twice"):
        concepts([sea, SEA(function=2), sea], [10, 20])
    with pytest.raises(sl.OptionError, match="3 concepts need 2 positions"):
        concepts([SEA(), SEA(), SEA()], [10])
    with pytest.raises(sl.OptionError, match="two concepts at least"):
        concepts([SEA()], [])
    with pytest.raises(sl.OptionError, match="ascend"):
        concepts([SEA(), SEA(), SEA()], [10, 10])


def test_label_noise_takes_all_other_classes_alike() -> None:
    clean, noisy = LED().poll(30_000).y, LabelNoise(LED(), noise=0.3).poll(30_000).y
    wrong = clean != noisy
    assert stats.binomtest(int(wrong.sum()), 30_000, 0.3).pvalue > 1e-4
    assert stats.chisquare(np.bincount((noisy - clean)[wrong] % 10, minlength=10)[1:]).pvalue > 1e-4
    unlabelled = LabelNoise(sl.open_stream((np.zeros((4, 1)), ["a", "b", None, "a"]), schema=two_classes()), noise=1.0)
    assert unlabelled.poll().y.tolist() == [1, 0, -1, 1]
    with pytest.raises(sl.OptionError, match="known beforehand"):
        LabelNoise(Friedman(), noise=0.1)


def two_classes() -> sl.Schema:
    return sl.Schema.of(["x"], target="y", classes=["a", "b"])


def test_attribute_noise_and_missing_values() -> None:
    n = 20_000
    X = Agrawal().poll(n).X
    noisy = AttributeNoise(Agrawal(), noise=0.2, sigma=3.0, fields=["salary", "car"]).poll(n).X
    changed = noisy != X
    assert set(np.flatnonzero(changed.any(axis=0))) == {0, 4}
    for column in (0, 4):
        assert stats.binomtest(int(changed[:, column].sum()), n, 0.2).pvalue > 1e-4
    assert stats.kstest((noisy - X)[changed[:, 0], 0] / 3.0, "norm").pvalue > 1e-4
    assert set(noisy[:, 4]) == set(range(20))
    gaps = MissingValues(Agrawal(), share=0.1, fields=["loan"]).poll(n).X
    missing = np.isnan(gaps)
    assert set(np.flatnonzero(missing.any(axis=0))) == {8}
    assert stats.binomtest(int(missing.sum()), n, 0.1).pvalue > 1e-4
    np.testing.assert_array_equal(gaps[~missing], X[~missing])
    with pytest.raises(sl.UnknownNameError, match="did you mean salary"):
        MissingValues(Agrawal(), share=0.1, fields=["salry"])


def test_modifiers_leave_the_source_s_arrays_alone() -> None:
    X, y = np.zeros((50, 1)), np.zeros(50, int)
    source = sl.open_stream((X, y), schema=sl.Schema.of(["x"], target="y", classes=[0, 1]))
    for changed in (
        MissingValues(source, share=0.5),
        AttributeNoise(source, noise=0.5),
        LabelNoise(source, noise=0.5),
    ):
        changed.seek({"row": 0})
        assert not np.array_equal(np.nan_to_num(changed.poll().X, nan=1.0), X) or isinstance(changed, LabelNoise)
        assert not X.any()
        assert not y.any()


def test_class_proportions_and_their_drift() -> None:
    source = ClassImbalance(LED(), proportions={"0": 9, "1": 1}, then={"1": 1, "2": 1}, position=20_000, width=2000)
    y = np.concatenate([batch.y for batch in source.batches(limit=40_000)])
    early, late = np.bincount(y[:15_000], minlength=10), np.bincount(y[25_000:], minlength=10)
    assert stats.chisquare(early[:2], np.array([0.9, 0.1]) * 15_000).pvalue > 1e-4
    assert early[2:].sum() == late[0] == late[3:].sum() == 0
    assert stats.binomtest(int(late[1]), 15_000, 0.5).pvalue > 1e-4
    assert 0.3 < (y[19_000:21_000] == 0).mean() < 0.6
    digits = LED().poll(8192)
    threes = ClassImbalance(LED(), proportions={"3": 1}).poll(50)
    np.testing.assert_array_equal(threes.X, digits.X[digits.y == 3][: len(threes)])  # nothing but rows left out
    with pytest.raises(sl.OptionError, match="unknown class '10'"):
        ClassImbalance(LED(), proportions={"10": 1})
    with pytest.raises(sl.OptionError, match="above 0"):
        ClassImbalance(LED(), proportions={"1": 0})


def test_a_class_that_never_comes_is_an_error_not_an_endless_loop() -> None:
    schema = sl.Schema.of(["x"], target="y", classes=["a", "b", "c"])
    endless = sl.open_stream((np.zeros((1_100_000, 1)), ["a"] * 1_100_000), schema=schema)
    with pytest.raises(sl.InputError, match="no row of the class wanted at row 0 in 1,000,000 rows"):
        ClassImbalance(endless, proportions={"b": 1}).poll()


def test_label_delays() -> None:
    n = 20_000
    fixed = LabelDelay(SEA(), delay=100, interval=2.0).poll(n)
    np.testing.assert_array_equal(fixed.event_time, 2.0 * np.arange(n))
    np.testing.assert_array_equal(fixed.label_time, fixed.event_time + 100)
    for shape, distribution in (("uniform", stats.uniform(0, 200)), ("exponential", stats.expon(scale=100))):
        batch = LabelDelay(SEA(), delay=100, shape=shape).poll(n)
        assert stats.kstest(batch.label_time - batch.event_time, distribution.cdf).pvalue > 1e-4
    assert batch.slice(5, 8).label_time.tolist() == batch.label_time[5:8].tolist()
    timed = sl.Schema([sl.Field("x")], target="y", event_time="t")
    source = sl.open_stream(pa.table({"x": [1.0, 2.0], "y": ["a", "b"], "t": [10.0, 20.0]}), schema=timed)
    assert LabelDelay(source, delay=5).poll().label_time.tolist() == [15.0, 25.0]


def test_an_evaluation_runs_on_a_composition() -> None:
    source = LabelNoise(ConceptDrift(SEA(), SEA(function=2, seed=2), position=5000, width=0, rows=10_000), noise=0.05)
    result = sl.evaluate(source, sl.NaiveBayes(), metrics=["accuracy"])
    assert 0.75 < result.summary[0]["accuracy"] < 0.9


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("sea_b", "did you mean sea_g or sea_a"),
        ("electrcity", "did you mean electricity"),
        ("sea_aa:rows=5", "did you mean sea_a"),
        ("sea:functon=2", "unknown parameter 'functon'; did you mean function"),
        ("sea:function=7", "sea: function must be"),
        ("sea:noise", "is not param=value"),
        ("led_a:rows=1", "led_a: rows must be"),
    ],
)
def test_names_that_are_not_quite_right(what: str, message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        sl.open_stream(what)


def test_synthetic_streams_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = sl.open_stream("sea:function=2,noise=0.25,rows=500,seed=9")
    np.testing.assert_array_equal(named.poll(500).X, SEA(seed=9).poll(500).X)
    assert [drift.row for drift in sl.open_stream("sea_a:rows=200000").drifts] == [49_995, 99_995, 149_995]
    with pytest.raises(sl.OptionError, match="target of the stream sea is 'class'"):
        sl.open_stream("sea", target="label")
    with pytest.raises(sl.OptionError, match="generated"):
        sl.open_stream("sea", kinds={"attrib1": "nominal"})
    with pytest.raises(sl.SchemaError, match="nominal, not numeric"):
        sl.open_stream("sea", target_kind="numeric")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sea").write_text("a,class\n1,x\n")
    assert sl.open_stream("sea", format="csv").schema.names == ["a"]  # a file of that name wins
