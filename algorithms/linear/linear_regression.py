"""Online linear regression."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Regressor
from streamlearn.parameters import check_choice, check_range
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_regression
from .linear_model import GradientModel

LOSSES = ("squared", "huber", "absolute")


class LinearRegression(GradientModel, Regressor):
    """Linear regression, learned by stochastic gradient descent on the squared, the Huber or the absolute loss.

    Numeric fields are standardised by their running mean and deviation, which are part of the model; a row is learned
    with statistics that already include it, as in River's ``StandardScaler() | LinearRegression()``. A nominal field
    has one coefficient a category. What is missing contributes 0: missing values, infinities and numbers beyond ±1e100,
    categories not learned yet, fields that have not varied. Before the first target the prediction is 0. Targets that
    are missing, infinite or beyond ±1e100 are not learned.

    Parameters
    ----------
    loss : "squared", "huber" or "absolute"
        ``e²``; ``e² / 2`` up to ``epsilon`` and linear beyond; ``|e|``, where ``e`` is prediction minus target.
    epsilon : float, in (0, 1e100]
        Where the Huber loss becomes linear, in units of the target.
    optimizer : "sgd", "adagrad" or "ftrl"
        Gradient descent; AdaGrad, whose rates fall with each coefficient's squared gradients; or FTRL-Proximal.
    learning_rate : float, in (0, 1000]
        The rate of SGD and AdaGrad; FTRL's alpha. AdaGrad and FTRL want larger ones: 1 is a good start.
    intercept_lr : float, in [0, 1000]
        The rate of the intercept, which is always learned by plain gradient descent; 0 leaves it at 0.
    schedule : "constant" or "inverse_sqrt"
        Whether both rates are divided by the square root of the number of rows learned, plus 1 (SGD and AdaGrad). A
        constant rate keeps following a stream that drifts.
    l1 : float, in [0, 1e6]
        Penalty on absolute values: coefficients that stay below it are exactly 0.
    l2 : float, in [0, 1e6]
        Penalty ``l2 / 2`` times the squared values. Both leave alone the intercept and what a row doesn't have.
    beta : float, in [0, 1e6]
        FTRL's beta, which slows down its first steps.
    clip_gradient : float, in (0, 1e12]
        Bound of the absolute gradient by the prediction, in units of the target for the squared loss.
    standardize : bool
        Whether numeric fields are standardised.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range, or contradicts another.

    Notes
    -----
    A step of SGD on the squared loss ends at the target at the latest: where the rates are so large that it would go
    past it, it is cut short. So the coefficients can't explode, whatever the rates, the number of fields and weights.

    A row's weight multiplies its gradient, so a row of weight 2 takes a step twice as long, which is not the same as
    two steps; in means and variances it counts as two rows. Weight 0 is not learned.

    With the same parameters, numeric fields and no l1, SGD (where no step is cut short) and AdaGrad agree with River to
    rounding. River's ``FTRLProximal`` uses coefficients that are one step old, and leaves those below ``l1`` as they
    were; this one is the paper's. River's l1 is the cumulative penalty of Tsuruoka et al.; this one is forward-backward
    splitting (SGD) and composite mirror descent (AdaGrad). River's ``intercept_lr`` is 0.01 by default.

    References
    ----------
    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 12,
    2011. Duchi and Singer, Efficient online and batch learning using forward backward splitting, JMLR 10, 2009. McMahan
    et al., Ad click prediction: a view from the trenches, KDD 2013. Karampatziakis and Langford, Online
    importance weight aware updates, UAI 2011 (steps that don't go past the target).

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.LinearRegression()
    >>> for i in range(2000):
    ...     model.learn_one({"kind": "a" if i % 3 else "b", "size": i % 10}, 3.0 * (i % 10) + (5.0 if i % 3 else 0.0))
    >>> round(model.predict_one({"kind": "a", "size": 4}))
    17
    """

    _advance = staticmethod(advance_regression)

    def __init__(
        self,
        *,
        loss: str = "squared",
        epsilon: float = 1.0,
        optimizer: str = "sgd",
        learning_rate: float = 0.01,
        intercept_lr: float = 0.1,
        schedule: str = "constant",
        l1: float = 0.0,
        l2: float = 0.0,
        beta: float = 1.0,
        clip_gradient: float = 1e12,
        standardize: bool = True,
        schema: Schema | None = None,
    ) -> None:
        check_choice("loss", loss, LOSSES)
        check_range("epsilon", epsilon, 0.0, 1e100, open_low=True)
        self.loss = loss
        self.epsilon = epsilon
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.intercept_lr = intercept_lr
        self.schedule = schedule
        self.l1 = l1
        self.l2 = l2
        self.beta = beta
        self.clip_gradient = clip_gradient
        self.standardize = standardize
        self._check_parameters()
        super().__init__(schema=schema)

    def _options(self) -> np.ndarray:
        options = super()._options()
        options[kernels.LOSS] = LOSSES.index(self.loss)
        options[kernels.DELTA] = self.epsilon
        return options
