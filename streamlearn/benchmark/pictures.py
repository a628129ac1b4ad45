"""The picture of a benchmark that shows accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.plot import GREY, colours_of, figure, head, plain
from ..evaluation.plot_comparison import INK
from .board import Board
from .tables import geometric_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_costs(board: Board, *, colours: Mapping[str, str] | None = None, framed: bool = True) -> Figure:
    """Mean accuracy against speed, and against memory, over the streams that all learners have finished.

    A line joins the learners that none beats in both.
    """
    colours = colours or colours_of(board.present)
    streams = board.complete
    accuracy, speed, memory = {}, {}, {}
    for label in board.present:
        places = [board.places[stream, label] for stream in streams]
        accuracy[label] = 100.0 * float(np.mean([place.mean("accuracy") for place in places]))
        speed[label] = geometric_mean([place.rows_per_second for place in places])
        memory[label] = geometric_mean([place.model_bytes for place in places])
    drawn = figure((10.0, 5.0))
    left, right = drawn.subplots(1, 2, sharey=True)
    _scatter(left, speed, accuracy, colours, more_is_better=True)
    _scatter(right, memory, accuracy, colours, more_is_better=False)
    left.set_xlabel("Rows per second (geometric mean)", fontsize=11)
    right.set_xlabel("Size of the model in bytes (geometric mean of the largest)", fontsize=11)
    left.set_ylabel("Mean accuracy (%)", fontsize=11)
    if framed:
        head(left, f"Accuracy and cost over {len(streams)} streams", "Line: not beaten in both")
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
    axes.set_xscale("log")
    axes.plot([costs[x] for x in front], [accuracy[x] for x in front], color=GREY, linewidth=1.2, zorder=1)
    for label in known:
        axes.plot(costs[label], accuracy[label], "o", color=colours[label], markersize=8, zorder=3)
    axes.margins(x=0.12, y=0.08)
    _name_points(axes, {label: (costs[label], accuracy[label]) for label in known})
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, colors="#3c4043", labelsize=10)
    axes.spines[:].set_visible(False)


def _name_points(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write each label beside its point, at the left of those in the right half, and apart from names nearby."""
    if not points:
        return
    axes.autoscale_view()
    low, high = axes.get_ylim()
    left, right = (math.log10(edge) for edge in axes.get_xlim())
    taken: list[tuple[float, float]] = []
    for label, (x, y) in sorted(points.items(), key=lambda item: -item[1][1]):
        at = (math.log10(x) - left) / (right - left)
        height = (y - low) / (high - low)
        while any(abs(at - other) < 0.35 and abs(height - above) < 0.045 for other, above in taken):
            height -= 0.046
        taken.append((at, height))
        is_right = at > 0.55
        axes.annotate(
            plain(label),
            (x, y),
            xytext=(-8 if is_right else 8, (height - (y - low) / (high - low)) * 300.0),
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="center",
            fontsize=9,
            color=INK,
        )
