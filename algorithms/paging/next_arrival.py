"""The policies that are told when each page is predicted to be requested next."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import BagPolicy, CachePolicy
from streamlearn.caching.bags import BAG
from streamlearn.caching.heap import heap_is_sound
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError

from .next_arrival_kernels import (
    DISTINCT,
    FLAGS,
    GONE,
    HEAP,
    N_BAGS,
    N_COLUMNS,
    N_NUMBERS,
    ROLE,
    USED,
    serve_blind_oracle,
    serve_l_marker,
    serve_l_non_marker,
    serve_predictive_marker,
    start_places,
)


class BlindOracle(CachePolicy):
    """Believes the predictions: evicts the page whose predicted next request is the latest.

    Optimal if the predictions are in the right order; nothing bounds its faults if they are wrong. Also called "follow
    the prediction". Takes O(log capacity) a request.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import BlindOracle, next_arrivals
    >>> pages = [1, 2, 3, 1, 2]
    >>> BlindOracle(capacity=2).access_many(pages, predicted=next_arrivals(pages)).evicted.tolist()
    [-1, -1, 2, -1, 3]
    """

    advice = "next arrival"
    _kernel = serve_blind_oracle

    def _layout(self) -> Layout:
        return Layout(self.capacity, 0, 2, 1, keys=self.capacity)

    def _start(self, arrays: Any) -> None:
        start_places(arrays, 0)

    def _check(self, arrays: Any) -> None:
        used = int(arrays.numbers[USED])
        sound = heap_is_sound(arrays, 0, used) and np.array_equal(arrays.pages >= 0, np.arange(self.capacity) < used)
        if not sound:
            raise StateError("array 'nodes': the heap is broken")


class _PredictiveMarking(BagPolicy):
    """What they share: phases as in `Marker`, a heap of the unmarked pages, and the pages evicted in the phase."""

    advice = "next arrival"
    _bags = N_BAGS
    _numbers = N_NUMBERS

    def __init__(self, *, capacity: int, table: str = "dense", seed: int = 0) -> None:
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _layout(self) -> Layout:
        return Layout(2 * self.capacity, 0, N_COLUMNS, N_BAGS + N_NUMBERS, keys=2 * self.capacity)

    def _start(self, arrays: Any) -> None:
        super()._start(arrays)
        start_places(arrays, HEAP)

    def _options(self) -> list[float]:
        return [float(np.floor((1.0 / np.arange(1, self.capacity + 1)).sum()))]

    def _check(self, arrays: Any) -> None:
        super()._check(arrays)
        cached, gone = int(arrays.numbers[1:3].sum()), int(arrays.numbers[GONE])
        if cached > self.capacity or gone > self.capacity or (gone and cached < self.capacity):
            raise StateError("array 'numbers': bags have no such sizes")
        if not heap_is_sound(arrays, HEAP, int(arrays.numbers[1 + arrays.numbers[ROLE]])):
            raise StateError("array 'nodes': the heap is broken")
        self._check_heap(arrays)

    def _remembered(self, arrays: Any) -> Any:
        return arrays.nodes[:, BAG] == GONE

    def _check_heap(self, arrays: Any) -> None:
        unmarked = 1 + arrays.numbers[ROLE]
        standing = arrays.nodes[:, HEAP + 1] >= 0
        if not np.array_equal(standing, arrays.nodes[:, BAG] == unmarked):
            raise StateError("array 'nodes': the heap has other pages than those that are not marked")

    def _check_numbers(self, numbers: np.ndarray) -> None:
        if numbers[0] not in (0, 1) or not 0 <= numbers[DISTINCT - N_BAGS] <= self.capacity:
            raise StateError("array 'numbers': a role or a count is out of range")


class PredictiveMarker(_PredictiveMarking):
    """`Marker` that evicts the unmarked page with the latest predicted request, as long as that does no great harm.

    If a page is requested in the phase in which it was evicted, the page evicted for it continues a chain; victims in
    chains longer than H(capacity) are random. At most ``min(2 + 2 sqrt(5 eta / OPT), 4 H(capacity))`` times the optimal
    faults on average, where ``eta`` is the total error of the predictions (Lykouris and Vassilvitskii, Competitive
    caching with machine learned advice, 2018).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import PredictiveMarker, next_arrivals
    >>> pages = [1, 2, 3, 1, 2]
    >>> PredictiveMarker(capacity=2).access_many(pages, predicted=next_arrivals(pages)).evicted.tolist()
    [-1, -1, 2, -1, 3]
    """

    _kernel = serve_predictive_marker


class LMarker(_PredictiveMarking):
    """`Marker` that believes the predictions for pages that are new in a phase, and evicts at random for the others.

    O(1 + min(log(eta / OPT), log capacity)) times the optimal faults on average, where ``eta`` is the total error of
    the predictions (Rohatgi, Near-optimal bounds for online caching with machine learned advice, 2020).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import LMarker, next_arrivals
    >>> pages = [1, 2, 3, 1, 2]
    >>> LMarker(capacity=2).access_many(pages, predicted=next_arrivals(pages)).evicted.tolist()
    [-1, -1, 2, -1, 3]
    """

    _kernel = serve_l_marker


class LNonMarker(_PredictiveMarking):
    """As `LMarker`, but it may evict a marked page, at random, when a page comes back that a new one had evicted.

    It promises nothing by itself; combined with `Marker` (see `DeterministicCombiner`) it has
    O(1 + min(1, eta / (capacity OPT)) log capacity) times the optimal faults on average, where ``eta`` is the total
    error of the predictions (Rohatgi, Near-optimal bounds for online caching with machine learned advice, 2020).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import LNonMarker, next_arrivals
    >>> pages = [1, 2, 3, 1, 2]
    >>> LNonMarker(capacity=2).access_many(pages, predicted=next_arrivals(pages)).evicted.tolist()
    [-1, -1, 2, -1, 3]
    """

    _kernel = serve_l_non_marker

    def _check(self, arrays: Any) -> None:
        super()._check(arrays)
        flags = arrays.nodes[:, FLAGS]
        requested = int(((flags & 2) > 0)[arrays.pages >= 0].sum())
        if (flags < 0).any() or (flags > 7).any() or requested != arrays.numbers[DISTINCT]:
            raise StateError("array 'nodes': a flag is out of range")
