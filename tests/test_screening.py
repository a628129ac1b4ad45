"""The approximate merits of `trees.screening` are as near to the exact ones as it says, or are called unsure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from streamlearn.algorithms.trees.arrays import HIGH, INFO_GAIN, LOW, MEAN, SQUARES, WEIGHT
from streamlearn.algorithms.trees.observers import best_nominal_split, best_numeric_split, impurity
from streamlearn.algorithms.trees.screening import (
    ERROR,
    LANES,
    UNSURE,
    rough_log2,
    rough_ndtr,
    rough_nominal_merit,
    rough_numeric_merit,
)

from streamlearn.compiled import kernel


@kernel
def log2_of(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = rough_log2(x[i])


@kernel
def ndtr_of(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = rough_ndtr(x[i])


def gaussians_of(rng: np.random.Generator, n_classes: int) -> np.ndarray:
    """Observers of one numeric field, float64 [C, 6, 1], of a few values of each class; some classes have none."""
    gaussians = np.zeros((n_classes, 6, 1))
    gaussians[:, LOW], gaussians[:, HIGH] = np.inf, -np.inf
    scale = 10.0 ** rng.integers(-6, 7)
    for c in range(n_classes):
        x = rng.normal(rng.normal(), rng.exponential(), rng.integers(0, 40)) * scale
        w = rng.exponential(size=len(x)) if rng.random() < 0.5 else rng.poisson(6, len(x)) + 1.0
        if len(x) > 0:
            mean = np.average(x, weights=w)
            moments = {WEIGHT: w.sum(), MEAN: mean, SQUARES: (w * (x - mean) ** 2).sum(), LOW: x.min(), HIGH: x.max()}
            for place, moment in moments.items():
                gaussians[c, place, 0] = moment
    return gaussians


def agree(exact: tuple[bool, float], rough: tuple[bool, float]) -> bool:
    """Whether a rough merit is right, and known."""
    if rough[1] == UNSURE:
        return False
    assert exact[0] == rough[0]
    assert exact[1] == rough[1] or abs(exact[1] - rough[1]) < ERROR, (exact, rough)
    return True


def test_the_functions_it_is_made_of_are_as_exact_as_it_says() -> None:
    x = np.concatenate([np.geomspace(1e-300, 1e300, 100_000), np.linspace(0.5, 4, 100_000)])
    out = np.empty_like(x)
    log2_of(x, out)
    assert np.abs(out - np.log2(x)).max() < 3e-6
    z = np.linspace(-40, 40, 200_001)
    out = np.empty_like(z)
    ndtr_of(z, out)
    assert np.abs(out - ndtr(z)).max() < 2e-7
    log2_of(z := np.zeros(1), out)
    assert np.isfinite(out[0])


@pytest.mark.parametrize("n_classes", [2, 3, 10, 70])
@pytest.mark.parametrize("min_fraction", [0.01, 0.3])
def test_numeric_merits(n_classes: int, min_fraction: float) -> None:
    rng, known, lanes = np.random.default_rng(n_classes), 0, np.empty((3, LANES))
    for _ in range(400):
        gaussians, counts = gaussians_of(rng, n_classes), rng.poisson(9, n_classes) + 0.0
        before, branches = impurity(counts, n_classes, INFO_GAIN), np.empty((2, n_classes))
        exact = best_numeric_split(gaussians, 0, n_classes, before, INFO_GAIN, min_fraction, branches)
        known += agree(exact[:2], rough_numeric_merit(gaussians, 0, n_classes, before, min_fraction, lanes))
    assert known > 300


def test_a_threshold_may_fall_on_the_end_of_a_class() -> None:
    gaussians, branches, lanes, known = np.zeros((2, 6, 1)), np.empty((2, 2)), np.empty((3, LANES)), 0
    gaussians[:, WEIGHT], gaussians[:, SQUARES] = 30.0, 40.0
    for low, high in ((0.1 * a, 0.1 * b) for a in range(-5, 5) for b in range(a + 1, 30)):
        for k in range(10):
            end = (high - low) / 11.0 * (k + 1) + low
            gaussians[0, LOW], gaussians[0, HIGH], gaussians[0, MEAN] = low, end, end - 0.2
            gaussians[1, LOW], gaussians[1, HIGH], gaussians[1, MEAN] = low, high, high
            exact = best_numeric_split(gaussians, 0, 2, 1.0, INFO_GAIN, 0.01, branches)
            known += agree(exact[:2], rough_numeric_merit(gaussians, 0, 2, 1.0, 0.01, lanes))
    assert known > 1000


@pytest.mark.parametrize("n_classes", [2, 16])
@pytest.mark.parametrize("n_values", [0, 1, 2, 3, 30])
@pytest.mark.parametrize("binary_only", [False, True])
def test_nominal_merits(n_classes: int, n_values: int, binary_only: bool) -> None:
    rng, known, lanes = np.random.default_rng(n_values), 0, np.empty(n_classes)
    for _ in range(200):
        table = rng.poisson(rng.exponential(9, (n_values, n_classes))) * (1.0 if rng.random() < 0.5 else 0.37)
        totals, slots = table.sum(0)[:, None], np.full((n_classes, 1), n_values, np.int32)
        before, branches = impurity(rng.poisson(9, n_classes) + 0.0, n_classes, INFO_GAIN), np.empty((2, n_classes))
        exact = best_nominal_split(
            table, totals, slots, 0, n_classes, binary_only, True, before, INFO_GAIN, 0.01, branches
        )  # fmt: skip
        known += agree(exact[:2], rough_nominal_merit(table, totals, 0, binary_only, before, 0.01, lanes))
    assert known > 150


def test_it_does_not_guess_where_a_branch_has_just_the_least_share() -> None:
    table = np.array([[1.0, 0.0], [50.0, 49.0]])
    totals, lanes = table.sum(0)[:, None], np.empty(2)
    assert rough_nominal_merit(table, totals, 0, False, 1.0, 0.01, lanes) == (True, UNSURE)
    assert rough_nominal_merit(table, totals, 0, False, 1.0, 0.02, lanes) == (True, -np.inf)


def test_it_does_not_guess_about_numbers_beyond_all_measure() -> None:
    gaussians = np.zeros((2, 6, 1))
    gaussians[:, WEIGHT], gaussians[:, SQUARES], gaussians[:, LOW], gaussians[:, HIGH] = 5.0, 1.0, -1.0, 1e200
    assert rough_numeric_merit(gaussians, 0, 2, 1.0, 0.01, np.empty((3, LANES))) == (True, UNSURE)
    gaussians[:, HIGH], gaussians[:, SQUARES] = 1.0, 1e-30
    assert rough_numeric_merit(gaussians, 0, 2, 1.0, 0.01, np.empty((3, LANES))) == (True, UNSURE)
