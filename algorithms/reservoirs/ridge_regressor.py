"""Ridge regression from sums of products, which can be merged."""

from __future__ import annotations

from typing import Any, cast

from streamlearn.errors import InputError
from streamlearn.schema import Schema

from .readout_regressor import ReadoutRegressor
from .readouts import IncrementalRidge, merge_ridges


class RidgeRegressor(ReadoutRegressor):
    """Ridge regression from running sums of products: exact whenever it solves them, and mergeable.

    Rows are added to the sums as they come, and every so many rows the coefficients are solved for. In between
    predictions are those of the last solution, which `RLSRegressor` would have kept up to date at three times the cost
    a row. Models of the same schema that learned different rows can be merged. Fields and missing values are as in
    `RLSRegressor`.

    Parameters
    ----------
    forgetting : float, in [0.1, 1]
        What a row's weight is multiplied by with each later row; its memory is ``1 / (1 - forgetting)`` rows.
    ridge : float, in [1e-12, 1e12]
        Penalty on squared coefficients, the constant's included, in units of squared features times rows; it is never
        forgotten.
    every : int, in [1, 1000000]
        Rows from one solution to the next; before the first one, there are solutions after 1, 2, 4, 8, … rows.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Examples
    --------
    Two models, each of which saw one half of the rows, together:

    >>> import streamlearn as sl
    >>> schema = sl.Schema.of(["a", "b"], target_kind="numeric")
    >>> rows = [{"a": i % 7, "b": i % 11} for i in range(100)]
    >>> y = [7.0 + row["a"] - 2.0 * row["b"] for row in rows]
    >>> first, second = sl.RidgeRegressor(schema=schema), sl.RidgeRegressor(schema=schema)
    >>> first.learn_many(rows[:50], y[:50]); second.learn_many(rows[50:], y[50:])
    >>> first.merge(second)
    >>> round(first.predict_one({"a": 100, "b": 10}), 1)
    87.0
    """

    def __init__(
        self, *, forgetting: float = 1.0, ridge: float = 1e-3, every: int = 200, schema: Schema | None = None
    ) -> None:
        self.forgetting = forgetting
        self.ridge = ridge
        self.every = every
        self._readout()
        super().__init__(schema=schema)

    def _readout(self) -> IncrementalRidge:
        return IncrementalRidge(forgetting=self.forgetting, ridge=self.ridge, every=self.every)

    def merge(self, other: RidgeRegressor) -> None:
        """Take over what another model learned from other rows; without forgetting, as if it had been one model.

        Raises
        ------
        InputError
            If the parameters differ, or the models don't have the same fields and categories in the same order.
        """
        if self.params != other.params:
            raise InputError(f"{self!r} can't merge {other!r}: their parameters differ")
        if other._arrays is None:
            return
        if self._arrays is None:
            self.restore(other.state())
            return
        mine, theirs = self._arrays, other._arrays
        if self._live != other._live or (mine.feature_of != theirs.feature_of).any():
            raise InputError(
                "models can be merged if they know the same fields and categories, in the order in which they were "
                "learned: give both the same schema, and rows without missing values first"
            )
        with self._lock:
            merge_ridges(cast(Any, mine), theirs)
