"""The command line: ``streamlearn evaluate | list | describe | inspect | data | doctor``."""

from .app import main

__all__ = ["main"]
