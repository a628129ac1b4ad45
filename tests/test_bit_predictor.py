"""The predictor of bits: against a naive one, without looking ahead, however requests are cut, from saved states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlearn.algorithms.bayes import NaiveBayes
from streamlearn.algorithms.paging import OnlineBitPredictor

from streamlearn.errors import InputError, OptionError, StateError
from tests.naive import bit_predictor as naive


def requests(n: int, seed: int = 0, most: int = 40) -> np.ndarray:
    """Some pages come often, others in a loop."""
    random = np.random.default_rng(seed)
    often = random.zipf(1.4, n) % most
    return np.where(random.random(n) < 0.6, often, most + np.arange(n) % 7).astype(np.int64)


@pytest.mark.parametrize(("capacity", "window", "memory"), [(2, 1, 1), (3, 2, 5), (5, 8, 8), (8, 4, 32)])
def test_naive(capacity: int, window: int, memory: int) -> None:
    pages = requests(400, seed=capacity)
    predictor = OnlineBitPredictor(capacity=capacity, window=window, memory=memory, learning_rate=0.2, pair_rate=0.05)
    expected = naive.probabilities(pages.tolist(), capacity, window, memory, 0.2, 0.05)
    np.testing.assert_allclose(predictor.predict_many(pages), expected, rtol=1e-6)  # features are float32


@pytest.mark.parametrize("learner", [None, NaiveBayes()])
def test_nothing_later_is_looked_at_and_cuts_do_not_matter(learner: Any) -> None:
    pages = requests(1500)
    whole = OnlineBitPredictor(capacity=6, learner=learner).predict_many(pages)
    cut = OnlineBitPredictor(capacity=6, learner=learner)
    parts = [cut.predict_many(part) for part in np.split(pages, [1, 17, 255, 256, 300, 1023, 1200])]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(OnlineBitPredictor(capacity=6, learner=learner).predict_many(pages[:777]), whole[:777])


@pytest.mark.parametrize("learner", [None, NaiveBayes()])
@pytest.mark.parametrize("at", [0, 3, 100, 700])
def test_state(learner: Any, at: int) -> None:
    pages = requests(900)
    first = OnlineBitPredictor(capacity=5, learner=learner)
    first.predict_many(pages[:at])
    second = OnlineBitPredictor(capacity=5, learner=learner)
    second.restore(first.state())
    assert np.array_equal(second.predict_many(pages[at:]), first.predict_many(pages[at:]))


def test_it_learns() -> None:
    random = np.random.default_rng(1)
    pages = np.where(random.random(20_000) < 0.5, random.integers(0, 20, 20_000), np.arange(20_000) + 20)
    probabilities = OnlineBitPredictor(capacity=25).predict_many(pages)[10_000:]
    comes_back = pages[10_000:] < 20
    assert probabilities[comes_back].mean() < 0.05
    assert probabilities[~comes_back].mean() > 0.95


def test_damaged_states_are_refused() -> None:
    predictor = OnlineBitPredictor(capacity=4)
    predictor.predict_many(requests(500))
    random = np.random.default_rng(0)
    pages = requests(300, seed=5)
    refused = 0
    for name, array in predictor.state()["arrays"].items():
        for _ in range(60):
            state = predictor.state()
            damaged = state["arrays"][name].reshape(-1)
            damaged[random.integers(array.size)] = random.choice([-7, -1, 0, 3, 50, 10**6])
            other = OnlineBitPredictor(capacity=4)
            try:
                other.restore(state)
            except StateError:
                refused += 1
            else:
                assert ((other.predict_many(pages) >= 0) & (other.predict_many(pages) <= 1)).all()
    assert refused > 100


def test_parameters_and_pages_are_checked() -> None:
    for wrong in ({"capacity": 0}, {"capacity": 2, "window": 9, "memory": 8}, {"capacity": 2, "learning_rate": 0.0}):
        with pytest.raises(OptionError):
            OnlineBitPredictor(**wrong)
    with pytest.raises(OptionError, match="classifier"):
        OnlineBitPredictor(capacity=2, learner="naive_bayes")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="row 1"):
        OnlineBitPredictor(capacity=2).predict_many([3, -1])
