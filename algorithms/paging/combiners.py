"""Combiners: a cache that follows whichever of several policies does best, and is never much worse than it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from streamlearn.caching.arrays import CacheArrays
from streamlearn.caching.policy import Layout
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_range
from streamlearn.random import below

from .combiner_kernels import (
    FOLLOWED,
    N_NUMBERS,
    USED,
    lists_are_sound,
    serve_by_bound,
    serve_by_weight,
    start_lists,
)
from .composite import CompositePolicy, Spec


class _Combiner(CompositePolicy):
    """What both share: the policies, and the cache that follows them lazily."""

    def __init__(self, *, capacity: int, policies: Sequence[Spec], table: str = "dense", seed: int = 0) -> None:
        if isinstance(policies, (str, Mapping)) or len(policies) < 2:
            raise OptionError(f"policies must be a list of at least two policies, got {policies!r}")
        self.policies = tuple(policies)
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    @property
    def costs(self) -> dict[str, int]:
        """The faults that each policy had in its own cache, by its position and what it is."""
        counts = [0] * len(self._parts) if self._arrays is None else self._arrays.numbers[N_NUMBERS:].tolist()
        return {f"{e} {part!r}": count for e, (part, count) in enumerate(zip(self._parts, counts, strict=True))}

    @property
    def followed(self) -> int:
        """The position of the policy that is followed at present."""
        return 0 if self._arrays is None else int(self._arrays.numbers[FOLLOWED])

    def _specs(self) -> Sequence[Spec]:
        return self.policies

    def _layout(self) -> Layout:
        m = len(self.policies)
        return Layout(self.capacity, 1, 2 * m, N_NUMBERS + m, keys=2 * m)

    def _start(self, arrays: CacheArrays) -> None:
        start_lists(arrays)

    def _check(self, arrays: CacheArrays) -> None:
        m, used, followed = len(self._parts), arrays.numbers[USED], arrays.numbers[FOLLOWED]
        if not 0 <= followed < m or not 0 <= used <= self.capacity or (arrays.numbers[N_NUMBERS:] < 0).any():
            raise StateError("array 'numbers': a count or a position is out of range")
        if not np.array_equal(arrays.pages >= 0, np.arange(self.capacity) < used):
            raise StateError("array 'pages': the pages are not in their places")
        absent = np.array([~np.isin(arrays.pages, part.cached) & (arrays.pages >= 0) for part in self._parts])
        if not lists_are_sound(arrays, absent):
            raise StateError("array 'nodes': the lists are not those of what the policies' caches lack")
        if any(len(part.cached) != used for part in self._parts):
            raise StateError("array 'pages': the policies' caches do not hold as many pages")


class DeterministicCombiner(_Combiner):
    """Follows a policy until its faults exceed a bound, then the next one, with a bound that is a little greater.

    Each policy serves all requests in a cache of its own, which costs its time and memory. The combined cache evicts
    only at its own faults, and then the page that left the followed policy's cache first. Its faults are at most a
    constant times those of the best policy; the constant depends on the number of policies and on ``growth`` (Fiat et
    al., Competitive paging algorithms, 1991).

    Parameters
    ----------
    capacity, table
        See `CachePolicy`; they hold for all policies.
    policies
        At least two: ``"NAME"``, ``"NAME:param=value,…"``, or mappings with the key ``type``. One that has a seed, and
        is given none, gets one that follows from ``seed``.
    growth
        By how much the bound grows in a round of all policies, > 0 and <= 100; 0.01 means by 1 %.
    seed
        From which those of the policies follow.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import DeterministicCombiner
    >>> cache = DeterministicCombiner(capacity=2, policies=["lru", "lfu"])
    >>> cache.access_many([1, 1, 2, 3, 1]).hits.tolist()
    [False, True, False, False, True]
    >>> cache.costs
    {'0 LRU(capacity=2)': 4, '1 LFU(capacity=2)': 3}
    """

    _kernel = serve_by_bound

    def __init__(
        self,
        *,
        capacity: int,
        policies: Sequence[Spec],
        growth: float = 0.01,
        table: str = "dense",
        seed: int = 0,
    ) -> None:
        check_range("growth", growth, 0.0, 100.0, open_low=True)
        self.growth = growth
        super().__init__(capacity=capacity, policies=policies, table=table, seed=seed)

    def _options(self) -> list[float]:
        return [1.0 + self.growth / (len(self.policies) - 1)]

    def _start(self, arrays: CacheArrays) -> None:
        super()._start(arrays)
        arrays.keys[0] = 1.0

    def _check(self, arrays: CacheArrays) -> None:
        super()._check(arrays)
        if not 1.0 <= arrays.keys[0] < np.inf:
            raise StateError("array 'keys': the bound is at least 1")


class WeightedCombiner(_Combiner):
    """Follows each policy with a probability that falls with each of its faults.

    Each policy serves all requests in a cache of its own, which costs its time and memory. The combined cache evicts
    only at its own faults, and then the page that left the followed policy's cache first. On average over seeds it has
    at most ``(1 + epsilon)`` times the faults of the best policy, and O(capacity log m / epsilon) more for ``m``
    policies (Blum and Burch, On-line learning and the metrical task system problem, 2000), if ``floor`` is 0.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`; they hold for all policies.
    policies
        At least two: ``"NAME"``, ``"NAME:param=value,…"``, or mappings with the key ``type``. One that has a seed, and
        is given none, gets one that follows from ``seed``.
    epsilon
        How much a fault counts, > 0 and < 2: it takes ``epsilon / 2`` of a policy's weight.
    floor
        The least weight, as a share of the greatest, from 0 to 1: so that a policy that was bad for long can come back
        when the requests change.
    seed
        Of the random numbers, and of those of the policies.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import WeightedCombiner
    >>> cache = WeightedCombiner(capacity=2, policies=["lru", "lfu"])
    >>> int(cache.access_many([1, 1, 2, 3, 1, 2, 1, 3, 1, 2, 1]).hits.sum())
    5
    """

    _kernel = serve_by_weight

    def __init__(
        self,
        *,
        capacity: int,
        policies: Sequence[Spec],
        epsilon: float = 0.5,
        floor: float = 1e-4,
        table: str = "dense",
        seed: int = 0,
    ) -> None:
        check_range("epsilon", epsilon, 0.0, 1.999, open_low=True)
        check_range("floor", floor, 0.0, 1.0)
        self.epsilon = epsilon
        self.floor = floor
        super().__init__(capacity=capacity, policies=policies, table=table, seed=seed)

    @property
    def probabilities(self) -> np.ndarray:
        """With what probability each policy is followed at present: float64 [m]."""
        m = len(self._parts)
        return np.full(m, 1.0 / m) if self._arrays is None else self._arrays.keys[:m].copy()

    def _options(self) -> list[float]:
        return [1.0 - self.epsilon / 2.0, self.floor]

    def _start(self, arrays: CacheArrays) -> None:
        super()._start(arrays)
        m = len(self.policies)
        arrays.keys[:m] = 1.0 / m
        arrays.numbers[FOLLOWED] = below(arrays.random, m)

    def _check(self, arrays: CacheArrays) -> None:
        super()._check(arrays)
        shares = arrays.keys[: len(self._parts)]
        if not (shares >= 0.0).all() or not abs(shares.sum() - 1.0) < 1e-6:
            raise StateError("array 'keys': these are no probabilities")
