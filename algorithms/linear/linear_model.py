"""What the linear models share: the checks of their parameters, and the arrays of their state."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from streamlearn.array_learner import ArrayLearner, Layout, capacity
from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.schema import Shape

from . import kernels
from .kernels import LinearArrays, make_linear

OPTIMIZERS = ("sgd", "adagrad", "ftrl")
SCHEDULES = ("constant", "inverse_sqrt")


class LinearModel(ArrayLearner):
    """Base of the linear models; a subclass sets the attributes and gives `_options`."""

    optimizer: str = "sgd"
    standardize: bool

    _arrays_type = LinearArrays
    _pack = staticmethod(make_linear)

    @abstractmethod
    def _options(self) -> np.ndarray:
        """The parameters as the kernels read them."""

    def _layout(self, shape: Shape) -> Layout:
        M = sum(shape.nominal)
        N = len(shape.nominal) - M
        P = int(_offsets(shape)[-1])
        R = capacity(shape.n_classes) if self.task == "classification" else 1
        return {
            "options": (np.float64, self._options().shape),
            "numeric": (np.int64, (N,)),
            "nominal": (np.int64, (M,)),
            "offset": (np.int64, (M + 1,)),
            "numbers": (np.int64, (2,)),
            "class_of": (np.int64, (R,)),
            "row_of": (np.int64, (R,)),
            "seen": (np.float64, (N,)),
            "mean": (np.float64, (N,)),
            "variance": (np.float64, (N,)),
            "scale": (np.float64, (N,)),
            "coefficient": (np.float64, (R, P)),
            "squares": (np.float64, (R, P) if self.optimizer != "sgd" else (0, 0)),
            "dual": (np.float64, (R, P) if self.optimizer == "ftrl" else (0, 0)),
        }

    def _allocate(self, shape: Shape) -> LinearArrays:
        arrays: LinearArrays = super()._allocate(shape)
        arrays.class_of.fill(-1)
        arrays.row_of.fill(-1)
        arrays.scale.fill(0.0 if self.standardize else 1.0)
        return arrays._replace(options=self._options(), **_places(shape))

    def _grow(self, arrays: LinearArrays, old: Shape, new: Shape) -> LinearArrays:
        if self._layout(old) == self._layout(new):
            return arrays
        matrices = ("coefficient", "squares", "dual")
        rest = arrays._replace(**{name: getattr(arrays, name)[:, :0] for name in matrices})
        grown: LinearArrays = super()._grow(rest, old, new)._replace(**_places(new))
        to = _columns(_offsets(new), _offsets(old), len(arrays.numeric))
        for name in matrices:
            before = getattr(arrays, name)
            if before.size:
                getattr(grown, name)[: len(before), to] = before
        return grown

    def _check(self, arrays: LinearArrays, shape: Shape) -> None:
        super()._check(arrays, shape)
        for name, expected in {"options": self._options(), **_places(shape)}.items():
            if not np.array_equal(getattr(arrays, name), expected):
                raise StateError(f"array {name!r} does not belong to the parameters and the schema")
        known = int(arrays.numbers[kernels.KNOWN])
        if not 0 <= known <= shape.n_classes:
            raise StateError(f"array 'numbers': {known} is not a number of classes, 0 … {shape.n_classes}")
        classes = arrays.class_of[:known]
        row_of = np.full(len(arrays.row_of), -1)
        if ((classes < 0) | (classes >= shape.n_classes)).any():
            raise StateError("array 'class_of' names a class that is not there")
        row_of[classes] = np.arange(known)
        if not np.array_equal(row_of, arrays.row_of) or len(set(classes.tolist())) < known:
            raise StateError("the arrays 'class_of' and 'row_of' contradict each other")


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


def _places(shape: Shape) -> dict[str, Any]:
    """The arrays that say which field has which coefficients."""
    is_nominal = np.array(shape.nominal, np.bool_)
    return {
        "numeric": np.flatnonzero(~is_nominal).astype(np.int64),
        "nominal": np.flatnonzero(is_nominal).astype(np.int64),
        "offset": _offsets(shape),
    }


def _offsets(shape: Shape) -> np.ndarray:
    """First column of each nominal field's coefficients, and the number of columns."""
    rooms = [capacity(n) for n, nominal in zip(shape.cardinality, shape.nominal, strict=True) if nominal]
    numeric = len(shape.nominal) - len(rooms)
    return np.cumsum([1 + numeric, *rooms], dtype=np.int64)


def _columns(new: np.ndarray, old: np.ndarray, numeric: int) -> np.ndarray:
    """Where each old column of coefficients is among the new ones."""
    moved = [np.arange(old[m], old[m + 1]) + new[m] - old[m] for m in range(len(old) - 1)]
    return np.concatenate([np.arange(1 + numeric), *moved])
