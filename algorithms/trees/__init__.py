"""Hoeffding trees."""

from .efdt import ExtremelyFastDecisionTreeClassifier
from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView

__all__ = ["Explanation", "ExtremelyFastDecisionTreeClassifier", "HoeffdingTreeClassifier", "TreeView"]
