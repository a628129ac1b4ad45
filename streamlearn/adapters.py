"""Models of River and scikit-learn as learners, so that they run in our evaluator and our pipelines."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn, cast

import numpy as np
import river.base

from .batch import Batch
from .errors import InputError, OptionError, StateError
from .learner import Learner, Outputs
from .parameters import check_choice, check_range
from .schema import Schema
from .work import test_then_train


class AdaptedLearner(Learner):
    """Base of adapters: a model that is a Python object, walked along the schedule in Python."""

    model: Any

    def _forget(self) -> None:
        self._running: Any = None

    def state(self) -> dict[str, Any]:
        self._refuse()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StateError(
            f"{self!r} wraps a Python object, which streamlearn's files never hold: keep `learner.fitted` yourself"
        )

    @property
    def fitted(self) -> Any:
        """The model as trained so far; None before the first row."""
        return self._running

    @property
    def nbytes(self) -> int:
        return 0

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__dict__.update(pickled)
        self._lock = threading.Lock()


class RiverLearner(AdaptedLearner):
    """A River model as a learner (see `from_river`).

    Parameters
    ----------
    model
        A River classifier or regressor, or a pipeline that ends in one; it is cloned, not trained itself.
    """

    def __init__(self, *, model: Any, schema: Schema | None = None) -> None:
        if isinstance(model, river.base.Classifier):
            self.task = "classification"
        elif isinstance(model, river.base.Regressor):
            self.task = "regression"
        else:
            raise OptionError(f"from_river takes a River classifier or regressor, got {type(model).__name__}")
        self.model = model
        super().__init__(schema=schema)

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        if self._running is None:
            self._running = self.model.clone()
        model, outputs = self._running, self._outputs(len(batch), proba)
        schema = cast(Schema, self._live)
        targets = self.targets(batch)
        weights = np.ones(len(batch)) if batch.weight is None else batch.weight
        last, x = -1, {}
        for step in (test_then_train(len(batch)) if schedule is None else schedule).tolist():
            row = step if step >= 0 else ~step
            if row != last:
                last, x = row, schema.decode_row(batch.X[row])
            if step >= 0:
                self._predict_row(model, x, row, outputs, schema)
            elif self.task == "regression":
                if not np.isnan(targets[row]):
                    self._learn_row(model, x, float(targets[row]), weights[row])
            elif targets[row] >= 0:
                self._learn_row(model, x, schema.classes[targets[row]], weights[row])
        return outputs

    def _predict_row(self, model: Any, x: Any, row: int, outputs: Outputs, schema: Schema) -> None:
        if self.task == "regression":
            outputs.prediction[row] = model.predict_one(x)
            return
        if outputs.proba is not None:
            for label, probability in model.predict_proba_one(x).items():
                outputs.proba[row, schema.encode_label(label, grow=False)] = probability
        label = model.predict_one(x)
        outputs.prediction[row] = -1 if label is None else schema.encode_label(label, grow=False)

    @staticmethod
    def _learn_row(model: Any, x: Any, y: Any, weight: float) -> None:
        if weight == 1.0:
            model.learn_one(x, y)
        elif weight > 0.0:
            try:
                model.learn_one(x, y, w=weight)
            except TypeError:
                raise InputError(f"{type(model).__name__} can't learn weighted rows") from None


class SklearnLearner(AdaptedLearner):
    """A scikit-learn estimator with ``partial_fit`` as a learner (see `from_sklearn`).

    Parameters
    ----------
    model
        The estimator; it is cloned, not trained itself. Nominal fields reach it as category codes.
    classes
        All class labels, which scikit-learn wants to know before the first row; by default those that the schema
        declares.
    rows_per_step
        1 tests and trains row by row; k > 1 predicts k rows, then learns them: faster, and slightly pessimistic.
    """

    def __init__(
        self, *, model: Any, classes: Sequence[Hashable] = (), rows_per_step: int = 1, schema: Schema | None = None
    ) -> None:
        if not hasattr(model, "partial_fit"):
            raise OptionError(f"from_sklearn takes an estimator with partial_fit, {type(model).__name__} has none")
        check_range("rows_per_step", rows_per_step, 1, 1_000_000, kind=int)
        self.model, self.classes_, self.rows_per_step = model, tuple(classes), rows_per_step
        self.task = (
            "regression"
            if getattr(model, "_estimator_type", "") == "regressor" or _is_regressor(model)
            else "classification"
        )
        super().__init__(schema=schema)

    @property
    def params(self) -> dict[str, Any]:
        return {"model": self.model, "classes": self.classes_, "rows_per_step": self.rows_per_step}

    def _get_params(self) -> dict[str, Any]:  # River's clone reads it; `classes` is a property of every learner
        return {**self.params, "schema": self.schema}

    def _forget(self) -> None:
        super()._forget()
        self._ready = False  # predict fails before the first partial_fit

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        if self._running is None:
            from sklearn.base import clone

            self._running = clone(self.model)
        outputs, targets = self._outputs(len(batch), proba), self.targets(batch)
        if schedule is None:
            schedule = _in_steps(len(batch), self.rows_per_step)
        for learn, rows in _runs(schedule):
            if learn:
                labelled = rows[~np.isnan(targets[rows])] if self.task == "regression" else rows[targets[rows] >= 0]
                if len(labelled):
                    self._learn_rows(batch, labelled, targets[labelled])
            elif self._ready:
                X = batch.X[rows]
                outputs.prediction[rows] = self._running.predict(X)
                if outputs.proba is not None:
                    outputs.proba[rows, : len(self._all_classes())] = self._running.predict_proba(X)
        return outputs

    def _learn_rows(self, batch: Batch, rows: np.ndarray, y: np.ndarray) -> None:
        given: dict[str, Any] = {}
        if self.task == "classification" and not self._ready:
            given["classes"] = np.arange(len(self._all_classes()))
        if batch.weight is not None:
            given["sample_weight"] = batch.weight[rows]
        self._running.partial_fit(batch.X[rows], y, **given)
        self._ready = True

    def _all_classes(self) -> Sequence[Hashable]:
        schema = cast(Schema, self._live)
        if self.classes_:
            for label in self.classes_:
                schema.encode_label(label)
            return self.classes_
        if not schema.classes_declared:
            raise InputError("scikit-learn must know all classes before the first row: from_sklearn(…, classes=[…])")
        return schema.classes


class FunctionLearner(AdaptedLearner):
    """A Python function in a learner's place: it predicts, and learns nothing (see `from_function`).

    Parameters
    ----------
    call
        Takes a row as a dict; gives a label, a dict of probabilities by label, or, for regression, a number.
    task : "classification" or "regression"
    """

    def __init__(
        self,
        *,
        call: Callable[[dict[Hashable, Any]], Any],
        task: Literal["classification", "regression"] = "classification",
        schema: Schema | None = None,
    ) -> None:
        check_choice("task", task, ("classification", "regression"))
        if not callable(call):
            raise OptionError(f"call must be a function of a row, got {call!r}")
        self.task = task
        self.call = call
        super().__init__(schema=schema)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            raise StateError("a function has no state to restore")

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        outputs, schema = self._outputs(len(batch), proba), cast(Schema, self._live)
        for row in range(len(batch)) if schedule is None else schedule[schedule >= 0].tolist():
            said = self.call(schema.decode_row(batch.X[row]))
            if self.task == "regression":
                outputs.prediction[row] = said
                continue
            chances = said if isinstance(said, Mapping) else {said: 1.0}
            codes = {schema.encode_label(label, grow=False): chance for label, chance in chances.items()}
            if outputs.proba is not None:
                for code, chance in codes.items():
                    if code >= 0:
                        outputs.proba[row, code] = chance
            outputs.prediction[row] = max(codes, key=lambda code: codes[code], default=-1)
        return outputs


def _is_regressor(model: Any) -> bool:
    from sklearn.base import is_regressor

    return bool(is_regressor(model))


def _in_steps(n: int, rows: int) -> np.ndarray:
    """Predict ``rows`` rows, then learn them, and so on."""
    starts = range(0, n, rows)
    parts = [part for s in starts for part in (np.arange(s, min(s + rows, n)), ~np.arange(s, min(s + rows, n)))]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _runs(schedule: np.ndarray) -> Iterator[tuple[bool, np.ndarray]]:
    """Cut a schedule into runs of equal operations: whether they learn, and their rows."""
    learns = schedule < 0
    cuts = np.flatnonzero(learns[1:] != learns[:-1]) + 1
    for run in np.split(schedule, cuts):
        if len(run):
            yield bool(run[0] < 0), np.where(run < 0, ~run, run)


def from_river(model: Any, *, schema: Schema | None = None) -> RiverLearner:
    """Wrap a River classifier or regressor, or a pipeline of River, as a learner.

    Parameters
    ----------
    model
        The model; it is cloned, not trained itself.
    schema
        A schema to begin with.

    Raises
    ------
    OptionError
        If it is neither a classifier nor a regressor.

    Examples
    --------
    >>> from river import naive_bayes
    >>> import streamlearn as sl
    >>> learner = sl.from_river(naive_bayes.GaussianNB())
    >>> learner.learn_one({"x": 1.0}, "a")
    >>> learner.predict_one({"x": 1.0})
    'a'
    """
    return RiverLearner(model=model, schema=schema)


def from_sklearn(
    model: Any, *, classes: Sequence[Hashable] = (), rows_per_step: int = 1, schema: Schema | None = None
) -> SklearnLearner:
    """Wrap a scikit-learn estimator that has ``partial_fit`` as a learner.

    Parameters
    ----------
    model
        The estimator; it is cloned, not trained itself.
    classes
        All class labels; by default those that the schema declares.
    rows_per_step
        1 tests and trains row by row; k > 1 predicts k rows, then learns them.
    schema
        A schema to begin with.

    Raises
    ------
    OptionError
        If the estimator has no ``partial_fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import SGDClassifier
    >>> import streamlearn as sl
    >>> learner = sl.from_sklearn(SGDClassifier(random_state=0), classes=["a", "b"])
    >>> learner.learn_many(np.array([[0.0], [1.0]] * 20), ["a", "b"] * 20)
    >>> learner.predict_many(np.array([[0.0], [1.0]])).tolist()
    ['a', 'b']
    """
    return SklearnLearner(model=model, classes=classes, rows_per_step=rows_per_step, schema=schema)


def from_function(
    call: Callable[[dict[Hashable, Any]], Any],
    *,
    task: Literal["classification", "regression"] = "classification",
    schema: Schema | None = None,
) -> FunctionLearner:
    """Let a Python function stand where a learner stands: it predicts, and learns nothing.

    Parameters
    ----------
    call
        Takes a row as a dict; gives a label, a dict of probabilities by label, or, for regression, a number. A label
        that the stream has not shown so far counts as no prediction.
    task : "classification" or "regression"
        What it predicts.
    schema
        A schema to begin with.

    Examples
    --------
    >>> import streamlearn as sl
    >>> rule = sl.from_function(lambda row: "high" if row["amount"] > 100 else "low")
    >>> rule.learn_many([{"amount": 5.0}, {"amount": 500.0}], ["low", "high"])
    >>> rule.predict_one({"amount": 250.0})
    'high'
    """
    return FunctionLearner(call=call, task=task, schema=schema)


def as_learner(model: Any) -> Learner:
    """A learner out of a learner, a registered name, a River model, a scikit-learn estimator or a function.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    if isinstance(model, Learner):
        return model
    if isinstance(model, (str, Mapping)):
        from .models import make_learner

        return make_learner(model)
    if isinstance(model, river.base.Base):
        return from_river(model)
    if hasattr(model, "partial_fit"):
        return from_sklearn(model)
    if inspect.isroutine(model):
        return from_function(model)
    raise OptionError(
        f"not a learner, a registered name, a River model, a partial_fit estimator or a function: {model!r}"
    )
