"""A board as one HTML page that needs no other file."""

from __future__ import annotations

from ..evaluation import verdict
from ..evaluation.metrics import METRICS
from ..evaluation.plot import curves_key
from ..evaluation.report.background import making, reading
from ..evaluation.report.markup import Markup, join, tag
from ..evaluation.report.one_stream import about
from ..evaluation.report.page import document
from ..evaluation.report.parts import Parts, in_percent, more
from ..evaluation.report.together import ranking
from ..evaluation.result import Result, summary_columns
from .board import Board
from .pictures import draw_costs, draw_stream
from .published import published
from .tables import SPEED, beside_paper, costs, notes, ordered, scores


def page(board: Board, *, command: str | None = None) -> str:
    """The page's HTML.

    Parameters
    ----------
    board
        With at least one finished cell.
    command
        What was typed to get here.
    """
    parts = Parts(board.present)
    results = list(board.results.values())
    comparison = board.comparison()
    streams = [_stream(parts, result, i) for i, result in enumerate(results, start=1)]
    said = [] if comparison is None else comparison.notes("accuracy")
    first = _leader(board)
    in_short = tag(
        "div",
        tag("p", parts.sentences(first)),
        tag("p", parts.sentences(" ".join(said))) if said else None,
        class_="verdict",
    )
    links = [("all", "All streams"), ("costs", "Speed and memory")]
    links[1:1] = [("paper", "Beside the paper")] if beside_paper(board) else []
    links += [(f"stream-{i}", result.stream) for i, result in enumerate(results, start=1)]
    links += [("making", "How it was made"), ("reading", "How to read it")]
    content = [
        tag(
            "section",
            tag("h2", "All streams", id="all"),
            parts.table(scores(board), "Accuracy in %, whole stream"),
            tag("ul", *(tag("li", parts.sentences(note)) for note in notes(board)), class_="soft"),
            None if comparison is None else ranking(parts, comparison, "accuracy"),
            more(
                "Other metrics",
                *(
                    join(tag("h3", METRICS[name].title), parts.table(scores(board, name), METRICS[name].description))
                    for name in ("kappa", "kappa_m", "kappa_t")
                ),
            ),
        ),
        _paper(parts, board),
        _costs(parts, board),
        *streams,
        making(parts, results, command),
        reading(results),
    ]
    return document("Drift benchmark", in_short, links, content, results[0].versions)


def _leader(board: Board) -> str:
    ranks = board.mean_ranks()
    if len(ranks) < 2:
        return f"{len(board.places)} of {len(board.streams) * len(board.labels)} results are there."
    best = ordered(board)[0]
    first = sum(
        board.places[stream, best].mean("accuracy")
        == max(board.places[stream, label].mean("accuracy") for label in board.present)
        for stream in board.complete
    )
    return (
        f"By accuracy, {best} is best: mean rank {ranks[best]:.2f} of {len(ranks)} learners, first on {first} of "
        f"{len(board.complete)} streams."
    )


def _paper(parts: Parts, board: Board) -> Markup | None:
    table = beside_paper(board)
    if table is None:
        return None
    return tag(
        "section",
        tag("h2", "Beside the paper", id="paper"),
        tag("p", f"{published().source}. {'. '.join(published().notes)}.", class_="soft"),
        parts.table(table, "Accuracy in %: here, as published, and the difference in points"),
    )


def _costs(parts: Parts, board: Board) -> Markup:
    picture = None
    if board.comparison() is not None:
        picture = parts.figure(
            draw_costs(board, colours=parts.colours, framed=False),
            "Mean accuracy of each learner against its speed and its memory; the numbers are in the tables.",
            "A line joins the learners that no other beats in both.",
        )
    return tag(
        "section",
        tag("h2", "Speed and memory", id="costs"),
        parts.table(costs(board), "Over the streams that all learners have finished"),
        tag("p", SPEED, class_="soft"),
        picture,
    )


def _stream(parts: Parts, result: Result, number: int) -> Markup:
    """One stream: its curves, and each learner's figures."""
    others = [join(tag("h3", METRICS[name].title), _curves(parts, result, name)) for name in result.metrics[1:]]
    return tag(
        "section",
        tag("h2", result.stream, id=f"stream-{number}"),
        tag("p", about(result), class_="soft"),
        tag("p", parts.sentences(" ".join(verdict.on_one_stream(result, "accuracy")))),
        _curves(parts, result, "accuracy"),
        parts.legend(),
        parts.table(summary_columns(result), "Whole stream; the best of each column is marked"),
        more("Curves of the other metrics", *others),
    )


def _curves(parts: Parts, result: Result, name: str) -> Markup:
    return parts.figure(
        draw_stream(result, name, size=(9.0, 3.9), colours=parts.colours, framed=False),
        f"{METRICS[name].title} over the stream {result.stream}; the figures over all rows are in the table.",
        f"{METRICS[name].title}{in_percent(name)}. {curves_key(result)}.",
    )
