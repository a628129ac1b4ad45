"""A reservoir with a linear readout the obvious way: dense matrices, a list of rows, normal equations solved anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from streamlearn.algorithms.reservoirs import EIReservoir

from .readouts import WeightedRidge


class ReservoirRegression:
    """Numeric fields in, one number out; one state a key. ``options`` are those of `EIReservoirRegressor`."""

    def __init__(self, n_inputs: int, options: dict[str, Any]) -> None:
        self.o = options
        self.network = EIReservoir(n_units=options["n_units"], k=options["k"], seed=options["seed"])
        self.network.connect(n_inputs)
        self.kept: list[tuple[Any, np.ndarray, float]] = []
        self.live = False
        self.targets: list[float] = []
        self.values: list[list[float]] = [[] for _ in range(n_inputs)]
        self.states: dict[Any, tuple[np.ndarray, np.ndarray, int]] = {}
        self.readout = WeightedRidge(
            1 + options["n_units"] + n_inputs, options["forgetting"], options["ridge"], restore=True
        )

    def step(self, key: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """The key's next state: rates, inputs as used, features, and how many rows it had before."""
        network = self.network.state()
        rate, held, age = self.states.get(key, (network["initial"], np.zeros(len(x)), 0))
        u = np.where(np.isnan(x), held, self.scaled(x))
        drive = self.network.weights() @ rate - network["threshold"]
        drive[network["receiver"]] += network["input_weight"] @ u
        new = 1.0 / (1.0 + np.exp(-self.network.gain * drive))
        return new, u, np.concatenate([[1.0], new, u]), age

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Inputs in deviations of their first values."""
        mean, deviation = (np.array([f(v) for v in self.values]) for f in (np.mean, np.std))
        return np.clip((x - mean) / deviation, -10.0, 10.0)

    def predict(self, key: Any, x: np.ndarray) -> float:
        if self.live:
            *_, features, age = self.step(key, x)
            if age >= self.o["washout"]:
                return float(self.readout.weights() @ features)
        return float(np.mean(self.targets)) if self.targets else 0.0

    def learn(self, key: Any, x: np.ndarray, y: float) -> None:
        if not self.live and len(self.kept) == self.o["warm_up"]:
            self.finish_warm_up()
        for value, values in zip(x, self.values, strict=True):
            if not np.isnan(value) and len(values) < self.o["warm_up"]:
                values.append(value)
        if not np.isnan(y):
            self.targets.append(y)
        if self.live:
            self.take(key, x, y)
        else:
            self.kept.append((key, x, y))

    def finish_warm_up(self) -> None:
        U = np.array([self.scaled(x) for _, x, _ in self.kept])
        self.network.adapt(np.nan_to_num(U), self.o["adapt_steps"])
        self.live = True
        for row in self.kept:
            self.take(*row)

    def take(self, key: Any, x: np.ndarray, y: float) -> None:
        new, u, features, age = self.step(key, x)
        if age >= self.o["washout"] and not np.isnan(y):
            self.readout.learn(features, y)
        self.states[key] = new, u, age + 1
