"""Statistics that compare learners: pairs of them on one stream, and several of them over several streams.

The distributions and the classical tests are SciPy's; the arguments and the results are those of the papers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy  # loads `scipy.stats`, which takes half a second, on first use

from ..errors import OptionError

FEW = 25
"""Disagreements below which McNemar's test is exact: the chi-squared distribution is then a poor approximation."""
MANY_SAMPLES = 50_000
ORDERS = 10_000
"""Random orders of ranks that Friedman's p-value comes from, so it is at least 0.0001."""


class McNemar(NamedTuple):
    """What McNemar's test says about two learners on the same rows.

    Parameters
    ----------
    statistic
        Chi-squared with continuity correction; for the exact test, the smaller of the two counts.
    p_value
    sign
        1 if the first learner is right more often, -1 if the second is, 0 if neither.
    exact
        Whether the binomial distribution was used.
    """

    statistic: float
    p_value: float
    sign: int
    exact: bool


class Friedman(NamedTuple):
    """Whether some learner differs from the others over several streams.

    Parameters
    ----------
    chi2, p_chi2
        Friedman's statistic, corrected for ties, and its p-value with k - 1 degrees of freedom.
    f, p_f
        Iman and Davenport's F of it, which is less conservative, with k - 1 and (k - 1)(n - 1) degrees of freedom.
    p_value
        Share of random orders of each stream's ranks whose statistic is as large: also right for few streams, where
        both distributions are poor approximations. This one decides.
    """

    chi2: float
    p_chi2: float
    f: float
    p_f: float
    p_value: float


class Wilcoxon(NamedTuple):
    """Two learners over several streams: the smaller rank sum and its two-sided p-value."""

    statistic: float
    p_value: float


class SignedRank(NamedTuple):
    """Posterior probabilities that the first learner is better, that both are equivalent, that the second is better."""

    first: float
    equivalent: float
    second: float


def mcnemar(only_first: float, only_second: float) -> McNemar:
    """Test whether two learners are right equally often, from the rows on which just one of them is.

    Parameters
    ----------
    only_first, only_second
        Rows that only the first, and only the second, learner predicted rightly.

    Returns
    -------
    McNemar
        Exact where the two differ on fewer than 25 rows.

    Notes
    -----
    McNemar (1947), with the continuity correction of Edwards (1948). The test takes rows as independent; on a stream,
    where neighbours resemble each other, a small p-value is weaker evidence than it looks.

    Examples
    --------
    >>> test = mcnemar(121, 59)
    >>> round(test.statistic, 2), test.p_value < 1e-5, test.sign
    (20.67, True, 1)
    """
    if not (0.0 <= only_first < math.inf and 0.0 <= only_second < math.inf):
        raise OptionError(f"counts of rows must be at least 0, got {only_first} and {only_second}")
    total = only_first + only_second
    sign = int(np.sign(only_first - only_second))
    if total < FEW:
        low, n = round(min(only_first, only_second)), round(total)
        return McNemar(float(low), float(min(1.0, 2.0 * scipy.stats.binom.cdf(low, n, 0.5))) if n else 1.0, sign, True)
    chi2 = max(abs(only_first - only_second) - 1.0, 0.0) ** 2 / total
    return McNemar(chi2, float(scipy.stats.chi2.sf(chi2, 1)), sign, False)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false alarm among them stays below the level (Holm, 1979).

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for done, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def average_ranks(scores: np.ndarray, *, higher_is_better: bool = True) -> np.ndarray:
    """Rank the learners on each stream, the best 1; equal ones share the mean of their ranks.

    Parameters
    ----------
    scores : float64 [n, k]
        One row a stream, one column a learner; NaN is the worst.
    higher_is_better

    Returns
    -------
    float64 [n, k]
    """
    losses = -scores if higher_is_better else scores
    return scipy.stats.rankdata(np.where(np.isnan(losses), np.inf, losses), axis=1)


def friedman(ranks: np.ndarray, *, seed: int = 0) -> Friedman:
    """Test whether all learners are equal, from their ranks on each stream.

    Parameters
    ----------
    ranks : float64 [n, k]
        See `average_ranks`; at least 2 streams and 2 learners.
    seed
        Of the random orders.

    Notes
    -----
    Friedman (1937) and Iman and Davenport (1980), as recommended by Demšar (2006), whose formula lacks the correction
    for ties.
    """
    n, k = _checked(ranks)
    counts = [np.unique(row, return_counts=True)[1] for row in ranks]
    ties = float(sum(np.sum(count**3 - count) for count in counts))
    correction = 1.0 - ties / (n * k * (k * k - 1.0))
    if correction < 1e-12:  # every learner is equal on every stream
        return Friedman(0.0, 1.0, 0.0, 1.0, 1.0)
    spread = _spread(ranks)
    chi2 = 12.0 * n / (k * (k + 1.0)) * spread / correction
    left = n * (k - 1.0) - chi2
    f = (n - 1.0) * chi2 / left if left > 1e-9 else math.inf
    orders = np.random.default_rng(seed).permuted(np.broadcast_to(ranks, (ORDERS, n, k)), axis=2)
    as_large = int(np.count_nonzero(_spread(orders) >= spread - 1e-9))
    return Friedman(
        chi2,
        float(scipy.stats.chi2.sf(chi2, k - 1)),
        f,
        float(scipy.stats.f.sf(f, k - 1, (k - 1) * (n - 1))),
        (1 + as_large) / (1 + ORDERS),
    )


def _spread(ranks: np.ndarray) -> Any:
    """Sum of the squared distances of the mean ranks [..., n, k] from their common mean."""
    k = ranks.shape[-1]
    return np.sum((ranks.mean(axis=-2) - (k + 1.0) / 2.0) ** 2, axis=-1)


def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference: mean ranks that differ by less are not told apart.

    Parameters
    ----------
    k
        Learners, at least 2.
    n
        Streams, at least 1.
    alpha
        Level, between 0 and 1.

    Examples
    --------
    >>> round(critical_difference(5, 30), 3)  # Demšar's q is 2.728
    1.114
    """
    if k < 2 or n < 1:
        raise OptionError(f"a critical difference needs at least 2 learners and 1 stream, got {k} and {n}")
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha must be between 0 and 1, got {alpha}")
    q = float(scipy.stats.studentized_range.ppf(1.0 - alpha, k, math.inf)) / math.sqrt(2.0)
    return q * math.sqrt(k * (k + 1.0) / (6.0 * n))


def cliques(mean_ranks: Sequence[float], difference: float) -> list[tuple[int, ...]]:
    """Largest groups of learners whose mean ranks differ by less than ``difference``, each from the best on.

    Examples
    --------
    >>> cliques([3.0, 1.0, 1.5], 1.8)
    [(1, 2), (2, 0)]
    """
    order = sorted(range(len(mean_ranks)), key=mean_ranks.__getitem__)
    sizes = [mean_ranks[i] for i in order]
    groups: list[tuple[int, ...]] = []
    reached = 0
    for start, first in enumerate(sizes):
        end = max(i for i in range(start, len(sizes)) if i == start or sizes[i] - first < difference)
        if end > max(start, reached):
            groups.append(tuple(order[start : end + 1]))
        reached = max(reached, end)
    return groups


def wilcoxon(differences: np.ndarray) -> Wilcoxon:
    """Wilcoxon's signed-rank test (1945) of two learners over streams; zeros' ranks are split, as by Demšar (2006).

    Parameters
    ----------
    differences : float64 [n]
        Of the two learners' scores, one a stream.
    """
    if not np.any(differences):
        return Wilcoxon(0.0, 1.0)
    # Few streams have an exact distribution, which SciPy offers where there are neither ties nor zeros.
    sizes = np.abs(differences)
    plain = len(differences) <= 50 and np.all(sizes > 0.0) and len(np.unique(sizes)) == len(sizes)
    found = scipy.stats.wilcoxon(differences, zero_method="zsplit", method="exact" if plain else "approx")
    return Wilcoxon(float(found.statistic), float(found.pvalue))


def bayesian_signed_rank(
    differences: np.ndarray,
    *,
    rope: float = 0.01,
    prior: float = 0.5,
    samples: int = MANY_SAMPLES,
    seed: int = 0,
) -> SignedRank:
    """Probabilities that one learner is practically better than another, over streams like these.

    Parameters
    ----------
    differences : float64 [n]
        Score of the first learner less the second one's, one a stream; more is better.
    rope
        Region of practical equivalence: differences up to this size don't matter, 0.01 being one percent point.
    prior
        Weight of the pseudo-observation "no difference", above 0.
    samples
        Of the posterior distribution.
    seed

    Returns
    -------
    SignedRank
        They add up to 1.

    Notes
    -----
    Benavoli, Corani, Demšar and Zaffalon (2017): the streams have weights of a Dirichlet distribution, and a sample
    is won by the region into which most of the weighted means of two differences fall. Means exactly on the edge count
    by half, as in the authors' package.

    Examples
    --------
    >>> better = bayesian_signed_rank(np.array([0.04, 0.02, 0.05, 0.03, 0.06, 0.03]))
    >>> better.first > 0.95
    True
    """
    if len(differences) < 1 or not np.all(np.isfinite(differences)):
        raise OptionError("differences must be finite numbers, at least one")
    if rope < 0.0 or prior <= 0.0 or samples < 1:
        raise OptionError(f"rope must be at least 0, prior above 0, samples at least 1, got {rope}, {prior}, {samples}")
    observed = np.concatenate([[0.0], differences])
    sums = observed[:, None] + observed[None, :]
    above = np.heaviside(sums - 2.0 * rope, 0.5)
    below = np.heaviside(-sums - 2.0 * rope, 0.5)
    weights = np.random.default_rng(seed).dirichlet([prior, *[1.0] * len(differences)], samples)
    first = np.sum((weights @ above) * weights, axis=1)
    second = np.sum((weights @ below) * weights, axis=1)
    shares = np.stack([first, 1.0 - first - second, second])
    won = np.bincount(np.argmax(shares, axis=0), minlength=3) / samples
    return SignedRank(*(float(share) for share in won))


def _checked(ranks: np.ndarray) -> tuple[int, int]:
    if ranks.ndim != 2 or ranks.shape[0] < 2 or ranks.shape[1] < 2:
        raise OptionError(f"ranks must be of at least 2 streams and 2 learners, got the shape {ranks.shape}")
    return int(ranks.shape[0]), int(ranks.shape[1])
