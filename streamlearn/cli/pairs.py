"""Options of the form KEY=VALUE, which may be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import registry
from ..errors import OptionError


def parse_pairs(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """What ``--option KEY=VALUE --option KEY=VALUE`` says; values are numbers, truth values or text.

    Raises
    ------
    OptionError
        If a text is no pair.

    Examples
    --------
    >>> parse_pairs("--option", ["linger.ms=5", "security.protocol=SSL"])
    {'linger.ms': 5, 'security.protocol': 'SSL'}
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise OptionError(f"{option} {text!r}: write KEY=VALUE")
        pairs[key] = registry.parse_value(value)
    return pairs
