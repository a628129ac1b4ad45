"""Rows of a stream that only one of two learners predicts rightly: what McNemar's test counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np


class Disagreements:
    """Counts them for each pair of learners.

    Parameters
    ----------
    contestants
        Label and seed of each learner. Those with one label are never paired, and of two learners that both have
        several seeds, those with equal seeds are.
    """

    def __init__(self, contestants: Sequence[tuple[str, int | None]]) -> None:
        self._contestants = contestants
        several = {label for label, _ in contestants if sum(other == label for other, _ in contestants) > 1}
        self._pairs = [
            (i, j)
            for (i, (a, a_seed)), (j, (b, b_seed)) in combinations(enumerate(contestants), 2)
            if a != b and (a_seed == b_seed or not {a, b} <= several)
        ]
        self._counts = np.zeros((len(self._pairs), 2), np.int64)

    def update(self, targets: np.ndarray, predictions: Sequence[np.ndarray]) -> None:
        """Count a batch.

        Parameters
        ----------
        targets : int64 [n]
            Class codes; a row with one below 0 has no label, and is skipped.
        predictions : int64 [n] for each learner
        """
        if not self._pairs:
            return
        labelled = targets >= 0
        right = [(prediction == targets) & labelled for prediction in predictions]
        hits = [np.count_nonzero(one) for one in right]
        for counts, (i, j) in zip(self._counts, self._pairs, strict=True):
            both = np.count_nonzero(right[i] & right[j])
            counts += (hits[i] - both, hits[j] - both)

    def counts(self) -> list[dict[str, Any]]:
        """One dict a pair: a, b, seed, only_a_right, only_b_right."""
        found = []
        for (i, j), (only_a, only_b) in zip(self._pairs, self._counts.tolist(), strict=True):
            (a, a_seed), (b, b_seed) = self._contestants[i], self._contestants[j]
            seed = b_seed if a_seed is None else a_seed
            found.append({"a": a, "b": b, "seed": seed, "only_a_right": only_a, "only_b_right": only_b})
        return found
