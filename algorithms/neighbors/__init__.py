"""Nearest neighbours over a sliding window."""

from .knn_classifier import KNNClassifier
from .knn_regressor import KNNRegressor

__all__ = ["KNNClassifier", "KNNRegressor"]
