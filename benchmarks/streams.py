"""The streams that all contestants are given: three synthetic ones and real ones, as arrays in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

SEA_THRESHOLD = 8.0
SEA_NOISE = 0.10
RBF_CENTROIDS = 50
LED_NOISE = 0.10
LED_IRRELEVANT = 17
LED_SEGMENTS = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)  # which of the seven segments light up for the digits 0 … 9


@dataclass(frozen=True)
class Stream:
    """Rows in stream order, described without any contestant's own types.

    Parameters
    ----------
    name
    fields
        Names of the columns.
    categories
        For each column its categories in code order, or None where it is numeric.
    classes
        Class labels in code order.
    X : float64 [n, d], C-contiguous
        Nominal columns as category codes.
    y : int64 [n]
        Class codes.
    """

    name: str
    fields: list[str]
    categories: list[list[str] | None]
    classes: list[str]
    X: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.X)

    @property
    def nominal(self) -> list[str]:
        """Names of the nominal columns."""
        return [name for name, known in zip(self.fields, self.categories, strict=True) if known is not None]

    def head(self, rows: int) -> Stream:
        """The first ``rows`` rows."""
        return Stream(self.name, self.fields, self.categories, self.classes, self.X[:rows], self.y[:rows])

    def dicts(self) -> list[tuple[dict[Hashable, Any], int]]:
        """Rows as pairs of a dict and a class code; nominal values as whole numbers."""
        columns: list[list[Any]] = []
        for column, known in zip(self.X.T, self.categories, strict=True):
            columns.append(column.tolist() if known is None else column.astype(np.int64).tolist())
        rows = zip(*columns, strict=True)
        return [(dict(zip(self.fields, row, strict=True)), y) for row, y in zip(rows, self.y.tolist(), strict=True)]

    def labelled(self) -> list[list[Any]]:
        """Columns, the target last, with the names of categories and classes in place of their codes."""
        columns: list[list[Any]] = []
        for column, known in zip(self.X.T, self.categories, strict=True):
            columns.append(column.tolist() if known is None else _names(known, column))
        return [*columns, _names(self.classes, self.y)]

    def save(self, folder: Path) -> None:
        """Write the stream to ``folder``, for `load` in another process."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "X.npy", self.X)
        np.save(folder / "y.npy", self.y)
        description = {
            "name": self.name,
            "fields": self.fields,
            "categories": self.categories,
            "classes": self.classes,
        }
        (folder / "stream.json").write_text(json.dumps(description), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Stream:
        """Read what `save` wrote."""
        description = json.loads((folder / "stream.json").read_text(encoding="utf-8"))
        return cls(**description, X=np.load(folder / "X.npy"), y=np.load(folder / "y.npy"))


def sea(rows: int, seed: int) -> Stream:
    """SEA concepts, function 1 (Street and Kim, 2001): three numbers, one of them irrelevant; Bayes accuracy 90 %."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.0, 10.0, (rows, 3))
    y = (X[:, 0] + X[:, 1] > SEA_THRESHOLD) ^ (rng.random(rows) < SEA_NOISE)
    return Stream("sea", _numbered(3), [None] * 3, ["0", "1"], X, y.astype(np.int64))


def rbf(rows: int, seed: int) -> Stream:
    """Static random radial basis functions, as MOA's RandomRBFGenerator: ten numbers, five classes, 50 centroids."""
    d, n_classes = 10, 5
    rng = np.random.default_rng(seed)
    centres = rng.random((RBF_CENTROIDS, d))
    classes = rng.integers(n_classes, size=RBF_CENTROIDS)
    spreads, weights = rng.random(RBF_CENTROIDS), rng.random(RBF_CENTROIDS)
    drawn = rng.choice(RBF_CENTROIDS, rows, p=weights / weights.sum())
    direction = rng.uniform(-1.0, 1.0, (rows, d))
    distance = rng.standard_normal(rows) * spreads[drawn] / np.linalg.norm(direction, axis=1)
    X = centres[drawn] + direction * distance[:, None]
    names = [str(label) for label in range(n_classes)]
    return Stream("rbf", _numbered(d), [None] * d, names, X, classes[drawn].astype(np.int64))


def led(rows: int, seed: int) -> Stream:
    """Seven-segment digits (Breiman et al., 1984): 24 binary nominal fields, 17 irrelevant; Bayes accuracy 74 %."""
    rng = np.random.default_rng(seed)
    digits = rng.integers(10, size=rows)
    segments = np.array([[int(bit) for bit in shape] for shape in LED_SEGMENTS])
    noisy = segments[digits] ^ (rng.random((rows, 7)) < LED_NOISE)
    X = np.hstack([noisy, rng.integers(2, size=(rows, LED_IRRELEVANT))]).astype(np.float64)
    fields = _numbered(X.shape[1])
    return Stream("led", fields, [["0", "1"] for _ in fields], [str(digit) for digit in range(10)], X, digits)


def real(name: str, rows: int, seed: int) -> Stream:
    """At most ``rows`` rows of a stream of the catalogue; only electricity is packaged (see docs/data.md)."""
    import streamlearn as sl

    return from_source(name, sl.open_stream(name), rows)


def from_source(name: str, source: Any, rows: int | None = None) -> Stream:
    """The first ``rows`` rows of one of our sources."""
    batches = list(source.batches(limit=rows))
    schema = source.schema
    categories = [[str(c) for c in f.categories] if f.kind == "nominal" else None for f in schema.fields]
    return Stream(
        name,
        [str(f.name) for f in schema.fields],
        categories,
        [str(label) for label in schema.classes],
        np.concatenate([batch.X for batch in batches]),
        np.concatenate([batch.y for batch in batches]),
    )


REAL = ("electricity", "airlines", "covertype", "kdd99_10pct", "keystroke", "outdoor", "phishing", "chess")
STREAMS: MappingProxyType[str, Callable[[int, int], Stream]] = MappingProxyType(
    {"sea": sea, "rbf": rbf, "led": led} | {name: partial(real, name) for name in REAL}
)
"""Each stream's maker, called with the number of rows and the seed."""


def _numbered(n: int) -> list[str]:
    return [f"x{i}" for i in range(n)]


def _names(known: Sequence[str], codes: np.ndarray) -> list[str]:
    return [known[code] for code in codes.astype(np.int64).tolist()]
