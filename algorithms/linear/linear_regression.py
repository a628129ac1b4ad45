"""Online linear regression."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Regressor
from streamlearn.parameters import check_choice, check_range
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_regression
from .linear_model import LinearModel

LOSSES = ("squared", "huber", "absolute")


class LinearRegression(LinearModel, Regressor):
    """Linear regression."""

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
