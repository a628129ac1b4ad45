"""Figures as SVG within a page: they take the page's colours and font, so that they suit light, dark and paper."""

from __future__ import annotations

import re
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from ..plot import COLOURS, DRIFT, GREY
from ..plot_comparison import INK
from .markup import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What the drawings are coloured with, and the page's variables that take its place; see style.css.
VARIABLES = {
    **{colour.lower(): f"var(--c{i})" for i, colour in enumerate(COLOURS)},
    INK: "var(--ink)",
    GREY: "var(--soft)",
    DRIFT: "var(--soft)",
    "#3c4043": "var(--soft)",
    "#e3e5e8": "var(--grid)",
    "#d5d8dc": "var(--track)",
    "#9aa0a6": "var(--track)",
    "#ffffff": "var(--paper)",
}


def inline(drawn: Figure, description: str, number: int) -> Markup:
    """A figure as an ``<svg>`` element.

    Parameters
    ----------
    drawn
    description
        What a reader who can't see it is told.
    number
        Of the figure on its page: names within it must not meet those of another.
    """
    import matplotlib

    drawn.get_layout_engine().set(w_pad=0.02, h_pad=0.03)  # type: ignore[union-attr,call-arg]
    written = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"figure {number}"}):
        drawn.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = written.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), body)
    body = re.sub(r"#[0-9a-f]{6}\b", lambda found: VARIABLES.get(found[0], found[0]), body)
    body = re.sub(r"(font: [^';]*?px )[^;\"]*", r"\1var(--font)", body)
    body = _named_apart(body, f"f{number}-")
    body = re.sub(r"\s*\n\s*", "\n", body)
    label = escape(description, quote=True)
    return Markup(f'<svg {view[0] if view else ""} role="img" aria-label="{label}">{body}')


def _named_apart(body: str, prefix: str) -> str:
    """Drop names that nothing refers to, and put ``prefix`` before the others."""
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", body)
    return re.sub(r'(url\(#|href="#)', rf"\1{prefix}", body)
