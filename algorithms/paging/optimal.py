"""What only hindsight knows: the optimal policy, its discard bits, phase bits, and how wrong given bits are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching.policy import LARGEST_CAPACITY, checked_pages
from streamlearn.errors import InputError
from streamlearn.parameters import check_range

from .optimal_kernels import arrivals, longest_forward_distance, phases


class Optimum(NamedTuple):
    """What the optimal policy does with requests.

    Attributes
    ----------
    hits : bool [n]
        Whether each page was cached.
    discard_bits : uint8 [n]
        1 where the page leaves the cache before its next request, 0 where it stays until then, or to the end.
    """

    hits: np.ndarray
    discard_bits: np.ndarray


class Errors(NamedTuple):
    """How many bits are wrong.

    Attributes
    ----------
    eta0 : int
        Wrong zeros: pages to be kept although they could go.
    eta1 : int
        Wrong ones: pages to go although they are needed.
    """

    eta0: int
    eta1: int


def next_arrivals(pages: Any) -> np.ndarray:
    """When each page is requested next.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.

    Returns
    -------
    int64 [n]
        The number of the next request of the same page; for a page that is not requested again ``2n - i``, where ``i``
        is the number of this last request: later than all others, and the later, the longer ago.

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import next_arrivals
    >>> next_arrivals([7, 8, 7, 7]).tolist()
    [2, 7, 3, 5]
    """
    return arrivals(*numbered(pages))


def opt(pages: Any, k: int) -> Optimum:
    """Serve requests with the fewest faults: evict the page whose next request is the farthest away (Belady, 1966).

    Among pages that are not requested again, the one whose last request is the longest ago goes first: so the bits are
    unique. A request takes O(log n) steps, to the base 64, whatever the size of the cache.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.
    k
        How many pages the cache holds.

    Returns
    -------
    Optimum
        ``hits`` and ``discard_bits``.

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import opt
    >>> hits, discard_bits = opt([1, 2, 3, 1, 2], 2)
    >>> hits.tolist()
    [False, False, False, True, False]
    >>> discard_bits.tolist()
    [0, 1, 1, 0, 0]
    """
    check_range("k", k, 1, LARGEST_CAPACITY, kind=int)
    return Optimum(*longest_forward_distance(next_arrivals(pages), k))


def phase_bits(pages: Any, k: int) -> np.ndarray:
    """The true phase bits: 1 where a page is not requested in the phase after the present one.

    A phase ends where the next request would be that of the ``k + 1``-th different page.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.
    k
        How many pages the cache holds.

    Returns
    -------
    uint8 [n]

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import phase_bits
    >>> phase_bits([1, 2, 1, 3, 2, 4], 2).tolist()
    [1, 0, 1, 1, 1, 1]
    """
    check_range("k", k, 1, LARGEST_CAPACITY, kind=int)
    return phases(*numbered(pages), k)


def eta(bits: Any, true_bits: Any) -> Errors:
    """Count the bits that are wrong, each kind for itself.

    Parameters
    ----------
    bits, true_bits : array-like of 0 and 1 [n]

    Returns
    -------
    Errors
        ``eta0`` and ``eta1``.

    Raises
    ------
    InputError
        If the two differ in length.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import eta
    >>> eta([0, 1, 1, 0], [1, 1, 0, 0])
    Errors(eta0=1, eta1=1)
    """
    given, true = np.asarray(bits, bool), np.asarray(true_bits, bool)
    if given.shape != true.shape:
        raise InputError(f"bits and true_bits must have the same shape, got {given.shape} and {true.shape}")
    return Errors(int((~given & true).sum()), int((given & ~true).sum()))


def numbered(pages: Any) -> tuple[np.ndarray, int]:
    """Requests as numbers below a bound that is not much greater than their count, and the bound."""
    rows = checked_pages(pages)
    bound = int(rows.max()) + 1 if len(rows) else 0
    if bound > 4 * len(rows) + 1024:
        rows, bound = np.unique(rows, return_inverse=True)[1].astype(np.int64), len(rows)
    return rows, bound
