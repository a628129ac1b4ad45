"""Anomaly detectors: rows without labels become scores."""

from .half_space_trees import HalfSpaceTrees

__all__ = ["HalfSpaceTrees"]
