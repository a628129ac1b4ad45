"""Linear regression by recursive least squares."""

from __future__ import annotations

from streamlearn.schema import Schema

from .readout_regressor import ReadoutRegressor
from .readouts import RLS


class RLSRegressor(ReadoutRegressor):
    """Linear regression by recursive least squares: after each row, the solution for all rows so far.

    Without forgetting that is ridge regression to rounding; with it, rows count less the older they are. The constant
    is a feature like any other, and so part of the solution. Numeric fields are taken as they are, nominal ones have a
    feature a category. What is missing is 0: missing values, infinities and numbers beyond ±1e100, categories not
    learned yet; put a `StandardScaler` in front where 0 is no good value. Before the first target the prediction is 0.
    Targets that are missing, infinite or beyond ±1e100 are not learned.

    Parameters
    ----------
    forgetting : float, in [0.1, 1]
        What a row's weight is multiplied by with each later row; its memory is ``1 / (1 - forgetting)`` rows.
    ridge : float, in [1e-12, 1e12]
        Penalty on squared coefficients, the constant's included, in units of squared features times rows.
    guard : "ridge", "trace" or "none"
        What keeps the state from growing without bound where fields don't vary, once ``forgetting < 1``. With
        ``"ridge"`` features get back, one after the other, what they forgot of the penalty: the prediction is that of
        a ridge regression at any time. With ``"trace"`` nothing is forgotten while the trace of the inverse is above
        its first value. With ``"none"`` it overflows some day, as in the textbook.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A row of weight w counts as w rows. A feature that comes late has the full penalty then. Learning a row costs three
    times the square of the number of features, in multiplications; the state is that square, in float64. There are at
    most 2048 features: categories that come later are left out.

    References
    ----------
    Plackett, Some theorems in least squares, Biometrika 37, 1950. Haykin, Adaptive filter theory, chapter on recursive
    least squares. The two guards are ours.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.RLSRegressor()
    >>> for i in range(100):
    ...     model.learn_one({"a": 3.0 + i % 7, "b": 3.0 + i % 11}, 7.0 + (3.0 + i % 7) - 2.0 * (3.0 + i % 11))
    >>> round(model.predict_one({"a": 100.0, "b": 10.0}), 1)
    87.0
    """

    def __init__(
        self, *, forgetting: float = 1.0, ridge: float = 1e-3, guard: str = "ridge", schema: Schema | None = None
    ) -> None:
        self.forgetting = forgetting
        self.ridge = ridge
        self.guard = guard
        self._readout()
        super().__init__(schema=schema)

    def _readout(self) -> RLS:
        return RLS(forgetting=self.forgetting, ridge=self.ridge, guard=self.guard)
