"""Distributed validation: several models of a learner, each taught and tested on its own share of the stream.

Bifet, de Francisci Morales, Read, Holmes and Pfahringer, "Efficient online evaluation of big data stream classifiers",
KDD 2015. MOA tests every model on every row; here, as in the paper, a model is tested on the rows that it is not
taught.
"""

from __future__ import annotations

import numpy as np

from ..errors import OptionError

MODES = ("cross-validation", "split", "bootstrap")


class Folds:
    """Draws which fold learns a row, with which weight, and which is tested on it.

    Parameters
    ----------
    n : int
        Number of folds, 2 … 1000.
    mode : "cross-validation", "split" or "bootstrap"
        A row is tested by one fold, drawn at random, and taught to all others; taught to one, and tested by all others;
        or taught to each with a Poisson(1) weight, and tested where that is 0.
    seed : int
        Of the draws.

    Raises
    ------
    OptionError
        If a parameter is out of range.
    """

    def __init__(self, n: int, mode: str, seed: int) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or not 2 <= n <= 1000:
            raise OptionError(f"folds must be a whole number from 2 to 1000, got {n!r}")
        if mode not in MODES:
            raise OptionError(f"fold_mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
        self._n, self._mode = n, mode
        self._random = np.random.default_rng([seed, 2])

    def draw(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """For the next rows: the weight with which each fold learns them, float64 [rows, n]; where it is tested."""
        if self._mode == "bootstrap":
            taught = self._random.poisson(1.0, (rows, self._n)).astype(np.float64)
            return taught, taught == 0.0
        chosen = (self._random.random(rows) * self._n).astype(np.int64)[:, np.newaxis] == np.arange(self._n)
        return ((~chosen).astype(np.float64), chosen) if self._mode == "cross-validation" else (
            chosen.astype(np.float64), ~chosen
        )  # fmt: skip
