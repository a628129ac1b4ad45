"""What the linear models share: the checks of their parameters, and the arrays of their state."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import OptionError
from streamlearn.feature_learner import FeatureLearner
from streamlearn.features import offsets
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.schema import Shape

from . import kernels
from .kernels import LinearArrays, make_linear

OPTIMIZERS = ("sgd", "adagrad", "ftrl")
SCHEDULES = ("constant", "inverse_sqrt")


class LinearModel(FeatureLearner):
    """Base of the linear models; a subclass sets the attributes and gives `_options`."""

    optimizer: str = "sgd"

    _arrays_type = LinearArrays
    _pack = staticmethod(make_linear)
    _column_axis = MappingProxyType({"coefficient": 1, "squares": 1, "dual": 1})

    def _layout(self, shape: Shape) -> Layout:
        R, P = self._rows(shape), int(offsets(shape)[-1])
        return self._features_layout(shape) | {
            "coefficient": (np.float64, (R, P)),
            "squares": (np.float64, (R, P) if self.optimizer != "sgd" else (0, 0)),
            "dual": (np.float64, (R, P) if self.optimizer == "ftrl" else (0, 0)),
        }


class GradientModel(LinearModel):
    """Base of the models that follow a loss's gradient; a subclass sets the attributes that bear parameters' names."""

    learning_rate: float
    intercept_lr: float
    schedule: str
    l1: float
    l2: float
    beta: float
    clip_gradient: float

    def _check_parameters(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("learning_rate", self.learning_rate, 0.0, 1000.0, open_low=True)
        check_range("intercept_lr", self.intercept_lr, 0.0, 1000.0)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_range("l1", self.l1, 0.0, 1e6)
        check_range("l2", self.l2, 0.0, 1e6)
        check_range("beta", self.beta, 0.0, 1e6)
        check_range("clip_gradient", self.clip_gradient, 0.0, 1e12, open_low=True)
        check_flag("standardize", self.standardize)
        if self.optimizer == "ftrl" and self.schedule != "constant":
            raise OptionError("schedule must be 'constant' with optimizer='ftrl', which has rates of its own")
        if self.optimizer == "sgd" and self.learning_rate * self.l2 > 1.0:
            raise OptionError(
                f"learning_rate * l2 must be <= 1 with optimizer='sgd', or each step overshoots; lower "
                f"learning_rate={self.learning_rate!r} or l2={self.l2!r}"
            )

    def _options(self) -> np.ndarray:
        """The parameters as the kernels read them."""
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.OPTIMIZER] = OPTIMIZERS.index(self.optimizer)
        options[kernels.RATE] = self.learning_rate
        options[kernels.INTERCEPT_RATE] = self.intercept_lr
        options[kernels.DECAYS] = self.schedule == "inverse_sqrt"
        options[kernels.L1] = self.l1
        options[kernels.L2] = self.l2
        options[kernels.BETA] = self.beta
        options[kernels.CLIP] = self.clip_gradient
        options[kernels.STANDARDIZE] = self.standardize
        return options
