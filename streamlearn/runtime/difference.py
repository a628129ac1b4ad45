"""What differs between two checkpoints, value by value and array by array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two contents differ.

    Parameters
    ----------
    path
        The keys that lead to it, joined by ``/``.
    old, new
        The values, None where there is none; arrays are described by dtype and shape.
    count
        How many items of an array have different bits; None where there is nothing to compare item by item.
    largest
        The largest absolute difference among these; NaN where a NaN is on one side only.
    """

    path: str
    old: Any
    new: Any
    count: int | None = None
    largest: float | None = None


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """All places where two contents of nested dicts, lists, arrays and scalars differ, sorted by path.

    Examples
    --------
    >>> differences({"rows": 1, "w": np.zeros(3)}, {"rows": 2, "w": np.array([0.0, 0.5, 0.0])})
    ... # doctest: +NORMALIZE_WHITESPACE
    [Difference(path='rows', old=1, new=2, count=None, largest=None),
     Difference(path='w', old='float64 [3]', new='float64 [3]', count=1, largest=0.5)]
    """
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    paths = sorted(before.keys() | after.keys())
    found = (_compare("/".join(path), before.get(path, _ABSENT), after.get(path, _ABSENT)) for path in paths)
    return [difference for difference in found if difference is not None]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, (dict, list)) and value:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, (*path, str(key)))
    else:
        yield path, value


def _compare(path: str, old: Any, new: Any) -> Difference | None:
    if not (isinstance(old, np.ndarray) and isinstance(new, np.ndarray)):
        same = type(old) is type(new) and (old == new or (old != old and new != new))
        return None if same else Difference(path, _shown(old), _shown(new))
    if (old.dtype, old.shape) != (new.dtype, new.shape):
        return Difference(path, _shown(old), _shown(new))
    differ = np.flatnonzero(_bits(old) != _bits(new))
    if not len(differ):
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(old.reshape(-1)[differ].astype(np.float64) - new.reshape(-1)[differ].astype(np.float64))
    return Difference(path, _shown(old), _shown(new), len(differ), float(gaps.max()))


def _bits(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(f"u{array.itemsize}")


def _shown(value: Any) -> Any:
    if value is _ABSENT:
        return None
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else value
