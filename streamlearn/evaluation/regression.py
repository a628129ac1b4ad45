"""The metrics of regressors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from . import kernels
from .arrays import column, row_weights
from .metrics import VIEWS
from .views import Metrics


class RegressionMetrics(Metrics):
    """Metrics of a regressor over a stream, in three views at once: cumulative, sliding window and fading.

    A prediction that isn't finite has no error: the row is left out of every metric and counted in `unpredicted`, which
    results show beside the metrics, since a learner that fails often must not look good by its other rows. The row
    still takes a place in the window, so that windows of different learners span the same rows.

    Parameters
    ----------
    metrics : iterable of str, optional
        Names from `METRICS`; default mae, rmse and r2.
    window : int >= 1
        Labelled rows in the sliding window.
    fading : float, 0.001 … 1
        Weight of a row relative to the next labelled row, in the fading view.
    every : int >= 1, optional
        Labelled rows between two points of the curve; default `window`.

    Examples
    --------
    >>> metrics = RegressionMetrics(metrics=["mae", "r2"])
    >>> metrics.update(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.0, 4.0, 9.0]))
    >>> metrics.values()["r2"], metrics.rows, metrics.labelled
    (0.5, 4, 3)
    """

    task = "regression"
    _order = kernels.REGRESSION
    _arrays: kernels.ValueTallyArrays

    def __init__(
        self,
        *,
        metrics: Iterable[str] | None = None,
        window: int = 1000,
        fading: float = 0.999,
        every: int | None = None,
    ) -> None:
        super().__init__(metrics, window, fading, every)
        self._arrays = kernels.ValueTallyArrays(
            **self._shared_arrays(declared=False),
            tally=np.zeros((3, 5)),
            target=np.zeros(self.window),
            error=np.zeros(self.window),
            weight=np.zeros(self.window),
        )
        self._pack()

    def update(self, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None) -> None:
        """Take in rows, in stream order; how they are cut into calls makes no difference.

        Parameters
        ----------
        y : float64 [n]
            Targets; NaN or infinite means no label, and the row is only counted.
        prediction : float64 [n]
            Predicted values; NaN or infinite means no prediction.
        weight : float64 [n], optional
            Row weights, finite and >= 0; default 1 each.

        Raises
        ------
        InputError
            If the arrays don't fit each other, or a weight is negative or not finite.
        """
        targets = column("y", y, np.float64)
        n = len(targets)
        predictions = column("prediction", prediction, np.float64, n)
        weights = row_weights(weight, n)
        done = kernels.observe_values(self._packed, targets, predictions, weights, 0)
        while done < n:
            self._make_room(0, int(self._arrays.numbers[kernels.POINTS]) + 1)
            done = kernels.observe_values(self._packed, targets, predictions, weights, done)

    def _now(self) -> np.ndarray:
        out = np.empty((len(VIEWS), len(self.metrics)))
        kernels.measure_values(self._packed, out)
        return out

    def _pack(self) -> None:
        self._packed = kernels.make_value_tally(self._arrays)

    def _rings(self) -> tuple[str, ...]:
        return ("target", "error", "weight")
