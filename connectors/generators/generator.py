"""The base of all generators: row n of a synthetic stream depends on the parameters, the seed and n alone."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from streamlearn import registry
from streamlearn.batch import Batch
from streamlearn.compiled import inlined
from streamlearn.parameters import check_range
from streamlearn.random import generator
from streamlearn.schema import Field, Schema
from streamlearn.source import ROWS_PER_BATCH, Source, checked_position

MAX_SEED = 2**64 - 1
MAX_ROWS = 2**53
ANY_CLASS = -1


class Generator(Source):
    """Base of the synthetic streams.

    A generator is a class with parameters and one kernel, which `_fill` calls. The kernel gives every row a random
    generator of its own, seeded by the stream's key and the row's number (`streamlearn.random.restart`): so the rows
    don't depend on how they are cut into batches, and any row is reached at once.

    Parameters
    ----------
    schema
        Fields and target, as MOA declares them.
    seed
        Of the rows; 0 … 2**64 - 1.
    rows
        Where the stream ends; None for one that doesn't.
    """

    def __init__(self, schema: Schema, *, seed: int, rows: int | None) -> None:
        check_range("seed", seed, 0, MAX_SEED, kind=int)
        if rows is not None:
            check_range("rows", rows, 0, MAX_ROWS, kind=int)
        self.name = registry.snake_case(type(self).__name__)
        self.schema = schema
        self.seed, self.rows = seed, rows
        self.bounded = rows is not None
        self._key = key(seed)
        self._next = 0

    @abstractmethod
    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        """Write the rows ``first … first + n - 1`` into ``X``, float64 [n, d], and ``y``, int64 or float64 [n]."""

    def __repr__(self) -> str:
        return call_of(self)

    def poll(self, max_rows: int = ROWS_PER_BATCH, timeout: float = 0.0) -> Batch | None:
        n = max_rows if self.rows is None else min(max_rows, self.rows - self._next)
        if n <= 0:
            return None
        X = np.empty((n, len(self.schema.fields)))
        y = np.empty(n, np.int64 if self.schema.target_kind == "nominal" else np.float64)
        self._fill(self._next, X, y)
        self._next += n
        return Batch(self.schema, X, y, position=self.position())

    def position(self) -> dict[str, int]:
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        self._next = checked_position(position, self.rows)


def call_of(source: Source) -> str:
    """The call that made a source; it keeps each parameter as an attribute of that name, perhaps behind a ``_``."""
    kept = vars(source)
    parts = []
    for name, parameter in inspect.signature(type(source)).parameters.items():
        value = kept[name] if name in kept else kept[f"_{name}"]
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            parts.append(repr(value))
        elif value != parameter.default:
            parts.append(f"{name}={value!r}")
    return f"{type(source).__name__}({', '.join(parts)})"


def rewind(source: Source) -> Source:
    """The source, at its start: what is built on it counts rows from there."""
    if source.position() != {"row": 0}:
        source.seek({"row": 0})
    return source


def key(seed: int, stream: int = 0) -> np.uint64:
    """What a stream's random numbers are keyed by: near seeds have keys that are far apart."""
    return np.uint64(generator(seed, stream)[0])


def numbered(prefix: str, n: int, first: int = 1) -> list[str]:
    """Names such as ``att1 … att10``, as MOA gives them."""
    return [f"{prefix}{number}" for number in range(first, first + n)]


def schema_of(fields: Sequence[Field | str], classes: Sequence[str] | None) -> Schema:
    """A schema whose target is called ``class``, or ``target`` where it is a number; plain names are numeric fields."""
    whole = [field if isinstance(field, Field) else Field(field) for field in fields]
    if classes is None:
        return Schema(whole, target="target", target_kind="numeric")
    return Schema(whole, target="class", classes=classes)


@inlined
def wanted_class(balanced: bool, row: int) -> int:
    """The class that a row must have: any, or in balanced streams 1 and 0 in turns, as in MOA."""
    return 1 - row % 2 if balanced else ANY_CLASS
