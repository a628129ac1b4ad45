"""Prequential metrics: what is measured while a learner is tested on each row before it learns it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from ..errors import OptionError, UnknownNameError

Task = Literal["classification", "regression"]
View = Literal["cumulative", "fading", "window"]
VIEWS: tuple[View, ...] = ("cumulative", "fading", "window")  # in the kernels' order
SUFFIX: Mapping[View, str] = MappingProxyType({"cumulative": "", "fading": "_fading", "window": "_window"})


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

NEED_PROBA = frozenset({"log_loss", "brier", "calibration_error", "roc_auc"})

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
    return not NEED_PROBA.isdisjoint(metrics)
