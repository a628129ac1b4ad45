"""Linear readouts over arrays of features, with as many outputs as wanted: what reservoirs are read with."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.errors import InputError
from streamlearn.parameters import call_of, check_choice, check_range, parameters_of

from . import readout_kernels as kernels
from .readout_kernels import ReadoutArrays, learn, outputs, solve_ridge

GUARDS = ("ridge", "trace", "none")


class Readout:
    """Base of the readouts; a subclass has the parameters.

    Features are rows of an array, float64 [n, d]; the constant is added here. Targets are float64 [n] or [n, M].
    """

    def __init__(self) -> None:
        self._arrays: ReadoutArrays | None = None

    @abstractmethod
    def rule(self) -> np.ndarray:
        """The parameters as the kernels read them, float64 [6]."""

    def layout(self, features: int, rows: int) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Dtype and shape of each array for that many features, the constant included, and outputs."""
        kind = self.rule()[kernels.KIND]
        rls, nlms, ridge = kind == kernels.RLS, kind == kernels.NLMS, kind == kernels.RIDGE
        return {
            "rule": (np.float64, (kernels.N_RULE,)),
            "counts": (np.int64, (kernels.N_COUNTS,)),
            "weights": (np.float64, (rows, features)),
            "square": (np.float64, (0, 0) if nlms else (features, features)),
            "pending": (np.float64, (2, features) if rls else (0, 0)),
            "square_scale": (np.float64, (2,)),
            "moment": (np.float64, (rows, features) if ridge else (0, 0)),
            "centre": (np.float64, (features,) if nlms else (0,)),
        }

    @property
    def weights(self) -> np.ndarray:
        """The weights, float64 [M, 1 + d], the constant's first."""
        if self._arrays is None:
            return np.zeros((0, 0))
        weights, centre = self._arrays.weights.copy(), self._arrays.centre
        if len(centre):  # weights of features minus their means
            weights[:, 0] -= weights[:, 1:] @ centre[1:]
        return weights

    def learn_many(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Learn rows in order.

        Parameters
        ----------
        X : float64 [n, d]
        Y : float64 [n] or [n, M]

        Returns
        -------
        float64 [n, M]
            What was predicted of each row before it was learned.

        Raises
        ------
        InputError
            If the shapes don't fit, or a number is not finite.
        """
        X = self._features(X)
        Y = np.asarray(Y, np.float64)
        Y = np.ascontiguousarray(Y[:, None] if Y.ndim == 1 else Y)
        if Y.ndim != 2 or len(Y) != len(X) or not np.isfinite(Y).all():
            raise InputError(f"Y must be finite numbers [{len(X)}] or [{len(X)}, outputs], got shape {Y.shape}")
        arrays = self._arrays
        if arrays is None:
            sizes = self.layout(X.shape[1] + 1, Y.shape[1]).values()
            arrays = self._arrays = ReadoutArrays(*(np.zeros(size, dtype) for dtype, size in sizes))
            arrays.rule[:] = self.rule()
            kernels.open_features(arrays, X.shape[1] + 1)
        if (len(arrays.weights), arrays.weights.shape[1]) != (Y.shape[1], X.shape[1] + 1):
            raise InputError(
                f"the readout has {arrays.weights.shape[1] - 1} features and {len(arrays.weights)} outputs, "
                f"got {X.shape[1]} and {Y.shape[1]}"
            )
        predicted = np.empty(Y.shape)
        learn_rows(arrays, X, Y, predicted)
        return predicted

    def predict_many(self, X: np.ndarray) -> np.ndarray:
        """The outputs for rows of features, float64 [n, M]."""
        X = self._features(X)
        if self._arrays is None:
            raise InputError("the readout has not learned anything")
        predicted = np.empty((len(X), len(self._arrays.weights)))
        predict_rows(self._arrays, X, predicted)
        return predicted

    def _features(self, X: Any) -> np.ndarray:
        X = np.ascontiguousarray(X, np.float64)
        if X.ndim != 2 or not np.isfinite(X).all():
            raise InputError(f"X must be finite numbers [n, features], got shape {X.shape}")
        return X

    def __repr__(self) -> str:
        return call_of(self)

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return parameters_of(self)


@kernel
def learn_rows(r: ReadoutArrays, X: np.ndarray, Y: np.ndarray, predicted: np.ndarray) -> None:
    """Predict, then learn, each row."""
    F, M = X.shape[1] + 1, Y.shape[1]
    x, targets, room = np.ones(F), np.empty(M), np.empty(F)
    for i in range(len(X)):
        x[1:] = X[i]
        targets[:] = Y[i]
        learn(r, x, targets, predicted[i], M, 1.0, room)


@kernel
def predict_rows(r: ReadoutArrays, X: np.ndarray, predicted: np.ndarray) -> None:
    """Predict each row."""
    x = np.ones(X.shape[1] + 1)
    for i in range(len(X)):
        x[1:] = X[i]
        outputs(r, x, predicted.shape[1], predicted[i])


class RLS(Readout):
    """Recursive least squares with forgetting: after each row the weights are those of a weighted ridge regression.

    Parameters
    ----------
    forgetting : float, in [0.1, 1]
        What a row's weight is multiplied by with each later row; its memory is ``1 / (1 - forgetting)`` rows.
    ridge : float, in [1e-12, 1e12]
        Penalty on squared weights, in units of squared features times rows.
    guard : "ridge", "trace" or "none"
        What keeps P from growing without bound where features don't vary, once ``forgetting < 1``: features get back,
        one after the other, what they forgot of the ridge; nothing is forgotten while the trace of P is above its
        first value; or nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.reservoirs import RLS
    >>> X = np.random.default_rng(0).normal(3.0, 1.0, (200, 2))
    >>> readout = RLS(ridge=1e-9)
    >>> _ = readout.learn_many(X, X @ [1.0, 2.0] + 7.0)
    >>> readout.weights.round(6).tolist()
    [[7.0, 1.0, 2.0]]
    """

    def __init__(self, *, forgetting: float = 1.0, ridge: float = 1e-3, guard: str = "ridge") -> None:
        check_range("forgetting", forgetting, 0.1, 1.0)
        check_range("ridge", ridge, 1e-12, 1e12)
        check_choice("guard", guard, GUARDS)
        self.forgetting, self.ridge, self.guard = forgetting, ridge, guard
        super().__init__()

    def rule(self) -> np.ndarray:
        return np.array([kernels.RLS, self.forgetting, self.ridge, GUARDS.index(self.guard), 0.0, 0.0])


class NLMS(Readout):
    """Normalised least mean squares: each row moves the weights along its features, a share of the way to its target.

    Features are centred by their running means, since what they have in common would else decide the step.

    Parameters
    ----------
    learning_rate : float, in (0, 1]
        The share; 1 goes all the way.
    """

    def __init__(self, *, learning_rate: float = 0.5) -> None:
        check_range("learning_rate", learning_rate, 0.0, 1.0, open_low=True)
        self.learning_rate = learning_rate
        super().__init__()

    def rule(self) -> np.ndarray:
        return np.array([kernels.NLMS, 1.0, 0.0, 0.0, self.learning_rate, 0.0])


class IncrementalRidge(Readout):
    """Ridge regression from sums of products, solved every so many rows: exact then, stale in between.

    Parameters
    ----------
    forgetting : float, in [0.1, 1]
        What a row's weight is multiplied by with each later row.
    ridge : float, in [1e-12, 1e12]
        Penalty on squared weights, in units of squared features times rows.
    every : int, in [1, 1000000]
        Rows from one solution to the next; before the first one, weights are solved for after 1, 2, 4, 8, … rows.
    """

    def __init__(self, *, forgetting: float = 1.0, ridge: float = 1e-3, every: int = 200) -> None:
        check_range("forgetting", forgetting, 0.1, 1.0)
        check_range("ridge", ridge, 1e-12, 1e12)
        check_range("every", every, 1, 1_000_000, kind=int)
        self.forgetting, self.ridge, self.every = forgetting, ridge, every
        super().__init__()

    def rule(self) -> np.ndarray:
        return np.array([kernels.RIDGE, self.forgetting, self.ridge, 0.0, 0.0, self.every])

    def merge(self, other: IncrementalRidge) -> None:
        """Take over the rows that another readout learned: the result is that of all rows, where none is forgotten.

        Raises
        ------
        InputError
            If the parameters, the features or the outputs differ.
        """
        if self.params != other.params:
            raise InputError(f"{self!r} can't merge {other!r}: their parameters differ")
        if other._arrays is None:
            return
        if self._arrays is None:
            self._arrays = ReadoutArrays(*(array.copy() for array in other._arrays))
            return
        merge_ridges(self._arrays, other._arrays)


def merge_ridges(mine: Any, other: Any) -> None:
    """Add another ridge's sums to mine, and solve.

    Raises
    ------
    InputError
        If their sizes differ.
    """
    if mine.weights.shape != other.weights.shape or mine.counts[kernels.FEATURES] != other.counts[kernels.FEATURES]:
        raise InputError("ridge regressions can be merged only if they have the same features and outputs")
    mine.square[:] += other.square
    mine.moment[:] += other.moment
    mine.counts[kernels.ROWS] += other.counts[kernels.ROWS]
    solve_ridge(ReadoutArrays(*(getattr(mine, name) for name in ReadoutArrays._fields)), len(mine.weights))
