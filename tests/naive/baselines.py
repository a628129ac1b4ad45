"""The baselines the obvious way: every prediction looks back at all labels so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


def no_change(labels: Iterable[Any], weights: Iterable[float]) -> list[Any]:
    """The prediction before each row: the last label of positive weight, None before the first."""
    predictions, last = [], None
    for label, weight in zip(labels, weights, strict=True):
        predictions.append(last)
        if label is not None and weight > 0:
            last = label
    return predictions


def prior(labels: list[Any], weights: list[float]) -> list[dict[Any, float]]:
    """The weight of each label before each row, in order of the labels' first appearance."""
    order = list(dict.fromkeys(label for label in labels if label is not None))
    tallies = []
    for row in range(len(labels)):
        tally: Counter[Any] = Counter()
        for label, weight in zip(labels[:row], weights[:row], strict=True):
            if label is not None:
                tally[label] += weight  # type: ignore[assignment]
        tallies.append({label: float(tally[label]) for label in order})
    return tallies
