"""The transformer that gives every numeric field mean 0 and variance 1."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import StateError
from streamlearn.parameters import check_flag
from streamlearn.schema import Schema, Shape
from streamlearn.transformer import Transformer

from .kernels import MomentsArrays, advance_moments, make_moments


class StandardScaler(Transformer):
    """Subtracts each numeric field's running mean and divides by its running standard deviation, as in River.

    Nominal fields pass through. A field that has not varied yet becomes 0. Missing values stay missing; they and
    infinities, which pass through, are not learned, nor are numbers beyond ±1e100. A row of weight 2 counts as two
    rows; weight 0 is not learned.

    Parameters
    ----------
    with_std
        Whether to divide by the standard deviation (of the population: the divisor is the weight).
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If ``with_std`` is not True or False.

    Notes
    -----
    Equal to River's ``StandardScaler`` on rows learned one by one; River's ``learn_many`` merges whole batches, which
    rounds otherwise. River's ``window_size`` is not offered. The linear models standardise by themselves: no scaler is
    needed before them.

    References
    ----------
    West, Updating mean and variance estimates: an improved method, Communications of the ACM 22(9), 1979.

    Examples
    --------
    >>> import streamlearn as sl
    >>> scaler = sl.StandardScaler()
    >>> for x in [8.0, 10.0, 12.0, 14.0]:
    ...     scaler.learn_one({"colour": "red", "x": x})
    >>> scaler.transform_one({"colour": "red", "x": 11.0})
    {'colour': 'red', 'x': 0.0}
    >>> scaler.transform_many([{"x": 11.0}, {"x": 8.0}]).round(3).tolist()
    [[nan, 0.0], [nan, -1.342]]
    """

    _arrays_type = MomentsArrays
    _pack = staticmethod(make_moments)
    _advance = staticmethod(advance_moments)

    def __init__(self, *, with_std: bool = True, schema: Schema | None = None) -> None:
        check_flag("with_std", with_std)
        self.with_std = with_std
        super().__init__(schema=schema)

    def _layout(self, shape: Shape) -> Layout:
        N = len(shape.nominal) - sum(shape.nominal)
        return {
            "numeric": (np.int64, (N,)),
            "weight": (np.float64, (N,)),
            "mean": (np.float64, (N,)),
            "variance": (np.float64, (N if self.with_std else 0,)),
        }

    def _allocate(self, shape: Shape) -> MomentsArrays:
        arrays: MomentsArrays = super()._allocate(shape)
        return arrays._replace(numeric=numeric_fields(shape))

    def _grow(self, arrays: MomentsArrays, old: Shape, new: Shape) -> MomentsArrays:
        grown: MomentsArrays = super()._grow(arrays, old, new)
        return grown._replace(numeric=numeric_fields(new))

    def _check(self, arrays: MomentsArrays, shape: Shape) -> None:
        super()._check(arrays, shape)
        check_numeric(arrays.numeric, shape)


def numeric_fields(shape: Shape) -> np.ndarray:
    """Field numbers of the numeric fields, int64 [N]."""
    return np.flatnonzero(~np.array(shape.nominal, np.bool_)).astype(np.int64)


def check_numeric(numeric: np.ndarray, shape: Shape) -> None:
    """Refuse restored field numbers that are not those of the schema."""
    if not np.array_equal(numeric, numeric_fields(shape)):
        raise StateError("array 'numeric' does not belong to the fields of the schema")
