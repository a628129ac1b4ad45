"""The Mackey-Glass equation: a chaotic series whose change depends on its value some time ago."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_range
from streamlearn.random import generator, uniform

from .generator import schema_of
from .narma import check_both
from .recurrence import Recurrence

STEP = 0.1
STEPS = 10
"""Steps of the integration in one unit of time."""
TRANSIENT = 1000
"""Units of time before the first row."""
MAX_DELAY = 1000
MAX_HORIZON = 10_000


class MackeyGlass(Recurrence):
    """Predict a chaotic series ``horizon`` units of time ahead.

    ``dx/dt = 0.2 x(t-τ) / (1 + x(t-τ)^10) - 0.1 x(t)``, integrated by Runge and Kutta's method of fourth order with
    steps of 0.1 and sampled every 1.0. Between its steps x(t-τ) is their mean. The series begins 1000 units of time
    after a constant past, which the seed draws from [0.5, 1.5).

    Parameters
    ----------
    tau : int
        The delay, 1 … 1000; the series is chaotic from about 17 on.
    horizon : int
        How far ahead the target lies, 1 … 10,000 rows.
    then : int or None
        The delay after the first of ``positions``, and after every other one.
    positions : sequence of int
        Rows at which the delay changes, ascending. Targets are ``horizon`` rows ahead of it.
    seed : int
        Of the past.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import MackeyGlass
    >>> batch = MackeyGlass(horizon=20).poll(1000)
    >>> bool((batch.X[20:, 0] == batch.y[:-20]).all())
    True

    References
    ----------
    Mackey and Glass, "Oscillation and chaos in physiological control systems", Science 197, 1977.
    """

    def __init__(
        self,
        *,
        tau: int = 17,
        horizon: int = 1,
        then: int | None = None,
        positions: Sequence[int] = (),
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_range("tau", tau, 1, MAX_DELAY, kind=int)
        check_range("horizon", horizon, 1, MAX_HORIZON, kind=int)
        if then is not None:
            check_range("then", then, 1, MAX_DELAY, kind=int)
        check_both(then, positions)
        self.tau, self.horizon, self.then = tau, horizon, then
        self._delays = tau, tau if then is None else then
        super().__init__(
            schema_of(["x"], None),
            width=1,
            inputs=[0],
            target=0,
            lead=horizon,
            positions=positions,
            seed=seed,
            rows=rows,
        )

    def _begin(self) -> None:
        past = 0.5 + uniform(generator(self.seed))
        self._past = np.full(max(self._delays) * STEPS + 1, past)
        self._step = np.zeros(1, np.int64)
        self._advance(0, np.empty((TRANSIENT, 1)), 0)

    def _advance(self, first: int, series: np.ndarray, regime: int) -> None:
        _mackey_glass(self._past, self._step, series, self._delays[regime] * STEPS)


@inlined
def _slope(x: float, delayed: float) -> float:
    squared = delayed * delayed
    fourth = squared * squared
    return 0.2 * delayed / (1.0 + fourth * fourth * squared) - 0.1 * x


@kernel
def _mackey_glass(past: np.ndarray, step: np.ndarray, series: np.ndarray, delay: int) -> None:
    """Values into ``series`` [n, 1]; ``past`` is a ring, step s at place s mod size; ``step`` [1] is the last one."""
    size = len(past)
    s = step[0]
    x = past[s % size]
    for i in range(len(series)):
        for _ in range(STEPS):
            begin, end = past[(s - delay) % size], past[(s + 1 - delay) % size]
            middle = 0.5 * (begin + end)
            k1 = _slope(x, begin)
            k2 = _slope(x + 0.5 * STEP * k1, middle)
            k3 = _slope(x + 0.5 * STEP * k2, middle)
            k4 = _slope(x + STEP * k3, end)
            x += STEP / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            s += 1
            past[s % size] = x
        series[i, 0] = x
    step[0] = s
