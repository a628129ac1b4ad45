"""The perceptron, for two or more classes."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Classifier
from streamlearn.parameters import check_flag, check_range
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_classification
from .linear_model import LinearModel


class Perceptron(LinearModel, Classifier):
    """The perceptron: after each mistake, and only then, the row itself is added to the coefficients of its class.

    Numeric fields are standardised by their running mean and deviation, as in `LogisticRegression`; a nominal field has
    one coefficient a category; what is missing contributes 0. Up to two classes there is one row of coefficients, and
    the class learned first is the reference, whose score stays 0. From the third class on every class has its own row:
    a mistake adds the instance to the row of its class and takes it from the best of the others. Probabilities are the
    sigmoid or the softmax of the scores, as in River: an order of the classes, not calibrated frequencies.

    Parameters
    ----------
    l2 : float, in [0, 1]
        How much of each coefficient that a row uses is taken away, whether or not the row was a mistake.
    clip_gradient : float, in (0, 1e12]
        Bound of a step, which is the row's weight.
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
    With two classes and the same inputs it agrees with River's to rounding. MOA's ``Perceptron`` is another learner:
    one sigmoid unit a class, trained by the delta rule on every row.

    References
    ----------
    Rosenblatt, The perceptron: a probabilistic model for information storage and organization in the brain,
    Psychological Review 65, 1958. Crammer and Singer, Ultraconservative online algorithms for multiclass problems, JMLR
    3, 2003 (more than two classes).

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.Perceptron()
    >>> for i in range(100):
    ...     model.learn_one({"hour": i % 24, "place": "shop" if i % 3 else "web"}, "yes" if i % 24 > 12 else "no")
    >>> model.predict_one({"hour": 20, "place": "web"})
    'yes'
    """

    _advance = staticmethod(advance_classification)

    def __init__(
        self,
        *,
        l2: float = 0.0,
        clip_gradient: float = 1e12,
        standardize: bool = True,
        schema: Schema | None = None,
    ) -> None:
        check_range("l2", l2, 0.0, 1.0)
        check_range("clip_gradient", clip_gradient, 0.0, 1e12, open_low=True)
        check_flag("standardize", standardize)
        self.l2 = l2
        self.clip_gradient = clip_gradient
        self.standardize = standardize
        super().__init__(schema=schema)

    def _options(self) -> np.ndarray:
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.RATE] = options[kernels.INTERCEPT_RATE] = 1.0
        options[kernels.L2] = self.l2
        options[kernels.CLIP] = self.clip_gradient
        options[kernels.STANDARDIZE] = self.standardize
        options[kernels.LOSS] = kernels.MISTAKES
        return options
