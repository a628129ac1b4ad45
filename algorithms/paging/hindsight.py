"""What the optimal policy would have kept, judged online: within a window, and as soon as it is certain."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching.policy import LARGEST_CAPACITY, checked_pages
from streamlearn.parameters import check_range

from .hindsight_kernels import judge


class Hindsight(NamedTuple):
    """Judgements of requests.

    Attributes
    ----------
    bits : uint8 [n]
        1 where the page was not worth keeping until its next request, or did not come again within the window.
    known : int64 [n]
        The number of the request at which this is certain: that of the page's next request, that from which on there
        was no room for the page, or that at which the window closes, which may lie after the end.
    """

    bits: np.ndarray
    known: np.ndarray


def hindsight_bits(pages: Any, k: int, window: int | None = None) -> Hindsight:
    """Judge each request as an online observer does, from nothing later than the moment at which it becomes certain.

    The method is OPTgen (Jain and Lin, Back to the Future, 2016), in a form for caches that must load what is
    requested, and in constant amortised time a request. Without a window the zeros of pages that come again are exactly
    as many as the hits of the optimal policy; which bits are 0 may differ, as there are several optimal policies.

    Parameters
    ----------
    pages : array-like of whole numbers [n]
        Requests in order, numbers >= 0.
    k
        How many pages the cache holds.
    window
        For how many requests to wait for a page's next request; None waits for ever.

    Raises
    ------
    InputError
        If a page is not a whole number >= 0; the message names the row.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import hindsight_bits
    >>> bits, known = hindsight_bits([1, 2, 3, 1, 2], 2)
    >>> bits.tolist()
    [0, 1, 1, 1, 1]
    >>> known.tolist()
    [3, 3, 5, 5, 5]
    """
    check_range("k", k, 1, LARGEST_CAPACITY, kind=int)
    rows = np.unique(checked_pages(pages), return_inverse=True)[1].astype(np.int64)
    n = len(rows)
    if window is not None:
        check_range("window", window, 1, 1 << 30, kind=int)
    size = max(1, n if window is None else min(window, n))
    bits, known = np.ones(n, np.uint8), np.minimum(np.arange(n) + size, n if window is None else 1 << 62)
    judge(rows, n, k, size, bits, known)
    return Hindsight(bits, known)
