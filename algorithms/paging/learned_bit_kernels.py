"""Kernel of the learned bit: a predictor, policies that use its bits or none, and a cache that follows the best one.

The cache never looks into the other policies: it hears of each only what it hit and what it evicted. That is enough to
know which of its own pages the followed policy does not hold: one of these leaves when it has to load a page.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, cache_at, requests_at
from streamlearn.caching.rings import FREE, PREVIOUS, is_empty, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import address_of, borrowed, by_address, inlined, kernel, struct
from streamlearn.random import uniform

from .bit_predictor_kernels import opened, predict_rows
from .clock_kernels import step_sieve
from .marking_kernels import step_mark0
from .recency_kernels import load, step_bit_lru, step_lru
from .s3_fifo_kernels import *
from .s3_fifo_kernels import (
    step_s3_fifo,
    leave,
    limit,
    evict_from_main,
    evict_from_small,
    SMALL,
    MAIN,
    GHOST,
    QUEUE,
    COUNT,
    EVICTED,
)

LRU, BIT_LRU, MARK0, S3_FIFO, SIEVE, BIT_SIEVE, BIT_S3 = range(7)
"""Kinds of experts."""
KEPT, EXTRA = 1, 2
"""The cache's lists: pages that the followed expert has too, and pages that it has not."""
HOLDERS = 2
"""Column of ``nodes``: a bit for each expert that has the page."""
FOLLOWED, SWITCHES = 0, 1
"""Places in ``numbers``."""
N_CACHE_NUMBERS = 2
PENALTY, FLOOR = 0, 1
"""Places in ``options``: what an expert's weight is multiplied with when it faults; the least share of a weight."""
CHUNK = 512
"""Requests that go through one expert before they go through the next."""


class CombinerArrays(NamedTuple):
    """What belongs to a learned bit besides the arrays of its own cache, for ``E`` experts.

    Attributes
    ----------
    options : float64 [2]
    addresses : int64 [1 + E]
        Where the predictor lives (0: probabilities come with the requests), and the experts.
    kinds : int64 [E]
    thresholds : float64 [E]
        A page's bit is 1 for an expert if its probability is above this.
    weights : float64 [E]
        Of the experts; their sum is 1.
    faults : int64 [E + 1]
        Faults of the experts, and of the cache.
    probability : float64 [512], hits : bool [E, 512], evicted : int64 [E, 512]
        Of the present chunk.
    """

    options: np.ndarray
    addresses: np.ndarray
    kinds: np.ndarray
    thresholds: np.ndarray
    weights: np.ndarray
    faults: np.ndarray
    probability: np.ndarray
    hits: np.ndarray
    evicted: np.ndarray


Combiner, CombinerType = struct(CombinerArrays)


@kernel
def make_combiner(a: CombinerArrays) -> Any:
    """Pack the arrays into the struct that the kernel finds by its address."""
    return Combiner(
        a.options, a.addresses, a.kinds, a.thresholds, a.weights, a.faults, a.probability, a.hits, a.evicted
    )


@kernel
def combiner_address(combiner: Any) -> int:
    """Where a combiner lives."""
    return int(address_of(combiner))


def _example() -> Any:
    number, whole = np.empty(0), np.empty(0, np.int64)
    return make_combiner(
        CombinerArrays(
            number, whole, whole, number, number, whole, number, np.empty((0, 0), np.bool_), np.empty((0, 0), np.int64)
        )
    )


combiner_at = by_address(_example)
"""In kernels: the combiner at an address."""


@inlined
def opened_cache(address: int) -> CacheArrays:
    """The arrays of the cache at an address, for use while somebody keeps it alive."""
    s = cache_at(address)
    return CacheArrays(
        borrowed(s.options),
        borrowed(s.table),
        borrowed(s.pages),
        borrowed(s.nodes),
        borrowed(s.keys),
        borrowed(s.numbers),
        borrowed(s.random),
    )


@inlined
def step_bit_sieve(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    node = find(a, page)
    if node >= 0:
        a.nodes[node, 2] = 1 - bit
        return HIT
    victim = last(a, 1)
    if is_empty(a, FREE):
        if a.numbers[0] >= 0:
            victim = a.numbers[0]
        while a.nodes[victim, 2]:
            a.nodes[victim, 2] = 0
            victim = int(a.nodes[victim, PREVIOUS])
            if victim >= len(a.pages):
                victim = last(a, 1)
        before = int(a.nodes[victim, PREVIOUS])
        a.numbers[0] = before if before < len(a.pages) else -1
    out = load(a, page, 1, victim)
    a.nodes[find(a, page), 2] = 1 - bit
    return out


@inlined
def step_bit_s3(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of S3-FIFO."""
    node = find(a, page)
    queue = SMALL if bit else MAIN
    if node >= 0:
        if a.nodes[node, QUEUE] != GHOST:
            a.nodes[node, COUNT] = min(a.nodes[node, COUNT] + 1, 3) if bit == 0 else a.nodes[node, COUNT]
            return HIT
        leave(a, node)
        queue = MAIN
    evicted = NONE
    if a.numbers[SMALL] + a.numbers[MAIN] == limit(a, SMALL) + limit(a, MAIN):
        a.numbers[EVICTED] = 1
        while evicted == NONE:
            if a.numbers[MAIN] > limit(a, MAIN) or a.numbers[SMALL] == 0:
                evicted = evict_from_main(a)
            else:
                evicted = evict_from_small(a)
    node = last(a, FREE)
    put(a, node, page)
    a.numbers[queue] += 1
    a.nodes[node, QUEUE] = queue
    a.nodes[node, COUNT] = 0
    move(a, node, queue)
    return evicted


@inlined
def consult(step: Any, c: CombinerArrays, expert: int, pages: np.ndarray, start: int, stop: int) -> None:
    """Show a chunk of requests to an expert, and note what it does."""
    a = opened_cache(c.addresses[1 + expert])
    threshold, faults = c.thresholds[expert], 0
    for i in range(stop - start):
        outcome = step(a, pages[start + i], 1 if c.probability[i] > threshold else 0, 0.0)
        c.hits[expert, i] = outcome == HIT
        c.evicted[expert, i] = max(outcome, NONE)
        faults += outcome != HIT
    c.faults[expert] += faults


@inlined
def consult_all(c: CombinerArrays, pages: np.ndarray, start: int, stop: int) -> None:
    """Show a chunk of requests to all experts."""
    for expert in range(len(c.kinds)):
        kind = c.kinds[expert]
        if kind == LRU:
            consult(step_lru, c, expert, pages, start, stop)
        elif kind == BIT_LRU:
            consult(step_bit_lru, c, expert, pages, start, stop)
        elif kind == MARK0:
            consult(step_mark0, c, expert, pages, start, stop)
        elif kind == S3_FIFO:
            consult(step_s3_fifo, c, expert, pages, start, stop)
        elif kind == BIT_SIEVE:
            consult(step_bit_sieve, c, expert, pages, start, stop)
        elif kind == BIT_S3:
            consult(step_bit_s3, c, expert, pages, start, stop)
        else:
            consult(step_sieve, c, expert, pages, start, stop)


@inlined
def hear(a: CacheArrays, c: CombinerArrays, i: int) -> None:
    """The experts have evicted pages that the cache may hold."""
    for expert in range(len(c.kinds)):
        page = c.evicted[expert, i]
        if page < 0:
            continue
        node = find(a, page)
        if node >= 0:
            a.nodes[node, HOLDERS] &= ~(1 << expert)
            if expert == a.numbers[FOLLOWED]:
                move(a, node, EXTRA)


@inlined
def serve_page(a: CacheArrays, page: int, n_experts: int) -> int:
    """One request to the cache: a page that the followed expert has not leaves, if one has to."""
    node, outcome = find(a, page), HIT
    if node < 0:
        node, outcome = last(a, FREE), NONE
        if is_empty(a, FREE):
            node = last(a, EXTRA)
            outcome = drop(a, node)
        put(a, node, page)
    a.nodes[node, HOLDERS] = (1 << n_experts) - 1
    move(a, node, KEPT)
    return outcome


@inlined
def weigh(c: CombinerArrays, i: int, followed: int) -> float:
    """Let the experts that faulted lose weight; how likely the followed one is to be left for that."""
    n_experts = len(c.kinds)
    n_hits = 0
    for expert in range(n_experts):
        n_hits += c.hits[expert, i]
    if n_hits == 0 or n_hits == n_experts:  # nothing tells them apart
        return 0.0
    before, total = c.weights[followed], 0.0
    for expert in range(n_experts):
        if not c.hits[expert, i]:
            c.weights[expert] = max(c.weights[expert] * c.options[PENALTY], c.options[FLOOR])
        total += c.weights[expert]
    for expert in range(n_experts):
        c.weights[expert] /= total
    return max(0.0, 1.0 - c.weights[followed] / before)


@inlined
def drawn(c: CombinerArrays, random: np.ndarray) -> int:
    """An expert, by the weights."""
    left, expert = uniform(random), 0
    while left >= c.weights[expert] and expert + 1 < len(c.weights):
        left -= c.weights[expert]
        expert += 1
    return expert


@inlined
def follow(a: CacheArrays, expert: int) -> None:
    """Follow another expert: sort the cached pages into those that it has and those that it has not."""
    a.numbers[FOLLOWED] = expert
    a.numbers[SWITCHES] += 1
    for ring in (EXTRA, KEPT):
        node = last(a, ring)
        while node < len(a.pages):
            following = a.nodes[node, PREVIOUS]
            is_held = (a.nodes[node, HOLDERS] >> expert) & 1
            if is_held and ring == EXTRA:
                move(a, node, KEPT)
            elif not is_held and ring == KEPT:
                move(a, node, EXTRA)
            node = int(following)


@kernel
def serve_learned_bit(combiner: int, cache: int, requests: int) -> int:
    """Requests to the learned bit, whose bits and probabilities are written to the requests, if there is room."""
    s, work = combiner_at(combiner), requests_at(requests)
    c = CombinerArrays(
        borrowed(s.options),
        borrowed(s.addresses),
        borrowed(s.kinds),
        borrowed(s.thresholds),
        borrowed(s.weights),
        borrowed(s.faults),
        borrowed(s.probability),
        borrowed(s.hits),
        borrowed(s.evicted),
    )
    a = opened_cache(cache)
    pages, bits, predicted = borrowed(work.pages), borrowed(work.bits), borrowed(work.predicted)
    hits, evicted = borrowed(work.hits), borrowed(work.evicted)
    n_experts, n = len(c.kinds), len(pages)
    nothing, no_labels = np.empty((0, 0)), np.empty(0, np.int64)
    outcome = NONE
    for start in range(0, n, CHUNK):
        stop = min(n, start + CHUNK)
        if c.addresses[0] == 0:
            c.probability[: stop - start] = predicted[start:stop]
        else:
            predict_rows(opened(c.addresses[0]), pages, start, stop, c.probability, nothing, no_labels)
        consult_all(c, pages, start, stop)
        for i in range(stop - start):
            row = start + i
            hear(a, c, i)
            outcome = serve_page(a, pages[row], n_experts)
            hits[row] = outcome == HIT
            evicted[row] = max(outcome, NONE)
            c.faults[n_experts] += outcome != HIT
            followed = a.numbers[FOLLOWED]
            if len(bits):
                bits[row] = c.probability[i] > min(c.thresholds[followed], 1.0)
                predicted[row] = c.probability[i]
            leaves = weigh(c, i, followed)
            if leaves > 0.0 and uniform(a.random) < leaves:
                expert = drawn(c, a.random)
                if expert != followed:
                    follow(a, expert)
    return outcome
