"""Wrong labels, wrong values, missing values, in any source."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from streamlearn.batch import Batch
from streamlearn.compiled import kernel
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.random import below, normal, restart, uniform
from streamlearn.source import Source

from .modifier import Modifier, columns_of


class LabelNoise(Modifier):
    """A source in which a share of the labels is wrong.

    Parameters
    ----------
    source : Source
        With a nominal target of at least two classes that are known beforehand.
    noise : float
        Probability that a label becomes another class, all others equally likely; 0 … 1.
    seed : int
        Of what is drawn here.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.connectors.generators import LabelNoise, SEA
    >>> wrong = LabelNoise(SEA(noise=0.0), noise=0.25).poll(4000).y != SEA(noise=0.0).poll(4000).y
    >>> round(float(wrong.mean()), 2)
    0.25
    """

    def __init__(self, source: Source, *, noise: float, seed: int = 1) -> None:
        check_range("noise", noise, 0, 1)
        self._n_classes = len(source.schema.classes) if source.schema.target_kind == "nominal" else 0
        if self._n_classes < 2:
            raise OptionError(f"{source.name}: label noise needs two classes or more that are known beforehand")
        super().__init__(source, seed=seed)
        self.noise = noise

    def _change(self, batch: Batch, first: int) -> None:
        if batch.y is not None:
            batch.y = batch.y.copy()
            _mislabel(self._key, first, batch.y, self._n_classes, float(self.noise))


class AttributeNoise(Modifier):
    """A source in which a share of the values is wrong.

    Parameters
    ----------
    source : Source
    noise : float
        Probability that a value is disturbed, 0 … 1. A nominal value becomes another category of those known
        beforehand, all equally likely; missing values stay missing.
    sigma : float
        A disturbed number gets normal noise of this standard deviation, in the field's own unit, >= 0.
    fields : sequence of names, optional
        Which fields; all by default.
    seed : int
        Of what is drawn here.

    Examples
    --------
    >>> from streamlearn.connectors.generators import AttributeNoise, STAGGER
    >>> source = AttributeNoise(STAGGER(), noise=1.0, fields=["color"])
    >>> bool((source.poll(100).X[:, 1] == STAGGER().poll(100).X[:, 1]).any())
    False
    """

    def __init__(
        self,
        source: Source,
        *,
        noise: float,
        sigma: float = 1.0,
        fields: Sequence[Hashable] | None = None,
        seed: int = 1,
    ) -> None:
        check_range("noise", noise, 0, 1)
        check_range("sigma", sigma, 0, 1e300)
        super().__init__(source, seed=seed)
        self.noise, self.sigma, self.fields = noise, sigma, fields
        self._columns = columns_of(source, fields)
        self._cardinality = np.array(source.schema.shape.cardinality, np.int64)

    def _change(self, batch: Batch, first: int) -> None:
        batch.X = batch.X.copy()
        _disturb(self._key, first, batch.X, self._columns, self._cardinality, float(self.noise), float(self.sigma))


class MissingValues(Modifier):
    """A source in which values are missing completely at random.

    Parameters
    ----------
    source : Source
    share : float
        Probability that a value is missing, 0 … 1.
    fields : sequence of names, optional
        Which fields; all by default.
    seed : int
        Of what is drawn here.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.connectors.generators import MissingValues, SEA
    >>> batch = MissingValues(SEA(), share=0.5, fields=["attrib3"]).poll(4000)
    >>> np.isnan(batch.X).mean(axis=0).round(1)
    array([0. , 0. , 0.5])
    """

    def __init__(
        self, source: Source, *, share: float, fields: Sequence[Hashable] | None = None, seed: int = 1
    ) -> None:
        check_range("share", share, 0, 1)
        super().__init__(source, seed=seed)
        self.share, self.fields = share, fields
        self._columns = columns_of(source, fields)

    def _change(self, batch: Batch, first: int) -> None:
        batch.X = batch.X.copy()
        _lose(self._key, first, batch.X, self._columns, float(self.share))


@kernel
def _mislabel(key: np.uint64, first: int, y: np.ndarray, n_classes: int, noise: float) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(y)):
        restart(state, key, first + i)
        if y[i] >= 0 and uniform(state) < noise:
            other = below(state, n_classes - 1)
            y[i] = other + 1 if other >= y[i] else other


@kernel
def _disturb(
    key: np.uint64,
    first: int,
    X: np.ndarray,
    columns: np.ndarray,
    cardinality: np.ndarray,
    noise: float,
    sigma: float,
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        for j in columns:
            if uniform(state) >= noise or math.isnan(X[i, j]):
                continue
            if cardinality[j] == 0:
                X[i, j] += sigma * normal(state)
            elif cardinality[j] > 1:
                other = below(state, cardinality[j] - 1)
                X[i, j] = other + 1 if other >= X[i, j] else other


@kernel
def _lose(key: np.uint64, first: int, X: np.ndarray, columns: np.ndarray, share: float) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        for j in columns:
            if uniform(state) < share:
                X[i, j] = math.nan
