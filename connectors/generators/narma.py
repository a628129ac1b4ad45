"""NARMA: a nonlinear system with a memory of ten to thirty steps, driven by random input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.errors import OptionError
from streamlearn.random import restart, uniform

from .generator import schema_of
from .recurrence import Recurrence


class _System(NamedTuple):
    """``alpha y + beta y Σ y + gamma u u + delta``, perhaps through tanh; ``bound`` is never exceeded."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    squashed: bool
    bound: float


SYSTEMS = {
    10: _System(0.3, 0.05, 1.5, 0.1, False, 1.0),
    20: _System(0.3, 0.05, 1.5, 0.01, True, 1.0),
    30: _System(0.2, 0.04, 1.5, 0.001, False, 0.6),
}
TRIES = 1000
"""Draws of one input before the output is cut at the bound."""


class NARMA(Recurrence):
    """The benchmark of reservoir computers: predict the next output of a nonlinear autoregressive moving average.

    The input u(t) is uniform in [0, 0.5]; the target of row t is

    - order 10: ``y(t+1) = 0.3 y(t) + 0.05 y(t) Σ y(t-i) + 1.5 u(t-9) u(t) + 0.1``, i = 0 … 9
    - order 20: ``y(t+1) = tanh(0.3 y(t) + 0.05 y(t) Σ y(t-i) + 1.5 u(t-19) u(t) + 0.01)``, i = 0 … 19
    - order 30: ``y(t+1) = 0.2 y(t) + 0.04 y(t) Σ y(t-i) + 1.5 u(t-29) u(t) + 0.001``, i = 0 … 29

    Without the tanh some inputs make y grow for ever. Such sequences are rejected as they arise: an input that would
    take y above a bound (1 for order 10, 0.6 for 30) is drawn again. About one input in 50,000 is.

    Parameters
    ----------
    order : int
        10, 20 or 30.
    then : int or None
        The order after the first of ``positions``, and after every other one; input and output go on.
    positions : sequence of int
        Rows at which the order changes, ascending.
    seed : int
        Of the inputs.
    rows : int or None
        Length of the stream; None for no end.

    Raises
    ------
    OptionError
        If there is no such order, or there is one of ``then`` and ``positions`` without the other.

    Examples
    --------
    >>> from streamlearn.connectors.generators import NARMA
    >>> batch = NARMA(order=10).poll(1000)
    >>> batch.X.shape, round(float(batch.y[100:].mean()), 2)
    ((1000, 1), 0.37)

    References
    ----------
    Atiya and Parlos, "New results on recurrent network training: unifying the algorithms and accelerating
    convergence", IEEE Transactions on Neural Networks 11(3), 2000; orders 20 and 30 as in Rodan and Tiňo, "Minimum
    complexity echo state network", IEEE Transactions on Neural Networks 22(1), 2011. reservoirpy's ``narma`` has other
    coefficients, another sum and another delay: its figures are not comparable.
    """

    def __init__(
        self,
        *,
        order: int = 10,
        then: int | None = None,
        positions: Sequence[int] = (),
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        for name, value in (("order", order), ("then", order if then is None else then)):
            if value not in SYSTEMS:
                raise OptionError(f"{name} must be 10, 20 or 30, got {value!r}")
        check_both(then, positions)
        self.order, self.then = order, then
        self._orders = order, order if then is None else then
        super().__init__(
            schema_of(["u"], None), width=2, inputs=[0], target=1, lead=0, positions=positions, seed=seed, rows=rows
        )

    def _begin(self) -> None:
        longest = max(self._orders)
        self._inputs_before = np.zeros(longest)
        self._outputs_before = np.zeros(longest)

    def _advance(self, first: int, series: np.ndarray, regime: int) -> None:
        order = self._orders[regime]
        past = self._inputs_before, self._outputs_before
        _narma(self._key, first, series, *past, order, *(float(value) for value in SYSTEMS[order]))


def check_both(then: object, positions: Sequence[int]) -> None:
    """Refuse a second regime that never comes, and changes to no other regime.

    Raises
    ------
    OptionError
        It says which is missing.
    """
    if then is not None and not positions:
        raise OptionError("then: say in positions at which rows the system changes")
    if then is None and positions:
        raise OptionError("positions: say in then what the system changes to")


@kernel
def _narma(
    key: np.uint64,
    first: int,
    series: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    order: int,
    alpha: float,
    beta: float,
    gamma: float,
    delta: float,
    squashed: float,
    bound: float,
) -> None:
    """Inputs and targets into ``series`` [n, 2]; ``inputs`` and ``outputs`` are rings, time t at place t mod size."""
    state = np.empty(4, np.uint64)
    size = len(inputs)
    for i in range(len(series)):
        t = first + i
        y = outputs[t % size]
        total = 0.0
        for j in range(order):
            total += outputs[(t - j) % size]
        restart(state, key, t)
        for _ in range(TRIES):
            u = 0.5 * uniform(state)
            following = alpha * y + beta * y * total + gamma * inputs[(t - order + 1) % size] * u + delta
            if squashed > 0.0:
                following = math.tanh(following)
            if following <= bound:
                break
        following = min(following, bound)  # after a change of order no input may be low enough
        inputs[t % size] = u
        outputs[(t + 1) % size] = following
        series[i, 0] = u
        series[i, 1] = following
