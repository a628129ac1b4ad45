"""One model per key as a reader would write it: a dict of learners, fed one operation at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.batch import Batch
from streamlearn.learner import Learner
from streamlearn.work import learning, predicting


class NaiveKeyedModels:
    """A dict of learners."""

    def __init__(self, prototype: Learner) -> None:
        self.prototype = prototype
        self.models: dict[Any, Learner] = {}

    def process(self, batch: Batch, schedule: np.ndarray) -> tuple[list[Any], list[list[float]]]:
        """Predictions and probabilities of the batch's rows, as the last prediction of each row left them."""
        assert batch.key is not None
        predictions: list[Any] = [0.0 if self.prototype.task == "regression" else -1] * len(batch)
        probabilities = [[0.0] * len(batch.schema.classes) for _ in range(len(batch))]
        keys = batch.key.to_pylist()
        for step in schedule.tolist():
            row = step if step >= 0 else ~step
            key = None if keys[row] is None else str(keys[row])
            model = self.models.setdefault(key, self.prototype.clone())
            outputs = model.process(
                batch.slice(row, row + 1), predicting(1) if step >= 0 else learning(1), proba=step >= 0
            )
            if step >= 0:
                predictions[row] = outputs.prediction[0].item()
                if outputs.proba is not None:
                    probabilities[row] = outputs.proba[0].tolist()
        return predictions, probabilities
