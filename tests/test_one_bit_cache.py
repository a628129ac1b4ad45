"""The cache for Python programs: as a dictionary, as a decorator, from several threads."""

from __future__ import annotations

import functools
import gc
import threading
from collections import OrderedDict
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import OneBitCache, one_bit_cache
from streamlearn.errors import OptionError
from tests.test_bit_predictor import requests

KEYS = st.one_of(st.integers(-3, 6), st.sampled_from(["a", "b", ("c", 1), None, 2.5]))
STEPS = st.lists(st.tuples(st.sampled_from(["get", "set", "del", "in"]), KEYS, st.integers()), max_size=60)


@settings(deadline=None, max_examples=150)
@given(STEPS, st.integers(1, 4))
def test_with_lru_it_is_an_ordered_dict(steps: list[tuple[str, Any, int]], capacity: int) -> None:
    """-1 and -2 have the same hash, so -2 is left out; deleted values keep their place in the policy."""
    cache: OneBitCache[Any, int] = OneBitCache(capacity, policy="lru")
    expected: OrderedDict[Any, Any] = OrderedDict()
    gone = object()
    for verb, key, value in steps:
        key = 7 if key == -2 else key
        if verb == "get":
            found = expected.get(key, gone)
            assert cache.get(key, gone) == found
            if found is not gone:
                expected.move_to_end(key)
        elif verb == "set":
            cache[key] = value
            expected[key] = value
            expected.move_to_end(key)
            if len(expected) > capacity:
                expected.popitem(last=False)
        elif verb == "del" and expected.get(key, gone) is not gone:
            del cache[key]
            expected[key] = gone
        else:
            assert (key in cache) == (expected.get(key, gone) is not gone)
        values = {k: v for k, v in expected.items() if v is not gone}
        assert {k: cache._values[k] for k in cache} == values
        assert len(cache) == len(values)


def test_it_serves_what_its_policy_says() -> None:
    pages = requests(6000, most=300)
    cache: OneBitCache[int, int] = OneBitCache(50)
    hits = []
    for page in pages.tolist():
        found = cache.get(page)
        hits.append(found is not None)
        if found is None:
            cache[page] = -page
        else:
            assert found == -page
    assert np.array_equal(hits, sl.make_policy("learned_bit", capacity=50, table="hash").access_many(pages).hits)
    assert cache.info() == (sum(hits), len(hits) - sum(hits), 50, 50)
    assert cache.policy.nbytes > 0


def test_it_is_a_mutable_mapping() -> None:
    cache: OneBitCache[str, int] = OneBitCache(10)
    assert isinstance(cache, MutableMapping)
    cache.update(a=1, b=2)
    assert cache.setdefault("a", 5) == 1
    assert cache.pop("b") == 2
    assert cache.pop("b", None) is None
    assert dict(cache) == {"a": 1}
    with pytest.raises(KeyError):
        cache["b"]
    with pytest.raises(KeyError):
        del cache["b"]
    with pytest.raises(TypeError):
        cache[[1]] = 1  # type: ignore[index]
    cache.clear()
    assert len(cache) == 0
    assert cache.info() == (0, 0, 10, 0)


def test_keys_of_equal_hashes() -> None:
    cache: OneBitCache[int, str] = OneBitCache(3)
    assert hash(-1) == hash(-2)
    cache[-1] = "one"
    cache[-2] = "two"
    assert cache.get(-1) is None
    assert cache.get(-2) == "two"
    cache[-1] = "one"
    assert len(cache) == 1


def test_a_value_is_released_outside_the_lock() -> None:
    cache: OneBitCache[int, Any] = OneBitCache(1, policy="lru")
    lengths = []

    class Value:
        def __del__(self) -> None:
            lengths.append(len(cache))
            cache.get(0)

    cache[0] = Value()
    cache[1] = 1
    gc.collect()
    assert lengths == [1]


def test_threads() -> None:
    cache: OneBitCache[int, int] = OneBitCache(20)
    failures = []

    def work(seed: int) -> None:
        for page in requests(2000, seed=seed, most=60).tolist():
            found = cache.get(page)
            if found is None:
                cache[page] = 2 * page
            elif found != 2 * page:
                failures.append(page)
            if len(cache) > 20:
                failures.append(len(cache))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.hits + cache.misses == 8000


def test_the_decorator_is_that_of_functools() -> None:
    calls = []

    def function(x: float, y: int = 0) -> float:
        """Adds."""
        calls.append((x, y))
        return x + y

    ours = one_bit_cache(maxsize=2, policy="lru")(function)
    theirs = functools.lru_cache(maxsize=2)(function)
    for x, y in [(1, 2), (1, 2), (3, 2), (4, 2), (1, 2), (1.0, 2)]:
        assert ours(x, y) == theirs(x, y)
        assert ours(x, y=y) == theirs(x, y=y)
        assert ours.cache_info() == theirs.cache_info()
    assert (ours.__name__, ours.__doc__, ours.__wrapped__) == ("function", "Adds.", function)
    assert ours.cache_parameters() == theirs.cache_parameters()
    ours.cache_clear()
    assert ours.cache_info() == (0, 0, 2, 0)


def test_the_decorator_without_parentheses_with_types_and_on_methods() -> None:
    @one_bit_cache
    def kind(x: Any) -> type:
        return type(x)

    assert kind(3) is kind(3.0) is int
    typed = one_bit_cache(typed=True)(lambda x: type(x))
    assert (typed(3), typed(3.0)) == (int, float)

    class Squares:
        @one_bit_cache(maxsize=8)
        def of(self, x: int) -> int:
            return x * x

    squares = Squares()
    assert squares.of(4) == squares.of(4) == 16
    assert Squares.of.cache_info().hits == 1


def test_a_function_that_fails_is_called_again() -> None:
    calls = []

    @one_bit_cache(maxsize=4)
    def fails(x: int) -> int:
        calls.append(x)
        raise ValueError(x)

    for _ in range(2):
        with pytest.raises(ValueError, match="5"):
            fails(5)
    assert calls == [5, 5]


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    pages = requests(4000, most=200)
    cache: OneBitCache[int, int] = OneBitCache(20)
    for page in pages.tolist():
        if cache.get(page) is None:
            cache[page] = page
    cache.policy.save(tmp_path / "policy")
    again: OneBitCache[int, int] = OneBitCache(policy=sl.load(tmp_path / "policy"))
    assert (again.capacity, len(again)) == (20, 0)
    assert again.policy.state()["predictor"]["arrays"]["weights"].any()
    for page in pages.tolist():
        if again.get(page) is None:
            again[page] = page
        assert len(again) <= 20


def test_parameters_are_checked() -> None:
    for call, said in [
        (lambda: OneBitCache(0), "capacity"),
        (lambda: OneBitCache(5, policy="mark0"), "discard"),
        (lambda: OneBitCache(5, policy="l"), "fits several"),
        (lambda: OneBitCache(policy=sl.make_policy("lru", capacity=5)), "hash"),
        (lambda: OneBitCache(4, policy=sl.make_policy("lru", capacity=5, table="hash")), "capacity=4"),
        (lambda: one_bit_cache(maxsize=None), "maxsize"),
    ]:
        with pytest.raises(OptionError, match=said):
            call()
