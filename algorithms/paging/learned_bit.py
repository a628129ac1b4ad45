"""The policy that learns its bits while it serves requests, and trusts them as far as they prove good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from streamlearn.caching import Access, Accesses, CachePolicy
from streamlearn.caching.arrays import (
    CacheArrays,
    RequestArrays,
    cache_address,
    make_requests,
    requests_address,
)
from streamlearn.caching.policy import checked_pages
from streamlearn.compiled import entry_of
from streamlearn.errors import OptionError, StateError
from streamlearn.learner import Learner

from . import learned_bit_kernels as kernels
from .bit_predictor import OnlineBitPredictor
from .combiners import WeightedCombiner
from .learned_bit_kernels import ExpertArrays, experts_address, make_experts, serve_learned_bit

KINDS = {
    "lru": kernels.LRU,
    "s3_fifo": kernels.S3_FIFO,
    "sieve": kernels.SIEVE,
    "bitlru": kernels.BIT_LRU,
    "mark0": kernels.MARK0,
    "bit_sieve": kernels.BIT_SIEVE,
    "bit_s3_fifo": kernels.BIT_S3_FIFO,
}
WITHOUT_BITS = ("lru", "s3_fifo", "sieve")
DEFAULT_EXPERTS = (
    "lru", "s3_fifo", "bitlru@0.3", "bitlru@0.6", "mark0@0.4", "bit_sieve@0.3", "bit_s3_fifo@0.3",
)  # fmt: skip


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


class LearnedBit(WeightedCombiner):
    """Learns online which pages may leave, and follows the best of several policies that use these bits, or none.

    An `OnlineBitPredictor` learns from what the optimal policy would have done with past requests. How far its
    probabilities are to be trusted is found out by simulation: experts turn them into bits at different thresholds, or
    ignore them, and the cache follows these as `WeightedCombiner` does, lazily and by multiplicative weights. With LRU
    and S3-FIFO among the experts, bits that are wrong do little harm: on average over seeds there are at most
    ``1 + epsilon`` times the faults of the best expert, and O(capacity log m / epsilon) more each time that another
    becomes the best.

    Which bits, and how they are combined, is ours; the theory of one-bit predictions (Antoniadis et al., Paging with
    Succinct Predictions, 2023) says what right and wrong bits cost, not where they come from.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.
    experts
        At least two, written ``NAME`` or ``NAME@THRESHOLD``: ``lru``, ``s3_fifo``, ``sieve``, and with a threshold
        ``bitlru``, ``mark0``, ``bit_sieve``, ``bit_s3_fifo``; a page's bit is 1 if its probability is above it, by
        default 0.5.
    window, memory, learning_rate, pair_rate, learner
        See `OnlineBitPredictor`.
    epsilon, floor, seed
        See `WeightedCombiner`.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.paging import LRU, LearnedBit
    >>> pages = np.arange(20_000) % 12  # a loop that is a little too long
    >>> int(LRU(capacity=10).access_many(pages).hits.sum())
    0
    >>> bool(LearnedBit(capacity=10).access_many(pages).hits.mean() > 0.6)
    True
    """

    advice = "none"
    _kernel: ClassVar[Any] = serve_learned_bit

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
        learner: Learner | None = None,
        epsilon: float = 0.1,
        floor: float = 1e-5,
        seed: int = 0,
    ) -> None:
        if isinstance(experts, str) or len(experts) < 2:
            raise OptionError(f"experts must be at least two, got {experts!r}")
        self.experts = tuple(experts)
        self.window, self.memory = window, memory
        self.learning_rate, self.pair_rate = learning_rate, pair_rate
        self.learner = learner
        names = [_parsed(expert)[0] for expert in self.experts]
        super().__init__(capacity=capacity, policies=names, epsilon=epsilon, floor=floor, table=table, seed=seed)

    # -- requests -------------------------------------------------------------------------------------------------

    def access(self, page: int, bit: Any = 0, *, predicted: float | None = None) -> Access:
        return CachePolicy.access(self, page, bit, predicted=predicted)  # the bit is checked, and not looked at

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

    def holds(self, pages: np.ndarray) -> np.ndarray:
        """Whether each page is cached, without requesting it: bool [n]."""
        rows = checked_pages(pages)
        held = np.zeros(len(rows), np.bool_)
        with self._lock:
            if self._arrays is not None:
                kernels.holds(cache_address(self._struct), rows, held)
        return held

    def _decide(self, pages: np.ndarray) -> Decisions:
        n = len(pages)
        done = Decisions(np.empty(n, np.bool_), np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n))
        if self.learner is not None:
            done.probabilities[:] = self._predictor.predict_many(pages)
        if n:
            requests = make_requests(RequestArrays(pages, done.bits, done.probabilities, done.hits, done.evicted))
            self._run(requests_address(requests))
        return done

    def _serve(self, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> Accesses:
        return Accesses(*self._decide(pages)[:2])

    def _one(self, run: Callable[[int], int], request: int) -> int:
        """One request, with the prediction of a learner that is not in the kernel."""
        self._next[0] = float(self._predictor.predict_many(np.asarray(self._page))[0])  # type: ignore[call-overload]
        return run(request)

    # -- arrays ---------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._predictor = OnlineBitPredictor(
            capacity=self.capacity,
            window=self.window,
            memory=self.memory,
            learning_rate=self.learning_rate,
            pair_rate=self.pair_rate,
            learner=self.learner,
        )
        m = len(self.experts)
        parsed = [_parsed(expert) for expert in self.experts]
        self._known = ExpertArrays(
            addresses=np.zeros(1 + m, np.int64),
            kinds=np.array([KINDS[name] for name, _ in parsed], np.int64),
            thresholds=np.array([threshold for _, threshold in parsed]),
            probability=np.zeros(kernels.CHUNK),
            hits=np.zeros((m, kernels.CHUNK), np.bool_),
            evicted=np.zeros((m, kernels.CHUNK), np.int64),
        )
        self._known_struct = make_experts(self._known)
        super()._forget()
        self.advice = "none"  # the bits are its own

    def _make_room(self, page: int) -> None:
        for part in self._parts:
            part._make_room(page)
        super()._make_room(page)

    def _set(self, arrays: CacheArrays) -> None:
        super()._set(arrays)
        if self.table == "dense":  # the parts' tables reach as far
            for part in self._parts:
                if part._room < self._room:
                    part._make_room(self._room - 1)
        self._known.addresses[0] = 0 if self.learner is not None else self._predictor.address
        self._known.addresses[1:] = [cache_address(part._struct) for part in self._parts]
        kernel = entry_of(type(self)._kernel, "intp", "intp", "intp")
        self._run = partial(kernel, experts_address(self._known_struct), cache_address(self._struct))
        one = requests_address(self._request)
        self._run_one = partial(self._run, one) if self.learner is None else partial(self._one, self._run, one)

    @property
    def expert_faults(self) -> dict[str, int]:
        """How many faults each expert had in its own cache."""
        return dict(zip(self.experts, self.costs.values(), strict=True))

    @property
    def nbytes(self) -> int:
        return super().nbytes + sum(array.nbytes for array in self._known) + self._predictor.nbytes

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "predictor": self._predictor.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or "predictor" not in state:
            raise StateError(f"{type(self).__name__}: a state has the key 'predictor'")
        predictor = self._predictor.clone()
        predictor.restore(state["predictor"])
        before, self._predictor = self._predictor, predictor
        try:
            super().restore({key: value for key, value in state.items() if key != "predictor"})
        except StateError:
            self._predictor = before
            raise


def _parsed(expert: str) -> tuple[str, float]:
    """The name and the threshold of an expert."""
    name, at, threshold = expert.partition("@") if isinstance(expert, str) else ("", "", "")
    if name not in KINDS:
        raise OptionError(f"experts must be among {', '.join(KINDS)}, some with @THRESHOLD, got {expert!r}")
    if not at:
        return name, 1.0 if name in WITHOUT_BITS else 0.5
    try:
        number = float(threshold)
    except ValueError:
        number = -1.0
    if name in WITHOUT_BITS or not 0.0 <= number <= 1.0:
        raise OptionError(f"a threshold is a number from 0 to 1 after a policy that uses bits, got {expert!r}")
    return name, number
