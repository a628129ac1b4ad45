"""The contract of every reservoir: inputs in, one state vector a step out; what people call, derived once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamlearn.errors import InputError, StateError
from streamlearn.parameters import call_of, parameters_of

MOST_INPUTS = 1 << 16

Layout = dict[str, tuple[Any, tuple[int, ...]]]
"""For each array of a state: its dtype and its shape."""


class Reservoir(ABC):
    """Base of what turns a stream of inputs into a stream of features that remember the inputs before.

    A reservoir is not trained on labels: readouts learn from its features. The number of inputs is fixed by the first
    data, or by `connect`. Inputs that are not finite are replaced by the last one, and counted.
    """

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def n_inputs(self) -> int:
        """Inputs in each step; 0 before they are known."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Length of the state vector that a step gives."""

    @abstractmethod
    def _connect(self, n_inputs: int) -> None:
        """Make room for inputs; there are more than before."""

    @abstractmethod
    def _run(self, U: np.ndarray) -> np.ndarray:
        """Step through the rows of checked inputs, float64 [T, D] in C order."""

    @abstractmethod
    def reset(self) -> None:
        """Go back to the state before the first step; the weights stay as they are."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything the reservoir is and remembers, weights included, as copies of arrays."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the reservoir then continues bit for bit.

        Raises
        ------
        StateError
            If the state does not fit this reservoir, which is then unchanged.
        """

    # -- verbs ----------------------------------------------------------------------------------------------------

    def connect(self, n_inputs: int) -> None:
        """Say how many inputs each step has; later calls may add inputs, and never change the weights of the others.

        Raises
        ------
        InputError
            If there are fewer than before.
        """
        if not self.n_inputs <= n_inputs <= MOST_INPUTS or n_inputs < 1:
            raise InputError(f"{type(self).__name__} has {self.n_inputs} inputs: can't connect {n_inputs}")
        if n_inputs > self.n_inputs:
            self._connect(n_inputs)

    def step(self, u: Any) -> np.ndarray:
        """Take in the inputs of one step.

        Parameters
        ----------
        u : array-like [D], or one number

        Returns
        -------
        float [n_features]
        """
        return self._run(self._inputs(u, 1))[0]

    def run(self, U: Any) -> np.ndarray:
        """Take in the inputs of many steps; the same as one by one, bit for bit.

        Parameters
        ----------
        U : array-like [T, D], or [T] where there is one input

        Returns
        -------
        float [T, n_features]

        Raises
        ------
        InputError
            If the inputs are not numbers, or not as many as before.
        """
        return self._run(self._inputs(U, 2))

    def _inputs(self, values: Any, ndim: int) -> np.ndarray:
        """Inputs as float64 [T, D] in C order; fixes D if nothing has yet."""
        try:
            array = np.array(values, np.float64, order="C", copy=None)
        except (TypeError, ValueError):
            raise InputError(f"{type(self).__name__}: inputs must be numbers") from None
        if array.ndim == ndim - 1:
            array = array[..., np.newaxis]
        if array.ndim != ndim:
            raise InputError(
                f"{type(self).__name__}: inputs must have {ndim} dimension(s), got the shape {array.shape}"
            )
        width = array.shape[-1]
        if self.n_inputs == 0:
            self.connect(width)
        if width != self.n_inputs:
            raise InputError(f"{type(self).__name__}: a step has {self.n_inputs} input(s), got {width}")
        return array.reshape(-1, width)

    # -- life -----------------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters, as they are set."""
        return parameters_of(self)

    def clone(self) -> Self:
        """A new reservoir with the same parameters; shares nothing, and has seen nothing."""
        return type(self)(**self.params)

    def copy(self) -> Self:
        """A reservoir with the same parameters and in the same state; shares nothing."""
        copied = self.clone()
        copied.restore(self.state())
        return copied

    def __repr__(self) -> str:
        return call_of(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"params": self.params, "state": self.state()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        type(self).__init__(self, **pickled["params"])
        self.restore(pickled["state"])


def taken(name: str, state: Any, layout: Layout) -> dict[str, np.ndarray]:
    """The arrays of a saved state, copied, with the dtypes and shapes that the layout says, and finite.

    Raises
    ------
    StateError
        If they are others; the message names the first.
    """
    if not isinstance(state, Mapping) or set(state) != set(layout):
        raise StateError(f"{name}: expected the arrays {', '.join(layout)}")
    for field, (dtype, shape) in layout.items():
        array = state[field]
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            raise StateError(f"{name}: array {field!r} must be {np.dtype(dtype)} {shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise StateError(f"{name}: array {field!r} holds NaN or infinity")
    return {field: np.array(state[field], order="C") for field in layout}
