"""What the sections of a report are made of: tables, figures, the names of learners in their colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..metrics import METRICS
from ..plot import COLOURS, colours_of
from ..table import Column
from .markup import Markup, join, tag
from .svg import inline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BRIEF = 14  # characters of a column's title up to which it stays on one line


class Parts:
    """Makes them, with one colour for each learner, and with numbered figures.

    Parameters
    ----------
    labels
        Of the learners.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.colours = colours_of(labels)
        self._figures = 0
        longest_first = sorted(filter(None, labels), key=len, reverse=True)
        self._named = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)")

    def learner(self, label: str) -> Markup:
        """A learner's name after a dot of its colour."""
        colour = COLOURS.index(self.colours[label])
        dot = tag("span", class_="dot", style=f"--own:var(--c{colour})", aria_hidden="true")
        breakable = [part for word in label.split("_") for part in ("_", tag("wbr"), word)][2:]
        return join(dot, *breakable)

    def sentences(self, text: str) -> Markup:
        """Text in which the learners' names stand out."""
        return join(*(tag("b", part) if part in self.colours else part for part in self._named.split(text)))

    def legend(self) -> Markup:
        """All learners with their colours."""
        return tag("ul", *(tag("li", self.learner(label)) for label in self.colours), class_="legend")

    def figure(self, drawn: Figure, description: str, caption: str | None = None) -> Markup:
        """A picture; ``description`` is for readers who can't see it."""
        self._figures += 1
        picture = inline(drawn, description, self._figures)
        return tag("figure", _wide(picture, description), None if caption is None else tag("figcaption", caption))

    def table(self, columns: Sequence[Column], caption: str) -> Markup:
        """A table whose first column names its rows; names of learners are shown in their colours."""
        first, *others = columns
        head = [tag("th", column.title, scope="col", class_=_kind_of_title(column)) for column in columns]
        rows = []
        for i in range(len(first.cells)):
            cells = [tag("td", self._cell(column, i), class_=self._kind(column, i)) for column in others]
            rows.append(tag("tr", tag("th", self._cell(first, i), scope="row"), *cells))
        body = tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *rows))
        return _wide(body, caption)

    def _cell(self, column: Column, row: int) -> str:
        text = column.cells[row]
        return self.learner(text) if column.is_text and text in self.colours else text

    def _kind(self, column: Column, row: int) -> str | None:
        if row in column.best:
            return "best"
        if not column.is_text:
            return None
        return "name" if column.cells[row] in self.colours else "text"

    def matrix(self, counts: np.ndarray, names: Sequence[str], caption: str) -> Markup:
        """A confusion matrix, each row in percent of its true class."""
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0.0)
        head = tag("tr", tag("th", "true \\ predicted", scope="col"), *(tag("th", name, scope="col") for name in names))
        rows = []
        for name, row, weights in zip(names, shares.tolist(), counts.tolist(), strict=True):
            cells = [
                tag("td", f"{100 * share:.1f}" if weight else "", style=f"--share:{share:.3f}", title=f"{weight:,.6g}")
                for share, weight in zip(row, weights, strict=True)
            ]
            rows.append(tag("tr", tag("th", name, scope="row"), *cells))
        body = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_="matrix")
        return _wide(body, caption)


def more(summary: str, *children: str | None) -> Markup:
    """What is shown when a reader asks for it."""
    return tag("details", tag("summary", summary), *children)


def in_percent(metric: str) -> str:
    """What follows a metric's title where its values are shown in percent."""
    return " in %" if METRICS[metric].percent else ""


def _kind_of_title(column: Column) -> str | None:
    kinds = ["text"] if column.is_text else []
    return " ".join([*kinds, *(["long"] if len(column.title) > BRIEF else [])]) or None


def _wide(content: Markup, label: str) -> Markup:
    """What may be wider than the page, and is then scrolled, also by keys."""
    return tag("div", content, class_="wide", tabindex="0", role="group", aria_label=label)
