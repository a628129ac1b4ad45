"""The transformer that brings every numeric field into the range from 0 to 1."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.schema import Shape
from streamlearn.transformer import Transformer

from .kernels import RangesArrays, advance_ranges, make_ranges
from .standard_scaler import check_numeric, numeric_fields


class MinMaxScaler(Transformer):
    """Maps each numeric field linearly so that its least value so far becomes 0 and its greatest 1, as in River.

    A value outside the range learned so far falls outside 0 … 1. Nominal fields pass through. A field that has not
    varied yet becomes 0. Missing values stay missing; they and infinities, which pass through, are not learned, nor are
    numbers beyond ±1e100. Weights do not matter, but for rows of weight 0, which are not learned.

    Parameters
    ----------
    schema
        The stream's schema; inferred from the first data by default.

    Notes
    -----
    Equal to River's ``MinMaxScaler``, whose ``window_size`` is not offered.

    Examples
    --------
    >>> import streamlearn as sl
    >>> scaler = sl.MinMaxScaler()
    >>> for x in [8.0, 12.0, 10.0]:
    ...     scaler.learn_one({"x": x})
    >>> scaler.transform_one({"x": 11.0})
    {'x': 0.75}
    """

    _arrays_type = RangesArrays
    _pack = staticmethod(make_ranges)
    _advance = staticmethod(advance_ranges)

    def _layout(self, shape: Shape) -> Layout:
        N = len(shape.nominal) - sum(shape.nominal)
        return {"numeric": (np.int64, (N,)), "low": (np.float64, (N,)), "high": (np.float64, (N,))}

    def _allocate(self, shape: Shape) -> RangesArrays:
        numeric = numeric_fields(shape)
        return RangesArrays(numeric, np.full(len(numeric), np.inf), np.full(len(numeric), -np.inf))

    def _grow(self, arrays: RangesArrays, old: Shape, new: Shape) -> RangesArrays:
        grown: RangesArrays = super()._grow(arrays, old, new)
        return grown._replace(numeric=numeric_fields(new))

    def _check(self, arrays: RangesArrays, shape: Shape) -> None:
        super()._check(arrays, shape)
        check_numeric(arrays.numeric, shape)
