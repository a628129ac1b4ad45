"""Ensembles of Hoeffding trees."""

from .adaptive_random_forest import AdaptiveRandomForestClassifier
from .adaptive_random_forest_regressor import AdaptiveRandomForestRegressor
from .oza_bag import OzaBagClassifier

__all__ = ["AdaptiveRandomForestClassifier", "AdaptiveRandomForestRegressor", "OzaBagClassifier"]
