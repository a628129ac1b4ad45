"""The sections of a report: the streams together, each stream, what it cost, how it was made, how to read it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import verdict
from ..comparison import Comparison
from ..metrics import METRICS
from ..pairs import stream_pairs
from ..plot import NUMBERED, curves_key, draw_confusion, draw_curves, summed_confusion
from ..plot_comparison import draw_critical_difference, draw_dots, draw_scores
from ..result import Result, summary_columns
from ..table import Column, format_count, format_setting, format_size
from .calibration import calibration
from .class_curves import class_curves
from .markup import Markup, join, tag
from .parts import Parts, more

MANY_CLASSES = 30  # from here on a picture of every class would say nothing


def together(parts: Parts, comparison: Comparison) -> Markup:
    """All streams: scores, ranks, and what the differences mean."""
    metric = comparison.metrics[0]
    title = verdict.in_sentence(METRICS[metric].title)
    several = len(comparison.labels) > 1
    diagram = None
    if several:
        ranks = ", ".join(f"{label} {rank:.2f}" for label, rank in comparison.mean_ranks(metric).items())
        diagram = join(
            tag("h3", "Mean ranks"),
            parts.figure(
                draw_critical_difference(comparison, metric, colours=parts.colours, framed=False),
                f"Critical-difference diagram of {title}. Mean ranks: {ranks}.",
                "Rank 1 is the best. A black bar joins learners that Nemenyi's test does not tell apart (α = 0.05).",
            ),
        )
    others = [
        join(
            tag("h3", METRICS[name].title),
            parts.table(comparison.columns(name), f"{METRICS[name].title}: {METRICS[name].description}"),
            tag("p", parts.sentences(" ".join(comparison.notes(name)))),
        )
        for name in comparison.metrics[1:]
    ]
    return tag(
        "section",
        tag("h2", "All streams", id="all"),
        parts.table(comparison.columns(metric), f"{METRICS[metric].title}{_in_percent(metric)}, whole stream"),
        tag("h3", "Scores"),
        parts.figure(
            draw_scores(comparison, metric, colours=parts.colours, framed=False),
            f"Each learner's {title} on each stream; the numbers are in the table above.",
        ),
        parts.legend(),
        diagram,
        more("Pair by pair", _pairs(parts, comparison, metric)) if several else None,
        more("Other metrics", *others) if others else None,
    )


def _pairs(parts: Parts, comparison: Comparison, metric: str) -> Markup:
    pairs = comparison.pairs(metric)
    unit = " (points)" if METRICS[metric].percent else ""
    scale = 100.0 if METRICS[metric].percent else 1.0
    columns = [
        Column("Better mean rank", [pair["a"] for pair in pairs], is_text=True),
        Column("Compared with", [pair["b"] for pair in pairs], is_text=True),
        Column(f"Mean difference{unit}", [f"{scale * pair['difference']:+,.2f}" for pair in pairs]),
        Column("Wins", [str(pair["wins"]) for pair in pairs]),
        Column("Ties", [str(pair["ties"]) for pair in pairs]),
        Column("Losses", [str(pair["losses"]) for pair in pairs]),
        Column("Wilcoxon (Holm)", [verdict.say_p(pair["wilcoxon_holm"]) for pair in pairs]),
        Column("P(better)", [verdict.say_chance(pair["p_a"]) for pair in pairs]),
        Column("P(equivalent)", [verdict.say_chance(pair["p_equivalent"]) for pair in pairs]),
        Column("P(worse)", [verdict.say_chance(pair["p_b"]) for pair in pairs]),
    ]
    return parts.table(columns, "Pairs over the streams: signed-rank tests, classical and Bayesian")


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
        facts.append(f"mean of {seeds} seeds")
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
        f"{METRICS[name].title}{_in_percent(name)}. {curves_key(result)}.",
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


def costs(parts: Parts, comparison: Comparison) -> Markup:
    """Time and memory."""
    entries = [{entry["learner"]: entry for entry in result.summary} for result in comparison.results]
    labels = comparison.labels
    rows = [sum(one[label]["rows"] for one in entries) for label in labels]
    seconds = [sum(one[label]["wall_seconds"] for one in entries) for label in labels]
    sizes = [[one[label]["model_bytes"] for one in entries] for label in labels]
    columns = [
        Column("Learner", list(labels), is_text=True),
        Column("Seconds", ["" if math.isnan(value) else f"{value:,.2f}" for value in seconds]),
        Column("Rows/s", [format_count(n / s if s > 0.0 else math.nan) for n, s in zip(rows, seconds, strict=True)]),
        Column("Largest model", [format_size(max((v for v in own if v is not None), default=None)) for own in sizes]),
    ]
    speeds = {label: [one[label]["rows_per_second"] for one in entries] for label in labels}
    models = {
        label: [math.nan if value is None else value / 1000.0 for value in own]
        for label, own in zip(labels, sizes, strict=True)
    }
    pictures = [
        parts.figure(draw_dots(values, comparison.streams, title, colours=parts.colours, log=True), described)
        for values, title, described in (
            (speeds, "Rows per second (logarithmic)", "Rows per second of each learner on each stream."),
            (
                models,
                "Size of the model in kB at the end (logarithmic)",
                "Size of each learner's model on each stream.",
            ),
        )
        if len(comparison.streams) > 1
        and any(math.isfinite(value) and value > 0.0 for column in values.values() for value in column)
    ]
    return tag(
        "section",
        tag("h2", "Speed and memory", id="costs"),
        parts.table(columns, "All streams; time for predicting, learning and measuring, without compilation"),
        *pictures,
        parts.legend() if pictures else None,
    )


def making(parts: Parts, comparison: Comparison, command: str | None) -> Markup:
    """All that is needed to repeat it."""
    runs = [run for result in comparison.results for run in result.runs]
    learners = []
    for label in comparison.labels:
        own = [run for run in runs if run.label == label]
        seeds = sorted({run.seed for run in own if run.seed is not None})
        given = ", ".join(f"{name}={value!r}" for name, value in own[0].params.items())
        learners.append((label, given or "–", ", ".join(map(str, seeds)) or "–"))
    streams = [
        Column("Stream", list(comparison.streams), is_text=True),
        Column("Rows", [f"{max(run.rows for run in result.runs):,}" for result in comparison.results]),
        *(
            Column(name.capitalize(), [format_setting(result.settings.get(name)) for result in comparison.results])
            for name in dict.fromkeys(key for result in comparison.results for key in result.settings)
            if any(result.settings.get(name) is not None for result in comparison.results)
        ),
    ]
    found = comparison.results[0].versions
    return tag(
        "section",
        tag("h2", "How it was made", id="making"),
        join(tag("p", "The command:"), tag("pre", command)) if command else None,
        parts.table(
            [
                Column(title, [learner[i] for learner in learners], is_text=True)
                for i, title in enumerate(("Learner", "Parameters", "Seeds"))
            ],
            "Learners",
        ),
        parts.table(streams, "Streams and settings"),
        parts.table(
            [Column("Software", list(found), is_text=True), Column("Version", list(found.values()), is_text=True)],
            "Versions",
        ),
    )


def reading(comparison: Comparison) -> Markup:
    """The words that a reader may not know."""
    words = [
        (
            "Prequential",
            "Every learner predicts each row before it learns it, so that every row is a test, and none is held out.",
        ),
        *((METRICS[name].title, f"{_capital(METRICS[name].description)}.") for name in comparison.metrics),
        (
            "Window, all rows",
            "Solid curves show a metric over the latest rows, dashed ones over all rows so far. "
            "Tables show it over the whole stream.",
        ),
    ]
    if len(comparison.streams) > 1:
        words += [
            (
                "Mean rank",
                "On each stream the best learner has rank 1, the next 2, and so on; equal ones share the mean of their "
                "ranks. The mean over the streams compares learners whatever a stream's difficulty.",
            ),
            (
                "Friedman, Nemenyi, critical difference",
                "Friedman's test asks whether the mean ranks differ by more than chance. If they do, Nemenyi's says "
                "which: those that lie further apart than the critical difference.",
            ),
            (
                "P(better), P(equivalent), P(worse)",
                "The Bayesian signed-rank test: how probable it is that, on streams like these, one learner is better "
                "than the other"
                + (
                    " by more than a percent point, within it, or worse."
                    if METRICS[comparison.metrics[0]].percent
                    else "."
                ),
            ),
        ]
    if any(result.disagreements for result in comparison.results):
        words.append(
            (
                "McNemar's test",
                "Looks at the rows that only one of two learners predicted rightly, and asks whether that could be "
                "chance. Holm's correction keeps the chance of any false alarm among all pairs below 5 %.",
            )
        )
    return tag(
        "section",
        tag("h2", "How to read it", id="reading"),
        tag("dl", *(join(tag("dt", word), tag("dd", meaning)) for word, meaning in words)),
    )


def _in_percent(metric: str) -> str:
    return " in %" if METRICS[metric].percent else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
