"""Hoeffding trees."""

from .adaptive_regression_tree import HoeffdingAdaptiveTreeRegressor
from .efdt import ExtremelyFastDecisionTreeClassifier
from .hat import HoeffdingAdaptiveTreeClassifier
from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView
from .regression_tree import HoeffdingTreeRegressor

__all__ = [
    "Explanation",
    "ExtremelyFastDecisionTreeClassifier",
    "HoeffdingAdaptiveTreeClassifier",
    "HoeffdingAdaptiveTreeRegressor",
    "HoeffdingTreeClassifier",
    "HoeffdingTreeRegressor",
    "TreeView",
]
