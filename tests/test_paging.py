"""Paging policies: request for request as their papers tell them, the proven bounds, and real traces."""

from __future__ import annotations

import itertools
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.algorithms.paging import arrival_bits, eta, next_arrivals, opt, phase_bits, pleco, popu

import streamlearn as sl
from streamlearn import container, registry
from streamlearn.errors import UnknownNameError
from streamlearn.models import make_policy
from tests.naive import paging as naive

STREAMS = Path(os.environ.get("STREAMLEARN_DATA", "nowhere"))
TRACES = Path(os.environ.get("STREAMLEARN_PAGING") or STREAMS.parent / "paging")
"""The folder of real traces: beside that of the benchmark streams unless it is named."""
needs_traces = pytest.mark.skipif(not (TRACES / "citi.parquet").exists(), reason="no STREAMLEARN_PAGING")
TOLD_DISCARD_BITS = ["flush", "flush_rand", "mark0", "bitlru", "bitrand", "guard"]


def requests(rng: np.random.Generator, n: int, pages: int) -> np.ndarray:
    """Requests of some kind: uniform, skewed, loops, or a mixture that changes."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.integers(0, pages, n)
    if kind == 1:
        return np.minimum(rng.geometric(0.25, n) - 1, pages - 1)
    if kind == 2:
        return (np.arange(n) + np.cumsum(rng.random(n) < 0.05)) % pages
    return np.where(np.arange(n) // 30 % 2 == 0, rng.integers(0, pages, n), rng.integers(0, max(2, pages // 3), n))


def answers(policy: Any, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray) -> tuple[list[bool], list[int]]:
    done = policy.access_many(pages, bits, predicted=predicted)
    return done.hits.tolist(), done.evicted.tolist()


def naive_answers(
    policy: Any, pages: np.ndarray, bits: np.ndarray, predicted: np.ndarray
) -> tuple[list[bool], list[int]]:
    done = [policy.request(*row) for row in zip(pages.tolist(), bits.tolist(), predicted.tolist(), strict=True)]
    return [hit for hit, _ in done], [-1 if evicted is None else evicted for _, evicted in done]


COMBINED = ["lru", "mark0:seed=4", "s3_fifo"]
NAIVE: dict[str, tuple[Callable[[int], Any], dict[str, Any]]] = {
    **{name: (cls, {}) for name, cls in naive.POLICIES.items() if name in registry.names("policies")},
    "guard:relax=3,memory=1": (lambda k: naive.Guard(k, relax=3, memory=1), {}),
    "s3_fifo:small=0.5,ghost=2": (lambda k: naive.S3FIFO(k, 0.5, 2.0), {}),
    "w_tiny_lfu:window=0.3,protected=0.6,sample=3": (lambda k: naive.WTinyLFU(k, 0.3, 0.6, 3), {}),
    "deterministic_combiner": (
        lambda k: naive.DeterministicCombiner(k, [naive.LRU(k), naive.Mark0(k, 4), naive.S3FIFO(k)]),
        {"policies": COMBINED},
    ),
    "weighted_combiner": (
        lambda k: naive.WeightedCombiner(k, [naive.LRU(k), naive.Mark0(k, 4), naive.S3FIFO(k)]),
        {"policies": COMBINED},
    ),
}


def test_every_policy_has_an_oracle() -> None:
    elsewhere = {"learned_bit"}  # tests/test_learned_bit.py
    assert set(registry.names("policies")) - elsewhere <= set(NAIVE)


@pytest.mark.parametrize("name", NAIVE)
def test_a_policy_does_what_its_paper_says(name: str) -> None:
    oracle, params = NAIVE[name]
    rng = np.random.default_rng(0)
    for trial in range(15):
        k = int(rng.integers(1, 12))
        pages = requests(rng, 250, int(rng.integers(2, 4 * k + 2)))
        bits = (rng.random(250) < rng.choice([0.0, 0.2, 0.7, 1.0])).astype(np.uint8)
        true = next_arrivals(pages)
        predicted = np.where(rng.random(250) < 0.5, true, rng.integers(0, 500, 250)).astype(float)
        expected = naive_answers(oracle(k), pages, bits, predicted)
        assert answers(make_policy(name, capacity=k, **params), pages, bits, predicted) == expected, (trial, k)


# -- hindsight -------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(pages=st.lists(st.integers(0, 9), max_size=80), k=st.integers(1, 8))
def test_hindsight(pages: list[int], k: int) -> None:
    hits, bits = naive.optimum(pages, k)
    found = opt(pages, k)
    assert found.hits.tolist() == hits
    assert found.discard_bits.tolist() == bits
    assert phase_bits(pages, k).tolist() == naive.true_phase_bits(pages, k)
    n = len(pages)
    after = [next((j for j in range(i + 1, n) if pages[j] == page), 2 * n - i) for i, page in enumerate(pages)]
    assert next_arrivals(pages).tolist() == after


def test_hindsight_of_many_requests() -> None:
    """Over the tree's second and third levels of words."""
    pages = np.random.default_rng(0).integers(0, 3000, 6000)
    for k in (1, 50, 2500, 5000):
        hits, bits = naive.optimum(pages[:1500].tolist(), k)
        found = opt(pages[:1500], k)
        assert (found.hits.tolist(), found.discard_bits.tolist()) == (hits, bits)
        oracle = make_policy("blind_oracle", capacity=k)
        assert (oracle.access_many(pages, predicted=next_arrivals(pages)).hits == opt(pages, k).hits).all()


def test_hindsight_of_no_requests_and_of_large_numbers() -> None:
    assert opt([], 3).hits.tolist() == []
    assert phase_bits([], 3).tolist() == []
    large = [(1 << 62) + 5 * page for page in (1, 2, 3, 1, 2)]
    assert opt(large, 2).discard_bits.tolist() == opt([1, 2, 3, 1, 2], 2).discard_bits.tolist()


def test_hindsight_refuses_what_is_no_request() -> None:
    for pages in ([-1], [0.5], [[1]], ["a"]):
        with pytest.raises(sl.InputError, match="pages"):
            opt(pages, 2)
    for k in (0, -1, 1.5, None):
        with pytest.raises(sl.OptionError, match="k must"):
            opt([1], k)  # type: ignore[arg-type]
    with pytest.raises(sl.InputError, match="shape"):
        eta([0, 1], [0])


# -- bounds ----------------------------------------------------------------------------------------------------------


def faults(policy: Any, pages: np.ndarray, bits: np.ndarray) -> int:
    return int((~policy.access_many(pages, bits).hits).sum())


def random_traces(n: int, seed: int) -> Iterator[tuple[np.ndarray, int, np.ndarray, np.ndarray, int]]:
    """Requests, capacity, true discard bits, bits of which some are wrong, and the fewest faults."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        k = int(rng.integers(1, 9))
        pages = requests(rng, int(rng.integers(1, 120)), int(rng.integers(2, 3 * k + 2)))
        hits, true = opt(pages, k)
        wrong_zero, wrong_one = rng.choice([0.0, 0.02, 0.2, 0.5, 1.0], 2)
        flips = rng.random(len(pages)) < np.where(true == 1, wrong_zero, wrong_one)
        yield pages, k, true, (true ^ flips).astype(np.uint8), int((~hits).sum())


def test_flush_keeps_its_bound_on_every_trace() -> None:
    for number, (pages, k, true, bits, fewest) in enumerate(random_traces(10_000, 1)):
        wrong = eta(bits, true)
        bound = fewest + (k - 1) * wrong.eta0 + wrong.eta1
        assert faults(sl.Flush(capacity=k), pages, bits) <= bound
        if number < 2000:
            assert faults(sl.FlushRand(capacity=k, seed=number), pages, bits) <= bound


def test_mark0_keeps_its_bound_on_average() -> None:
    """Four seeds for each trace; where their mean exceeds the bound, the mean of many more must not."""
    used = 0.0
    for pages, k, true, bits, fewest in random_traces(10_000, 2):
        wrong = eta(bits, true)
        budget = 2 * sum(1 / i for i in range(1, k + 1)) * wrong.eta0
        bound = fewest + budget + wrong.eta1
        for seeds in (range(4), range(4, 400)):
            mean = np.mean([faults(sl.Mark0(capacity=k, seed=seed), pages, bits) for seed in seeds])
            if mean <= bound:
                break
        assert mean <= bound
        if budget:
            used = max(used, (mean - fewest - wrong.eta1) / budget)
    assert used > 0.0


def test_true_bits_are_as_good_as_hindsight() -> None:
    for pages, k, true, _, fewest in random_traces(500, 3):
        for name in TOLD_DISCARD_BITS:
            assert faults(make_policy(name, capacity=k), pages, true) == fewest, name


def test_without_ones_they_are_marker_and_with_equal_bits_bitlru_is_lru() -> None:
    for pages, k, *_ in random_traces(300, 4):
        zeros, ones = np.zeros(len(pages), np.uint8), np.ones(len(pages), np.uint8)
        marker = sl.Marker(capacity=k, seed=5).access_many(pages)
        for cls in (sl.Mark0, sl.MarkAndPredict):
            assert cls(capacity=k, seed=5).access_many(pages, zeros).evicted.tolist() == marker.evicted.tolist()
        lru = sl.LRU(capacity=k).access_many(pages)
        for bits in (zeros, ones):
            assert sl.BitLRU(capacity=k).access_many(pages, bits).evicted.tolist() == lru.evicted.tolist()


def test_online_min_is_within_its_factor_on_average() -> None:
    rng = np.random.default_rng(5)
    for k in (2, 4, 8):
        pages = rng.integers(0, k + 1, 3000)
        fewest = (~opt(pages, k).hits).sum()
        mean = np.mean([(~sl.OnlineMin(capacity=k, seed=seed).access_many(pages).hits).sum() for seed in range(20)])
        assert mean <= sum(1 / i for i in range(1, k + 1)) * fewest + k


def test_combiners_follow_the_best() -> None:
    """One of two policies is told the truth, the other the opposite; then they change places."""
    rng = np.random.default_rng(6)
    pages = requests(rng, 20_000, 60)
    pages = np.where(rng.random(20_000) < 0.5, pages, rng.integers(0, 60, 20_000))
    hits, true = opt(pages, 20)
    for turned in (False, True):
        bits = np.column_stack([true, 1 - true])[:, :: -1 if turned else 1]
        for name in ("deterministic_combiner", "weighted_combiner"):
            combined = make_policy({"type": name, "policies": ["mark0", "bitlru"]}, capacity=20)
            got = (~combined.access_many(pages, bits).hits).sum()
            best, worst = sorted(combined.costs.values())
            assert best == (~hits).sum()
            assert got < 1.1 * best < worst
            assert combined.followed == (1 if turned else 0)


def test_bits_may_be_given_for_each_policy_or_for_all() -> None:
    pages, bits = [1, 2, 3, 1, 4], [0, 1, 1, 0, 0]
    made = [make_policy("weighted_combiner", capacity=2, policies=["bitlru", "mark0"]) for _ in range(3)]
    all_at_once = made[0].access_many(pages, np.column_stack([bits, bits]))
    assert all_at_once.evicted.tolist() == made[1].access_many(pages, bits).evicted.tolist()
    one = [made[2].access(page, [bit, bit]) for page, bit in zip(pages, bits, strict=True)]
    assert [access.hit for access in one] == all_at_once.hits.tolist()
    with pytest.raises(sl.InputError, match="shape"):
        made[0].access_many(pages, np.zeros((5, 3), int))


def test_combiners_refuse_what_is_no_list_of_policies() -> None:
    for policies in ("lru", ["lru"], [], {"type": "lru"}):
        with pytest.raises(sl.OptionError, match="at least two"):
            sl.WeightedCombiner(capacity=3, policies=policies)
    with pytest.raises(UnknownNameError, match="lru"):
        sl.WeightedCombiner(capacity=3, policies=["lru", "lruu"])
    with pytest.raises(sl.OptionError, match="mapping"):
        sl.WeightedCombiner(capacity=3, policies=["lru", {"capacity": 3}])


# -- predictions -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(pages=st.lists(st.integers(0, 5), max_size=60), horizon=st.integers(1, 70))
def test_predictions_from_occurrences(pages: list[int], horizon: int) -> None:
    weights = [(d + 10) ** -1.8 * np.exp(-d / 670) for d in range(1, horizon + 1)]
    for t, (p, weighted, counted) in enumerate(zip(pages, pleco(pages, horizon=horizon), popu(pages), strict=True)):
        own = sum(weights[t - i] for i in range(t + 1) if pages[i] == p and t - i < horizon)
        assert weighted == pytest.approx(t + sum(weights[: t + 1]) / own)
        assert counted == pytest.approx(t + (t + 1) / pages[: t + 1].count(p))


# -- real traces -----------------------------------------------------------------------------------------------------


def instances(name: str) -> list[np.ndarray]:
    table = pq.read_table(TRACES / f"{name}.parquet")
    pages = table["object_id"].to_numpy().astype(np.int64)
    if "instance" not in table.column_names:
        return [pages]
    instance = np.unique(table["instance"].to_numpy(), return_inverse=True)[1]
    return [pages[instance == i] for i in range(instance.max() + 1)]


@needs_traces
@pytest.mark.parametrize(
    ("name", "k"),
    [
        ("brightkite", 10),
        ("citi", 100),
        ("twitter_cluster52_1m", 14_000),
        ("cloudphysics_io", 5000),
        ("cloudphysics_w106_2m", 1000),
        ("cache2k_orm_busy_1m", 500),
        ("corda_vaultservice", 1000),
        ("lirs", 200),
        ("address", 500),
    ],
)
def test_true_bits_are_as_good_as_hindsight_on_real_traces(name: str, k: int) -> None:
    fewest = 0
    for pages in instances(name):
        hits, bits = opt(pages, k)
        fewest += int((~hits).sum())
        for policy in TOLD_DISCARD_BITS:
            assert faults(make_policy(policy, capacity=k), pages, bits) == (~hits).sum(), policy
    known = {
        "brightkite": 33_990,
        "citi": 105_192,
        "cloudphysics_w106_2m": 319_014,
        "cache2k_orm_busy_1m": 208_962,
        "cloudphysics_io": 71_311,
    }
    assert fewest == known.get(name, fewest)


@needs_traces
@pytest.mark.parametrize(("name", "k", "expected"), [("brightkite", 10, 1.225), ("citi", 100, 1.602)])
def test_true_phase_bits_make_optimal_marking(name: str, k: int, expected: float) -> None:
    got = fewest = 0
    for pages in instances(name):
        fewest += int((~opt(pages, k).hits).sum())
        got += faults(sl.MarkAndPredict(capacity=k), pages, phase_bits(pages, k))
    assert got / fewest == pytest.approx(expected, abs=0.001)


@needs_traces
def test_faults_are_those_of_libcachesim() -> None:
    """Counted by libcachesim 0.3.5 with objects of size 1; ARC and W-TinyLFU differ there from their papers."""
    pages = instances("twitter_cluster52_1m")[0][:200_000]
    counted = {"lru": 70_578, "fifo": 75_669, "clock": 70_533, "sieve": 68_276, "s3_fifo": 65_460, "lfu": 94_506}
    for name, expected in counted.items():
        assert faults(make_policy(name, capacity=1000), pages, np.zeros(len(pages), np.uint8)) == expected, name


# -- names and files -------------------------------------------------------------------------------------------------


def test_a_policy_needs_a_capacity_and_known_parameters() -> None:
    with pytest.raises(sl.OptionError, match="lru needs the parameter capacity"):
        make_policy("lru")
    with pytest.raises(UnknownNameError, match=r"unknown policy 'lrv'.*lru"):
        make_policy("lrv", capacity=3)
    assert repr(make_policy({"type": "guard", "relax": 5}, capacity=3)) == "Guard(capacity=3, relax=5)"
    assert make_policy("s3", capacity=3).params == {"capacity": 3, "table": "dense", "small": 0.1, "ghost": 0.9}


def test_files_that_hold_no_such_policy_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    good = {"policy": "lru", "params": {"capacity": 3}, "state": {"arrays": None}}
    container.save(path, good)
    assert repr(sl.load(path)) == "LRU(capacity=3)"
    for bad in ({"policy": "nothing"}, {"policy": 3}, {"params": 3}, {"params": {}}, {"params": {"capacity": -1}}):
        container.save(path, {**good, **bad})
        with pytest.raises(sl.StateError):
            sl.load(path)
    container.save(path, {"policy": "lru"})
    with pytest.raises(sl.StateError, match="keys"):
        sl.load(path)
    sl.LRU(capacity=3).save(path)
    with pytest.raises(sl.StateError, match="holds a LRU"):
        sl.FIFO.load(path)

    class Mine(sl.LRU):
        pass

    with pytest.raises(sl.StateError, match="not registered"):
        Mine(capacity=3).save(path)


def test_a_huge_capacity_in_a_file_takes_no_memory(tmp_path: Path) -> None:
    """Arrays are compared with what the file says before any are made."""
    small = sl.ARC(capacity=3)
    small.access_many([1, 2, 3, 4])
    container.save(tmp_path / "file", {"policy": "arc", "params": {"capacity": 1 << 27}, "state": small.state()})
    tracemalloc.start()
    try:
        with pytest.raises(sl.StateError, match="pages"):
            sl.load(tmp_path / "file")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_pages_are_cached_while_the_cache_fills() -> None:
    for name, (_, params) in NAIVE.items():
        policy = make_policy(name, capacity=5, **params)
        policy.access_many([3, 1, 3, 4], predicted=np.ones(4))
        assert policy.cached.tolist() == [1, 3, 4], name


def test_a_call_for_each_request_is_a_call_for_all() -> None:
    pages = np.random.default_rng(7).integers(0, 30, 300)
    one, many = sl.S3FIFO(capacity=9), sl.S3FIFO(capacity=9)
    hits = [one.access(page).hit for page in pages]
    for start, stop in itertools.pairwise([0, 1, 50, 300]):
        assert many.access_many(pages[start:stop]).hits.tolist() == hits[start:stop]


def test_bits_of_predicted_arrivals_mark_the_longest_gaps() -> None:
    pages = np.random.default_rng(3).zipf(1.3, 3000) % 200
    bits = arrival_bits(popu(pages), 0.3)
    gaps = popu(pages) - np.arange(len(pages))
    assert gaps[bits == 1].min() > gaps[bits == 0].max()
    assert abs(bits.mean() - 0.3) < 0.02
    assert arrival_bits(popu(pages), 0.0).sum() == 0
    assert arrival_bits(popu(pages), 1.0).all()
    with pytest.raises(sl.InputError, match="NaN"):
        arrival_bits([1.0, np.nan], 0.5)
