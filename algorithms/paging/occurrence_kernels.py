"""Kernels of the predictions from past occurrences."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel


@kernel
def weighted_occurrences(pages: np.ndarray, bound: int, weights: np.ndarray) -> np.ndarray:
    """When each page is expected next, by the weights of its occurrences; see `occurrence.pleco`.

    Parameters
    ----------
    pages : int64 [n]
        Numbers below ``bound``.
    weights : float64 [h]
        The weight of an occurrence that is 0, 1, … requests old.
    """
    n, horizon = len(pages), len(weights)
    expected = np.empty(n)
    before, latest = np.empty(n, np.int64), np.full(bound, -1, np.int64)
    total = 0.0
    for i in range(n):
        if i < horizon:
            total += weights[i]
        page = pages[i]
        before[i] = latest[page]
        latest[page] = i
        own, at = 0.0, i
        while at >= 0 and i - at < horizon:
            own += weights[i - at]
            at = before[at]
        expected[i] = i + total / own
    return expected


@kernel
def popularity(pages: np.ndarray, bound: int) -> np.ndarray:
    """When each page is expected next, by the number of its occurrences; see `occurrence.popu`.

    Parameters
    ----------
    pages : int64 [n]
        Numbers below ``bound``.
    """
    counts = np.zeros(bound, np.int64)
    expected = np.empty(len(pages))
    for i in range(len(pages)):
        counts[pages[i]] += 1
        expected[i] = i + (i + 1) / counts[pages[i]]
    return expected
