"""A neural network that predicts numbers, learned row by row."""

from __future__ import annotations

from collections.abc import Sequence

from streamlearn.array_learner import Regressor
from streamlearn.schema import Schema

from .kernels import advance_mlp_regressor
from .multilayer_perceptron import MultilayerPerceptron, layer_sizes


class MLPRegressor(MultilayerPerceptron, Regressor):
    """A small neural network for regression: each row is one step of gradient descent on the squared loss.

    Numeric fields and the target are standardised by their running means and deviations, which are part of the model; a
    row is learned with statistics that already include it. A nominal field has one input a category, and so a learned
    vector for each. What is missing contributes 0: missing values, infinities and numbers beyond ±1e100, categories not
    learned yet, fields that have not varied. Before the first target the prediction is 0. Targets that are missing,
    infinite or beyond ±1e100 are not learned.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, each in 1 … 4096
        Units of each hidden layer, from the inputs on; at most 8 layers. Kept as a tuple.
    activation : "relu" or "tanh"
        The hidden units' activation.
    optimizer : "adagrad" or "sgd"
        AdaGrad, whose rates fall with each weight's squared gradients; or plain gradient descent.
    learning_rate : float, in (0, 1000]
        The rate of all weights but the outputs' intercepts.
    intercept_lr : float, in [0, 1000]
        The rate of the outputs' intercepts, which are always learned by plain gradient descent; 0 leaves them at 0.
    memory : int, in [0, 10**12]
        Each new squared gradient takes away ``1 / memory`` of AdaGrad's sum, so that rates stop falling after about as
        many rows, and the network keeps following a stream that drifts; 0 never forgets, as in the paper.
    l2 : float, in [0, 1]
        Penalty ``l2 / 2`` times the squared weights, intercepts of outputs excepted, applied to what a row changes.
    clip_gradient : float, in (0, 1e6]
        Bound of the absolute error that a row is learned with, in deviations of the target: beyond it the loss is
        linear, as Huber's.
    skip_connection : bool
        Whether the inputs also go straight to the outputs, which makes a linear model a part of the network.
    standardize : bool
        Whether numeric fields are standardised, and then cut off at 5 deviations.
    seed : int
        Of the first weights.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range, or contradicts another.

    Notes
    -----
    Weights, first weights and cost are as in `MLPClassifier`. As gradients are those of the standardised target, the
    same rates fit targets of any unit.

    References
    ----------
    Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 323, 1986. Duchi, Hazan
    and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 12, 2011. Ross,
    Mineiro and Langford, Normalized online learning, UAI 2013 (why scales must not matter). First weights: He et al.,
    ICCV 2015, for ReLU; Glorot and Bengio, AISTATS 2010, for tanh.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.MLPRegressor(seed=1)
    >>> for i in range(5000):
    ...     a, b = i % 7 - 3, i % 11 - 5
    ...     model.learn_one({"a": a, "b": b}, 1000.0 * a * b)
    >>> abs(model.predict_one({"a": -2, "b": -4}) - 8000.0) < 1000.0
    True
    """

    _advance = staticmethod(advance_mlp_regressor)

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (32,),
        activation: str = "relu",
        optimizer: str = "adagrad",
        learning_rate: float = 0.15,
        intercept_lr: float = 0.05,
        memory: int = 1000,
        l2: float = 0.0,
        clip_gradient: float = 1.0,
        skip_connection: bool = True,
        standardize: bool = True,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        self.hidden_layer_sizes = layer_sizes(hidden_layer_sizes)
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.intercept_lr = intercept_lr
        self.memory = memory
        self.l2 = l2
        self.clip_gradient = clip_gradient
        self.skip_connection = skip_connection
        self.standardize = standardize
        self.seed = seed
        self._check_parameters()
        super().__init__(schema=schema)
