"""LED digits: seven segments of a display, each sometimes wrong, among irrelevant bits."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.parameters import check_flag, check_range
from streamlearn.random import below, next_bits, restart, uniform
from streamlearn.schema import Field

from .generator import Generator, numbered, schema_of

SEGMENTS = np.array(
    [
        [1, 1, 1, 0, 1, 1, 1],
        [0, 0, 1, 0, 0, 1, 0],
        [1, 0, 1, 1, 1, 0, 1],
        [1, 0, 1, 1, 0, 1, 1],
        [0, 1, 1, 1, 0, 1, 0],
        [1, 1, 0, 1, 0, 1, 1],
        [1, 1, 0, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 1, 1],
    ],
    np.int64,
)
"""int64 [10, 7]: which segments light up for each digit."""

N_SEGMENTS = 7
N_IRRELEVANT = 17


class LED(Generator):
    """Digits on a seven-segment display: seven binary nominal fields, and 17 irrelevant ones.

    Each segment is inverted with the probability ``noise``; irrelevant bits are fair coins. With the default noise the
    Bayes accuracy is 74 %.

    Parameters
    ----------
    noise : float
        Probability that a segment is wrong, 0 … 1.
    irrelevant_features : bool
        Whether there are the 17 irrelevant fields.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import LED
    >>> batch = LED(noise=0.0, irrelevant_features=False).poll(2)
    >>> batch.X.astype(int).tolist(), batch.y.tolist()
    ([[1, 0, 1, 1, 0, 1, 1], [1, 0, 1, 0, 0, 1, 0]], [3, 7])

    References
    ----------
    Breiman et al., Classification and Regression Trees, 1984. Parameters and defaults are those of MOA's
    ``LEDGenerator``, with the noise as a share instead of per cent.
    """

    n_drift_features = 0

    def __init__(
        self, *, noise: float = 0.1, irrelevant_features: bool = True, seed: int = 1, rows: int | None = None
    ) -> None:
        check_flag("irrelevant_features", irrelevant_features)
        check_range("noise", noise, 0, 1)
        names = numbered("att", N_SEGMENTS + (N_IRRELEVANT if irrelevant_features else 0))
        fields = [Field(name, "nominal", ["0", "1"]) for name in names]
        super().__init__(schema_of(fields, numbered("", 10, first=0)), seed=seed, rows=rows)
        self.noise, self.irrelevant_features = noise, irrelevant_features

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        swapped = self.n_drift_features if self.irrelevant_features else 0
        _led(self._key, first, X, y, SEGMENTS, float(self.noise), swapped)


class LEDDrift(LED):
    """LED digits, the first segments having changed places with as many irrelevant fields.

    The places are fixed for the whole stream: to see a drift, put streams with different numbers of such fields behind
    each other (`streamlearn.connectors.generators.ConceptDrift`), as the named stream ``led_a`` does.

    Parameters
    ----------
    noise : float
        Probability that a segment is wrong, 0 … 1.
    irrelevant_features : bool
        Whether there are the 17 irrelevant fields; without them nothing changes places.
    n_drift_features : int
        How many segments change places, 0 … 7.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import LEDDrift
    >>> LEDDrift(n_drift_features=3)
    LEDDrift(n_drift_features=3)

    References
    ----------
    As MOA's ``LEDGeneratorDrift``.
    """

    def __init__(
        self,
        *,
        noise: float = 0.1,
        irrelevant_features: bool = True,
        n_drift_features: int = 1,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_range("n_drift_features", n_drift_features, 0, N_SEGMENTS, kind=int)
        super().__init__(noise=noise, irrelevant_features=irrelevant_features, seed=seed, rows=rows)
        self.n_drift_features = n_drift_features


@kernel
def _led(
    key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, segments: np.ndarray, noise: float, swapped: int
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        digit = below(state, 10)
        y[i] = digit
        coins = next_bits(state)
        for j in range(N_SEGMENTS, X.shape[1]):
            X[i, j] = float(coins & np.uint64(1))
            coins >>= np.uint64(1)
        for j in range(N_SEGMENTS):
            bit = segments[digit, j]
            if uniform(state) < noise:
                bit = 1 - bit
            if j < swapped:
                X[i, j], X[i, N_SEGMENTS + j] = X[i, N_SEGMENTS + j], float(bit)
            else:
                X[i, j] = float(bit)
