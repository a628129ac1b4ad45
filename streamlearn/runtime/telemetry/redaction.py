"""Makes foreign texts fit to be shown: masks what looks like a secret, escapes control characters, cuts long ones."""

from __future__ import annotations

import re

LONGEST = 10_000
"""Characters of a text that are shown; the middle of a longer one is left out."""

# All repetitions are bounded or can't fail, so that no text, however it was made, takes long.
_SECRET = re.compile(
    r"""(?ix)
    (?P<name>(?:password|passwd|secret|token|credential|api[_.-]?key|access[_.-]?key|jaas[_.-]?config)[\w.-]{0,40})
    (?P<sign>["']?\s{0,4}[:=]\s{0,4})
    (?P<value>"[^"]{0,4096}"|'[^']{0,4096}'|[^\s,;&)}\]]+)"""
)
_AUTHORIZATION = re.compile(r"(?i)(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(\w{1,20}\s{1,4})?[^\s\"',;]+")
_BEARER = re.compile(r"(?i)\b(bearer)\s{1,4}[\w.~+/=-]{16,}")
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")
_ESCAPES = {code: f"\\x{code:02x}" for code in [*range(32), 127, *range(0x80, 0xA0)]} | {9: " ", 10: "\n", 13: "\\r"}


def redacted(text: str) -> str:
    """The text with passwords, tokens and the like masked: errors of clients quote their configuration.

    Examples
    --------
    >>> redacted("can't connect: sasl.password=hunter2, to kafka://me:hunter2@broker:9092")
    "can't connect: sasl.password=***, to kafka://***@broker:9092"
    """
    if len(text) > LONGEST:
        left_out = f" [{len(text) - LONGEST:,} characters] "
        text = text[: LONGEST // 2] + left_out + text[-LONGEST // 2 :]
    text = _SECRET.sub(r"\g<name>\g<sign>***", text)
    text = _AUTHORIZATION.sub(r"\1***", text)
    return _USER_OF_URL.sub("***@", _BEARER.sub(r"\1 ***", text))


def printable(text: str) -> str:
    """The text with control characters escaped, but for line ends: it can't steer a terminal.

    Examples
    --------
    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return text.translate(_ESCAPES)
