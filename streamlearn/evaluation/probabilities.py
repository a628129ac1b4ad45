"""What `ClassificationMetrics` keeps beside the predicted classes where a metric needs their probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..errors import StateError
from . import probability_kernels as kernels
from .arrays import doubled, padded, saved

FIRST_CAPACITY = 4
FIRST_POINTS = 64
PREFIX = "probability_"  # of the arrays in a saved state


class Probabilities:
    """Metrics of class probabilities over a stream, in three views, a point at the same rows as all the others.

    Parameters
    ----------
    metrics
        Names from `probability_kernels.PROBABILITY`, at least one.
    window, fading, every, n_classes
        As in `ClassificationMetrics`.
    """

    def __init__(self, metrics: tuple[str, ...], *, window: int, fading: float, every: int, n_classes: int) -> None:
        self._ranking = "roc_auc" in metrics
        capacity = min(doubled(FIRST_CAPACITY, n_classes), kernels.MAX_RANKED) if self._ranking else 0
        self._arrays = kernels.ProbabilityTallyArrays(
            numbers=np.array([0, 0, n_classes, min(n_classes, kernels.MAX_RANKED + 1)], np.int64),
            options=np.array([every, self._ranking], np.int64),
            scale=np.array([1.0 / fading, 1.0]),
            sums=np.zeros((3, 2)),
            bins=np.zeros((3, kernels.CALIBRATION_BINS, 3)),
            ranks=np.zeros((2, capacity, kernels.RANK_BINS, 2)),
            label=np.zeros(window, np.int32),
            right=np.zeros(window, np.uint8),
            weight=np.zeros(window),
            distance=np.zeros(window),
            top=np.zeros(window),
            proba=np.zeros((capacity, window)),
            wanted=np.array([kernels.PROBABILITY.index(name) for name in metrics], np.int64),
            points=np.zeros((FIRST_POINTS, 3, len(metrics))),
            values=np.zeros(len(kernels.PROBABILITY)),
        )
        self._pack()

    def update(self, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray, proba: np.ndarray) -> None:
        """Take in rows that have been checked."""
        done = kernels.observe_probabilities(self._packed, y, prediction, weight, proba, 0)
        while done < len(y):
            full = self._arrays.numbers[kernels.POINTS] == len(self._arrays.points)
            classes, points = self._arrays.ranks.shape[1], len(self._arrays.points)
            self._make_room(classes, 2 * points) if full else self._make_room(2 * classes, points)
            done = kernels.observe_probabilities(self._packed, y, prediction, weight, proba, done)

    def now(self) -> np.ndarray:
        """Present values, float64 ``[3, m]``."""
        out = np.empty((3, len(self._arrays.wanted)))
        kernels.measure_probabilities(self._packed, out)
        return out

    def points(self) -> np.ndarray:
        """The values at each point so far, float64 ``[points, 3, m]``."""
        return self._arrays.points[: self._arrays.numbers[kernels.POINTS]]

    def calibration(self) -> list[dict[str, float]]:
        """The bins of the whole stream that hold any weight, from low to high."""
        bins = self._arrays.bins[0].tolist()
        edges = np.linspace(0.0, 1.0, kernels.CALIBRATION_BINS + 1).tolist()
        return [
            {
                "low": low,
                "high": high,
                "weight": weight,
                "confidence": confidence / weight,
                "accuracy": right / weight,
            }
            for low, high, (weight, confidence, right) in zip(edges, edges[1:], bins, strict=False)
            if weight > 0.0
        ]

    def used(self) -> dict[str, np.ndarray]:
        """Views of the part of each array that carries state, by its name in a saved state."""
        a = self._arrays
        filled = min(int(a.numbers[kernels.LABELLED]), len(a.label))
        classes = min(int(a.numbers[kernels.RANKED]), a.ranks.shape[1])
        views = {"numbers": a.numbers, "scale": a.scale, "sums": a.sums[:2], "bins": a.bins[:2]}
        views |= {"ranks": a.ranks[:, :classes], "proba": a.proba[:classes, :filled], "points": self.points()}
        views |= {name: getattr(a, name)[:filled] for name in ("label", "right", "weight", "distance", "top")}
        return {PREFIX + name: view for name, view in views.items()}

    def load(self, arrays: Mapping[str, np.ndarray], *, labelled: int, points: int, known: int) -> None:
        """Fill these fresh ones from saved arrays, checking each; the numbers are those of all metrics."""
        numbers = saved(arrays, PREFIX + "numbers", (4,), np.dtype(np.int64))
        *others, ranked = numbers.tolist()
        most = kernels.MAX_RANKED + 1
        if others != [labelled, points, known] or not min(known, most) <= ranked <= most:
            raise StateError("the state of the metrics is damaged: its counts of rows or classes contradict each other")
        self._arrays.numbers[:] = numbers
        self._make_room(ranked, points)
        growth = float(self._arrays.scale[0])
        for name, part in self.used().items():
            part[...] = saved(arrays, name, part.shape, part.dtype)
        a = self._arrays
        if a.scale[0] != growth or not 0.0 < a.scale[1] < math.inf:
            raise StateError("the state of the metrics is damaged: scale doesn't fit the fading factor")
        if a.label.min() < 0 or a.label.max() > max(known - 1, 0):
            raise StateError("the state of the metrics is damaged: label holds a class that it doesn't know")
        if not ((a.top >= 0.0) & (a.top <= 1.0)).all():
            raise StateError("the state of the metrics is damaged: top holds what is no probability")

    def _make_room(self, classes: int, points: int) -> None:
        a = self._arrays
        capacity, room = a.ranks.shape[1], doubled(len(a.points), points)
        if self._ranking and classes > capacity:
            capacity = min(doubled(capacity, classes), kernels.MAX_RANKED)
        self._arrays = a._replace(
            ranks=padded(a.ranks, 2, capacity, *a.ranks.shape[2:]),
            proba=padded(a.proba, capacity, a.proba.shape[1]),
            points=padded(a.points, room, *a.points.shape[1:]),
        )
        self._pack()

    def _pack(self) -> None:
        self._packed = kernels.make_probability_tally(self._arrays)
