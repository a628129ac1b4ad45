"""What the networks share: the checks of their parameters, and the arrays of their state."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import OptionError, StateError
from streamlearn.feature_learner import FeatureLearner
from streamlearn.features import offsets
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Shape

from . import kernels
from .kernels import NetworkArrays, draw_deep, make_network

ACTIVATIONS = ("relu", "tanh")
OPTIMIZERS = ("sgd", "adagrad")
MOST_LAYERS, MOST_UNITS = 8, 4096


class MultilayerPerceptron(FeatureLearner):
    """Base of the networks; a subclass sets the attributes that bear the parameters' names."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    optimizer: str
    learning_rate: float
    intercept_lr: float
    memory: int
    l2: float
    clip_gradient: float
    skip_connection: bool
    seed: int

    _arrays_type = NetworkArrays
    _pack = staticmethod(make_network)
    _column_axis = MappingProxyType({"drawn": 0, "first": 0, "first_squares": 0, "direct": 0, "direct_squares": 0})

    def _check_parameters(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("learning_rate", self.learning_rate, 0.0, 1000.0, open_low=True)
        check_range("intercept_lr", self.intercept_lr, 0.0, 1000.0)
        check_range("memory", self.memory, 0, 10**12, kind=int)
        check_range("l2", self.l2, 0.0, 1.0)
        check_range("clip_gradient", self.clip_gradient, 0.0, 1e6, open_low=True)
        check_flag("skip_connection", self.skip_connection)
        check_flag("standardize", self.standardize)
        check_range("seed", self.seed, -(2**63), 2**64 - 1, kind=int)
        if self.optimizer == "sgd" and self.learning_rate * self.l2 > 1.0:
            raise OptionError(
                f"learning_rate * l2 must be <= 1 with optimizer='sgd', or each step overshoots; lower "
                f"learning_rate={self.learning_rate!r} or l2={self.l2!r}"
            )

    def _options(self) -> np.ndarray:
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.OPTIMIZER] = OPTIMIZERS.index(self.optimizer)
        options[kernels.RATE] = self.learning_rate
        options[kernels.INTERCEPT_RATE] = self.intercept_lr
        options[kernels.KEEP] = 1.0 - 1.0 / self.memory if self.memory else 1.0
        options[kernels.L2] = self.l2
        options[kernels.CLIP] = self.clip_gradient
        options[kernels.ACTIVATION] = ACTIVATIONS.index(self.activation)
        options[kernels.SKIP] = self.skip_connection
        options[kernels.STANDARDIZE] = self.standardize
        return options

    def _layout(self, shape: Shape) -> Layout:
        sizes = self.hidden_layer_sizes
        R, P, L, W = self._rows(shape), int(offsets(shape)[-1]), len(sizes), max(sizes)
        weights = {"first": (P, sizes[0]), "deep": (L - 1, W + 1, W), "last": (R, W), "direct": (P, R)}
        return (
            self._features_layout(shape)
            | {
                "target": (np.float64, (3,)),
                "sizes": (np.int64, (L,)),
                "random": (np.uint64, (4,)),
                "drawn": (np.uint8, (P,)),
            }
            | {name: (np.float64, size) for name, size in weights.items()}
            | {f"{name}_squares": (np.float64, size) for name, size in weights.items()}
        )

    def _allocate(self, shape: Shape) -> NetworkArrays:
        arrays: NetworkArrays = super()._allocate(shape)
        arrays.sizes[:] = self.hidden_layer_sizes
        arrays.random[:] = generator(self.seed)
        draw_deep(arrays)
        return arrays

    def _check(self, arrays: NetworkArrays, shape: Shape) -> None:
        super()._check(arrays, shape)
        if not np.array_equal(arrays.sizes, self.hidden_layer_sizes):
            raise StateError("array 'sizes' does not belong to the parameters")


def layer_sizes(value: Any) -> tuple[int, ...]:
    """The hidden layers' sizes out of a number or a sequence of numbers.

    Raises
    ------
    OptionError
        If there is no layer, or one is too small or too large.
    """
    sizes = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    whole = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    if not (whole and 1 <= len(sizes) <= MOST_LAYERS and all(1 <= size <= MOST_UNITS for size in sizes)):
        raise OptionError(
            f"hidden_layer_sizes must be 1 to {MOST_LAYERS} whole numbers within 1 … {MOST_UNITS}, got {value!r}"
        )
    return sizes
