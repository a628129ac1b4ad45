"""Structs in kernels: nothing counts references there, and none is lost or left behind."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import address_of, approximate, by_address, inlined, kernel, struct


class PairArrays(NamedTuple):
    """Two arrays for a struct."""

    left: np.ndarray
    right: np.ndarray


Pair, PairType = struct(PairArrays)


@kernel
def make_pair(a: PairArrays) -> Any:
    """Pack the arrays into the struct."""
    return Pair(a.left, a.right)


@kernel
def pair_address(pair: Any) -> int:
    """Where a pair lives."""
    return int(address_of(pair))


pair_at = by_address(lambda: make_pair(PairArrays(np.empty(0), np.empty(0))))


@kernel
def moved(pair: Any, address: int) -> float:
    """Move the first number of the struct from left to right, and from right to left by its address."""
    other, total = pair_at(address), 0.0
    for side in (pair.left, other.right):
        total += side[0]
    pair.left[0], other.right[0] = pair.right[0], pair.left[0]
    return total


def test_a_struct_keeps_its_arrays_for_as_long_as_it_lives() -> None:
    arrays = PairArrays(np.array([1.0]), np.array([2.0]))
    before = sys.getrefcount(arrays.left)
    pairs = [make_pair(arrays) for _ in range(5)]
    held = sys.getrefcount(arrays.left)
    assert held == before + 5
    for pair in pairs:
        assert moved(pair, pair_address(pair)) == 3.0
        assert pair._meminfo.refcount == 1
    assert (arrays.left[0], arrays.right[0]) == (2.0, 1.0)
    del pair, pairs
    held = sys.getrefcount(arrays.left)
    assert held == before


@inlined
def fused(x: float, y: float) -> float:
    """What is 0 if the product is rounded, and is not if it is fused with the sum."""
    return x * x - y


@approximate
def loosely(x: float, y: float) -> float:
    """The same, where fusing is allowed."""
    return fused(x, y)


@kernel
def exactly(x: float, y: float) -> float:
    """The same, where it is not."""
    return fused(x, y)


def test_a_function_that_loose_kernels_share_is_exact_for_others() -> None:
    x = 1.0 + 2.0**-27
    y = 1.0 + 2.0**-26
    loosely(x, y)  # compiled first: what it allows must not become the shared function's own
    assert exactly(x, y) == 0.0
