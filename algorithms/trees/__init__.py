"""Hoeffding trees."""

from .adaptive_regression_tree import HoeffdingAdaptiveTreeRegressor
from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView
from .regression_tree import HoeffdingTreeRegressor

__all__ = [
    "Explanation",
    "HoeffdingAdaptiveTreeRegressor",
    "HoeffdingTreeClassifier",
    "HoeffdingTreeRegressor",
    "TreeView",
]
