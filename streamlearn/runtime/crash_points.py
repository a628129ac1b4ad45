"""Places at which a test may kill the process, named by ``STREAMLEARN_CRASH_AT=<point>:<n>``."""

from __future__ import annotations


def reach(point: str) -> None:
    """Nothing, outside of tests."""
