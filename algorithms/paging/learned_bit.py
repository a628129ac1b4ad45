"""The policy that learns its bits while it serves requests, and trusts them as far as they prove good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching import Accesses, CachePolicy, RingPolicy
from streamlearn.caching.arrays import (
    CacheArrays,
    RequestArrays,
    cache_address,
    make_cache,
    make_requests,
    requests_address,
)
from streamlearn.caching.policy import checked_pages
from streamlearn.compiled import entry_of
from streamlearn.errors import OptionError, StateError
from streamlearn.learner import Learner
from streamlearn.parameters import check_range

from . import learned_bit_kernels as kernels
from .bit_predictor import OnlineBitPredictor
from .clock import Sieve
from .flush import BitLRU
from .learned_bit_kernels import CombinerArrays, combiner_address, make_combiner, serve_learned_bit
from .marking import Mark0
from .queues import LRU
from .s3_fifo import S3FIFO

EXPERTS: dict[str, tuple[int, type[CachePolicy]]] = {
    "bitlru": (kernels.BIT_LRU, BitLRU),
    "bit_sieve": (kernels.BIT_SIEVE, Sieve),
    "bit_s3": (kernels.BIT_S3, S3FIFO),
    "lru": (kernels.LRU, LRU),
    "mark0": (kernels.MARK0, Mark0),
    "s3_fifo": (kernels.S3_FIFO, S3FIFO),
    "sieve": (kernels.SIEVE, Sieve),
}
DEFAULT_EXPERTS = (
    "bitlru@0.4", "bitlru@0.5", "bitlru@0.6", "bitlru@0.7", "bitlru@0.8", "mark0@0.5", "lru", "s3_fifo", "sieve",
)  # fmt: skip
MOST_EXPERTS = 30  # a cached page has a bit for each


class Decisions(NamedTuple):
    """What many requests did, and the bits behind it.

    Attributes
    ----------
    hits : bool [n]
        Whether each page was cached.
    evicted : int64 [n]
        The page that had to leave for it, -1 where none had to.
    bits : uint8 [n]
        1 where the page may leave, in the view of the expert that was followed.
    probabilities : float64 [n]
        How likely the page may leave.
    """

    hits: np.ndarray
    evicted: np.ndarray
    bits: np.ndarray
    probabilities: np.ndarray


class LearnedBit(RingPolicy):
    """Learns online which pages may leave, and follows the best of several policies that use these bits, or none.

    An `OnlineBitPredictor` learns from what the optimal policy would have done with past requests. How far its
    probabilities are to be trusted is found out by simulation: one `BitLRU` for each threshold above which a
    probability becomes a 1, and rivals that look at no bits, or at those above 0.5 (`Mark0`). The cache follows one of
    these experts: when it has to evict, a page leaves that the expert does not hold. Which one it follows is drawn by
    multiplicative weights, so that it has on average at most ``1 + O(1 - penalty)`` times the faults of the best
    expert, and a term that grows with the number of experts' lead changes (Blum and Burch, On-line learning and the
    metrical task system problem, 2000; each change costs up to ``capacity`` faults): with LRU among them, bits that are
    wrong do little harm.

    Which bits and which combination is ours; the theory of one-bit predictions (Antoniadis et al., Paging with Succinct
    Predictions, 2023) says what right and wrong bits cost, not where they come from.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    thresholds
        Probabilities above which a page's bit is 1, each within 0 … 1: one `BitLRU` for each.
    rivals
        Further experts: any of ``"lru"``, ``"mark0"``, ``"s3_fifo"``, ``"sieve"``.
    window, learning_rate, pair_rate, learner
        See `OnlineBitPredictor`.
    penalty
        What an expert's weight is multiplied with at each fault that not all experts have, within 0 … 1.
    floor
        The least share of the weights that an expert keeps, so that it can come back, from 0 to 0.01.
    seed
        Of the random numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.paging import LRU, LearnedBit
    >>> pages = np.arange(20_000) % 12  # a loop that is a little too long
    >>> [int(policy.access_many(pages).hits.sum()) for policy in (LRU(capacity=10), LearnedBit(capacity=10))]
    [0, 0]
    """

    advice = "none"
    _kernel = serve_learned_bit
    _rings = 3
    _numbers = kernels.N_CACHE_NUMBERS

    def __init__(
        self,
        *,
        capacity: int,
        table: str = "dense",
        experts: tuple[str, ...] = DEFAULT_EXPERTS,
        window: int = 8,
        memory: int = 32,
        learning_rate: float = 0.1,
        pair_rate: float = 0.1,
        penalty: float = 0.75,
        floor: float = 1e-4,
        learner: Learner | None = None,
        seed: int = 0,
    ) -> None:
        self.experts = tuple(experts)
        if not 0 < len(self.experts) <= MOST_EXPERTS:
            raise OptionError(f"experts must be 1 to {MOST_EXPERTS} names, got {len(self.experts)}")
        for expert in self.experts:
            _parsed(expert)
        check_range("penalty", penalty, 0.0, 1.0, open_low=True)
        check_range("floor", floor, 0.0, 0.01)
        self.window, self.memory = window, memory
        self.learning_rate, self.pair_rate = learning_rate, pair_rate
        self.penalty, self.floor = penalty, floor
        self.learner = learner
        self.seed = seed
        super().__init__(capacity=capacity, table=table)

    # -- requests -------------------------------------------------------------------------------------------------

    def decide_many(self, pages: Any) -> Decisions:
        """Request pages in order, as `access_many` does, and tell their bits and probabilities too.

        Parameters
        ----------
        pages : array-like of whole numbers [n]
            Numbers >= 0.

        Raises
        ------
        InputError
            If a page is not a whole number >= 0; the message names the row, and nothing is requested.
        """
        rows = checked_pages(pages)
        with self._lock:
            if len(rows) and rows.max() >= self._room:
                self._make_room(int(rows.max()))
            return self._decide(rows)

    def _decide(self, pages: np.ndarray) -> Decisions:
        n = len(pages)
        done = Decisions(np.empty(n, np.bool_), np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n))
        if self.learner is not None:
            done.probabilities[:] = self._predictor.predict_many(pages)
        requests = make_requests(RequestArrays(pages, done.bits, done.probabilities, done.hits, done.evicted))
        if n:
            self._run(requests_address(requests))
        return done

    def _serve(self, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> Accesses:
        return Accesses(*self._decide(pages)[:2])

    def _one(self, run: Callable[[int], int], request: int) -> int:
        """One request, with the prediction of a learner that is not in the kernel."""
        self._next[0] = float(self._predictor.predict_many(np.asarray(self._page))[0])  # type: ignore[call-overload]
        return run(request)

    # -- arrays ---------------------------------------------------------------------------------------------------

    @property
    def _flags(self) -> tuple[int, ...]:  # type: ignore[override]
        return (1 << len(self.experts),)

    def _forget(self) -> None:
        super()._forget()
        self._predictor = OnlineBitPredictor(
            capacity=self.capacity,
            window=self.window,
            memory=self.memory,
            learning_rate=self.learning_rate,
            pair_rate=self.pair_rate,
            learner=self.learner,
        )
        self._experts = self._new_experts()
        n = len(self._experts)
        self._combiner = CombinerArrays(
            options=np.array([self.penalty, self.floor]),
            addresses=np.zeros(1 + n, np.int64),
            kinds=np.array([EXPERTS[_parsed(expert)[0]][0] for expert in self.experts], np.int64),
            thresholds=np.array([_parsed(expert)[1] for expert in self.experts]),
            weights=np.full(n, 1.0 / n),
            faults=np.zeros(n + 1, np.int64),
            probability=np.empty(kernels.CHUNK),
            hits=np.empty((n, kernels.CHUNK), np.bool_),
            evicted=np.empty((n, kernels.CHUNK), np.int64),
        )
        self._combiner_struct = make_combiner(self._combiner)

    def _new_experts(self) -> list[CachePolicy]:
        made: list[CachePolicy] = []
        for expert in self.experts:
            name, _ = _parsed(expert)
            seeded = {"seed": self.seed} if name == "mark0" else {}
            made.append(EXPERTS[name][1](capacity=self.capacity, table=self.table, **seeded))
        return made

    def _make_room(self, page: int) -> None:
        for expert in self._experts:
            expert._make_room(page)
        super()._make_room(page)

    def _set(self, arrays: CacheArrays) -> None:
        self._arrays, self._struct = arrays, make_cache(arrays)
        self._room = (1 << 63) if self.table == "hash" else len(arrays.table)
        self._combiner.addresses[0] = 0 if self.learner is not None else self._predictor.address
        self._combiner.addresses[1:] = [cache_address(expert._struct) for expert in self._experts]
        kernel = entry_of(type(self)._kernel, "intp", "intp", "intp")
        self._run = partial(kernel, combiner_address(self._combiner_struct), cache_address(self._struct))
        one = requests_address(self._request)
        self._run_one = partial(self._run, one) if self.learner is None else partial(self._one, self._run, one)

    def _check_numbers(self, arrays: CacheArrays, sizes: np.ndarray) -> None:
        followed = int(arrays.numbers[kernels.FOLLOWED])
        if not 0 <= followed < len(self._experts) or arrays.numbers[kernels.SWITCHES] < 0:
            raise StateError("array 'numbers': it follows no expert")

    # -- what it found out ----------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """What it has seen so far: its faults, its experts' faults and weights, and which of these it follows."""
        with self._lock:
            numbers = np.zeros(2, np.int64) if self._arrays is None else self._arrays.numbers
            return {
                "faults": int(self._combiner.faults[-1]),
                "followed": self.experts[int(numbers[kernels.FOLLOWED])],
                "switches": int(numbers[kernels.SWITCHES]),
                "expert_faults": dict(zip(self.experts, self._combiner.faults[:-1].tolist(), strict=True)),
                "expert_weights": dict(zip(self.experts, self._combiner.weights.tolist(), strict=True)),
            }

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        with self._lock:
            if self._arrays is None:
                return {"arrays": None}
            return {
                "arrays": self._saved(self._arrays),
                "predictor": self._predictor.state(),
                "experts": [expert.state()["arrays"] for expert in self._experts],
                "weights": self._combiner.weights.copy(),
                "faults": self._combiner.faults.copy(),
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        if isinstance(state, Mapping) and set(state) == {"arrays"} and state["arrays"] is None:
            self.reset()
            return
        if not isinstance(state, Mapping) or set(state) != {"arrays", "predictor", "experts", "weights", "faults"}:
            raise StateError(f"{type(self).__name__}: a state has arrays, predictor, experts, weights and faults")
        fresh = self.clone()
        fresh._take_over(state)
        with self._lock:
            self._predictor, self._experts = fresh._predictor, fresh._experts
            self._combiner, self._combiner_struct = fresh._combiner, fresh._combiner_struct
            self._set(fresh._arrays)  # type: ignore[arg-type]

    def _take_over(self, state: Mapping[str, Any]) -> None:
        """Fill a new policy with a state, part by part."""
        n = len(self._experts)
        weights, faults, saved = state["weights"], state["faults"], state["experts"]
        for array, wanted in ((weights, self._combiner.weights), (faults, self._combiner.faults)):
            if not isinstance(array, np.ndarray) or array.dtype != wanted.dtype or array.shape != wanted.shape:
                raise StateError(f"{type(self).__name__}: weights and faults don't fit {n} experts")
        if not (np.isfinite(weights).all() and (weights > 0).all() and abs(weights.sum() - 1) < 1e-6):
            raise StateError("array 'weights': they are no shares")
        if (faults < 0).any() or not isinstance(saved, (list, tuple)) or len(saved) != n:
            raise StateError(f"{type(self).__name__}: expected the states of {n} experts")
        self._combiner.weights[:], self._combiner.faults[:] = weights, faults
        for expert, part in zip(self._experts, saved, strict=True):
            if part is None:
                raise StateError(f"{type(self).__name__}: an expert has seen no requests")
            expert.restore({"arrays": part})
        self._predictor.restore(state["predictor"])
        arrays = self._unpack(state["arrays"])
        if self.table == "dense":  # all tables reach as far as the longest
            greatest = max(len(part.table) for part in [arrays, *(expert._arrays for expert in self._experts)]) - 1  # type: ignore[union-attr]
            for expert in self._experts:
                expert._make_room(greatest)
            self._set(arrays)
            super()._make_room(greatest)
        else:
            self._set(arrays)

    @property
    def nbytes(self) -> int:
        own = super().nbytes + sum(array.nbytes for array in self._combiner)
        return own + self._predictor.nbytes + sum(expert.nbytes for expert in self._experts)


def _parsed(expert: str) -> tuple[str, float]:
    """The name and the threshold of an expert written ``NAME`` or ``NAME@THRESHOLD``."""
    name, at, threshold = expert.partition("@") if isinstance(expert, str) else ("", "", "")
    if name not in EXPERTS:
        raise OptionError(f"experts must be among {', '.join(EXPERTS)}, with @threshold or without, got {expert!r}")
    if not at:
        return name, 0.5
    try:
        number = float(threshold)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise OptionError(f"an expert's threshold must be a number from 0 to 1, got {expert!r}")
    return name, number
