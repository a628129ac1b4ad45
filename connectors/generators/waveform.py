"""Three waveforms, each a noisy mixture of two of three triangles."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.parameters import check_flag
from streamlearn.random import below, normal, restart, uniform

from .generator import Generator, numbered, schema_of

PEAKS = np.array([6, 14, 10])
TRIANGLES = np.maximum(6.0 - np.abs(np.arange(21) - PEAKS[:, None]), 0.0)
"""float64 [3, 21]: the base waves, 6 high."""


class Waveform(Generator):
    """Waves of 21 points: two of three triangles, mixed at random, with standard normal noise on each point.

    Class 1 mixes the triangles 1 and 2, class 2 the triangles 1 and 3, class 3 the triangles 2 and 3; all are equally
    frequent, and the Bayes accuracy is about 86 %.

    Parameters
    ----------
    has_noise : bool
        Whether there are 19 more fields that are nothing but noise.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Waveform
    >>> Waveform(has_noise=True).poll(3).X.shape
    (3, 40)

    References
    ----------
    Breiman et al., Classification and Regression Trees, 1984. As MOA's ``WaveformGenerator``.
    """

    def __init__(self, *, has_noise: bool = False, seed: int = 1, rows: int | None = None) -> None:
        check_flag("has_noise", has_noise)
        super().__init__(
            schema_of(numbered("att", 40 if has_noise else 21), numbered("class", 3)), seed=seed, rows=rows
        )
        self.has_noise = has_noise

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _waveform(self._key, first, X, y, TRIANGLES)


@kernel
def _waveform(key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, triangles: np.ndarray) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        wave = below(state, 3)
        one, other = (1 if wave == 2 else 0), (1 if wave == 0 else 2)
        share = uniform(state)
        for j in range(X.shape[1]):
            X[i, j] = normal(state)
            if j < triangles.shape[1]:
                X[i, j] += share * triangles[one, j] + (1.0 - share) * triangles[other, j]
        y[i] = wave
