"""What the detectors check of a restored state."""

from __future__ import annotations

import numpy as np

from streamlearn.errors import StateError


def check_whole(numbers: np.ndarray, place: int, low: int, high: int) -> None:
    """Refuse a count or an index outside ``low … high``."""
    value = numbers[place]
    if not low <= value <= high or value != np.floor(value):
        raise StateError(f"array 'numbers': {value} at {place} is not a whole number in {low} … {high}")
