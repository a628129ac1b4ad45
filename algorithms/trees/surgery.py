"""Takes subtrees out of a tree whose nodes lie in one table, and closes the gaps, so that no dead node ever stays.

It costs time in proportion to the table, and happens when a subtree dies: a few times in thousands of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import kernel

from .arrays import (
    ALTERNATE,
    ANYTIME,
    FAMILY,
    INACTIVE,
    LEAF,
    MULTIWAY,
    N_CHILDREN,
    N_FREE_WINDOWS,
    N_INACTIVE,
    N_NODES,
    N_WINDOWS,
    NUMERIC,
    WINDOW,
)
from .kernels import free_block


@kernel
def below(tree: Any, top: int, spared: int) -> np.ndarray:
    """Mark the nodes below one, its alternate included, except for the subtree of a node ``spared``; uint8 [nodes]."""
    n = int(tree.numbers[N_NODES])
    dead = np.zeros(n, np.uint8)
    for node in range(top + 1, n):  # parents come before their children
        parent = tree.nodes[node].parent
        dead[node] = node != spared and (parent == top or dead[parent] != 0)
    return dead


@kernel
def take_window(tree: Any, node: int) -> int:
    """Give a node an empty window; there must be one."""
    numbers = tree.numbers
    if numbers[N_FREE_WINDOWS] > 0:
        numbers[N_FREE_WINDOWS] -= 1
        window = int(tree.free_windows[numbers[N_FREE_WINDOWS]])
    else:
        window = int(numbers[N_WINDOWS])
        numbers[N_WINDOWS] += 1
    tree.windows[window] = 0.0
    tree.links[node, WINDOW] = window
    return window


@kernel
def free_window(tree: Any, node: int) -> None:
    """Take a node's window back, if it has one."""
    window = tree.links[node, WINDOW]
    if window >= 0:
        tree.free_windows[tree.numbers[N_FREE_WINDOWS]] = window
        tree.numbers[N_FREE_WINDOWS] += 1
        tree.links[node, WINDOW] = -1


@kernel
def remove_nodes(tree: Any, dead: np.ndarray) -> None:
    """Close up the table over nodes that are marked; the others keep their order.

    With a node all below it must be marked. A split of which all children are marked must be called a leaf before.

    Parameters
    ----------
    dead : uint8 [nodes]
        From `below`; the root lives.
    """
    numbers, nodes, counts, children, links = tree.numbers, tree.nodes, tree.counts, tree.children, tree.links
    place, first = tree.place, tree.first
    adaptive = tree.options[FAMILY] != ANYTIME
    n = len(dead)
    moved, live = np.empty(n, np.int32), 0
    for node in range(n):
        moved[node] = live
        if dead[node] == 0:
            live += 1
            continue
        if nodes[node].block >= 0:
            free_block(tree, node)
        if adaptive:
            free_window(tree, node)
        numbers[N_INACTIVE] -= nodes[node].kind == INACTIVE

    old_children, n_children = children[: numbers[N_CHILDREN]].copy(), 0
    for node in range(n):
        if dead[node] != 0:
            continue
        at = moved[node]
        nodes[at] = nodes[node]
        counts[at] = counts[node]
        links[at] = links[node]
        if node > 0:
            nodes[at].parent = moved[nodes[at].parent]
        if adaptive and links[at, ALTERNATE] >= 0:
            links[at, ALTERNATE] = moved[links[at, ALTERNATE]]
        if nodes[at].kind == MULTIWAY:
            i, start = ~place[nodes[at].feature], nodes[at].child
            room = first[i + 1] - first[i]
            for slot in range(room):
                child = old_children[start + slot]
                children[n_children + slot] = moved[child] if child >= 0 else -1
            nodes[at].child = n_children
            n_children += room
        elif nodes[at].kind >= NUMERIC:
            nodes[at].child = moved[nodes[at].child]
    for gone in range(live, n):
        counts[gone] = 0.0  # a new leaf expects it
        nodes[gone].kind = LEAF
    numbers[N_NODES], numbers[N_CHILDREN] = live, n_children
