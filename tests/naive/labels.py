"""Test-then-train with labels that come late, one event at a time, with the learner's verbs for one row."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


def walk(
    rows: list[tuple[dict[str, Any], Any]],
    learner: Any,
    known_at: list[float],
    now: list[float],
    teach: Callable[[int], bool] = lambda row: True,
    ask: Callable[[float], bool] | None = None,
) -> tuple[list[tuple[int, Any]], list[int]]:
    """The predictions in the order in which their labels came, and the rows that were learned."""
    waiting: list[tuple[float, int]] = []
    predicted: dict[int, Any] = {}
    asked: set[int] = set()
    judged: list[tuple[int, Any]] = []
    learned: list[int] = []

    def label(row: int) -> None:
        judged.append((row, predicted[row]))
        if teach(row) and (ask is None or row in asked):
            learner.learn_one(*rows[row])
            learned.append(row)

    time = float("-inf")
    for row, (x, _) in enumerate(rows):
        time = max(time, now[row])
        while waiting and waiting[0][0] <= time:
            label(heapq.heappop(waiting)[1])
        predicted[row] = learner.predict_one(x)
        if ask is not None and ask(max(learner.predict_proba_one(x).values(), default=0.0)):
            asked.add(row)
        if known_at[row] <= time:
            label(row)
        else:
            heapq.heappush(waiting, (known_at[row], row))
    while waiting:
        label(heapq.heappop(waiting)[1])
    return judged, learned
