"""Compare our learners with MOA's own results on real streams, digit by digit: exit status 1 on any difference.

Learners that draw random numbers draw others than MOA's: MOA's accuracy must lie in the range of a few seeds, give or
take some points.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REFERENCE = Path(__file__).with_name("moa_reference.json")
DECIMALS = {"accuracy": 4, "kappa": 2, "kappa_t": 2, "kappa_m": 2}


class Comparison(NamedTuple):
    """One number of MOA's and ours, both as they are printed."""

    file: str
    learner: str
    measure: str
    moa: str
    ours: str

    @property
    def equal(self) -> bool:
        """Whether every printed digit agrees."""
        return self.moa == self.ours


def main(argv: Sequence[str] | None = None) -> int:
    """Run all files, print the table, and say how many numbers differ."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    options = parse(argv, list(reference["files"]), [*reference["learners"], *reference["seeded"]])
    missing = [str(path) for name in options.files if not (path := options.data / f"{name}.parquet").is_file()]
    if missing:
        print(f"not found: {', '.join(missing)}; give the folder that holds them with --data", file=sys.stderr)
        return 2
    print(f"MOA: {reference['source']}\n")
    print(line("file", "learner", "measure", "MOA", "ours", "equal?"))
    different = total = 0
    for name in options.files:
        start = time.perf_counter()
        exact = [learner for learner in options.learners if learner in reference["learners"]]
        expected = {learner: reference["files"][name][learner] for learner in exact}
        calls = {learner: reference["learners"][learner]["ours"] for learner in exact}
        for row in compare(options.data / f"{name}.parquet", calls, expected):
            print(line(*row, "yes" if row.equal else "NO"))
            total += 1
            different += not row.equal
        for learner in set(options.learners) & set(reference["seeded"]):
            made = reference["seeded"][learner]
            path = options.data / f"{name}.parquet"
            moa, ours = made["accuracy"][name], accuracies(path, [made["ours"].format(seed=s) for s in made["seeds"]])
            near = min(ours) - made["points"] <= float(moa) <= max(ours) + made["points"]
            found = f"{min(ours):.2f} to {max(ours):.2f}"
            print(line(name, learner, "accuracy", moa, found, "near" if near else "NO"))
            total += 1
            different += not near
        print(f"{name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    print(f"\n{total - different} of {total} numbers equal MOA's, or are near it if random; {different} differ")
    return 1 if different else 0


def line(*cells: str) -> str:
    """One line of the table."""
    widths = (12, 24, 9, 17, 17, 6)
    return "  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip()


def compare(path: Path, calls: dict[str, str], expected: dict[str, dict[str, str]]) -> Iterator[Comparison]:
    """Take the learners over a file, in one pass, and set each number beside the expected one."""
    import streamlearn as sl

    learners = {label: sl.make_learner(call) for label, call in calls.items()}
    result = sl.evaluate(path, learners, target="target", metrics=list(DECIMALS))
    for entry in result.summary:
        learner = entry["learner"]
        for measure, moa in expected[learner].items():
            tree = tree_of(learners[learner]) if measure in ("tree", "leaves") else ""
            ours = {"tree": tree, "leaves": tree.partition(" / ")[2]}.get(measure)
            ours = ours if ours is not None else percent(entry[measure], DECIMALS[measure])
            yield Comparison(path.stem, learner, measure, moa, ours)


def accuracies(path: Path, calls: list[str]) -> list[float]:
    """Take the learners over a file; their accuracies in percent."""
    import streamlearn as sl

    learners = {call: sl.make_learner(call) for call in calls}
    summary = sl.evaluate(path, learners, target="target", metrics=["accuracy"]).summary
    return [100.0 * entry["accuracy"] for entry in summary]


def percent(value: float, decimals: int) -> str:
    """A fraction in percent, as MOA's table prints it."""
    return f"{100.0 * value:.{decimals}f}"


def tree_of(learner: Any) -> str:
    """Nodes, leaves and depth of a tree."""
    return f"{learner.n_nodes} / {learner.n_leaves} / {learner.height}"


def parse(argv: Sequence[str] | None, files: list[str], learners: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with the Parquet files, such as airlines.parquet"
    )
    parser.add_argument("--files", nargs="+", choices=files, default=files, help="only these files")
    parser.add_argument("--learners", nargs="+", choices=learners, default=learners, help="only these learners")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
