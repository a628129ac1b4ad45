"""Search for hyper-parameters over a stream."""

from .result import Trial, Tuning
from .search import tune
from .space import Range

__all__ = ["Range", "Trial", "Tuning", "tune"]
