"""Online logistic regression, for two or more classes."""

from __future__ import annotations

from streamlearn.array_learner import Classifier
from streamlearn.schema import Schema

from .kernels import advance_logistic
from .linear_model import LinearModel


class LogisticRegression(LinearModel, Classifier):
    """Logistic regression."""

    _advance = staticmethod(advance_logistic)

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
