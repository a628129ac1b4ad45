"""Benchmark streams: what there is, where to get it, and whether a copy is whole."""

from .adding import Added, add
from .catalogue import Dataset, Status, data_directory, datasets, drifts_of, find, target_of, verify

__all__ = [
    "Added",
    "Dataset",
    "Status",
    "add",
    "data_directory",
    "datasets",
    "drifts_of",
    "find",
    "target_of",
    "verify",
]
