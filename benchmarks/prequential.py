"""Test-then-train speed, accuracy and memory of streamlearn, River, MOA and Vowpal Wabbit on the same rows.

Every contestant gets the same arrays, turned beforehand into the form it likes best, and runs in a process of its own,
one after the other. Times are of whole passes: test, train and measure each row. A stream written NAME.parquet is read
by streamlearn from a Parquet file, decoding included, while MOA has its rows in memory, and once more from ARFF.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import contest
import report
from contest import Entry, Standing
from peers import PEERS
from streams import STREAMS, Stream

FROM_FILE = ".parquet"
ALIASES = {"parquet": f"rbf{FROM_FILE}"}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the contest that the command line asks for."""
    options = parse(argv)
    standings: list[Standing] = []
    with tempfile.TemporaryDirectory(prefix="streamlearn-benchmark-") as temporary:
        for name in options.streams:
            stream = STREAMS[name.removesuffix(FROM_FILE)](options.rows, options.seed)
            folder = Path(temporary) / name
            stream.save(folder)
            done = run_all(entries_for(name, len(stream), options), stream, folder, options.repeat)
            standings += done
            print(report.table(name, done))
            for line in [*report.differences(name, done), report.winner(name, done, stream.y)]:
                print(f"   {line}")
            print(flush=True)
    if options.json:
        report.write_json(options.json, standings)
    if options.plot:
        report.plot(options.plot, standings)


def run_all(entries: list[Entry], stream: Stream, folder: Path, repeat: int) -> list[Standing]:
    """Write the files that the entries need, then run one after the other."""
    for write in dict.fromkeys(PEERS[entry.peer].write for entry in entries):
        if write is not None:
            write(stream, folder)
    return [contest.run(entry, folder, repeat) for entry in entries]


def entries_for(name: str, rows: int, options: argparse.Namespace) -> list[Entry]:
    """Who runs on a stream, ours first; Vowpal Wabbit brings learners of its own."""
    entries: list[Entry] = []
    from_file = name.endswith(FROM_FILE)
    for learner in options.learners:
        if from_file:
            keys = ["streamlearn-parquet", *(["moa", "moa-arff"] if "moa" in options.peers else [])]
        else:
            keys = ["streamlearn", *(key for key in ("moa", "capymoa") if key in options.peers)]
        entries += [Entry(name, key, learner, rows) for key in keys if learner in PEERS[key].learners]
        if "river" in options.peers and not from_file and learner in PEERS["river"].learners:
            entries += river_and_ours(name, learner, rows, options.river_rows)
    if "vw" in options.peers and not from_file:
        entries += [Entry(name, "vw", learner, rows) for learner in PEERS["vw"].learners]
    return entries


def river_and_ours(name: str, learner: str, rows: int, river_rows: int) -> list[Entry]:
    """River on the stream's head, and ours once more on just these rows, so that the two can be compared."""
    river = Entry(name, "river", learner, min(rows, river_rows))
    return [river] if rows <= river_rows else [Entry(name, "streamlearn", learner, river_rows), river]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a synthetic stream, at most of a real one")
    parser.add_argument("--river-rows", type=int, default=50_000, help="rows for River, which is much slower")
    known = [*STREAMS, *(f"{name}{FROM_FILE}" for name in STREAMS)]
    parser.add_argument(
        "--streams",
        type=names_of(known, ALIASES),
        default="sea,rbf,led,electricity",
        help=f"of {', '.join(STREAMS)}, NAME{FROM_FILE}; parquet stands for {ALIASES['parquet']}",
    )
    learners = PEERS["streamlearn"].learners
    parser.add_argument(
        "--learners", type=names_of(learners), default="hoeffding_tree,naive_bayes", help=f"of {', '.join(learners)}"
    )
    parser.add_argument(
        "--peers",
        type=names_of(["river", "moa", "capymoa", "vw"]),
        default="river,moa,vw",
        help="of river, moa, capymoa, vw",
    )
    parser.add_argument("--repeat", type=int, default=3, help="passes of each contestant, after its warm-up")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic streams")
    parser.add_argument("--json", type=Path, help="file for all numbers, with versions and command line")
    parser.add_argument("--plot", type=Path, help="file for a bar chart (.png, .svg, .pdf)")
    options = parser.parse_args(argv)
    for peer in options.peers:
        for package in PEERS[peer].packages:
            if importlib.util.find_spec(package) is None:
                parser.error(f"{peer} needs {package}: pip install 'streamlearn[peers]', or choose other --peers")
    return options


def names_of(known: Sequence[str], aliases: Mapping[str, str] | None = None) -> Callable[[str], list[str]]:
    """What reads a comma-separated list of known names."""

    def read(text: str) -> list[str]:
        names = [(aliases or {}).get(name, name) for name in text.split(",") if name]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"{text!r}: use one or more of {', '.join(known)}, separated by commas")
        return names

    return read


if __name__ == "__main__":
    main()
