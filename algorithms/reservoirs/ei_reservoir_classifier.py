"""Classification of the rows of a series by a reservoir and a readout that learns online."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from streamlearn.array_learner import Classifier
from streamlearn.schema import Schema

from .learner_kernels import advance_classification
from .reservoir_learner import ReservoirLearner


class EIReservoirClassifier(ReservoirLearner, Classifier):
    """Classifies a row by its inputs and those before it: a reservoir remembers, a linear readout learns.

    There is an output for each class that was learned, with target 1 for the row's own class and 0 for the others;
    probabilities are outputs, cut off at 0 and scaled to the sum 1. Ties go to the class with the lowest code. Before
    the first label nothing is predicted (code -1).

    Parameters
    ----------
    reservoir : "ei" or "tanh"
        Excitatory and inhibitory units that balance themselves (`EIReservoir`), or the classical network
        (`EchoStateReservoir`), which is better where the task is to remember, and worse where it is to compute.
    n_units : int, in [4, 100000]
        Units of the reservoir.
    leak : float, in (0, 1]
        Share of the new state in a step; 1 is no leak.
    input_scale : float, in [0, 1e6]
        Bound of the uniform input weights; inputs are standardised.
    adaptation : "warmup", "online" or "off"
        Whether inhibition is balanced by the warm-up's rows (``"ei"`` only), goes on slowly in every step after that,
        or stays as it was drawn. Going on follows inputs that drift; the readout has to follow it in turn.
    options : mapping, optional
        Further parameters of `EIReservoir` or `EchoStateReservoir`, such as ``{"k": 20, "targets": "const"}``.
    readout : "rls", "nlms" or "ridge"
        Recursive least squares, normalised least mean squares, or ridge regression solved every so many rows; see
        `RLSRegressor`, `NLMSRegressor`, `RidgeRegressor`.
    forgetting : float, in [0.1, 1]
        What a row's weight is multiplied by with each later row, in ``"rls"`` and ``"ridge"``: the memory is
        ``1 / (1 - forgetting)`` rows.
    ridge : float, in [1e-12, 1e12]
        Penalty on squared weights of ``"rls"`` and ``"ridge"``.
    learning_rate : float, in (0, 1]
        The step of ``"nlms"``.
    every : int, in [1, 1000000]
        Rows between two solutions of ``"ridge"``.
    read_inputs : bool
        Whether the readout sees the inputs besides the units.
    warm_up : int, in [1, 1000000]
        Rows that are kept first. Inputs are scaled, and the reservoir is balanced, by these; then they are learned.
        Until then, the prediction is the share of each class so far.
    washout : int, in [0, warm_up)
        First rows of a series that are not learned, as the reservoir still remembers where it began; they are predicted
        as in the warm-up.
    adapt_steps : int, in [0, 1000000]
        Steps of balancing, which go through the warm-up's rows again and again; 0 leaves it at the one-step design.
    key : field name, optional
        A nominal field that names the series a row belongs to. Each series has a state of its own; weights are shared.
    max_keys : int, in [1, 1000000]
        Series that have a state; a new one takes the place of the one whose last row is longest ago.
    event : field name, optional
        A numeric field that numbers a series' rows, and grows with them: see below.
    max_waiting : int, in [1, 1000000]
        Rows whose features are kept until their label comes, where there is an ``event``.
    seed : int
        Decides the reservoir.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.
    SchemaError
        If there is no field ``key`` or ``event``, or it is of the wrong kind.

    Notes
    -----
    **What a row does.** Predicting a row takes a step of the reservoir with its inputs, and forgets it again:
    predictions change nothing. Learning a row takes the same step for good, and then its label, if it has one, is
    learned. So rows have to be learned in the order of their series, also those without a label (None): a row that is
    not learned has not happened. The last rows predicted by `predict_many` are all predicted as the next one.

    **Labels that come later.** Where an evaluation or a pipeline holds labels back, rows are learned late, in order:
    each with the features of its own time, but what is predicted meanwhile lacks the inputs of the rows that wait. To
    have neither, name an ``event``: learn each row when it comes, without label, and again with its label when that
    comes, as evaluations and pipelines then do. The second time, the row is known by its number, and its label is
    learned with the features that were kept. A label whose features are no longer kept is not learned (`summary` counts
    it, as ``labels_lost``).

    **Inputs.** Numeric fields are standardised by their first ``warm_up`` values and cut off at 10 deviations; a
    nominal field has an input a category. A number that is missing is replaced by the series' last one, and counted.
    There are at most 256 inputs: what comes later is left out.

    The state holds the square of the number of features, in float64, for ``"rls"`` and ``"ridge"``; learning a row
    costs three multiplications for each of these.

    References
    ----------
    Boosting reservoir computing with brain-inspired adaptive control of E-I balance, Nature Communications, 2025
    (arXiv 2504.12480), of which `EIReservoir` says what is taken and what is ours. Jaeger and Haas, Harnessing
    nonlinearity, Science 304, 2004 (readouts by recursive least squares).

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> u = np.random.default_rng(0).uniform(-1, 1, 2000)
    >>> y = np.where(np.roll(u, 1) * np.roll(u, 2) > 0, "same", "other")  # signs of the two inputs before
    >>> model = sl.EIReservoirClassifier(n_units=100)
    >>> predicted = model.test_then_train_many(u[:, None], y)
    >>> bool(np.mean(predicted[-500:] == y[-500:]) > 0.85)
    True
    """

    _advance = staticmethod(advance_classification)

    def __init__(
        self,
        *,
        reservoir: str = "ei",
        n_units: int = 200,
        leak: float = 1.0,
        input_scale: float = 0.1,
        adaptation: str = "warmup",
        options: Mapping[str, Any] | None = None,
        readout: str = "rls",
        forgetting: float = 0.9995,
        ridge: float = 1e-5,
        learning_rate: float = 0.5,
        every: int = 200,
        read_inputs: bool = True,
        warm_up: int = 300,
        washout: int = 50,
        adapt_steps: int = 4000,
        key: Hashable | None = None,
        max_keys: int = 100,
        event: Hashable | None = None,
        max_waiting: int = 256,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        self.reservoir = reservoir
        self.n_units = n_units
        self.leak = leak
        self.input_scale = input_scale
        self.adaptation = adaptation
        self.options = options
        self.readout = readout
        self.forgetting = forgetting
        self.ridge = ridge
        self.learning_rate = learning_rate
        self.every = every
        self.read_inputs = read_inputs
        self.warm_up = warm_up
        self.washout = washout
        self.adapt_steps = adapt_steps
        self.key = key
        self.max_keys = max_keys
        self.event = event
        self.max_waiting = max_waiting
        self.seed = seed
        self._check_parameters()
        super().__init__(schema=schema)
