"""Policies that are made of policies, each of which serves all requests in a cache of its own."""

from __future__ import annotations

import inspect
from abc import abstractmethod
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
from streamlearn.errors import InputError, OptionError, StateError
from streamlearn.models import build

ROWS_AT_ONCE = 1 << 16
"""Requests for which the answers of all policies are held at a time."""
Spec = str | Mapping[str, Any]


class CompositePolicy(CachePolicy):
    """Base of policies that are made of policies.

    A subclass says which they are (`_specs`) and gives the kernel that is shown what each of them did, ``(cache,
    requests, m, hits, evicted)`` (`_kernel`), where ``hits`` and ``evicted`` have a row for each of the ``m`` policies.
    """

    _kernel: ClassVar[Any]

    @abstractmethod
    def _specs(self) -> Sequence[Spec]:
        """The policies: ``"NAME:param=value"`` or mappings with the key ``type``."""

    # -- requests -------------------------------------------------------------------------------------------------

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
        bits = [bit] if np.ndim(bit) == 0 else [list(bit)]  # type: ignore[arg-type]
        done = self.access_many([page], bits, predicted=None if predicted is None else [predicted])
        evicted = int(done.evicted[0])
        return Access(bool(done.hits[0]), None if evicted == NONE else evicted)

    def _bits(self, bits: Any, n: int) -> np.ndarray:
        """Bits for all policies, uint8 [n] or [0]; or a row for each of them, uint8 [m, n]."""
        m = len(self._parts)
        if bits is None or np.ndim(bits) != 2:
            return super()._bits(bits, n)
        if np.shape(bits) != (n, m):
            raise InputError(f"bits must have the shape ({n},) or ({n}, {m}), not {np.shape(bits)}")
        return np.array([super(CompositePolicy, self)._bits(column, n) for column in np.asarray(bits).T])

    def _serve(self, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> Accesses:
        n, m = len(pages), len(self._parts)
        done = Accesses(np.empty(n, np.bool_), np.empty(n, np.int64))
        none = np.empty(0)
        for start in range(0, n, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, n))
            answers = Accesses(*(np.empty((m, rows.stop - start), kind) for kind in (np.bool_, np.int64)))
            for e, part in enumerate(self._parts):
                own = bits[e] if bits.ndim == 2 else bits
                answers.hits[e], answers.evicted[e] = part.access_many(
                    pages[rows], own[rows] if len(own) else None, predicted=predicted[rows] if len(predicted) else None
                )
            requests = make_requests(
                RequestArrays(pages[rows], none.astype(np.uint8), none, done.hits[rows], done.evicted[rows])
            )
            type(self)._kernel(cache_address(self._struct), requests_address(requests), m, *answers)
        return done

    # -- state ----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._parts = [self._part(e, spec) for e, spec in enumerate(self._specs())]
        needed = {part.advice for part in self._parts}
        for kind in ("phase", "discard", "next arrival"):
            if kind in needed:
                self.advice = kind
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
            given.setdefault("seed", getattr(self, "seed", 0) + e + 1)
        part: CachePolicy = build(name, given, "policies")
        return part

    def _set(self, arrays: CacheArrays) -> None:
        self._arrays, self._struct = arrays, make_cache(arrays)
        self._room = (1 << 63) if self.table == "hash" else len(arrays.table)

    @property
    def nbytes(self) -> int:
        return super().nbytes + sum(part.nbytes for part in self._parts)

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
        if state["arrays"] is None and any(len(part.cached) for part in parts):
            raise StateError(f"{type(self).__name__}: its policies have pages, but it has none")
        before, self._parts = self._parts, parts
        try:
            super().restore({"arrays": state["arrays"]})
        except StateError:
            self._parts = before
            raise
        self._parts = parts
        greatest = max(int(part.cached.max(initial=NONE)) for part in parts)
        if greatest >= self._room > 0:  # pages that only a policy's cache has are looked up when they leave it
            self._make_room(greatest)
