"""What a report says about itself: how it was made, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics import METRICS
from ..result import Result
from ..table import Column, format_setting
from .markup import Markup, join, tag
from .parts import Parts


def making(parts: Parts, results: Sequence[Result], command: str | None) -> Markup:
    """All that is needed to repeat it."""
    runs = [run for result in results for run in result.runs]
    learners = []
    for label in parts.colours:
        own = [run for run in runs if run.label == label]
        seeds = sorted({run.seed for run in own if run.seed is not None})
        given = ", ".join(f"{name}={value!r}" for name, value in own[0].params.items())
        learners.append((label, given or "–", ", ".join(map(str, seeds)) or "–"))
    streams = [
        Column("Stream", [result.stream for result in results], is_text=True),
        Column("Rows", [f"{max(run.rows for run in result.runs):,}" for result in results]),
        *(
            Column(name.capitalize(), [format_setting(result.settings.get(name)) for result in results])
            for name in dict.fromkeys(key for result in results for key in result.settings)
            if any(result.settings.get(name) is not None for result in results)
        ),
    ]
    found = results[0].versions
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


def reading(results: Sequence[Result]) -> Markup:
    """The words that a reader may not know."""
    words = [
        (
            "Prequential",
            "Every learner predicts each row before it learns it, so that every row is a test, and none is held out.",
        ),
        *((METRICS[name].title, f"{_capital(METRICS[name].description)}.") for name in results[0].metrics),
        (
            "Window, all rows",
            "Solid curves show a metric over the latest rows, dashed ones over all rows so far. "
            "Tables show it over the whole stream.",
        ),
    ]
    if len(results) > 1:
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
                    if METRICS[results[0].metrics[0]].percent
                    else "."
                ),
            ),
        ]
    if any(result.disagreements for result in results):
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


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
