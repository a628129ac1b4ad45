"""Prequential metrics the slow, obvious way: every view is computed from scratch over all of its rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One labelled row, with the verdicts of the two predictors that kappa-M and kappa-temporal compare with."""

    truth: int
    guess: int
    weight: float
    loss: float
    majority_right: bool
    previous_right: bool
    proba: Sequence[float]  # of the classes known by then, and those that the learner had before


def labelled_rows(
    y: Sequence[int],
    prediction: Sequence[int],
    weight: Sequence[float] | None = None,
    proba: Sequence[Sequence[float]] | None = None,
    declared: bool = False,
) -> list[Row]:
    """The labelled rows of a stream, in order."""
    counts: dict[int, float] = {}
    previous, known = 0, 0
    rows = []
    for i, truth in enumerate(y):
        if truth < 0:
            continue
        guess = prediction[i] if prediction[i] >= 0 else (0 if declared else -1)
        w = 1.0 if weight is None else weight[i]
        known = max(known, truth + 1, guess + 1)
        counts[truth] = counts.get(truth, 0.0) + w
        most = max(counts.get(c, 0.0) for c in range(known))
        majority = min(c for c in range(known) if counts.get(c, 0.0) == most)
        loss = 0.0 if proba is None else log_loss(proba[i], truth, known)
        shares = [] if proba is None else normalised(proba[i], known)
        rows.append(Row(truth, guess, w, loss, majority == truth, previous == truth, shares))
        previous = truth
    return rows


def log_loss(p: Sequence[float], truth: int, known: int) -> float:
    total = sum(p)
    right = 1.0 / known
    if math.isfinite(total) and total > 0.0:
        right = p[truth] / total if truth < len(p) else 0.0
    return -math.log(min(max(right, 1e-15), 1.0 - 1e-15))


def normalised(p: Sequence[float], known: int) -> list[float]:
    total = sum(p)
    if not (math.isfinite(total) and total > 0.0):
        return [1.0 / known] * known
    return [share / total for share in p] + [0.0] * (known - len(p))


def weights(rows: Sequence[Row], view: str, window: int, fading: float) -> list[float]:
    """How much each row counts in a view."""
    n = len(rows)
    if view == "cumulative":
        return [row.weight for row in rows]
    if view == "window":
        return [row.weight if i >= n - window else 0.0 for i, row in enumerate(rows)]
    return [row.weight * fading ** (n - 1 - i) for i, row in enumerate(rows)]


def classification(rows: Sequence[Row], weight: Sequence[float], faded: float = 0.0) -> dict[str, float]:
    """All metrics of weighted rows; a class below the weight ``faded`` takes no part in macro averages."""

    def weigh(chosen: Sequence[bool]) -> float:
        return math.fsum(w for w, take in zip(weight, chosen, strict=True) if take)

    def kappa(p0: float, chance: float) -> float:
        return math.nan if chance >= 1.0 - 1e-12 else (p0 - chance) / (1.0 - chance)

    total = weigh([True] * len(rows))
    if total == 0.0:
        return {}
    classes = sorted({row.truth for row in rows} | {row.guess for row in rows} - {-1})
    support = {c: weigh([row.truth == c for row in rows]) for c in classes}
    predicted = {c: weigh([row.guess == c for row in rows]) for c in classes}
    hit = {c: weigh([row.truth == c == row.guess for row in rows]) for c in classes}
    recall = {c: hit[c] / support[c] if support[c] else 0.0 for c in classes}
    precision = {c: hit[c] / predicted[c] if predicted[c] else 0.0 for c in classes}
    f1 = {c: 2.0 * hit[c] / (support[c] + predicted[c]) if hit[c] else 0.0 for c in classes}
    occurring = [c for c in classes if support[c] > faded]
    present = [c for c in classes if support[c] > faded or predicted[c] > faded]
    p0 = weigh([row.truth == row.guess for row in rows]) / total

    recalls = [recall[c] for c in occurring]
    g_mean = math.prod(recalls) ** (1.0 / len(recalls))

    def macro(score: dict[int, float]) -> float:
        return sum(score[c] for c in present) / len(present)

    def weighted(score: dict[int, float]) -> float:
        return sum(support[c] * score[c] for c in classes) / total

    return {
        "accuracy": p0,
        "balanced_accuracy": sum(recall[c] for c in occurring) / len(occurring),
        "kappa": kappa(p0, sum(support[c] / total * predicted[c] / total for c in classes)),
        "kappa_m": kappa(p0, weigh([row.majority_right for row in rows]) / total),
        "kappa_t": kappa(p0, weigh([row.previous_right for row in rows]) / total),
        "f1_micro": 2.0 * sum(hit.values()) / (total + sum(predicted.values())),
        "f1_macro": macro(f1),
        "f1_weighted": weighted(f1),
        "precision_macro": macro(precision),
        "precision_weighted": weighted(precision),
        "recall_macro": macro(recall),
        "recall_weighted": weighted(recall),
        "g_mean": g_mean,
        "log_loss": math.fsum(w * row.loss for w, row in zip(weight, rows, strict=True)) / total,
    }


def probability(rows: Sequence[Row], weight: Sequence[float], binned: bool, faded: float = 0.0) -> dict[str, float]:
    """All metrics of the probabilities of weighted rows; ``binned`` ranks them by bins, as long streams are."""
    total = math.fsum(weight)
    if total == 0.0:
        return {}
    likely = [c for row in rows for c, p in enumerate(row.proba) if p > 0.0]
    known = 1 + max(*likely, *(max(row.truth, row.guess) for row in rows))
    distance = math.fsum(
        w * sum((p - (c == row.truth)) ** 2 for c, p in enumerate(row.proba))
        for row, w in zip(rows, weight, strict=True)
    )
    gap = 0.0
    tops = [(max(row.proba), row.proba.index(max(row.proba)) == row.truth) for row in rows]
    for b in range(15):
        members = [(w, *top) for top, w in zip(tops, weight, strict=True) if min(int(15 * top[0]), 14) == b]
        gap += abs(math.fsum(w * right for w, _, right in members) - math.fsum(w * top for w, top, _ in members))
    areas = []
    for c in [1] if known == 2 else range(known):
        scores = [row.proba[c] if c < len(row.proba) else 0.0 for row in rows]
        ranks = [rank(p) if binned else p for p in scores]
        areas.append(area([row.truth == c for row in rows], ranks, weight, faded))
    defined = [a for a in areas if not math.isnan(a)]
    return {
        "brier": distance / total,
        "calibration_error": gap / total,
        "roc_auc": sum(defined) / len(defined) if defined else math.nan,
    }


def area(own: Sequence[bool], score: Sequence[float], weight: Sequence[float], faded: float) -> float:
    """Share of the pairs of a row of the class and another row that are ranked rightly; ties count half."""
    ours = [(s, w) for mine, s, w in zip(own, score, weight, strict=True) if mine]
    others = [(s, w) for mine, s, w in zip(own, score, weight, strict=True) if not mine]
    pairs = math.fsum(w for _, w in ours) * math.fsum(w for _, w in others)
    if min(math.fsum(w for _, w in ours), math.fsum(w for _, w in others)) <= faded:
        return math.nan
    return math.fsum(w * v * (1.0 if s > t else 0.5 if s == t else 0.0) for s, w in ours for t, v in others) / pairs


def rank(p: float) -> float:
    """A number for each bin: 64 in each halving towards 0 and towards 1; below 2^-53 one for each halving."""
    if p > 0.5:
        return math.inf if p == 1.0 else 10_000.0 - rank(1.0 - p)
    if p == 0.0:
        return -math.inf
    halvings = next(k for k in range(1075) if p >= 2.0 ** -(k + 1) or k == 1074)
    if halvings > 52:
        return 52.0 - halvings
    return (52 - halvings) * 64 + math.floor((p * 2.0 ** (halvings + 1) - 1.0) * 64)


def regression(y: Sequence[float], prediction: Sequence[float], weight: Sequence[float]) -> dict[str, float]:
    """All metrics of weighted rows; rows without a finite prediction are left out."""
    rows = [row for row in zip(y, prediction, weight, strict=True) if math.isfinite(row[1])]
    total = math.fsum(w for _, _, w in rows)
    if total == 0.0:
        return {}
    mse = math.fsum(w * (p - t) ** 2 for t, p, w in rows) / total
    mean = math.fsum(w * t for t, _, w in rows) / total
    variance = math.fsum(w * (t - mean) ** 2 for t, _, w in rows) / total
    return {
        "mae": math.fsum(w * abs(p - t) for t, p, w in rows) / total,
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": 1.0 - mse / variance if variance > 0.0 else math.nan,
    }
