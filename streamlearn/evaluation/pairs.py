"""McNemar's test of each two learners that went through one stream together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import statistics

if TYPE_CHECKING:
    from .result import Result


def stream_pairs(result: Result) -> list[dict[str, Any]]:
    """McNemar's test of each two learners on one stream.

    Returns
    -------
    list of dict
        Keys ``a``, ``b``, ``only_a_right``, ``only_b_right`` (means over seeds), ``statistic``, ``p_value``, ``sign``,
        ``exact``, and ``p_holm``, adjusted for all pairs. Empty for regression, and where the learners did not go
        through the stream together.
    """
    counts: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for entry in result.disagreements:
        counts.setdefault((entry["a"], entry["b"]), []).append((entry["only_a_right"], entry["only_b_right"]))
    found = []
    for (a, b), seeds in counts.items():
        only_a, only_b = np.mean(seeds, axis=0).tolist()  # seeds share the stream's rows, so adding up would overstate
        test = statistics.mcnemar(only_a, only_b)
        found.append({"a": a, "b": b, "only_a_right": only_a, "only_b_right": only_b, **test._asdict()})
    for entry, adjusted in zip(found, statistics.holm([entry["p_value"] for entry in found]), strict=True):
        entry["p_holm"] = adjusted
    return found
