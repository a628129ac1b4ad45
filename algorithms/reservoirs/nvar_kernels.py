"""Kernels of the delay line with products: nonlinear vector autoregression.

As in a recurrent reservoir, a step is in two halves: `fire` finds the features and changes nothing, `commit` takes the
inputs into the past.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, kernel, struct

from .recurrent_kernels import FILLED, STEPS, take_inputs


class DelayLineArrays(NamedTuple):
    """The last ``L`` steps of ``D`` inputs, of which every ``stride``-th is used, and their products.

    Attributes
    ----------
    stride : int64 [1]
    factor : uint32 [P, order]
        The linear features of which each product is made.
    past : float64 [L, D]
        Inputs of the steps before, the last one first.
    held : float64 [D]
        The last inputs used.
    counts : int64 [2]
        See `recurrent_kernels`.
    """

    stride: np.ndarray
    factor: np.ndarray
    past: np.ndarray
    held: np.ndarray
    counts: np.ndarray


DelayLine, DelayLineType = struct(DelayLineArrays)


@kernel
def make_delay_line(a: DelayLineArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return DelayLine(a.stride, a.factor, a.past, a.held, a.counts)


@kernel
def fire(net: Any, past: np.ndarray, held: np.ndarray, u: np.ndarray, used: np.ndarray, new: np.ndarray) -> int:
    """The features for the inputs ``u`` after those in ``past``; changes neither ``past`` nor ``held``.

    Writes the inputs as used to ``used`` [D] and the features to ``new``: first the inputs, those of now first, then
    the products. Returns the number of inputs that were not finite.
    """
    factor, stride, D = borrowed(net.factor), net.stride[0], len(used)
    filled = take_inputs(u, held, used)
    for d in range(D):
        new[d] = used[d]
    n = D
    for row in range(stride - 1, len(past), stride):
        for d in range(D):
            new[n] = past[row, d]
            n += 1
    for p in range(len(factor)):
        product = 1.0
        for j in range(factor.shape[1]):
            product *= new[factor[p, j]]
        new[n + p] = product
    return filled


@kernel
def commit(net: Any, past: np.ndarray, held: np.ndarray, used: np.ndarray, filled: int) -> None:
    """Take the inputs that `fire` used into the past."""
    net.counts[STEPS] += 1
    net.counts[FILLED] += filled
    for row in range(len(past) - 1, 0, -1):
        for d in range(len(used)):
            past[row, d] = past[row - 1, d]
    for d in range(len(used)):
        held[d] = used[d]
        if len(past) > 0:
            past[0, d] = used[d]


@kernel
def run(net: Any, U: np.ndarray, R: np.ndarray) -> None:
    """Step through the inputs ``U`` [T, D] from the line's own state on; the features go to ``R`` [T, F]."""
    past, held = net.past, net.held
    used = np.empty(len(held))
    for t in range(len(U)):
        filled = fire(net, past, held, U[t], used, R[t])
        commit(net, past, held, used, filled)
