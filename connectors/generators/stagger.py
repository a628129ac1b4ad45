"""STAGGER concepts: size, colour and shape of an object."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.parameters import check_flag, check_range
from streamlearn.random import below, restart
from streamlearn.schema import Field

from .generator import Generator, schema_of, wanted_class


class STAGGER(Generator):
    """Objects of three sizes, colours and shapes.

    The class is ``true`` where an object is small and red (function 1), green or a circle (2), medium or large (3).

    Parameters
    ----------
    function : int
        1 … 3.
    balance_classes : bool
        Whether both classes are equally frequent.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import STAGGER
    >>> stream = STAGGER(function=3)
    >>> batch = stream.poll(2)
    >>> [stream.schema.decode_row(x)["size"] for x in batch.X], stream.schema.decode_labels(batch.y).tolist()
    (['large', 'medium'], ['true', 'true'])

    References
    ----------
    Schlimmer and Granger, "Incremental learning from noisy data", Machine Learning 1, 1986. As MOA's
    ``STAGGERGenerator``.
    """

    def __init__(
        self, *, function: int = 1, balance_classes: bool = False, seed: int = 1, rows: int | None = None
    ) -> None:
        check_flag("balance_classes", balance_classes)
        check_range("function", function, 1, 3, kind=int)
        fields = [
            Field("size", "nominal", ["small", "medium", "large"]),
            Field("color", "nominal", ["red", "blue", "green"]),
            Field("shape", "nominal", ["circle", "square", "triangle"]),
        ]
        super().__init__(schema_of(fields, ["false", "true"]), seed=seed, rows=rows)
        self.function, self.balance_classes = function, balance_classes

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _stagger(self._key, first, X, y, self.function, self.balance_classes)


@kernel
def _stagger(key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, function: int, balanced: bool) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        wanted = wanted_class(balanced, first + i)
        while True:
            size, color, shape = below(state, 3), below(state, 3), below(state, 3)
            if function == 1:
                label = int(size == 0 and color == 0)
            elif function == 2:
                label = int(color == 2 or shape == 0)
            else:
                label = int(size != 0)
            if wanted in (-1, label):
                break
        X[i, 0], X[i, 1], X[i, 2] = size, color, shape
        y[i] = label
