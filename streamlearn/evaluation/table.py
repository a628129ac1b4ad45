"""Tables of results: columns of text, as plain lines, for the terminal, and cut to its width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 200  # of a table that no terminal shows


class Column(NamedTuple):
    """One column: its title, its cells from top to bottom, and which of them are the best."""

    title: str
    cells: list[str]
    is_text: bool = False
    best: frozenset[int] = frozenset()


def as_text(columns: Sequence[Column]) -> list[str]:
    """Lines of a plain table: a heading, a rule, and one line a row."""
    lists = [[column.title, "", *column.cells] for column in columns]
    widths = [max(map(len, cells)) for cells in lists]
    for cells, width in zip(lists, widths, strict=True):
        cells[1] = "-" * width
    lines = []
    for row in zip(*lists, strict=True):
        parts = (
            cell.ljust(width) if column.is_text else cell.rjust(width)
            for column, cell, width in zip(columns, row, widths, strict=True)
        )
        lines.append("  ".join(parts).rstrip())
    return lines


def for_terminal(columns: Sequence[Column], title: str, notes: Sequence[str], width: int | None) -> Table:
    """A table for the terminal; the best cells are bold.

    Columns at the right that don't fit into ``width`` characters (None: any number) are left out, and a note names
    them.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown, left_out = _fitting(columns, width)
    notes = [*notes, *([f"Too wide to show: {', '.join(left_out)}."] if left_out else [])]
    table = Table(
        title=title,
        caption="\n".join(notes) or None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in shown:
        justify: Literal["left", "right"] = "left" if column.is_text else "right"
        table.add_column(Text(column.title), justify=justify, no_wrap=not column.is_text, overflow="fold")
    for i in range(len(columns[0].cells)):
        table.add_row(*(Text(column.cells[i], style="bold" if i in column.best else "") for column in shown))
    return table


def rendered(table: Table) -> str:
    """A table for the terminal as plain text, for files and pipes."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    Console(file=text, width=WIDTH).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())


def _fitting(columns: Sequence[Column], width: int | None) -> tuple[Sequence[Column], list[str]]:
    """The columns that fit into ``width`` characters, at least two of them, and the titles of the others.

    A long text may be folded, so it claims no more than a third of the width.
    """
    shown, used = 0, 0
    for column in columns:
        needed = max(map(len, [column.title, *column.cells]))
        used += 3 + (min(needed, width // 3) if width is not None and column.is_text else needed)
        if width is not None and used > width and shown >= 2:
            break
        shown += 1
    return columns[:shown], [column.title for column in columns[shown:]]


def best_of(values: Sequence[float], *, higher_is_better: bool) -> frozenset[int]:
    """Which of several values are the best; none where there is but one."""
    goodness = [value if higher_is_better else -value for value in values]
    top = max((value for value in goodness if not math.isnan(value)), default=math.nan)
    return frozenset(i for i, value in enumerate(goodness) if value == top) if len(values) > 1 else frozenset()


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def format_count(value: float) -> str:
    """A number of things, or nothing where it is not known."""
    return "" if math.isnan(value) else f"{value:,.0f}"


def format_setting(value: Any) -> str:
    """A setting's value, numbers with thousands set apart."""
    return f"{value:,}" if is_number(value) else str(value)


def format_fact(value: Any) -> str:
    """What a learner says about itself; means over seeds with one decimal."""
    if value is None:
        return ""
    return f"{value:,.1f}" if isinstance(value, float) else format_setting(value)


def format_ram_hours(value: float) -> str:
    """Gigabytes times hours, or nothing where they are not known.

    Examples
    --------
    >>> format_ram_hours(0.0000012345)
    '1.2e-06'
    """
    return "" if math.isnan(value) else f"{value:.1e}"


def format_size(size: float | None) -> str:
    """Bytes in the unit that suits them, or nothing where they are not known.

    Examples
    --------
    >>> format_size(820), format_size(51_300), format_size(None)
    ('820 B', '51.3 kB', '')
    """
    if size is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000.0 or unit == "GB":
            break
        size /= 1000.0
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
