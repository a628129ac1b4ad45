"""Caches of pages: the contract of every policy, and what policies are made of."""

from .policy import Access, Accesses, BagPolicy, CachePolicy, RingPolicy

__all__ = ["Access", "Accesses", "BagPolicy", "CachePolicy", "RingPolicy"]
