"""One cell of the benchmark: a learner on a stream with a seed; what identifies it, and its file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__, registry
from ..datasets import find
from ..errors import InputError, StateError, StreamlearnError
from ..evaluation.result import Result
from . import fingerprint
from .lineup import Entry, Stream

FORMAT = "streamlearn-cell/1"
METRICS = ("accuracy", "kappa", "kappa_m", "kappa_t")
LONG, MIDDLING = 250_000, 25_000


class Measure(NamedTuple):
    """How a stream of a given length is measured.

    Parameters
    ----------
    every
        Rows between two points of the curves: 5,000 as in the paper, less on short streams.
    window
        Rows of the window.
    """

    every: int
    window: int

    @classmethod
    def of(cls, rows: int) -> Measure:
        """The measure that suits so many rows."""
        every = 5000 if rows >= LONG else 500 if rows >= MIDDLING else 50
        return cls(every, max(every, 500))


@dataclass(frozen=True)
class Cell:
    """A learner on a stream with a seed.

    Parameters
    ----------
    stream, entry
    seed
        Of the learner, and of the stream if it is generated.
    rows
        How many rows at most; None for the whole stream.
    """

    stream: Stream
    entry: Entry
    seed: int
    rows: int | None

    @property
    def length(self) -> int:
        """Rows that are gone through."""
        return self.stream.length(self.rows)

    @property
    def spec(self) -> str:
        """What the stream is made of."""
        return self.stream.spec(self.seed, self.rows)

    @property
    def measure(self) -> Measure:
        """How it is measured."""
        return Measure.of(self.length)

    @cached_property
    def about(self) -> dict[str, Any]:
        """All that its numbers depend on."""
        return {
            **self.identity,
            "measure": list(self.measure),
            "metrics": list(METRICS),
            "version": __version__,
            "code": self.code,
        }

    @property
    def identity(self) -> dict[str, Any]:
        """What was asked for, whatever code answers it; a file is known by its name, wherever it lies."""
        return {
            "stream": identity_of(self.stream, self.seed, self.rows),
            "learner": self.entry.call,
            "seed": self.seed,
            "rows": self.rows,
        }

    @cached_property
    def code(self) -> dict[str, str]:
        """Digests of the learner's code, and of the generator's or the file."""
        if self.stream.generated:
            source = fingerprint.of_generator(registry.load("streams", registry.parse_call(self.stream.what)[0]))
        else:
            path = find(self.stream.what)
            status = path.stat()
            source = fingerprint.of_file(path, status.st_size, status.st_mtime_ns)
        return {"learner": self.learner_code, "stream": source}

    @property
    def learner_code(self) -> str:
        """Digest of the learner's code."""
        return fingerprint.of_learner(self.entry.learner)

    @property
    def file_name(self) -> str:
        """A name that tells people what it is, and by its digest all that matters."""
        digest = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode()).hexdigest()[:12]
        parts = (self.stream.name, self.entry.label, f"seed{self.seed}", digest)
        return "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", part)[:50] for part in parts) + ".json"


@dataclass(frozen=True)
class Finished:
    """A cell that has been run.

    Parameters
    ----------
    stream
    label, spec
        Of the learner, as the line-up had it when it was run.
    about
        See `Cell.about`.
    result
        Of one run.
    seconds
        For making the rows, predicting, learning and measuring, without compilation.
    machine
        Where it was run: processor, cores, jobs beside it.
    """

    stream: Stream
    label: str
    spec: str
    about: Mapping[str, Any]
    result: Result
    seconds: float
    machine: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        """Over the whole stream."""
        return self.result.runs[0].cumulative["accuracy"]

    def write(self, path: Path) -> None:
        """Write it whole or not at all, and make sure that it is on the disk."""
        document = {
            "format": FORMAT,
            "stream": {"name": self.stream.name, "what": self.stream.what, "generated": self.stream.generated},
            "label": self.label,
            "spec": self.spec,
            "about": dict(self.about),
            "seconds": self.seconds,
            "machine": dict(self.machine),
            "result": json.loads(self.result.to_json()),
        }
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)

    @classmethod
    def read(cls, path: Path) -> Finished:
        """Read what `write` wrote.

        Raises
        ------
        StateError
            If it is something else.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise StateError(f"its format is {document['format']!r}, not {FORMAT!r}")
            result = Result.from_json(json.dumps(document["result"]))
            if len(result.runs) != 1 or not set(METRICS) <= set(result.metrics):
                raise StateError("it is not one run with the benchmark's metrics")
            about = document["about"]
            if not {"stream", "learner", "seed", "rows", "version", "code"} <= set(about):
                raise StateError("it does not say what it is about")
            return cls(
                Stream(**document["stream"]),
                str(document["label"]),
                str(document["spec"]),
                about,
                result,
                float(document["seconds"]),
                dict(document["machine"]),
            )
        except (OSError, KeyError, TypeError, ValueError, StateError) as error:
            raise StateError(f"{path} is no cell of a benchmark: {error}; delete it to have it run again") from error


def identity_of(stream: Stream, seed: int, rows: int | None) -> str:
    """What sets a stream apart from others of its name: how it is generated, or the name of its file."""
    return stream.spec(seed, rows) if stream.generated else Path(stream.what).name


def is_current(done: Finished) -> bool:
    """Whether the code that ran a cell, and its data, are those that are here now."""
    try:
        entry = Entry(done.label, done.spec)
    except StreamlearnError:
        return False
    cell = Cell(done.stream, entry, done.about["seed"], done.about["rows"])
    if done.about["version"] != __version__ or done.about["learner"] != entry.call:
        return False
    try:
        return cell.code == done.about["code"]
    except InputError:  # the data are elsewhere: who only looks at results need not have them
        return cell.learner_code == done.about["code"]["learner"]


def slim(result: Result, peak_bytes: int | None) -> Result:
    """A result without what a cell need not keep, and with the memory that this cell took at its peak."""
    return replace(
        result,
        runs=[replace(run, class_curve=None, peak_rss_bytes=peak_bytes or run.peak_rss_bytes) for run in result.runs],
    )
