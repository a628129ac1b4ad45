"""Lorenz's equations: three numbers on a chaotic attractor, to forecast or to infer one from another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_choice, check_range
from streamlearn.random import generator, uniform

from .generator import schema_of
from .mackey_glass import MAX_HORIZON
from .narma import check_both
from .recurrence import Recurrence

SIGMA, BETA = 10.0, 8.0 / 3.0
TRANSIENT = 1000
"""Rows before the first."""
TASKS = ("forecast", "infer")


class Lorenz(Recurrence):
    """Forecast x on Lorenz's attractor from x, y, z, or infer z from the course of x.

    ``dx/dt = 10 (y - x)``, ``dy/dt = x (ρ - z) - y``, ``dz/dt = x y - 8/3 z``; one step of Runge and Kutta's method of
    fourth order a row. The seed draws a start near (1, 1, 1), 1000 rows before the first.

    Parameters
    ----------
    task : "forecast" or "infer"
        Either the fields are x, y, z, and the target is x ``horizon`` rows later; or the field is x, and the target the
        z of the same row.
    rho : float
        0 … 200; 28 is Lorenz's.
    dt : float
        Time between rows, above 0, at most 0.05.
    horizon : int
        How far ahead a forecast's target lies, 1 … 10,000 rows.
    then : float or None
        The ρ after the first of ``positions``, and after every other one.
    positions : sequence of int
        Rows at which ρ changes, ascending. A forecast's targets are ``horizon`` rows ahead of it.
    seed : int
        Of the start.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Lorenz
    >>> batch = Lorenz(task="infer").poll(5000)
    >>> round(float(batch.y.mean()), 1)
    23.4

    References
    ----------
    Lorenz, "Deterministic nonperiodic flow", Journal of the Atmospheric Sciences 20, 1963. The inference of z is that
    of Lu et al., "Reservoir observers", Chaos 27, 2017.
    """

    def __init__(
        self,
        *,
        task: str = "forecast",
        rho: float = 28.0,
        dt: float = 0.02,
        horizon: int = 1,
        then: float | None = None,
        positions: Sequence[int] = (),
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_choice("task", task, TASKS)
        check_range("rho", rho, 0, 200)
        check_range("dt", dt, 0, 0.05, open_low=True)
        check_range("horizon", horizon, 1, MAX_HORIZON, kind=int)
        if then is not None:
            check_range("then", then, 0, 200)
        check_both(then, positions)
        self.task, self.rho, self.dt, self.horizon, self.then = task, rho, dt, horizon, then
        self._rhos = float(rho), float(rho if then is None else then)
        ahead = task == "forecast"
        super().__init__(
            schema_of(["x", "y", "z"] if ahead else ["x"], None),
            width=3,
            inputs=[0, 1, 2] if ahead else [0],
            target=0 if ahead else 2,
            lead=horizon if ahead else 0,
            positions=positions,
            seed=seed,
            rows=rows,
        )

    def _begin(self) -> None:
        state = generator(self.seed)
        self._point = np.array([0.5 + uniform(state) for _ in range(3)])
        self._advance(0, np.empty((TRANSIENT, 3)), 0)

    def _advance(self, first: int, series: np.ndarray, regime: int) -> None:
        _lorenz(self._point, series, self._rhos[regime], float(self.dt))


@inlined
def _slope(x: float, y: float, z: float, rho: float) -> tuple[float, float, float]:
    return SIGMA * (y - x), x * (rho - z) - y, x * y - BETA * z


@kernel
def _lorenz(point: np.ndarray, series: np.ndarray, rho: float, dt: float) -> None:
    """The points after ``point`` [3] into ``series`` [n, 3]; ``point`` becomes the last."""
    x, y, z = point[0], point[1], point[2]
    half, sixth = 0.5 * dt, dt / 6.0
    for i in range(len(series)):
        a, b, c = _slope(x, y, z, rho)
        d, e, f = _slope(x + half * a, y + half * b, z + half * c, rho)
        g, h, k = _slope(x + half * d, y + half * e, z + half * f, rho)
        p, q, r = _slope(x + dt * g, y + dt * h, z + dt * k, rho)
        x += sixth * (a + 2.0 * (d + g) + p)
        y += sixth * (b + 2.0 * (e + h) + q)
        z += sixth * (c + 2.0 * (f + k) + r)
        series[i, 0], series[i, 1], series[i, 2] = x, y, z
    point[0], point[1], point[2] = x, y, z
