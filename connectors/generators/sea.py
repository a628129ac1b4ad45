"""SEA concepts: two of three numbers decide, by their sum."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.parameters import check_flag, check_range
from streamlearn.random import restart, uniform

from .generator import Generator, numbered, schema_of, wanted_class

THRESHOLDS = (8.0, 9.0, 7.0, 9.5)


class SEA(Generator):
    """SEA concepts: three numbers in [0, 10), of which the third is irrelevant.

    The class is ``groupA`` where the first two sum up to at most 8, 9, 7 or 9.5 (functions 1 … 4), else ``groupB``;
    then a share of the labels is flipped.

    Parameters
    ----------
    function : int
        Which threshold, 1 … 4.
    noise : float
        Share of flipped labels, 0 … 1; the Bayes accuracy is 1 - noise.
    balance_classes : bool
        Whether both classes are equally frequent, before the noise.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import SEA
    >>> SEA(function=2).poll(2).X.round(3)
    array([[4.386, 3.083, 8.628],
           [8.251, 8.518, 0.733]])

    References
    ----------
    Street and Kim, "A streaming ensemble algorithm (SEA) for large-scale classification", KDD 2001. Parameters and
    defaults are those of MOA's ``SEAGenerator``, with the noise as a share instead of per cent.
    """

    def __init__(
        self,
        *,
        function: int = 1,
        noise: float = 0.1,
        balance_classes: bool = False,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_flag("balance_classes", balance_classes)
        check_range("function", function, 1, len(THRESHOLDS), kind=int)
        check_range("noise", noise, 0, 1)
        super().__init__(schema_of(numbered("attrib", 3), ["groupA", "groupB"]), seed=seed, rows=rows)
        self.function, self.noise, self.balance_classes = function, noise, balance_classes

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _sea(self._key, first, X, y, THRESHOLDS[self.function - 1], float(self.noise), self.balance_classes)


@kernel
def _sea(
    key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, threshold: float, noise: float, balanced: bool
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        wanted = wanted_class(balanced, first + i)
        while True:
            for j in range(3):
                X[i, j] = 10.0 * uniform(state)
            group = 0 if X[i, 0] + X[i, 1] <= threshold else 1
            if wanted in (-1, group):
                break
        y[i] = 1 - group if uniform(state) < noise else group
