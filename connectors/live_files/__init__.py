"""Files as live streams: JSON lines and Parquet read while they grow, and written so that a crash leaves no trace."""

from .console import ConsoleSink
from .sink import FileSink
from .source import LiveFileSource

__all__ = ["ConsoleSink", "FileSink", "LiveFileSource"]
