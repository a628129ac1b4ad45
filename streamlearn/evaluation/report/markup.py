"""HTML that is made of nested calls, in which every text is escaped unless it is markup already."""

from __future__ import annotations

from html import escape

VOID = frozenset({"meta", "wbr"})


class Markup(str):
    """Text that is HTML, and goes into a page as it is."""

    __slots__ = ()


def tag(element: str, /, *children: str | None, **attributes: str | bool | None) -> Markup:
    """An element; a child that is None, and an attribute that is None or False, is left out.

    A trailing underscore in an attribute's name is dropped and others become hyphens: ``class_``, ``aria_label``.

    Examples
    --------
    >>> tag("p", "a < b, ", tag("b", "or not"), class_="note")
    '<p class="note">a &lt; b, <b>or not</b></p>'
    """
    shown = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in VOID:
        return Markup(f"<{element}{shown}>")
    return Markup(f"<{element}{shown}>{join(*children)}</{element}>")


def join(*parts: str | None) -> Markup:
    """Parts one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts if part is not None))


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
