"""Paging: which page leaves a full cache, with and without predictions."""

from .arc import ARC
from .clock import Clock, Sieve
from .flush import BitLRU, Flush
from .guard import Guard
from .lfu import LFU
from .marking import BitRand, Mark0, MarkAndPredict, Marker
from .optimal import eta, next_arrivals, opt, phase_bits
from .queues import FIFO, LRU
from .s3_fifo import S3FIFO
from .tiny_lfu import WTinyLFU

__all__ = [
    "ARC",
    "FIFO",
    "LFU",
    "LRU",
    "S3FIFO",
    "BitLRU",
    "BitRand",
    "Clock",
    "Flush",
    "Guard",
    "Mark0",
    "MarkAndPredict",
    "Marker",
    "Sieve",
    "WTinyLFU",
    "eta",
    "next_arrivals",
    "opt",
    "phase_bits",
]
