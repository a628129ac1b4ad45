"""The reliability diagram: how often learners are right, by how sure they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from .plot import GREY, colours_of, figure, head, plain, save, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result, Run

RARE = 0.001  # of all rows: a bin with fewer of them would show an accident
KEY = "Below the dashed line a learner is too sure · larger dots: more rows"


def plot_calibration(result: Result, path: str | os.PathLike[str], label: str | None = None) -> None:
    """Draw how often each learner's most probable class is the true one, by its probability, over the whole stream.

    Parameters
    ----------
    result
    path
        Ends in .png, .svg or .pdf.
    label
        One learner; default all of them. Runs with several seeds are added up.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If there is no such learner, nothing was measured, or the suffix is unknown.
    """
    save(draw_calibration(result, label), path)


def draw_calibration(
    result: Result,
    label: str | None = None,
    *,
    size: tuple[float, float] = (6.4, 6.4),
    colours: Mapping[str, str] | None = None,
    framed: bool = True,
) -> Figure:
    """The figure of `plot_calibration`; the parameters as in `draw_curves`."""
    labels = result.labels if label is None else (label,)
    bins = {name: summed_bins(result.runs_of(name)) for name in labels}
    if not any(map(len, bins.values())):
        raise OptionError("no calibration was measured: evaluate with the metric calibration_error, brier or roc_auc")
    drawn = figure(size)
    axes = drawn.add_subplot()
    colours = colours or colours_of(result.labels)
    axes.plot((0.0, 100.0), (0.0, 100.0), color=GREY, linewidth=1.0, linestyle=(0, (5, 2.5)), zorder=1)
    for name, own in bins.items():
        if len(own):
            _draw_learner(axes, own, short(name), colours[name])
    _style(axes)
    if framed:
        head(axes, f"{plain(result.stream)}: calibration", KEY)
        drawn.legend(loc="outside lower center", ncols=min(3, len(labels)), frameon=False, fontsize=10)
    return drawn


def summed_bins(runs: list[Run]) -> np.ndarray:
    """The runs' bins added up: weight, confidence and accuracy, float64 ``[bins, 3]``, from low to high."""
    sums: dict[float, np.ndarray] = {}
    for entry in (entry for run in runs for entry in run.calibration or ()):
        weight = entry["weight"]
        row = np.array([weight, weight * entry["confidence"], weight * entry["accuracy"]])
        sums[entry["low"]] = sums.get(entry["low"], 0.0) + row
    totals = np.array([sums[low] for low in sorted(sums)]).reshape(-1, 3)
    return np.column_stack([totals[:, 0], totals[:, 1:] / totals[:, :1]])


def _draw_learner(axes: Axes, bins: np.ndarray, label: str, colour: str) -> None:
    weight, confidence, accuracy = bins[bins[:, 0] >= RARE * bins[:, 0].sum()].T
    axes.plot(100.0 * confidence, 100.0 * accuracy, color=colour, linewidth=1.6, label=label, zorder=2)
    area = 8.0 + 250.0 * weight / weight.sum()
    axes.scatter(
        100.0 * confidence, 100.0 * accuracy, s=area, color=colour, alpha=0.75, linewidth=0, clip_on=False, zorder=3
    )


def _style(axes: Axes) -> None:
    axes.set_xlim(-2.0, 102.0)
    axes.set_ylim(-2.0, 102.0)
    axes.set_xlabel("Probability of the predicted class (%)", fontsize=11)
    axes.set_ylabel("How often it was right (%)", fontsize=11)
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
