"""The policies that evict at random, among pages that are unmarked, or whose bit is 1."""

from __future__ import annotations

import numpy as np

from streamlearn.caching import BagPolicy
from streamlearn.errors import StateError

from .marking_kernels import N_BAGS, serve_bit_rand, serve_flush_rand, serve_mark0, serve_mark_and_predict, serve_marker


class _RandomPolicy(BagPolicy):
    """What they share: bags, which of them hold the unmarked pages, and random numbers."""

    _bags = N_BAGS
    _numbers = 1

    def __init__(self, *, capacity: int, table: str = "dense", seed: int = 0) -> None:
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _check_numbers(self, numbers: np.ndarray) -> None:
        if numbers[0] not in (0, 1):
            raise StateError("array 'numbers': a role is 0 or 1")


class Marker(_RandomPolicy):
    """Marks every page that is requested, and evicts an unmarked one at random; if all are marked, all marks go first.

    On average over seeds it has at most ``2 H(capacity) - 1`` times the faults of the optimal policy, where
    H(k) = 1 + 1/2 + … + 1/k (Fiat et al., Competitive paging algorithms, 1991; the factor: Achlioptas, Chrobak and
    Noga, 2000).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Marker
    >>> cache = Marker(capacity=2)
    >>> cache.access_many([1, 2, 3, 3]).hits.tolist()
    [False, False, False, True]
    """

    _kernel = serve_marker


class Mark0(_RandomPolicy):
    """Evicts pages whose last bit was 1; when there are none, unmarked pages at random, as `Marker` does.

    With discard bits, of which ``eta0`` are wrong zeros and ``eta1`` wrong ones, it has at most
    ``OPT + 2 H(capacity) eta0 + eta1`` faults on average over seeds, where H(k) = 1 + 1/2 + … + 1/k. Antoniadis et al.
    (Paging with Succinct Predictions, 2023) state this bound, as we know second-hand; this form and its proof are ours.
    Requested pages are marked; when all cached pages are marked 0-pages, all marks go. Of several pages whose bit is 1,
    a random one leaves. If all bits are 0, it is `Marker`.

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


class BitRand(_RandomPolicy):
    """Evicts pages whose last bit was 1; when there are none, any page: in both cases at random.

    Optimal if the discard bits are right, and without any promise if they are not.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import BitRand
    >>> cache = BitRand(capacity=2)
    >>> cache.access(1), cache.access(2, bit=1), cache.access(3)
    (Access(hit=False, evicted=None), Access(hit=False, evicted=None), Access(hit=False, evicted=2))
    """

    advice = "discard"
    _kernel = serve_bit_rand


class FlushRand(_RandomPolicy):
    """`Flush` that evicts, of several pages whose last bit was 1, a random one.

    The bound of `Flush` holds for it just as well.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import FlushRand
    >>> cache = FlushRand(capacity=2)
    >>> cache.access(1), cache.access(2, bit=1), cache.access(3)
    (Access(hit=False, evicted=None), Access(hit=False, evicted=None), Access(hit=False, evicted=2))
    """

    advice = "discard"
    _kernel = serve_flush_rand


class MarkAndPredict(_RandomPolicy):
    """As `Marker`, but of the unmarked pages, those whose last bit was 1 leave first.

    With phase bits, of which ``eta0`` are wrong zeros and ``eta1`` wrong ones, it has at most
    ``2 OPT + H(capacity) eta0 + eta1`` faults on average over seeds, and, however wrong they are, O(log k) times the
    faults of the optimal policy. Antoniadis et al. (Paging with Succinct Predictions, 2023) state these bounds, as we
    know second-hand; this form and its proof are ours. If all bits are 0, it is `Marker`.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import MarkAndPredict
    >>> cache = MarkAndPredict(capacity=2)
    >>> cache.access_many([1, 2, 3], [0, 1, 0]).evicted.tolist()
    [-1, -1, 2]
    """

    advice = "phase"
    _kernel = serve_mark_and_predict
