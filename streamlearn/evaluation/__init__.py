"""Prequential evaluation: metrics, results and their pictures."""

from .metrics import METRICS, ClassificationMetrics, Metric, RegressionMetrics, needs_proba
from .plot import plot_confusion
from .prequential import evaluate
from .result import Result, Run, aggregate

__all__ = [
    "METRICS",
    "ClassificationMetrics",
    "Metric",
    "RegressionMetrics",
    "Result",
    "Run",
    "aggregate",
    "evaluate",
    "needs_proba",
    "plot_confusion",
]
