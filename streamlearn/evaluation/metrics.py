"""Prequential metrics: what is measured while a learner is tested on each row before it learns it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa

from ..errors import InputError, OptionError, StateError, UnknownNameError
from ..schema import MAX_CLASSES
from . import kernels
from .arrays import column, doubled, owned, padded, row_weights, saved, state_parts
from .kernels import CUMULATIVE, POINTS, WINDOW
from .probabilities import Probabilities
from .probability_kernels import PROBABILITY

Task = Literal["classification", "regression"]
View = Literal["cumulative", "fading", "window"]
VIEWS: tuple[View, ...] = ("cumulative", "fading", "window")  # in the kernels' order
SUFFIX: Mapping[View, str] = MappingProxyType({"cumulative": "", "fading": "_fading", "window": "_window"})

MAX_CLASS_CURVES = 50  # classes; pictures of more say nothing
MAX_CONFUSION = 1024  # classes; a larger confusion matrix would cost more memory than most learners
FIRST_CAPACITY = 8
FIRST_POINTS = 64


class Metric(NamedTuple):
    """A metric as ``streamlearn list metrics`` shows it.

    Attributes
    ----------
    task : "classification" or "regression"
    description
        One line, without a full stop.
    higher_is_better
    percent
        Whether tables and pictures show it in percent; the code always works with fractions.
    title
        How a table or an axis calls it.
    decimals
        Digits after the point in a table, of the percentage where `percent` is true.
    """

    task: Task
    description: str
    higher_is_better: bool
    percent: bool
    title: str
    decimals: int


def _share(description: str, title: str, decimals: int = 2) -> Metric:
    return Metric("classification", description, True, True, title, decimals)


def _distance(description: str, title: str) -> Metric:
    return Metric("classification", description, False, False, title, 4)


def _error(description: str, title: str) -> Metric:
    return Metric("regression", description, False, False, title, 4)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": _share("share of rows predicted right", "Accuracy", 4),
        "balanced_accuracy": _share("mean recall over the classes that occur", "Balanced accuracy", 4),
        "kappa": _share("agreement beyond chance (Cohen)", "Kappa"),
        "kappa_m": _share("improvement over always predicting the majority class", "Kappa-M"),
        "kappa_t": _share("improvement over always predicting the previous label", "Kappa-T"),
        "f1_micro": _share("F1 of all classes pooled", "F1 micro"),
        "f1_macro": _share("mean F1 over classes", "F1 macro"),
        "f1_weighted": _share("mean F1 over classes, weighted by support", "F1 weighted"),
        "precision_macro": _share("mean precision over classes", "Precision macro"),
        "precision_weighted": _share("mean precision over classes, weighted by support", "Precision weighted"),
        "recall_macro": _share("mean recall over classes that occur or are predicted", "Recall macro"),
        "recall_weighted": _share("mean recall over classes, weighted by support", "Recall weighted"),
        "g_mean": _share("geometric mean of the recalls of the classes that occur", "G-mean"),
        "log_loss": _distance("mean negative log probability of the true class, in nats", "Log loss"),
        "brier": _distance(
            "mean squared distance of the probabilities from the true class (Brier), 0 to 2", "Brier score"
        ),
        "calibration_error": _distance("mean gap between confidence and accuracy, over 15 bins", "Calibration error"),
        "roc_auc": Metric(
            "classification",
            "chance that a class's row ranks above another's, mean over classes",
            True,
            False,
            "AUC",
            4,
        ),
        "mae": _error("mean absolute error", "MAE"),
        "mse": _error("mean squared error", "MSE"),
        "rmse": _error("root of the mean squared error", "RMSE"),
        "r2": Metric("regression", "share of the target's variance explained", True, False, "R²", 4),
    }
)
"""Every metric by its registered name."""

DEFAULT_METRICS: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "classification": ("accuracy", "kappa", "kappa_m", "kappa_t", "f1_macro"),
        "regression": ("mae", "rmse", "r2"),
    }
)
"""What is measured where nobody asks for anything else."""


def check_metrics(names: Iterable[str], task: Task) -> tuple[str, ...]:
    """Return ``names`` as a tuple, after making sure that each is a metric of the task.

    Raises
    ------
    UnknownNameError
        If there is no such metric; the message suggests near ones.
    OptionError
        If a metric belongs to the other task, is named twice, or none is named.

    Examples
    --------
    >>> check_metrics(["kappa", "f1_macro"], "classification")
    ('kappa', 'f1_macro')
    """
    wanted = (names,) if isinstance(names, str) else tuple(names)
    known = [name for name, metric in METRICS.items() if metric.task == task]
    if not wanted:
        raise OptionError(f"metrics is empty: name at least one of {', '.join(known)}")
    for name in wanted:
        if name not in METRICS:
            near = difflib.get_close_matches(str(name), METRICS, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
            raise UnknownNameError(f"unknown metric {name!r}: {hint}")
        if name not in known:
            raise OptionError(f"metric {name!r} is for {METRICS[name].task}, but the task is {task}: use {known}")
        if wanted.count(name) > 1:
            raise OptionError(f"metric {name!r} is named twice")
    return wanted


def needs_proba(metrics: Iterable[str]) -> bool:
    """Say whether one of the metrics needs class probabilities, not only the predicted class.

    Examples
    --------
    >>> needs_proba(["accuracy", "kappa"]), needs_proba(["accuracy", "log_loss"])
    (False, True)
    """
    return not {"log_loss", *PROBABILITY}.isdisjoint(metrics)


class _Metrics:
    """What the metrics of both tasks share: options, the curve, and state that can be saved."""

    task: ClassVar[Task]
    _order: ClassVar[tuple[str, ...]]  # the metrics in the kernels' order
    _arrays: Any  # a NamedTuple of arrays, the state
    _packed: Any  # the same arrays as the struct that kernels take

    def __init__(self, metrics: Iterable[str] | None, window: int, fading: float, every: int | None) -> None:
        self.metrics = check_metrics(DEFAULT_METRICS[self.task] if metrics is None else metrics, self.task)
        self.window = _positive("window", window)
        self.every = self.window if every is None else _positive("every", every)
        if not 0.001 <= fading <= 1.0:
            raise OptionError(f"fading is {fading!r}: give a factor from 0.001 (forgets at once) to 1 (never forgets)")
        self.fading = float(fading)

    def _shared_arrays(self, declared: bool) -> dict[str, np.ndarray]:
        plain = [name for name in self.metrics if name in self._order]
        return {
            "numbers": np.zeros(kernels.N_NUMBERS, np.int64),
            "options": np.array([self.every, declared], np.int64),
            "scale": np.array([1.0 / self.fading, 1.0]),
            "wanted": np.array([self._order.index(name) for name in plain], np.int64),
            "point_row": np.zeros(FIRST_POINTS, np.int64),
            "points": np.zeros((FIRST_POINTS, len(VIEWS), len(plain))),
            "values": np.zeros(len(self._order)),
        }

    def _parameters(self) -> dict[str, Any]:
        return {"metrics": list(self.metrics), "window": self.window, "fading": self.fading, "every": self.every}

    def _scalars(self) -> dict[str, Any]:
        """The parameters as JSON scalars."""
        return {**self._parameters(), "metrics": ",".join(self.metrics)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._parameters().items())})"

    @property
    def rows(self) -> int:
        """Rows seen, unlabelled ones included."""
        return int(self._arrays.numbers[kernels.SEEN])

    @property
    def labelled(self) -> int:
        """Labelled rows seen: those that are measured."""
        return int(self._arrays.numbers[kernels.LABELLED])

    @property
    def unpredicted(self) -> int:
        """Labelled rows for which there was no prediction."""
        return int(self._arrays.numbers[kernels.UNPREDICTED])

    def values(self, view: View = "cumulative") -> dict[str, float]:
        """Each metric's present value; NaN where it is undefined.

        Parameters
        ----------
        view
            "cumulative" over all rows, "window" over the last `window` labelled rows, or "fading", where the weight of
            a row shrinks by the factor `fading` with each later labelled row.

        Raises
        ------
        OptionError
            If there is no such view.
        """
        if view not in VIEWS:
            raise OptionError(f"view is {view!r}: use one of {', '.join(VIEWS)}")
        return dict(zip(self.metrics, self._now()[VIEWS.index(view)].tolist(), strict=True))

    def curve(self) -> pa.Table:
        """The points recorded so far, and one for the rows since the last of them, if any.

        Returns
        -------
        pyarrow.Table
            Column ``row`` (int64: rows of the stream seen, unlabelled ones included), then for each metric (float64)
            ``<metric>``, ``<metric>_fading`` and ``<metric>_window``.
        """
        rows, points = self._point_rows(), self._points()
        if len(rows) > len(points):
            points = np.concatenate([points, self._now()[None]])
        columns: dict[str, Any] = {"row": pa.array(rows)}
        for j, name in enumerate(self.metrics):
            for v, view in enumerate(VIEWS):
                columns[name + SUFFIX[view]] = pa.array(np.ascontiguousarray(points[:, v, j]))
        return pa.table(columns)

    def _point_rows(self) -> np.ndarray:
        """The row of each point so far, and of one for the rows since the last of them, if any."""
        rows = self._arrays.point_row[: self._arrays.numbers[kernels.POINTS]]
        return np.append(rows, self.rows) if self.labelled % self.every else rows

    def _points(self) -> np.ndarray:
        """The values recorded so far, float64 ``[points, 3, m]``."""
        return self._arrays.points[: self._arrays.numbers[kernels.POINTS]]

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit: the parameters, and copies of the arrays, without spare room."""
        arrays = {name: part.copy() for name, part in self._used().items()}
        return {"parameters": self._scalars(), "arrays": arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken.

        Raises
        ------
        StateError
            If the state is damaged or was taken with other parameters; the message names what differs. The metrics
            then stay as they were.
        """
        parameters, arrays = state_parts(state)
        for name, value in self._scalars().items():
            if parameters.get(name) != value:
                raise StateError(f"metrics with {name}={value!r} can't restore a state with {parameters.get(name)!r}")
        fresh = type(self)(**self._parameters())
        fresh._load(arrays)
        self._adopt(fresh)

    def _adopt(self, fresh: Self) -> None:
        self._arrays, self._packed = fresh._arrays, fresh._packed

    def _load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Fill these fresh metrics from saved arrays, checking each one's shape."""
        numbers = saved(arrays, "numbers", self._arrays.numbers.shape, np.dtype(np.int64))
        seen, labelled, unpredicted, points, *classes = numbers.tolist()
        if not 0 <= unpredicted <= labelled <= seen or not all(0 <= code <= MAX_CLASSES for code in classes):
            raise StateError("the state of the metrics is damaged: its counts of rows or classes contradict each other")
        if points != labelled // self.every:
            raise StateError("the state of the metrics is damaged: the number of points doesn't fit the labelled rows")
        saved(arrays, "point_row", (points,), np.dtype(np.int64))  # before making room for a number that may be a lie
        self._arrays.numbers[:] = numbers
        self._make_room(numbers[kernels.KNOWN], points)
        for name, part in self._used().items():
            part[...] = saved(arrays, name, part.shape, part.dtype)
        growth, gain = self._arrays.scale
        if growth != 1.0 / self.fading or not 0.0 < gain < math.inf:
            raise StateError("the state of the metrics is damaged: scale doesn't fit the fading factor")

    def _used(self) -> dict[str, np.ndarray]:
        """Views of the part of each array that carries state: neither spare room nor scratch space."""
        a = self._arrays
        filled, points = min(self.labelled, self.window), int(a.numbers[kernels.POINTS])
        used: dict[str, np.ndarray] = {"numbers": a.numbers, "scale": a.scale, "tally": a.tally[:WINDOW]}
        used |= {name: getattr(a, name)[:filled] for name in self._rings()}
        return used | {"point_row": a.point_row[:points], "points": a.points[:points]}

    def _rings(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _pack(self) -> None:
        raise NotImplementedError

    def _now(self) -> np.ndarray:
        """Present values, float64 ``[3, m]``."""
        raise NotImplementedError

    def _make_room(self, classes: int, points: int) -> None:
        """Double arrays until there is room for so many classes and points."""
        room = len(self._arrays.point_row)
        if points > room:
            grown = doubled(room, points)
            self._arrays = self._arrays._replace(
                point_row=padded(self._arrays.point_row, grown),
                points=padded(self._arrays.points, grown, *self._arrays.points.shape[1:]),
            )
        self._pack()


class ClassificationMetrics(_Metrics):
    """Metrics of a classifier over a stream, in three views at once: cumulative, sliding window and fading.

    Kappa, kappa-M and kappa-temporal are those of MOA's evaluator: kappa-M compares with a majority-class predictor
    that has already counted the current label, kappa-temporal with "the same label again" (at the first row: class 0).
    In the window and in the fading view these two predictors still run over the whole stream; the rows that they get
    right are windowed or faded. A kappa is NaN where its chance predictor is always right. Precision, recall and F1
    follow scikit-learn with ``zero_division=0``, over the classes seen in labels or predictions of that view.

    Parameters
    ----------
    metrics : iterable of str, optional
        Names from `METRICS`; default accuracy, kappa, kappa_m, kappa_t and f1_macro.
    window : int >= 1
        Labelled rows in the sliding window.
    fading : float, 0.001 … 1
        Weight of a row relative to the next labelled row, in the fading view.
    every : int >= 1, optional
        Labelled rows between two points of the curve; default `window`.
    declared : bool
        What a missing prediction (code below 0) is. False: wrong whatever the label, and absent from the confusion
        matrix. True: class 0, as MOA has it when the classes are declared beforehand. `unpredicted` counts it in both
        cases.
    n_classes : int >= 0
        Classes known beforehand; matters only for the log loss of a row without probabilities.

    Examples
    --------
    >>> metrics = ClassificationMetrics(metrics=["accuracy", "kappa"], window=2)
    >>> metrics.update(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    >>> metrics.values(), metrics.values("window")
    ({'accuracy': 0.75, 'kappa': 0.5}, {'accuracy': 0.5, 'kappa': 0.0})
    >>> metrics.curve().column("accuracy_window").to_pylist()
    [1.0, 0.5]

    References
    ----------
    Gama, J., Sebastião, R., Rodrigues, P.P. (2013). On evaluating stream learning algorithms. Machine Learning 90
    (sliding windows and fading factors). Bifet, A. et al. (2015). Efficient online evaluation of big data stream
    classifiers. KDD (kappa-M). Žliobaitė, I. et al. (2015). Evaluation methods and decision theory for classification
    of streaming data with temporal dependence. Machine Learning 98 (kappa-temporal).
    """

    task = "classification"
    _order = kernels.CLASSIFICATION
    _arrays: kernels.ClassTallyArrays

    def __init__(
        self,
        *,
        metrics: Iterable[str] | None = None,
        window: int = 1000,
        fading: float = 0.999,
        every: int | None = None,
        declared: bool = False,
        n_classes: int = 0,
    ) -> None:
        super().__init__(metrics, window, fading, every)
        self.declared = bool(declared)
        if not 0 <= n_classes <= MAX_CLASSES:
            raise OptionError(f"n_classes is {n_classes!r}: give a number from 0 to {MAX_CLASSES}")
        self.n_classes = int(n_classes)
        capacity = doubled(FIRST_CAPACITY, self.n_classes)
        self._arrays = kernels.ClassTallyArrays(
            **self._shared_arrays(self.declared),
            tally=np.zeros((3, capacity + 1, 3)),
            confusion=np.zeros((min(capacity, MAX_CONFUSION),) * 2),
            label=np.zeros(self.window, np.int32),
            guess=np.zeros(self.window, np.int32),
            flags=np.zeros(self.window, np.uint8),
            weight=np.zeros(self.window),
            loss=np.zeros(self.window if "log_loss" in self.metrics else 0),
            class_points=np.zeros((FIRST_POINTS, min(capacity, MAX_CLASS_CURVES), 3)),
        )
        self._arrays.numbers[kernels.KNOWN] = self.n_classes
        self._pack()
        ranked = tuple(name for name in self.metrics if name in PROBABILITY)
        options: dict[str, Any] = {"window": self.window, "fading": self.fading, "every": self.every}
        self._probabilities = Probabilities(ranked, n_classes=self.n_classes, **options) if ranked else None
        places = [*(name for name in self.metrics if name not in PROBABILITY), *ranked]
        self._places = [places.index(name) for name in self.metrics]

    def _parameters(self) -> dict[str, Any]:
        return {**super()._parameters(), "declared": self.declared, "n_classes": self.n_classes}

    def update(
        self,
        y: np.ndarray,
        prediction: np.ndarray,
        weight: np.ndarray | None = None,
        proba: np.ndarray | None = None,
    ) -> None:
        """Take in rows, in stream order; how they are cut into calls makes no difference.

        Parameters
        ----------
        y : int64 [n]
            Class codes; below 0 means no label, and the row is only counted.
        prediction : int64 [n]
            Predicted class codes; below 0 means no prediction.
        weight : float64 [n], optional
            Row weights, finite and >= 0; default 1 each. A row of weight 0 takes a place in the window.
        proba : float64 [n, C], optional
            Class probabilities, where a metric needs them. A row is scaled to sum to 1; a row that can't be (all zero,
            not finite) counts as uniform over the classes seen so far, its own label included.

        Raises
        ------
        InputError
            If the arrays don't fit each other, a code is 10,000 or more, a weight is negative or not finite, or
            probabilities are needed and absent.
        """
        labels = column("y", y, np.int64)
        n = len(labels)
        guesses = column("prediction", prediction, np.int64, n)
        weights = row_weights(weight, n)
        probabilities = self._checked(proba, n)
        losses = probabilities if "log_loss" in self.metrics else np.empty((0, 0))
        done = kernels.observe_classes(self._packed, labels, guesses, weights, losses, 0)
        code = 0
        while done < n:
            code = max(int(labels[done]), int(guesses[done]))
            if code >= MAX_CLASSES:
                break
            self._make_room(code + 1, int(self._arrays.numbers[POINTS]) + 1)
            done = kernels.observe_classes(self._packed, labels, guesses, weights, losses, done)
        if self._probabilities is not None:
            self._probabilities.update(labels[:done], guesses[:done], weights[:done], probabilities[:done])
        if done < n:
            raise InputError(f"row {done}: class code {code} is out of range, at most {MAX_CLASSES} classes fit")

    def _checked(self, proba: np.ndarray | None, n: int) -> np.ndarray:
        if not needs_proba(self.metrics):
            return np.empty((0, 0))
        if proba is None:
            needy = next(name for name in self.metrics if needs_proba([name]))
            raise InputError(f"metric {needy!r} needs class probabilities: pass proba")
        array = owned(proba, np.float64)
        if array.ndim != 2 or len(array) != n:
            raise InputError(f"proba has shape {array.shape}: give one row of class probabilities for each of {n} rows")
        return array

    @property
    def n_known(self) -> int:
        """Classes known: one more than the highest code seen."""
        return int(self._arrays.numbers[kernels.KNOWN])

    @property
    def confusion(self) -> np.ndarray | None:
        """Weight by true (row) and predicted (column) class over the whole stream; None beyond 1,024 classes.

        Rows without a prediction are in no column, so a row of the matrix may sum to less than the class's support.
        """
        known = self.n_known
        return None if known > MAX_CONFUSION else self._arrays.confusion[:known, :known].copy()

    def per_class(self) -> dict[str, np.ndarray]:
        """Support, predicted weight, precision, recall and F1 of each class over the whole stream.

        Returns
        -------
        dict of float64 [n_known]
            Keys ``support``, ``predicted``, ``precision``, ``recall``, ``f1``; an undefined ratio is 0.
        """
        return _class_scores(self._arrays.tally[CUMULATIVE, 1 : self.n_known + 1])

    def class_curve(self) -> pa.Table:
        """Each class's scores over the window, at the points of `curve`.

        Returns
        -------
        pyarrow.Table
            ``row`` (int64), ``class`` (int64: its code), ``support``, ``predicted``, ``precision``, ``recall``, ``f1``
            (float64); a row for each of the first 50 classes that occurs or is predicted in the window.
        """
        rows, margins = self._point_rows(), self._arrays.class_points[: self._arrays.numbers[POINTS]]
        if len(rows) > len(margins):
            kernels.gather_class_window(self._packed)
            margins = np.concatenate([margins, self._arrays.tally[WINDOW, None, 1 : 1 + margins.shape[1]]])
        point, code = np.nonzero(margins[:, :, :2].any(axis=2))
        columns = {"row": rows[point], "class": code, **_class_scores(margins[point, code])}
        return pa.table({name: pa.array(column) for name, column in columns.items()})

    def calibration(self) -> list[dict[str, float]] | None:
        """How often the most probable class is the true one, by its probability, over the whole stream.

        Returns
        -------
        list of dict, or None where no metric of probabilities other than log_loss is measured
            Of each of 15 equal bins that holds any rows: ``low`` and ``high`` (its edges), ``weight``, ``confidence``
            (mean of the largest probability) and ``accuracy``.
        """
        return None if self._probabilities is None else self._probabilities.calibration()

    def state(self) -> dict[str, Any]:
        state = super().state()
        if self._probabilities is not None:
            state["arrays"] |= {name: part.copy() for name, part in self._probabilities.used().items()}
        return state

    def _now(self) -> np.ndarray:
        out = np.empty((len(VIEWS), len(self._arrays.wanted)))
        kernels.measure_classes(self._packed, out)
        return out if self._probabilities is None else self._woven(out, self._probabilities.now())

    def _points(self) -> np.ndarray:
        points = super()._points()
        return points if self._probabilities is None else self._woven(points, self._probabilities.points())

    def _woven(self, plain: np.ndarray, ranked: np.ndarray) -> np.ndarray:
        """Values of both kinds in the order of the metrics."""
        return np.concatenate([plain, ranked], axis=-1)[..., self._places]

    def _pack(self) -> None:
        self._packed = kernels.make_class_tally(self._arrays)

    def _rings(self) -> tuple[str, ...]:
        rings = ("label", "guess", "flags", "weight")
        return (*rings, "loss") if "log_loss" in self.metrics else rings

    def _used(self) -> dict[str, np.ndarray]:
        known = self.n_known
        inner = min(known, MAX_CONFUSION)
        return super()._used() | {
            "tally": self._arrays.tally[:WINDOW, : known + 1],
            "confusion": self._arrays.confusion[:inner, :inner],
            "class_points": self._arrays.class_points[: self._arrays.numbers[POINTS], :known],
        }

    def _load(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._load(arrays)
        known = self.n_known
        if self._probabilities is not None:
            points = int(self._arrays.numbers[POINTS])
            self._probabilities.load(arrays, labelled=self.labelled, points=points, known=known)
        if self._arrays.numbers[[kernels.MAJORITY, kernels.PREVIOUS]].max() > max(known - 1, 0):
            raise StateError("the state of the metrics is damaged: it names a class that it doesn't know")
        for name, lowest in (("label", 0), ("guess", -1)):
            ring = getattr(self._arrays, name)
            if ring.min() < lowest or ring.max() > max(known - 1, 0):
                raise StateError(f"the state of the metrics is damaged: {name} holds a class that it doesn't know")

    def _make_room(self, classes: int, points: int) -> None:
        a = self._arrays
        capacity, room = doubled(a.tally.shape[1] - 1, classes), doubled(len(a.class_points), points)
        inner = min(capacity, MAX_CONFUSION)
        if capacity > a.tally.shape[1] - 1 or room > len(a.class_points):
            self._arrays = a._replace(
                tally=padded(a.tally, 3, capacity + 1, 3),
                confusion=padded(a.confusion, inner, inner),
                class_points=padded(a.class_points, room, min(capacity, MAX_CLASS_CURVES), 3),
            )
        super()._make_room(classes, points)

    def _adopt(self, fresh: Self) -> None:
        super()._adopt(fresh)
        self._probabilities = fresh._probabilities


class RegressionMetrics(_Metrics):
    """Metrics of a regressor over a stream, in three views at once: cumulative, sliding window and fading.

    A prediction that isn't finite has no error: the row is left out of every metric and counted in `unpredicted`, which
    results show beside the metrics, since a learner that fails often must not look good by its other rows. The row
    still takes a place in the window, so that windows of different learners span the same rows.

    Parameters
    ----------
    metrics : iterable of str, optional
        Names from `METRICS`; default mae, rmse and r2.
    window : int >= 1
        Labelled rows in the sliding window.
    fading : float, 0.001 … 1
        Weight of a row relative to the next labelled row, in the fading view.
    every : int >= 1, optional
        Labelled rows between two points of the curve; default `window`.

    Examples
    --------
    >>> metrics = RegressionMetrics(metrics=["mae", "r2"])
    >>> metrics.update(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.0, 4.0, 9.0]))
    >>> metrics.values()["r2"], metrics.rows, metrics.labelled
    (0.5, 4, 3)
    """

    task = "regression"
    _order = kernels.REGRESSION
    _arrays: kernels.ValueTallyArrays

    def __init__(
        self,
        *,
        metrics: Iterable[str] | None = None,
        window: int = 1000,
        fading: float = 0.999,
        every: int | None = None,
    ) -> None:
        super().__init__(metrics, window, fading, every)
        self._arrays = kernels.ValueTallyArrays(
            **self._shared_arrays(declared=False),
            tally=np.zeros((3, 5)),
            target=np.zeros(self.window),
            error=np.zeros(self.window),
            weight=np.zeros(self.window),
        )
        self._pack()

    def update(self, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None) -> None:
        """Take in rows, in stream order; how they are cut into calls makes no difference.

        Parameters
        ----------
        y : float64 [n]
            Targets; NaN or infinite means no label, and the row is only counted.
        prediction : float64 [n]
            Predicted values; NaN or infinite means no prediction.
        weight : float64 [n], optional
            Row weights, finite and >= 0; default 1 each.

        Raises
        ------
        InputError
            If the arrays don't fit each other, or a weight is negative or not finite.
        """
        targets = column("y", y, np.float64)
        n = len(targets)
        predictions = column("prediction", prediction, np.float64, n)
        weights = row_weights(weight, n)
        done = kernels.observe_values(self._packed, targets, predictions, weights, 0)
        while done < n:
            self._make_room(0, int(self._arrays.numbers[kernels.POINTS]) + 1)
            done = kernels.observe_values(self._packed, targets, predictions, weights, done)

    def _now(self) -> np.ndarray:
        out = np.empty((len(VIEWS), len(self.metrics)))
        kernels.measure_values(self._packed, out)
        return out

    def _pack(self) -> None:
        self._packed = kernels.make_value_tally(self._arrays)

    def _rings(self) -> tuple[str, ...]:
        return ("target", "error", "weight")


def _class_scores(margins: np.ndarray) -> dict[str, np.ndarray]:
    """Support, predicted weight, precision, recall and F1 from margins, float64 ``[n, 3]``; an undefined ratio is 0."""
    support, predicted, hit = margins.T.copy()

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)

    return {
        "support": support,
        "predicted": predicted,
        "precision": ratio(hit, predicted),
        "recall": ratio(hit, support),
        "f1": ratio(2.0 * hit, support + predicted),
    }


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"{name} is {value!r}: give a whole number of rows, 1 or more")
    return int(value)
