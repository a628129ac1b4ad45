"""Doubly linked lists of nodes, as columns of a policy's ``nodes``: every node is in exactly one of them.

Each list is a ring through its head, a row of ``nodes`` after those of the nodes. The first list holds the free nodes.
"""

from __future__ import annotations

import numpy as np

from ..compiled import inlined, kernel
from .arrays import CAPACITY, CacheArrays

NEXT, PREVIOUS = 0, 1
"""Columns of ``nodes``."""
FREE = 0
"""The list of nodes without a page."""


@inlined
def head(a: CacheArrays, ring: int) -> int:
    """The head of a list."""
    return len(a.pages) + ring


@inlined
def unlink(a: CacheArrays, node: int) -> None:
    """Take a node out of its list; it has to be put into another at once."""
    before, after = a.nodes[node, PREVIOUS], a.nodes[node, NEXT]
    a.nodes[before, NEXT] = after
    a.nodes[after, PREVIOUS] = before


@inlined
def push(a: CacheArrays, node: int, ring: int) -> None:
    """Put a node that is in no list at the front of one."""
    top = head(a, ring)
    after = a.nodes[top, NEXT]
    a.nodes[node, NEXT] = after
    a.nodes[node, PREVIOUS] = top
    a.nodes[after, PREVIOUS] = node
    a.nodes[top, NEXT] = node


@inlined
def move(a: CacheArrays, node: int, ring: int) -> None:
    """Take a node out of its list and put it at the front of one."""
    unlink(a, node)
    push(a, node, ring)


@inlined
def last(a: CacheArrays, ring: int) -> int:
    """The node at the end of a list; the list's head if it is empty."""
    return int(a.nodes[head(a, ring), PREVIOUS])


@inlined
def is_empty(a: CacheArrays, ring: int) -> bool:
    """Whether a list has no node."""
    top = head(a, ring)
    return a.nodes[top, NEXT] == top


@kernel
def start_rings(a: CacheArrays) -> None:
    """Make all lists empty, but for the free nodes, the first of which is the next to be used."""
    for top in range(len(a.pages), len(a.nodes)):
        a.nodes[top, NEXT] = a.nodes[top, PREVIOUS] = top
    for node in range(len(a.pages)):
        push(a, node, FREE)


@kernel
def rings_are_sound(a: CacheArrays, place: int, sizes: np.ndarray) -> bool:
    """Whether every node is in exactly one list, and the free ones are those without a page.

    Parameters
    ----------
    place
        The column in which nodes that are not free say which list they are in, or -1 if there is none.
    sizes : int64 [lists]
        Output: how many nodes each list has.
    """
    n_nodes, n_rows = len(a.pages), len(a.nodes)
    seen = 0
    for row in range(n_rows):
        for column in (NEXT, PREVIOUS):
            if not 0 <= a.nodes[row, column] < n_rows:
                return False
        if a.nodes[a.nodes[row, NEXT], PREVIOUS] != row:
            return False
    for ring in range(len(sizes)):
        node = int(a.nodes[n_nodes + ring, NEXT])
        sizes[ring] = 0
        while node < n_nodes and seen < n_nodes:
            if (a.pages[node] < 0) != (ring == FREE) or (place >= 0 and ring != FREE and a.nodes[node, place] != ring):
                return False
            sizes[ring] += 1
            seen += 1
            node = int(a.nodes[node, NEXT])
        if node != n_nodes + ring:
            return False
    return seen == n_nodes


@inlined
def capacity_of(a: CacheArrays) -> int:
    """How many pages the cache holds."""
    return int(a.options[CAPACITY])
