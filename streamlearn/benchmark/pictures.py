"""Pictures of a benchmark: learners along a stream, and accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.plot import GREY, colours_of, draw_curves, figure, head, plain
from ..evaluation.plot_comparison import INK, make_logarithmic
from ..evaluation.result import Result, Run
from ..evaluation.table import format_size
from .board import Board
from .tables import geometric_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FAR = 20.0
"""Percent points behind the best from which on a learner may lie below a picture that shows how the others differ."""


def draw_stream(
    result: Result, metric: str = "accuracy", *, size: tuple[float, float], colours: Mapping[str, str], framed: bool
) -> Figure:
    """A metric of every learner along a stream, its drifts marked; those far behind may lie below, and are named."""
    drawn = draw_curves(result, metric, size=size, colours=colours, framed=framed)
    finals = {entry["learner"]: 100.0 * entry[metric] for entry in result.summary}
    best = max((value for value in finals.values() if math.isfinite(value)), default=math.nan)
    near = [label for label, value in finals.items() if value >= best - FAR]
    if not near or len(near) == len(finals):
        return drawn
    windows = np.concatenate([_window(run, metric) for label in near for run in result.runs_of(label)])
    if not windows.size or windows.min() == windows.max():
        return drawn
    low, high = windows.min(), windows.max()
    far = {label: value for label, value in finals.items() if label not in near}
    axes = drawn.axes[0]
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    below = ", ".join(f"{label} {value:.1f}" for label, value in sorted(far.items(), key=lambda item: -item[1]))
    axes.text(
        *(0.01, 0.03),
        plain(f"Far behind, over all rows: {below}"),
        transform=axes.transAxes,
        fontsize=9,
        color=GREY,
        bbox={"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.85, "pad": 2.0},
        zorder=5,
    )
    return drawn


def _window(run: Run, metric: str) -> np.ndarray:
    """The window's values in percent, but for the first ones, when nothing is learned yet."""
    values = 100.0 * run.curve.column(f"{metric}_window").to_numpy()[run.curve.num_rows // 50 :]
    return values[np.isfinite(values)]


def draw_costs(board: Board, *, colours: Mapping[str, str] | None = None, framed: bool = True) -> Figure:
    """Mean accuracy against speed, and against memory, over the streams that all learners have finished.

    A line joins the learners that no other beats in both.
    """
    colours = colours or colours_of(board.present)
    streams = board.complete
    accuracy, speed, memory = {}, {}, {}
    for label in board.present:
        places = [board.places[stream, label] for stream in streams]
        accuracy[label] = 100.0 * float(np.mean([place.mean("accuracy") for place in places]))
        speed[label] = geometric_mean([place.rows_per_second for place in places])
        memory[label] = geometric_mean([place.model_bytes for place in places])
    drawn = figure((11.0, 1.8 + max(3.2, 0.24 * len(accuracy))))
    left, right = drawn.subplots(1, 2, sharey=True)
    _scatter(left, speed, accuracy, colours, more_is_better=True)
    _scatter(right, memory, accuracy, colours, more_is_better=False)
    left.set_xlabel("Rows per second", fontsize=11)
    left.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    right.set_xlabel("Largest model along a stream", fontsize=11)
    right.xaxis.set_major_formatter(lambda value, _: format_size(value).replace(".0 ", " "))
    left.set_ylabel("Mean accuracy (%)", fontsize=11)
    if framed:
        key = "Geometric means of speed and memory · line: learners that no other beats in both"
        head(left, f"Accuracy and cost over {len(streams)} streams", key)
    return drawn


def _scatter(
    axes: Axes,
    costs: Mapping[str, float],
    accuracy: Mapping[str, float],
    colours: Mapping[str, str],
    *,
    more_is_better: bool,
) -> None:
    known = [label for label in costs if math.isfinite(costs[label]) and costs[label] > 0.0]
    order = sorted(known, key=lambda label: costs[label], reverse=more_is_better)
    front: list[str] = []
    for label in order:  # from the cheapest on: each must be more accurate than all before
        if not front or accuracy[label] > accuracy[front[-1]]:
            front.append(label)
    make_logarithmic(axes, [costs[label] for label in known])
    axes.plot([costs[x] for x in front], [accuracy[x] for x in front], color=GREY, linewidth=1.2, zorder=1)
    for label in known:
        axes.plot(costs[label], accuracy[label], "o", color=colours[label], markersize=8, zorder=3)
    axes.margins(x=0.08, y=0.08)
    axes.autoscale_view()
    low, high = axes.get_ylim()
    names = sorted(known, key=lambda label: -accuracy[label])
    heights = _apart([(accuracy[label] - low) / (high - low) for label in names], 1.05 / max(len(names), 18))
    for label, height in zip(names, heights, strict=True):
        axes.annotate(
            plain(label),
            (costs[label], accuracy[label]),
            xytext=(1.05, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9.5,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": colours[label],
                "linewidth": 0.7,
                "alpha": 0.6,
                "relpos": (0.0, 0.5),
            },
        )
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, colors="#3c4043", labelsize=10)
    axes.spines[:].set_visible(False)


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Heights from the top down, moved so that neighbours are ``gap`` apart, as little as that needs."""
    placed: list[float] = []
    for height in heights:
        placed.append(min(height, placed[-1] - gap) if placed else height)
    below = -placed[-1] if placed and placed[-1] < 0.0 else 0.0
    return [height + below for height in placed]
