"""The classifier that predicts the label seen last."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import Classifier, Layout
from streamlearn.errors import StateError
from streamlearn.schema import Shape

from .kernels import LastArrays, advance_last, make_last


class NoChangeClassifier(Classifier):
    """Predicts the label that was learned last: the baseline of streams whose labels come in runs.

    A learner that does not beat it on such a stream has learned nothing that the previous label does not tell; the
    metric kappa-temporal measures just that (Žliobaitė et al., Evaluation methods and decision theory for
    classification of streaming data with temporal dependence, 2015). All its probability is on the last label. Fields
    are ignored, and so are weights, but for rows of weight 0, which are not learned.

    Before the first label it predicts nothing (code -1), where MOA's ``NoChange`` predicts class 0; the engine counts
    code -1 as class 0 on streams with declared classes, so that the figures agree.

    Parameters
    ----------
    schema
        The stream's schema; inferred from the first data by default.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.NoChangeClassifier()
    >>> model.predict_one({"x": 1.0}) is None
    True
    >>> model.learn_one({"x": 1.0}, "rain")
    >>> model.learn_one({"x": 2.0}, "sun")
    >>> model.predict_one({"x": 1.0})
    'sun'
    >>> model.predict_proba_one({"x": 1.0})
    {'rain': 0.0, 'sun': 1.0}
    """

    _arrays_type = LastArrays
    _pack = staticmethod(make_last)
    _advance = staticmethod(advance_last)

    def _layout(self, shape: Shape) -> Layout:
        return {"last": (np.int64, (1,))}

    def _allocate(self, shape: Shape) -> LastArrays:
        return LastArrays(np.array([-1]))

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        if not -1 <= arrays.last[0] < shape.n_classes:
            raise StateError(f"array 'last': class {arrays.last[0]} is not one of the {shape.n_classes} classes")
