"""What a report says about all streams together: scores, ranks, pairs, and what it all cost."""

from __future__ import annotations

import math

from .. import verdict
from ..comparison import Comparison
from ..metrics import METRICS
from ..plot_comparison import draw_critical_difference, draw_dots, draw_scores
from ..table import Column, format_count, format_size
from .markup import Markup, join, tag
from .parts import Parts, in_percent, more


def together(parts: Parts, comparison: Comparison) -> Markup:
    """All streams: scores, ranks, and what the differences mean."""
    metric = comparison.metrics[0]
    title = verdict.in_sentence(METRICS[metric].title)
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
        parts.table(comparison.columns(metric), f"{METRICS[metric].title}{in_percent(metric)}, whole stream"),
        tag("h3", "Scores"),
        parts.figure(
            draw_scores(comparison, metric, colours=parts.colours, framed=False),
            f"Each learner's {title} on each stream; the numbers are in the table above.",
        ),
        parts.legend(),
        ranking(parts, comparison, metric) if len(comparison.labels) > 1 else None,
        more("Other metrics", *others) if others else None,
    )


def ranking(parts: Parts, comparison: Comparison, metric: str) -> Markup:
    """The mean ranks of several learners as a diagram, and the tests of each pair."""
    ranks = ", ".join(f"{label} {rank:.2f}" for label, rank in comparison.mean_ranks(metric).items())
    return join(
        tag("h3", "Mean ranks"),
        parts.figure(
            draw_critical_difference(comparison, metric, colours=parts.colours, framed=False),
            f"Critical-difference diagram of {verdict.in_sentence(METRICS[metric].title)}. Mean ranks: {ranks}.",
            "Rank 1 is the best. A black bar joins learners that Nemenyi's test does not tell apart (α = 0.05).",
        ),
        more("Pair by pair", _pairs(parts, comparison, metric)),
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
