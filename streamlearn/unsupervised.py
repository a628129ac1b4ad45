"""Learners from rows without labels: anomaly detectors, which give scores, and clusterers, which give numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import river.base

from .array_learner import ArrayLearner
from .batch import Batch


class AnomalyDetector(ArrayLearner, river.base.AnomalyDetector):
    """Base of anomaly detectors with compiled kernels: what is predicted of a row is its score, 0 at first.

    Targets may be passed wherever a learner takes them; they are not looked at.
    """

    task = "anomaly"

    def targets(self, batch: Batch) -> np.ndarray:
        return np.full(len(batch), np.nan)

    def _encode_one_target(self, y: Any) -> float:
        return float("nan")

    def score_many(self, X: Any) -> np.ndarray:
        """Score each row: the higher, the more anomalous.

        Parameters
        ----------
        X
            A matrix [n, d], a list of dicts, an Arrow table, a data frame, or a `Batch`.

        Returns
        -------
        float64 [n]
        """
        return self.predict_many(X)

    def score_one(self, x: Mapping[Hashable, Any]) -> float:
        """Score one row: the higher, the more anomalous."""
        return self.predict_one(x)

    def predict_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> float:
        """The row's score, by the name that all learners have for it."""
        with self._lock:
            if self._live is None:
                return 0.0
            row = self._known_row(x)
            row.predict()
            return float(row.code())


class Clusterer(ArrayLearner, river.base.Clusterer):
    """Base of clusterers with compiled kernels: what is predicted of a row is its cluster's number, -1 at first.

    Targets may be passed wherever a learner takes them; they are not looked at.
    """

    task = "clustering"

    def targets(self, batch: Batch) -> np.ndarray:
        return np.full(len(batch), -1, np.int64)

    def _encode_one_target(self, y: Any) -> int:
        return -1

    def predict_one(self, x: Mapping[Hashable, Any], **kwargs: Any) -> int:
        """The row's cluster, -1 while there is none."""
        with self._lock:
            if self._live is None:
                return -1
            row = self._known_row(x)
            row.predict()
            return int(row.code())
