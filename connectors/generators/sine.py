"""Sine and Mixed concepts: points under or over a sine curve, alone or with two truth values."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_flag, check_range
from streamlearn.random import below, restart, uniform
from streamlearn.schema import Field

from .generator import Generator, numbered, schema_of, wanted_class

CLASSES = ["positive", "negative"]


class Sine(Generator):
    """Points of the unit square under or over a sine curve.

    Function 1: a point is ``positive`` under ``sin(x)``; function 3: under ``0.5 + 0.3 sin(3 π x)``; functions 2 and 4
    are 1 and 3 reversed.

    Parameters
    ----------
    function : int
        1 … 4.
    balance_classes : bool
        Whether both classes are equally frequent.
    has_noise : bool
        Whether there are two more fields that are irrelevant.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Sine
    >>> Sine(function=1).poll(4).y.tolist(), Sine(function=2).poll(4).y.tolist()
    ([0, 1, 1, 1], [1, 0, 0, 0])

    References
    ----------
    Gama et al., "Learning with drift detection", SBIA 2004. Functions and classes as in MOA's ``SineGenerator``;
    irrelevant fields are asked for, as in River, instead of suppressed.
    """

    def __init__(
        self,
        *,
        function: int = 1,
        balance_classes: bool = False,
        has_noise: bool = False,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_flag("balance_classes", balance_classes)
        check_flag("has_noise", has_noise)
        check_range("function", function, 1, 4, kind=int)
        super().__init__(schema_of(numbered("att", 4 if has_noise else 2), CLASSES), seed=seed, rows=rows)
        self.function, self.balance_classes, self.has_noise = function, balance_classes, has_noise

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _sine(self._key, first, X, y, self.function, self.balance_classes)


class Mixed(Generator):
    """Two truth values and a point of the unit square: two of three conditions decide.

    The conditions are the truth values ``v`` and ``w``, and that ``y`` is under ``0.5 + 0.3 sin(3 π x)``. Where two of
    them hold, a row is ``positive`` (function 1) or ``negative`` (function 2).

    Parameters
    ----------
    function : int
        1 or 2.
    balance_classes : bool
        Whether both classes are equally frequent.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Mixed
    >>> Mixed().schema.names
    ['v', 'w', 'x', 'y']

    References
    ----------
    Gama et al., "Learning with drift detection", SBIA 2004. As MOA's ``MixedGenerator``.
    """

    def __init__(
        self, *, function: int = 1, balance_classes: bool = False, seed: int = 1, rows: int | None = None
    ) -> None:
        check_flag("balance_classes", balance_classes)
        check_range("function", function, 1, 2, kind=int)
        fields: list[Field | str] = [Field("v", "nominal", ["0", "1"]), Field("w", "nominal", ["0", "1"]), "x", "y"]
        super().__init__(schema_of(fields, CLASSES), seed=seed, rows=rows)
        self.function, self.balance_classes = function, balance_classes

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _mixed(self._key, first, X, y, self.function == 2, self.balance_classes)


@inlined
def _under_waves(x: float, y: float) -> bool:
    return y < 0.5 + 0.3 * math.sin(3.0 * math.pi * x)


@kernel
def _sine(key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, function: int, balanced: bool) -> None:
    state = np.empty(4, np.uint64)
    reversed_ = function % 2 == 0
    for i in range(len(X)):
        restart(state, key, first + i)
        wanted = wanted_class(balanced, first + i)
        while True:
            across, up = uniform(state), uniform(state)
            under = up < math.sin(across) if function <= 2 else _under_waves(across, up)
            label = int(under == reversed_)
            if wanted in (-1, label):
                break
        X[i, 0], X[i, 1] = across, up
        for j in range(2, X.shape[1]):
            X[i, j] = uniform(state)
        y[i] = label


@kernel
def _mixed(key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, reversed_: bool, balanced: bool) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        wanted = wanted_class(balanced, first + i)
        while True:
            v, w = below(state, 2), below(state, 2)
            across, up = uniform(state), uniform(state)
            most = v + w + int(_under_waves(across, up)) >= 2
            label = int(most == reversed_)
            if wanted in (-1, label):
                break
        X[i, 0], X[i, 1], X[i, 2], X[i, 3] = v, w, across, up
        y[i] = label
