"""The learned bit: however requests are cut, from saved states, and no worse than what it follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlearn.algorithms.bayes import NaiveBayes
from streamlearn.algorithms.paging import LRU, S3FIFO, BitS3FIFO, BitSieve, LearnedBit, Sieve, WeightedCombiner

from streamlearn.errors import OptionError
from tests.test_bit_predictor import requests


@pytest.mark.parametrize("table", ["dense", "hash"])
def test_it_is_the_weighted_combiner_with_bits_of_its_own(table: str) -> None:
    pages = requests(3000, most=200)
    policy = LearnedBit(capacity=20, table=table, seed=3)
    done = policy.decide_many(pages)
    names, thresholds = policy.policies, policy._known.thresholds
    combiner = WeightedCombiner(capacity=20, policies=names, epsilon=0.1, floor=1e-5, seed=3)
    bits = (done.probabilities[:, None] > thresholds).astype(np.uint8)
    expected = combiner.access_many(pages, bits)
    assert np.array_equal(done.hits, expected.hits)
    assert np.array_equal(done.evicted, expected.evicted)
    assert list(policy.costs.values()) == list(combiner.costs.values())


@pytest.mark.parametrize("learner", [None, NaiveBayes()])
def test_one_equals_many_and_resuming_continues(learner: Any) -> None:
    pages = requests(1500, most=100)
    whole = LearnedBit(capacity=10, learner=learner).decide_many(pages)
    first = LearnedBit(capacity=10, learner=learner)
    first.access_many(pages[:700])
    second = LearnedBit(capacity=10, learner=learner)
    second.restore(first.state())
    done = [second.access(int(page)) for page in pages[700:]]
    assert [access.hit for access in done] == whole.hits[700:].tolist()
    assert [-1 if access.evicted is None else access.evicted for access in done] == whole.evicted[700:].tolist()


def test_a_loop_that_is_too_long_for_lru() -> None:
    pages = np.tile(np.arange(120), 200)
    assert LRU(capacity=100).access_many(pages).hits.mean() == 0.0
    assert LearnedBit(capacity=100).access_many(pages).hits[12_000:].mean() > 0.7


def test_wrong_bits_do_little_harm() -> None:
    """Pages come back exactly when their past says that they won't."""
    random = np.random.default_rng(2)
    pages = np.concatenate([random.integers(0, 60, 5000), 60 + np.repeat(np.arange(5000), 2)])
    faults = {policy: (~policy.access_many(pages).hits).sum() for policy in (LRU(capacity=50), LearnedBit(capacity=50))}
    lru, learned = faults.values()
    assert learned < 1.05 * lru


@pytest.mark.parametrize("policy", [BitSieve, BitS3FIFO])
def test_perfect_bits_help_queues(policy: Any) -> None:
    from streamlearn.algorithms.paging import opt

    pages = requests(5000, most=300)
    best, bits = opt(pages, 20)
    without = max(c(capacity=20).access_many(pages).hits.sum() for c in (Sieve, S3FIFO))
    assert without < policy(capacity=20).access_many(pages, bits).hits.sum() <= best.sum()


def test_experts_are_checked() -> None:
    for experts, said in [
        (("lru",), "at least two"),
        (("lru", "belady"), "among"),
        (("lru", "bitlru@2"), "threshold"),
        (("lru@0.5", "mark0"), "threshold"),
    ]:
        with pytest.raises(OptionError, match=said):
            LearnedBit(capacity=3, experts=experts)
