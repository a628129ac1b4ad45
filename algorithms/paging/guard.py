"""The wrapper that makes any predictor robust, GUARD, around discard bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.caching import CachePolicy
from streamlearn.caching.bags import EMPTY, bags_are_sound, start_bags
from streamlearn.caching.policy import Layout
from streamlearn.errors import StateError
from streamlearn.parameters import check_range

from .guard_kernels import ERRORS, EVICTED_IN, HAND, N_BAGS, N_NUMBERS, PHASE, PHASES, ROLE, serve_guard


class Guard(CachePolicy):
    """Follows discard bits, but a page that was evicted by mistake stays, once loaded again, until the phase ends.

    Pages whose last bit was 1 leave first, then any page that is not guarded, at random. A page that is requested again
    in the phase in which it was evicted was evicted by mistake: a random old page, one not requested in this phase,
    leaves for it. A phase ends when no old pages are left. So right bits give the optimal faults, and wrong ones cost
    at most ``2 H(capacity - 1) + 2`` times as many on average (the method and this factor: arXiv 2507.16242, NeurIPS
    2025, known to us from its published code).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    relax
        The first mistake in a phase for which a page is guarded, at least 1; 1 guards them all.
    memory
        How many evicted pages are remembered, in multiples of the capacity, from 1 to 64; the published method
        remembers all of a phase.
    seed
        Of the random numbers.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import Guard
    >>> cache = Guard(capacity=2)
    >>> cache.access_many([1, 2, 3, 2], [0, 1, 0, 0]).evicted.tolist()
    [-1, -1, 2, 1]
    """

    advice = "discard"
    _kernel = serve_guard

    def __init__(self, *, capacity: int, table: str = "dense", relax: int = 1, memory: int = 8, seed: int = 0) -> None:
        check_range("relax", relax, 1, 1 << 30, kind=int)
        check_range("memory", memory, 1, 64, kind=int)
        self.relax = relax
        self.memory = memory
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    def _layout(self) -> Layout:
        return Layout((1 + self.memory) * self.capacity, 0, 2 + N_BAGS, N_BAGS + N_NUMBERS)

    def _options(self) -> list[float]:
        return [float(self.relax)]

    def _start(self, arrays: Any) -> None:
        start_bags(arrays, self.capacity)

    def _remembered(self, arrays: Any) -> Any:
        return np.arange(len(arrays.pages)) >= self.capacity

    def _check(self, arrays: Any) -> None:
        if not bags_are_sound(arrays, N_BAGS, self.capacity):
            raise StateError("array 'nodes': the bags are broken")
        numbers, remembered = arrays.numbers, arrays.nodes[self.capacity :, EVICTED_IN]
        if (
            numbers[ROLE] not in (0, 1)
            or not 0 <= numbers[HAND] < self.memory * self.capacity
            or not 0 <= numbers[PHASE] < PHASES
            or not 0 <= numbers[ERRORS] < 1 << 62
        ):
            raise StateError("array 'numbers': a role, a place, a phase or a count is out of range")
        if (remembered < 0).any() or (remembered >= PHASES).any():
            raise StateError("array 'nodes': a phase is out of range")
        if numbers[EMPTY] and (arrays.pages[self.capacity :] >= 0).any():
            raise StateError("array 'pages': pages were evicted although the cache is not full")
