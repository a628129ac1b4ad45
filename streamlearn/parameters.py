"""Checks of constructor parameters; each refusal names the parameter and what it accepts."""

from __future__ import annotations

from typing import Any

from .errors import OptionError


def check_range(name: str, value: Any, low: float, high: float, *, kind: type = float, open_low: bool = False) -> None:
    """Refuse a parameter that is not a number of ``kind`` within ``low … high``.

    Raises
    ------
    OptionError
        The message names the parameter and the range.
    """
    accepted = (int,) if kind is int else (int, float)
    inside = isinstance(value, accepted) and not isinstance(value, bool) and low <= value <= high
    if not inside or (open_low and value == low):
        what = "a whole number" if kind is int else "a number"
        bound = f"> {low}" if open_low else f">= {low}"
        raise OptionError(f"{name} must be {what} {bound} and <= {high}, got {value!r}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse a parameter that is not one of ``choices``.

    Raises
    ------
    OptionError
        The message names the parameter and the choices.
    """
    if value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_flag(name: str, value: Any) -> None:
    """Refuse a parameter that is not True or False.

    Raises
    ------
    OptionError
        The message names the parameter.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, got {value!r}")
