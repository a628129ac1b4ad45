"""Linear models: by stochastic gradient descent, the perceptron, and passive-aggressive ones."""

from .linear_regression import LinearRegression
from .logistic_regression import LogisticRegression
from .pa_classifier import PAClassifier
from .pa_regressor import PARegressor
from .perceptron import Perceptron

__all__ = ["LinearRegression", "LogisticRegression", "PAClassifier", "PARegressor", "Perceptron"]
