"""Clusterers: rows without labels become groups."""

from .k_means import KMeans

__all__ = ["KMeans"]
