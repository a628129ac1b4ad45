"""What tests of pipelines need: a stream in memory that fails where a test says, and a real Kafka on loopback."""

from .broker import MemoryBroker
from .kafka_broker import Broker
from .script import ABORT, EOF, GAP, Crash, Item, Lose, Quiet, Revoke
from .sink import MemorySink, Rows
from .source import MemorySource

__all__ = [
    "ABORT",
    "EOF",
    "GAP",
    "Broker",
    "Crash",
    "Item",
    "Lose",
    "MemoryBroker",
    "MemorySink",
    "MemorySource",
    "Quiet",
    "Revoke",
    "Rows",
]
