"""What restoring a state checks first: that it holds the arrays that belong there, of their dtypes and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import StateError


def check_arrays(owner: str, saved: Any, expected: Mapping[str, tuple[Any, tuple[int, ...]]]) -> None:
    """Refuse a saved state that is not exactly these arrays.

    Parameters
    ----------
    owner
        Whose state it is, for the message.
    saved
        What the state holds.
    expected
        Dtype and shape of each array, by name.

    Raises
    ------
    StateError
        If an array is missing, too many, or of another dtype or shape; the message names it.
    """
    if not isinstance(saved, Mapping) or set(saved) != set(expected):
        raise StateError(f"{owner}: expected the arrays {', '.join(expected)}")
    for name, (dtype, shape) in expected.items():
        array = saved[name]
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            raise StateError(f"array {name!r}: expected {np.dtype(dtype)} {shape}")
