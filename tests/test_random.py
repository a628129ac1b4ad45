"""The random generator: published reference values, distributions, and state that is nothing but an array."""

from __future__ import annotations

import numpy as np
from scipy import stats

from streamlearn.compiled import kernel
from streamlearn.random import below, generator, next_bits, normal, poisson, poisson_by, poisson_sums, uniform

MASK = (1 << 64) - 1


def reference(state: list[int], n: int) -> list[int]:
    """xoshiro256++ in plain Python integers, after the authors' description."""

    def rotate(x: int, k: int) -> int:
        return ((x << k) | (x >> (64 - k))) & MASK

    s = list(state)
    out = []
    for _ in range(n):
        out.append((rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK)
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
    return out


def test_bits_are_xoshiro256_plus_plus() -> None:
    assert reference([1, 2, 3, 4], 4) == [41943041, 58720359, 3588806011781223, 3591011842654386]  # the authors' vector
    state = generator(2024)
    expected = reference([int(word) for word in state], 1000)
    assert [int(next_bits(state)) for _ in range(1000)] == expected


def test_seeding_is_splitmix64() -> None:
    assert int(generator(0)[0]) == 0xE220A8397B1DCDAF  # splitmix64's first output for seed 0
    assert not np.array_equal(generator(1), generator(2))
    assert not np.array_equal(generator(1), generator(1, stream=1))


def test_distributions() -> None:
    state = generator(7)
    n = 20_000
    assert stats.kstest([uniform(state) for _ in range(n)], "uniform").pvalue > 0.001
    assert stats.kstest([normal(state) for _ in range(n)], "norm").pvalue > 0.001
    counts = np.bincount([below(state, 7) for _ in range(n)], minlength=7)
    assert stats.chisquare(counts).pvalue > 0.001
    draws = np.bincount(np.minimum([poisson(state, 6.0) for _ in range(n)], 15), minlength=16)
    expected = stats.poisson(6).pmf(np.arange(16))
    expected[15] = stats.poisson(6).sf(14)
    assert stats.chisquare(draws, n * expected).pvalue > 0.001


def test_the_state_continues_where_it_was() -> None:
    state = generator(1)
    uniform(state)
    copy = state.copy()
    assert [uniform(state) for _ in range(5)] == [uniform(copy) for _ in range(5)]


def test_poisson_numbers_do_not_depend_on_how_they_are_drawn() -> None:
    @kernel
    def both(first: np.ndarray, second: np.ndarray, mean: float, n: int) -> int:
        sums, differ = poisson_sums(mean), 0
        for _ in range(n):
            differ += poisson(first, mean) != poisson_by(second, mean, sums)
        return differ

    for mean in (0.1, 1.0, 6.0, 14.0, 40.0):
        assert both(generator(3), generator(3), mean, 20_000) == 0
