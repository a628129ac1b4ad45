"""How many states a second do reservoirs in lock-step give: compiled, on torch's CPU, on a GPU?

Every backend runs the same networks over the same inputs, in turns, and the best of its rounds counts. A state is one
step of one member. States stay where they were computed, and are compared with the compiled ones afterwards. It needs
numpy, numba and this package; torch and a GPU take part where there are any.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from streamlearn.algorithms.reservoirs import BatchedReservoir, EIReservoir

Row = dict[str, Any]


def backends(threads: int) -> dict[str, dict[str, Any]]:
    """What there is here, by the name that the table shows."""
    found: dict[str, dict[str, Any]] = {"numba": {"backend": "numba", "threads": threads}}
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(threads)
    found["torch cpu"] = {"backend": "torch", "device": "cpu"}
    if torch.cuda.is_available():
        found["torch cuda"] = {"backend": "torch", "device": "cuda"}
    return found


def finished(states: Any) -> Any:
    """The states, once they are all there: work on a GPU returns before it is done."""
    if not isinstance(states, np.ndarray) and states.device.type == "cuda":
        import torch

        torch.cuda.synchronize()
    return states


def networks(n_units: int, k: int, batch: int, own: bool, dtype: str) -> Any:
    """One network for all keys, or one for each variant."""
    made = []
    for seed in range(batch if own else 1):
        network = EIReservoir(n_units=n_units, k=min(k, n_units), seed=seed, dtype=dtype)
        network.design(0.0)
        made.append(network)
    return made if own else made[0]


def measure(members: Any, options: dict[str, dict[str, Any]], U: np.ndarray, rounds: int) -> dict[str, Row]:
    """States a second of each backend, and how far its states are from the compiled ones."""
    steps, batch, _ = U.shape
    runs: dict[str, Callable[[], Any]] = {}
    for name, chosen in options.items():
        batched = BatchedReservoir(members, None if isinstance(members, list) else batch, **chosen)
        runs[name] = lambda batched=batched: finished(batched.run_on_device(U))
    first = {name: np.asarray(run() if name == "numba" else run().cpu()) for name, run in runs.items()}
    rows = {
        name: {"states_per_s": 0.0, "difference": float(np.abs(first[name] - first["numba"]).max())} for name in runs
    }
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            speed = steps * batch / (time.perf_counter() - started)
            rows[name]["states_per_s"] = max(rows[name]["states_per_s"], speed)
    return rows


def machine() -> str:
    """What the figures were measured on."""
    words = [f"Python {platform.python_version()}", f"numpy {np.__version__}"]
    try:
        import torch

        words.append(f"torch {torch.__version__}")
        if torch.cuda.is_available():
            words.append(torch.cuda.get_device_name())
    except ImportError:
        words.append("no torch")
    return ", ".join(words)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[200, 500, 1000, 2000])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 256, 1024])
    parser.add_argument("--k", type=int, default=50, help="synapses of a unit")
    parser.add_argument("--own", action="store_true", help="variants with their own weights, not keys over shared ones")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--states", type=int, default=20_000, help="steps times members of a round, at least 64 steps")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of numba and of torch on the CPU")
    parser.add_argument("--seconds", type=float, default=600.0, help="no case begins after that")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()

    started, results = time.perf_counter(), []
    found = backends(options.threads)
    print(machine(), f"· {options.dtype}, k = {options.k}, {'own' if options.own else 'shared'} weights", flush=True)
    print(
        f"{'units':>6} {'batch':>6} " + " ".join(f"{name:>24}" for name in found) + "   in states a second", flush=True
    )
    for n_units in options.units:
        for batch in options.batch:
            if time.perf_counter() - started > options.seconds:
                continue
            steps = max(64, options.states // batch)
            U = np.random.default_rng(0).uniform(-1.0, 1.0, (steps, batch, 1))
            members = networks(n_units, options.k, batch, options.own, options.dtype)
            rows = measure(members, found, U, options.rounds)
            cells = [f"{row['states_per_s']:>14,.0f} (±{row['difference']:.0e})" for row in rows.values()]
            print(f"{n_units:>6} {batch:>6} " + " ".join(f"{cell:>24}" for cell in cells), flush=True)
            results += [{"units": n_units, "batch": batch, "backend": name, **row} for name, row in rows.items()]
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
