"""Learners made of learners: votes of many members, and how they are weighed."""

from .stacking import StackingClassifier

__all__ = ["StackingClassifier"]
