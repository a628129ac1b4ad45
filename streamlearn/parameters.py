"""Constructor parameters: their checks, whose refusals name the parameter and what it accepts; what they are set to."""

from __future__ import annotations

import inspect
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
    """Refuse a parameter that is neither True nor False.

    Raises
    ------
    OptionError
        The message names the parameter.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, got {value!r}")


def parameters_of(made: Any) -> dict[str, Any]:
    """The parameters that an object was made with, which it keeps in attributes of their names; a schema is none."""
    names = inspect.signature(type(made).__init__).parameters
    return {name: getattr(made, name) for name in names if name not in ("self", "schema")}


def call_of(made: Any) -> str:
    """The call that makes such an object, without the parameters that have their defaults."""
    defaults = inspect.signature(type(made).__init__).parameters
    given = [f"{name}={value!r}" for name, value in made.params.items() if value != defaults[name].default]
    return f"{type(made).__name__}({', '.join(given)})"
