"""Kernels of the queues that ask a bit before they spare a page: SIEVE and S3-FIFO with discard bits."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, CacheArrays, serve
from streamlearn.caching.table import find
from streamlearn.compiled import inlined, kernel

from .clock_kernels import VISITED, step_sieve
from .s3_fifo_kernels import GHOST, MAIN, QUEUE, SMALL, enter, step_s3_fifo


@inlined
def step_bit_sieve(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of SIEVE, where a page is spared if its last bit was 0."""
    outcome = step_sieve(a, page, 0, 0.0)
    a.nodes[find(a, page), VISITED] = 1 - bit
    return outcome


@inlined
def step_bit_s3_fifo(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of S3-FIFO, where 0-pages are loaded to the main queue, and 1-pages earn nothing by a hit."""
    if bit:
        node = find(a, page)
        if node >= 0 and a.nodes[node, QUEUE] != GHOST:
            return HIT
    outcome = step_s3_fifo(a, page, 0, 0.0)
    if not bit and outcome != HIT:
        node = find(a, page)
        if a.nodes[node, QUEUE] == SMALL:
            enter(a, node, MAIN)
    return outcome


@kernel
def serve_bit_sieve(cache: int, requests: int) -> int:
    """Requests to SIEVE with bits."""
    return serve(step_bit_sieve, cache, requests)


@kernel
def serve_bit_s3_fifo(cache: int, requests: int) -> int:
    """Requests to S3-FIFO with bits."""
    return serve(step_bit_s3_fifo, cache, requests)
