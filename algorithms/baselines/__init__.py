"""Learners that ignore the fields: what every other learner has to beat."""

from .no_change import NoChangeClassifier
from .prior import PriorClassifier

__all__ = ["NoChangeClassifier", "PriorClassifier"]
