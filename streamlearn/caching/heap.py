"""A binary heap of nodes by their keys, as columns of a policy's ``nodes``: the greatest key is found in no time.

Of nodes with equal keys, the one with the smaller page counts as greater, so that the order is that of the pages.
"""

from __future__ import annotations

from ..compiled import inlined, kernel
from .arrays import NONE, CacheArrays


@inlined
def is_above(a: CacheArrays, one: int, other: int) -> bool:
    """Whether one node counts as greater than another."""
    x, y = a.keys[one], a.keys[other]
    return x > y or (x == y and a.pages[one] < a.pages[other])


@inlined
def put_at(a: CacheArrays, column: int, place: int, node: int) -> None:
    """Let a node stand at a place of the heap."""
    a.nodes[place, column] = node
    a.nodes[node, column + 1] = place


@kernel
def rise(a: CacheArrays, column: int, place: int, node: int) -> int:
    """Find the place for a node from ``place`` upwards, moving smaller ones down; the place."""
    while place > 0:
        parent = (place - 1) >> 1
        upper = a.nodes[parent, column]
        if not is_above(a, node, upper):
            break
        put_at(a, column, place, upper)
        place = parent
    return place


@kernel
def sink(a: CacheArrays, column: int, place: int, node: int, size: int) -> int:
    """Find the place for a node from ``place`` downwards, moving greater ones up; the place."""
    while True:
        child = 2 * place + 1
        if child >= size:
            return place
        if child + 1 < size and is_above(a, a.nodes[child + 1, column], a.nodes[child, column]):
            child += 1
        lower = a.nodes[child, column]
        if not is_above(a, lower, node):
            return place
        put_at(a, column, place, lower)
        place = child


@inlined
def insert(a: CacheArrays, column: int, node: int, size: int) -> None:
    """Put a node into a heap of ``size`` nodes that does not have it.

    Parameters
    ----------
    column
        The first of the heap's two columns: who stands at each place; the next has the place of each node, -1 if it
        stands nowhere.
    """
    put_at(a, column, rise(a, column, size, node), node)


@inlined
def settle(a: CacheArrays, column: int, node: int, size: int) -> None:
    """Move a node, whose key has changed, to where it belongs."""
    place = rise(a, column, a.nodes[node, column + 1], node)
    put_at(a, column, sink(a, column, place, node, size), node)


@inlined
def take_out(a: CacheArrays, column: int, node: int, size: int) -> None:
    """Take a node out of a heap of ``size`` nodes."""
    end = a.nodes[size - 1, column]
    place = a.nodes[node, column + 1]
    a.nodes[node, column + 1] = NONE
    if end != node:
        put_at(a, column, place, end)
        settle(a, column, end, size - 1)


@kernel
def heap_is_sound(a: CacheArrays, column: int, size: int) -> bool:
    """Whether the first ``size`` places are a heap, and nobody else says to stand in it."""
    if not 0 <= size <= len(a.pages):
        return False
    for place in range(size):
        node = a.nodes[place, column]
        if not 0 <= node < len(a.pages) or a.nodes[node, column + 1] != place or a.pages[node] < 0:
            return False
        if place > 0 and is_above(a, node, a.nodes[(place - 1) >> 1, column]):
            return False
    standing = 0
    for node in range(len(a.pages)):
        standing += a.nodes[node, column + 1] >= 0
    return standing == size
