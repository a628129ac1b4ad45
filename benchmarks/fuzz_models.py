"""Open thousands of damaged and hostile model files: each must be refused with a clear error, or load and work.

A trained model of every registered learner is saved and then damaged: at random (bits flipped, bytes cut, inserted,
zeroed, blocks exchanged), or by edits of the manifest and the arrays after which the checksum is computed anew. One
worker process opens file after file, and uses whatever it could load; it is started again where it died.

Exit status 1 if a file crashed or hung the worker, or raised anything but an error of streamlearn's own.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.damage import damage
from fuzz.worker import Task, Verdict, serve

GIB = 1 << 30
SECONDS_TO_START = 900.0  # kernels with bounds checks are compiled anew
TRAINING_ROWS = 3000
COLOURS = ("red", "green", "blue", "grey")
REASONS = 40  # that are listed
VARIABLE = r"'[^']*'|\"[^\"]*\"|0x\w+|-?\d[\d.,e+]*|\[.*\]|\{.*\}|(?<=manifest: ).*(?=codec)|(?<=codec).*|\(.*\)"
BAD = ("error", "crashed", "hung")


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz, print the counts, and say whether anything went wrong."""
    options = parse(argv)
    with tempfile.TemporaryDirectory(prefix="streamlearn-fuzz-") as temporary:
        folder = Path(temporary)
        if options.bounds_check:  # read by Numba when the worker imports it; such code must not mix with the usual
            os.environ |= {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder / "compiled")}
        originals = train(options.learners, folder)
        print(f"models: {', '.join(f'{name} ({len(data):,} bytes)' for name, data in originals.items())}", flush=True)
        start = time.perf_counter()
        with Worker(originals, folder) as worker:
            print(f"worker ready after {time.perf_counter() - start:.0f} s", flush=True)
            tally = fuzz(originals, worker, folder, options)
    tally.show()
    return 1 if any(tally.outcomes[outcome] for outcome in BAD) else 0


# -- the models --------------------------------------------------------------------------------------------------------


def train(names: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Bytes of the model file of each learner, trained on rows with numbers, categories and gaps."""
    import streamlearn as sl

    rows, labels, values = training_rows()
    originals = {}
    for name in names:
        spec = "standard_scaler | logistic_regression" if name == "chain" else name
        learner: Any = sl.make_learner(spec)
        learner.learn_many(rows, {"classification": labels, "regression": values}.get(learner.task))
        learner.save(folder / "model")
        originals[name] = (folder / "model").read_bytes()
    return originals


def training_rows() -> tuple[list[dict[str, Any]], list[str], np.ndarray]:
    """Rows with clear rules, so that a tree splits on numbers and on categories; their labels, and their values."""
    rng = np.random.default_rng(0)
    size, length = rng.normal(size=(2, TRAINING_ROWS))
    colour = rng.integers(4, size=TRAINING_ROWS)
    gap = rng.random(TRAINING_ROWS) < 0.05
    rows = [
        {"size": s, "length": None if missing else t, "colour": COLOURS[c]}
        for s, t, c, missing in zip(size.tolist(), length.tolist(), colour.tolist(), gap.tolist(), strict=True)
    ]
    classes = np.where(colour == 2, 2, np.where(size > 0.0, 1, 0))
    return rows, [f"class {c}" for c in classes.tolist()], size + 2.0 * length + colour


# -- the worker, seen from outside -------------------------------------------------------------------------------------


class Worker:
    """The process that opens the files, started again when it is gone."""

    def __init__(self, originals: dict[str, bytes], folder: Path) -> None:
        self._originals, self._log = originals, folder / "faults"
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._originals, GIB, self._log), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(SECONDS_TO_START):
            self._process.kill()
            raise RuntimeError(f"the worker was not ready after {SECONDS_TO_START:.0f} s")
        self._connection.recv()

    def ask(self, task: Task, seconds: float) -> Verdict:
        """What the worker says of a file, or what the file did to the worker."""
        self._connection.send(task)
        try:
            if self._connection.poll(seconds):
                verdict: Verdict = self._connection.recv()
                return verdict
            verdict = Verdict("hung", f"no answer within {seconds:g} s")
        except (EOFError, ConnectionError):
            self._process.join()
            trace = self._log.read_text(encoding="utf-8")
            verdict = Verdict("crashed", f"exit code {self._process.exitcode}\n{trace}")
        self._process.kill()
        self._process.join()
        self._start()
        return verdict

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.join()


# -- the loop ----------------------------------------------------------------------------------------------------------


def fuzz(originals: dict[str, bytes], worker: Worker, folder: Path, options: argparse.Namespace) -> Tally:
    """Damage and open file after file; file ``i`` depends on the seed and on ``i`` only."""
    tally, names, path = Tally(), list(originals), folder / "damaged"
    for i in range(options.first, options.first + options.files):
        rng = np.random.default_rng([options.seed, i])
        model = names[i % len(names)]
        kind, data = damage(originals[model], rng)
        path.write_bytes(data)
        verdict = worker.ask(Task(model, path, (options.seed, i)), options.seconds)
        if kind.startswith("random") and verdict.outcome == "accepted":
            verdict = Verdict("error", "random damage went unnoticed: the model differs from the one that was saved")
        tally.add(kind, verdict)
        if verdict.outcome in BAD:
            print(f"file {i}: {model}, {kind}: {verdict.outcome}\n{verdict.reason}", flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{i}-{model}-{verdict.outcome}").write_bytes(data)
    return tally


class Tally:
    """Counts of what happened."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._by_kind: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, kind: str, verdict: Verdict) -> None:
        """Count a verdict; numbers, names and values are taken out of reasons, so that like falls to like."""
        self.outcomes[verdict.outcome] += 1
        self._by_kind[kind, verdict.outcome] += 1
        if verdict.outcome == "refused":
            self._reasons[re.sub(VARIABLE, "…", verdict.reason)[:100]] += 1

    def show(self) -> None:
        """Print the counts and the reasons, the most frequent first."""
        outcomes = ("refused", "identical", "accepted", *BAD)
        print(f"\n{'damage':<22}" + "".join(f"{outcome:>10}" for outcome in outcomes))
        for kind in sorted({kind for kind, _ in self._by_kind}):
            print(f"{kind:<22}" + "".join(f"{self._by_kind[kind, outcome]:>10,}" for outcome in outcomes))
        print(f"{'all':<22}" + "".join(f"{self.outcomes[outcome]:>10,}" for outcome in outcomes))
        print("\nwhy files were refused:")
        for reason, count in self._reasons.most_common(REASONS):
            print(f"{count:>8,}  {reason}")
        rest = list(self._reasons.values())
        if len(rest) > REASONS:
            others = sum(rest) - sum(count for _, count in self._reasons.most_common(REASONS))
            print(f"{others:>8,}  {len(rest) - REASONS} rarer reasons")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    from streamlearn import registry

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = registry.names("learners")
    parser.add_argument("--files", type=int, default=10_000, help="files to open (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (default: 0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to look at one again")
    parser.add_argument("--learners", nargs="+", choices=known, default=known, help="only models of these learners")
    parser.add_argument("--seconds", type=float, default=5.0, help="time limit per file (default: 5)")
    parser.add_argument("--keep", type=Path, help="folder for the files that crashed, hung or raised other errors")
    parser.add_argument(
        "--bounds-check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compile kernels so that any access outside an array raises (default), or as they are for users",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
