"""Formats of live records: JSON, Avro, Arrow, and columns as a file has them."""

from .json import JsonFormat

__all__ = ["JsonFormat"]
