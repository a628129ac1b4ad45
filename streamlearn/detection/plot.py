"""The picture of a detection result: what each detector trades, and its alarms over the rows of each sequence."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from ..evaluation.plot import COLOURS, GREY, check_plotting, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .result import DetectionResult, DetectionRun

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FOUND, FALSE = "#0072B2", "#D55E00"
LINE = 0.2  # inches that a detector's line in a strip takes


def plot_detection(result: DetectionResult, path: str | os.PathLike[str]) -> None:
    """Draw the result (see `DetectionResult.plot`)."""
    check_plotting(path)
    if not result.runs:
        raise OptionError("this result has no runs, so there is nothing to draw")
    detectors, streams = result.detectors, result.streams
    strip = LINE * len(detectors) + 0.75
    drawn = figure((10.5, 5.0 + strip * len(streams)))
    above, below = drawn.subfigures(2, 1, squeeze=False, height_ratios=(5.0, strip * len(streams)))[:, 0]
    _draw_trade(above.add_subplot(), result)
    for axes, stream in zip(below.subplots(len(streams), 1, squeeze=False)[:, 0], streams, strict=True):
        _draw_strip(axes, [run for run in result.runs if run.stream == stream], detectors)
    save(drawn, path)


def _draw_trade(axes: Axes, result: DetectionResult) -> None:
    """Mean delay against false alarms; hollow where more than half of the drifts were missed."""
    entries = [entry for entry in result.summary if not math.isnan(entry["delay"])]
    positive = [entry["false_alarms"] for entry in entries if entry["false_alarms"] > 0.0]
    least = min(positive, default=0.1) / 3.0  # where "none" is drawn, on an axis of logarithms
    for i, entry in enumerate(entries):
        place = result.detectors.index(entry["detector"])
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(
            max(entry["false_alarms"], least),
            max(entry["delay"], 1.0),
            marker=MARKERS[place // len(COLOURS) % len(MARKERS)],
            color=colour,
            markerfacecolor=colour if entry["missed"] <= 0.5 else "white",
            markersize=9,
            linestyle="",
            label=f"{entry['detector']} ({entry['found']} of {entry['drifts']})",
            zorder=3 + i,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axis.set_minor_formatter(lambda value, _: f"{value:,.6g}" if f"{value:e}"[0] in "25" else "")
    axes.margins(0.08)
    axes.set_xlabel(f"False alarms per 1,000 rows (none: drawn at {least:.2g})", fontsize=10)
    axes.set_ylabel("Mean delay, rows", fontsize=10)
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("What detectors trade: delay for false alarms", loc="left", fontsize=13, fontweight="bold", pad=22)
    axes.annotate(
        "All streams and seeds. Lower left is better. In brackets: drifts found within "
        f"{result.settings['max_delay']:,} rows; hollow: more than half missed",
        (0, 1),
        xytext=(0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color=GREY,
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)


def _draw_strip(axes: Axes, runs: list[DetectionRun], detectors: list[str]) -> None:
    """The alarms of the first seed: those that found a drift, and false ones; drifts as lines and bands."""
    first = [run for run in runs if run.seed == runs[0].seed]
    for drift in first[0].drifts:
        if drift.width > 1:
            axes.axvspan(drift.row - drift.width / 2, drift.row + drift.width / 2, color="#e8eaed", linewidth=0)
        axes.axvline(drift.row, color="#3c4043", linewidth=1.0, linestyle=(0, (3, 2)))
    for drift in first[0].optional:
        axes.axvline(drift.row, color="#9aa0a6", linewidth=1.0, linestyle=(0, (1, 3)))
    for run in first:
        line = detectors.index(run.detector)
        found = run.score.found[run.score.found >= 0]
        excused = np.setdiff1d(run.alarms, [*found, *run.score.false_alarms])
        for rows, colour, size in ((excused, GREY, 5.0), (run.score.false_alarms, FALSE, 6.0), (found, FOUND, 9.0)):
            axes.plot(rows, np.full(len(rows), line), "|", color=colour, markersize=size, markeredgewidth=1.6)
    axes.set_yticks(range(len(detectors)), detectors, fontsize=8)
    axes.set_ylim(len(detectors) - 0.4, -0.6)
    axes.set_xlim(0, first[0].score.rows)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(length=0, labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color="#eef0f2", linewidth=0.8)
    axes.set_axisbelow(True)
    seed = "" if runs[0].seed is None else f", seed {runs[0].seed}"
    axes.set_title(f"{runs[0].stream}{seed}", loc="left", fontsize=10, fontweight="bold")
    axes.set_title(
        "alarms: blue found a drift, orange are false, grey excused; dashed: drifts",
        loc="right",
        fontsize=8,
        color=GREY,
    )
