"""Ensembles of Hoeffding trees."""

from .oza_bag import OzaBagClassifier

__all__ = ["OzaBagClassifier"]
