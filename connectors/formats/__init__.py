"""Formats of live records: JSON, Avro, Arrow, and columns as a file has them."""

from .arrow import ArrowFormat
from .avro import AvroFormat
from .json import JsonFormat
from .table import TableFormat

__all__ = ["ArrowFormat", "AvroFormat", "JsonFormat", "TableFormat"]
