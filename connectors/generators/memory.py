"""Memory: the target is a function of the input of some rows ago, and all else is noise."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_choice, check_range
from streamlearn.random import restart, uniform

from .generator import Generator, schema_of

FUNCTIONS = ("linear", "legendre2", "legendre3", "product")


class Memory(Generator):
    """Recall what a random number was some rows ago, or a nonlinear function of it.

    The input u is uniform in [-1, 1). With ``v = u(t - delay)`` the target is v, Legendre's ``(3 v² - 1) / 2`` or
    ``(5 v³ - 3 v) / 2``, or the product ``v u(t - delay - 1)``: four of the functions by which the memory and the
    information processing capacity of reservoirs are measured. The inputs before row 0 exist, but are not seen.

    Parameters
    ----------
    delay : int
        How many rows ago, 0 … 10,000.
    function : "linear", "legendre2", "legendre3" or "product"
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Memory
    >>> batch = Memory(delay=3).poll(100)
    >>> bool((batch.y[3:] == batch.X[:-3, 0]).all())
    True

    References
    ----------
    Jaeger, "Short term memory in echo state networks", GMD report 152, 2002; Dambre et al., "Information processing
    capacity of dynamical systems", Scientific Reports 2, 2012.
    """

    def __init__(self, *, delay: int = 10, function: str = "linear", seed: int = 1, rows: int | None = None) -> None:
        check_range("delay", delay, 0, 10_000, kind=int)
        check_choice("function", function, FUNCTIONS)
        super().__init__(schema_of(["u"], None), seed=seed, rows=rows)
        self.delay, self.function = delay, function

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _memory(self._key, first, X, y, self.delay, FUNCTIONS.index(self.function))


@inlined
def _input(state: np.ndarray, key: np.uint64, row: int) -> float:
    restart(state, key, row)
    return 2.0 * uniform(state) - 1.0


@kernel
def _memory(key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, delay: int, function: int) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        X[i, 0] = _input(state, key, first + i)
        v = _input(state, key, first + i - delay)
        if function == 1:
            v = 0.5 * (3.0 * v * v - 1.0)
        elif function == 2:
            v = 0.5 * (5.0 * v * v * v - 3.0 * v)
        elif function == 3:
            v *= _input(state, key, first + i - delay - 1)
        y[i] = v
