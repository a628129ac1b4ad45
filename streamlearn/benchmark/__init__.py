"""The drift benchmark: many learners on many streams with many seeds, cell by cell, beside what a paper published."""

from .board import Board
from .run import drift

__all__ = ["Board", "drift"]
