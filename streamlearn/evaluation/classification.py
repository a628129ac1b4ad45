"""The metrics of classifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pyarrow as pa

from ..errors import InputError, OptionError, StateError
from ..schema import MAX_CLASSES
from . import kernels
from .arrays import column, doubled, owned, padded, row_weights
from .kernels import CUMULATIVE, POINTS, WINDOW
from .metrics import VIEWS, needs_proba
from .probabilities import Probabilities
from .probability_kernels import PROBABILITY
from .views import FIRST_POINTS, Metrics

FIRST_CAPACITY = 8
MAX_CLASS_CURVES = 50  # classes; pictures of more say nothing
MAX_CONFUSION = 1024  # classes; a larger confusion matrix would cost more memory than most learners


class ClassificationMetrics(Metrics):
    """Metrics of a classifier over a stream, in three views at once: cumulative, sliding window and fading.

    Kappa, kappa-M and kappa-temporal are those of MOA's evaluator: kappa-M compares with a majority-class predictor
    that has already counted the current label, kappa-temporal with "the same label again" (at the first row: class 0).
    In the window and in the fading view these two predictors still run over the whole stream; the rows that they get
    right are windowed or faded. A kappa is NaN where its chance predictor is always right. Precision, recall and F1
    follow scikit-learn with ``zero_division=0``, over the classes seen in labels or predictions of that view.

    The metrics of probabilities scale each row to sum to 1. The Brier score is the plain sum of squares over classes, 0
    to 2 (some halve it for two classes). The AUC is the mean over the classes that have both own and other rows in a
    view, each against all others; with two classes that is the usual area. Over the window it is exact. The other
    views, whose rows aren't kept, count probabilities that differ by less than about 1 in 64, relative to the nearer of
    0 and 1, as tied: their areas were within 0.0002 of the exact ones wherever we compared. It is NaN where no class
    has both, and for more than 128 classes. The calibration error is Guo's, over 15 equal bins of the largest
    probability; of equal ones the first class counts.

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
    of streaming data with temporal dependence. Machine Learning 98 (kappa-temporal). Brzezinski, D., Stefanowski, J.
    (2017). Prequential AUC. Knowledge and Information Systems 52. Guo, C. et al. (2017). On calibration of modern
    neural networks. ICML (calibration error).
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
