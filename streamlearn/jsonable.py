"""Labels and names of any simple kind as JSON, and back, without losing their type."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from .errors import StateError


def plain(value: Any) -> Any:
    """Turn a NumPy or Arrow scalar into the Python value it stands for; leave anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return value.as_py() if hasattr(value, "as_py") else value


def to_json(value: Hashable) -> Any:
    """Encode a label or a name; tuples become ``{"tuple": […]}``.

    Raises
    ------
    StateError
        If the value is of a kind that a file can't hold (only None, bool, int, float, str and tuples of them can).
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return {"tuple": [to_json(part) for part in value]}
    raise StateError(
        f"can't save {value!r}: names and labels in a file are None, bool, int, float, str or tuples of these"
    )


def from_json(value: Any) -> Hashable:
    """Decode what `to_json` made."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict) and set(value) == {"tuple"} and isinstance(value["tuple"], list):
        return tuple(from_json(part) for part in value["tuple"])
    raise StateError(f"not a name or a label: {str(value)[:80]!r}")
