"""What one step of one reservoir costs, beside reservoirpy's, in one run; readouts are not in it.

Each reservoir has the same number of units and synapses and runs over the same inputs. Rounds alternate, and the best
of each counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import streamlearn as sl

Run = Callable[[np.ndarray], Any]


def contestants(n_units: int, k: int) -> dict[str, Run]:
    """The runs to time, by the name that the table shows."""
    size = {"n_units": n_units}
    found: dict[str, Run] = {
        "EIReservoir": sl.EIReservoir(**size, k=k).run,
        "EIReservoir, float32": sl.EIReservoir(**size, k=k, dtype="float32").run,
        "EIReservoir, adapting online": sl.EIReservoir(**size, k=k, adaptation="online").run,
        "EchoStateReservoir": sl.EchoStateReservoir(**size, density=k / n_units).run,
    }
    try:
        import reservoirpy
        from reservoirpy.nodes import Reservoir
    except ImportError:
        return found
    found[f"reservoirpy {reservoirpy.__version__}"] = Reservoir(
        units=n_units, sr=0.9, rc_connectivity=k / n_units, input_connectivity=0.3, seed=1
    ).run
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("--k", type=int, default=50, help="synapses of a unit")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    U = np.random.default_rng(0).uniform(-1.0, 1.0, (options.steps, 1))
    for n_units in options.units:
        runs = contestants(n_units, min(options.k, n_units))
        best = dict.fromkeys(runs, float("inf"))
        for run in runs.values():
            run(U[:10])  # compiles
        for _ in range(options.rounds):
            for name, run in runs.items():
                started = time.perf_counter()
                run(U)
                best[name] = min(best[name], time.perf_counter() - started)
        for name, seconds in best.items():
            print(f"{n_units:>6} units  {name:<30} {options.steps / seconds:>10,.0f} steps/s", flush=True)


if __name__ == "__main__":
    main()
