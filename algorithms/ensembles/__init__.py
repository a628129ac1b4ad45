"""Ensembles of Hoeffding trees."""

from .adaptive_random_forest import AdaptiveRandomForestClassifier
from .leveraging_bagging import LeveragingBaggingClassifier
from .online_smooth_boost import OnlineSmoothBoostClassifier
from .oza_bag import OzaBagClassifier
from .oza_boost import OzaBoostClassifier
from .streaming_random_patches import StreamingRandomPatchesClassifier

__all__ = [
    "AdaptiveRandomForestClassifier",
    "LeveragingBaggingClassifier",
    "OnlineSmoothBoostClassifier",
    "OzaBagClassifier",
    "OzaBoostClassifier",
    "StreamingRandomPatchesClassifier",
]
