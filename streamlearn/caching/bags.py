"""Sets of nodes out of which one is drawn at random, as columns of a policy's ``nodes``: each node is in one of them.

Adding, removing and drawing take constant time: a bag is an array, and the last member takes the place of one that
leaves. The first bag holds the free nodes.
"""

from __future__ import annotations

from ..compiled import inlined, kernel
from ..random import below
from .arrays import CacheArrays

BAG, PLACE, MEMBERS = 0, 1, 2
"""Columns of ``nodes``: a node's bag and its place there; from the third column on, bag by bag, who is in each place.

The sizes of the bags are the first ``numbers``.
"""
EMPTY = 0
"""The bag of nodes without a page."""


@inlined
def add(a: CacheArrays, node: int, bag: int) -> None:
    """Put a node that is in no bag into one."""
    place = a.numbers[bag]
    a.nodes[place, MEMBERS + bag] = node
    a.nodes[node, BAG] = bag
    a.nodes[node, PLACE] = place
    a.numbers[bag] = place + 1


@inlined
def remove(a: CacheArrays, node: int) -> None:
    """Take a node out of its bag; it has to be put into another at once."""
    bag, place = a.nodes[node, BAG], a.nodes[node, PLACE]
    end = a.numbers[bag] - 1
    mover = a.nodes[end, MEMBERS + bag]
    a.nodes[place, MEMBERS + bag] = mover
    a.nodes[mover, PLACE] = place
    a.numbers[bag] = end


@inlined
def shift(a: CacheArrays, node: int, bag: int) -> None:
    """Move a node to another bag, or to the end of its own."""
    remove(a, node)
    add(a, node, bag)


@inlined
def draw(a: CacheArrays, bag: int) -> int:
    """A node of a bag that is not empty, each with the same probability."""
    return int(a.nodes[below(a.random, a.numbers[bag]), MEMBERS + bag])


@inlined
def draw_of_two(a: CacheArrays, one: int, other: int) -> int:
    """A node of two bags that are not both empty, each with the same probability."""
    size = a.numbers[one]
    place = below(a.random, size + a.numbers[other])
    return int(a.nodes[place, MEMBERS + one] if place < size else a.nodes[place - size, MEMBERS + other])


@inlined
def end_of(a: CacheArrays, bag: int) -> int:
    """The node that was put last into a bag that is not empty."""
    return int(a.nodes[a.numbers[bag] - 1, MEMBERS + bag])


@kernel
def start_bags(a: CacheArrays, nodes: int) -> None:
    """Make all bags empty, but for that of the free nodes, which gets the first ``nodes``; 0 is the next to be used."""
    for node in range(nodes - 1, -1, -1):
        add(a, node, EMPTY)


@kernel
def bags_are_sound(a: CacheArrays, n_bags: int, nodes: int) -> bool:
    """Whether each of the first ``nodes`` nodes is in one bag, and the free ones are those without a page."""
    total = 0
    for bag in range(n_bags):
        if not 0 <= a.numbers[bag] <= nodes:
            return False
        total += a.numbers[bag]
    if total != nodes:
        return False
    for node in range(nodes):
        bag, place = a.nodes[node, BAG], a.nodes[node, PLACE]
        if not (0 <= bag < n_bags and 0 <= place < a.numbers[bag] and a.nodes[place, MEMBERS + bag] == node):
            return False
        if (a.pages[node] < 0) != (bag == EMPTY):
            return False
    return True
