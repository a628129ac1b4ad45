"""The obvious ensembles are MOA's to every digit if they draw Java's random numbers."""

from __future__ import annotations

from typing import Any

import pytest
from mixed import benchmark_stream
from naive import ensembles as naive

MOA = {
    naive.NaiveOzaBag: (67.79324, 68.98608, 69.98012),
    naive.NaiveLeveragingBagging: (74.75149, 75.74553, 75.34791),
    naive.NaiveForest: (74.35388, 75.14911, 75.34791),
    naive.NaivePatches: (77.33598, 78.72763, 78.72763),
}
"""Accuracy of MOA's ensembles of 10 on chess, in percent, with the random seeds 1, 2 and 3."""


def accuracy(oracle: naive.NaiveEnsemble, name: str) -> float:
    batch = benchmark_stream(name)
    right = 0
    for x, y in zip(batch.X.tolist(), batch.y.tolist(), strict=True):
        right += max(0, oracle.predict(x)) == y
        oracle.learn(x, y)
    return 100.0 * right / len(batch)


def nominal(name: str) -> list[bool]:
    return [bool(flag) for flag in benchmark_stream(name).schema.shape.nominal]


@pytest.mark.parametrize("ensemble", MOA)
def test_bags_and_forests_are_moas(ensemble: Any) -> None:
    fields = nominal("chess")
    options = {"m": round(0.6 * len(fields))} if issubclass(ensemble, naive.NaiveRenewing) else {}
    found = [accuracy(ensemble(fields, seed=seed, java=True, **options), "chess") for seed in (1, 2, 3)]
    assert found == pytest.approx(MOA[ensemble], abs=5e-6)


@pytest.mark.parametrize(("name", "oza", "smooth"), [("chess", 75.3479, 67.3956), ("keystroke", 87.8750, 74.0000)])
def test_boosters_are_moas(name: str, oza: float, smooth: float) -> None:
    assert accuracy(naive.NaiveOzaBoost(nominal(name), seed=1, java=True), name) == pytest.approx(oza, abs=5e-5)
    assert accuracy(naive.NaiveOnlineSmoothBoost(nominal(name)), name) == pytest.approx(smooth, abs=5e-5)
