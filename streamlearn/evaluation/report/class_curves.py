"""The part of a report that shows how learners did on each class along the stream."""

from __future__ import annotations

from ..plot_classes import MOST, draw_classes
from ..result import Result
from .markup import Markup, join, tag
from .parts import Parts, more


def class_curves(parts: Parts, result: Result) -> Markup | None:
    """A picture of every class's recall for each learner; nothing where there are too many classes, or none."""
    runs = {label: result.runs_of(label)[0] for label in result.labels}
    if any(not run.class_curve or not run.per_class or len(run.per_class) > MOST for run in runs.values()):
        return None
    pictures = [
        join(
            tag("h3", parts.learner(label)),
            parts.figure(
                draw_classes(result, label, size=(9.0, 3.6), framed=False),
                f"Recall of each class over the stream {result.stream}, by {label}. "
                + ", ".join(f"{row['class']}: {100.0 * row['recall']:.1f} %" for row in run.per_class or ())
                + " over all rows.",
                "Recall in %, over the window. A gap: the window has no rows of the class.",
            ),
        )
        for label, run in runs.items()
    ]
    return more("Classes along the stream", *pictures)
