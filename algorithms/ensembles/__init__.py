"""Learners made of learners: many members, and how their votes are weighed."""

from .adaptive_random_forest import AdaptiveRandomForestClassifier
from .adaptive_random_forest_regressor import AdaptiveRandomForestRegressor
from .drift_moe import DriftMoEClassifier
from .leveraging_bagging import LeveragingBaggingClassifier
from .online_smooth_boost import OnlineSmoothBoostClassifier
from .oza_bag import OzaBagClassifier
from .oza_boost import OzaBoostClassifier
from .stacking import StackingClassifier
from .streaming_random_patches import StreamingRandomPatchesClassifier

__all__ = [
    "AdaptiveRandomForestClassifier",
    "AdaptiveRandomForestRegressor",
    "DriftMoEClassifier",
    "LeveragingBaggingClassifier",
    "OnlineSmoothBoostClassifier",
    "OzaBagClassifier",
    "OzaBoostClassifier",
    "StackingClassifier",
    "StreamingRandomPatchesClassifier",
]
