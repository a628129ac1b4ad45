"""The drift benchmark on MOA's own streams: the very generators from which the DriftMoE paper's figures came.

    python benchmarks/drift.py --streams-in FOLDER --out moa_drift --learner HT --learner HAT

`streamlearn bench drift` generates its streams itself; they are drawn from the same distributions, but the models of
random radial basis functions are others, and so are their figures. Here MOA writes the streams to Parquet files, once;
the rest is the same benchmark. Needs the extra ``peers``, and Java.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import streamlearn as sl
from streamlearn.benchmark import drift
from streamlearn.benchmark.lineup import REAL
from streamlearn.writing import write_stream

ABRUPT, GRADUAL = ((249_975, 499_975, 749_975), 50), ((225_000, 475_000, 725_000), 50_000)
LED = [f"generators.LEDGeneratorDrift -i {{s}} -n 10 -d {d}" for d in (1, 3, 5, 7)]
SEA = [f"generators.SEAGenerator -i {{s}} -f {f}" for f in (1, 2, 4, 1)]
RBF = "generators.RandomRBFGeneratorDrift -i {{s}} -r {{s}} -k 50 -c {c} -s {v}"


def main() -> None:
    """Write the streams that aren't there yet, and run the benchmark on them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--streams-in", type=Path, required=True, help="folder for MOA's streams")
    parser.add_argument("--stream-seed", type=int, default=1, help="of MOA's generators")
    parser.add_argument("--stream", action="append", help="one of them, or a real one; repeatable; default: all")
    parser.add_argument("--learner", action="append", default=[], help="as in 'streamlearn bench drift'; repeatable")
    parser.add_argument("--out", type=Path, default=Path("moa_drift"))
    parser.add_argument("--seeds", type=int, default=1, help="of the learners")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--rows", type=int, help="rows of each stream at most")
    options = parser.parse_args()
    streams = moa_streams(options.stream_seed)
    wanted = options.stream or [*streams, *REAL]
    options.streams_in.mkdir(parents=True, exist_ok=True)
    paths = {name: options.streams_in / f"moa_{name}_seed{options.stream_seed}.parquet" for name in streams}
    for name in wanted:
        if name in streams and not paths[name].exists():
            print(f"MOA writes {name}", flush=True)
            write(name, *streams[name], paths[name])
    board = drift(
        options.out,
        streams=[f"{name}={paths[name]}" if name in streams else name for name in wanted],
        learners=options.learner,
        seeds=options.seeds,
        jobs=options.jobs,
        rows=options.rows,
        progress=True,
    )
    print(board)
    for file in board.write(options.out):
        print(f"wrote {file}")


def moa_streams(seed: int) -> dict[str, tuple[str, tuple[sl.Drift, ...]]]:
    """MOA's words for each stream, and its drifts."""
    found = {
        "led_a": concepts(LED, *ABRUPT),
        "led_g": concepts(LED, *GRADUAL),
        "sea_a": concepts(SEA, *ABRUPT),
        "sea_g": concepts(SEA, *GRADUAL),
        "rbf_m": (RBF.format(c=2, v=0.0001), ()),
        "rbf_f": (RBF.format(c=2, v=0.001), ()),
        "rbf_m5": (RBF.format(c=5, v=0.0001), ()),
        "rbf_f5": (RBF.format(c=5, v=0.001), ()),
    }
    return {name: (cli.format(s=seed), drifts) for name, (cli, drifts) in found.items()}


def concepts(parts: list[str], positions: tuple[int, ...], width: int) -> tuple[str, tuple[sl.Drift, ...]]:
    """One concept behind the other, nested at the left as the paper's code does it."""
    cli = parts[0]
    for part, position in zip(parts[1:], positions, strict=True):
        cli = f"ConceptDriftStream -s ({cli}) -d ({part}) -w {width} -p {position} -r 1"
    return cli, tuple(sl.Drift(position, width if width > 50 else 0) for position in positions)


def write(name: str, cli: str, drifts: tuple[sl.Drift, ...], path: Path, rows: int = 1_000_000) -> None:
    """Draw rows from MOA's stream into a Parquet file."""
    import capymoa  # noqa: F401 - starts Java with MOA's classes
    import jpype
    from moa.options import ClassOption

    stream = ClassOption.cliStringToObject(cli, jpype.java.lang.Class.forName("moa.streams.InstanceStream"), None)
    stream.prepareForUse()
    header = stream.getHeader()
    fields = [field_of(header.attribute(i)) for i in range(header.numAttributes() - 1)]
    target = header.classAttribute()
    classes = [str(target.value(i)) for i in range(target.numValues())]
    table = np.array([stream.nextInstance().getData().toDoubleArray() for _ in range(rows)])
    schema = sl.Schema(fields, target="target", target_kind="nominal", classes=classes)
    labels = np.array(classes, object)[table[:, -1].astype(np.int64)]
    source = sl.open_stream((np.ascontiguousarray(table[:, :-1]), labels), schema=schema)
    source.name, source.drifts = name, drifts
    write_stream(source, path)


def field_of(attribute: Any) -> sl.Field:
    """One of MOA's attributes as a field."""
    if not attribute.isNominal():
        return sl.Field(str(attribute.name()), "numeric")
    return sl.Field(str(attribute.name()), "nominal", [str(attribute.value(i)) for i in range(attribute.numValues())])


if __name__ == "__main__":
    main()
