"""Caches for Python programs that let a policy decide what leaves: a mapping, and a decorator for functions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

from ..errors import OptionError
from ..models import make_policy
from ..parameters import check_flag, check_range
from .policy import LARGEST_CAPACITY, CachePolicy

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")
Policy = str | Mapping[str, Any] | CachePolicy
_PAGES = (1 << 63) - 1
_MISSING: Any = object()


class CacheInfo(NamedTuple):
    """How a cache does, in the terms of `functools.lru_cache`.

    Attributes
    ----------
    hits, misses : int
        Look-ups that found a value, and those that did not.
    maxsize : int
        How many values it may hold.
    currsize : int
        How many it holds.
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int


class OneBitCache(MutableMapping[K, V], Generic[K, V]):
    """A dictionary that holds a bounded number of values, and learns by itself which of them may leave.

    Use it as a dictionary: ``cache.get(key)``, ``cache[key] = value``, ``key in cache``, ``del cache[key]``. A key that
    is looked up and found counts as a request, and so does one that is set; looking whether it is there does not. When
    there is no room, the policy says whose value leaves. All methods may be called from several threads.

    The policy knows keys by their hashes. Those of strings differ from one Python process to the next, unless
    ``PYTHONHASHSEED`` is set; those of integers don't. Two keys of equal hashes count as one: the later replaces the
    earlier.

    Parameters
    ----------
    capacity
        How many values it holds, at least 1; None if ``policy`` is a policy, which has its own capacity.
    policy
        A registered policy that needs no bits from outside, with parameters or without, such as ``"learned_bit"``,
        ``"lru"``, ``"s3_fifo:small=0.2"``; or a policy with ``table="hash"``, for example one that was saved.

    Attributes
    ----------
    policy : CachePolicy
        Save it to keep what it has learned, but not the values.

    Examples
    --------
    >>> from streamlearn import OneBitCache
    >>> cache = OneBitCache(capacity=2, policy="lru")
    >>> cache["a"], cache["b"] = 1, 2
    >>> cache.get("a")
    1
    >>> cache["c"] = 3
    >>> sorted(cache), cache.get("b", "gone")
    (['a', 'c'], 'gone')
    >>> cache.info()
    CacheInfo(hits=1, misses=1, maxsize=2, currsize=2)
    """

    def __init__(self, capacity: int | None = None, *, policy: Policy = "learned_bit") -> None:
        if isinstance(policy, CachePolicy):
            if policy.table != "hash":
                raise OptionError("policy: hashes of keys need a policy with table='hash'")
            if capacity not in (None, policy.capacity):
                raise OptionError(f"capacity={capacity} is not that of the policy, {policy.capacity}")
            self.policy = policy
        else:
            check_range("capacity", capacity, 1, LARGEST_CAPACITY, kind=int)
            self.policy = make_policy(policy, capacity=capacity, table="hash")
        if self.policy.advice != "none":
            raise OptionError(f"policy {policy!r} needs a {self.policy.advice} prediction with each request")
        self.capacity = self.policy.capacity
        self._lock = threading.RLock()  # a key's __eq__ may come back to this cache
        self._values: dict[K, V] = {}
        self._keys: dict[int, K] = {}  # of cached pages; the policy may have more pages, whose values were deleted
        self._hits = self._misses = 0

    # -- the dictionary -------------------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        value = self._look_up(key)
        if value is _MISSING:
            raise KeyError(key)
        found: V = value
        return found

    def get(self, key: K, default: Any = None) -> Any:
        """The key's value, or the default; a request if it is there."""
        value = self._look_up(key)
        return default if value is _MISSING else value

    def _look_up(self, key: K) -> Any:
        with self._lock:
            value = self._values.get(key, _MISSING)
            if value is _MISSING:
                self._misses += 1
            else:
                self._hits += 1
                self.policy.access(hash(key) & _PAGES)
            return value

    def __setitem__(self, key: K, value: V) -> None:
        dropped = []  # values go when the lock is released: their finalizers may be anything
        with self._lock:
            page = hash(key) & _PAGES
            evicted = self.policy.access(page).evicted
            if evicted is not None and evicted in self._keys:
                dropped.append(self._values.pop(self._keys.pop(evicted)))
            other = self._keys.get(page, key)
            if other is not key and other != key:
                dropped.append(self._values.pop(other))
            dropped.append(self._values.get(key, _MISSING))
            self._keys[page] = key
            self._values[key] = value

    def __delitem__(self, key: K) -> None:
        with self._lock:
            dropped = self._values.pop(key)
            del self._keys[hash(key) & _PAGES]
        del dropped

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._values))

    def clear(self) -> None:
        """Drop all values, and forget what was counted and learned."""
        with self._lock:
            dropped = self._values
            self._values, self._keys = {}, {}
            self._hits = self._misses = 0
            self.policy.reset()
        del dropped

    # -- how it does ----------------------------------------------------------------------------------------------

    @property
    def hits(self) -> int:
        """Look-ups that found a value."""
        return self._hits

    @property
    def misses(self) -> int:
        """Look-ups that found none."""
        return self._misses

    def info(self) -> CacheInfo:
        """Hits, misses, and how many values it may hold and holds."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self.capacity, len(self._values))

    def __repr__(self) -> str:
        return f"OneBitCache({self.capacity}, policy={self.policy!r}, {len(self)} values)"


class CachedFunction(Generic[P, R]):
    """A function whose results are kept; made by `one_bit_cache`.

    Attributes
    ----------
    cache : OneBitCache
        Results by arguments.
    """

    def __init__(self, function: Callable[P, R], cache: OneBitCache[Any, R], typed: bool) -> None:
        functools.update_wrapper(self, function)
        self.__wrapped__ = function
        self.cache = cache
        self._typed = typed

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        key = _key(args, kwargs, self._typed)
        result = self.cache._look_up(key)
        if result is _MISSING:
            result = self.__wrapped__(*args, **kwargs)  # without the lock: others go on meanwhile
            self.cache[key] = result
        found: R = result
        return found

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def cache_info(self) -> CacheInfo:
        """Hits, misses, and how many results are kept."""
        return self.cache.info()

    def cache_clear(self) -> None:
        """Drop all results, and forget what was counted and learned."""
        self.cache.clear()

    def cache_parameters(self) -> dict[str, Any]:
        """The decorator's ``maxsize`` and ``typed``."""
        return {"maxsize": self.cache.capacity, "typed": self._typed}


@overload
def one_bit_cache(maxsize: Callable[P, R]) -> CachedFunction[P, R]: ...
@overload
def one_bit_cache(
    maxsize: int = 128, typed: bool = False, *, policy: Policy = "learned_bit"
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]: ...
def one_bit_cache(maxsize: Any = 128, typed: bool = False, *, policy: Policy = "learned_bit") -> Any:
    """Keep a function's results, as `functools.lru_cache` does, with a policy that learns which may leave.

    A call takes one to three microseconds, forty times as long as with `functools.lru_cache`, which is written in C: it
    pays where the function takes a good deal longer than that, and LRU keeps the wrong results.

    Parameters
    ----------
    maxsize
        How many results are kept, at least 1.
    typed
        Whether arguments of different types, such as 3 and 3.0, are different.
    policy
        See `OneBitCache`.

    Examples
    --------
    >>> from streamlearn import one_bit_cache
    >>> @one_bit_cache(maxsize=100)
    ... def square(x: int) -> int:
    ...     return x * x
    >>> square(3), square(3), square(4)
    (9, 9, 16)
    >>> square.cache_info()
    CacheInfo(hits=1, misses=2, maxsize=100, currsize=2)
    """
    if callable(maxsize):
        return one_bit_cache()(maxsize)
    check_flag("typed", typed)
    if isinstance(policy, CachePolicy):
        maxsize = policy.capacity
    check_range("maxsize", maxsize, 1, LARGEST_CAPACITY, kind=int)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        return CachedFunction(function, OneBitCache(maxsize, policy=policy), typed)

    return decorate


def _key(args: tuple[Any, ...], kwargs: dict[str, Any], typed: bool) -> Hashable:
    if not kwargs and not typed:
        return args
    key: tuple[Any, ...] = (*args, _MISSING, *kwargs.items())
    return (*key, *map(type, args), *map(type, kwargs.values())) if typed else key
