"""A comparison as one HTML page that needs no other file."""

from .page import write_report

__all__ = ["write_report"]
