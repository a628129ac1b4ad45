"""Predictions of next arrivals from past occurrences: PLECO, which weighs them by age, and POPU, which counts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.errors import InputError
from streamlearn.parameters import check_range

from .occurrence_kernels import popularity, weighted_occurrences
from .optimal import numbered


def pleco(pages: Any, *, horizon: int = 5000) -> np.ndarray:
    """Predict when each page is requested next, from how often and how long ago it was requested.

    An occurrence ``d`` requests ago, counting the present one as 1, has the weight ``(d + 10)**-1.8 * exp(-d / 670)``;
    a page's share of all weights is taken as the probability of each of the next requests being its own (Anderson et
    al., The dynamics of repeat consumption, 2014; as used in Antoniadis et al., Online metric algorithms with untrusted
    predictions, 2020). Nothing after a request is looked at.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.
    horizon
        Occurrences longer ago are left out: at 5000 requests, the weight of one is 1e-10 of that of the present one.

    Returns
    -------
    float64 [n]
        The number of the request at which the page is expected next.

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import pleco
    >>> [round(float(t), 1) for t in pleco([1, 2, 1, 1])]
    [1.0, 2.9, 3.5, 4.3]
    """
    check_range("horizon", horizon, 1, 1 << 30, kind=int)
    steps = np.arange(1, horizon + 1)
    return weighted_occurrences(*numbered(pages), (steps + 10.0) ** -1.8 * np.exp(-steps / 670.0))


def popu(pages: Any) -> np.ndarray:
    """Predict when each page is requested next, from how often it was requested so far.

    A page requested ``c`` times in ``t`` requests is expected in ``t / c`` requests (Antoniadis et al., Online metric
    algorithms with untrusted predictions, 2020). Nothing after a request is looked at.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.

    Returns
    -------
    float64 [n]
        The number of the request at which the page is expected next.

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import popu
    >>> popu([1, 2, 1, 1]).tolist()
    [1.0, 3.0, 3.5, 4.333333333333333]
    """
    return popularity(*numbered(pages))


def arrival_bits(predicted: Any, share: float) -> np.ndarray:
    """Turn predicted arrivals into discard bits: 1 for the pages that are expected the latest.

    A page may leave if its predicted gap is among the ``share`` of the longest. The optimal policy's own share of ones,
    ``opt(pages, capacity).discard_bits.mean()``, is the natural one to ask for; it is known only in hindsight.

    Parameters
    ----------
    predicted : array-like of numbers [n]
        The number of the request at which each page is expected next, such as `pleco` and `popu` give it.
    share
        Of ones among the bits, 0 … 1; more where gaps are equal.

    Returns
    -------
    uint8 [n]

    Raises
    ------
    InputError
        If a prediction is not a number.
    OptionError
        If ``share`` is out of range.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import arrival_bits, popu
    >>> arrival_bits(popu([1, 1, 2, 1, 1, 3, 1, 1]), 0.25).tolist()
    [0, 0, 1, 0, 0, 1, 0, 0]
    """
    check_range("share", share, 0.0, 1.0)
    arrivals = np.asarray(predicted, np.float64)
    if arrivals.ndim != 1 or np.isnan(arrivals).any():
        raise InputError("predicted must be a row of numbers, none of them NaN")
    if len(arrivals) == 0 or share == 0.0:
        return np.zeros(len(arrivals), np.uint8)
    gaps = arrivals - np.arange(len(arrivals))
    place = min(len(gaps) - 1, len(gaps) - round(share * len(gaps)))
    return (gaps >= np.partition(gaps, place)[place]).astype(np.uint8)
