"""Synthetic streams: rows depend on neither batches nor restarts, and follow the formulas and distributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
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
    Friedman,
    FriedmanDrift,
    Hyperplane,
    LEDDrift,
    Mixed,
    RandomRBF,
    RandomRBFDrift,
    RandomTree,
    Sine,
    Waveform,
)
from streamlearn.connectors.generators.random_rbf import _place_after

import streamlearn as sl
from streamlearn import registry
from streamlearn.random import generator, restart

quick = settings(max_examples=15, deadline=None)
RECORDED = ("santa_fe",)  # these have neither seeds nor any number of rows
NAMES = [name for name in registry.names("streams") if name not in RECORDED]
ROWS = 400


def drained(source: sl.Source, rows: int, sizes: Any) -> tuple[np.ndarray, np.ndarray]:
    """The next rows, polled in batches of the sizes, which repeat."""
    X, y = [], []
    for size in itertools.cycle(sizes):
        if rows == 0:
            break
        batch = source.poll(min(size, rows))
        assert batch is not None
        assert 0 < len(batch) <= size
        assert batch.position == source.position()
        rows -= len(batch)
        X.append(batch.X)
        y.append(batch.y)
    return np.concatenate(X), np.concatenate(y)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(st.lists(st.integers(1, 90), min_size=1, max_size=4), st.integers(0, ROWS - 1), st.integers(0, 3))
def test_rows_depend_on_neither_batches_nor_restarts(name: str, sizes: list[int], start: int, seed: int) -> None:
    make = registry.load("streams", name)
    stream = make(rows=ROWS, seed=seed)
    X, y = drained(make(rows=ROWS, seed=seed), ROWS, [ROWS])
    assert X.shape == (ROWS, len(stream.schema.fields))
    for first in (0, start, 0):
        stream.seek({"row": first})
        again = drained(stream, ROWS - first, sizes)
        np.testing.assert_array_equal(again[0], X[first:])
        np.testing.assert_array_equal(again[1], y[first:])
        assert stream.poll() is None
        assert stream.position() == {"row": ROWS}


@pytest.mark.parametrize("name", NAMES)
def test_streams_say_what_they_are(name: str) -> None:
    make = registry.load("streams", name)
    stream = make(rows=1000)
    batch = stream.poll(1000)
    assert stream.name == name
    assert (stream.rows, stream.bounded, len(batch)) == (1000, True, 1000)
    for column, field in zip(batch.X.T, stream.schema.fields, strict=True):
        if field.kind == "nominal":
            assert set(column) <= set(range(len(field.categories)))
    if stream.schema.target_kind == "nominal":
        assert stream.schema.classes_declared
        assert set(batch.y) <= set(range(len(stream.schema.classes)))
    if name.endswith(("_a", "_g", "_lea", "_gra", "_gsg")):
        assert len(stream.drifts) >= 2
        assert all(0 < drift.row < 1000 for drift in stream.drifts)
    else:
        assert not stream.drifts or name == "friedman_drift"
    assert not np.array_equal(make(rows=1000, seed=2).poll(1000).X, batch.X)
    assert not np.array_equal(make(rows=1000, seed=0).poll(1000).X, batch.X)


def test_a_generator_can_be_endless_and_shows_itself() -> None:
    stream = SEA(function=3, seed=9)
    assert (stream.rows, stream.bounded) == (None, False)
    with pytest.raises(sl.OptionError, match="sea has no end: give a limit"):
        next(stream.batches())
    assert sum(map(len, stream.batches(limit=20_000))) == 20_000
    assert repr(stream) == "SEA(function=3, seed=9)"
    for name in NAMES:
        made = registry.load("streams", name)(rows=300, seed=5)
        again = eval(repr(made), dict(vars(generators)))
        np.testing.assert_array_equal(again.poll(300).X, made.poll(300).X)


def test_restart_is_generator() -> None:
    state = np.empty(4, np.uint64)
    for seed, stream in [(0, 0), (1, 5), (2**64 - 1, 10**12), (12345678901234567890, 3)]:
        restart(state, np.uint64(seed), stream)
        np.testing.assert_array_equal(state, generator(seed, stream))


def test_rows_are_uncorrelated_with_their_neighbours_and_with_other_seeds() -> None:
    one, other = (Friedman(seed=seed).poll(50_000).X for seed in (1, 2))
    bound = 4.5 / math.sqrt(50_000)
    assert abs(np.corrcoef(one[1:].T, one[:-1].T)[:10, 10:]).max() < bound
    assert abs(np.corrcoef(one.T, other.T)[:10, 10:]).max() < bound
    assert stats.kstest(one.ravel()[:100_000], "uniform").pvalue > 1e-4


# -- formulas and distributions


def clean(stream: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    batch = stream.poll(rows)
    return batch.X, batch.y


@pytest.mark.parametrize("function", [1, 2, 3, 4])
def test_sea(function: int) -> None:
    n = 100_000
    X, y = clean(SEA(function=function, noise=0.0, seed=4), n)
    assert y[:2000].tolist() == [naive.sea(function, x) for x in X[:2000]]
    threshold = [8, 9, 7, 9.5][function - 1]
    assert stats.binomtest(int((y == 0).sum()), n, threshold**2 / 200).pvalue > 1e-4
    assert stats.kstest(X[:, 2], stats.uniform(0, 10).cdf).pvalue > 1e-4
    same, noisy = clean(SEA(function=function, noise=0.1, seed=4), n)
    np.testing.assert_array_equal(same, X)
    assert stats.binomtest(int((y != noisy).sum()), n, 0.1).pvalue > 1e-4  # the Bayes accuracy is 90 %


@pytest.mark.parametrize("n_drift_features", [0, 1, 3, 7])
def test_led(n_drift_features: int) -> None:
    n = 60_000
    X, y = clean(LEDDrift(n_drift_features=n_drift_features, seed=5), n)
    assert stats.chisquare(np.bincount(y, minlength=10)).pvalue > 1e-4
    places = list(range(24))
    for i in range(n_drift_features):
        places[i], places[7 + i] = places[7 + i], places[i]
    shapes = np.array([[int(bit) for bit in digit] for digit in naive.DIGITS])
    wrong = X[:, places[:7]] != shapes[y]
    assert stats.binomtest(int(wrong.sum()), 7 * n, 0.1).pvalue > 1e-4
    assert stats.binomtest(int(X[:, places[7:]].sum()), 17 * n, 0.5).pvalue > 1e-4
    distance = (X[:, None, places[:7]] != shapes[None]).sum(axis=2)
    assert (distance.argmin(axis=1) == y).mean() == pytest.approx(0.74, abs=0.006)  # the Bayes classifier
    if n_drift_features == 0:
        np.testing.assert_array_equal(X, LED(seed=5).poll(n).X)


@pytest.mark.parametrize("function", range(1, 11))
def test_agrawal(function: int) -> None:
    stream = Agrawal(function=function, perturbation=0.0, seed=6)
    batch = stream.poll(3000)
    for x, y in zip(batch.X, batch.y, strict=True):
        assert naive.agrawal(function, stream.schema.decode_row(x)) == stream.schema.classes[y]


def test_agrawal_fields() -> None:
    n = 50_000
    X = Agrawal(perturbation=0.0, seed=7).poll(n).X
    salary, commission, age, level, car, zipcode, house, years, loan = X.T
    assert stats.kstest(salary, stats.uniform(20_000, 130_000).cdf).pvalue > 1e-4
    assert (commission[salary >= 75_000] == 0).all()
    assert stats.kstest(commission[salary < 75_000], stats.uniform(10_000, 65_000).cdf).pvalue > 1e-4
    for column, low, high in ((age, 20, 80), (level, 0, 4), (car, 0, 19), (zipcode, 0, 8), (years, 1, 30)):
        assert stats.chisquare(np.bincount(column.astype(int) - low, minlength=high - low + 1)).pvalue > 1e-4
    assert stats.kstest(house / (9 - zipcode) / 100_000, stats.uniform(0.5, 1).cdf).pvalue > 1e-4
    assert stats.kstest(loan, stats.uniform(0, 500_000).cdf).pvalue > 1e-4
    perturbed = Agrawal(perturbation=0.05, seed=7).poll(n).X
    assert np.abs(perturbed[:, 8] - loan).max() <= 25_000
    assert 11_000 < np.abs(perturbed[:, 8] - loan).mean() < 13_000
    assert ((perturbed[:, 2] >= 20) & (perturbed[:, 2] <= 80) & (perturbed[:, 2] % 1 == 0)).all()
    np.testing.assert_array_equal(perturbed[:, 3:6], X[:, 3:6])


@pytest.mark.parametrize("function", [1, 2, 3, 4])
def test_sine(function: int) -> None:
    X, y = clean(Sine(function=function, has_noise=True), 5000)
    assert X.shape == (5000, 4)
    assert y.tolist() == [naive.sine(function, *x[:2]) for x in X]


@pytest.mark.parametrize("function", [1, 2])
def test_mixed(function: int) -> None:
    X, y = clean(Mixed(function=function), 5000)
    assert y.tolist() == [naive.mixed(function, *x) for x in X]
    assert stats.binomtest(int(X[:, :2].sum()), 10_000, 0.5).pvalue > 1e-4


@pytest.mark.parametrize("function", [1, 2, 3])
def test_stagger(function: int) -> None:
    stream = STAGGER(function=function)
    batch = stream.poll(5000)
    rows = [stream.schema.decode_row(x) for x in batch.X]
    assert batch.y.tolist() == [naive.stagger(function, **row) for row in rows]
    assert stats.chisquare(np.bincount((batch.X @ [9, 3, 1]).astype(int), minlength=27)).pvalue > 1e-4


BALANCED: list[Callable[..., sl.Source]] = [
    *(lambda f=f, **k: SEA(function=f, noise=0.0, **k) for f in (1, 3)),
    *(lambda f=f, **k: Agrawal(function=f, **k) for f in (1, 8)),
    *(lambda f=f, **k: Sine(function=f, **k) for f in (1, 4)),
    *(lambda f=f, **k: Mixed(function=f, **k) for f in (1, 2)),
    *(lambda f=f, **k: STAGGER(function=f, **k) for f in (1, 2)),
]


@pytest.mark.parametrize("make", BALANCED)
def test_balanced_classes_alternate(make: Callable[..., sl.Source]) -> None:
    batch = make(balance_classes=True).poll(1000)
    np.testing.assert_array_equal(batch.y, 1 - np.arange(1000) % 2)


def test_waveform() -> None:
    n = 60_000
    X, y = clean(Waveform(has_noise=True, seed=8), n)
    assert stats.chisquare(np.bincount(y, minlength=3)).pvalue > 1e-4
    base = np.array(
        [
            [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0],
            [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0],
        ]
    )
    for c, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        rows = X[y == c]
        np.testing.assert_allclose(rows[:, :21].mean(axis=0), (base[a] + base[b]) / 2, atol=0.07)
        np.testing.assert_allclose(rows[:, :21].var(axis=0), 1 + (base[a] - base[b]) ** 2 / 12, rtol=0.07)
    assert stats.kstest(X[:, 21:].ravel()[:100_000], "norm").pvalue > 1e-4
    assert np.array_equal(Waveform(seed=8).poll(10).X, X[:10, :21])


def test_friedman() -> None:
    X, y = clean(Friedman(seed=3), 20_000)
    residuals = y - [naive.friedman(x) for x in X]
    assert stats.kstest(residuals, "norm").pvalue > 1e-4
    assert stats.kstest(X[:10_000].ravel(), "uniform").pvalue > 1e-4


def roles(a: int, b: int, c: int, d: int, e: int) -> Callable[[np.ndarray], float]:
    return lambda x: naive.friedman([x[a], x[b], x[c], x[d], x[e]])


@pytest.mark.parametrize(
    ("drift_type", "concepts"),
    [
        ("lea", [lambda x, p=p: naive.friedman_lea(x, p) for p in range(4)]),
        ("gra", [naive.friedman, roles(3, 4, 1, 0, 2), naive.friedman]),
        ("gsg", [naive.friedman, roles(3, 4, 1, 0, 2), roles(1, 4, 3, 2, 0)]),
    ],
)
def test_friedman_drift(drift_type: str, concepts: list[Callable[[np.ndarray], float]]) -> None:
    changes = (2000, 6000, 9000)
    stream = FriedmanDrift(drift_type=drift_type, positions=changes, transition_window=1000, rows=12_000)
    X, y = clean(stream, 12_000)
    bounds = [0, *changes[: len(concepts) - 1], 12_000]
    for i, (start, end) in enumerate(itertools.pairwise(bounds)):
        steady = start + 1000 if drift_type == "gsg" and i else start
        residuals = y[steady:end] - [concepts[i](x) for x in X[steady:end]]
        assert stats.kstest(residuals, "norm").pvalue > 1e-4
        if steady > start:  # old and new in equal parts
            fits = [
                np.abs(y[start:steady] - [concept(x) for x in X[start:steady]]) for concept in concepts[i - 1 : i + 1]
            ]
            assert 0.4 < (fits[0] < fits[1]).mean() < 0.6


def test_random_rbf() -> None:
    stream = RandomRBF(n_classes=4, n_features=3, n_centroids=5, seed=2, model_seed=11)
    X, y = clean(stream, 100_000)
    centres, labels, widths = stream._centres, stream._labels, stream._widths
    weights = np.diff(stream._bounds, prepend=0.0) / stream._bounds[-1]
    assert ((centres >= 0) & (centres < 1)).all()
    expected = np.bincount(labels, weights, minlength=4)
    counts = np.bincount(y, minlength=4)
    assert counts[expected == 0].sum() == 0
    assert stats.chisquare(counts[expected > 0], 100_000 * expected[expected > 0]).pvalue > 1e-4
    np.testing.assert_allclose(X.mean(axis=0), weights @ centres, atol=0.02)
    spread = weights @ ((centres - weights @ centres) ** 2).sum(axis=1) + weights @ widths**2
    assert X.var(axis=0).sum() == pytest.approx(spread, rel=0.03)
    alone = RandomRBF(n_features=4, n_centroids=1)
    distance = np.linalg.norm(alone.poll(20_000).X - alone._centres[0], axis=1) / alone._widths[0]
    assert stats.kstest(distance, "halfnorm").pvalue > 1e-4
    same = RandomRBF(n_features=3, seed=5, model_seed=11)
    assert np.array_equal(same._centres, RandomRBF(n_features=3, seed=6, model_seed=11)._centres)


@given(st.integers(0, 4095), st.integers(0, 9000), st.integers(0, 500))
@settings(max_examples=300, deadline=None)
def test_centroids_turn_round_at_the_walls(start: int, step: int, steps: int) -> None:
    exact = start / 4096, step / 4096, steps  # sums of these are not rounded
    assert _place_after.py_func(*exact) == naive.moved(*exact)


def test_moving_centroids_carry_their_points_along() -> None:
    moving = RandomRBFDrift(n_features=3, n_centroids=1, n_drift_centroids=1, change_speed=0.01, model_seed=3)
    still = RandomRBF(n_features=3, n_centroids=1, model_seed=3)
    np.testing.assert_array_equal(moving._centres, still._centres)
    assert np.linalg.norm(moving._speeds) == pytest.approx(1)
    moved = moving.poll(2000).X - still.poll(2000).X  # the same draws around the same centroid
    for j, (start, speed) in enumerate(zip(moving._centres[0], moving._speeds[0], strict=True)):
        walk = [naive.moved(start, 0.01 * speed, row + 1) - start for row in range(0, 2000, 50)]
        np.testing.assert_allclose(moved[::50, j], walk, atol=1e-9)
    none = RandomRBFDrift(n_features=3, n_drift_centroids=0, change_speed=0.01, model_seed=3)
    np.testing.assert_array_equal(none.poll(100).X, RandomRBF(n_features=3, model_seed=3).poll(100).X)


def test_hyperplane() -> None:
    still = Hyperplane(n_features=4, noise=0.0, seed=3)
    X, y = clean(still, 5000)
    np.testing.assert_array_equal(y, X @ still._weights >= 0.5 * still._weights.sum())
    noisy = clean(Hyperplane(n_features=4, noise=0.05, seed=3), 5000)[1]
    assert stats.binomtest(int((noisy != y).sum()), 5000, 0.05).pvalue > 1e-4
    straight = Hyperplane(n_features=4, n_drift_features=2, mag_change=0.01, sigma=0.0, noise=0.0, seed=3)
    X, y = clean(straight, 5000)
    weights = straight._weights + np.outer(np.arange(5000), [0.01, 0.01, 0, 0])
    np.testing.assert_array_equal(y, (X * weights).sum(axis=1) >= 0.5 * weights.sum(axis=1))
    walking = Hyperplane(n_features=1, n_drift_features=1, mag_change=0.001, sigma=0.1)
    steps = []
    for _ in range(4000):
        walking.poll(1)
        steps.append(int(walking._steps[0]))
    turns = np.count_nonzero(np.diff(np.diff(steps)))
    assert set(np.abs(np.diff(steps))) == {1}
    assert stats.binomtest(turns, 3998, 0.1).pvalue > 1e-4


def test_random_tree() -> None:
    stream = RandomTree(n_classes=3, n_cat_features=2, n_num_features=2, n_categories_per_feature=3, seed=4)
    X, y = clean(stream, 3000)

    def classify(x: np.ndarray) -> int:
        node = 0
        while stream._field[node] >= 0:
            j = stream._field[node]
            node = stream._child[node] + (int(x[j]) if j < 2 else int(x[j] >= stream._split[node]))
        return int(stream._split[node])

    assert y.tolist() == [classify(x) for x in X]
    assert stats.chisquare(np.bincount(X[:, 0].astype(int), minlength=3)).pvalue > 1e-4
    assert stats.kstest(X[:, 2], "uniform").pvalue > 1e-4
    depths = np.zeros(stream.n_nodes, int)
    for node in range(stream.n_nodes):
        if stream._field[node] >= 0:
            children = 3 if stream._field[node] < 2 else 2
            depths[stream._child[node] : stream._child[node] + children] = depths[node] + 1
    leaves = depths[stream._field < 0]
    assert (leaves.min() >= 3, leaves.max()) == (True, 5)
    assert RandomTree(max_tree_depth=0).n_nodes == 1
    assert RandomTree(n_num_features=0, n_cat_features=1, n_categories_per_feature=2, max_tree_depth=9).n_nodes == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SEA(function=5), "function must be a whole number >= 1 and <= 4, got 5"),
        (lambda: SEA(noise=1.5), "noise must be"),
        (lambda: SEA(seed=-1), "seed must be"),
        (lambda: SEA(balance_classes="no"), "balance_classes must be true or false, got 'no'"),
        (lambda: Waveform(has_noise=1), "has_noise must be true or false"),
        (lambda: SEA(rows=-1), "rows must be"),
        (lambda: LEDDrift(n_drift_features=8), "n_drift_features"),
        (lambda: Hyperplane(n_features=3, n_drift_features=4), "at most n_features"),
        (lambda: RandomTree(n_num_features=0, n_cat_features=0), "can't both be 0"),
        (lambda: RandomTree(max_tree_depth=20, first_leaf_level=20, n_categories_per_feature=10), "1,000,000 nodes"),
        (lambda: FriedmanDrift(drift_type="abrupt"), "drift_type must be one of"),
        (lambda: FriedmanDrift(positions=(1, 2)), "needs 3 rows"),
        (lambda: FriedmanDrift(positions=(3, 2, 5)), "must ascend"),
        (lambda: FriedmanDrift(drift_type="gsg", positions=(1, 5), transition_window=5), "at most 4"),
        (lambda: RandomRBF(model_seed=-1), "model_seed"),
        (lambda: RandomRBF(n_classes=1), "n_classes"),
    ],
)
def test_wrong_parameters_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(sl.OptionError, match=message):
        make()


def test_positions_are_checked() -> None:
    stream = SEA(rows=10)
    for bad in ({"row": 11}, {"row": -1}, {}, 3, {"row": "2"}):
        with pytest.raises(sl.InputError, match="can't seek"):
            stream.seek(bad)


def test_every_generator_is_registered() -> None:
    public = {
        name
        for name in generators.__all__
        if isinstance(getattr(generators, name), type)
        and issubclass(getattr(generators, name), generators.Generator)
        and name != "Generator"
    }
    assert public == {name for name in registry.classes("streams") if name[0].isupper()}
