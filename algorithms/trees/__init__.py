"""Hoeffding trees."""

from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView
from .regression_tree import HoeffdingTreeRegressor

__all__ = ["Explanation", "HoeffdingTreeClassifier", "HoeffdingTreeRegressor", "TreeView"]
