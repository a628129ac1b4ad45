"""Linear regression by normalised least mean squares."""

from __future__ import annotations

from streamlearn.schema import Schema

from .readout_regressor import ReadoutRegressor
from .readouts import NLMS


class NLMSRegressor(ReadoutRegressor):
    """Linear regression by normalised least mean squares: a row moves the prediction a share of the way to its target.

    The step is divided by the squared length of the row, so that there is no rate to tune to the data's units. Features
    are centred by their running means, since what rows have in common would else decide the step. Fields and missing
    values are as in `RLSRegressor`, which learns faster at a cost that is quadratic in the number of features, not
    linear.

    Parameters
    ----------
    learning_rate : float, in (0, 1]
        The share; 1 goes all the way, smaller ones average over noise.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A row of weight w takes the share ``1 - (1 - learning_rate)**w``, as if it came w times. Means are those of all rows
    up to the thousandth, and follow at a rate of 0.001 from there.

    References
    ----------
    Nagumo and Noda, A learning method for system identification, IEEE Transactions on Automatic Control 12, 1967.
    Centred features are ours.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.NLMSRegressor()
    >>> for i in range(500):
    ...     model.learn_one({"a": 3.0 + i % 7, "b": 3.0 + i % 11}, 7.0 + (3.0 + i % 7) - 2.0 * (3.0 + i % 11))
    >>> round(model.predict_one({"a": 5.0, "b": 10.0}), 2)
    -8.0
    """

    def __init__(self, *, learning_rate: float = 0.5, schema: Schema | None = None) -> None:
        self.learning_rate = learning_rate
        self._readout()
        super().__init__(schema=schema)

    def _readout(self) -> NLMS:
        return NLMS(learning_rate=self.learning_rate)
