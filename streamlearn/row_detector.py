"""Detectors that watch whole rows, and so notice drift without any label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from .detector import Detector
from .detector_kernels import DRIFT, LARGEST, SignalArrays, make_signal, signal_address
from .errors import InputError, SchemaError, StateError
from .schema import Schema


class RowDetector(Detector):
    """Base of detectors of rows of numbers.

    The fields are fixed by the first rows; a later row has all of them and no others, each a number within ±1e60.
    """

    accepts: ClassVar[str] = "rows"

    def __init__(self) -> None:
        super().__init__()
        self._schema: Schema | None = None
        self._encode: Callable[[Mapping[Any, Any]], bool] | None = None

    def _set(self, arrays: Any) -> None:
        super()._set(arrays)
        if self._schema is not None:
            row = np.empty((1, len(self._schema.fields)))
            self._signal = make_signal(SignalArrays(row, np.zeros(1, np.uint8)))
            self._step = partial(self._run, signal_address(self._signal))
            self._encode = self._schema.row_encoder(row)

    def update(self, x: Any) -> None:
        """Take in a row.

        Parameters
        ----------
        x
            A dict of numbers by field name, or a sequence of numbers.

        Raises
        ------
        InputError
            If a field is unknown, missing, or not such a number; the message names it, and the row is not taken in.
        """
        if not isinstance(x, Mapping):
            self.update_many([x])
        elif self._encode is not None and self._encode(x) and (level := self._step()) <= DRIFT:
            self._level = level
        else:
            self.update_many([x])

    def _rows(self, values: Any) -> np.ndarray:
        if isinstance(values, (list, tuple)) and not (values and isinstance(values[0], Mapping)):
            try:
                values = np.array(values, np.float64).reshape(len(values), -1 if values else self._n_fields)
            except (TypeError, ValueError):
                raise InputError(f"{type(self).__name__}: rows must be dicts or equally long rows of numbers") from None
        if self._schema is None and len(values) == 0:
            return np.empty((0, 0))
        schema = self._schema or Schema.infer(values, target_kind="numeric", unknown="error")
        nominal = [field.name for field in schema.fields if field.kind == "nominal"]
        if nominal or not schema.fields:
            what = f"field {nominal[0]!r} has categories" if nominal else "there are no fields"
            raise InputError(f"{type(self).__name__}: rows must consist of numbers, but {what}")
        X = np.ascontiguousarray(schema.encode(values, grow=False).X)
        good = np.abs(X) <= LARGEST
        if not good.all():
            i, j = np.argwhere(~good)[0]
            name = schema.fields[j].name
            raise InputError(
                f"{type(self).__name__}: row {i}: {name!r} must be a number within ±{LARGEST:g}, got {X[i, j]}"
            )
        self._schema = schema
        return X

    @property
    def _n_fields(self) -> int:
        return 0 if self._schema is None else len(self._schema.fields)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "schema": None if self._schema is None else self._schema.to_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"arrays", "schema"}:
            raise StateError(f"{type(self).__name__}: a state has the keys 'arrays' and 'schema'")
        if (state["schema"] is None) != (state["arrays"] is None):
            raise StateError(f"{type(self).__name__}: the arrays and the schema do not belong together")
        before = self._schema
        try:
            self._schema = None if state["schema"] is None else Schema.from_dict(state["schema"])
            super().restore({"arrays": state["arrays"]})
        except SchemaError as error:
            raise StateError(f"{type(self).__name__}: {error}") from None
        except StateError:
            self._schema = before
            raise

    def _width_of(self, saved: Any) -> int:
        return self._n_fields
