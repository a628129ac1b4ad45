"""The contract of every cache policy: what people call, derived once from the one kernel that a policy gives."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from ..compiled import entry_of
from ..errors import InputError, StateError
from ..parameters import call_of, check_choice, check_range, parameters_of
from ..random import generator
from ..saved_arrays import check_arrays
from .arrays import (
    HIT,
    NONE,
    CacheArrays,
    RequestArrays,
    cache_address,
    make_cache,
    make_requests,
    requests_address,
)
from .bags import bags_are_sound, start_bags
from .rings import rings_are_sound, start_rings
from .table import LARGEST_DENSE, fill, hashed_size

LARGEST_CAPACITY = 1 << 27
_NO_BITS, _NO_PREDICTIONS = np.empty(0, np.uint8), np.empty(0)


class Access(NamedTuple):
    """What one request did.

    Attributes
    ----------
    hit : bool
        Whether the page was cached.
    evicted : int or None
        The page that had to leave for it.
    """

    hit: bool
    evicted: int | None


class Accesses(NamedTuple):
    """What many requests did.

    Attributes
    ----------
    hits : bool [n]
        Whether each page was cached.
    evicted : int64 [n]
        The page that had to leave for it, -1 where none had to.
    """

    hits: np.ndarray
    evicted: np.ndarray


class Layout(NamedTuple):
    """Sizes of a policy's arrays: nodes, lists, columns of ``nodes``, numbers, keys."""

    nodes: int
    lists: int
    columns: int
    numbers: int
    keys: int = 0


class CachePolicy(ABC):
    """Base of everything that decides which page leaves a full cache.

    A cache holds up to ``capacity`` pages of one size. Each requested page is loaded, if it is not there, and if the
    cache is full one page has to leave for it: which one is all that a policy decides. With each request comes, for
    policies that know what to do with it, a bit that predicts whether the page may leave (1) or should stay (0), or a
    prediction of when it is requested next.

    A subclass gives its `_kernel`, which is `arrays.serve` around its step, the `_layout` of its arrays and what a
    hostile file must not say (`_check`); most of that comes with `RingPolicy` and `BagPolicy`.

    A policy may be used from several threads: calls on one policy run one after the other.

    Parameters
    ----------
    capacity
        How many pages the cache holds, from 1 to 134,217,728.
    table
        How a page is found: ``"dense"``, an array with an entry for each page up to the greatest, for pages that are
        numbered 0, 1, 2, … (4 bytes each, up to 134,217,727); or ``"hash"``, for any number below 2**63, in memory that
        is bounded by the cache. What the policy does is the same.
    """

    advice: Literal["none", "discard", "phase", "next arrival"] = "none"
    """What should come with requests: a bit that is 1 where the optimal policy would evict the page before its next
    request; a bit that is 1 where the page is not requested in the next phase; when it is requested next; or nothing,
    and whatever comes is not looked at."""
    _kernel: ClassVar[Any]

    def __init__(self, *, capacity: int, table: str = "dense") -> None:
        check_range("capacity", capacity, 1, LARGEST_CAPACITY, kind=int)
        check_choice("table", table, ("dense", "hash"))
        if hasattr(self, "seed"):
            check_range("seed", self.seed, -(1 << 63), (1 << 63) - 1, kind=int)
        self.capacity = capacity
        self.table = table
        self._lock = threading.Lock()
        self._forget()

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @abstractmethod
    def _layout(self) -> Layout:
        """Sizes of the arrays."""

    @abstractmethod
    def _start(self, arrays: CacheArrays) -> None:
        """Make arrays of zeros those of an empty cache."""

    @abstractmethod
    def _check(self, arrays: CacheArrays) -> None:
        """Refuse restored arrays that could lead the kernel astray; dtypes, shapes and pages were checked before."""

    def _options(self) -> list[float]:
        """The policy's own parameters as its kernel reads them."""
        return []

    def _remembered(self, arrays: CacheArrays) -> Any:
        """Which nodes stand for pages that are remembered, not cached: bool [M], or False for none."""
        return False

    # -- requests -------------------------------------------------------------------------------------------------

    def access(self, page: int, bit: int = 0, *, predicted: float | None = None) -> Access:
        """Request a page.

        Parameters
        ----------
        page
            Its number, >= 0.
        bit
            1 if the page may leave (see `advice`), 0 if it should stay.
        predicted
            When the page is predicted to be requested next, as the number of that request; infinite for never.

        Raises
        ------
        InputError
            If the page, the bit or the prediction is none, or a prediction is needed and there is none; nothing is
            then requested.
        """
        with self._lock:
            try:
                self._page[0] = page
            except (TypeError, ValueError):
                raise InputError(f"page must be a whole number from 0 to 2**63 - 1, got {page!r}") from None
            if not 0 <= page < self._room:
                self._make_room(int(page))
            if bit != 0 and bit != 1:
                raise InputError(f"bit must be 0 or 1, got {bit!r}")
            self._bit[0] = bool(bit)
            if self.advice == "next arrival":
                self._next[0] = self._prediction(predicted)  # type: ignore[call-overload]
            outcome = self._run_one()
        return _HIT if outcome == HIT else Access(False, None if outcome == NONE else outcome)

    def access_many(self, pages: Any, bits: Any = None, *, predicted: Any = None) -> Accesses:
        """Request pages in order; the same as so many calls of `access`, bit for bit.

        Parameters
        ----------
        pages : array-like of whole numbers [n]
            Numbers >= 0.
        bits : array-like of 0 and 1 [n], optional
            A bit for each request; by default all are 0.
        predicted : array-like of numbers [n], optional
            When each page is predicted to be requested next; needed where `advice` is ``"next arrival"``.

        Raises
        ------
        InputError
            If something is not what it should be; the message names the row, and nothing is requested.
        """
        rows = checked_pages(pages)
        marks, arrivals = self._bits(bits, len(rows)), self._predictions(predicted, len(rows))
        with self._lock:
            if len(rows):
                greatest = int(rows.max())
                if greatest >= self._room:
                    self._make_room(greatest)
            return self._serve(rows, marks, arrivals)

    def _serve(self, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> Accesses:
        """Request checked pages in order."""
        done = Accesses(np.empty(len(pages), np.bool_), np.empty(len(pages), np.int64))
        requests = make_requests(RequestArrays(pages, bits, predicted, *done))
        if len(pages):
            self._run(requests_address(requests))
        return done

    def _bits(self, bits: Any, n: int) -> np.ndarray:
        if bits is None:
            return _NO_BITS
        column = np.asarray(bits)
        if column.shape != (n,):
            raise InputError(f"bits must have the shape ({n},) of the pages, not {column.shape}")
        if n == 0:
            return _NO_BITS
        good = (column == 0) | (column == 1)
        if not np.all(good):
            row = int(np.argmin(good))
            raise InputError(f"bits: row {row} must be 0 or 1, got {column[row]!r}")
        return np.ascontiguousarray(column, np.uint8)

    def _prediction(self, predicted: Any) -> float:
        try:
            number = math.nan if predicted is None else float(predicted)
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            raise InputError(f"{type(self).__name__} needs predicted, a number, got {predicted!r}")
        return number

    def _predictions(self, predicted: Any, n: int) -> np.ndarray:
        if self.advice != "next arrival":
            return _NO_PREDICTIONS
        if predicted is None:
            raise InputError(f"{type(self).__name__} needs predicted, a number for each request")
        try:
            column = np.ascontiguousarray(predicted, np.float64)
        except (TypeError, ValueError):
            raise InputError("predicted must be numbers") from None
        if column.shape != (n,):
            raise InputError(f"predicted must have the shape ({n},) of the pages, not {column.shape}")
        if np.isnan(column).any():
            raise InputError(f"predicted: row {int(np.argmax(np.isnan(column)))} must be a number, got nan")
        return column

    @property
    def cached(self) -> np.ndarray:
        """The pages in the cache, in rising order: int64 [n], where n <= capacity."""
        with self._lock:
            if self._arrays is None:
                return np.empty(0, np.int64)
            pages = self._arrays.pages
            return np.sort(pages[(pages >= 0) & ~np.asarray(self._remembered(self._arrays))])

    # -- arrays ---------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._arrays: CacheArrays | None = None
        self._room = 0  # pages below it are in the table's range
        self._page, self._bit, self._next = (memoryview(np.zeros(1, kind)) for kind in (np.int64, np.uint8, np.float64))  # type: ignore[arg-type]
        one = RequestArrays(
            np.asarray(self._page),
            np.asarray(self._bit),
            np.asarray(self._next),
            np.empty(1, np.bool_),
            np.empty(1, np.int64),
        )
        self._request = make_requests(one)  # the kernel knows it by its address: it is kept alive here

    def _allocate(self, table_size: int) -> CacheArrays:
        layout = self._layout()
        hashed = self.table == "hash"
        arrays = CacheArrays(
            options=np.array([self.capacity, hashed, *self._options()], np.float64),
            table=np.full(hashed_size(layout.nodes) if hashed else table_size, NONE, np.int32),
            pages=np.full(layout.nodes, NONE, np.int64),
            nodes=np.zeros((layout.nodes + layout.lists, layout.columns), np.int32),
            keys=np.zeros(layout.keys),
            numbers=np.zeros(layout.numbers, np.int64),
            random=generator(self.seed) if hasattr(self, "seed") else np.empty(0, np.uint64),
        )
        self._start(arrays)
        return arrays

    def _make_room(self, page: int) -> None:
        """Let the table reach up to ``page``."""
        if page < 0:
            raise InputError(f"pages must be >= 0, got {page}")
        if self.table == "dense" and page > LARGEST_DENSE:
            raise InputError(f"page {page} is too large for table='dense' (at most {LARGEST_DENSE}): use table='hash'")
        size = max(64, 1 << page.bit_length())
        if self._arrays is None:
            self._set(self._allocate(size))
        else:
            table = np.full(size, NONE, np.int32)
            table[: len(self._arrays.table)] = self._arrays.table
            self._set(self._arrays._replace(table=table))

    def _set(self, arrays: CacheArrays) -> None:
        kernel = entry_of(type(self)._kernel, "intp", "intp")
        self._arrays, self._struct = arrays, make_cache(arrays)  # known by its address: it is kept alive here
        self._room = (1 << 63) if self.table == "hash" else len(arrays.table)
        self._run: Callable[[int], int] = partial(kernel, cache_address(self._struct))
        self._run_one: Callable[[], int] = partial(self._run, requests_address(self._request))

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What is cached, and all else that decides what happens next: copies of the arrays; None before the first
        request. Its size depends on the capacity only."""
        with self._lock:
            return {"arrays": None if self._arrays is None else self._saved(self._arrays)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the policy then continues bit for bit.

        Raises
        ------
        StateError
            If the state does not fit this policy, which is then unchanged.
        """
        if not isinstance(state, Mapping) or set(state) != {"arrays"}:
            raise StateError(f"{type(self).__name__}: a state has the key 'arrays'")
        if state["arrays"] is None:
            self.reset()
            return
        arrays = self._unpack(state["arrays"])
        with self._lock:
            self._set(arrays)

    def _saved(self, arrays: CacheArrays) -> dict[str, np.ndarray]:
        return {name: getattr(arrays, name).copy() for name in _SAVED}

    def _unpack(self, saved: Any) -> CacheArrays:
        """Fresh arrays that hold what a state says, checked."""
        layout = self._layout()
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {
            "pages": (np.int64, (layout.nodes,)),
            "nodes": (np.int32, (layout.nodes + layout.lists, layout.columns)),
            "keys": (np.float64, (layout.keys,)),
            "numbers": (np.int64, (layout.numbers,)),
            "random": (np.uint64, (4 if hasattr(self, "seed") else 0,)),
        }
        check_arrays(type(self).__name__, saved, expected)
        greatest, least = int(saved["pages"].max()), int(saved["pages"].min())
        if least < NONE or (self.table == "dense" and greatest > LARGEST_DENSE):
            raise StateError(f"array 'pages': pages must be from 0 to {LARGEST_DENSE}, or table='hash'")
        if np.isnan(saved["keys"]).any():
            raise StateError("array 'keys' holds NaN")
        arrays = self._allocate(max(64, 1 << max(greatest, 0).bit_length()))
        for name in expected:
            getattr(arrays, name)[...] = saved[name]
        if (node := fill(arrays)) >= 0:
            raise StateError(f"array 'pages': page {arrays.pages[node]} is there twice")
        self._check(arrays)
        return arrays

    # -- life -----------------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters, as they are set."""
        return parameters_of(self)

    @property
    def nbytes(self) -> int:
        """Size of the policy's arrays in bytes."""
        return 0 if self._arrays is None else sum(array.nbytes for array in self._arrays)

    def reset(self) -> None:
        """Empty the cache and forget every request; the parameters stay."""
        with self._lock:
            self._forget()

    def clone(self) -> Self:
        """A new policy with the same parameters and an empty cache."""
        return type(self)(**self.params)

    def save(self, path: str | Path) -> None:
        """Write parameters and state to a file that holds arrays and JSON only (read it with `streamlearn.load`).

        Raises
        ------
        StateError
            If the policy is not registered.
        OSError
            If the disk refuses; an older file of that name is then untouched.
        """
        from .. import container, models

        container.save(path, models.describe_policy(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a policy of this class from a file that `save` wrote.

        Raises
        ------
        StateError
            If the file is damaged, made by a newer version, or holds something else.
        """
        from .. import models

        policy = models.load(path)
        if not isinstance(policy, cls):
            raise StateError(f"{path} holds a {type(policy).__name__}, not a {cls.__name__}")
        return policy

    def __repr__(self) -> str:
        return call_of(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"params": self.params, "state": self.state()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        type(self).__init__(self, **pickled["params"])
        self.restore(pickled["state"])


class RingPolicy(CachePolicy):
    """Base of policies that keep their nodes in lists (see `rings`)."""

    _rings: ClassVar[int] = 2
    """How many lists there are; the first has the free nodes."""
    _ghosts: ClassVar[tuple[int, ...]] = ()
    """Lists of pages that are remembered, not cached."""
    _flags: ClassVar[tuple[int, ...]] = ()
    """For further columns of ``nodes``, in order, the number of values each can have."""
    _place: ClassVar[int] = -1
    """The column of ``nodes`` that says which list a node is in, if there is one."""
    _numbers: ClassVar[int] = 0

    def _layout(self) -> Layout:
        return Layout(self._n_nodes(), self._rings, 2 + len(self._flags), self._numbers)

    def _n_nodes(self) -> int:
        return self.capacity

    def _start(self, arrays: CacheArrays) -> None:
        start_rings(arrays)

    def _check(self, arrays: CacheArrays) -> None:
        sizes = np.zeros(len(arrays.nodes) - len(arrays.pages), np.int64)
        if not rings_are_sound(arrays, self._place, sizes):
            raise StateError("array 'nodes': the lists are broken")
        _check_flags(arrays.nodes[:, 2 : 2 + len(self._flags)], self._flags)
        if sum(int(size) for ring, size in enumerate(sizes) if ring and ring not in self._ghosts) > self.capacity:
            raise StateError(f"array 'nodes': more than {self.capacity} pages are cached")
        self._check_numbers(arrays, sizes)

    def _remembered(self, arrays: CacheArrays) -> Any:
        return np.isin(arrays.nodes[: len(arrays.pages), self._place], self._ghosts) if self._ghosts else False

    def _check_numbers(self, arrays: CacheArrays, sizes: np.ndarray) -> None:
        """Refuse numbers that do not belong to lists of these sizes."""


class BagPolicy(CachePolicy):
    """Base of policies that keep their nodes in bags, out of which they draw at random (see `bags`)."""

    _bags: ClassVar[int]
    """How many bags there are; the first has the free nodes."""
    _numbers: ClassVar[int] = 0
    """Numbers besides the bags' sizes, which come first."""

    def _layout(self) -> Layout:
        return Layout(self.capacity, 0, 2 + self._bags, self._bags + self._numbers)

    def _start(self, arrays: CacheArrays) -> None:
        start_bags(arrays, len(arrays.pages))

    def _check(self, arrays: CacheArrays) -> None:
        if not bags_are_sound(arrays, self._bags, len(arrays.pages)):
            raise StateError("array 'nodes': the bags are broken")
        self._check_numbers(arrays.numbers[self._bags :])

    def _check_numbers(self, numbers: np.ndarray) -> None:
        """Refuse further numbers that are out of range."""


def _check_flags(columns: np.ndarray, limits: tuple[int, ...]) -> None:
    if columns.size and not ((columns >= 0) & (columns < np.array(limits))).all():
        raise StateError("array 'nodes': a flag is out of range")


def checked_pages(pages: Any) -> np.ndarray:
    """The numbers of pages as int64 [n]; refused if they are anything else."""
    column = np.asarray(pages)
    if column.size == 0 and column.ndim == 1:
        return np.empty(0, np.int64)
    if column.ndim != 1 or column.dtype.kind not in "iu":
        raise InputError(f"pages must be a row of whole numbers, got {column.dtype} of shape {column.shape}")
    if column.dtype.kind == "u" and column.dtype.itemsize == 8 and column.max() >= 1 << 63:
        raise InputError(f"pages: row {int(np.argmax(column >= 1 << 63))} is not below 2**63")
    rows = np.ascontiguousarray(column, np.int64)
    if rows.min() < 0:
        row = int(np.argmax(rows < 0))
        raise InputError(f"pages: row {row} must be >= 0, got {rows[row]}")
    return rows


_SAVED = ("pages", "nodes", "keys", "numbers", "random")
_HIT = Access(True, None)
