"""Naive Bayes."""

from .naive_bayes import NaiveBayes

__all__ = ["NaiveBayes"]
