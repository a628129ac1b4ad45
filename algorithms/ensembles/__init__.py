"""Ensembles of Hoeffding trees."""

from .drift_moe import DriftMoEClassifier
from .oza_bag import OzaBagClassifier

__all__ = ["DriftMoEClassifier", "OzaBagClassifier"]
