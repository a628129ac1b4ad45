"""Ensembles of Hoeffding trees."""

from .leveraging_bagging import LeveragingBaggingClassifier
from .online_smooth_boost import OnlineSmoothBoostClassifier
from .oza_bag import OzaBagClassifier
from .oza_boost import OzaBoostClassifier

__all__ = [
    "LeveragingBaggingClassifier",
    "OnlineSmoothBoostClassifier",
    "OzaBagClassifier",
    "OzaBoostClassifier",
]
