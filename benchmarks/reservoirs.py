"""Reservoirs: what balancing each unit by itself gains over tuning one balance for all, and where other networks win.

Every figure is the mean over `--seeds` networks, each with series of its own, and what follows ± is the standard
deviation between them. A network that is tuned has, for each task, the best of the settings tried *on the figures
shown*: the comparison favours it. A network that adapts does so once, on 4,000 random inputs, and the same network then
does all tasks with one input. Tables come out as Markdown.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 200 columns: threads would wait for one another

import argparse
import functools
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
from streamlearn.algorithms.reservoirs import NVAR, EchoStateReservoir, EIReservoir, Reservoir, tasks
from streamlearn.connectors.generators import NARMA, InputDrift, Lorenz, MackeyGlass

import streamlearn as sl

TASKS = ("memory", "NARMA-10", "Mackey-Glass")
DELAYS = 60
TRAIN = 3000
BALANCES = (0.1, 0.0, -0.15, -0.3, -0.45, -0.6, -0.8, -1.0, -1.2)
REGIME = (0.5, 0.35, 0.2, 0.1, 0.0, -0.1, -0.2, -0.3, -0.45, -0.6, -0.8, -1.0, -1.5, -2.0, -3.0)
SCALES = (0.05, 0.1, 0.2, 0.3)
HOMOGENEOUS = ((0.2, "match"), (0.3, 0.0), (0.4, 0.0), (0.5, 0.0))

DIVERGED = 1000.0
"""An error beyond this says nothing more."""

Make = Callable[[int], Reservoir]
"""Makes the reservoir of a seed."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for, print their tables, and keep the figures."""
    options = parse(argv)
    seeds = range(1, options.seeds + 1)
    results: dict[str, Any] = {}
    for name in options.sections:
        began = time.perf_counter()
        print(f"\n## {name}\n", flush=True)
        results[name] = SECTIONS[name](seeds, options)
        print(f"\n{name}: {options.seeds} seeds, {time.perf_counter() - began:.0f} s", flush=True)
    if options.json:
        options.json.write_text(json.dumps({**report.facts(), "results": results}, indent=1), encoding="utf-8")


# -- networks and their figures ----------------------------------------------------------------------------------------


def tuned(beta: float, scale: float, **more: Any) -> Make:
    """A network with one balance for all units."""
    return lambda seed: EIReservoir(
        n_units=200, beta=beta, input_scale=scale, adaptation="off", targets="const", seed=seed, **more
    )


def adapted(scale: float, **more: Any) -> Make:
    """A network whose units have each found their own balance, over random inputs."""

    def make(seed: int) -> Reservoir:
        reservoir = EIReservoir(n_units=200, input_scale=scale, seed=seed, **more)
        reservoir.adapt(noise(seed))
        return reservoir

    return make


def noise(seed: int, inputs: int = 1) -> np.ndarray:
    """4,000 random inputs in [-1, 1), none of them in any task."""
    return np.random.default_rng([seed, 7]).uniform(-1.0, 1.0, (4000, inputs))


@functools.cache
def series(stream: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a task, for training and test."""
    return tasks.series_of(stream, tasks.WASHOUT + TRAIN + 1000, seen=tasks.WASHOUT + TRAIN)


def error(reservoir: Reservoir, stream: str) -> float:
    """The held-out NRMSE on a stream."""
    U, y = series(stream)
    return tasks.nrmse(y[-1000:], tasks.held_out(reservoir, U, y[:, None], train=TRAIN)[:, 0])


def three(reservoir: Reservoir, seed: int) -> list[float]:
    """Memory capacity, NRMSE on NARMA-10, NRMSE 20 steps ahead on Mackey-Glass."""
    return [
        tasks.memory_capacity(reservoir, delays=DELAYS, train=TRAIN, seed=seed),
        error(reservoir, f"narma:order=10,seed={seed}"),
        error(reservoir, f"mackey_glass:horizon=20,seed={seed}"),
    ]


def figures(make: Make, seeds: Iterable[int]) -> np.ndarray:
    """`three` of each seed, float64 [seeds, 3]."""
    return np.array([three(make(seed), seed) for seed in seeds])


def best_of(candidates: np.ndarray) -> np.ndarray:
    """For each task the number of the best of the candidates, float64 [candidates, seeds, 3], by its mean."""
    means = candidates.mean(axis=1)
    return np.array([means[:, 0].argmax(), means[:, 1].argmin(), means[:, 2].argmin()])


def best_figures(candidates: np.ndarray) -> np.ndarray:
    """The figures of the candidate that is best for each task, float64 [seeds, 3]."""
    return np.stack([candidates[at, :, task] for task, at in enumerate(best_of(candidates))], axis=1)


# -- tables ------------------------------------------------------------------------------------------------------------


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings), flush=True)
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def shown(values: np.ndarray) -> str:
    """Mean ± standard deviation."""
    if not np.isfinite(values).all() or values.mean() > DIVERGED:
        return "diverges"
    digits = 1 if values.mean() >= 5 else 3 if values.mean() >= 0.1 else 4
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) if len(values) > 1 else 0.0:.{digits}f}"


def change(new: np.ndarray, old: np.ndarray, more_is_better: bool) -> str:
    """How much the mean changes, and for how many of the seeds it is the better one."""
    wins = int((new > old).sum() if more_is_better else (new < old).sum())
    return f"{100 * (new.mean() / old.mean() - 1):+.0f} % ({wins} of {len(new)})"


# -- sections ----------------------------------------------------------------------------------------------------------


def regime(seeds: range, options: argparse.Namespace) -> Any:
    """The three figures over the global balance, all units with as many synapses."""
    betas = REGIME[::3] if options.quick else REGIME
    found = np.array(
        [
            figures(
                lambda seed, beta=beta: EIReservoir(
                    n_units=300, k=50, connectivity="fixed", c=10.0, beta=beta, adaptation="off", seed=seed
                ),
                seeds,
            )
            for beta in betas
        ]
    )
    table(
        ["β", "memory capacity", "NARMA-10, NRMSE", "Mackey-Glass, NRMSE"],
        ([f"{beta:g}", *(shown(column) for column in row.T)] for beta, row in zip(betas, found, strict=True)),
    )
    if options.plot:
        draw_regime(options.plot, np.array(betas), found)
    return {"beta": betas, "figures": found.tolist()}


def draw_regime(path: Path, betas: np.ndarray, found: np.ndarray) -> None:
    """One panel a task: the mean over the seeds, and a band of one standard deviation."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 2.9))
    titles = ("memory capacity (more is better)", "NARMA-10, NRMSE (less is better)", "Mackey-Glass, NRMSE")
    for task, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        mean, spread = found[:, :, task].mean(axis=1), found[:, :, task].std(axis=1)
        axis.fill_between(betas, np.maximum(mean - spread, 1e-3), mean + spread, alpha=0.25, linewidth=0)
        axis.plot(betas, mean, marker="o", markersize=3)
        axis.axvline(0.0, color="0.6", linewidth=0.8, linestyle="--")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("← inhibition       β       excitation →")
        axis.spines[["top", "right"]].set_visible(False)
    axes[2].set_yscale("log")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


@functools.cache
def sweep(seeds: range, scales: tuple[float, ...], balances: tuple[float, ...]) -> dict[float, np.ndarray]:
    """Networks with one balance, for each scale of the inputs: float64 [balances, seeds, 3]."""
    return {s: np.array([figures(tuned(beta, s), seeds) for beta in balances]) for s in scales}


def settings_tried(options: argparse.Namespace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scales of the inputs, and balances."""
    return ((0.1, 0.3), (0.0, -0.3, -0.6)) if options.quick else (SCALES, BALANCES)


def balance(seeds: range, options: argparse.Namespace) -> Any:
    """Targets for each unit in one setting, against the global balance tuned per task, and against tuned targets."""
    scales, balances = settings_tried(options)
    swept = sweep(seeds, scales, balances)
    one = {s: figures(adapted(s), seeds) for s in scales}
    alike = {
        s: np.array([figures(adapted(s, targets="const", target_rate=r, theta=t), seeds) for r, t in HOMOGENEOUS])
        for s in scales
    }
    for task, name in enumerate(TASKS):
        print(f"\n{name}\n")
        rows = []
        for s in scales:
            at = best_of(swept[s])[task]
            baseline, chosen = swept[s][at, :, task], one[s][:, task]
            place = best_of(alike[s])[task]
            rate, theta = HOMOGENEOUS[place]
            tuned_rate = alike[s][place, :, task]
            rows.append(
                [
                    f"{s:g}",
                    f"{shown(baseline)} (β {balances[at]:g})",
                    shown(chosen),
                    change(chosen, baseline, task == 0),
                    f"{shown(tuned_rate)} (ρ {rate:g}{', matched' if theta == 'match' else ''})",
                    f"{100 * (chosen.mean() / tuned_rate.mean() - 1):+.0f} %",
                ]
            )
        table(
            [
                "input scale",
                "global β, tuned",
                "Beta targets",
                "gain (seeds)",
                "one target for all, tuned",
                "gap to it",
            ],
            rows,
        )
    print("\nOne setting for all tasks, against networks tuned in β and in the scale of the inputs for each\n")
    everything = np.concatenate([swept[s] for s in scales])
    names = [(s, beta) for s in scales for beta in balances]
    at = best_of(everything)
    rows = [
        ["global, tuned per task"]
        + [
            f"{shown(everything[at[task], :, task])} (s {names[at[task]][0]:g}, β {names[at[task]][1]:g})"
            for task in range(3)
        ]
    ]
    for s in scales:
        rows.append(
            [f"Beta targets, s {s:g}"]
            + [change(one[s][:, task], everything[at[task], :, task], task == 0) for task in range(3)]
        )
    table(["", *TASKS], rows)
    return {
        "scales": scales,
        "balances": balances,
        "global": {str(s): swept[s].tolist() for s in scales},
        "beta": {str(s): one[s].tolist() for s in scales},
        "homogeneous": {str(s): alike[s].tolist() for s in scales},
    }


def rules(seeds: range, options: argparse.Namespace) -> Any:
    """How a network comes to its targets: by the one-step design, by either rule, over noise or the task's inputs."""

    def designed(seed: int) -> Reservoir:
        reservoir = EIReservoir(n_units=200, seed=seed)
        reservoir.design(0.0)
        return reservoir

    def on_the_task(seed: int) -> list[float]:
        found = []
        for task, stream in enumerate((None, f"narma:order=10,seed={seed}", f"mackey_glass:horizon=20,seed={seed}")):
            reservoir = EIReservoir(n_units=200, seed=seed)
            reservoir.adapt(noise(seed) if stream is None else series(stream)[0][: tasks.WASHOUT + TRAIN])
            found.append(three(reservoir, seed)[task])
        return found

    scales, balances = settings_tried(options)
    alike = np.array([figures(tuned(beta, 0.1, connectivity="fixed"), seeds) for beta in balances])
    rows = {
        "global β, tuned per task": best_figures(sweep(seeds, scales, balances)[0.1]),
        "one-step design": figures(designed, seeds),
        "plain rule, random inputs": figures(adapted(0.1, rule="plain"), seeds),
        "gated rule, random inputs": figures(adapted(0.1), seeds),
        "gated rule, inputs of the task": np.array([on_the_task(seed) for seed in seeds]),
        "in-degree fixed: global β, tuned per task": best_figures(alike),
        "in-degree fixed: gated rule, random inputs": figures(adapted(0.1, connectivity="fixed"), seeds),
    }
    table(["at input scale 0.1", *TASKS], ([name, *(shown(c) for c in found.T)] for name, found in rows.items()))
    return {name: found.tolist() for name, found in rows.items()}


def gain(seeds: range, options: argparse.Namespace) -> Any:
    """Memory over the number of synapses, with the automatic gain and with a fixed one."""
    rows, kept = [], {}

    def capacity(make: Make) -> np.ndarray:
        return np.array([tasks.memory_capacity(make(s), delays=DELAYS, train=TRAIN, seed=s) for s in seeds])

    balances = settings_tried(options)[1]
    for k in (20, 40) if options.quick else (10, 20, 40, 100):
        swept = np.array([capacity(tuned(beta, 0.1, k=k)) for beta in balances])
        at = int(swept.mean(axis=1).argmax())
        automatic = capacity(adapted(0.1, k=k, targets="const"))
        fixed = capacity(adapted(0.1, k=k, targets="const", c=10.0))
        found = float(EIReservoir(n_units=200, k=k, targets="const").gain)
        kept[str(k)] = {"global": swept.tolist(), "automatic": automatic.tolist(), "fixed": fixed.tolist(), "c": found}
        rows.append(
            [
                str(k),
                f"{found:.1f}",
                f"{shown(swept[at])} (β {balances[at]:g})",
                shown(automatic),
                change(automatic, swept[at], True),
                shown(fixed),
            ]
        )
    table(
        ["synapses a unit", "c, automatic", "global β, tuned", "adapted to 0.5", "gain (seeds)", "adapted, c = 10"],
        rows,
    )
    return kept


class Peer:
    """reservoirpy's reservoir behind the two verbs that the tasks need."""

    def __init__(self, seed: int, scale: float, radius: float, bias: float) -> None:
        from reservoirpy.mat_gen import uniform
        from reservoirpy.nodes import Reservoir as Node

        self._node = Node(
            units=200,
            sr=radius,
            rc_connectivity=0.2,
            Win=uniform(low=-scale, high=scale),
            input_connectivity=1.0,
            bias=uniform(low=-bias, high=bias) if bias else 0.0,
            seed=seed,
        )

    def reset(self) -> None:
        if self._node.initialized:
            self._node.reset()

    def run(self, U: np.ndarray) -> np.ndarray:
        return np.asarray(self._node.run(U))


def networks(seeds: range, options: argparse.Namespace) -> Any:
    """Other reservoirs of 200 units on more tasks, each tuned per task; lower is better but where it says otherwise."""
    scales = (0.1, 0.5) if options.quick else (0.05, 0.1, 0.2, 0.5)
    tanh = list(itertools.product((0.1, 0.5), (0.99,) if options.quick else (0.9, 0.99), (0.0, 0.3)))
    kinds: dict[str, list[Callable[[int, int], Any]]] = {
        "E/I, Beta targets, s 0.2": [lambda seed, d: balanced(seed, d, 0.2)],
        "E/I, Beta targets, s tuned": [lambda seed, d, s=s: balanced(seed, d, s) for s in scales],
        "E/I, β -0.3, s tuned": [lambda seed, d, s=s: tuned(-0.3, s)(seed) for s in scales],
        "tanh, s 0.2, radius 0.9, bias 0.3": [lambda seed, d: echo(seed, 0.2, 0.9, 0.3)],
        "tanh, tuned": [lambda seed, d, s=s, r=r, b=b: echo(seed, s, r, b) for s, r, b in tanh],
    }
    if "reservoirpy" in options.peers:
        kinds["reservoirpy's tanh, tuned"] = [lambda seed, d, s=s, r=r, b=b: Peer(seed, s, r, b) for s, r, b in tanh]
    lines = (2, 8) if options.quick else (2, 4, 8, 16, 32)
    kinds["NVAR, delay tuned"] = [lambda seed, d, n=n: NVAR(delay=max(2, n // d), order=2) for n in lines]
    kept: dict[str, dict[str, Any]] = {}

    def line(name: str, inputs: int, more: bool, measure: Callable[[Any, int], float]) -> list[str]:
        cells = [name]
        kept[name] = {}
        for kind, makers in kinds.items():
            if kind.startswith("reservoirpy") and name in NEEDS_STATE:
                cells.append("–")
                continue
            found = np.array([[measure(make(seed, inputs), seed) for seed in seeds] for make in makers])
            means = np.where(np.isfinite(found), found, DIVERGED).mean(axis=1)
            kept[name][kind] = found.tolist()
            cells.append(shown(found[means.argmax() if more else means.argmin()]))
        return cells

    table(["task", *kinds], (line(name, *task) for name, task in more_tasks(options).items()))
    return kept


def echo(seed: int, scale: float, radius: float, bias: float) -> EchoStateReservoir:
    """A network of tanh units, each with 40 synapses on average."""
    return EchoStateReservoir(n_units=200, density=0.2, spectral_radius=radius, input_scale=scale, bias=bias, seed=seed)


def balanced(seed: int, inputs: int, scale: float) -> EIReservoir:
    """A network with heterogeneous targets, for tasks with so many inputs."""
    reservoir = EIReservoir(n_units=200, input_scale=scale, seed=seed)
    reservoir.adapt(noise(seed, inputs))
    return reservoir


NEEDS_STATE = ("Mackey-Glass, running free, NRMSE₈₄", "Lorenz, running free, Lyapunov times (more is better)")


def more_tasks(options: argparse.Namespace) -> dict[str, tuple[int, bool, Callable[[Any, int], float]]]:
    """For each task the number of inputs, whether more is better, and how it is measured."""

    def capacity(function: str) -> Callable[[Any, int], float]:
        return lambda r, seed: tasks.memory_capacity(r, delays=DELAYS, train=TRAIN, seed=seed, function=function)

    def on(stream: str) -> Callable[[Any, int], float]:
        return lambda r, seed: error(r, f"{stream},seed={seed}")

    chosen: dict[str, tuple[int, bool, Callable[[Any, int], float]]] = {
        "memory capacity (more is better)": (1, True, capacity("linear")),
        "of squares (Legendre 2)": (1, True, capacity("legendre2")),
        "of cubes (Legendre 3)": (1, True, capacity("legendre3")),
        "of products": (1, True, capacity("product")),
        "NARMA-10": (1, False, on("narma:order=10")),
        "NARMA-30": (1, False, on("narma:order=30")),
        "Mackey-Glass, 20 ahead": (1, False, on("mackey_glass:horizon=20")),
        NEEDS_STATE[0]: (1, False, lambda r, seed: tasks.mackey_glass_free_error(r, starts=20, seed=seed)),
        "Lorenz, z from x": (1, False, on("lorenz:task=infer")),
        NEEDS_STATE[1]: (3, True, lambda r, seed: tasks.lorenz_valid_time(r, starts=10, seed=seed)),
    }
    try:
        sl.open_stream("santa_fe").close()
    except sl.InputError:
        return chosen
    chosen["Santa Fe laser, one step"] = (
        1,
        False,
        lambda r, _: tasks.stream_error(r, "santa_fe", train=5000, test=3000),
    )
    return chosen


def drift(seeds: range, options: argparse.Namespace) -> Any:
    """Learners on streams that change half-way: recursive least squares, forgetting 0.9995, test-then-train."""
    rows = 4000 if options.quick else 16_000
    half, quarter = rows // 2, rows // 4
    stretches = {"the quarter before": (quarter, half), "500 … 2,000 rows after": (half + 500, half + 2000)}
    stretches["the last quarter"] = (rows - quarter, rows)
    kept: dict[str, dict[str, Any]] = {}
    for name, (scale, make) in drifting(half).items():
        kept[name] = {}
        lines = []
        for learner, settings in LEARNERS.items():
            found = []
            for seed in seeds:
                batch = make(seed).poll(rows)
                assert batch is not None
                assert batch.y is not None
                model = sl.EIReservoirRegressor(**{"n_units": 200, "input_scale": scale, "seed": seed, **settings})
                predictions = model.test_then_train_many(batch.X, batch.y)
                found.append([tasks.nrmse(batch.y[a:b], predictions[a:b]) for a, b in stretches.values()])
            kept[name][learner] = found
            lines.append([learner, *(shown(column) for column in np.array(found).T)])
        print(f"\n{name}\n")
        table(["", *stretches], lines)
    return kept


LEARNERS: dict[str, dict[str, Any]] = {
    "E/I, global β = -0.2": {"adaptation": "off", "options": {"beta": -0.2}},
    "E/I, adapted, then frozen": {"adaptation": "warmup"},
    "E/I, adapting on, 1e-5": {"adaptation": "online"},
    "E/I, adapting on, 1e-4": {"adaptation": "online", "options": {"online_delta": 1e-4}},
    "E/I, plain rule, then frozen": {"adaptation": "warmup", "options": {"rule": "plain"}},
    "E/I, plain rule, adapting on, 1e-5": {"adaptation": "online", "options": {"rule": "plain"}},
    "tanh, bias 0.3": {"reservoir": "tanh", "options": {"bias": 0.3}},
}


def drifting(half: int) -> dict[str, tuple[float, Callable[[int], sl.Source]]]:
    """Scales of the inputs, and streams whose inputs, or whose system, are others from the row ``half`` on."""
    at = (half,)

    def shifted(seed: int) -> sl.Source:
        return InputDrift(NARMA(seed=seed), positions=at, offset=0.375)

    return {
        "NARMA-10, inputs shifted by 2.6 standard deviations, input scale 0.1": (0.1, shifted),
        "The same, input scale 0.3": (0.3, shifted),
        "NARMA-10, inputs doubled": (0.1, lambda seed: InputDrift(NARMA(seed=seed), positions=at, gain=2.0)),
        "NARMA of order 10, then 20": (0.1, lambda seed: NARMA(then=20, positions=at, seed=seed)),
        "Mackey-Glass, 20 ahead, delay 17, then 30": (
            0.1,
            lambda seed: MackeyGlass(then=30, horizon=20, positions=at, seed=seed),
        ),
        "Lorenz, z from x, ρ 28, then 35": (
            0.1,
            lambda seed: Lorenz(task="infer", then=35.0, positions=at, seed=seed),
        ),
    }


SECTIONS: dict[str, Callable[[range, argparse.Namespace], Any]] = {
    "regime": regime,
    "balance": balance,
    "rules": rules,
    "gain": gain,
    "networks": networks,
    "drift": drift,
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), help=f"which: {', '.join(SECTIONS)}")
    parser.add_argument("--seeds", type=int, default=10, help="networks")
    parser.add_argument("--quick", action="store_true", help="few settings, two seeds: shows that it works")
    parser.add_argument("--peers", nargs="*", choices=("reservoirpy",), default=["reservoirpy"])
    parser.add_argument("--plot", type=Path, help="file for the picture of the regimes")
    parser.add_argument("--json", type=Path, help="file for all figures, with versions and command line")
    options = parser.parse_args(argv)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    if options.quick:
        options.seeds = min(options.seeds, 2)
    return options


if __name__ == "__main__":
    main()
