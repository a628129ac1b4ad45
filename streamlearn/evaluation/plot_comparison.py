"""Pictures of learners over several streams: the critical-difference diagram, and the scores on each stream."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .metrics import METRICS
from .plot import GREY, colours_of, figure, plain, save, short
from .statistics import cliques

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .comparison import Comparison

INK = "#202124"
LONGEST = 34  # characters of a label beside the diagram


def plot_critical_difference(
    comparison: Comparison, path: str | os.PathLike[str], metric: str | None = None, alpha: float = 0.05
) -> None:
    """Draw the learners' mean ranks on a line, and join with a bar those that Nemenyi's test does not tell apart.

    Parameters
    ----------
    comparison
        Of at least two learners.
    path
        Ends in .png, .svg or .pdf.
    metric
        Default: the first one.
    alpha
        Level of the test.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If there is one learner only, the metric was not measured, or the suffix is unknown.

    Notes
    -----
    Demšar (2006), Figure 1, with the best rank at the left.
    """
    save(draw_critical_difference(comparison, metric, alpha), path)


def draw_critical_difference(
    comparison: Comparison,
    metric: str | None = None,
    alpha: float = 0.05,
    *,
    colours: Mapping[str, str] | None = None,
    framed: bool = True,
) -> Figure:
    """The figure of `plot_critical_difference`."""
    difference = comparison.critical_difference(alpha)
    ranks = comparison.mean_ranks(metric)
    colours = colours or colours_of(comparison.labels)
    bars = cliques(list(ranks.values()), difference)
    left = math.ceil(len(ranks) / 2)
    depth = 0.55 + 0.28 * len(bars)  # from the axis to the first label
    drawn = figure((9.0, 1.35 + 0.32 * (left + len(bars) * 0.8) + (0.5 if framed else 0.0)))
    axes = drawn.add_subplot()
    axes.set_axis_off()
    k = len(ranks)
    span = k - 1.0
    axes.set_xlim(1.0 - 0.62 * span, k + 0.62 * span)
    axes.set_ylim(-(depth + 0.62 * (left - 1) + 0.4), 1.55)
    _draw_axis(axes, k, difference)
    for i, (label, rank) in enumerate(ranks.items()):
        at_left = i < left
        level = -(depth + 0.62 * (i if at_left else k - 1 - i))
        edge = 1.0 - 0.06 * span if at_left else k + 0.06 * span
        axes.plot([rank, rank, edge], [0.0, level, level], color=colours[label], linewidth=1.3, solid_joinstyle="miter")
        axes.plot([rank], [0.0], "o", color=colours[label], markersize=5, zorder=4)
        text = _clipped(label)
        name = f"{text}\u2002{rank:.2f}" if at_left else f"{rank:.2f}\u2002{text}"
        shift = -0.02 * span if at_left else 0.02 * span
        axes.text(edge + shift, level, name, ha="right" if at_left else "left", va="center", fontsize=10, color=INK)
    for i, group in enumerate(bars):
        values = [list(ranks.values())[j] for j in group]
        y = -0.3 - 0.28 * i
        axes.plot(
            [min(values) - 0.02 * span, max(values) + 0.02 * span],
            [y, y],
            color=INK,
            linewidth=4,
            solid_capstyle="round",
            zorder=3,
        )
    if framed:
        streams = len(comparison.streams)
        title = METRICS[comparison.metrics[0] if metric is None else metric].title
        axes.set_title(
            f"{title}: mean ranks over {streams} streams", loc="left", fontsize=13, fontweight="bold", pad=24
        )
        key = f"Bars join learners that Nemenyi's test does not tell apart (α = {alpha:g})"
        axes.annotate(
            key, (0, 1), xytext=(0, 8), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=GREY
        )
    return drawn


def _draw_axis(axes: Axes, k: int, difference: float) -> None:
    """The line of ranks, the best at the left, and above it the critical difference to scale."""
    axes.plot([1, k], [0, 0], color=INK, linewidth=1.2)
    for rank in range(1, k + 1):
        axes.plot([rank, rank], [0, 0.16], color=INK, linewidth=1.0)
        axes.text(rank, 0.24, str(rank), ha="center", va="bottom", fontsize=10, color=INK)
    axes.text(1 - 0.06 * (k - 1), 0.0, "best", ha="right", va="center", fontsize=9, color=GREY)
    axes.text(k + 0.06 * (k - 1), 0.0, "worst", ha="left", va="center", fontsize=9, color=GREY)
    shown = min(difference, k - 1.0)
    note = "" if difference <= k - 1 else ", wider than the scale"
    axes.plot([1, 1 + shown], [1.12, 1.12], color=GREY, linewidth=1.6)
    for end in (1.0, 1 + shown)[: 1 if note else 2]:
        axes.plot([end, end], [1.0, 1.24], color=GREY, linewidth=1.6)
    axes.text(
        1 + shown + 0.02 * (k - 1),
        1.12,
        f"critical difference {difference:.2f}{note}",
        ha="left",
        va="center",
        fontsize=9,
        color=GREY,
    )


def plot_scores(comparison: Comparison, path: str | os.PathLike[str], metric: str | None = None) -> None:
    """Draw each learner's score on each stream as a dot, a line a stream.

    Parameters
    ----------
    comparison
    path
        Ends in .png, .svg or .pdf.
    metric
        Default: the first one.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If the metric was not measured, or the suffix is unknown.
    """
    save(draw_scores(comparison, metric), path)


def draw_scores(
    comparison: Comparison,
    metric: str | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    framed: bool = True,
) -> Figure:
    """The figure of `plot_scores`."""
    name = comparison.metrics[0] if metric is None else metric
    scores = comparison.scores(name) * (100.0 if METRICS[name].percent else 1.0)
    title = METRICS[name].title + (" (%)" if METRICS[name].percent else "")
    drawn = draw_dots(
        dict(zip(comparison.labels, scores.T.tolist(), strict=True)),
        comparison.streams,
        title,
        colours=colours or colours_of(comparison.labels),
    )
    if framed:
        axes = drawn.axes[0]
        axes.set_title("Scores on each stream", loc="left", fontsize=13, fontweight="bold", pad=10)
        drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return drawn


def draw_dots(
    values: Mapping[str, Sequence[float]],
    rows: Sequence[str],
    title: str,
    *,
    colours: Mapping[str, str],
    log: bool = False,
) -> Figure:
    """A dot for each learner in each row, the rows one below the other, joined by a line from the least to the most.

    Parameters
    ----------
    values
        By label, one for each row; NaN is left out.
    rows
        Their names.
    title
        Of the axis.
    colours
        By label.
    log
        Whether the axis is logarithmic.
    """
    drawn = figure((9.0, 0.95 + 0.34 * len(rows)))
    axes = drawn.add_subplot()
    for y in range(len(rows)):
        finite = [column[y] for column in values.values() if math.isfinite(column[y])]
        if finite:
            axes.plot([min(finite), max(finite)], [y, y], color="#d5d8dc", linewidth=2.5, zorder=1)
    for label, column in values.items():
        axes.plot(
            column,
            range(len(rows)),
            "o",
            color=colours[label],
            markersize=8,
            markeredgecolor="white",
            markeredgewidth=0.8,
            label=short(label),
            zorder=3,
        )
    if log:
        make_logarithmic(axes, [value for column in values.values() for value in column if value > 0.0])
    axes.set_yticks(range(len(rows)), [_clipped(row) for row in rows], fontsize=10)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(title, fontsize=11)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.6g}")
    axes.grid(axis="x", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0, colors="#3c4043", labelsize=10)
    axes.spines[:].set_visible(False)
    return drawn


def make_logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Mark the powers of ten, and where they are few, also their double and fivefold."""
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    axes.minorticks_off()
    narrow = bool(values) and max(values) < 300.0 * min(values)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))


def _clipped(text: str) -> str:
    return plain(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
