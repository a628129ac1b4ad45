"""What decoding a JSON record costs, and encoding a prediction: ours and what people write by hand, in one process.

Everyone who decodes fills a matrix of numbers and lists of ids and labels, a call's worth of records at a time; only
"msgspec alone" stops at its structs, as the ceiling. Contestants take turns, a call each, so that whatever slows the
machine down slows all; times are of the processor, and the best round counts.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import report
from pyarrow import json as arrow_json
from streamlearn.connectors.formats import JsonFormat

from streamlearn.format import Roles
from streamlearn.records import Records
from streamlearn.runtime.outputs import Answers, Predictions

FIELDS = [f"f{i}" for i in range(10)]
LABELS = ["DOWN", "UP"]
ROLES = Roles(target="class", id="event_id")

Work = Callable[[int, int], Any]


def events(rows: int, seed: int) -> list[bytes]:
    """JSON records with ten numbers, an id and a label, of some 168 bytes."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, len(FIELDS))).round(5).tolist()
    labels = random.integers(0, 2, rows).tolist()
    return [
        orjson.dumps({"event_id": f"e{i}", **dict(zip(FIELDS, x, strict=True)), "class": LABELS[label]})
        for i, (x, label) in enumerate(zip(numbers, labels, strict=True))
    ]


def decoders(values: list[bytes]) -> dict[str, Work]:
    """The contestants, each a function of the first and the last record of a call."""
    format, names = JsonFormat(), itemgetter(*FIELDS)
    first = Records("events-0", "events-0", np.arange(1), 1, values[:1])
    schema = format.infer(first, ROLES)
    members = [(name, float) for name in FIELDS]
    struct = msgspec.defstruct("Event", [*members, ("event_id", str), ("label", str, msgspec.field(name="class"))])
    decode = msgspec.json.Decoder(struct).decode
    types = pa.schema([*((name, pa.float64()) for name in FIELDS), ("event_id", pa.string()), ("class", pa.string())])

    def ours(start: int, stop: int) -> Any:
        return format.decode(
            Records("events-0", "events-0", np.arange(start, stop), stop, values[start:stop]), schema, ROLES
        )

    def msgspec_alone(start: int, stop: int) -> Any:
        return [decode(value) for value in values[start:stop]]

    def by_dicts(loads: Callable[[bytes], Any]) -> Work:
        def work(start: int, stop: int) -> Any:
            documents = [loads(value) for value in values[start:stop]]
            X = np.array([names(document) for document in documents])
            return X, [d["event_id"] for d in documents], [d["class"] for d in documents]

        return work

    def arrow(start: int, stop: int) -> Any:
        lines = io.BytesIO(b"\n".join(values[start:stop]))
        table = arrow_json.read_json(
            lines,
            arrow_json.ReadOptions(use_threads=False, block_size=1 << 24),
            arrow_json.ParseOptions(explicit_schema=types, unexpected_field_behavior="error"),
        )
        X = np.column_stack([table.column(name).to_numpy() for name in FIELDS])
        return X, table.column("event_id"), table.column("class")

    def river(start: int, stop: int) -> Any:
        pairs = []
        for value in values[start:stop]:
            x = json.loads(value)
            x.pop("event_id")
            y = x.pop("class")
            pairs.append((x, y))  # what learn_one takes: no matrix
        return pairs

    return {
        "streamlearn": ours,
        "msgspec alone": msgspec_alone,
        "msgspec, dicts": by_dicts(msgspec.json.Decoder().decode),
        "orjson, dicts": by_dicts(orjson.loads),
        "Arrow's reader": arrow,
        "json, for River": river,
    }


def encoders(rows: int, seed: int) -> dict[str, Work]:
    """The same for predictions of two classes."""
    random = np.random.default_rng(seed)
    matrix = random.dirichlet([1.0, 1.0], rows)
    codes = matrix.argmax(1)
    ids = [f"events-0-{i}" for i in range(rows)]
    names = pa.array([f"e{i}" for i in range(rows)])

    def ours(start: int, stop: int) -> Any:
        answers = Answers(codes[start:stop], matrix[start:stop])
        predictions = Predictions(ids[start:stop], answers, LABELS, id=names[start:stop], model_version="1")
        return predictions.messages()

    def by_dicts(dumps: Callable[[Any], Any]) -> Work:
        def work(start: int, stop: int) -> Any:
            columns = (
                ids[start:stop],
                names[start:stop].to_pylist(),
                codes[start:stop].tolist(),
                matrix[start:stop].tolist(),
            )
            return [
                dumps(
                    {
                        "prediction_id": record,
                        "id": id,
                        "prediction": LABELS[code],
                        "probabilities": dict(zip(LABELS, row, strict=True)),
                        "model_version": "1",
                    }
                )
                for record, id, code, row in zip(*columns, strict=True)
            ]

        return work

    return {
        "streamlearn": ours,
        "orjson, dicts": by_dicts(orjson.dumps),
        "json, dicts": by_dicts(lambda value: json.dumps(value).encode()),
    }


def race(contestants: dict[str, Work], rows: int, at_once: int, rounds: int) -> dict[str, float]:
    """Microseconds per record of each contestant's best round."""
    best = dict.fromkeys(contestants, float("inf"))
    turns = np.random.default_rng(0)  # nobody always follows the same one, whose memory is in the caches
    for _ in range(rounds):
        spent = dict.fromkeys(contestants, 0.0)
        for start in range(0, rows, at_once):
            stop = min(start + at_once, rows)
            for name in turns.permutation(list(contestants)).tolist():
                work = contestants[name]
                begun = time.process_time()
                work(start, stop)
                spent[name] += time.process_time() - begun
        best = {name: min(best[name], 1e6 * spent[name] / rows) for name in contestants}
    return best


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parse(argv)
    values = events(options.rows, options.seed)
    results = []
    for at_once in options.at_once:
        size = sum(map(len, values)) / len(values)
        tasks = {
            f"decode JSON of {size:.0f} bytes": decoders(values),
            "encode predictions": encoders(options.rows, options.seed),
        }
        for task, contestants in tasks.items():
            print(f"== {task}, {at_once:,} records a call")
            print(f"{'':<18} {'µs a record':>12} {'records/s':>12}  streamlearn is")
            micros = race(contestants, options.rows, at_once, options.rounds)
            for name, each in micros.items():
                ratio = "" if name == "streamlearn" else f"{each / micros['streamlearn']:.2f}× as fast"
                print(f"{name:<18} {each:>12.2f} {1e6 / each:>12,.0f}  {ratio}".rstrip())
                results.append({"task": task, "at_once": at_once, "contestant": name, "us": each})
    if options.json:
        options.json.write_text(json.dumps({**report.facts(), "results": results}, indent=1), encoding="utf-8")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="records")
    parser.add_argument("--at-once", type=int, nargs="+", default=[100, 1000], help="records a call")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the numbers, with versions and command line")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
