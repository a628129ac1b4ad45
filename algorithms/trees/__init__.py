"""Hoeffding trees."""

from .efdt import ExtremelyFastDecisionTreeClassifier
from .hat import HoeffdingAdaptiveTreeClassifier
from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView

__all__ = [
    "Explanation",
    "ExtremelyFastDecisionTreeClassifier",
    "HoeffdingAdaptiveTreeClassifier",
    "HoeffdingTreeClassifier",
    "TreeView",
]
