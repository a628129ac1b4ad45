"""Hoeffding trees."""

from .hoeffding_tree import HoeffdingTreeClassifier
from .inspection import Explanation, TreeView

__all__ = ["Explanation", "HoeffdingTreeClassifier", "TreeView"]
