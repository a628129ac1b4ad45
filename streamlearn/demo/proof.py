"""Checks a demonstration's files: ``python -I proof.py FOLDER/proof.json``. It shares no code with what wrote them.

``proof.json`` names, for each partition, the files of its events in order, its predictions, those of a run over the
same events that nobody disturbed, and what the last checkpoint says of rows and accuracy.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def prove(job: dict[str, Any], folder: Path) -> bool:
    """Print what was found, a line each; whether all of it is as it should be."""
    parts = [Part(part, folder) for part in job["parts"]]
    events = [event for part in parts for event in part.events]
    answers = [answer for part in parts for answer in part.answers]
    ids = Counter(event["event_id"] for event in events)
    told = Counter(answer["id"] for answer in answers)
    right = [sum(a["prediction"] == e["target"] for a, e in zip(p.answers, p.events, strict=False)) for p in parts]
    accuracies = [count / max(len(part.events), 1) for count, part in zip(right, parts, strict=True)]

    good = [
        say(
            len(events) == job["rows"] == len(ids),
            f"{len(events):,} events, {len(ids):,} different ids, {job['rows']:,} were to be produced",
        ),
        say(
            told == ids,
            f"{len(answers):,} predictions: {total(ids - told):,} events without one, "
            f"{total(told - ids):,} predictions too many",
        ),
        say(
            all([a["id"] for a in part.answers] == [e["event_id"] for e in part.events] for part in parts),
            "predictions are in the order of their events",
        ),
        say(
            all(part.written == part.again for part in parts),
            f"{sum(map(differences, parts)):,} of {sum(len(part.written) for part in parts):,} bytes differ from those "
            "of a run that was not killed",
        ),
    ]
    for part, accuracy in zip(parts, accuracies, strict=True):
        where = "" if len(parts) == 1 else f"{part.name}: "
        good.append(
            say(
                accuracy == part.checkpoint["accuracy"] and len(part.events) == part.checkpoint["rows"],
                f"{where}accuracy {accuracy!r}, counted anew; the last checkpoint says "
                f"{part.checkpoint['accuracy']!r} after {part.checkpoint['rows']:,} rows",
            )
        )
    return all(good)


class Part:
    """What belongs to one partition."""

    def __init__(self, part: dict[str, Any], folder: Path) -> None:
        self.name = part["name"]
        self.checkpoint = part["checkpoint"]
        self.events = [event for name in part["events"] for event in documents((folder / name).read_bytes())]
        self.written = (folder / part["predictions"]).read_bytes()
        self.again = (folder / part["again"]).read_bytes()
        self.answers = documents(self.written)


def documents(text: bytes) -> list[dict[str, Any]]:
    """JSON lines, each with its end."""
    *lines, rest = text.split(b"\n")
    if rest:
        raise SystemExit(f"a file ends in a torn line: {rest[:100]!r}")
    return [json.loads(line) for line in lines]


def differences(part: Part) -> int:
    """Bytes that differ, place by place."""
    differing = sum(a != b for a, b in zip(part.written, part.again, strict=False))
    return differing + abs(len(part.written) - len(part.again))


def total(counts: Counter[str]) -> int:
    return sum(counts.values())


def say(good: bool, found: str) -> bool:
    print(f"  {'ok ' if good else 'NO '} {found}", flush=True)
    return good


if __name__ == "__main__":
    file = Path(sys.argv[1])
    sys.exit(0 if prove(json.loads(file.read_text(encoding="utf-8")), file.parent) else 1)
