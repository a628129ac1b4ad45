"""Sequences with known drifts that detectors are tried on: errors of a classifier that change, and shifting numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from ..registry import parse_call, unknown_name
from ..source import Drift


@dataclass(frozen=True, slots=True)
class Signal:
    """Values that a detector takes in, one by one, and where their distribution changes.

    Parameters
    ----------
    name
    values : float64 [n]
    drifts
        In the order of their rows.
    optional
        Changes that a detector may tell or not, such as errors that become rarer: an alarm soon after one is not false,
        and its absence is no miss.
    """

    name: str
    values: np.ndarray
    drifts: Sequence[Drift] = ()
    optional: Sequence[Drift] = ()


def _errors(rates: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return (random.random(len(rates)) < rates).astype(np.float64)


def _steps(rates: Sequence[float], rows: int) -> tuple[np.ndarray, tuple[Drift, ...]]:
    """Equal stretches, each with a rate of its own."""
    edges = [round(i * rows / len(rates)) for i in range(len(rates) + 1)]
    steps = np.repeat(np.array(rates), np.diff(edges))
    return steps, tuple(Drift(edge) for edge in edges[1:-1])


def _abrupt(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    rates, drifts = _steps((0.2, 0.35), rows)
    return _errors(rates, random), drifts


def _small(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    rates, drifts = _steps((0.2, 0.25), rows)
    return _errors(rates, random), drifts


def _gradual(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    centre, width = rows // 2, rows // 5
    new = 1.0 / (1.0 + np.exp(-4.0 * (np.arange(rows) - centre) / width))
    return _errors(0.1 + 0.3 * new, random), (Drift(centre, width),)


def _recurring(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    rates, drifts = _steps((0.1, 0.3, 0.1, 0.3, 0.1), rows)
    return _errors(rates, random), drifts


def _stationary(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    return _errors(np.full(rows, 0.2), random), ()


def _mean_shift(rows: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[Drift, ...]]:
    means, drifts = _steps((0.0, 1.0), rows)
    return means + random.normal(size=rows), drifts


SIGNALS: dict[str, tuple[Callable[[int, np.random.Generator], tuple[np.ndarray, tuple[Drift, ...]]], str]] = {
    "abrupt_errors": (_abrupt, "a classifier's errors, whose rate rises from 0.2 to 0.35 half-way"),
    "small_errors": (_small, "errors whose rate rises from 0.2 to 0.25 half-way"),
    "gradual_errors": (_gradual, "errors whose rate rises from 0.1 to 0.4 over a fifth of the rows"),
    "recurring_errors": (_recurring, "errors whose rate changes between 0.1 and 0.3; the two rises are the drifts"),
    "stationary_errors": (_stationary, "errors at a rate of 0.2 throughout: every alarm is false"),
    "mean_shift": (_mean_shift, "normal numbers whose mean rises by one standard deviation half-way"),
}
"""The signals by name, each with what it is."""

ROWS = 20_000


def make_signal(text: str, *, seed: int = 0) -> Signal:
    """Make a signal by its name, ``NAME`` or ``NAME:rows=N``.

    Raises
    ------
    UnknownNameError
        If there is no such signal.
    OptionError
        If an option is unknown or out of range.

    Examples
    --------
    >>> signal = make_signal("abrupt_errors:rows=2000", seed=3)
    >>> len(signal.values), signal.drifts
    (2000, (Drift(row=1000, width=0),))
    """
    name, options = parse_call(text)
    if name not in SIGNALS:
        raise unknown_name("signal", name, SIGNALS)
    rows = options.pop("rows", ROWS)
    if options:
        raise OptionError(f"{text!r}: a signal has the option rows only, not {', '.join(options)}")
    if not isinstance(rows, int) or rows < 100:
        raise OptionError(f"{text!r}: rows must be a whole number of at least 100")
    values, drifts = SIGNALS[name][0](rows, np.random.default_rng([seed, *name.encode()]))
    if name == "recurring_errors":  # every other change is good news, which a detector of errors need not tell
        return Signal(name, values, drifts[::2], drifts[1::2])
    return Signal(name, values, drifts)
