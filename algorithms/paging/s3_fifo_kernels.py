"""Kernel of S3-FIFO: a small queue that new pages pass through, a main queue, and a queue of pages that left early."""

from __future__ import annotations

from streamlearn.caching.arrays import HIT, NONE, CacheArrays, serve
from streamlearn.caching.rings import FREE, last, move
from streamlearn.caching.table import drop, find, put
from streamlearn.compiled import inlined, kernel

SMALL, MAIN, GHOST = 1, 2, 3
"""The queues; their sizes are in ``numbers`` at these places."""
EVICTED = 0
"""Place in ``numbers``: whether any page was evicted yet."""
N_NUMBERS = 4
LIMITS = 2
"""Place in ``options`` of the sizes of the three queues."""
QUEUE, COUNT = 2, 3
"""Columns of ``nodes``: the queue that the node is in, and how often the page was requested in it, up to 3."""
MANY = 2
"""Requests in the small queue that earn a place in the main one."""


@inlined
def enter(a: CacheArrays, node: int, queue: int) -> None:
    """Move a node to the front of a queue."""
    a.numbers[a.nodes[node, QUEUE]] -= 1
    a.numbers[queue] += 1
    a.nodes[node, QUEUE] = queue
    a.nodes[node, COUNT] = 0
    move(a, node, queue)


@inlined
def leave(a: CacheArrays, node: int) -> int:
    """Forget a page; the page."""
    a.numbers[a.nodes[node, QUEUE]] -= 1
    move(a, node, FREE)
    return drop(a, node)


@inlined
def limit(a: CacheArrays, queue: int) -> int:
    """How many pages a queue is meant for."""
    return int(a.options[LIMITS - 1 + queue])


@inlined
def evict_from_main(a: CacheArrays) -> int:
    """Evict the first page at the end of the main queue that has no requests left; the others go to its front."""
    while True:
        node = last(a, MAIN)
        count = a.nodes[node, COUNT]
        if count == 0:
            return leave(a, node)
        a.nodes[node, COUNT] = count - 1
        move(a, node, MAIN)


@inlined
def evict_from_small(a: CacheArrays) -> int:
    """Evict the first page at the end of the small queue that was seldom requested; the others go to the main queue."""
    while a.numbers[SMALL] > 0:
        node = last(a, SMALL)
        if a.nodes[node, COUNT] >= MANY:
            enter(a, node, MAIN)
            continue
        page = a.pages[node]
        if limit(a, GHOST) == 0:
            return leave(a, node)
        if a.numbers[GHOST] == limit(a, GHOST):
            leave(a, last(a, GHOST))
        enter(a, node, GHOST)
        return page
    return NONE


@inlined
def step_s3_fifo(a: CacheArrays, page: int, bit: int, predicted: float) -> int:
    """One request of S3-FIFO."""
    node = find(a, page)
    queue = SMALL
    if node >= 0:
        if a.nodes[node, QUEUE] != GHOST:
            a.nodes[node, COUNT] = min(a.nodes[node, COUNT] + 1, 3)
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
    elif a.numbers[EVICTED] == 0 and a.numbers[SMALL] >= limit(a, SMALL):
        queue = MAIN  # while the cache fills, the small queue does not grow beyond its size
    node = last(a, FREE)
    put(a, node, page)
    a.numbers[queue] += 1
    a.nodes[node, QUEUE] = queue
    a.nodes[node, COUNT] = 0
    move(a, node, queue)
    return evicted


@kernel
def serve_s3_fifo(cache: int, requests: int) -> int:
    """Requests to S3-FIFO."""
    return serve(step_s3_fifo, cache, requests)
