"""A rotating hyperplane: numbers on one side or the other of a plane that turns row by row."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.random import generator, restart, uniform

from .generator import Generator, key, numbered, schema_of


class Hyperplane(Generator):
    """Points in the unit cube on one side or the other of a hyperplane whose weights change with each row.

    The class is ``class2`` where the weighted sum reaches half the sum of the weights. After each row the weight of
    each of the first ``n_drift_features`` fields moves by ``mag_change``, and with the probability ``sigma`` its
    direction is reversed.

    The weights are a random walk, so going to a row walks there again from the nearest row already known, here or at
    the start: some 5 ns for each moving weight and row, without making the rows.

    Parameters
    ----------
    n_features : int
        At least 1.
    n_drift_features : int
        Fields with moving weights, 0 … n_features.
    mag_change : float
        How far a weight moves with each row, 0 … 1.
    noise : float
        Share of flipped labels, 0 … 1.
    sigma : float
        Probability that a weight's direction is reversed, 0 … 1.
    seed : int
        Of the rows and the weights.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Hyperplane
    >>> stream = Hyperplane(n_features=3, mag_change=0.001)
    >>> stream.poll(5).y.tolist()
    [1, 0, 1, 1, 1]

    References
    ----------
    Hulten, Spencer and Domingos, "Mining time-changing data streams", KDD 2001. Parameters and defaults are those of
    MOA's ``HyperplaneGenerator``, with the noise and sigma as shares instead of per cent.
    """

    def __init__(
        self,
        *,
        n_features: int = 10,
        n_drift_features: int = 2,
        mag_change: float = 0.0,
        noise: float = 0.05,
        sigma: float = 0.1,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_range("n_features", n_features, 1, 100_000, kind=int)
        check_range("n_drift_features", n_drift_features, 0, 100_000, kind=int)
        if n_drift_features > n_features:
            raise OptionError(f"n_drift_features must be at most n_features ({n_features}), got {n_drift_features}")
        check_range("mag_change", mag_change, 0, 1)
        check_range("noise", noise, 0, 1)
        check_range("sigma", sigma, 0, 1)
        super().__init__(schema_of(numbered("att", n_features), numbered("class", 2)), seed=seed, rows=rows)
        self.n_features, self.n_drift_features = n_features, n_drift_features
        self.mag_change, self.noise, self.sigma = mag_change, noise, sigma
        self._walk_key = key(seed, stream=1)
        state = generator(seed, stream=3)
        self._weights = np.array([uniform(state) for _ in range(n_features)])
        self._restart()

    def _restart(self) -> None:
        self._row = 0
        self._steps = np.zeros(self.n_drift_features, np.int64)  # whole numbers: a walk has no rounding
        self._directions = np.ones(self.n_drift_features, np.int64)

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        if first < self._row:
            self._restart()
        if self.mag_change > 0:
            _walk(self._walk_key, self._row, first, self._steps, self._directions, float(self.sigma))
        _hyperplane(
            self._key,
            self._walk_key,
            first,
            X,
            y,
            self._weights,
            self._steps,
            self._directions,
            float(self.mag_change),
            float(self.noise),
            float(self.sigma),
        )
        self._row = first + len(X)


@inlined
def _step(state: np.ndarray, key: np.uint64, row: int, steps: np.ndarray, directions: np.ndarray, sigma: float) -> None:
    """Move the weights as they move after a row."""
    restart(state, key, row)
    for j in range(len(steps)):
        steps[j] += directions[j]
        if uniform(state) < sigma:
            directions[j] = -directions[j]


@kernel
def _walk(key: np.uint64, row: int, end: int, steps: np.ndarray, directions: np.ndarray, sigma: float) -> None:
    state = np.empty(4, np.uint64)
    for passed in range(row, end):
        _step(state, key, passed, steps, directions, sigma)


@kernel
def _hyperplane(
    key: np.uint64,
    walk_key: np.uint64,
    first: int,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    steps: np.ndarray,
    directions: np.ndarray,
    change: float,
    noise: float,
    sigma: float,
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        weighted = total = 0.0
        for j in range(X.shape[1]):
            weight = weights[j]
            if j < len(steps):
                weight += change * steps[j]
            X[i, j] = uniform(state)
            weighted += weight * X[i, j]
            total += weight
        label = 1 if weighted >= 0.5 * total else 0
        y[i] = 1 - label if uniform(state) < noise else label
        if change > 0:
            _step(state, walk_key, first + i, steps, directions, sigma)
