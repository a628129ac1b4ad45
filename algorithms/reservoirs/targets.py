"""Target rates of the units, and what they ask of a network: its gain, its thresholds, its balance."""

from __future__ import annotations

import math
import warnings

import numpy as np

from streamlearn.errors import OptionError

LOWEST, HIGHEST = 0.02, 0.98
"""Target rates are cut off here: outside, a sigmoid unit hardly responds to its inputs."""
STEADY = 0.12  # mean target rates nearer to 0 or 1 make networks that fall into a second stable state
EDGE = 0.95  # radius of the random part of the linearised network that the automatic gain aims at


def draw_targets(
    rng: np.random.Generator,
    n_units: int,
    targets: str | tuple[float, ...],
    mean: float,
    concentration: float,
    sd: float,
) -> np.ndarray:
    """Target rates of the units, float64 [n_units].

    Parameters
    ----------
    rng
    n_units
    targets
        ``"const"``: all ``mean``; ``"beta"``: Beta(mean · concentration, (1 - mean) · concentration);
        ``"lognormal"``: of this mean, its logarithm with standard deviation ``sd``; or the rates themselves.
    mean, concentration, sd
    """
    if not isinstance(targets, str):
        return np.array(targets, np.float64)
    if targets == "const":
        return np.full(n_units, float(mean))
    if targets == "beta":
        drawn = rng.beta(mean * concentration, (1.0 - mean) * concentration, n_units)
    else:
        drawn = rng.lognormal(math.log(mean) - 0.5 * sd * sd, sd, n_units)
    return np.clip(drawn, LOWEST, HIGHEST)


def auto_gain(target: np.ndarray, k_excitatory: float, k_inhibitory: float, theta: float | str) -> float:
    """The steepness c at which the random part of the linearised network has the radius 0.95.

    The radius is c ρ(1 - ρ) sqrt(1.04 (1 / k_E + (1 - beta)² / k_I)), at the balance that targets and thresholds imply:
    0 for matched thresholds, else beta = (θ + logit(ρ) / c) / ρ, which makes this a quadratic equation in c.
    """
    mean = float(target.mean())
    wanted = (EDGE / (mean * (1.0 - mean))) ** 2 / 1.04
    share, offset = 1.0, 0.0  # (1 - beta) c = share · c + offset
    if not isinstance(theta, str):
        share, offset = 1.0 - theta / mean, -float(logit(target).mean()) / mean
    A = 1.0 / k_excitatory + share * share / k_inhibitory
    B = share * offset / k_inhibitory
    C = offset * offset / k_inhibitory - wanted
    if C >= 0.0:  # no c is small enough: such targets can't be reached in any case
        return math.sqrt(wanted / A)
    return (math.sqrt(B * B - A * C) - B) / A


def matched_threshold(target: np.ndarray, gain: float) -> np.ndarray:
    """The thresholds at which units have their targets when excitation and inhibition cancel: beta = 0."""
    return -logit(target) / gain


def implied_balance(target: np.ndarray, threshold: np.ndarray, gain: float) -> float:
    """The global balance that target rates imply: beta(ρ) = (θ + logit(ρ) / c) / ρ, on average over the units."""
    return float(np.mean(threshold + logit(target) / gain) / target.mean())


def outlier(target: np.ndarray, threshold: np.ndarray, gain: float) -> float:
    """The eigenvalue of the linearised network that belongs to all units moving together: c ρ(1 - ρ) beta(ρ)."""
    return float(gain * np.mean(target * (1.0 - target)) * implied_balance(target, threshold, gain))


def check_reachable(target: np.ndarray, threshold: np.ndarray, gain: float) -> None:
    """Refuse targets that the network can't hold, and warn of those that it may lose.

    Raises
    ------
    OptionError
        The message says which way the network would leave its targets, and what to change.
    """
    value = outlier(target, threshold, gain)
    if -1.0 <= value <= 1.0:
        if not STEADY <= target.mean() <= 1.0 - STEADY:
            warnings.warn(
                f"with a mean target rate of {target.mean():.3g} units are so steep that the network may leave its "
                f"targets for another stable state: keep the mean within {STEADY} … {1.0 - STEADY}",
                stacklevel=4,
            )
        return
    becomes = "all units oscillate together" if value < -1.0 else "all units saturate together"
    raise OptionError(
        f"targets with the mean {target.mean():.3g} can't be reached with theta of mean {threshold.mean():.3g} and "
        f"c={gain:.3g}: the network would need the balance beta = {implied_balance(target, threshold, gain):.2f}, at "
        f"which {becomes} (their eigenvalue is {value:.2f}, outside -1 … 1). Use theta='match', or "
        f"{'higher' if value < -1.0 else 'lower'} target rates"
    )


def logit(rate: np.ndarray) -> np.ndarray:
    """The inverse of the sigmoid."""
    return np.log(rate / (1.0 - rate))
