"""A board as tables: plain text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from ..evaluation.metrics import METRICS
from ..evaluation.result import strict
from ..evaluation.table import Column, as_text, best_of, format_count, format_size
from ..evaluation.verdict import listed
from .board import Board, Place, summary
from .lineup import PAPER
from .progress import say_time
from .published import Figure, published


def scores(board: Board, metric: str = "accuracy") -> list[Column]:
    """A metric of each learner on each stream in percent, the best mean rank first."""
    ranks = board.mean_ranks()
    paper = board.mean_ranks(PAPER) if board.is_paper_complete and len(board.complete) > len(PAPER) else {}
    labels = ordered(board)
    columns = [Column("Learner", labels, is_text=True)]
    for title, found in ((f"Rank ({len(PAPER)})", paper), (f"Rank ({len(board.complete)})", ranks)):
        if metric == "accuracy" and len(found) > 1 and len(board.complete) > 1:
            cells = [f"{found[label]:.2f}" if label in found else "–" for label in labels]
            values = [found.get(label, math.nan) for label in labels]
            columns.append(Column(title, cells, best=best_of(values, higher_is_better=False)))
    for stream in board.streams:
        places = [board.places.get((stream, label)) for label in labels]
        best = best_of([math.nan if place is None else place.mean(metric) for place in places], higher_is_better=True)
        columns.append(Column(stream, [_score(place, metric) for place in places], best=best))
    return columns


def beside_paper(board: Board) -> list[Column] | None:
    """Three rows a learner: its accuracy, the published one, and the difference; None if nothing is published."""
    labels = [
        label for label in ordered(board) if any(board.figure(stream, label) is not None for stream in board.streams)
    ]
    streams = [stream for stream in board.streams if any(board.figure(stream, label) for label in labels)]
    if not labels:
        return None
    columns = [Column("Learner", [text for label in labels for text in (label, "  paper", "  ours − paper")], True)]
    for stream in streams:
        cells: list[str] = []
        for label in labels:
            place, figure = board.places.get((stream, label)), board.figure(stream, label)
            cells.append(_score(place, "accuracy"))
            if figure is None:
                cells += ["", ""]
                continue
            decimals = 1 if figure.std is None else 2
            spread = "" if figure.std is None else f" ± {figure.std:.2f}"
            cells.append(f"{figure.accuracy:.{decimals}f}{spread}")
            cells.append("" if place is None else _difference(place, figure, decimals))
        columns.append(Column(stream, cells))
    return columns


def costs(board: Board) -> list[Column]:
    """Speed and memory over the streams that all learners have finished, or over each one's own if there is none."""
    labels = ordered(board)
    streams = board.complete or board.streams
    places = {label: [p for s in streams if (p := board.places.get((s, label))) is not None] for label in labels}
    speeds = [geometric_mean([place.rows_per_second for place in places[label]]) for label in labels]
    slowest = [min((place.rows_per_second for place in places[label]), default=math.nan) for label in labels]
    models = [max((place.model_bytes for place in places[label]), default=math.nan) for label in labels]
    peaks = [max((place.peak_bytes for place in places[label]), default=math.nan) for label in labels]
    spent = [sum(p.seconds for s in board.streams if (p := board.places.get((s, label)))) for label in labels]
    return [
        Column("Learner", labels, is_text=True),
        Column("Rows/s", list(map(format_count, speeds)), best=best_of(speeds, higher_is_better=True)),
        Column("Slowest", list(map(format_count, slowest))),
        Column("Model", [_size(value) for value in models], best=best_of(models, higher_is_better=False)),
        Column("Process", [_size(value) for value in peaks]),
        Column("Time in all", [say_time(value) for value in spent]),
    ]


def ordered(board: Board) -> list[str]:
    """The learners that have cells, the best mean rank first where there are ranks."""
    ranks = board.mean_ranks()
    return list(ranks) if ranks else board.present


def notes(board: Board) -> list[str]:
    """What to know about the figures: seeds, what ranks are over, what is missing, old or failed."""
    found = []
    most = max((place.seeds for place in board.places.values()), default=1)
    if most > 1:
        found.append("(n): mean ± standard deviation of n seeds; where there is no (n), one seed.")
    else:
        found.append("One seed.")
    waiting = [
        f"{label} on {listed(absent)}"
        for label in board.present
        if (absent := [s for s in board.streams if s in board.results and (s, label) not in board.places])
    ]
    if waiting:
        found.append(f"Not finished: {'; '.join(waiting)}.")
    if absent := [label for label in board.labels if label not in board.present]:
        found.append(f"Not begun: {listed(absent)}.")
    if absent := [stream for stream in board.streams if stream not in board.results]:
        found.append(f"No results on {listed(absent)}.")
    if board.mean_ranks() and len(board.present) > 1 and (waiting or absent):
        found.append(f"Ranks are over the streams that all have finished: {listed(board.complete)}.")
    old = [f"{label} on {stream}" for (stream, label), place in board.places.items() if not place.is_current]
    if old:
        shown = old if len(old) <= 6 else [*old[:5], f"{len(old) - 5} more"]
        found.append(f"Run by another version of the code, or on other data: {listed(shown)}.")
    return found + board.notes


def as_words(board: Board) -> str:
    """All tables as plain text."""
    if not board.places:
        return "\n".join(["No cell is finished.", *notes(board)])
    parts = [
        f"Accuracy in % over {'whole streams' if board.rows is None else f'{board.rows:,} rows of each stream'}",
        "",
        *as_text(scores(board)),
        "",
        *notes(board),
    ]
    comparison = board.comparison()
    if comparison is not None:
        parts += ["", *comparison.notes("accuracy")]
    paper = beside_paper(board)
    if paper is not None:
        parts += ["", f"Beside {published().source}", "", *as_text(paper), "", *(f"{n}." for n in published().notes)]
    n = len(board.complete)
    title = "Speed and memory" + (f" over {n} stream{'s' if n > 1 else ''}" if n else "")
    parts += ["", title, "", *as_text(costs(board)), "", SPEED]
    return "\n".join(parts)


SPEED = (
    "Rows/s: geometric mean over streams of predicting, learning and measuring, a second of the processor's time, "
    "without compilation; Slowest: on the slowest stream; Model: the largest state along any stream; Process: the most "
    "that a worker process held."
)


def as_markdown(board: Board, *, command: str | None = None) -> str:
    """All tables as Markdown."""
    size = "whole streams" if board.rows is None else f"{board.rows:,} rows of each stream"
    parts = ["# Drift benchmark", "", f"Test-then-train over {size}."]
    if command is not None:
        parts += ["", "```sh", f"$ {command}", "```"]
    parts += ["", "## Accuracy in %", "", *_markdown(scores(board)), "", *(f"- {note}" for note in notes(board))]
    comparison = board.comparison()
    if comparison is not None:
        parts += ["", " ".join(comparison.notes("accuracy"))]
    paper = beside_paper(board)
    if paper is not None:
        parts += ["", "## Beside the paper", "", f"{published().source}. " + ". ".join(published().notes) + "."]
        parts += ["", *_markdown(paper)]
    for metric in ("kappa", "kappa_m", "kappa_t"):
        parts += ["", f"## {METRICS[metric].title} in %", "", *_markdown(scores(board, metric))]
    parts += ["", "## Speed and memory", "", SPEED, "", *_markdown(costs(board))]
    return "\n".join(parts) + "\n"


def as_csv(board: Board) -> str:
    """A line a learner and stream, numbers in full, metrics as shares."""
    rows = [strict(entry) for entry in summary(board)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["stream", "learner"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def geometric_mean(values: Sequence[float]) -> float:
    """Of numbers above 0; NaN if there is none."""
    finite = [value for value in values if value > 0.0 and math.isfinite(value)]
    return float(np.exp(np.mean(np.log(finite)))) if finite else math.nan


def _score(place: Place | None, metric: str) -> str:
    if place is None:
        return "–"
    mean, std = place.mean(metric), place.std(metric)
    if not math.isfinite(mean):
        return "–"
    return f"{100.0 * mean:.2f}" + ("" if std is None else f" ± {100.0 * std:.2f} ({place.seeds})")


def _difference(place: Place, figure: Figure, decimals: int) -> str:
    points = round(100.0 * place.mean("accuracy") - figure.accuracy, decimals)
    return f"{points + 0.0:+.{decimals}f}"  # never -0.0


def _size(value: float) -> str:
    return "" if math.isnan(value) else format_size(value)


def _markdown(columns: Sequence[Column]) -> list[str]:
    head = [column.title for column in columns]
    rule = [":--" if column.is_text else "--:" for column in columns]
    lines = [head, rule]
    for i in range(len(columns[0].cells)):
        cells = [column.cells[i].strip() or " " for column in columns]
        lines.append([f"**{cell}**" if i in column.best else cell for cell, column in zip(cells, columns, strict=True)])
    return [f"| {' | '.join(line)} |" for line in lines]
