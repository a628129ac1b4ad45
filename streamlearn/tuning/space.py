"""What hyper-parameters may be: choices and ranges, as people write them, enumerated or drawn at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OptionError
from ..registry import parse_value


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole numbers if both bounds are.

    Parameters
    ----------
    low, high
        Bounds, ``low < high``.
    log
        Whether to space them evenly by their logarithms; the bounds are then positive.

    Raises
    ------
    OptionError
        If the bounds are not such.

    Examples
    --------
    >>> Range(1e-6, 1e-2, log=True).points(3)
    [1e-06, 0.0001, 0.01]
    >>> Range(50, 400).points(3)
    [50, 225, 400]
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise OptionError(f"a range goes from a smaller to a larger number, not from {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise OptionError(f"a logarithmic range needs positive bounds, got {self.low}")

    def at(self, share: float) -> float:
        """The number at a ``share`` of the way, in [0, 1]."""
        if self.log:
            value = math.exp((1.0 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            value = (1.0 - share) * self.low + share * self.high
        value = min(max(value, self.low), self.high)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return round(value)
        return float(f"{value:.6g}")  # six digits: as many as a table shows, so that what is shown can be run again

    def points(self, n: int) -> list[float]:
        """``n`` numbers, evenly spaced; fewer if whole numbers coincide."""
        return list(dict.fromkeys(self.at(i / (n - 1)) for i in range(n)))


Space = Mapping[str, Sequence[Any] | Range]


def parse_param(text: str) -> tuple[str, Sequence[Any] | Range]:
    """Read ``NAME=value,value`` or ``NAME=low..high`` or ``NAME=low..high:log``, as the command line has them.

    Raises
    ------
    OptionError
        If it is none of these.

    Examples
    --------
    >>> parse_param("leaf_prediction=mc,nba")
    ('leaf_prediction', ['mc', 'nba'])
    >>> parse_param("delta=1e-7..1e-2:log")
    ('delta', Range(low=1e-07, high=0.01, log=True))
    """
    name, equals, rest = text.partition("=")
    name, rest = name.strip(), rest.strip()
    if not equals or not name.isidentifier() or not rest:
        raise OptionError(f"{text!r}: write NAME=value,value or NAME=low..high or NAME=low..high:log")
    if ".." not in rest:
        return name, [parse_value(value.strip()) for value in rest.split(",")]
    bounds, _, scale = rest.partition(":")
    low, high = (parse_value(bound.strip()) for bound in bounds.split("..", 1))
    if scale.strip() not in ("", "log") or isinstance(low, (str, bool)) or isinstance(high, (str, bool)):
        raise OptionError(f"{text!r}: a range is written low..high or low..high:log, with numbers")
    if low is None or high is None:
        raise OptionError(f"{text!r}: a range has two bounds")
    return name, Range(low, high, log=scale.strip() == "log")


def check_space(space: Space) -> dict[str, list[Any] | Range]:
    """The space with choices as lists.

    Raises
    ------
    OptionError
        If it is empty, or a parameter has no choices.
    """
    if not space:
        raise OptionError("say which parameters to try, such as {'grace_period': [50, 200]}")
    checked: dict[str, list[Any] | Range] = {}
    for name, values in space.items():
        if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray, Range)):
            raise OptionError(f"{name}: give a list of choices or a Range, not {values!r}")
        checked[name] = values if isinstance(values, Range) else list(values)
        if checked[name] == []:
            raise OptionError(f"{name}: there are no choices")
    return checked


def grid(space: dict[str, list[Any] | Range], points: int) -> list[dict[str, Any]]:
    """Every combination; of a range, ``points`` numbers."""
    axes = [values.points(points) if isinstance(values, Range) else values for values in space.values()]
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*axes)]


def draw(space: dict[str, list[Any] | Range], n: int, seed: int) -> list[dict[str, Any]]:
    """``n`` distinct combinations at random, or all there are, if these are fewer."""
    random = np.random.default_rng(seed)
    drawn: list[dict[str, Any]] = []
    for _ in range(100 * n):
        if len(drawn) == n:
            break
        params = {
            name: values.at(float(random.random()))
            if isinstance(values, Range)
            else values[int(random.integers(len(values)))]
            for name, values in space.items()
        }
        if params not in drawn:
            drawn.append(params)
    return drawn
