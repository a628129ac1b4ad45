"""Exactly once through a real Kafka, while workers and brokers are killed, frozen, stopped and started again.

    KAFKA_HOME=… python benchmarks/exactly_once.py             # a subset in which every two values meet
    KAFKA_HOME=… python benchmarks/exactly_once.py --all       # all cells
    KAFKA_HOME=… python benchmarks/exactly_once.py --cell 7 --seed 3

What a cell is, and what is verified, is told in tests/faults/kafka_matrix.py. Results go to the file named by
``--out``, a JSON line a cell; the exit status is 1 if one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from streamlearn.testing import Broker

sys.path.append(str(Path(__file__).parents[1]))

from tests.faults.kafka_matrix import cells, covering, run


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that brokers and workers are ended, too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=os.environ.get("KAFKA_HOME"), help="a folder of Kafka's jars")
    parser.add_argument("--all", action="store_true", help="all cells, not a subset of pairs")
    parser.add_argument("--cell", type=int, action="append", help="only this one, by its number; repeatable")
    parser.add_argument("--most", type=int, help="stop after so many cells")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("exactly_once.jsonl"))
    parser.add_argument("--keep", type=Path, help="keep the folders of cells that fail, here")
    given = parser.parse_args()
    if given.home is None:
        parser.error("name a folder of Kafka's jars: --home, or KAFKA_HOME")
    everything = cells()
    chosen = everything if given.all else covering(everything, 2, given.seed)
    if given.cell:
        chosen = [everything[number] for number in given.cell]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, Broker(given.home, Path(folder) / "kafka") as broker:
        for cell in chosen[: given.most]:
            number = everything.index(cell)
            place = Path(folder) / f"cell-{number}"
            place.mkdir()
            outcome = run(cell, number, given.seed, broker, place)
            outcomes.append(outcome)
            with given.out.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            print(
                f"{'ok  ' if outcome.ok else 'FAIL'} cell {number:3} ({cell}): {outcome.rows:,} rows, "
                f"{outcome.faults} faults, {outcome.kills} kills, {outcome.seconds:.0f} s, "
                f"back after {outcome.recovery:.1f} s",
                flush=True,
            )
            if not outcome.ok:
                for ended in outcome.ended_by_themselves:
                    print(f"  {ended}", flush=True)
                if outcome.markers_skipped:
                    print(f"  the broker skipped markers of {outcome.markers_skipped} transactions (KAFKA-20734)")
                print(f"  {outcome.findings}\n  again: --cell {number} --seed {given.seed}", flush=True)
                if given.keep:
                    shutil.copytree(place, given.keep / place.name, dirs_exist_ok=True)
            shutil.rmtree(place)
    bad = [outcome for outcome in outcomes if not outcome.ok]
    print(f"{len(outcomes)} cells, {sum(o.kills for o in outcomes)} kills, {len(bad)} failed")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
