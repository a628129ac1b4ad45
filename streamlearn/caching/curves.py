"""The picture of a simulation: the miss ratio of each policy over the size of the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..evaluation.plot import GREY, check_plotting, colours_of, figure, head, plain, save

if TYPE_CHECKING:
    from .simulate import Simulation


def plot_miss_ratios(simulation: Simulation, path: str | os.PathLike[str]) -> None:
    """Draw miss ratios (see `Simulation.plot`)."""
    from .simulate import OPT

    check_plotting(path)
    drawn = figure((9.0, 5.0))
    axes = drawn.subplots()
    colours = colours_of([policy for policy in simulation.policies if policy != OPT])
    for policy in simulation.policies:
        runs = simulation.of(policy)
        axes.plot(
            [run.size for run in runs],
            [run.miss_ratio for run in runs],
            color=colours.get(policy, GREY),
            linestyle="--" if policy == OPT else "-",
            linewidth=1.6,
            marker="o",
            markersize=4,
            label=plain(policy),
        )
    if len(simulation.sizes) > 1:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(simulation.sizes, [f"{size:,}" for size in simulation.sizes])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("Pages in the cache", fontsize=10)
    axes.set_ylabel("Miss ratio", fontsize=10)
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    known = "; dashed: the least that is possible" if OPT in simulation.policies else ""
    head(axes, plain(simulation.trace), f"{simulation.requests:,} requests of {simulation.keys:,} keys{known}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    save(drawn, path)
