"""The classifier that predicts the most frequent label."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import Classifier, Layout, capacity
from streamlearn.errors import StateError
from streamlearn.schema import Shape

from .kernels import FrequencyArrays, advance_frequency, make_frequency


class PriorClassifier(Classifier):
    """Predicts the label with the greatest weight so far: the baseline that any learner from fields must beat.

    Its probabilities are the class frequencies by weight. Ties go to the class with the lowest code, as in MOA's
    ``MajorityClass``. A row of weight 2 counts as two rows. Before the first label it predicts nothing (code -1).

    Parameters
    ----------
    schema
        The stream's schema; inferred from the first data by default.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.PriorClassifier()
    >>> for label in ["rain", "sun", "sun", "sun"]:
    ...     model.learn_one({"x": 1.0}, label)
    >>> model.predict_one({"x": 1.0})
    'sun'
    >>> model.predict_proba_one({"x": 1.0})
    {'rain': 0.25, 'sun': 0.75}
    """

    _arrays_type = FrequencyArrays
    _pack = staticmethod(make_frequency)
    _advance = staticmethod(advance_frequency)

    def _layout(self, shape: Shape) -> Layout:
        return {
            "weight": (np.float64, (capacity(shape.n_classes),)),
            "total": (np.float64, (1,)),
            "best": (np.int64, (1,)),
        }

    def _allocate(self, shape: Shape) -> FrequencyArrays:
        return FrequencyArrays(np.zeros(capacity(shape.n_classes)), np.zeros(1), np.array([-1]))

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        if not -1 <= arrays.best[0] < shape.n_classes:
            raise StateError(f"array 'best': class {arrays.best[0]} is not one of the {shape.n_classes} classes")
