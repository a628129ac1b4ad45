"""Transformers: what learns without labels and changes rows before a learner sees them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import river.base

from .array_learner import ArrayLearner
from .batch import Batch
from .compiled import kernel, struct
from .errors import InputError
from .learner import Outputs, check_schedule
from .work import predicting


class TransformWorkArrays(NamedTuple):
    """One call of a transformer's ``advance`` kernel.

    Attributes
    ----------
    X : float64 [n, d]
    weight : float64 [n]
    schedule : int64 [m]
        ``i >= 0`` transforms row ``i``; ``~i`` learns row ``i``, then transforms it.
    out : float64 [m, d]
        Output: the transformed row of each operation.
    """

    X: np.ndarray
    weight: np.ndarray
    schedule: np.ndarray
    out: np.ndarray


TransformWork, TransformWorkType = struct(TransformWorkArrays)


@kernel
def make_transform_work(arrays: TransformWorkArrays) -> Any:
    """Pack the arrays of one call into the struct that kernels take."""
    return TransformWork(arrays.X, arrays.weight, arrays.schedule, arrays.out)


class Transformer(ArrayLearner, river.base.Transformer):
    """Base of transformers with compiled kernels; the columns stay the same in number, order and meaning.

    As in River, a row is learned when the learner behind learns it, and a prediction changes nothing.
    """

    task = "transformation"

    def transform(self, batch: Batch, schedule: np.ndarray) -> np.ndarray:
        """Walk a schedule over a batch.

        Parameters
        ----------
        batch
            Encoded rows.
        schedule : int64 [m]
            ``i >= 0`` transforms row ``i``; ``~i`` learns row ``i``, then transforms it.

        Returns
        -------
        float64 [m, d]
            The transformed row of each operation, as wide as the batch.

        Raises
        ------
        InputError
            If the schedule names a row that is not there, or the batch does not fit its schema.
        """
        with self._lock:
            fitted = self._accept(batch)
            check_schedule(schedule, len(batch))
            return self._transform(fitted, schedule)[:, : batch.X.shape[1]]

    def _transform(self, batch: Batch, schedule: np.ndarray) -> np.ndarray:
        n, d = batch.X.shape
        weight = np.ones(n) if batch.weight is None else batch.weight
        out = np.empty((len(schedule), d))
        self._run(make_transform_work(TransformWorkArrays(batch.X, weight, schedule, out)), len(schedule))
        return out

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        if schedule is None:
            raise InputError(f"{type(self).__name__} predicts nothing: put it in front of a learner, {self!r} | …")
        self._transform(batch, schedule)
        return self._outputs(0, False)

    def learn_one(self, x: Mapping[Hashable, Any], y: Any = None, w: float = 1.0) -> None:
        self.learn_many([x], None, None if w == 1.0 else [w])

    def transform_one(self, x: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The transformed row, without its missing values; ``x`` itself before the first row was learned."""
        with self._lock:
            if self._live is None:
                return dict(x)
            out = self._transform(self._encode([x], grow=False), predicting(1))
            return {  # categories as they came: the schema may not know them yet
                f.name: value if f.kind == "numeric" else x[f.name]
                for f, value in zip(self._live.fields, out[0].tolist(), strict=True)
                if not math.isnan(value)
            }

    def transform_many(self, X: Any) -> np.ndarray:
        """The transformed rows, float64 [n, d]; ``X`` as in `learn_many`."""
        with self._lock:
            batch = self._encode(X, grow=False)
            return self._transform(batch, predicting(len(batch)))

    @property
    def _supervised(self) -> bool:
        return False
