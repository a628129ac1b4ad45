"""A reservoir whose readout learns online by recursive least squares, row by row, beside reservoirpy's, in one run.

Every contestant sees the same series, has the same number of units, and forgets at the same rate. Rounds alternate, and
the best of each counts. Errors are those of predictions made before the label was learned, over the second half.
reservoirpy's ``partial_fit`` returns what its readout says after it learned the label, so its own error is shown by the
three calls that predict first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import streamlearn as sl

FORGETTING = 0.999
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


def narma(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """NARMA-10 in its textbook form."""
    u, y = rng.uniform(0.0, 0.5, n), np.zeros(n + 1)
    for t in range(9, n):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return u, y[1:]


def mackey_glass(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mackey-Glass, tau = 17, and its value 20 steps later."""
    x = list(1.2 + 0.1 * rng.standard_normal(171))
    for _ in range(10 * (n + 320)):
        now, then = x[-1], 0.2 * x[-171] / (1.0 + x[-171] ** 10)
        k1 = then - 0.1 * now
        k2 = then - 0.1 * (now + 0.05 * k1)
        k3 = then - 0.1 * (now + 0.05 * k2)
        k4 = then - 0.1 * (now + 0.1 * k3)
        x.append(now + (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 60.0)
    series = np.array(x[171::10])[300:]
    return series[:n], series[20 : n + 20]


def recall(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers, and what they were 15 rows before: plain memory."""
    u = rng.uniform(-1.0, 1.0, n)
    return u, np.concatenate([np.zeros(15), u[:-15]])


TASKS = {"NARMA-10": narma, "Mackey-Glass, 20 ahead": mackey_glass, "recall, 15 back": recall}


def ours(n_units: int, k: int, reservoir: str, *, one_by_one: bool) -> Run:
    """A learner of ours, by rows or by batches, which give the same numbers."""
    options = {"k": k} if reservoir == "ei" else {"density": k / n_units, "spectral_radius": 0.9}

    def run(U: np.ndarray, y: np.ndarray) -> np.ndarray:
        model = sl.EIReservoirRegressor(
            reservoir=reservoir, n_units=n_units, options=options, forgetting=FORGETTING, seed=1
        )
        if not one_by_one:
            return model.test_then_train_many(U, y)
        predicted = []
        for x, target in zip(U[:, 0].tolist(), y.tolist(), strict=True):
            row = {"u": x}
            predicted.append(model.predict_one(row))
            model.learn_one(row, target)
        return np.array(predicted)

    return run


def theirs(n_units: int, k: int, *, predict_first: bool) -> Run:
    """reservoirpy's network and readout: one call a row, or the three that predict before they learn."""
    from reservoirpy.nodes import RLS, Reservoir

    def run(U: np.ndarray, y: np.ndarray) -> np.ndarray:
        # Inputs are standardised, so that neither side depends on their units.
        U, Y = (U - U.mean()) / U.std(), y[:, None]
        reservoir = Reservoir(
            units=n_units,
            lr=1.0,
            sr=0.9,
            rc_connectivity=k / n_units,
            input_scaling=0.1,
            input_connectivity=1.0,
            seed=1,
        )
        readout = RLS(alpha=1e-5, forgetting=FORGETTING)
        predicted = np.empty(len(U))
        if predict_first:
            reservoir.initialize(U[:1])
            readout.initialize(np.zeros((1, n_units)), Y[:1])
            for i in range(len(U)):
                state = reservoir.step(U[i])
                predicted[i] = readout.step(state)[0]
                readout.partial_fit(state[None], Y[i : i + 1])
        else:
            model = reservoir >> readout
            for i in range(len(U)):
                predicted[i] = model.partial_fit(U[i : i + 1], Y[i : i + 1]).ravel()[0]
        return predicted

    return run


def contestants(n_units: int, k: int) -> dict[str, tuple[Run, bool]]:
    """The runs to time, by name, and whether their predictions are made before the label is learned."""
    found: dict[str, tuple[Run, bool]] = {
        "EIReservoirRegressor": (ours(n_units, k, "ei", one_by_one=False), True),
        "EIReservoirRegressor, a call a row": (ours(n_units, k, "ei", one_by_one=True), True),
        "the same with reservoir='tanh'": (ours(n_units, k, "tanh", one_by_one=False), True),
    }
    try:
        import reservoirpy
    except ImportError:
        print("reservoirpy is not installed: our side alone")
        return found
    reservoirpy.verbosity(0) if hasattr(reservoirpy, "verbosity") else None
    name = f"reservoirpy {reservoirpy.__version__}"
    found[f"{name}, partial_fit"] = (theirs(n_units, k, predict_first=False), False)
    found[f"{name}, predicts first"] = (theirs(n_units, k, predict_first=True), True)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--k", type=int, default=50, help="synapses of a unit")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="rounds on the first task; the others have one")
    parser.add_argument("--cpu", action="store_true", help="count processor time, for a machine that is busy")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    runs = contestants(options.units, options.k)
    times: dict[str, float] = dict.fromkeys(runs, float("inf"))
    errors: dict[str, list[str]] = {name: [] for name in runs}
    for number, task in enumerate(TASKS.values()):
        u, y = task(options.rows, np.random.default_rng(0))
        U: Any = u[:, None]
        if number == 0:
            for run, _ in runs.values():
                run(U[:400], y[:400])  # compiles
        for _ in range(options.rounds if number == 0 else 1):
            for name, (run, before) in runs.items():
                started = clock()
                predicted = run(U, y)
                times[name] = min(times[name], clock() - started)
                half = slice(len(y) // 2, None)
                error = float(np.sqrt(np.mean((predicted[half] - y[half]) ** 2) / np.var(y[half])))
                shown = f"{error:.4f}" if before else "-"
                errors[name] = [*errors[name][:number], shown]
    least = min((options.rows / t for name, t in times.items() if name.startswith("reservoirpy")), default=float("nan"))
    print(f"{options.units} units, {options.rows} rows; NRMSE of {', '.join(TASKS)}")
    for name, seconds in times.items():
        speed = options.rows / seconds
        print(f"{name:<36} {speed:>9,.0f} rows/s {speed / least:>7.1f}x   {'   '.join(errors[name])}", flush=True)


if __name__ == "__main__":
    main()
