"""An online learner of the bit that says whether a page may leave the cache."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamlearn.array_learner import capacity as room
from streamlearn.caching.policy import LARGEST_CAPACITY, checked_pages
from streamlearn.caching.table import fill, hashed_size
from streamlearn.errors import OptionError, StateError
from streamlearn.learner import Learner
from streamlearn.parameters import call_of, check_range, parameters_of
from streamlearn.saved_arrays import check_arrays

from . import bit_predictor_kernels as kernels
from .bit_predictor_kernels import PredictorArrays, make_predictor, predictor_address
from .hindsight_kernels import N_RING_COLUMNS, TIME, judge_state_is_sound, start_judging

FEATURES = (
    "constant", "is_new", "gap", "gap_before", "gap_before_that", "no_gap_before", "no_gap_before_that", "count",
    "recent", "frequent", "persistent", "label", "gap_squared", "gap_recent", "gap_count", "gap_label",
)  # fmt: skip
"""Names of the features that another model than the built-in one sees."""
BLOCK = 256
"""Requests after which another model than the built-in one learns: it predicts in blocks."""


class OnlineBitPredictor:
    """Learns, while requests come, how likely the optimal policy would let each requested page go.

    A request's label is 0 if the optimal policy would have kept its page until the next request, else 1; it is known
    when the page comes again, when it is certain that there was no room for it, or when a window of requests has passed
    (see `hindsight_bits`). What the model sees at a request is only of the past: gaps between the page's requests, how
    often it came, what its last labels were. So predictions do not depend on what comes after them.

    The built-in model is a logistic regression over these numbers, over combinations of them, and over the page itself,
    trained by AdaGrad with each label as it becomes known. Any classifier can take its place; it then sees the sixteen
    numbers, and predicts and learns 256 requests at a time, so that labels reach it later by up to as many.

    What is known of a page is forgotten when it was not requested for long: memory is bounded, at 160 bytes for each
    remembered page.

    Parameters
    ----------
    capacity
        How many pages the cache holds for which bits are predicted, from 1 to 134,217,728.
    window
        How many requests to wait for a page's next one, as a multiple of the capacity, from 1 to 1000.
    memory
        For how many requests to remember a page, as a multiple of the capacity, from ``window`` to 10,000.
    learning_rate
        Of the built-in model's numbers, > 0.
    pair_rate
        Of its combinations and pages, >= 0; with 0 it is linear.
    learner
        A classifier to use instead, with labels 0 and 1; the predictor clones it.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.paging import OnlineBitPredictor
    >>> pages = np.where(np.arange(4000) % 2 == 0, np.arange(4000) // 2 % 4, 4 + np.arange(4000))  # 4 pages come back
    >>> probabilities = OnlineBitPredictor(capacity=8).predict_many(pages)
    >>> bool(probabilities[-2] < 0.1), bool(probabilities[-1] > 0.9)
    (True, True)
    """

    def __init__(
        self,
        *,
        capacity: int,
        window: int = 8,
        memory: int = 32,
        learning_rate: float = 0.1,
        pair_rate: float = 0.1,
        learner: Learner | None = None,
    ) -> None:
        check_range("capacity", capacity, 1, LARGEST_CAPACITY, kind=int)
        check_range("window", window, 1, 1000, kind=int)
        check_range("memory", memory, window, 10_000, kind=int)
        check_range("learning_rate", learning_rate, 0.0, 100.0, open_low=True)
        check_range("pair_rate", pair_rate, 0.0, 100.0)
        if capacity * memory >= 1 << 30:
            raise OptionError(f"capacity * memory must be below {1 << 30}, got {capacity * memory}")
        if learner is not None and (not isinstance(learner, Learner) or learner.task != "classification"):
            raise OptionError(f"learner must be a classifier, got {learner!r}")
        self.capacity = capacity
        self.window = window
        self.memory = memory
        self.learning_rate = learning_rate
        self.pair_rate = pair_rate
        self.learner = learner
        self._lock = threading.Lock()
        self._forget()

    # -- requests -------------------------------------------------------------------------------------------------

    def predict_many(self, pages: Any) -> np.ndarray:
        """Take in requests in order, and learn what they make known.

        Parameters
        ----------
        pages : array-like of whole numbers [n]
            Requests, numbers >= 0.

        Returns
        -------
        float64 [n]
            How likely each page may leave the cache, predicted before anything later is known.

        Raises
        ------
        InputError
            If a page is not a whole number >= 0; the message names the row, and nothing is taken in.
        """
        rows = checked_pages(pages)
        with self._lock:
            if self.learner is not None:
                return self._predict_blocks(rows)
            probability = np.empty(len(rows))
            kernels.predict_rows(self.address, rows, 0, len(rows), probability)
            return probability

    def predict_one(self, page: int) -> float:
        """Take in one request; see `predict_many`."""
        return float(self.predict_many(np.array([page]))[0])

    def _predict_blocks(self, pages: np.ndarray) -> np.ndarray:
        """Blocks end at the same requests however these are cut into calls: so the results don't depend on it."""
        probability = np.empty(len(pages))
        done = 0
        while done < len(pages):
            rows = pages[done : done + BLOCK - self._in_block]
            n = len(rows)
            most = n + self._waiting
            seen, judged = np.empty((n, kernels.N_FEATURES)), np.empty((most, kernels.N_FEATURES))
            labels = np.empty(most, np.int64)
            m = kernels.observe_many(self.address, rows, seen, judged, labels)
            self._judged.append(judged[:m])
            self._labels.append(labels[:m])
            probability[done : done + n] = self._by_model(seen)
            self._in_block += n
            done += n
            if self._in_block == BLOCK:
                self._learn_block()
        return probability

    @property
    def _waiting(self) -> int:
        """Requests whose labels may not be known."""
        return 0 if self._arrays is None else int(self._arrays.numbers[TIME] - self._arrays.numbers[kernels.SETTLED])

    def _by_model(self, seen: np.ndarray) -> np.ndarray:
        classes = self._model.classes
        if 1 not in classes:
            return np.zeros(len(seen)) if classes else np.full(len(seen), 0.5)
        probability: np.ndarray = self._model.predict_proba_many(seen)[:, classes.index(1)]
        return probability

    def _learn_block(self) -> None:
        labels = np.concatenate(self._labels)
        if len(labels):
            self._model.learn_many(np.concatenate(self._judged), labels)
        self._judged.clear()
        self._labels.clear()
        self._in_block = 0

    # -- state ----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._model: Any = None if self.learner is None else self.learner.clone()
        self._judged: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._in_block = 0
        self._arrays: PredictorArrays | None = None  # made at the first request: a predictor costs nothing before

    def _layout(self) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Dtypes and shapes of what a state holds."""
        window, size = max(2, self.capacity * self.window), max(2, self.capacity * self.memory)
        weights = kernels.PAGES + (1 << self._weight_bits(size))
        return {
            "pages": (np.int64, (size,)),
            "latest": (np.int64, (size,)),
            "history": (np.float32, (size, kernels.N_HISTORY)),
            "features": (np.float32, (size, kernels.N_FEATURES)),
            "pairs": (np.int32, (size, kernels.N_PAIRS)),
            "free": (np.int32, (size,)),
            "recent": (np.int32, (size,)),
            "ring": (np.int32, (window, N_RING_COLUMNS)),
            "numbers": (np.int64, (kernels.N_NUMBERS,)),
            "weights": (np.float64, (weights,)),
            "squares": (np.float64, (weights,)),
        }

    def _weight_bits(self, size: int) -> int:
        return min(16, room(size, 256).bit_length() - 1)

    def _whole(self, saved: Mapping[str, np.ndarray]) -> PredictorArrays:
        """The arrays of a state and those that follow from the parameters."""
        size = len(saved["pages"])
        bits = self._weight_bits(size)
        options = [self.capacity, 1, self.learning_rate, self.pair_rate, self.learner is None, bits]
        return PredictorArrays(
            options=np.array(options, np.float64), table=np.full(hashed_size(size), -1, np.int32), **saved
        )

    def _begin(self) -> None:
        arrays = self._whole({name: np.zeros(shape, dtype) for name, (dtype, shape) in self._layout().items()})
        start_judging(arrays.numbers)
        arrays.pages[:] = -1
        arrays.numbers[kernels.FREE] = len(arrays.free)
        arrays.free[:] = np.arange(len(arrays.free))[::-1]
        self._set(arrays)

    def _set(self, arrays: PredictorArrays) -> None:
        self._arrays, self._struct = arrays, make_predictor(arrays)  # known by its address: it is kept alive here

    @property
    def address(self) -> int:
        """Where kernels find it."""
        if self._arrays is None:
            self._begin()
        return int(predictor_address(self._struct))

    def state(self) -> dict[str, Any]:
        """Everything learned and everything waiting for its label: copies of the arrays; None before the first
        request."""
        with self._lock:
            known = self._arrays
            arrays = None if known is None else {name: getattr(known, name).copy() for name in self._layout()}
            if self.learner is None:
                return {"arrays": arrays}
            none = np.empty((0, kernels.N_FEATURES))
            return {
                "arrays": arrays,
                "model": self._model.state(),
                "judged": np.concatenate([none, *self._judged]),
                "labels": np.concatenate([np.empty(0, np.int64), *self._labels]),
                "in_block": self._in_block,
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the predictor then continues bit for bit.

        Raises
        ------
        StateError
            If the state does not fit this predictor, which is then unchanged.
        """
        names = {"arrays"} if self.learner is None else {"arrays", "model", "judged", "labels", "in_block"}
        if not isinstance(state, Mapping) or set(state) != names:
            raise StateError(f"{type(self).__name__}: a state has the keys {', '.join(sorted(names))}")
        if state["arrays"] is None:
            self.reset()
            return
        arrays = self._unpack(state["arrays"])
        if self.learner is None:
            with self._lock:
                self._set(arrays)
            return
        judged, labels, in_block = state["judged"], state["labels"], state["in_block"]
        model = self.learner.clone()
        model.restore(state["model"])
        if not (
            isinstance(judged, np.ndarray)
            and isinstance(labels, np.ndarray)
            and judged.dtype == np.float64
            and labels.dtype == np.int64
            and judged.shape == (len(labels), kernels.N_FEATURES)
            and isinstance(in_block, int)
            and 0 <= in_block < BLOCK
            and bool(np.isin(labels, (0, 1)).all())
        ):
            raise StateError(f"{type(self).__name__}: what waits to be learned is damaged")
        with self._lock:
            self._model, self._judged, self._labels, self._in_block = model, [judged.copy()], [labels.copy()], in_block
            self._set(arrays)

    def _unpack(self, saved: Any) -> PredictorArrays:
        layout = self._layout()
        check_arrays(type(self).__name__, saved, layout)
        for name in layout:
            if saved[name].dtype.kind == "f" and not np.isfinite(saved[name]).all():
                raise StateError(f"array {name!r} holds NaN or infinity")
        arrays = self._whole({name: np.array(saved[name], order="C") for name in layout})
        self._check(arrays)
        return arrays

    def _check(self, a: PredictorArrays) -> None:
        """Refuse restored arrays that could lead the kernels astray."""
        size, n_free = len(a.pages), int(a.numbers[kernels.FREE])
        time = int(a.numbers[TIME])
        if not 0 <= n_free <= size or not judge_state_is_sound(a.numbers, a.ring, self.capacity):
            raise StateError("array 'ring': the judgements are broken")
        free = a.free[:n_free]
        if len(np.unique(free)) != n_free or (n_free and not 0 <= free.min() <= free.max() < size):
            raise StateError("array 'free': a node is none, or there twice")
        if not np.array_equal(np.sort(free), np.flatnonzero(a.pages < 0)) or a.pages.min() < -1:
            raise StateError("array 'pages': the free nodes are not those without a page")
        used = np.flatnonzero(a.pages >= 0)
        latest = a.latest[used]
        if len(used) and not max(time - size, 0) <= latest.min() <= latest.max() < max(time, 1):
            raise StateError("array 'latest': a request is outside the window")
        nodes = a.recent
        if not 0 <= nodes.min() <= nodes.max() < size or not np.array_equal(nodes[latest % size], used):
            raise StateError("array 'recent': a request has another page")
        settled = int(a.numbers[kernels.SETTLED])
        if not max(time - len(a.ring), 0) <= settled <= time:
            raise StateError("array 'numbers': the first request without a label is outside the window")
        if a.numbers[kernels.PLACE] != time % size:
            raise StateError("array 'numbers': the place in 'recent' is wrong")
        if not 0 <= a.pairs.min() <= a.pairs.max() < len(a.weights) or (a.squares < 0).any():
            raise StateError("arrays 'pairs' and 'squares': a number is out of range")
        history = a.history
        labels = history[:, kernels.LABEL :]
        if (
            (history[:, : kernels.LABEL] < 0).any()
            or (history[used, kernels.COUNT : kernels.LABEL] < 1).any()
            or not np.isin(labels, (-1, 0, 1)).all()
        ):
            raise StateError("array 'history': a number is out of range")
        if history.max() > 1e15:
            raise StateError("array 'history': a number is out of range")
        if fill(a) >= 0:  # type: ignore[arg-type]  # it has what a CacheArrays has to find pages
            raise StateError("array 'pages': a page is there twice")

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters, as they are set."""
        return parameters_of(self)

    @property
    def nbytes(self) -> int:
        """Size of the state in bytes."""
        own = 0 if self._arrays is None else sum(array.nbytes for array in self._arrays)
        return own + (0 if self.learner is None else int(self._model.nbytes))

    def reset(self) -> None:
        """Forget every request and everything learned; the parameters stay."""
        with self._lock:
            self._forget()

    def clone(self) -> Self:
        """A new predictor with the same parameters that has learned nothing."""
        return type(self)(**self.params)

    def __repr__(self) -> str:
        return call_of(self)
