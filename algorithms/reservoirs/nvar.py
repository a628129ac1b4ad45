"""NVAR: the last inputs and their products as features, a reservoir without a network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import Any

import numpy as np

from streamlearn.errors import OptionError, StateError
from streamlearn.parameters import check_range

from . import nvar_kernels as kernels
from .nvar_kernels import DelayLineArrays, make_delay_line
from .recurrent_kernels import LIMIT
from .reservoir import Layout, Reservoir, taken

MOST_FEATURES = 1_000_000


class NVAR(Reservoir):
    """Nonlinear vector autoregression: delayed inputs, and all their products of one order.

    The features are the inputs ``stride · 0, 1 … delay - 1`` steps ago, then every product of ``order`` of these. What
    was before the first step is 0.

    Parameters
    ----------
    delay
        How many steps of the inputs are used, 1 … 10,000.
    order
        Factors of each product, 1 … 5; 1: no products.
    stride
        Steps between those that are used, 1 … 10,000.

    Raises
    ------
    OptionError
        If a parameter is out of range, or, once the number of inputs is known, there would be over 1,000,000 features.

    Notes
    -----
    After Gauthier, Bollt, Griffith and Barbosa, "Next generation reservoir computing" (Nature Communications, 2021).
    The paper's constant is the readout's to add.

    Examples
    --------
    >>> from streamlearn.algorithms.reservoirs import NVAR
    >>> line = NVAR(delay=2, order=2)
    >>> [[float(value) for value in row] for row in line.run([3.0, 5.0])]
    [[3.0, 0.0, 9.0, 0.0, 0.0], [5.0, 3.0, 25.0, 15.0, 9.0]]
    """

    def __init__(self, *, delay: int = 2, order: int = 2, stride: int = 1) -> None:
        self.delay = delay
        self.order = order
        self.stride = stride
        check_range("delay", delay, 1, 10_000, kind=int)
        check_range("order", order, 1, 5, kind=int)
        check_range("stride", stride, 1, 10_000, kind=int)
        self._set(DelayLineArrays(*(np.zeros(shape, dtype) for dtype, shape in self._layout(0).values())))

    def _layout(self, n_inputs: int) -> Layout:
        products = comb(self.delay * n_inputs + self.order - 1, self.order) if self.order > 1 and n_inputs else 0
        return {
            "stride": (np.int64, (1,)),
            "factor": (np.uint32, (products, self.order)),
            "past": (np.float64, ((self.delay - 1) * self.stride, n_inputs)),
            "held": (np.float64, (n_inputs,)),
            "counts": (np.int64, (2,)),
        }

    def _set(self, arrays: DelayLineArrays) -> None:
        arrays.stride[0] = self.stride
        linear, (products, order) = range(self.delay * len(arrays.held)), arrays.factor.shape
        if products:
            arrays.factor[:] = list(combinations_with_replacement(linear, order))
        self._arrays, self._struct = arrays, make_delay_line(arrays)

    @property
    def n_inputs(self) -> int:
        return len(self._arrays.held)

    @property
    def n_features(self) -> int:
        return self.delay * self.n_inputs + len(self._arrays.factor)

    def _connect(self, n_inputs: int) -> None:
        layout = self._layout(n_inputs)
        n_features = self.delay * n_inputs + layout["factor"][1][0]
        if n_features > MOST_FEATURES:
            raise OptionError(
                f"NVAR(delay={self.delay}, order={self.order}) of {n_inputs} inputs has {n_features:,} features: "
                f"there may be {MOST_FEATURES:,}; lower delay or order"
            )
        old, arrays = self._arrays, DelayLineArrays(*(np.zeros(shape, dtype) for dtype, shape in layout.values()))
        arrays.past[:, : self.n_inputs] = old.past
        arrays.held[: self.n_inputs] = old.held
        arrays.counts[:] = old.counts
        self._set(arrays)

    def _run(self, U: np.ndarray) -> np.ndarray:
        features = np.empty((len(U), self.n_features))
        kernels.run(self._struct, U, features)
        return features

    def reset(self) -> None:
        for array in (self._arrays.past, self._arrays.held, self._arrays.counts):
            array[:] = 0

    def state(self) -> dict[str, Any]:
        return {name: getattr(self._arrays, name).copy() for name in ("past", "held", "counts")}

    def restore(self, state: Mapping[str, Any]) -> None:
        layout = self._layout(np.size(state["held"]) if isinstance(state, Mapping) and "held" in state else 0)
        kept = taken(type(self).__name__, state, {name: layout[name] for name in ("past", "held", "counts")})
        if any((np.abs(kept[name]) > LIMIT).any() for name in ("past", "held")) or (kept["counts"] < 0).any():
            raise StateError(f"{type(self).__name__}: arrays 'past', 'held' and 'counts' are out of range")
        made = {name: np.zeros(shape, dtype) for name, (dtype, shape) in layout.items()}
        self._set(DelayLineArrays(**(made | kept)))
