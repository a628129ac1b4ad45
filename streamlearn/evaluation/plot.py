"""Pictures of a result: metrics over the stream, and a confusion matrix with its per-class scores.

Drawn with matplotlib's figure objects alone: no pyplot, so neither a display nor global state is touched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingExtraError, OptionError
from .metrics import METRICS, SUFFIX, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result, Run

# Okabe and Ito (2008), told apart with every common kind of colour blindness; their yellow is too pale for a thin line.
# From the eighth on, what is left of Tol's muted scheme (2021): pictures of so many learners need their legend.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#999933", "#332288", "#8C6D46", "#7F7F7F"),
)
GREY = "#5f6368"
DRIFT = "#80868b"
UNDATED: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
POINTS = 800  # of a line
CROWDED = 5  # learners from which on a curve over all rows so far would be one line too many
LABEL = 80  # characters of a learner's label that are shown
NUMBERED = 12  # classes up to which each cell of a confusion matrix shows its number
NAMED = 40  # classes up to which each one is named on the axes


def plot_curves(result: Result, path: str | os.PathLike[str], metric: str | None = None) -> None:
    """Draw a metric over the stream: each learner's window solid, its cumulative value dashed (of up to four learners).

    Of several seeds the mean is drawn, and a band of one standard deviation around the window's mean.

    Parameters
    ----------
    result
    path
        Ends in .png, .svg or .pdf.
    metric
        Default: the first one of the result.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If the metric was not measured, or the suffix is unknown.
    """
    save(draw_curves(result, metric), path)


def draw_curves(
    result: Result,
    metric: str | None = None,
    *,
    size: tuple[float, float] = (9.0, 5.0),
    colours: Mapping[str, str] | None = None,
    framed: bool = True,
) -> Figure:
    """The figure of `plot_curves`; known changes of concept are marked, each by a line, or by a band as wide as it is.

    Parameters
    ----------
    result, metric
        As in `plot_curves`.
    size
        Inches.
    colours
        By label, where other pictures share them.
    framed
        Whether the figure has its title and legend; a page that shows several pictures has its own.
    """
    if not result.runs:
        raise OptionError("this result has no runs, so there is nothing to draw")
    name = result.metrics[0] if metric is None else metric
    if name not in result.metrics:
        raise OptionError(f"metric {name!r} was not measured: use one of {', '.join(result.metrics)}")
    drawn = figure(size)
    axes = drawn.add_subplot()
    colours = colours or colours_of(result.labels)
    for label in result.labels:
        _draw_learner(axes, result.runs_of(label), name, colours[label], overall=len(result.labels) < CROWDED)
    style_curves(axes, METRICS[name].title + (" (%)" if METRICS[name].percent else ""))
    mark_drifts(axes, result)
    if framed:
        head(axes, plain(result.stream), curves_key(result))
        drawn.legend(loc="outside lower center", ncols=_legend_columns(result.labels), frameon=False, fontsize=10)
    return drawn


def plot_confusion(result: Result, path: str | os.PathLike[str], label: str | None = None) -> None:
    """Draw one learner's confusion matrix, each row in percent of its true class, beside the scores of each class.

    Parameters
    ----------
    result
    path
        Ends in .png, .svg or .pdf.
    label
        The learner; default the first. Its runs with several seeds are added up.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If there is no such learner or no confusion matrix, or the suffix is unknown.
    """
    save(draw_confusion(result, label), path)


def draw_confusion(result: Result, label: str | None = None) -> Figure:
    """The figure of `plot_confusion`."""
    if not result.runs:
        raise OptionError("this result has no runs, so there is nothing to draw")
    runs = result.runs_of(result.labels[0] if label is None else label)
    counts = summed_confusion(runs)
    names = [plain(str(name)) for name in max((run.classes or [] for run in runs), key=len)]
    side = min(max(0.55 * len(names), 3.0), 7.5)
    drawn = figure((side + 5.0, side + 1.6))
    matrix, scores = drawn.subplots(1, 2, sharey=True, width_ratios=(side, 2.6))
    _draw_matrix(matrix, counts, names)
    _draw_scores(scores, runs, names)
    seeds = f", {len(runs)} runs added up" if len(runs) > 1 else ""
    head(
        matrix,
        f"{plain(result.stream)}: {short(runs[0].label)}",
        f"Predictions in percent of each true class, whole stream{seeds}",
    )
    return drawn


def check_plotting(path: str | os.PathLike[str]) -> None:
    """Make sure, before long work, that a picture can be drawn to ``path``.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    OptionError
        If the suffix is unknown.
    """
    if Path(path).suffix.lower() not in UNDATED:
        raise OptionError(f"can't draw {os.fspath(path)!r}: end the name in one of {', '.join(UNDATED)}")
    figure((1.0, 1.0))


def figure(size: tuple[float, float]) -> Figure:
    """An empty figure of ``size`` inches.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plot", "drawing a result") from error
    return Figure(figsize=size, layout="constrained", facecolor="white")


def save(drawn: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, SVG or PDF by the suffix of ``path``; without the date, so that equal ones stay equal."""
    check_plotting(path)
    drawn.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr,call-arg]
    drawn.savefig(path, dpi=160, metadata=UNDATED[Path(path).suffix.lower()])


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each learner; from the thirteenth on they repeat."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}


def plain(text: str) -> str:
    """Text that matplotlib shows as it is, without taking dollars for mathematics."""
    return text.replace("$", r"\$")


def head(axes: Axes, title: str, subtitle: str) -> None:
    """Title and key of a picture that stands alone."""
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=24)
    axes.annotate(
        subtitle, (0, 1), xytext=(0, 8), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=GREY
    )


# -- curves ------------------------------------------------------------------------------------------------------------


def _draw_learner(axes: Axes, runs: list[Run], name: str, colour: str, *, overall: bool) -> None:
    """Add one learner's two lines, or the one of the window, each the mean over its seeds."""
    rows = thinned(runs[0].curve.column("row").to_numpy())
    recent = _stacked(runs, rows, name, "window")
    marker = "o" if len(rows) == 1 else None  # a line needs two points
    axes.plot(
        rows, recent.mean(axis=0), color=colour, linewidth=1.6, marker=marker, label=short(runs[0].label), zorder=3
    )
    if overall:
        so_far = _stacked(runs, rows, name, "cumulative").mean(axis=0)
        axes.plot(rows, so_far, color=colour, linewidth=1.1, linestyle=(0, (5, 2.5)), alpha=0.85, zorder=2)
    if len(runs) > 1:
        spread = recent.std(axis=0, ddof=1)
        low, high = recent.mean(axis=0) - spread, recent.mean(axis=0) + spread
        axes.fill_between(rows, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)


def thinned(rows: np.ndarray, most: int = POINTS) -> np.ndarray:
    """Evenly spaced ones, with the first and the last, where a picture can't show them all."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


def short(label: str) -> str:
    """A label as pictures show it."""
    return plain(label if len(label) <= LABEL else label[: LABEL - 1] + "…")


def _legend_columns(labels: Sequence[str]) -> int:
    """As many as fit side by side, three at most: a picture is about 110 characters wide."""
    longest = max(len(short(label)) for label in labels)
    return min(3, len(labels), max(1, 110 // (longest + 8)))


def _stacked(runs: list[Run], rows: np.ndarray, name: str, view: View) -> np.ndarray:
    """The runs' values at ``rows``, float64 ``[runs, rows]``, as they are shown (percent or not)."""
    scale = 100.0 if METRICS[name].percent else 1.0
    curves = [(run.curve.column("row").to_numpy(), run.curve.column(name + SUFFIX[view]).to_numpy()) for run in runs]
    same = [values if np.array_equal(own, rows) else np.interp(rows, own, values) for own, values in curves]
    return scale * np.array(same, dtype=np.float64)


def style_curves(axes: Axes, title: str) -> None:
    """Give axes with rows of a stream from left to right the look that all of them have."""
    axes.set_ylabel(title, fontsize=11)
    axes.set_xlabel("Rows", fontsize=11)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.margins(x=0.01, y=0.06)
    axes.set_xlim(left=0)
    axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors="#3c4043", labelsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9aa0a6")


def mark_drifts(axes: Axes, result: Result) -> None:
    """A line at each abrupt change of concept, a band over each gradual one, as far as the curves go."""
    end = max(run.rows for run in result.runs)
    for drift in result.drifts:
        start, stop = drift["row"] - drift["width"] / 2, drift["row"] + drift["width"] / 2
        if start >= end:
            continue
        if drift["width"] > 1:
            axes.axvspan(max(start, 0), min(stop, end), color=DRIFT, alpha=0.18, linewidth=0, zorder=0)
        else:
            axes.axvline(drift["row"], color=DRIFT, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=1)


def curves_key(result: Result) -> str:
    """What the kinds of lines mean."""
    window = result.settings.get("window")
    recent = f"last {window:,} rows" if isinstance(window, int) else "sliding window"
    seeds = max(len(result.runs_of(label)) for label in result.labels)
    band = f" · band: ± 1 standard deviation over {seeds} runs" if seeds > 1 else ""
    marks = {"shaded" if drift["width"] > 1 else "dotted": None for drift in result.drifts}
    drifts = f" · {' or '.join(marks)}: known drift" if marks else ""
    dashed = " · dashed: all rows so far" if len(result.labels) < CROWDED else ""
    return f"Solid: {recent}{dashed}{band}{drifts}"


# -- confusion ---------------------------------------------------------------------------------------------------------


def summed_confusion(runs: list[Run]) -> np.ndarray:
    """The runs' confusion matrices added up; all runs of a result share the codes of its stream's classes."""
    matrices = [run.confusion for run in runs if run.confusion is not None]
    if len(matrices) < len(runs) or not all(matrix.size for matrix in matrices):
        raise OptionError(
            f"{runs[0].label!r} has no confusion matrix: it is kept for up to 1,024 classes, if any occur"
        )
    size = max(len(matrix) for matrix in matrices)
    return np.sum([np.pad(matrix, (0, size - len(matrix))) for matrix in matrices], axis=0)


def _draw_matrix(axes: Axes, counts: np.ndarray, names: list[str]) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    percent = np.divide(100.0 * counts, totals, out=np.zeros_like(counts), where=totals > 0.0)
    axes.imshow(percent, cmap="Blues", vmin=0.0, vmax=100.0, aspect="auto")
    axes.set_xlabel("Predicted", fontsize=11)
    axes.set_ylabel("True", fontsize=11)
    places = list(range(len(names))) if len(names) <= NAMED else list(range(0, len(names), len(names) // 20))
    steep = max(map(len, names)) > 4 and len(names) > 4
    axes.set_xticks(places, [names[i] for i in places], rotation=90 if steep else 0, fontsize=9)
    axes.set_yticks(places, [names[i] for i in places], fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(names) > NUMBERED:
        return
    for (i, j), share in np.ndenumerate(percent):
        if counts[i, j] > 0.0:
            colour = "white" if share > 55.0 else "#202124"
            text = f"{share:.1f}\n{counts[i, j]:,.6g}" if len(names) <= 6 else f"{share:.1f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=9, color=colour)


def _draw_scores(axes: Axes, runs: list[Run], names: list[str]) -> None:
    """Precision, recall and F1 of each class, beside its row of the matrix; means over seeds."""
    size = 5.0 if len(names) <= NAMED else 2.5
    for (score, title), marker, colour in zip(
        (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1")), "o^s", COLOURS, strict=False
    ):
        values = [[100.0 * row[score] for row in run.per_class or []] for run in runs]
        values = [column + [0.0] * (len(names) - len(column)) for column in values]
        axes.plot(
            np.mean(values, axis=0), range(len(names)), marker, color=colour, markersize=size, alpha=0.9, label=title
        )
    axes.set_xlim(-3.0, 103.0)
    axes.set_xlabel("Percent", fontsize=11)
    axes.grid(axis="both", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=9, handletextpad=0.2)
