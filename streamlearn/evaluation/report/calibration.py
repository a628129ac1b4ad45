"""The part of a report that says whether the learners' probabilities can be trusted."""

from __future__ import annotations

from ..plot_calibration import KEY, draw_calibration, summed_bins
from ..result import Result
from .markup import Markup, join, tag
from .parts import Parts


def calibration(parts: Parts, result: Result) -> Markup | None:
    """The reliability diagram of one stream; nothing where no calibration was measured."""
    bins = {label: summed_bins(result.runs_of(label)) for label in result.labels}
    said = [
        f"{label} is right {100.0 * own[-1, 2]:.1f} % of the time when it is {100.0 * own[-1, 1]:.1f} % sure"
        for label, own in bins.items()
        if len(own)
    ]
    if not said:
        return None
    drawn = draw_calibration(result, size=(5.4, 5.4), colours=parts.colours, framed=False)
    picture = parts.figure(drawn, f"Reliability diagram of {result.stream}: {'; '.join(said)}.", f"{KEY}.")
    return join(tag("h3", "Calibration"), picture)
