"""Kernel of the learned bit: a predictor, policies that use its bits or none, and a cache that follows the best one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching.arrays import HASHED, HIT, NONE, arrays_at, requests_at
from streamlearn.caching.table import find
from streamlearn.compiled import address_of, borrowed, by_address, inlined, inlined_with, kernel, struct

from .bit_predictor_kernels import predict_rows
from .bit_queues_kernels import step_bit_s3_fifo, step_bit_sieve
from .clock_kernels import step_sieve
from .combiner_kernels import FOLLOWED, choose_by_weight, follow
from .marking_kernels import step_mark0
from .recency_kernels import step_bit_lru, step_lru
from .s3_fifo_kernels import step_s3_fifo

LRU, S3_FIFO, SIEVE, BIT_LRU, MARK0, BIT_SIEVE, BIT_S3_FIFO = range(7)
"""Kinds of experts."""
CHUNK = 512
"""Requests that go through one expert before they go through the next."""


class ExpertArrays(NamedTuple):
    """What the kernel of a learned bit knows of its predictor and of its ``m`` experts.

    Attributes
    ----------
    addresses : int64 [1 + m]
        Where the predictor lives (0: probabilities come with the requests), and the experts.
    kinds : int64 [m]
    thresholds : float64 [m]
        A page's bit is 1 for an expert if its probability is above this.
    probability : float64 [512], hits : bool [m, 512], evicted : int64 [m, 512]
        Of the present chunk of requests.
    """

    addresses: np.ndarray
    kinds: np.ndarray
    thresholds: np.ndarray
    probability: np.ndarray
    hits: np.ndarray
    evicted: np.ndarray


Experts, ExpertsType = struct(ExpertArrays)


@kernel
def make_experts(a: ExpertArrays) -> Any:
    """Pack the arrays into the struct that the kernel finds by its address."""
    return Experts(a.addresses, a.kinds, a.thresholds, a.probability, a.hits, a.evicted)


@kernel
def experts_address(experts: Any) -> int:
    """Where the experts live."""
    return int(address_of(experts))


def _example() -> Any:
    number, whole = np.empty(0), np.empty(0, np.int64)
    return make_experts(
        ExpertArrays(whole, whole, number, number, np.empty((0, 0), np.bool_), np.empty((0, 0), np.int64))
    )


experts_at = by_address(_example)
"""In kernels: the experts at an address."""


@inlined_with
def consult(step: Any, x: ExpertArrays, expert: int, pages: np.ndarray, start: int, stop: int) -> None:
    """Show a chunk of requests to an expert, and note what it does."""
    a, threshold = arrays_at(x.addresses[1 + expert]), x.thresholds[expert]
    for i in range(stop - start):
        outcome = step(a, pages[start + i], 1 if x.probability[i] > threshold else 0, 0.0)
        x.hits[expert, i] = outcome == HIT
        x.evicted[expert, i] = max(outcome, NONE)


@inlined
def consult_all(x: ExpertArrays, pages: np.ndarray, start: int, stop: int) -> None:
    """Show a chunk of requests to all experts."""
    for expert in range(len(x.kinds)):
        kind = x.kinds[expert]
        if kind == LRU:
            consult(step_lru, x, expert, pages, start, stop)
        elif kind == S3_FIFO:
            consult(step_s3_fifo, x, expert, pages, start, stop)
        elif kind == SIEVE:
            consult(step_sieve, x, expert, pages, start, stop)
        elif kind == BIT_LRU:
            consult(step_bit_lru, x, expert, pages, start, stop)
        elif kind == MARK0:
            consult(step_mark0, x, expert, pages, start, stop)
        elif kind == BIT_SIEVE:
            consult(step_bit_sieve, x, expert, pages, start, stop)
        else:
            consult(step_bit_s3_fifo, x, expert, pages, start, stop)


@kernel
def serve_learned_bit(experts: int, cache: int, requests: int) -> int:
    """Requests to the learned bit, whose bits and probabilities are written to the requests."""
    s, work = experts_at(experts), requests_at(requests)
    x = ExpertArrays(
        borrowed(s.addresses),
        borrowed(s.kinds),
        borrowed(s.thresholds),
        borrowed(s.probability),
        borrowed(s.hits),
        borrowed(s.evicted),
    )
    a = arrays_at(cache)
    pages, bits, predicted = borrowed(work.pages), borrowed(work.bits), borrowed(work.predicted)
    hits, evicted = borrowed(work.hits), borrowed(work.evicted)
    m, n = len(x.kinds), len(pages)
    hit, left = False, NONE
    for start in range(0, n, CHUNK):
        stop = min(n, start + CHUNK)
        if x.addresses[0] == 0:
            x.probability[: stop - start] = predicted[start:stop]
        else:
            predict_rows(x.addresses[0], pages, start, stop, x.probability)
        consult_all(x, pages, start, stop)
        for i in range(stop - start):
            choose_by_weight(a, m, x.hits, i)
            hit, left = follow(a, pages[start + i], m, x.hits, x.evicted, i)
            hits[start + i], evicted[start + i] = hit, left
            bits[start + i] = x.probability[i] > x.thresholds[a.numbers[FOLLOWED]]
            predicted[start + i] = x.probability[i]
    return HIT if hit else left


@kernel
def holds(cache: int, pages: np.ndarray, held: np.ndarray) -> None:
    """Whether the cache has each page."""
    a = arrays_at(cache)
    reach = len(a.table) if a.options[HASHED] == 0.0 else np.int64(0x7FFFFFFFFFFFFFFF)
    for i in range(len(pages)):
        held[i] = pages[i] < reach and find(a, pages[i]) >= 0
