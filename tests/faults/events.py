"""Streams of JSON events for killing pipelines on: unpleasant, and the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from .verifier import Input

FIELDS = {"f0": "numeric", "f1": "numeric", "f2": "numeric", "f3": "numeric", "colour": "nominal"}
TARGET = "class"
_BAD = [b"{not json", b"[1, 2]", b'{"f0": "many", "class": "no"}', b'{"f0": 1.0, "f1": {"deep": 1}}', b"\xff\xfe", b"7"]


def events(n: int, seed: int) -> Iterator[bytes]:
    """Records, one in a hundred of them no event; categories and a class that come late; labels and values missing."""
    choose = random.Random(seed)
    for i in range(n):
        if choose.random() < 0.01:
            yield choose.choice(_BAD)
            continue
        x = {
            name: round(choose.gauss(0, 1), choose.choice([0, 3, 12]))
            for name, kind in FIELDS.items()
            if kind == "numeric"
        }
        late = i > n // 3
        colour = choose.choice(["red", "green", "blue", *(["grey", "black"] if late else [])])
        score = x["f0"] + (x["f1"] if not late else -x["f1"]) + (colour == "red")
        label = "high" if score > 1 else "low" if score < -1 or not late else "middle"
        record = {"event_id": i, **x, "colour": colour, TARGET: label, "customer": f"c{choose.randrange(40)}"}
        for name in ("f2", "colour", TARGET):
            if choose.random() < 0.03:
                record[name] = None
        if choose.random() < 0.02:
            del record["f3"]
        yield json.dumps(record).encode()


def inputs(records: Iterator[bytes], origin: str, partition: str = "0") -> list[Input]:
    """The records as the verifier takes them."""
    return [Input(partition, f"{origin}-{row}", value) for row, value in enumerate(records)]
