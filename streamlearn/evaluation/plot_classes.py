"""Pictures of single classes along a stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from .plot import COLOURS, figure, head, mark_drifts, plain, save, short, style_curves, thinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .result import Result, Run

SCORES = {"recall": "support", "precision": "predicted", "f1": "support"}  # and the weight without which there is none
MOST = 2 * len(COLOURS)  # classes: solid lines in each colour, then dashed ones
POINTS = 200  # along a line: a report holds a picture for each learner and stream


def plot_classes(result: Result, path: str | os.PathLike[str], label: str | None = None, score: str = "recall") -> None:
    """Draw one score of each class over the sliding window, along the stream, for one learner.

    Parameters
    ----------
    result
    path
        Ends in .png, .svg or .pdf.
    label
        The learner; default the first. Of several seeds the mean is drawn.
    score : "recall", "precision" or "f1"
        A line has a gap where the window has no rows of the class (for precision: no predictions of it). Of more than
        14 classes those with the most rows are drawn.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If there is no such learner, score or curve of classes, or the suffix is unknown.
    """
    save(draw_classes(result, label, score), path)


def draw_classes(
    result: Result,
    label: str | None = None,
    score: str = "recall",
    *,
    size: tuple[float, float] = (9.0, 5.0),
    framed: bool = True,
) -> Figure:
    """The figure of `plot_classes`; ``size`` and ``framed`` as in `draw_curves`."""
    if score not in SCORES:
        raise OptionError(f"score is {score!r}: use one of {', '.join(SCORES)}")
    if not result.runs:
        raise OptionError("this result has no runs, so there is nothing to draw")
    runs = result.runs_of(result.labels[0] if label is None else label)
    if any(run.class_curve is None or not run.per_class for run in runs):
        raise OptionError(f"{runs[0].label!r} has no curves of classes: classifiers have them, once a class occurs")
    title = score.capitalize()
    drawn = figure(size)
    axes = drawn.add_subplot()
    for i, code in enumerate(_largest(runs)):
        rows, values = _mean_curve(runs, code, score)
        axes.plot(
            rows,
            100.0 * values,
            color=COLOURS[i % len(COLOURS)],
            linestyle="-" if i < len(COLOURS) else (0, (4, 2)),
            linewidth=1.4,
            marker="o" if len(rows) == 1 else None,
            label=short(str((runs[0].classes or [])[code])),
        )
    style_curves(axes, f"{title} (%)")
    mark_drifts(axes, result)
    drawn.legend(loc="outside right upper", frameon=False, fontsize=9, title="Class")
    if framed:
        window = result.settings.get("window")
        recent = f"last {window:,} rows" if isinstance(window, int) else "sliding window"
        head(axes, f"{plain(result.stream)}: {short(runs[0].label)}", f"{title} of each class, {recent}")
    return drawn


def _largest(runs: list[Run]) -> list[int]:
    """Codes of the classes with the most rows among those that have curves, in the order of the codes."""
    codes = {code for run in runs if run.class_curve for code in run.class_curve.column("class").to_pylist()}
    support = [entry["support"] for entry in max((run.per_class or [] for run in runs), key=len)]
    return sorted(sorted(codes, key=lambda code: (-support[code], code))[:MOST])


def _mean_curve(runs: list[Run], code: int, score: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and the mean over the runs of a class's score there; NaN where one of them has none."""
    rows = thinned(runs[0].curve.column("row").to_numpy(), POINTS)
    values = np.full((len(runs), len(rows)), np.nan)
    for run, own in zip(runs, values, strict=True):
        assert run.class_curve is not None
        columns = {name: run.class_curve.column(name).to_numpy() for name in ("row", "class", score, SCORES[score])}
        wanted = (columns["class"] == code) & (columns[SCORES[score]] > 0.0) & np.isin(columns["row"], rows)
        own[np.searchsorted(rows, columns["row"][wanted])] = columns[score][wanted]
    return rows, values.mean(axis=0)
