"""Draws the synapses of reservoirs: who sends to whom, with which weight; every draw in a fixed order from one seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEAST_INHIBITORY = 2  # inhibitory synapses of every unit: the local rule balances a unit by these alone
SPREAD = 0.2  # standard deviation of weights, as a share of their mean


class Wiring(NamedTuple):
    """Synapses by receiver, the excitatory ones of each receiver first; see `RecurrentArrays` for the arrays."""

    start: np.ndarray
    inhibitory: np.ndarray
    sender: np.ndarray
    weight: np.ndarray


def rng_of(seed: int, part: int) -> np.random.Generator:
    """The generator for one part of what a seed decides, independent of the others."""
    return np.random.default_rng([seed % 2**64, part])


def draw_balanced(
    rng: np.random.Generator, n_units: int, n_excitatory: int, k: int, connectivity: str, beta: float
) -> Wiring:
    """Draw a network of excitatory and inhibitory units in which a unit's weights have one sign (Dale's law).

    Parameters
    ----------
    rng
    n_units, n_excitatory
        The first ``n_excitatory`` units are excitatory, the others inhibitory.
    k
        Mean number of synapses that a unit receives.
    connectivity
        ``"er"``: each pair of units is joined with the same probability (Erdős and Rényi), but each unit gets at least
        two inhibitory synapses; ``"fixed"``: each unit has exactly ``k``.
    beta
        Global balance: mean inhibitory in-strength = (1 - beta) · mean excitatory in-strength, which is 1.
    """
    n_inhibitory = n_units - n_excitatory
    if connectivity == "er":
        excitatory = rng.binomial(n_excitatory, k / n_units, n_units)
        inhibitory = np.maximum(rng.binomial(n_inhibitory, k / n_units, n_units), LEAST_INHIBITORY)
        mean_excitatory = k * n_excitatory / n_units
    else:
        of_each = round(k * n_excitatory / n_units)
        excitatory, inhibitory = np.full(n_units, of_each), np.full(n_units, k - of_each)
        mean_excitatory = of_each
    start = np.concatenate([[0], np.cumsum(excitatory + inhibitory)])
    border = start[:-1] + excitatory
    sender, weight = np.empty(start[-1], np.uint32), np.empty(start[-1])
    for i in range(n_units):
        sender[start[i] : border[i]] = _senders(rng, n_excitatory, excitatory[i])
        sender[border[i] : start[i + 1]] = n_excitatory + _senders(rng, n_inhibitory, inhibitory[i])
    from_excitatory = sender < n_excitatory
    strength = np.where(from_excitatory, 1.0 / mean_excitatory, (1.0 - beta) / inhibitory.mean())
    weight = np.maximum(strength * (1.0 + SPREAD * rng.standard_normal(len(sender))), 0.0)
    return Wiring(start, border, sender, np.where(from_excitatory, weight, -weight))


def draw_sparse(rng: np.random.Generator, n_units: int, density: float) -> Wiring:
    """Draw a network without populations: each pair is joined with probability ``density``, weights are normal."""
    synapses = rng.binomial(n_units, density, n_units)
    start = np.concatenate([[0], np.cumsum(synapses)])
    sender = np.empty(start[-1], np.uint32)
    for i in range(n_units):
        sender[start[i] : start[i + 1]] = _senders(rng, n_units, synapses[i])
    return Wiring(start, start[1:].copy(), sender, rng.standard_normal(len(sender)))


def draw_receivers(rng: np.random.Generator, n_units: int, share: float) -> np.ndarray:
    """Draw the units that get inputs, uint32 [M], sorted; at least one."""
    return _senders(rng, n_units, max(1, round(share * n_units))).astype(np.uint32)


def _senders(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    return np.sort(rng.choice(n, count, replace=False, shuffle=False))
