"""Caches of pages: the contract of every policy, what policies are made of, and caches for Python programs."""

from .one_bit_cache import CachedFunction, CacheInfo, OneBitCache, one_bit_cache
from .policy import Access, Accesses, BagPolicy, CachePolicy, RingPolicy
from .synthetic import noisy_arrivals, wrong_bits

__all__ = [
    "Access",
    "Accesses",
    "BagPolicy",
    "CacheInfo",
    "CachePolicy",
    "CachedFunction",
    "OneBitCache",
    "RingPolicy",
    "noisy_arrivals",
    "one_bit_cache",
    "wrong_bits",
]
