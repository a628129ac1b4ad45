"""Linear readouts the obvious way: normal equations that are solved anew for each row."""

from __future__ import annotations

import math

import numpy as np


class WeightedRidge:
    """Ridge regression on all rows so far, each of which counts less with every later row.

    With ``restore``, features get back in turn what they forgot of the penalty, as `RLS` says; otherwise the penalty is
    forgotten too, unless ``keep`` adds it when solving.
    """

    def __init__(self, features: int, forgetting: float, ridge: float, *, restore: bool = False, keep: bool = False):
        self.forgetting, self.ridge = forgetting, ridge
        self.restore, self.keep = restore and forgetting < 1.0, keep
        self.products = np.zeros((features, features)) if keep else ridge * np.eye(features)
        self.moments = np.zeros(features)
        self.turn = 0

    def weights(self) -> np.ndarray:
        penalty = self.ridge * np.eye(len(self.moments)) if self.keep else 0.0
        return np.linalg.solve(self.products + penalty, self.moments)

    def learn(self, x: np.ndarray, y: float, w: float = 1.0) -> None:
        self.products = self.forgetting * self.products + w * np.outer(x, x)
        self.moments = self.forgetting * self.moments + w * y * x
        if self.restore:
            n = len(x)
            turns = math.ceil(n * (1.0 - self.forgetting))
            for _ in range(turns):
                self.products[self.turn, self.turn] += self.ridge * (1.0 - self.forgetting ** (n / turns))
                self.turn = (self.turn + 1) % n


class BoundedTrace:
    """Recursive least squares that forgets only while the trace of P stays below its first value."""

    def __init__(self, features: int, forgetting: float, ridge: float) -> None:
        self.forgetting, self.bound = forgetting, features / ridge
        self.P, self.w = np.eye(features) / ridge, np.zeros(features)

    def learn(self, x: np.ndarray, y: float) -> None:
        g = self.P @ x
        d = self.forgetting + x @ g
        self.w = self.w + g * (y - self.w @ x) / d
        self.P = self.P - np.outer(g, g) / d
        if np.trace(self.P) / self.forgetting <= self.bound:
            self.P = self.P / self.forgetting


class NLMS:
    """Normalised least mean squares on features minus their running means."""

    def __init__(self, features: int, rate: float) -> None:
        self.rate, self.rows = rate, 0
        self.intercept, self.w, self.mean = 0.0, np.zeros(features), np.zeros(features)

    def predict(self, x: np.ndarray) -> float:
        return self.intercept + float(self.w @ (x - self.mean))

    def learn(self, x: np.ndarray, y: float, w: float = 1.0) -> None:
        share, centred = 1.0 - (1.0 - self.rate) ** w, x - self.mean
        step = share * (y - self.predict(x)) / (1e-8 + 1.0 + float(centred @ centred))
        self.intercept += step
        self.w = self.w + step * centred
        self.rows += 1
        move = max(1e-3, 1.0 / self.rows) * centred
        self.mean = self.mean + move
        self.intercept += float(self.w @ move)
