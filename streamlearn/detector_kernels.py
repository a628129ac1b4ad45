"""What detectors of drift are made of: their state as arrays, the values they are shown, and the loop over these."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .compiled import address_of, borrowed, by_address, inlined_with, kernel, struct

IN_CONTROL, WARNING, DRIFT = 0, 1, 2
"""The levels that a detector reports."""
REFUSED = 3
"""What a kernel answers to a value that the detector is not defined for; nothing has then changed."""
LOW, HIGH, WHOLE = 0, 1, 2
"""Places in ``options``: the least and the greatest value, and whether values must be whole numbers."""
N_COMMON_OPTIONS = 3
LARGEST = 1e60
"""Greatest number that any detector accepts: squares of sums stay finite, and so does every state."""
LEVEL, DETECTIONS = 0, 1
"""Places in ``numbers``: the level after the last value, and how many drifts there were so far."""
N_COMMON = 2


class MonitorArrays(NamedTuple):
    """State of a detector of one value at a time.

    Attributes
    ----------
    options : float64 [K]
        The parameters, as numbers; the first three say which values are accepted.
    numbers : float64 [N]
        The level, the number of drifts, then what the method keeps; zeros before the first value.
    window : float64 [R, W]
        Past values, or summaries of them.
    random : uint64 [4] or [0]
        The generator of random numbers.
    """

    options: np.ndarray
    numbers: np.ndarray
    window: np.ndarray
    random: np.ndarray


class SignalArrays(NamedTuple):
    """Values for a detector, and what it says to them.

    Attributes
    ----------
    values : float64 [n, d]
        What is watched, a row for each moment; ``d`` is 1 unless the detector takes rows.
    levels : uint8 [n]
        Output: the level after each row.
    """

    values: np.ndarray
    levels: np.ndarray


Monitor, MonitorType = struct(MonitorArrays)
Signal, SignalType = struct(SignalArrays)


@kernel
def make_monitor(a: MonitorArrays) -> Any:
    """Pack a detector's arrays into the struct that kernels take."""
    return Monitor(a.options, a.numbers, a.window, a.random)


@kernel
def make_signal(a: SignalArrays) -> Any:
    """Pack the arrays of one call into the struct that kernels take."""
    return Signal(a.values, a.levels)


@kernel
def monitor_address(monitor: Any) -> int:
    """Where a monitor lives."""
    return int(address_of(monitor))


@kernel
def signal_address(signal: Any) -> int:
    """Where a signal lives."""
    return int(address_of(signal))


def example_signal() -> Any:
    """A signal of no rows, for its type."""
    return make_signal(SignalArrays(np.empty((0, 1)), np.empty(0, np.uint8)))


def _example_monitor() -> Any:
    return make_monitor(MonitorArrays(np.empty(0), np.empty(0), np.empty((0, 0)), np.empty(0, np.uint64)))


monitor_at = by_address(_example_monitor)
"""In kernels: the state of a detector at an address."""
signal_at = by_address(example_signal)
"""In kernels: the signal at an address."""


@inlined_with
def watch(step: Callable[..., int], monitor: int, signal: int) -> int:
    """Show each value of a signal to a detector, by the addresses of both; the level after the last one, or `REFUSED`.

    Parameters
    ----------
    step
        The method: ``step(options, numbers, window, random, value) -> level``. It restarts by itself where its last
        level, ``numbers[LEVEL]``, was `DRIFT`.
    """
    state, work = monitor_at(monitor), signal_at(signal)
    options, numbers = borrowed(state.options), borrowed(state.numbers)
    window, random = borrowed(state.window), borrowed(state.random)
    values, levels = borrowed(work.values), borrowed(work.levels)
    low, high, whole = options[LOW], options[HIGH], options[WHOLE] > 0.0
    level = IN_CONTROL
    for i in range(len(values)):
        value = values[i, 0]
        if not low <= value <= high or (whole and value != math.floor(value)):
            return REFUSED
        level = step(options, numbers, window, random, value)
        numbers[LEVEL] = level
        if level == DRIFT:
            numbers[DETECTIONS] += 1.0
        levels[i] = level
    return level
