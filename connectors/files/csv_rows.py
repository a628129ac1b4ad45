"""Finds where rows of CSV end: a newline within quotes does not end one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

QUOTE = b'"'
NEWLINE = b"\n"
BLANK_LINES = rb"(?:\r?\n)*+"


class RowEnds:
    """Where rows end, for one delimiter; blank lines belong to the row before them.

    A quote counts at the start of a value only, as it does for Arrow. Where all quotes stand so (`_is_regular`), their
    parity tells whether a newline ends a row; otherwise, as in ``5" pipe``, rows are matched one by one.

    Parameters
    ----------
    delimiter
        One ASCII character.
    """

    def __init__(self, delimiter: str) -> None:
        self._before_quotes = np.frombuffer(delimiter.encode() + NEWLINE + QUOTE, np.uint8)
        end = re.escape(delimiter.encode())
        other = rb"[^\n" + end + rb"]"
        value = rb'(?:"(?:[^"]++|"")*+"' + other + rb'*+|(?!")' + other + rb"*+)"
        self._row = re.compile(BLANK_LINES + value + rb"(?:" + end + value + rb")*+\n" + BLANK_LINES)

    def each(self, rows: bytes) -> Iterator[int]:
        """Where each row ends; the data begin with a row, and what is not a whole row at their end does not count."""
        row = self._row.match(rows)
        while row:
            yield row.end()
            row = self._row.match(rows, row.end())

    def last(self, data: bytes) -> int:
        """Where the last whole row ends; 0 if none does."""
        if QUOTE not in data:
            return data.rfind(NEWLINE) + 1
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == QUOTE[0])
        if not self._is_regular(data, quotes):
            return max(self.each(data), default=0)
        end = data.rfind(NEWLINE) + 1
        while (before := int(np.searchsorted(quotes, end))) % 2:  # within quotes: look before the one that opens
            end = data.rfind(NEWLINE, 0, int(quotes[before - 1])) + 1
        return end

    def middle(self, rows: bytes) -> int:
        """Where some row near the middle ends; 0 or the length if there is one row only."""
        middle = 0
        for end in self.each(rows):
            if end == len(rows) and middle:
                break
            middle = end
            if 2 * end >= len(rows):
                break
        return middle

    def _is_regular(self, data: bytes, quotes: np.ndarray) -> bool:
        """Whether each quote that opens, by parity, starts a value, or is the second of a doubled quote."""
        opening = quotes[::2]
        if opening[0] == 0:
            opening = opening[1:]
        return bool(np.isin(np.frombuffer(data, np.uint8)[opening - 1], self._before_quotes).all())
