"""One schema for two sources of the same fields whose categories or classes may be listed differently."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from streamlearn.batch import Batch
from streamlearn.errors import SchemaError
from streamlearn.schema import Field, Schema


def common_schema(first: Schema, second: Schema) -> Schema:
    """The fields and the target that both have; categories and classes are the first's, then what the second adds.

    Raises
    ------
    SchemaError
        If names or kinds differ; the message names the field.
    """
    for position, (mine, other) in enumerate(zip(first.fields, second.fields, strict=False)):
        if (mine.name, mine.kind) != (other.name, other.kind):
            raise SchemaError(
                f"field {position}: one source has {mine.name!r} ({mine.kind}), the other {other.name!r} ({other.kind})"
            )
    if len(first.fields) != len(second.fields):
        raise SchemaError(f"one source has {len(first.fields)} fields, the other {len(second.fields)}")
    if (first.target, first.target_kind) != (second.target, second.target_kind):
        raise SchemaError(
            f"one source has the target {first.target!r} ({first.target_kind}), the other {second.target!r} "
            f"({second.target_kind})"
        )
    if first == second:
        return first
    common = Schema(
        [
            Field(mine.name, mine.kind, _united(mine.categories, other.categories))
            for mine, other in zip(first.fields, second.fields, strict=True)
        ],
        target=first.target,
        target_kind=first.target_kind,
        classes=_united(first.classes, second.classes),
        id=first.id,
        event_time=first.event_time,
        weight=first.weight,
    )
    common.classes_declared = first.classes_declared and second.classes_declared
    return common


def _united(first: list[Hashable], second: list[Hashable]) -> list[Hashable]:
    return list(dict.fromkeys([*first, *second]))


class Translation:
    """Turns codes of one schema into those of another, to which it adds what that lacks.

    Parameters
    ----------
    source
        The schema that encoded the batches; it may grow.
    common
        The schema that they are to have.
    """

    def __init__(self, source: Schema, common: Schema) -> None:
        self._source, self._common = source, common
        self._version = -1
        self._categories: list[tuple[int, np.ndarray]] = []
        self._classes: np.ndarray | None = None

    def __call__(self, batch: Batch) -> Batch:
        """The batch in the common codes; the same object where they agree."""
        if self._source is self._common:
            return batch
        if self._version != self._source.version:
            self._learn()
        if batch.X.shape[1] != len(self._common.fields):
            raise SchemaError(f"a source got the new field {self._source.fields[-1].name!r}: give it a fixed schema")
        if self._categories:
            batch.X = batch.X.copy()
            for column, codes in self._categories:
                known = ~np.isnan(batch.X[:, column])
                batch.X[known, column] = codes[batch.X[known, column].astype(np.int64)]
        if self._classes is not None and batch.y is not None:
            batch.y = self._classes[batch.y]
        return batch

    def _learn(self) -> None:
        """Look up all codes; those that agree need no translation."""
        self._version = self._source.version
        self._categories = []
        for column, mine in enumerate(self._source.fields):
            codes = np.array([self._code(column, value) for value in mine.categories], np.float64)
            if not np.array_equal(codes, np.arange(len(codes))):
                self._categories.append((column, codes))
        self._classes = None
        if self._source.target_kind == "nominal":
            labels = np.array([self._common.encode_label(label) for label in self._source.classes], np.int64)
            if not np.array_equal(labels, np.arange(len(labels))):
                self._classes = np.append(labels, -1)  # no label stays so

    def _code(self, column: int, value: Hashable) -> int:
        known = self._common.fields[column].categories
        if value not in known:
            self._common._add_category(column, value)
        return known.index(value)
