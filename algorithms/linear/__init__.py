"""Linear models, learned by stochastic gradient descent."""

from .linear_regression import LinearRegression
from .logistic_regression import LogisticRegression

__all__ = ["LinearRegression", "LogisticRegression"]
