"""Kernels of many reservoirs in lock-step: one product of a sparse matrix with the states of all keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import borrowed, kernel

from .recurrent_kernels import fire, respond, take_inputs


@kernel
def fill_inputs(U: np.ndarray, held: np.ndarray, used: np.ndarray) -> int:
    """The inputs to use, ``used`` [T, B, D], for the inputs ``U`` after those in ``held`` [B, D], which are renewed."""
    filled = 0
    for t in range(len(U)):
        for b in range(len(held)):
            filled += take_inputs(U[t, b], held[b], used[t, b])
            held[b] = used[t, b]
    return filled


@kernel
def run_shared(net: Any, rate: np.ndarray, U: np.ndarray, R: np.ndarray, low: int, high: int) -> None:
    """Step through the inputs ``U`` [T, B, D] of the keys ``low … high - 1``, which share the network's weights.

    Their states are the columns of ``rate`` [N, high - low]; the states after each step go to ``R`` [T, B, N]. Every
    state is summed in the same order as that of a single reservoir: it has the same bits.
    """
    start, sender, weight = borrowed(net.start), borrowed(net.sender), borrowed(net.weight)
    receiver, input_weight = borrowed(net.receiver), borrowed(net.input_weight)
    options, threshold = borrowed(net.options), borrowed(net.threshold)
    N, width = rate.shape
    new, same = np.empty_like(rate), np.empty(width)
    for t in range(len(U)):
        for i in range(N):
            row, e, end = new[i], start[i], start[i + 1]
            row[:] = 0.0
            while e + 4 <= end:  # four at a time, in their order: a quarter of the loads and stores of the row
                w0, w1, w2, w3 = weight[e], weight[e + 1], weight[e + 2], weight[e + 3]
                r0, r1 = rate[sender[e]], rate[sender[e + 1]]
                r2, r3 = rate[sender[e + 2]], rate[sender[e + 3]]
                for b in range(width):
                    row[b] = (((row[b] + w0 * r0[b]) + w1 * r1[b]) + w2 * r2[b]) + w3 * r3[b]
                e += 4
            while e < end:
                w0, r0 = weight[e], rate[sender[e]]
                for b in range(width):
                    row[b] += w0 * r0[b]
                e += 1
        for m in range(len(receiver)):
            row = new[receiver[m]]
            for d in range(input_weight.shape[1]):
                for b in range(width):
                    row[b] += input_weight[m, d] * U[t, low + b, d]
        for i in range(N):
            same[:] = threshold[i]
            respond(options, same, rate[i], new[i])
            for b in range(width):
                R[t, low + b, i] = new[i, b]
        rate[:] = new


@kernel
def run_own(net: Any, rate: np.ndarray, U: np.ndarray, R: np.ndarray, b: int) -> None:
    """Step through the inputs of variant ``b``, which has a network of its own; see `run_shared`."""
    used = np.empty(U.shape[2])
    for t in range(len(U)):
        fire(net, rate, used, U[t, b], used, R[t, b])
        rate[:] = R[t, b]
