"""Combiners: a cache that follows whichever of several policies does best, and is never much worse than it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from streamlearn import registry
from streamlearn.caching import Access, Accesses, CachePolicy
from streamlearn.caching.arrays import (
    NONE,
    CacheArrays,
    RequestArrays,
    cache_address,
    make_cache,
    make_requests,
    requests_address,
)
from streamlearn.caching.policy import Layout
from streamlearn.errors import InputError, OptionError, StateError
from streamlearn.models import build
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

ROWS_AT_ONCE = 1 << 16
"""Requests for which the answers of all policies are held at a time."""
Spec = str | Mapping[str, Any]


class _Combiner(CachePolicy):
    """What both share: the policies, each with a cache of its own, and the cache that follows them lazily."""

    _follow: ClassVar[Any]

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

    # -- requests -------------------------------------------------------------------------------------------------

    def _bits(self, bits: Any, n: int) -> np.ndarray:
        """Bits for all policies, or a column for each."""
        if bits is None or np.ndim(bits) != 2:
            return super()._bits(bits, n)
        table = np.asarray(bits)
        if table.shape != (n, len(self._parts)):
            raise InputError(f"bits must have the shape ({n},) or ({n}, {len(self._parts)}), not {table.shape}")
        flat = super()._bits(table.ravel(), table.size)
        return np.ascontiguousarray(flat.reshape(-1, len(self._parts)).T)

    def access(self, page: int, bit: int | Sequence[int] = 0, *, predicted: float | None = None) -> Access:
        """Request a page.

        Parameters
        ----------
        page, predicted
            See `CachePolicy.access`.
        bit
            The bit for all policies, or one for each.

        Raises
        ------
        InputError
            As `CachePolicy.access`.
        """
        if isinstance(page, (bool, float, str)):
            raise InputError(f"page must be a whole number from 0 to 2**63 - 1, got {page!r}")
        bits = [bit] if np.ndim(bit) == 0 else [list(bit)]  # type: ignore[arg-type]
        done = self.access_many([page], bits, predicted=None if predicted is None else [predicted])
        evicted = int(done.evicted[0])
        return Access(bool(done.hits[0]), None if evicted == NONE else evicted)

    def _serve(self, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> Accesses:
        n, m = len(pages), len(self._parts)
        done = Accesses(np.empty(n, np.bool_), np.empty(n, np.int64))
        for start in range(0, n, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, n))
            size = rows.stop - start
            answers = Accesses(np.empty((m, size), np.bool_), np.empty((m, size), np.int64))
            for e, part in enumerate(self._parts):
                own = bits[e] if bits.ndim == 2 else bits
                answers.hits[e], answers.evicted[e] = part.access_many(
                    pages[rows], own[rows] if len(own) else None, predicted=predicted[rows] if len(predicted) else None
                )
            none = np.empty(0)
            requests = make_requests(
                RequestArrays(pages[rows], none.astype(np.uint8), none, done.hits[rows], done.evicted[rows])
            )
            type(self)._follow(cache_address(self._struct), requests_address(requests), m, *answers)
        return done

    # -- state ----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._parts = [self._part(e, spec) for e, spec in enumerate(self.policies)]
        needed = {part.advice for part in self._parts}
        for kind in ("phase", "discard", "next arrival"):
            if kind in needed:
                self.advice = kind  # type: ignore[assignment]
        super()._forget()

    def _part(self, e: int, spec: Spec) -> CachePolicy:
        """A policy with the capacity and the table of the whole, and a seed of its own if it says none."""
        if isinstance(spec, str):
            name, given = registry.parse_call(spec)
        elif isinstance(spec, Mapping) and isinstance(spec.get("type"), str):
            name, given = spec["type"], {key: value for key, value in spec.items() if key != "type"}
        else:
            raise OptionError(f"policies: a policy is written NAME:param=value or as a mapping, not {spec!r}")
        given = {"table": self.table, **given, "capacity": self.capacity}
        if "seed" in inspect.signature(registry.load("policies", name).__init__).parameters:
            given.setdefault("seed", self.seed + e + 1)
        part: CachePolicy = build(name, given, "policies")
        return part

    def _layout(self) -> Layout:
        m = len(self.policies)
        return Layout(self.capacity, 1, 2 * m, N_NUMBERS + m, keys=2 * m)

    def _start(self, arrays: CacheArrays) -> None:
        start_lists(arrays)

    def _set(self, arrays: CacheArrays) -> None:
        self._arrays, self._struct = arrays, make_cache(arrays)
        self._room = (1 << 63) if self.table == "hash" else len(arrays.table)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "policies": [part.state() for part in self._parts]}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"arrays", "policies"}:
            raise StateError(f"{type(self).__name__}: a state has the keys 'arrays' and 'policies'")
        saved = state["policies"]
        if not isinstance(saved, (list, tuple)) or len(saved) != len(self._parts):
            raise StateError(f"{type(self).__name__}: expected the states of {len(self._parts)} policies")
        parts = [part.clone() for part in self._parts]
        for part, part_state in zip(parts, saved, strict=True):
            part.restore(part_state)
        before, self._parts = self._parts, parts
        try:
            if state["arrays"] is None and any(len(part.cached) for part in parts):
                raise StateError(f"{type(self).__name__}: its policies have pages, but it has none")
            super().restore({"arrays": state["arrays"]})
        except StateError:
            self._parts = before
            raise
        self._parts = parts
        greatest = max(int(part.cached.max(initial=-1)) for part in parts)
        if greatest >= self._room > 0:  # pages that only a policy's cache has are looked up when they leave it
            self._make_room(greatest)

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

    _follow = serve_by_bound

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

    _follow = serve_by_weight

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
