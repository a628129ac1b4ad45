"""Masks what looks like a secret in texts that others see: errors of clients quote their configuration."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"""(?ix)
    (?P<name>[\w.-]*(?:password|passwd|secret|token|credential|api[_.-]?key|access[_.-]?key|jaas[_.-]?config)[\w.-]*)
    (?P<sign>["']?\s*[:=]\s*)
    (?P<value>"[^"]*"|'[^']*'|[^\s,;&)}\]]+)"""
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")


def redacted(text: str) -> str:
    """The text with passwords, tokens and the like masked, where it looks like one: in errors of clients, say.

    Examples
    --------
    >>> redacted("can't connect: sasl.password=hunter2, to kafka://me:hunter2@broker:9092")
    "can't connect: sasl.password=***, to kafka://***@broker:9092"
    """
    text = _SECRET.sub(r"\g<name>\g<sign>***", text)
    return _USER_OF_URL.sub("***@", _BEARER.sub(r"\1 ***", text))
