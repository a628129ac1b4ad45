"""Draws how an excitatory-inhibitory reservoir stands: rates, balance, eigenvalues, and rates in time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from streamlearn.evaluation.plot import COLOURS, GREY, check_plotting, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .ei_reservoir import Diagnostics, EIReservoir

MOST_UNITS = 2000  # of which all eigenvalues are found: that takes the cube of their number
MOST_STEPS = 1000  # in the picture of rates in time


def plot_reservoir(reservoir: EIReservoir, path: str | os.PathLike[str], U: Any = None) -> None:
    """See `EIReservoir.plot`."""
    check_plotting(path)
    found = reservoir.diagnostics()
    drawn = figure((11.0, 8.0))
    rates, balance, eigenvalues, time = drawn.subplots(2, 2).ravel()
    _draw_rates(rates, found)
    _draw_balance(balance, found, reservoir.implied_beta)
    _draw_eigenvalues(eigenvalues, reservoir, found)
    _draw_time(time, reservoir, U)
    for axes in (rates, balance, eigenvalues, time):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#9aa0a6")
        axes.tick_params(colors="#3c4043", labelsize=10)
    save(drawn, path)


def _titled(axes: Axes, title: str, subtitle: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=20)
    axes.annotate(
        subtitle, (0, 1), xytext=(0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=GREY
    )
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)


def _draw_rates(axes: Axes, found: Diagnostics) -> None:
    bins = np.linspace(0.0, 1.0, 41).tolist()
    axes.hist(found.rates, bins, color=COLOURS[0], alpha=0.75, label="mean rates")
    axes.hist(found.targets, bins, color=COLOURS[1], histtype="step", linewidth=1.8, label="targets")
    axes.legend(frameon=False, fontsize=9.5)
    told = f"off by {found.mean_abs_error:.4f} on average · {found.n_silent} silent, {found.n_saturated} saturated"
    _titled(axes, "Rates", told, "Mean rate", "Units")


def _draw_balance(axes: Axes, found: Diagnostics, implied: float) -> None:
    axes.hist(found.beta[np.isfinite(found.beta)], 40, color=COLOURS[0], alpha=0.75)
    axes.axvline(found.beta_eff, color=COLOURS[1], linewidth=1.8, label="whole network")
    axes.axvline(implied, color="#000000", linewidth=1.2, linestyle=(0, (2, 2)), label="implied by the targets")
    axes.legend(frameon=False, fontsize=9.5)
    told = f"network {found.beta_eff:.3f}, implied by the targets {implied:.3f}"
    _titled(axes, "Balance of each unit", told, "β = 1 - inhibition / excitation", "Units")


def _draw_eigenvalues(axes: Axes, reservoir: EIReservoir, found: Diagnostics) -> None:
    told = f"linearised at the mean rates: spectral radius {found.spectral_radius:.3f}"
    _titled(axes, "Eigenvalues", told, "Real", "Imaginary")
    if reservoir.n_units > MOST_UNITS:
        axes.text(0.5, 0.5, f"not found for over {MOST_UNITS:,} units", ha="center", transform=axes.transAxes)
        return
    slopes = reservoir.gain * found.rates * (1.0 - found.rates)
    step = (1.0 - reservoir.leak) * np.eye(reservoir.n_units) + reservoir.leak * slopes[:, None] * reservoir.weights()
    values = np.linalg.eigvals(step)
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    axes.plot(np.cos(angle), np.sin(angle), color="#9aa0a6", linewidth=1.0)
    axes.plot(values.real, values.imag, "o", color=COLOURS[0], markersize=2.5, alpha=0.7)
    axes.set_aspect("equal", "datalim")


def _draw_time(axes: Axes, reservoir: EIReservoir, U: Any) -> None:
    if U is None:
        _titled(axes, "Rates in time", "no inputs were given", "Step", "Rate")
        return
    states = reservoir.copy().run(U)[:MOST_STEPS]
    steps = np.arange(len(states))
    for share, colour in ((0.05, COLOURS[5]), (0.25, COLOURS[0])):
        low, high = np.quantile(states, [share, 1.0 - share], axis=1)
        axes.fill_between(steps, low, high, color=colour, alpha=0.35, linewidth=0)
    axes.plot(steps, states.mean(axis=1), color="#000000", linewidth=1.0)
    axes.set_ylim(0.0, 1.0)
    _titled(axes, "Rates in time", "line: mean · bands: half, and nine tenths, of the units", "Step", "Rate")
