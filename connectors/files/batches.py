"""The part that readers of Arrow's own formats share: record batches, their dictionaries unified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamlearn.errors import InputError
from streamlearn.source import Drift
from streamlearn.writing import drifts_in

from .blocks import BlockReader
from .kinds import check_columns, check_flat
from .opening import DataFile


class BatchReader(BlockReader):
    """Base of the readers of Parquet and Arrow IPC; formats give `_batches` and call `_begin` once it can be read."""

    def __init__(self, file: DataFile) -> None:
        super().__init__(file)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._damage: InputError | None = None

    def _begin(self, schema: pa.Schema) -> None:
        """Check the columns, and learn the declared categories from the first batch."""
        check_columns(self.file.path, schema.names)
        check_flat(self.file.path, schema)
        note = drifts_in(schema.metadata)
        self.drifts = tuple(Drift(*pair) for pair in note["drifts"])
        self.default_target = note["target"]
        self._dictionaries = Dictionaries(schema)
        self.schema = self._dictionaries.schema
        self._held = self._next_block()
        self.declared = self._dictionaries.declared()

    def _continue(self, batches: Iterator[pa.RecordBatch], row: int) -> None:
        """Go on with batches that begin with ``row``."""
        self._batches, self._row, self._damage = batches, row, None

    def _next_block(self) -> pa.RecordBatch | None:
        if self._damage is not None:
            raise self._damage  # again: an iterator that failed would look like the end of the file
        try:
            batch = next((batch for batch in self._batches if batch.num_rows), None)
            if batch is None:
                return None
            batch = self._dictionaries.unify(batch)
        except (pa.ArrowException, OSError, ValueError) as error:
            self._damage = InputError(f"{self.file.path} is damaged behind row {self._row}: {error}")
            raise self._damage from error
        self._row += batch.num_rows
        return batch


class Dictionaries:
    """The dictionaries of a file's columns, unified: a code means the same in every batch.

    Arrow streams may replace a dictionary, and each row group of a Parquet file has its own. The one that comes first
    is the declared order; values that it lacks are appended as they come.

    Parameters
    ----------
    schema
        As the file has it.

    Attributes
    ----------
    schema : pa.Schema
        With int32 codes in all dictionary columns, and plain strings in them.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = pa.schema([(field.name, _plain(field.type)) for field in schema])
        self._known: dict[str, pa.Array] = {}

    def declared(self) -> dict[str, list[Any]]:
        """The values known so far, in code order, of the dictionary columns."""
        return {name: values.to_pylist() for name, values in self._known.items()}

    def unify(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the unified dictionaries."""
        columns = [
            self._unified(field, values) if pa.types.is_dictionary(field.type) else values.cast(field.type)
            for field, values in zip(self.schema, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _unified(self, field: pa.Field, values: pa.DictionaryArray) -> pa.Array:
        dictionary = values.dictionary.cast(field.type.value_type)
        known = self._known.setdefault(field.name, dictionary.slice(0, 0))
        if dictionary.equals(known):
            return pa.DictionaryArray.from_arrays(values.indices.cast(pa.int32()), known)
        lacking = dictionary.filter(pc.and_(pc.is_valid(dictionary), pc.is_null(pc.index_in(dictionary, known))))
        known = self._known[field.name] = pa.concat_arrays([known, lacking.unique()])
        codes = pc.index_in(dictionary, known)
        return pa.DictionaryArray.from_arrays(codes.take(values.indices), known)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), _plain(kind.value_type))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind
