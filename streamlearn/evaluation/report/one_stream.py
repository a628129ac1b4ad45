"""What a report says about one stream: its curves, scores, classes, and pairs of learners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import verdict
from ..metrics import METRICS
from ..pairs import stream_pairs
from ..plot import NUMBERED, curves_key, draw_confusion, draw_curves, summed_confusion
from ..plot_comparison import draw_dots
from ..result import Result, summary_columns
from ..table import Column
from .calibration import calibration
from .class_curves import class_curves
from .markup import Markup, join, tag
from .parts import Parts, in_percent, more

MANY_CLASSES = 30  # from here on a picture of every class would say nothing


def stream(parts: Parts, result: Result, number: int, *, alone: bool) -> Markup:
    """One stream: its curves, scores, classes and pairs."""
    metric = result.metrics[0]
    said = [] if alone else [tag("p", parts.sentences(" ".join(verdict.on_one_stream(result, metric))))]
    others = [join(tag("h3", METRICS[name].title), _curves(parts, result, name)) for name in result.metrics[1:]]
    return tag(
        "section",
        tag("h2", result.stream, id=f"stream-{number}"),
        tag("p", about(result), class_="soft"),
        *said,
        _curves(parts, result, metric),
        parts.legend(),
        parts.table(summary_columns(result), "Whole stream; the best of each column is marked"),
        more("Curves of the other metrics", *others) if others else None,
        calibration(parts, result),
        _classes(parts, result),
        class_curves(parts, result),
        _mcnemar(parts, result),
    )


def about(result: Result) -> str:
    """Rows, classes and known drifts of a stream."""
    run = result.runs[0]
    facts = [f"{max(run.rows for run in result.runs):,} rows"]
    if run.classes:
        facts.append(f"{len(run.classes):,} classes")
    seeds = max(len(result.runs_of(label)) for label in result.labels)
    if seeds > 1:
        facts.append(f"mean of {seeds} runs")
    places = [
        f"around row {drift['row']:,} (over {drift['width']:,} rows)"
        if drift["width"] > 1
        else f"at row {drift['row']:,}"
        for drift in result.drifts
    ]
    if places:
        shown = places if len(places) <= 6 else [*places[:5], f"{len(places) - 5:,} more places"]
        facts.append(f"known drift {verdict.listed(shown)}")
    return " · ".join(facts)


def _curves(parts: Parts, result: Result, name: str) -> Markup:
    ends = [
        f"{entry['learner']} {verdict.say_value(name, entry[name])}"
        for entry in result.summary
        if math.isfinite(entry[name])
    ]
    return parts.figure(
        draw_curves(result, name, size=(9.0, 3.9), colours=parts.colours, framed=False),
        f"{METRICS[name].title} over the stream {result.stream}. Over all rows: {', '.join(ends)}.",
        f"{METRICS[name].title}{in_percent(name)}. {curves_key(result)}.",
    )


def _classes(parts: Parts, result: Result) -> Markup | None:
    """How each learner does on each class."""
    tables = {label: _scores(result, label) for label in result.labels}
    tables = {label: rows for label, rows in tables.items() if rows}
    if not tables:
        return None
    names = [str(row["class"]) for row in max(tables.values(), key=len)]
    picture = None
    if len(names) <= MANY_CLASSES:
        recalls = {
            label: [100.0 * row["recall"] for row in rows] + [math.nan] * (len(names) - len(rows))
            for label, rows in tables.items()
        }
        picture = parts.figure(
            draw_dots(recalls, names, "Recall (%)", colours=parts.colours),
            "Each learner's recall of each class; the numbers are in the tables below.",
            "Recall: share of a class's rows that were predicted as that class.",
        )
    details = [
        join(tag("h3", parts.learner(label)), _of_classes(parts, result, label, rows)) for label, rows in tables.items()
    ]
    return more(f"The {len(names):,} classes", picture, *details)


def _scores(result: Result, label: str) -> list[dict[str, Any]]:
    """Each class's scores by one learner, means over its seeds."""
    runs = [run.per_class or [] for run in result.runs_of(label)]
    longest = max(runs, key=len)
    mean = ("support", "predicted", "precision", "recall", "f1")
    return [
        {
            "class": row["class"],
            **{name: float(np.mean([run[i][name] for run in runs if i < len(run)])) for name in mean},
        }
        for i, row in enumerate(longest)
    ]


def _of_classes(parts: Parts, result: Result, label: str, rows: list[dict[str, Any]]) -> Markup:
    names = [str(row["class"]) for row in rows]
    columns = [Column("Class", names, is_text=True)]
    columns.append(Column("Rows", [f"{row['support']:,.6g}" for row in rows]))
    for name, title in (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1")):
        columns.append(Column(title, [f"{100.0 * row[name]:.2f}" for row in rows]))
    table = parts.table(columns, "Scores of each class, in %")
    runs = result.runs_of(label)
    if any(run.confusion is None or not run.confusion.size for run in runs):
        return table
    if len(names) > NUMBERED:
        drawn = draw_confusion(result, label)
        return join(table, parts.figure(drawn, f"Confusion matrix of {label}", "In % of each true class"))
    counts = summed_confusion(runs)
    return tag("div", parts.matrix(counts, names, "Confusion matrix, in % of each true class"), table, class_="side")


def _mcnemar(parts: Parts, result: Result) -> Markup | None:
    pairs = stream_pairs(result)
    if not pairs:
        return None
    columns = [
        Column("Learner", [pair["a"] for pair in pairs], is_text=True),
        Column("Compared with", [pair["b"] for pair in pairs], is_text=True),
        Column("Only the first right", [f"{pair['only_a_right']:,.6g}" for pair in pairs]),
        Column("Only the second right", [f"{pair['only_b_right']:,.6g}" for pair in pairs]),
        Column(
            "McNemar p (Holm)", [f"{pair['p_holm']:.3f}" if pair["p_holm"] >= 0.001 else "< 0.001" for pair in pairs]
        ),
    ]
    note = "Neighbouring rows resemble each other, so that small p-values are weaker evidence than they look."
    return more(
        "Pair by pair on this stream",
        parts.table(columns, "Rows that only one of two learners predicted rightly, and McNemar's test"),
        tag("p", note, class_="soft"),
    )
