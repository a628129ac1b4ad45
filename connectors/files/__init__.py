"""Readers of files: CSV, JSON lines, Parquet, Arrow IPC and ARFF, as Arrow record batches."""

from .blocks import BadRowError
from .reader import RecordReader, open_reader
from .source import FileSource

__all__ = ["BadRowError", "FileSource", "RecordReader", "open_reader"]
