"""Statistics give the values of the papers, of other packages, and of their slow, obvious versions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive
from scipy import stats

from streamlearn.errors import OptionError
from streamlearn.evaluation.statistics import (
    average_ranks,
    bayesian_signed_rank,
    cliques,
    critical_difference,
    friedman,
    holm,
    mcnemar,
    wilcoxon,
)

# Demšar (2006), Table 6: AUC on 14 data sets of C4.5, with m, with cf, and with both.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_ranks_are_those_of_demsar() -> None:
    assert average_ranks(DEMSAR).mean(axis=0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)


def test_friedman_is_that_of_demsar_but_for_ties() -> None:
    ranks = average_ranks(DEMSAR)
    ties = sum(sum(count**3 - count for count in np.unique(row, return_counts=True)[1]) for row in ranks)
    plain = friedman(ranks).chi2 * (1 - ties / (14 * 4 * 15))
    assert plain == pytest.approx(9.28, abs=0.01)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=0.01)


def test_friedman_is_that_of_scipy() -> None:
    ours, theirs = friedman(average_ranks(DEMSAR)), stats.friedmanchisquare(*DEMSAR.T)
    assert (ours.chi2, ours.p_chi2) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert ours.p_f < ours.p_chi2
    assert ours.p_value == pytest.approx(ours.p_chi2, abs=0.01)


@pytest.mark.parametrize(
    "ranks", [[[1, 2], [1, 2], [1, 2]], [[1, 2, 3], [1, 3, 2], [1, 2, 3]], [[1, 2.5, 2.5], [2, 1, 3]]]
)
def test_few_streams_have_the_exact_p_value(ranks: list[list[float]]) -> None:
    assert friedman(np.array(ranks, float)).p_value == pytest.approx(naive.exact_friedman(ranks), abs=0.015)


def test_perfect_agreement_of_two_streams_is_no_proof() -> None:
    assert friedman(np.array([[1.0, 2.0], [1.0, 2.0]])).p_value == pytest.approx(0.5, abs=0.02)


def test_equal_learners_do_not_differ() -> None:
    assert friedman(np.full((6, 3), 2.0)) == (0.0, 1.0, 0.0, 1.0, 1.0)
    assert wilcoxon(np.zeros(5)).p_value == 1.0


@pytest.mark.parametrize(
    ("k", "q05", "q10"), [(2, 1.960, 1.645), (3, 2.343, 2.052), (5, 2.728, 2.459), (10, 3.164, 2.920)]
)
def test_critical_values_are_those_of_demsar(k: int, q05: float, q10: float) -> None:
    scale = math.sqrt(k * (k + 1) / (6 * 20))
    assert critical_difference(k, 20) == pytest.approx(q05 * scale, abs=2e-3 * scale)
    assert critical_difference(k, 20, 0.1) == pytest.approx(q10 * scale, abs=2e-3 * scale)


def test_demsars_learners_fall_into_his_groups() -> None:
    ranks = average_ranks(DEMSAR).mean(axis=0).tolist()
    assert critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.1) == pytest.approx(1.12, abs=0.005)
    assert cliques(ranks, critical_difference(4, 14, 0.05)) == [(3, 1, 2, 0)]
    assert cliques(ranks, critical_difference(4, 14, 0.1)) == [(3, 1, 2), (2, 0)]


@given(st.lists(st.floats(1, 9), min_size=1, max_size=8), st.floats(0.1, 4))
def test_cliques_are_the_largest_groups_within_reach(ranks: list[float], reach: float) -> None:
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    groups = cliques(ranks, reach)
    together = {frozenset(pair) for group in groups for pair in pairwise(group)}
    for group in groups:
        assert ranks[group[-1]] - ranks[group[0]] < reach
        assert not any(set(group) < set(other) for other in groups)
    for i, j in pairwise(order):
        assert (ranks[j] - ranks[i] < reach) == (frozenset((i, j)) in together)


def test_wilcoxon_is_that_of_demsar() -> None:
    test = wilcoxon(DEMSAR[:, 1] - DEMSAR[:, 0])
    assert test.statistic == 12.0
    assert test.p_value < 0.05


def test_wilcoxon_is_exact_without_ties() -> None:
    assert wilcoxon(np.array([0.1, 0.2, 0.3, 0.4, 0.5])).p_value == pytest.approx(2 / 2**5)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar(only_first: int, only_second: int) -> None:
    test = mcnemar(only_first, only_second)
    assert test.sign == (only_first > only_second) - (only_first < only_second)
    assert test.exact == (only_first + only_second < 25)
    exact = naive.exact_mcnemar(only_first, only_second)
    assert test.p_value == pytest.approx(exact, abs=1e-12 if test.exact else 0.01)
    assert test.p_value == mcnemar(only_second, only_first).p_value


def test_mcnemar_is_that_of_the_textbook() -> None:
    test = mcnemar(150, 86)  # Agresti's approval ratings, with the continuity correction
    assert test.statistic == pytest.approx(16.82, abs=0.005)
    assert test.p_value == pytest.approx(4.1e-5, rel=0.02)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(naive.holm(p_values))


@given(st.lists(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=4, max_size=4), min_size=1, max_size=5))
def test_ranks(scores: list[list[float]]) -> None:
    ours = average_ranks(np.array(scores))
    assert ours.tolist() == [naive.ranks_of(row) for row in scores]
    assert average_ranks(-np.array(scores), higher_is_better=False).tolist() == ours.tolist()


def test_an_undefined_score_is_the_worst() -> None:
    assert average_ranks(np.array([[0.2, math.nan, 0.1]])).tolist() == [[1.0, 3.0, 2.0]]
    assert average_ranks(np.array([[0.2, math.nan, 0.1]]), higher_is_better=False).tolist() == [[2.0, 3.0, 1.0]]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from([-0.03, -0.02, -0.01, 0.0, 0.01, 0.015, 0.04]), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.01, 0.02]),
)
def test_the_bayesian_test_samples_as_the_paper_says(differences: list[float], rope: float) -> None:
    ours = bayesian_signed_rank(np.array(differences), rope=rope, samples=200, seed=7)
    # sums in another order may tip a sample that is all but even
    assert ours == pytest.approx(naive.bayesian_signed_rank(differences, rope, 0.5, 200, 7), abs=0.02)
    assert sum(ours) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("differences", "rope", "expected"),
    [  # probabilities by the authors' package baycomp 1.0.3
        (
            [0.0508, -0.0411, 0.0184, -0.0014, 0.0009, 0.0057, -0.0304, 0.0054, -0.0073, 0.0765],
            0.01,
            (0.39712, 0.42416, 0.17872),
        ),
        ([0.0157, 0.0043, 0.0246, -0.0299, 0.0338], 0.01, (0.61784, 0.32012, 0.06204)),
        ([0.0098, -0.0328, 0.0012, -0.0193, 0.0151, -0.0407, -0.0183, 0.0142], 0.0, (0.1399, 0.0, 0.8601)),
    ],
)
def test_the_bayesian_test_agrees_with_its_authors(
    differences: list[float], rope: float, expected: tuple[float, float, float]
) -> None:
    assert bayesian_signed_rank(np.array(differences), rope=rope) == pytest.approx(expected, abs=0.01)


def test_the_bayesian_test_is_seeded() -> None:
    differences = np.array([0.02, -0.01, 0.03])
    assert bayesian_signed_rank(differences, seed=5) == bayesian_signed_rank(differences, seed=5)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="at least 0"):
        mcnemar(-1, 3)
    with pytest.raises(OptionError, match="finite"):
        bayesian_signed_rank(np.array([math.nan]))
    with pytest.raises(OptionError, match="rope"):
        bayesian_signed_rank(np.array([0.1]), rope=-1.0)
    with pytest.raises(OptionError, match="alpha"):
        critical_difference(3, 5, 1.5)
    with pytest.raises(OptionError, match="at least 2 learners"):
        critical_difference(1, 5)
    with pytest.raises(OptionError, match="2 streams and 2 learners"):
        friedman(np.ones((1, 3)))
