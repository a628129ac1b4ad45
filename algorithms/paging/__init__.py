"""Paging: which page leaves a full cache, with and without predictions."""

from .flush import BitLRU, Flush
from .marking import Mark0
from .optimal import eta, next_arrivals, opt, phase_bits
from .queues import FIFO, LRU

__all__ = ["FIFO", "LRU", "BitLRU", "Flush", "Mark0", "eta", "next_arrivals", "opt", "phase_bits"]
