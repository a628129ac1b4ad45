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
    return _synthetic("sea", f"sea:seed={seed}", rows)


def rbf(rows: int, seed: int) -> Stream:
    """Static random radial basis functions, as MOA's RandomRBFGenerator: ten numbers, five classes, 50 centroids."""
    return _synthetic("rbf", f"random_rbf:n_classes=5,seed={seed}", rows)


def led(rows: int, seed: int) -> Stream:
    """Seven-segment digits (Breiman et al., 1984): 24 binary nominal fields, 17 irrelevant; Bayes accuracy 74 %."""
    return _synthetic("led", f"led:seed={seed}", rows)


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


def _synthetic(name: str, what: str, rows: int) -> Stream:
    import streamlearn as sl

    return from_source(name, sl.open_stream(what), rows)


def _names(known: Sequence[str], codes: np.ndarray) -> list[str]:
    return [known[code] for code in codes.astype(np.int64).tolist()]
