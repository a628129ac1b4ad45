"""Prequential evaluation: metrics, results and their pictures."""

from .classification import ClassificationMetrics
from .comparing import compare
from .comparison import Comparison
from .metrics import METRICS, Metric, needs_proba
from .pairs import stream_pairs
from .plot import plot_confusion
from .prequential import evaluate
from .regression import RegressionMetrics
from .result import Result, Run, aggregate

__all__ = [
    "METRICS",
    "ClassificationMetrics",
    "Comparison",
    "Metric",
    "RegressionMetrics",
    "Result",
    "Run",
    "aggregate",
    "compare",
    "evaluate",
    "needs_proba",
    "plot_confusion",
    "stream_pairs",
]
