"""Kernels of the policies that give used pages a second chance instead of moving them at every hit: Clock, SIEVE."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, CacheArrays, serve
from streamlearn.caching.rings import FREE, PREVIOUS, is_empty, last, move
from streamlearn.caching.table import find
from streamlearn.compiled import inlined, kernel

from .recency_kernels import QUEUE, load

VISITED = 2
"""Column of ``nodes``: whether the page was requested since it was loaded, or since it was last spared."""
HAND = 0
"""Place in ``numbers`` of SIEVE: the node to be looked at next, or -1 for the one at the end of the queue."""


@inlined
def step_clock(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of Clock: a used page at the end of the queue goes to its front, unused."""
    node = find(a, page)
    if node >= 0:
        a.nodes[node, VISITED] = 1
        return HIT
    victim = last(a, QUEUE)
    if is_empty(a, FREE):
        while a.nodes[victim, VISITED]:
            a.nodes[victim, VISITED] = 0
            move(a, victim, QUEUE)
            victim = last(a, QUEUE)
    return load(a, page, QUEUE, victim)


@inlined
def step_sieve(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of SIEVE: the hand passes from old to new, spares used pages, which stay where they are."""
    node = find(a, page)
    if node >= 0:
        a.nodes[node, VISITED] = 1
        return HIT
    victim = last(a, QUEUE)
    if is_empty(a, FREE):
        if a.numbers[HAND] >= 0:
            victim = a.numbers[HAND]
        while a.nodes[victim, VISITED]:
            a.nodes[victim, VISITED] = 0
            victim = int(a.nodes[victim, PREVIOUS])
            if victim >= len(a.pages):  # the list's head: the hand goes on from the end
                victim = last(a, QUEUE)
        before = int(a.nodes[victim, PREVIOUS])
        a.numbers[HAND] = before if before < len(a.pages) else -1
    return load(a, page, QUEUE, victim)


@kernel
def serve_clock(cache: int, requests: int) -> int:
    """Requests to Clock."""
    return serve(step_clock, cache, requests)


@kernel
def serve_sieve(cache: int, requests: int) -> int:
    """Requests to SIEVE."""
    return serve(step_sieve, cache, requests)
