"""Learners made of learners: many members, and how their votes are weighed."""

from .adaptive_random_forest import AdaptiveRandomForestClassifier
from .oza_bag import OzaBagClassifier
from .stacking import StackingClassifier

__all__ = ["AdaptiveRandomForestClassifier", "OzaBagClassifier", "StackingClassifier"]
