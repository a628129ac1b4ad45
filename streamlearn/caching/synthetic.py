"""Predictions that are wrong to a known degree, for experiments: bits that are flipped, next arrivals with noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiled import kernel
from ..errors import InputError
from ..parameters import check_range
from ..random import generator, normal, uniform


def wrong_bits(bits: Any, *, ones: float, zeros: float | None = None, seed: int = 0) -> np.ndarray:
    """Flip some of true bits at random.

    Parameters
    ----------
    bits : array-like of 0 and 1 [n]
    ones
        Which share of the ones becomes 0, from 0 to 1.
    zeros
        Which share of the zeros becomes 1; by default as many as of the ones.
    seed
        Of the random numbers.

    Returns
    -------
    uint8 [n]

    Raises
    ------
    InputError
        If something else is among the bits.

    Examples
    --------
    >>> from streamlearn.caching import wrong_bits
    >>> wrong_bits([0, 1, 0, 1], ones=1.0, zeros=0.0).tolist()
    [0, 0, 0, 0]
    >>> float((wrong_bits([1] * 10_000, ones=0.1) == 0).mean())
    0.1025
    """
    check_range("ones", ones, 0.0, 1.0)
    share = ones if zeros is None else zeros
    check_range("zeros", share, 0.0, 1.0)
    column = np.asarray(bits)
    if column.ndim != 1 or not np.isin(column, (0, 1)).all():
        raise InputError("bits must be a row of 0 and 1")
    flipped = column.astype(np.uint8)
    _flip(flipped, share, ones, generator(seed))
    return flipped


def noisy_arrivals(arrivals: Any, *, sigma: float, seed: int = 0) -> np.ndarray:
    """Add lognormal noise to next arrivals, as experiments with such predictions do (Lykouris and Vassilvitskii, 2018).

    Parameters
    ----------
    arrivals : array-like of numbers [n]
        When each page is requested next.
    sigma
        Standard deviation of the noise's logarithm, whose mean is 0, from 0 (no noise) to 300.
    seed
        Of the random numbers.

    Returns
    -------
    float64 [n]

    Examples
    --------
    >>> from streamlearn.caching import noisy_arrivals
    >>> noisy_arrivals([3, 5], sigma=0).tolist()
    [3.0, 5.0]
    """
    check_range("sigma", sigma, 0.0, 300.0)
    noisy = np.array(arrivals, np.float64)
    if sigma > 0.0:
        _add_noise(noisy, sigma, generator(seed))
    return noisy


@kernel
def _flip(bits: np.ndarray, zeros: float, ones: float, random: np.ndarray) -> None:
    for i in range(len(bits)):
        if uniform(random) < (ones if bits[i] else zeros):
            bits[i] = 1 - bits[i]


@kernel
def _add_noise(arrivals: np.ndarray, sigma: float, random: np.ndarray) -> None:
    for i in range(len(arrivals)):
        arrivals[i] += np.exp(sigma * normal(random))
