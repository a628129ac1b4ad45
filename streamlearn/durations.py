"""Durations as people write them: ``250ms``, ``90s``, ``5min``, ``2h``, ``7d``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from .errors import OptionError

SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
PATTERN = r"(\d+\.?\d*)\s*(ms|s|min|h|d)"


def parse_duration(value: Any) -> float:
    """The seconds of a duration.

    Parameters
    ----------
    value
        Text such as ``"250ms"``, ``"90s"``, ``"5min"``, ``"2h"`` or ``"7d"``; a number of seconds; or a `timedelta`.

    Raises
    ------
    OptionError
        If it is none of these, or negative.

    Examples
    --------
    >>> parse_duration("250ms"), parse_duration("7d"), parse_duration(1.5)
    (0.25, 604800.0, 1.5)
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    if isinstance(value, str) and (match := re.fullmatch(PATTERN, value.strip())):
        return float(match[1]) * SECONDS[match[2]]
    raise OptionError(
        f"a duration is a number of seconds, or text such as '250ms', '90s', '5min' or '7d'; got {value!r}"
    )
