"""Where the demonstration's events and predictions are: files in a folder, or topics of a Kafka."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Protocol

from .topics import Topics


class Place(Protocol):
    """Events, and predictions of two runs: ``demo``, which is killed, and ``again``, which is not."""

    source: str
    """The pipeline file's source, in YAML."""
    sink: str
    """Its sink."""
    produce: list[str]
    """Options of ``streamlearn produce`` that lead here."""
    again: list[str]
    """Settings that keep the second run's source and sink apart from the first's."""

    def open(self, folder: Path) -> None:
        """Make what must be there before anybody starts."""

    def parts(self, folder: Path) -> list[dict[str, Any]]:
        """For each partition its name and its files in the folder, for the proof."""

    def close(self) -> None:
        """Remove what was made outside the folder."""


class Files:
    """A folder of JSON lines as a topic, and a file of predictions."""

    def __init__(self) -> None:
        self.source = "{type: file, path: events, follow: true}"
        self.sink = "{type: file, path: predictions.jsonl}"
        self.produce = ["--to", "events"]
        self.again = ["sink.path=again.jsonl"]

    def open(self, folder: Path) -> None:
        (folder / "events").mkdir()

    def parts(self, folder: Path) -> list[dict[str, Any]]:
        events = sorted(str(path.relative_to(folder)) for path in (folder / "events").iterdir())
        return [{"name": "events", "events": events, "predictions": "predictions.jsonl", "again": "again.jsonl"}]

    def close(self) -> None:
        pass


class Kafka:
    """Topics of two partitions each; records in committed transactions count."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        name = f"streamlearn-demo-{secrets.token_hex(4)}"
        self._group = name
        self._events, self._first, self._second = f"{name}-events", f"{name}-predictions", f"{name}-again"
        self._topics = Topics(bootstrap)
        self.source = f'{{type: kafka, bootstrap: "{bootstrap}", topics: [{self._events}], group: {self._group}}}'
        self.sink = f'{{type: kafka, bootstrap: "{bootstrap}", topic: {self._first}}}'
        self.produce = ["--to", f"kafka://{bootstrap}/{self._events}", "--partitions", str(Topics.PARTITIONS)]
        self.again = [f"source.group={self._group}-again", f"sink.topic={self._second}"]

    def open(self, folder: Path) -> None:
        self._topics.create([self._events, self._first, self._second])

    def parts(self, folder: Path) -> list[dict[str, Any]]:
        found = []
        for number in range(Topics.PARTITIONS):
            files = {}
            for name, topic in (("events", self._events), ("predictions", self._first), ("again", self._second)):
                files[name] = f"{name}-{number}.jsonl"
                self._topics.dump(topic, number, folder / files[name])
            found.append({"name": f"{self._events}-{number}", **files, "events": [files["events"]]})
        return found

    def close(self) -> None:
        self._topics.delete([self._events, self._first, self._second])
