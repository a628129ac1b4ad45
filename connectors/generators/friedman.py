"""Friedman's regression problem, stationary and with the three drifts of Ikonomovska et al."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_range
from streamlearn.random import normal, restart, uniform
from streamlearn.source import Drift

from .generator import MAX_ROWS, Generator, numbered, schema_of

STATIONARY = 0
TYPES = ("lea", "gra", "gsg")


class Friedman(Generator):
    """Ten numbers in [0, 1), of which five decide: Friedman's function with standard normal noise.

    ``10 sin(π x0 x1) + 20 (x2 - 0.5)² + 10 x3 + 5 x4``.

    Parameters
    ----------
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Friedman
    >>> Friedman().poll(3).y.round(2)
    array([20.  , 26.73, 19.25])

    References
    ----------
    Friedman, "Multivariate adaptive regression splines", The Annals of Statistics 19(1), 1991.
    """

    _type = STATIONARY
    _changes = (MAX_ROWS, MAX_ROWS, MAX_ROWS)
    _transition = 0

    def __init__(self, *, seed: int = 1, rows: int | None = None) -> None:
        super().__init__(schema_of(numbered("x", 10, first=0), None), seed=seed, rows=rows)

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _friedman(self._key, first, X, y, self._type, *self._changes, self._transition)


class FriedmanDrift(Friedman):
    """Friedman's function with changes at known rows.

    ``lea``, local and expanding, abrupt: at three rows another function takes over in two regions, which grow each
    time. ``gra``, global and recurring, abrupt: between two rows the fields have other roles. ``gsg``, global, slow and
    gradual: at two rows the fields change their roles, and for ``transition_window`` rows old and new are equally
    likely.

    Parameters
    ----------
    drift_type : "lea", "gra" or "gsg"
    positions : sequence of int
        The rows of the changes, ascending: three for ``lea``, else the first two count.
    transition_window : int
        Rows that each change of ``gsg`` takes, at most as many as there are between the two changes.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Raises
    ------
    OptionError
        If the positions don't ascend or are too few, or the window is too long.

    Examples
    --------
    >>> from streamlearn.connectors.generators import FriedmanDrift
    >>> FriedmanDrift(drift_type="gra", positions=(1000, 2000)).drifts
    (Drift(row=1000, width=0), Drift(row=2000, width=0))

    References
    ----------
    Ikonomovska, Gama and Džeroski, "Learning model trees from evolving data streams", Data Mining and Knowledge
    Discovery 23(1), 2011. River's class of this name takes the field 5 instead of 4 in the second concept of ``gra``,
    which no other concept does; we take 4. It calls the positions ``position``.
    """

    def __init__(
        self,
        *,
        drift_type: str = "lea",
        positions: Sequence[int] = (50_000, 100_000, 150_000),
        transition_window: int = 10_000,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_choice("drift_type", drift_type, TYPES)
        wanted = 3 if drift_type == "lea" else 2
        changes = list(positions)[:wanted]
        if len(changes) < wanted:
            raise OptionError(f"positions: {drift_type!r} needs {wanted} rows, got {positions!r}")
        for row in changes:
            check_range("positions", row, 0, MAX_ROWS, kind=int)
        if changes != sorted(set(changes)):
            raise OptionError(f"positions: the rows must ascend, got {positions!r}")
        check_range("transition_window", transition_window, 0, MAX_ROWS, kind=int)
        gradual = drift_type == "gsg"
        if gradual and transition_window > changes[1] - changes[0]:
            raise OptionError(f"transition_window must be at most {changes[1] - changes[0]}, the rows between changes")
        super().__init__(seed=seed, rows=rows)
        self.drift_type, self.positions = drift_type, tuple(positions)
        self.transition_window = transition_window
        self._type = 1 + TYPES.index(drift_type)
        first, second, third = (*changes, MAX_ROWS)[:3]
        self._changes = (first, second, third)
        self._transition = transition_window if gradual else 0
        width = self._transition
        self.drifts = tuple(Drift(row + width // 2, width) for row in changes)


@inlined
def _response(X: np.ndarray, i: int, a: int, b: int, c: int, d: int, e: int) -> float:
    """Friedman's function, the fields in these roles."""
    waves = 10.0 * math.sin(math.pi * X[i, a] * X[i, b])
    return waves + 20.0 * (X[i, c] - 0.5) ** 2 + 10.0 * X[i, d] + 5.0 * X[i, e]


@inlined
def _in_region(p: bool, q: bool, r: bool, s: bool, stage: int) -> bool:
    """Whether a point is in a region of ``lea``, which at each stage is bounded in one field less."""
    return p and q and (stage >= 3 or r) and (stage >= 2 or s)


@inlined
def _expanding(X: np.ndarray, i: int, stage: int) -> float:
    x0, x1, x2, x3, x4 = X[i, 0], X[i, 1], X[i, 2], X[i, 3], X[i, 4]
    if stage > 0:
        if _in_region(x1 < 0.3, x2 < 0.3, x3 > 0.7, x4 < 0.3, stage):
            return 10.0 * x0 * x1 + 20.0 * (x2 - 0.5) + 10.0 * x3 + 5.0 * x4
        if _in_region(x1 > 0.7, x2 > 0.7, x3 < 0.3, x4 > 0.7, stage):
            return 10.0 * math.cos(x0 * x1) + 20.0 * (x2 - 0.5) + math.exp(x3) + 5.0 * x4**2
    return _response(X, i, 0, 1, 2, 3, 4)


@kernel
def _friedman(
    key: np.uint64,
    first: int,
    X: np.ndarray,
    y: np.ndarray,
    type_: int,
    change1: int,
    change2: int,
    change3: int,
    transition: int,
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        row = first + i
        restart(state, key, row)
        for j in range(X.shape[1]):
            X[i, j] = uniform(state)
        noise = normal(state)
        passed = int(row >= change1) + int(row >= change2) + int(row >= change3)
        if type_ == 1:
            y[i] = noise + _expanding(X, i, passed)
            continue
        since = row - (change2 if passed == 2 else change1)
        if passed > 0 and since < transition and uniform(state) < 0.5:
            passed -= 1
        if passed == 0 or (type_ == 2 and passed == 2):
            y[i] = noise + _response(X, i, 0, 1, 2, 3, 4)
        elif passed == 1:
            y[i] = noise + _response(X, i, 3, 4, 1, 0, 2)
        else:
            y[i] = noise + _response(X, i, 1, 4, 3, 2, 0)
