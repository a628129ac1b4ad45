"""Benchmark streams: what there is, where to get it, and whether a copy is whole."""

from .catalogue import Dataset, Status, data_directory, datasets, find, target_of, verify

__all__ = ["Dataset", "Status", "data_directory", "datasets", "find", "target_of", "verify"]
