"""Paging: which page leaves a full cache, with and without predictions."""

from .arc import ARC
from .bit_predictor import OnlineBitPredictor
from .bit_queues import BitS3FIFO, BitSieve
from .clock import Clock, Sieve
from .combiners import DeterministicCombiner, WeightedCombiner
from .flush import BitLRU, Flush
from .guard import Guard
from .hindsight import Hindsight, hindsight_bits
from .learned_bit import LearnedBit
from .lfu import LFU
from .marking import BitRand, FlushRand, Mark0, MarkAndPredict, Marker
from .next_arrival import BlindOracle, LMarker, LNonMarker, PredictiveMarker
from .occurrence import arrival_bits, pleco, popu
from .one_bit_cache_learner import OneBitCacheLearner
from .online_min import OnlineMin
from .optimal import eta, next_arrivals, opt, phase_bits
from .queues import FIFO, LRU
from .s3_fifo import S3FIFO
from .tiny_lfu import WTinyLFU
from .trust_and_doubt import TrustAndDoubt

__all__ = [
    "ARC",
    "FIFO",
    "LFU",
    "LRU",
    "S3FIFO",
    "BitLRU",
    "BitRand",
    "BitS3FIFO",
    "BitSieve",
    "BlindOracle",
    "Clock",
    "DeterministicCombiner",
    "Flush",
    "FlushRand",
    "Guard",
    "Hindsight",
    "LMarker",
    "LNonMarker",
    "LearnedBit",
    "Mark0",
    "MarkAndPredict",
    "Marker",
    "OneBitCacheLearner",
    "OnlineBitPredictor",
    "OnlineMin",
    "PredictiveMarker",
    "Sieve",
    "TrustAndDoubt",
    "WTinyLFU",
    "WeightedCombiner",
    "arrival_bits",
    "eta",
    "hindsight_bits",
    "next_arrivals",
    "opt",
    "phase_bits",
    "pleco",
    "popu",
]
