"""The page of a report, from its head to its last section."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from .. import verdict
from ..comparison import Comparison
from ..metrics import METRICS
from .background import making, reading
from .markup import Markup, join, tag
from .one_stream import stream
from .parts import Parts
from .together import costs, together

# Nothing is fetched and nothing runs: a browser is told so, in case that a name should slip through as markup.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(comparison: Comparison, path: str | os.PathLike[str], *, command: str | None = None) -> None:
    """Write a comparison, or a single result as a comparison of one stream, as one HTML page.

    Parameters
    ----------
    comparison
    path
    command
        What was typed to get here.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    Path(path).write_text(page(comparison, command=command), encoding="utf-8")


def page(comparison: Comparison, *, command: str | None = None) -> str:
    """The page's HTML."""
    parts = Parts(comparison.labels)
    alone = len(comparison.streams) == 1
    title = _title(comparison)
    streams = [stream(parts, result, i, alone=alone) for i, result in enumerate(comparison.results, start=1)]
    content = [
        None if alone else together(parts, comparison),
        *streams,
        costs(parts, comparison),
        making(parts, comparison.results, command),
        reading(comparison.results),
    ]
    made_with = comparison.results[0].versions
    return document(title, _in_short(parts, comparison), _contents(comparison, alone), content, made_with)


def document(
    title: str,
    verdict: Markup,
    links: Sequence[tuple[str, str]],
    content: Sequence[Markup | None],
    versions: Mapping[str, str],
) -> str:
    """The HTML around a report's sections.

    Parameters
    ----------
    title
    verdict
        What comes first.
    links
        Places in the page, and what to call them.
    content
        The sections.
    versions
        Of the software.
    """
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"{title} – streamlearn"),
        tag("style", Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))),
    ]
    body = [
        tag("header", tag("h1", title), verdict, _navigation(links)),
        tag("main", *content),
        tag("footer", f"Made with streamlearn {versions.get('streamlearn', '')}".strip() + "."),
    ]
    return "<!DOCTYPE html>\n" + tag("html", tag("head", *head), tag("body", *body), lang="en") + "\n"


def _title(comparison: Comparison) -> str:
    learners, streams = comparison.labels, comparison.streams
    who = learners[0] if len(learners) == 1 else f"{len(learners)} learners"
    return f"{who} on {streams[0] if len(streams) == 1 else f'{len(streams)} streams'}"


def _in_short(parts: Parts, comparison: Comparison) -> Markup:
    metric = comparison.metrics[0]
    if len(comparison.streams) == 1:
        sentences = verdict.on_one_stream(comparison.results[0], metric)
    else:
        sentences = [_leader(comparison, metric), *comparison.notes()]
    first, others = sentences[:1], sentences[1:]
    return tag(
        "div",
        *(tag("p", parts.sentences(sentence)) for sentence in first),
        tag("p", parts.sentences(" ".join(others))) if others else None,
        class_="verdict",
    )


def _leader(comparison: Comparison, metric: str) -> str:
    ranks = comparison.mean_ranks(metric)
    best, rank = next(iter(ranks.items()))
    column = comparison.labels.index(best)
    first = int((comparison.ranks(metric)[:, column] == 1.0).sum())
    name = verdict.in_sentence(METRICS[metric].title)
    mean = verdict.say_value(metric, float(comparison.scores(metric)[:, column].mean()))
    if len(ranks) == 1:
        return f"{best} has a mean {name} of {mean} over {len(comparison.streams)} streams."
    return (
        f"By {name}, {best} is best: mean rank {rank:.2f}, first on {first} of {len(comparison.streams)} streams, "
        f"{mean} on average."
    )


def _contents(comparison: Comparison, alone: bool) -> list[tuple[str, str]]:
    links = [] if alone else [("all", "All streams")]
    links += [(f"stream-{i}", name) for i, name in enumerate(comparison.streams, start=1)]
    return [*links, ("costs", "Speed and memory"), ("making", "How it was made"), ("reading", "How to read it")]


def _navigation(links: Sequence[tuple[str, str]]) -> Markup:
    shown = join(*(join(tag("a", name, href=f"#{place}"), " ") for place, name in links))
    return tag("nav", shown, aria_label="Contents")
