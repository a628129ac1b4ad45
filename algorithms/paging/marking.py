"""The policies that mark what is requested, and evict unmarked pages at random."""

from __future__ import annotations

import numpy as np

from streamlearn.caching import BagPolicy
from streamlearn.errors import StateError

from .marking_kernels import N_BAGS, serve_mark0


class _Marking(BagPolicy):
    """What they share: bags, a role that says which of them are unmarked, and random numbers."""

    _bags = N_BAGS
    _numbers = 1

    def __init__(self, *, capacity: int, table: str = "dense", seed: int = 0) -> None:
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _check_numbers(self, numbers: np.ndarray) -> None:
        if numbers[0] not in (0, 1):
            raise StateError("array 'numbers': a role is 0 or 1")


class Mark0(_Marking):
    """Evicts pages whose last bit was 1; when there are none, unmarked pages at random, as `Marker` does.

    With discard bits, of which ``eta0`` are wrong zeros and ``eta1`` wrong ones, it has at most
    ``OPT + 2 H(capacity) eta0 + eta1`` faults on average over seeds, where H(k) = 1 + 1/2 + … + 1/k (Antoniadis et al.,
    Paging with Succinct Predictions, 2023; this form and its proof are ours). Requested pages are marked; when all
    cached pages are marked 0-pages, all marks go. Of several pages whose bit is 1, a random one leaves.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Mark0
    >>> cache = Mark0(capacity=2)
    >>> cache.access(1), cache.access(2, bit=1), cache.access(3)
    (Access(hit=False, evicted=None), Access(hit=False, evicted=None), Access(hit=False, evicted=2))
    """

    advice = "discard"
    _kernel = serve_mark0
