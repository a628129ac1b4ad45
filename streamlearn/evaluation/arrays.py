"""The arrays that metrics take, keep and restore: checked, in one piece, and grown by doubling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, StateError


def owned(values: Any, dtype: type[np.generic]) -> np.ndarray:
    """A C-contiguous, writeable array: Numba would compile another kernel for a read-only one (Arrow's)."""
    array = np.ascontiguousarray(values, dtype)
    return array if array.flags.writeable else array.copy()


def column(name: str, values: Any, dtype: type[np.generic], n: int | None = None) -> np.ndarray:
    """One value a row, as an array that kernels take.

    Raises
    ------
    InputError
        If it isn't one-dimensional, or not ``n`` long.
    """
    array = owned(values, dtype)
    if array.ndim != 1 or len(array) != (len(array) if n is None else n):
        raise InputError(
            f"{name} has shape {array.shape}: give one value a row" + ("" if n is None else f", {n} in all")
        )
    return array


def row_weights(weight: Any, n: int) -> np.ndarray:
    """Row weights, or an empty array where every row weighs 1.

    Raises
    ------
    InputError
        If a weight is negative or not finite.
    """
    if weight is None:
        return np.empty(0)
    array = column("weight", weight, np.float64, n)
    wrong = ~((array >= 0.0) & (array < math.inf))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(f"row {row}: weight is {array[row]}, but must be finite and 0 or more")
    return array


def doubled(room: int, needed: int) -> int:
    """``room`` doubled until there is enough."""
    while room < needed:
        room *= 2
    return room


def padded(array: np.ndarray, *shape: int) -> np.ndarray:
    """A larger array that starts with this one; the rest is 0."""
    grown = np.zeros(shape, array.dtype)
    grown[tuple(slice(0, length) for length in array.shape)] = array
    return grown


def state_parts(state: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The parameters and the arrays of a saved state."""
    if isinstance(state, Mapping):
        parameters, arrays = state.get("parameters"), state.get("arrays")
        if isinstance(parameters, Mapping) and isinstance(arrays, Mapping):
            return parameters, arrays
    raise StateError("not a state of metrics: it needs the parts 'parameters' and 'arrays'")


def saved(arrays: Mapping[str, Any], name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of a saved state, after making sure that it is what it should be."""
    array = arrays.get(name)
    if not isinstance(array, np.ndarray) or array.shape != tuple(shape) or array.dtype != dtype:
        found = "nothing" if array is None else f"{getattr(array, 'dtype', type(array))} {getattr(array, 'shape', '')}"
        raise StateError(f"the state of the metrics is damaged: {name} should be {dtype} {tuple(shape)}, found {found}")
    return array
