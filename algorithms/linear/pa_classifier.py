"""The passive-aggressive classifier, for two or more classes."""

from __future__ import annotations

from streamlearn.array_learner import Classifier
from streamlearn.schema import Schema

from .kernels import advance_classification
from .passive_aggressive import PassiveAggressive


class PAClassifier(PassiveAggressive, Classifier):
    """Passive-aggressive classification: the smallest step after which the row is right with a margin of 1.

    A row that is right with that margin changes nothing. Otherwise the coefficients move along the row, just as far as
    the margin needs (mode 0), at most by ``C`` (mode 1), or less the greater the step (mode 2), so that a wrong label
    does limited damage. Numeric fields are standardised by their running mean and deviation, as in
    `LogisticRegression`; a nominal field has one coefficient a category; what is missing contributes 0.

    Up to two classes there is one row of coefficients, and the class learned first is the reference, whose score stays
    0. From the third class on every class has its own row, and a step moves two of them: that of the label, and the
    best of the others. Probabilities are the sigmoid or the softmax of the scores, as in River: an order of the
    classes, not calibrated frequencies.

    Parameters
    ----------
    C : float, in (0, 1e12]
        Aggressiveness: how far a single row may move the coefficients. Smaller is more careful.
    mode : 0, 1 or 2
        The paper's PA, PA-I or PA-II; ``C`` has no part in mode 0.
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
    A row's weight multiplies ``C``, as it would multiply the row's loss in the problem that a step solves: in mode 0
    only a weight of 0 has an effect.

    The intercept is the coefficient of a constant 1 that is part of the row, so a step in mode 0 ends exactly at margin
    1. River leaves that 1 out of the row's length, and so its steps go too far. Without an intercept, or with the
    constant as a field, it agrees with River's to rounding.

    References
    ----------
    Crammer, Dekel, Keshet, Shalev-Shwartz and Singer, Online passive-aggressive algorithms, JMLR 7, 2006.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.PAClassifier(C=0.1)
    >>> for i in range(100):
    ...     model.learn_one({"hour": i % 24, "place": "shop" if i % 3 else "web"}, "yes" if i % 24 > 12 else "no")
    >>> model.predict_one({"hour": 20, "place": "web"})
    'yes'
    """

    _advance = staticmethod(advance_classification)

    def __init__(
        self,
        *,
        C: float = 1.0,
        mode: int = 1,
        learn_intercept: bool = True,
        standardize: bool = True,
        schema: Schema | None = None,
    ) -> None:
        self.C = C
        self.mode = mode
        self.learn_intercept = learn_intercept
        self.standardize = standardize
        self._check_parameters()
        super().__init__(schema=schema)
