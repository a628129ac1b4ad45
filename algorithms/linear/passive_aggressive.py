"""What the passive-aggressive classifier and regression share."""

from __future__ import annotations

import numpy as np

from streamlearn.errors import OptionError
from streamlearn.parameters import check_flag, check_range

from . import kernels
from .linear_model import LinearModel


class PassiveAggressive(LinearModel):
    """Base of the passive-aggressive models; a subclass sets the attributes that bear the parameters' names."""

    C: float
    mode: int
    learn_intercept: bool

    def _check_parameters(self) -> None:
        check_range("C", self.C, 0.0, 1e12, open_low=True)
        if isinstance(self.mode, bool) or self.mode not in (0, 1, 2):
            raise OptionError(f"mode must be 0 (PA), 1 (PA-I) or 2 (PA-II), got {self.mode!r}")
        check_flag("learn_intercept", self.learn_intercept)
        check_flag("standardize", self.standardize)

    def _options(self) -> np.ndarray:
        """The parameters as the kernels read them: the step's length is in the gradient, so the rates are 1."""
        options = np.zeros(kernels.N_OPTIONS + 2)
        options[kernels.RATE] = 1.0
        options[kernels.INTERCEPT_RATE] = self.learn_intercept
        options[kernels.STANDARDIZE] = self.standardize
        options[kernels.LOSS] = kernels.AGGRESSIVE
        options[kernels.AGGRESSIVENESS] = self.C
        options[kernels.MODE] = self.mode
        return options
