"""Transformers in front of a learner, as one learner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from .batch import Batch
from .errors import OptionError, StateError
from .learner import Learner, Outputs
from .models import make_learner
from .parts import fit_parts, restore_parts
from .schema import Schema
from .transformer import Transformer
from .work import test_then_train


def chained(*steps: Learner) -> Chain:
    """Compose steps; chains among them are taken apart."""
    flat: list[Learner] = []
    for step in steps:
        flat += step.steps if type(step) is Chain else [step]
    return Chain(steps=tuple(flat))


class Chain(Learner):
    """Transformers before a learner: ``StandardScaler() | LogisticRegression()``.

    To predict a row, it is transformed by the transformers as they are; to learn it, each transformer first learns it,
    then transforms it for the next. So every law that holds for the steps holds for the chain, and a batch equals the
    loop over its rows.

    Parameters
    ----------
    steps
        Transformers, then one learner; the chain works on untrained clones of them.

    Raises
    ------
    OptionError
        If a step is not a transformer, or the last one is.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.StandardScaler() | sl.LogisticRegression()
    >>> model
    Chain(steps=(StandardScaler(), LogisticRegression()))
    >>> for i in range(100):
    ...     model.learn_one({"x": 1000.0 + i % 2}, i % 2 == 1)
    >>> model.predict_one({"x": 1001.0})
    True
    """

    def __init__(self, *, steps: Sequence[Learner] = (), schema: Schema | None = None) -> None:
        if not steps or not all(isinstance(step, Learner) for step in steps):
            raise OptionError("a chain needs transformers and one learner: StandardScaler() | LogisticRegression()")
        self.steps = tuple(step.clone() for step in steps)
        for step in self.steps[:-1]:
            if step.task != "transformation":
                raise OptionError(f"{step!r} is no transformer: only the last step of a chain may predict")
        if self.steps[-1].task == "transformation":
            raise OptionError(f"the last step of a chain must predict, {self.steps[-1]!r} only transforms")
        self.task = self.steps[-1].task
        super().__init__(schema=schema)

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:  # what River's checks make one with
        yield {"steps": (make_learner("standard_scaler"), make_learner("naive_bayes"))}

    @property
    def parts(self) -> Sequence[Learner]:
        return self.steps

    @property
    def _last_step(self) -> Learner:  # River's isinstance looks through it
        return self.steps[-1]

    def _forget(self) -> None:
        for step in self.steps:
            step.reset()

    def _fit(self) -> None:
        fit_parts(self.steps, cast(Schema, self._live))

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        if schedule is None:
            schedule = test_then_train(len(batch))
        rows = np.where(schedule < 0, ~schedule, schedule)
        # A row that is predicted and then learned is transformed twice, by different states of the transformers: so
        # from the first transformer on there is one row per operation, and operation k works on row k.
        current, steps = batch, schedule
        operations = np.arange(len(schedule))
        by_operation = np.where(schedule < 0, ~operations, operations)
        y = self.targets(batch)[rows]
        weight = None if batch.weight is None else batch.weight[rows]
        for transformer in self.steps[:-1]:
            X = cast(Transformer, transformer)._transform(current, steps)
            current, steps = Batch(batch.schema, X, y, weight), by_operation
        inner = self.steps[-1]._process(current, steps, proba)
        if current is batch:
            return inner
        outputs = self._outputs(len(batch), proba)
        predicted = schedule >= 0
        outputs.prediction[rows[predicted]] = inner.prediction[predicted]
        if outputs.proba is not None and inner.proba is not None:
            outputs.proba[rows[predicted]] = inner.proba[predicted]
        return outputs

    def state(self) -> dict[str, Any]:
        schema = None if self._live is None else self._live.to_dict()
        return {"schema": schema, "steps": [step.state() for step in self.steps]}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"schema", "steps"} or not isinstance(state["steps"], list):
            raise StateError("Chain: a state has the keys 'schema' and 'steps'")
        if len(state["steps"]) != len(self.steps):
            raise StateError(f"Chain: the state has {len(state['steps'])} steps, the chain {len(self.steps)}")
        if state["schema"] is None:
            self.reset()
            return
        schema = Schema.from_dict(state["schema"])
        if any(not isinstance(saved, Mapping) or saved.get("schema") != state["schema"] for saved in state["steps"]):
            raise StateError("Chain: the steps' schemas differ from the chain's")
        restore_parts(self.steps, state["steps"])
        self._live, self._followed = schema, None

    def summary(self) -> dict[str, int]:
        return self.steps[-1].summary()

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in self.steps)
