"""Passive-aggressive regression."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Regressor
from streamlearn.parameters import check_range
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_regression
from .passive_aggressive import PassiveAggressive


class PARegressor(PassiveAggressive, Regressor):
    """Passive-aggressive regression: the smallest step after which the prediction is within ``eps`` of the target.

    A row that is predicted that well changes nothing. Otherwise the coefficients move along the row, just as far as
    needed (mode 0), at most by ``C`` (mode 1), or less the greater the step (mode 2). Numeric fields are standardised
    by their running mean and deviation, as in `LinearRegression`; a nominal field has one coefficient a category; what
    is missing contributes 0. Before the first target the prediction is 0. Targets that are missing, infinite or beyond
    ±1e100 are not learned.

    Parameters
    ----------
    C : float, in (0, 1e12]
        Aggressiveness: how far a single row may move the coefficients, in units of the target. Smaller is more careful.
    mode : 0, 1 or 2
        The paper's PA, PA-I or PA-II; ``C`` has no part in mode 0.
    eps : float, in [0, 1e100]
        Errors up to it are none, in units of the target.
    learn_intercept : bool
        Whether there is an intercept.
    standardize : bool
        Whether numeric fields are standardised.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Weights and the intercept are as in `PAClassifier`, which says where they differ from River's. River 0.26 also takes
    the error from ``2 y - 1`` in place of ``y``, so that it doesn't learn the target; this one is the paper's.

    References
    ----------
    Crammer, Dekel, Keshet, Shalev-Shwartz and Singer, Online passive-aggressive algorithms, JMLR 7, 2006, section 5.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.PARegressor(mode=2)
    >>> for i in range(2000):
    ...     model.learn_one({"kind": "a" if i % 3 else "b", "size": i % 10}, 3.0 * (i % 10) + (5.0 if i % 3 else 0.0))
    >>> round(model.predict_one({"kind": "a", "size": 4}))
    17
    """

    _advance = staticmethod(advance_regression)

    def __init__(
        self,
        *,
        C: float = 1.0,
        mode: int = 1,
        eps: float = 0.1,
        learn_intercept: bool = True,
        standardize: bool = True,
        schema: Schema | None = None,
    ) -> None:
        check_range("eps", eps, 0.0, 1e100)
        self.C = C
        self.mode = mode
        self.eps = eps
        self.learn_intercept = learn_intercept
        self.standardize = standardize
        self._check_parameters()
        super().__init__(schema=schema)

    def _options(self) -> np.ndarray:
        options = super()._options()
        options[kernels.DELTA] = self.eps
        return options
