"""Paging: which page leaves a full cache, with and without predictions."""

from .flush import BitLRU, Flush
from .hindsight import Hindsight, hindsight_bits
from .marking import Mark0
from .optimal import eta, next_arrivals, opt, phase_bits
from .queues import FIFO, LRU

__all__ = [
    "FIFO",
    "LRU",
    "BitLRU",
    "Flush",
    "Hindsight",
    "Mark0",
    "eta",
    "hindsight_bits",
    "next_arrivals",
    "opt",
    "phase_bits",
]
