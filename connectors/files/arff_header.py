"""Reads the header of an ARFF file: the attributes, their kinds and the categories they declare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

QUOTED = r"'(?:[^'\\]|\\.)*'" + r'|"(?:[^"\\]|\\.)*"'
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|[^\s{{'\"]+)\s*(.*)", re.IGNORECASE)
CATEGORY = re.compile(rf"\s*({QUOTED}|[^,}}'\"]*?)\s*([,}}])")
DATE = re.compile(rf"date\s*({QUOTED}|[^%\s]*)", re.IGNORECASE)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
DATE_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
DEFAULT_DATE = "yyyy-MM-dd'T'HH:mm:ss"


class Attribute(NamedTuple):
    """One column of an ARFF file.

    Attributes
    ----------
    name : str
    kind : "numeric", "nominal", "string" or "date"
    categories : tuple of str
        Of a nominal attribute, in the declared order.
    date_format : str
        Of a date, as ``strptime`` writes it.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    date_format: str = ""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of the column that readers give."""
        if self.kind == "nominal":
            return pa.dictionary(pa.int32(), pa.string())
        return {"numeric": pa.float64(), "string": pa.string(), "date": pa.timestamp("us")}[self.kind]


def attributes(lines: Sequence[str]) -> list[Attribute]:
    """The attributes that the lines before ``@data`` declare.

    Raises
    ------
    ValueError
        If a line is not understood; the message quotes it.
    """
    found = []
    for line in filter(None, map(str.strip, lines)):
        keyword = line.split(maxsplit=1)[0].lower()
        if keyword == "@attribute":
            found.append(parse_attribute(line))
        elif keyword != "@relation":
            raise ValueError(f"expected @relation, @attribute or @data, got {line[:80]!r}")
    return found


def parse_attribute(line: str) -> Attribute:
    """The attribute that one line declares.

    Raises
    ------
    ValueError
        If the line is not understood or the kind is not supported.

    Examples
    --------
    >>> parse_attribute("@ATTRIBUTE 'wind speed' REAL  % knots")
    Attribute(name='wind speed', kind='numeric', categories=(), date_format='')
    >>> parse_attribute("@attribute class {UP, 'far down'}").categories
    ('UP', 'far down')
    """
    match = ATTRIBUTE.match(line)
    if match is None:
        raise ValueError(f"expected '@attribute NAME KIND', got {line[:80]!r}")
    name, kind = unquoted(match[1]), match[2]
    if kind.startswith("{"):
        return Attribute(name, "nominal", _categories(name, kind))
    word = re.split(r"[\s%'\"]", kind, maxsplit=1)[0].lower()
    if word in ("numeric", "real", "integer"):
        return Attribute(name, "numeric")
    if word == "string":
        return Attribute(name, "string")
    if word == "date":
        date = DATE.match(kind)
        return Attribute(name, "date", date_format=_strptime(name, date[1] if date else ""))
    raise ValueError(
        f"attribute {name!r}: kind {word!r} is not supported; known are numeric, real, integer, string, date, {{a,b,…}}"
    )


def unquoted(text: str) -> str:
    """The text without its quotes and escapes, if it is quoted."""
    if text[:1] not in ("'", '"'):
        return text
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text[1:-1])


def _categories(name: str, kind: str) -> tuple[str, ...]:
    found: list[str] = []
    end, closed = 1, False
    while not closed:
        match = CATEGORY.match(kind, end)
        if match is None:
            raise ValueError(
                f"attribute {name!r}: its list of categories is not understood at {kind[end : end + 40]!r}"
            )
        category, end, closed = unquoted(match[1]), match.end(), match[2] == "}"
        if category in found:
            raise ValueError(f"attribute {name!r}: category {category!r} is declared twice")
        found.append(category)
    return tuple(found)


def _strptime(name: str, quoted: str) -> str:
    """Java's date format as ``strptime`` writes it."""
    pattern = unquoted(quoted) or DEFAULT_DATE
    parts = re.findall(r"'([^']*)'|([A-Za-z]+)|([^A-Za-z'])", pattern)
    unknown = [letters for _, letters, _ in parts if letters and letters not in (*DATE_LETTERS, "T")]
    if unknown:
        raise ValueError(
            f"attribute {name!r}: date format {pattern!r} has {unknown[0]!r}; supported are {', '.join(DATE_LETTERS)}"
        )
    return "".join(literal or DATE_LETTERS.get(letters, letters) or other for literal, letters, other in parts)
