"""Caches of pages: the contract of every policy, what policies are made of, and caches for Python programs."""

from .one_bit_cache import CachedFunction, CacheInfo, OneBitCache, one_bit_cache
from .policy import Access, Accesses, BagPolicy, CachePolicy, RingPolicy

__all__ = [
    "Access",
    "Accesses",
    "BagPolicy",
    "CacheInfo",
    "CachePolicy",
    "CachedFunction",
    "OneBitCache",
    "RingPolicy",
    "one_bit_cache",
]
