"""Test doubles for pipelines: a stream in memory that crashes, rebalances and fails at the points that a test names."""

from .broker import MemoryBroker
from .script import ABORT, EOF, GAP, Crash, Item, Lose, Quiet, Revoke
from .sink import MemorySink
from .source import MemorySource

__all__ = [
    "ABORT",
    "EOF",
    "GAP",
    "Crash",
    "Item",
    "Lose",
    "MemoryBroker",
    "MemorySink",
    "MemorySource",
    "Quiet",
    "Revoke",
]
