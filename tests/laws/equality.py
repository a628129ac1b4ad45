"""Equality bit for bit, of states and of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamlearn.learner import Learner


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal down to the bits, NaN included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (a != a and b != b)


def bits(value: Any) -> Any:
    """A prediction in a form in which equal means equal bits."""
    return np.float64(value).tobytes() if isinstance(value, float) else value


def snapshot(learner: Learner) -> Any:
    """The learner's state."""
    return learner.state()
