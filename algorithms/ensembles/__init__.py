"""Learners made of learners: votes of many members, and how they are weighed."""

from .stacking import StackingClassifier

__all__ = ["StackingClassifier"]
"""Ensembles of Hoeffding trees."""

from .adaptive_random_forest import AdaptiveRandomForestClassifier
from .oza_bag import OzaBagClassifier

__all__ = ["AdaptiveRandomForestClassifier", "OzaBagClassifier"]
