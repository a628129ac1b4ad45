"""Random radial basis functions: clouds of points around centroids that stand still or move."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_range
from streamlearn.random import below, normal, restart, uniform

from .generator import MAX_SEED, Generator, key, numbered, schema_of


class RandomRBF(Generator):
    """Points around random centroids, each of which has a class, a weight and a width.

    Centres are uniform in the unit cube, widths and weights in [0, 1). A row is at a random direction from a centroid
    that is drawn by weight, at a normally distributed distance.

    Parameters
    ----------
    n_classes : int
        At least 2.
    n_features : int
        Numeric fields, at least 1.
    n_centroids : int
        At least 1.
    seed : int
        Of the rows.
    model_seed : int or None
        Of the centroids; by default that of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import RandomRBF
    >>> stream = RandomRBF(n_features=3, seed=7)
    >>> stream.poll(2).X.round(3)
    array([[-0.394, -0.074, -0.656],
           [ 0.478,  1.903,  0.008]])

    References
    ----------
    As MOA's ``RandomRBFGenerator``.
    """

    _moving, _step = 0, 0.0

    def __init__(
        self,
        *,
        n_classes: int = 2,
        n_features: int = 10,
        n_centroids: int = 50,
        seed: int = 1,
        model_seed: int | None = None,
        rows: int | None = None,
    ) -> None:
        check_range("n_classes", n_classes, 2, 10_000, kind=int)
        check_range("n_features", n_features, 1, 100_000, kind=int)
        check_range("n_centroids", n_centroids, 1, 1_000_000, kind=int)
        super().__init__(schema_of(numbered("att", n_features), numbered("class", n_classes)), seed=seed, rows=rows)
        self.n_classes, self.n_features, self.n_centroids = n_classes, n_features, n_centroids
        self.model_seed = model_seed
        self._model_key = key(model_seed_of(seed, model_seed), stream=1)
        self._centres = np.empty((n_centroids, n_features))
        self._labels = np.empty(n_centroids, np.int64)
        self._widths = np.empty(n_centroids)
        self._bounds = np.empty(n_centroids)
        self._speeds = np.empty((n_centroids, n_features))
        _place(self._model_key, n_classes, self._centres, self._labels, self._widths, self._bounds, self._speeds)

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _rbf(
            self._key,
            first,
            X,
            y,
            self._centres,
            self._labels,
            self._widths,
            self._bounds,
            self._speeds,
            self._moving,
            self._step,
        )


class RandomRBFDrift(RandomRBF):
    """Points around random centroids that move, and turn round at the walls of the unit cube.

    A centroid's place is a function of the row's number, so that any row is reached at once.

    Parameters
    ----------
    n_classes : int
        At least 2.
    n_features : int
        Numeric fields, at least 1.
    n_centroids : int
        At least 1.
    n_drift_centroids : int
        How many of them move; more than there are means all.
    change_speed : float
        How far a moving centroid goes with each row, >= 0.
    seed : int
        Of the rows.
    model_seed : int or None
        Of the centroids and their directions; by default that of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import RandomRBFDrift
    >>> stream = RandomRBFDrift(change_speed=0.001, model_seed=5)
    >>> stream.seek({"row": 1_000_000})
    >>> stream.poll(2).y.tolist(), stream.position()
    ([1, 0], {'row': 1000002})

    References
    ----------
    As MOA's ``RandomRBFGeneratorDrift``. There moved centres stay moved when a stream is restarted; here row n is the
    same each time.
    """

    def __init__(
        self,
        *,
        n_classes: int = 2,
        n_features: int = 10,
        n_centroids: int = 50,
        n_drift_centroids: int = 50,
        change_speed: float = 0.0,
        seed: int = 1,
        model_seed: int | None = None,
        rows: int | None = None,
    ) -> None:
        check_range("n_drift_centroids", n_drift_centroids, 0, 1_000_000, kind=int)
        check_range("change_speed", change_speed, 0, 1e6)
        super().__init__(
            n_classes=n_classes,
            n_features=n_features,
            n_centroids=n_centroids,
            seed=seed,
            model_seed=model_seed,
            rows=rows,
        )
        self.n_drift_centroids, self.change_speed = n_drift_centroids, change_speed
        self._moving, self._step = n_drift_centroids, float(change_speed)


def model_seed_of(seed: int, model_seed: int | None) -> int:
    """The model's seed, checked; by default that of the rows."""
    if model_seed is None:
        return seed
    check_range("model_seed", model_seed, 0, MAX_SEED, kind=int)
    return model_seed


@kernel
def _place(
    key: np.uint64,
    n_classes: int,
    centres: np.ndarray,
    labels: np.ndarray,
    widths: np.ndarray,
    bounds: np.ndarray,
    speeds: np.ndarray,
) -> None:
    """Draw the centroids; ``bounds`` become their summed weights, ``speeds`` vectors of length 1."""
    state = np.empty(4, np.uint64)
    total = 0.0
    for c in range(len(centres)):
        restart(state, key, c)
        square = 0.0
        for j in range(centres.shape[1]):
            centres[c, j] = uniform(state)
            speeds[c, j] = uniform(state)
            square += speeds[c, j] ** 2
        speeds[c] /= math.sqrt(square)
        labels[c] = below(state, n_classes)
        widths[c] = uniform(state)
        total += uniform(state)
        bounds[c] = total


@inlined
def _place_after(start: float, step: float, steps: int) -> float:
    """Where one coordinate is that starts at ``start`` and makes ``steps`` steps between walls at 0 and 1.

    A step over a wall ends at the wall and turns the direction round: from there each crossing takes as many steps.
    """
    if step == 0.0:
        return start
    to_wall = np.floor((1.0 - start) / step) + 1.0
    if steps < to_wall:
        return start + steps * step
    crossing = np.floor(1.0 / step) + 1.0
    since = (steps - to_wall) % (2.0 * crossing)
    return float(1.0 - since * step if since < crossing else (since - crossing) * step)


@kernel
def _rbf(
    key: np.uint64,
    first: int,
    X: np.ndarray,
    y: np.ndarray,
    centres: np.ndarray,
    labels: np.ndarray,
    widths: np.ndarray,
    bounds: np.ndarray,
    speeds: np.ndarray,
    moving: int,
    step: float,
) -> None:
    state = np.empty(4, np.uint64)
    d = X.shape[1]
    last = len(bounds) - 1
    for i in range(len(X)):
        restart(state, key, first + i)
        c = min(np.searchsorted(bounds, uniform(state) * bounds[last], side="right"), last)
        square = 0.0
        for j in range(d):
            X[i, j] = 2.0 * uniform(state) - 1.0
            square += X[i, j] ** 2
        scale = normal(state) * widths[c] / math.sqrt(square)
        for j in range(d):
            centre = centres[c, j]
            if c < moving:
                centre = _place_after(centre, step * speeds[c, j], first + i + 1)
            X[i, j] = centre + scale * X[i, j]
        y[i] = labels[c]
