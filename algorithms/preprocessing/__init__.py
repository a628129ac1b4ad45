"""Transformers of numeric fields."""

from .min_max_scaler import MinMaxScaler
from .standard_scaler import StandardScaler

__all__ = ["MinMaxScaler", "StandardScaler"]
