"""The parameters that say how a regression tree grows, for trees and for forests of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.schema import Shape

from . import regression_arrays as tree_arrays
from .arrays import DEEPEST
from .growth import room_of
from .regression_arrays import PREDICTIONS, Sizes


class RegressionGrowth:
    """Keeps the parameters, checks them, and hands them to the kernels; a learner inherits it."""

    grace_period: float
    max_depth: int | None
    delta: float
    tau: float
    leaf_prediction: str
    residual_weight: float
    learning_rate: float
    model_selector_decay: float
    min_samples_split: float
    binary_split: bool
    n_bins: int
    max_nodes: int
    max_active_leaves: int

    def _set_growth(self, **params: Any) -> None:
        """Check the parameters that all trees share, and keep them."""
        check_range("grace_period", params["grace_period"], 0, 1e12, open_low=True)
        if params["max_depth"] is not None:
            check_range("max_depth", params["max_depth"], 0, DEEPEST, kind=int)
        check_range("delta", params["delta"], 0, 1, open_low=True)
        check_range("tau", params["tau"], 0, 1e6)
        check_choice("leaf_prediction", params["leaf_prediction"], PREDICTIONS)
        check_range("residual_weight", params["residual_weight"], 0, 1)
        check_range("learning_rate", params["learning_rate"], 0, 1, open_low=True)
        check_range("model_selector_decay", params["model_selector_decay"], 0, 1)
        check_range("min_samples_split", params["min_samples_split"], 0, 1e12)
        check_flag("binary_split", params["binary_split"])
        check_range("n_bins", params["n_bins"], 8, 4096, kind=int)
        check_range("max_nodes", params["max_nodes"], 1, 2**30, kind=int)
        check_range("max_active_leaves", params["max_active_leaves"], 1, 2**30, kind=int)
        for name, value in params.items():
            setattr(self, name, value)

    def _options(self) -> np.ndarray:
        """The parameters as the kernels take them."""
        options = np.zeros(tree_arrays.N_OPTIONS)
        options[tree_arrays.GRACE] = self.grace_period
        options[tree_arrays.DELTA], options[tree_arrays.TAU] = self.delta, self.tau
        options[tree_arrays.LEAF_MODE] = PREDICTIONS.index(self.leaf_prediction)
        options[tree_arrays.RESIDUALS] = 0.0 if self.leaf_prediction == "mean" else self.residual_weight
        options[tree_arrays.DECAY] = self.model_selector_decay
        options[tree_arrays.MIN_SAMPLES] = self.min_samples_split
        options[tree_arrays.BINARY_ONLY] = self.binary_split
        options[tree_arrays.RATE] = self.learning_rate
        options[tree_arrays.MAX_DEPTH] = DEEPEST if self.max_depth is None else self.max_depth
        options[tree_arrays.MAX_NODES] = self.max_nodes
        options[tree_arrays.MAX_BLOCKS] = self.max_active_leaves
        return options

    def _sizes(self, shape: Shape) -> Sizes:
        """Room for a tree that is one leaf."""
        return Sizes(room_of(shape), self.n_bins, self.leaf_prediction != "mean", False, 16, 2, 0)
