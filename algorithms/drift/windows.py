"""STEPD, KSWIN and SEED: detectors that compare their last values with those before."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

from river.base import BinaryDriftAndWarningDetector

from streamlearn.detector import ValueDetector
from streamlearn.detector_kernels import MonitorArrays
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_range

from . import kernels, window_kernels
from .check import check_whole


class STEPD(ValueDetector, BinaryDriftAndWarningDetector):
    """Statistical test of equal proportions: drift where the last errors are not as many as those before.

    It looks both ways, as MOA's does, and its alarms are MOA's but for one case: where rounding the proportions to the
    nearest possible ones (the correction for continuity) would account for the whole difference, as among values that
    are all alike, the paper's statistic says "no drift", and MOA takes its absolute value.

    Parameters
    ----------
    window_size : int in 1 … 1,000,000
        How many values are "the last"; it needs as many before them.
    alpha_drift, alpha_warning : float in (0, 1]
        Significance at which it sees drift, and warns.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.STEPD().update_many([0, 1, 0, 0, 0] * 60 + [1, 1, 0, 1, 1] * 20)
    >>> int(levels.argmax())  # the first drift
    313

    References
    ----------
    Nishida and Yamauchi, Detecting Concept Drift Using Statistical Testing, Discovery Science 2007.
    """

    accepts = "binary"
    _size = 6
    _kernel = staticmethod(window_kernels.stepd)

    def __init__(self, *, window_size: int = 30, alpha_drift: float = 0.003, alpha_warning: float = 0.05) -> None:
        check_range("window_size", window_size, 1, 1_000_000, kind=int)
        check_range("alpha_drift", alpha_drift, 0.0, 1.0, open_low=True)
        check_range("alpha_warning", alpha_warning, 0.0, 1.0, open_low=True)
        if alpha_drift > alpha_warning:
            raise OptionError(
                f"alpha_drift must be <= alpha_warning, or it never warns; got {alpha_drift!r} and {alpha_warning!r}"
            )
        self.window_size = window_size
        self.alpha_drift = alpha_drift
        self.alpha_warning = alpha_warning
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.alpha_drift, self.alpha_warning]

    def _window(self) -> tuple[int, int]:
        return (1, self.window_size)

    def _check(self, arrays: MonitorArrays) -> None:
        check_whole(arrays.numbers, window_kernels.PLACE, 0, self.window_size - 1)


class KSWIN(ValueDetector):
    """Kolmogorov-Smirnov windowing: drift where the last values are distributed unlike those before.

    It notices changes of any kind, of the spread as of the mean. The last ``stat_size`` values of the window are tested
    against as many drawn at random from the rest, at every value. After a drift the last ones stay, as in the paper;
    River's class of this name empties its window then, and starts its random numbers anew.

    Parameters
    ----------
    alpha : float in (0, 1]
        Significance of each test, with the exact distribution of the statistic. There is a test at every value: choose
        it small.
    window_size : int in 2 … 10,000
        Values in the window; tests begin when it is full.
    stat_size : int >= 1
        Values in each sample, at most half the window.
    seed : int
        Seed of the random samples.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> rng = np.random.default_rng(1)
    >>> values = np.concatenate([rng.normal(0, 1, 500), rng.normal(2, 1, 200)])
    >>> levels = sl.KSWIN(alpha=1e-4).update_many(values)
    >>> int(levels.argmax())  # the first drift
    526

    References
    ----------
    Raab, Heusinger and Schleif, Reactive Soft Prototype Computing for Concept Drift Streams, Neurocomputing 2020.
    """

    _size = 4
    _kernel = staticmethod(window_kernels.kswin)

    def __init__(self, *, alpha: float = 0.005, window_size: int = 100, stat_size: int = 30, seed: int = 0) -> None:
        check_range("alpha", alpha, 0.0, 1.0, open_low=True)
        check_range("window_size", window_size, 2, 10_000, kind=int)
        check_range("stat_size", stat_size, 1, window_size // 2, kind=int)
        check_range("seed", seed, -(2**63), 2**64 - 1, kind=int)
        self.alpha = alpha
        self.window_size = window_size
        self.stat_size = stat_size
        self.seed = seed
        super().__init__()

    def _parameters(self) -> list[float]:
        return [critical_distance(self.stat_size, self.alpha), self.stat_size]

    def _window(self) -> tuple[int, int]:
        return (4, self.window_size)  # the values, in order; them, shuffled; the two samples

    def _check(self, arrays: MonitorArrays) -> None:
        check_whole(arrays.numbers, kernels.N, 0, self.window_size)
        if not arrays.random.any():
            raise StateError("array 'random' is no generator: it is all zeros")

    @property
    def p_value(self) -> float:
        """Chance of a difference as great as in the last test, if nothing changed; 1 before the first test."""
        return float(distance_chance(self.stat_size, int(self._arrays.numbers[window_kernels.DISTANCE])))


def distance_chance(n: int, distance: int) -> Fraction:
    """Chance that two samples of ``n`` from one distribution differ by ``distance / n`` or more somewhere (exact)."""
    if distance <= 0:
        return Fraction(1)
    terms = range(1, n // distance + 1)
    total = sum((-1) ** (j - 1) * math.comb(2 * n, n - j * distance) for j in terms)
    return Fraction(2 * total, math.comb(2 * n, n))


@cache
def critical_distance(n: int, alpha: float) -> int:
    """The least ``distance`` whose chance is at most ``alpha`` and which is more than a tenth of ``n``, as in River."""
    low, high = n // 10 + 1, n + 1  # a distance of n + 1 is impossible: then no test can be significant
    while low < high:
        middle = (low + high) // 2
        if distance_chance(n, middle) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low


class SEED(ValueDetector):
    """SEED: ADWIN's test at the borders of blocks, of which those between like blocks are given up now and then.

    Its alarms are MOA's. As there, the window's variance takes in each value after it was added to the sum. A window of
    4096 blocks (131,072 values or more) merges its two oldest blocks, where MOA's grows for ever.

    Parameters
    ----------
    delta : float in (0, 1)
        Confidence of the test.
    block_size : int >= 1
        Values in a block; also, values between two tests.
    epsilon_prime, alpha : float >= 0
        Blocks whose means differ by less than ``epsilon_prime * alpha`` are merged; by less than twice as much, the
        next older ones, and so on.
    compress_term : int >= 0
        Blocks between two rounds of merging.

    Examples
    --------
    >>> import streamlearn as sl
    >>> levels = sl.SEED().update_many([0.0] * 500 + [1.0] * 100)
    >>> int(levels.argmax())  # the first drift
    511

    References
    ----------
    Huang, Koh, Dobbie and Pears, Detecting Volatility Shift in Data Streams, ICDM 2014.
    """

    _size = 8
    _kernel = staticmethod(window_kernels.seed)

    def __init__(
        self,
        *,
        delta: float = 0.05,
        block_size: int = 32,
        epsilon_prime: float = 0.01,
        alpha: float = 0.8,
        compress_term: int = 75,
    ) -> None:
        check_range("delta", delta, 0.0, 1.0, open_low=True)
        check_range("block_size", block_size, 2, 1_000_000, kind=int)
        check_range("epsilon_prime", epsilon_prime, 0.0, 1e300)
        check_range("alpha", alpha, 0.0, 1e300)
        check_range("compress_term", compress_term, 0, 1_000_000, kind=int)
        self.delta = delta
        self.block_size = block_size
        self.epsilon_prime = epsilon_prime
        self.alpha = alpha
        self.compress_term = compress_term
        super().__init__()

    def _parameters(self) -> list[float]:
        return [self.delta, self.block_size, self.epsilon_prime * self.alpha, self.compress_term]

    def _window(self) -> tuple[int, int]:
        return (3, 4096)

    def _check(self, arrays: MonitorArrays) -> None:
        check_whole(arrays.numbers, window_kernels.BLOCKS, 0, arrays.window.shape[1])
