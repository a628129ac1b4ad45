"""Online logistic regression, for two or more classes."""

from __future__ import annotations

from streamlearn.array_learner import Classifier
from streamlearn.schema import Schema

from .kernels import advance_classification
from .linear_model import GradientModel


class LogisticRegression(GradientModel, Classifier):
    """Logistic regression for two or more classes, learned by stochastic gradient descent on the log loss.

    Numeric fields are standardised by their running mean and deviation, which are part of the model; a row is learned
    with statistics that already include it, as in River's ``StandardScaler() | LogisticRegression()``. A nominal field
    has one coefficient a category. What is missing contributes 0: missing values, infinities and numbers beyond ±1e100,
    categories not learned yet, fields that have not varied.

    Up to two classes the model is the sigmoid: the class learned first is the reference, whose score stays 0, and the
    other's coefficients are learned, from the first row on. When a third class is learned it becomes the softmax: from
    then on every class has a score of its own, the reference's starting at 0. Ties go to the class with the lowest
    code. Classes that were not learned yet have probability 0; before the first label nothing is predicted (code -1).

    Parameters
    ----------
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
        Bound of the absolute gradient by a score; matters for rows of great weight only.
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
    A row's weight multiplies its gradient, so a row of weight 2 takes a step twice as long, which is not the same as
    two steps; in means and variances it counts as two rows. Weight 0 is not learned.

    With the same parameters, two classes, numeric fields and no l1, SGD and AdaGrad agree with River to rounding, but
    for the very small gradients that River cuts off. River's ``FTRLProximal`` uses coefficients that are one step old,
    and leaves those below ``l1`` as they were; this one is the paper's. River's l1 is the cumulative penalty of
    Tsuruoka et al.; this one is forward-backward splitting (SGD) and composite mirror descent (AdaGrad). River calls
    ``learning_rate`` the optimizer's ``lr``; its own default, 0.01, learns slowly on drifting streams.

    Learning and predicting cost O(fields) for two classes, O(fields × classes) for more.

    References
    ----------
    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 12,
    2011. Duchi and Singer, Efficient online and batch learning using forward backward splitting, JMLR 10, 2009. McMahan
    et al., Ad click prediction: a view from the trenches, KDD 2013.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.LogisticRegression()
    >>> for i in range(100):
    ...     model.learn_one({"hour": i % 24, "place": "shop" if i % 3 else "web"}, "yes" if i % 24 > 12 else "no")
    >>> model.predict_one({"hour": 20, "place": "web"})
    'yes'
    >>> model.predict_proba_one({"hour": 2, "place": "shop"})["no"] > 0.9
    True
    """

    _advance = staticmethod(advance_classification)

    def __init__(
        self,
        *,
        optimizer: str = "sgd",
        learning_rate: float = 0.15,
        intercept_lr: float = 0.1,
        schedule: str = "constant",
        l1: float = 0.0,
        l2: float = 0.0,
        beta: float = 1.0,
        clip_gradient: float = 1e12,
        standardize: bool = True,
        schema: Schema | None = None,
    ) -> None:
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
