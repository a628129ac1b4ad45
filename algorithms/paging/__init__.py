"""Paging: which page leaves a full cache, with and without predictions."""

from .bit_predictor import OnlineBitPredictor
from .flush import BitLRU, Flush
from .hindsight import Hindsight, hindsight_bits
from .learned_bit import LearnedBit
from .marking import Mark0
from .optimal import eta, next_arrivals, opt, phase_bits
from .queues import FIFO, LRU

__all__ = [
    "FIFO",
    "LRU",
    "BitLRU",
    "Flush",
    "Hindsight",
    "LearnedBit",
    "Mark0",
    "OnlineBitPredictor",
    "eta",
    "hindsight_bits",
    "next_arrivals",
    "opt",
    "phase_bits",
]
