"""The laws that every registered cache policy obeys."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import registry
from streamlearn.models import make_policy

from . import streams
from .equality import same

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
COMBINERS = {
    "deterministic_combiner": {"policies": ["mark0", "lru", "s3_fifo:small=0.3"]},
    "weighted_combiner": {"policies": ["lru", "blind_oracle", {"type": "marker"}, "bitlru"]},
}
EXTRA = [
    "guard:relax=3,memory=1",
    "s3_fifo:small=0.5,ghost=0.2",
    "s3_fifo:small=1,ghost=0",
    "w_tiny_lfu:window=0.4,protected=0.5,sample=1",
]
NAMES = registry.names("policies") + EXTRA
Maker = Callable[..., Any]


@pytest.fixture(params=NAMES)
def make(request: pytest.FixtureRequest) -> Maker:
    """Makes one of the policies."""

    def made(capacity: int = 7, **params: Any) -> Any:
        return make_policy(request.param, capacity=capacity, **COMBINERS.get(request.param, {}), **params)

    return made


class Requests:
    """Requests, with bits and predictions that are often wrong."""

    def __init__(self, n: int, seed: int = 0, pages: int = 20) -> None:
        rng = np.random.default_rng(seed)
        popular = rng.integers(0, max(2, pages // 4), n)
        self.pages = np.where(rng.random(n) < 0.5, popular, rng.integers(0, pages, n))
        self.bits = (rng.random(n) < 0.4).astype(np.uint8)
        self.predicted = np.arange(n) + rng.exponential(30, n)

    def show(self, policy: Any, start: int = 0, stop: int | None = None) -> Any:
        rows = slice(start, stop)
        return policy.access_many(self.pages[rows], self.bits[rows], predicted=self.predicted[rows])


def one_by_one(policy: Any, requests: Requests) -> tuple[list[bool], list[int]]:
    done = [
        policy.access(int(page), int(bit), predicted=float(predicted))
        for page, bit, predicted in zip(requests.pages, requests.bits, requests.predicted, strict=True)
    ]
    return [access.hit for access in done], [-1 if access.evicted is None else access.evicted for access in done]


@few
@given(data=st.data())
def test_one_equals_many(make: Maker, data: st.DataObject) -> None:
    n, capacity = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 12))
    requests = Requests(n, data.draw(st.integers(0, 1000)))
    single, many = make(capacity), make(capacity)
    parts = [requests.show(many, *cut) for cut in itertools.pairwise(data.draw(streams.cuts(n)))]
    hits, evicted = one_by_one(single, requests)
    assert np.concatenate([part.hits for part in parts]).tolist() == hits
    assert np.concatenate([part.evicted for part in parts]).tolist() == evicted
    assert same(single.state(), many.state())


@few
@given(seed=st.integers(0, 1000), capacity=st.integers(1, 12))
def test_the_accounts_are_right(make: Maker, seed: int, capacity: int) -> None:
    """A hit is a page that was loaded and did not leave; only cached pages leave, and only from a full cache."""
    policy, requests = make(capacity), Requests(300, seed)
    cached: set[int] = set()
    done = requests.show(policy)
    for page, hit, evicted in zip(requests.pages.tolist(), done.hits.tolist(), done.evicted.tolist(), strict=True):
        assert hit == (page in cached)
        assert (evicted >= 0) == (not hit and len(cached) == capacity)
        if evicted >= 0:
            cached.remove(evicted)
        cached.add(page)
    assert policy.cached.tolist() == sorted(cached)


@few
@given(data=st.data())
def test_resume_continues_bit_for_bit(make: Maker, data: st.DataObject, tmp_path_factory: Any) -> None:
    requests = Requests(400, data.draw(st.integers(0, 1000)))
    half = data.draw(st.integers(0, 400))
    policy = make(data.draw(st.integers(1, 9)), table=data.draw(st.sampled_from(["dense", "hash"])))
    requests.show(policy, 0, half)
    path = tmp_path_factory.mktemp("saved") / "policy"
    policy.save(path)
    resumed, pickled = sl.load(path), copy.deepcopy(policy)
    done = requests.show(policy, half)
    for other in (resumed, pickled):
        assert repr(other) == repr(policy)
        assert same(requests.show(other, half), done)
        assert same(other.state(), policy.state())


@few
@given(seed=st.integers(0, 1000), capacity=st.integers(1, 9))
def test_both_tables_do_the_same(make: Maker, seed: int, capacity: int) -> None:
    requests = Requests(300, seed)
    dense, hashed, large = make(capacity), make(capacity, table="hash"), make(capacity, table="hash")
    done = requests.show(dense)
    assert same(requests.show(hashed), done)
    assert same(hashed.state(), dense.state())
    if isinstance(dense, (sl.WTinyLFU, sl.TrustAndDoubt)):  # they hash the numbers of pages
        return
    requests.pages = requests.pages * ((1 << 62) // 20) + (1 << 61)
    assert requests.show(large).hits.tolist() == done.hits.tolist()


def test_the_same_seed_gives_the_same_numbers(make: Maker) -> None:
    requests = Requests(500)
    assert same(requests.show(make()), requests.show(make()))


def test_memory_is_bounded_by_the_cache(make: Maker) -> None:
    policy = make(50, table="hash")
    rng = np.random.default_rng(0)
    requests = Requests(30_000)
    requests.pages = rng.integers(0, 1 << 62, 30_000)
    requests.show(policy, 0, 10)
    size = policy.nbytes
    requests.show(policy)
    parts = 3 if "Combiner" in repr(policy) else 7 if isinstance(policy, sl.LearnedBit) else 0
    assert policy.nbytes == size < 100_000 * (1 + parts)


def test_bad_requests_are_refused_and_change_nothing(make: Maker) -> None:
    policy, requests = make(), Requests(50)
    requests.show(policy)
    before = policy.state()
    for page in (-1, 1.5, "much", None, 1 << 63, 1 << 40):
        with pytest.raises(sl.InputError):
            policy.access(page, predicted=1.0)
    for pages in ([1, -1], [1.5], ["much"], [[1, 2]], [1 << 40], np.array([1 << 63], np.uint64)):
        with pytest.raises(sl.InputError):
            policy.access_many(pages, predicted=np.ones(len(pages)))
    for bit in (2, -1, 0.5, "1", None):
        with pytest.raises(sl.InputError):
            policy.access(1, bit, predicted=1.0)
    for bits in ([0], [0, 2], [0, 0.5], [0, None]):
        with pytest.raises(sl.InputError):
            policy.access_many([1, 2], bits, predicted=[1.0, 1.0])
    if policy.advice == "next arrival":
        with pytest.raises(sl.InputError, match="predicted"):
            policy.access(1)
        for predicted in (None, [1.0], [1.0, np.nan], [1.0, "soon"]):
            with pytest.raises(sl.InputError, match="predicted"):
                policy.access_many([1, 2], predicted=predicted)
    with pytest.raises(sl.InputError, match="row 1"):
        policy.access_many([1, -1], predicted=[1.0, 1.0])
    assert policy.access_many([], predicted=[]).hits.tolist() == []
    assert same(policy.state(), before)


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Any:
    """The arrays of a state and where they are."""
    if isinstance(tree, np.ndarray):
        yield path, tree
    elif isinstance(tree, dict):
        for key, part in tree.items():
            yield from leaves(part, (*path, key))
    elif isinstance(tree, list):
        for key, part in enumerate(tree):
            yield from leaves(part, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The state with something else in one place."""
    if not path:
        return value
    key, *rest = path
    copied = list(tree) if isinstance(tree, list) else dict(tree)
    copied[key] = replaced(tree[key], tuple(rest), value)
    return copied


def test_a_damaged_state_is_refused_and_changes_nothing(make: Maker) -> None:
    policy = make()
    Requests(60).show(policy)
    before = policy.state()
    damaged: list[Any] = [{}, {**before, "extra": 1}, {**before, "arrays": 3}, {**before, "arrays": {}}]
    for path, array in leaves(before):
        damaged.append(replaced(before, path, array.astype(np.int16 if array.dtype == np.float32 else np.float32)))
        if array.size:
            damaged.append(replaced(before, path, array[:-1]))
    for state in damaged:
        with pytest.raises(sl.StateError):
            policy.restore(state)
        assert same(policy.state(), before)


def test_whatever_a_hostile_state_says_the_cache_still_works(make: Maker) -> None:
    """A state with numbers out of range is refused; one that is accepted is served within bounds, and stays sound."""
    rng = np.random.default_rng(1)
    sound = make(5)
    Requests(200).show(sound)
    state = sound.state()
    places = [(path, array) for path, array in leaves(state) if array.size]
    refused = 0
    for trial in range(300):
        path, array = places[rng.integers(len(places))]
        harmed = array.copy()
        flat = harmed.reshape(-1)
        for _ in range(rng.integers(1, 4)):
            value: Any = rng.choice([-(1 << 31), -2, -1, 0, 1, 2, 3, 5, 7, 11, 100, (1 << 31) - 1])
            if array.dtype == np.uint64:
                value = abs(int(value))
            flat[rng.integers(flat.size)] = value
        policy = make(5)
        try:
            policy.restore(replaced(state, path, harmed))
        except sl.StateError:
            refused += 1
            continue
        requests = Requests(100, trial)
        done = requests.show(policy)
        assert len(policy.cached) <= 5
        assert not (done.evicted[done.hits] >= 0).any()
        make(5).restore(policy.state())
    assert refused > 0 or not places


def test_clone_shares_nothing(make: Maker) -> None:
    policy, requests = make(), Requests(300)
    fresh = policy.state()
    requests.show(policy)
    clone, twin = policy.clone(), copy.deepcopy(policy)
    held = twin.state()
    requests.show(policy)
    assert same(clone.state(), fresh)
    assert same(twin.state(), held)


def test_reset_is_new(make: Maker) -> None:
    policy, requests = make(), Requests(300)
    fresh, done = policy.state(), requests.show(policy)
    policy.reset()
    assert same(policy.state(), fresh)
    assert policy.cached.tolist() == []
    assert same(requests.show(policy), done)


def test_repr_is_the_call_that_made_it(make: Maker) -> None:
    names = {name: getattr(sl, name) for name in registry.classes("policies")}
    assert repr(eval(repr(make()), names)) == repr(make())


def test_bad_parameters_are_refused(make: Maker) -> None:
    for capacity in (0, -1, 1.5, None, "many", True, 1 << 40):
        with pytest.raises(sl.OptionError, match="capacity"):
            make(capacity)
    with pytest.raises(sl.OptionError, match="table"):
        make(table="tree")
    with pytest.raises(sl.OptionError, match="colour"):
        make(colour="red")
