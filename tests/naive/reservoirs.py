"""Reservoirs written plainly: dense matrices, one loop over the steps, one over the synapses."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np


class NaiveEI:
    """The state equation and the local rule, as they stand in the text, over dense matrices of >= 0 weights."""

    def __init__(
        self,
        W: np.ndarray,
        W_in: np.ndarray,
        *,
        c: float,
        theta: np.ndarray,
        leak: float,
        target: np.ndarray,
        r: np.ndarray,
        gated: bool,
        w_max: float,
    ) -> None:
        self.A_E, self.A_I = np.where(W > 0.0, W, 0.0), np.where(W < 0.0, -W, 0.0)
        self.joined = W < 0.0  # the inhibitory synapses that there are: they may become 0, and grow again
        self.W_in, self.c, self.theta, self.leak, self.target = W_in, c, theta, leak, target
        self.r, self.gated, self.w_max = r.copy(), gated, w_max
        self.u = np.zeros(W_in.shape[1])

    def step(self, u: np.ndarray, delta: float = 0.0) -> np.ndarray:
        self.u = np.where(np.isfinite(u), u, self.u)
        V = self.A_E @ self.r - self.A_I @ self.r + self.W_in @ self.u
        z = np.clip(self.c * (V - self.theta), -40.0, 40.0)
        new = (1.0 - self.leak) * self.r + self.leak / (1.0 + np.exp(-z))
        for i, j in zip(*np.nonzero(self.joined), strict=True):
            g = self.r[j] if self.gated else 1.0
            self.A_I[i, j] = np.clip(self.A_I[i, j] + delta * (new[i] - self.target[i]) * g, 0.0, self.w_max)
        self.r = new
        return new

    def design(self, u_mean: np.ndarray, most: float) -> None:
        for i in range(len(self.r)):
            E, I = self.A_E[i] @ self.target, self.A_I[i] @ self.target
            logit = np.log(self.target[i] / (1.0 - self.target[i]))
            omega = (E + self.W_in[i] @ u_mean - self.theta[i] - logit / self.c) / I
            self.A_I[i] *= np.clip(omega, 0.0, most)


def echo_states(W: np.ndarray, W_in: np.ndarray, bias: np.ndarray, leak: float, U: np.ndarray) -> np.ndarray:
    """The states of a leaky tanh network, from 0 on."""
    r = np.zeros(len(W))
    states = []
    for u in U:
        r = (1.0 - leak) * r + leak * np.tanh(W @ r + W_in @ u + bias)
        states.append(r)
    return np.array(states)


def nvar_features(U: np.ndarray, delay: int, order: int, stride: int) -> np.ndarray:
    """Delayed inputs and the products of ``order`` of them."""
    D = U.shape[1]
    padded = np.concatenate([np.zeros(((delay - 1) * stride, D)), U])
    features = []
    for t in range(len(U)):
        now = t + (delay - 1) * stride
        linear = np.concatenate([padded[now - j * stride] for j in range(delay)])
        chosen = combinations_with_replacement(range(len(linear)), order) if order > 1 else []
        features.append(np.concatenate([linear, [np.prod(linear[list(places)]) for places in chosen]]))
    return np.array(features)
