"""Reads JSON objects of plain values into columns: what nearly all records of a stream are like, and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import inlined, kernel

from .decimals import Place, number

NUMBER, CATEGORY, CLASS, VALUE, ID, TIME, WEIGHT, KEY, NULL = range(9)
"""What a member is: a numeric field, a nominal one, the target as a class or as a number, and the other roles; or an
unknown field that was always null."""

ABSENT, TEXT, INTEGER = range(3)
"""What stands for an id or a key."""

_PROBES = 16  # places of a word to look at, at most: a table that somebody filled with collisions finds less, no slower
_BRACE, _END, _QUOTE, _COLON, _COMMA, _ESCAPE, _MINUS = (np.uint8(ord(c)) for c in '{}":,\\-')
_ZERO, _NINE, _N, _SPACE, _FIRST, _ASCII = (np.uint8(code) for code in (0x30, 0x39, 0x6E, 0x20, 0x20, 0x80))
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)

# Places of bytes; no value of a record is at 0.
_NONE, _ONE, _FOUR, _FIVE = (np.uint64(value) for value in (0, 1, 4, 5))
_DIGITS = np.uint64(18)  # of an integer that fits 64 bits whatever they are


class Members(NamedTuple):
    """What an object may have.

    Attributes
    ----------
    kind, column : int64 [m]
        What each member is, and the column of a field.
    name : uint8
        All names, one after the other, as they stand in a record, each with its closing quote.
    start : uint64 [m + 1]
        Where each name begins in these.
    seen : int64 [m]
        The last record that had it; for duplicates.
    after : int64 [m + 1]
        Which came last after each, and, at the end, first: mostly it comes again.
    """

    kind: np.ndarray
    column: np.ndarray
    name: np.ndarray
    start: np.ndarray
    seen: np.ndarray
    after: np.ndarray


class Words(NamedTuple):
    """A hash table of the values that a category or a class may have, as they stand in a record, quotes included.

    Attributes
    ----------
    slot : int64 [2**k]
        A word's number, or -1.
    text : uint8
        All words, one after the other.
    start, stop : uint64
        Where each word is in these.
    member, code : int64
        Whose value it is, and what it means.
    """

    slot: np.ndarray
    text: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    member: np.ndarray
    code: np.ndarray


class Names(NamedTuple):
    """A column of ids or keys: what each is, where its text is, or which integer it is."""

    kind: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    integer: np.ndarray


class Columns(NamedTuple):
    """What comes of records: rows without gaps, and which record each came from."""

    row: np.ndarray
    X: np.ndarray
    code: np.ndarray
    value: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    id: Names
    key: Names


@inlined
def _blank(data: np.ndarray, at: Place, end: Place) -> Place:
    """Where white space ends."""
    while at < end and data[at] <= _SPACE and (data[at] == _SPACE or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += _ONE
    return at


@inlined
def _text(data: np.ndarray, at: Place, end: Place) -> Place:
    """The closing quote of a text that is plain ASCII, from behind the opening one; 0 if it is not."""
    while at < end and data[at] != _QUOTE:
        if data[at] == _ESCAPE or data[at] < _FIRST or data[at] >= _ASCII:
            return _NONE
        at += _ONE
    return at if at < end else _NONE


@inlined
def _token(data: np.ndarray, at: Place, end: Place) -> Place:
    """The end of a value that is neither an object nor an array; 0 if it has escapes or is not closed."""
    if data[at] != _QUOTE:
        while at < end and data[at] != _COMMA and data[at] != _END and data[at] > _SPACE:
            at += _ONE
        return at
    at += _ONE
    while at < end and data[at] != _QUOTE:
        if data[at] == _ESCAPE:
            return _NONE
        at += _ONE
    return at + _ONE if at < end else _NONE


@inlined
def _same(a: np.ndarray, at: Place, b: np.ndarray, start: Place, stop: Place) -> bool:
    while start < stop and a[at] == b[start]:
        at += _ONE
        start += _ONE
    return start == stop


@inlined
def _is(data: np.ndarray, at: Place, end: Place, word: bytes) -> bool:
    if end - at < np.uint64(len(word)):
        return False
    same = True
    for i in range(len(word)):
        same &= data[at + np.uint64(i)] == word[i]
    return same


@inlined
def _slot(text: np.ndarray, start: Place, stop: Place, member: int, size: int) -> Any:
    """Where in a table to begin to look for a word (Fowler, Noll and Vo's hash, 1a)."""
    hash = (_BASIS ^ np.uint64(member)) * _PRIME
    for i in range(start, stop):
        hash = (hash ^ np.uint64(text[i])) * _PRIME
    return np.int64((hash ^ hash >> np.uint64(32)) & np.uint64(size - 1))


@inlined
def _code(words: Words, data: np.ndarray, start: Place, stop: Place, member: int) -> int:
    """What a word means as the value of a member; -1 if that is not known."""
    size = words.slot.size
    at = _slot(data, start, stop, member, size)
    for _ in range(_PROBES):
        word = words.slot[at]
        if word < 0:
            return -1
        if (
            words.member[word] == member
            and words.stop[word] - words.start[word] == stop - start
            and _same(data, start, words.text, words.start[word], words.stop[word])
        ):
            return int(words.code[word])
        at = (at + 1) & (size - 1)
    return -1


@kernel
def enter(words: Words, first: int, last: int) -> None:
    """Put words ``first … last-1`` into the table; one that finds no place soon enough is left out."""
    size = words.slot.size
    for word in range(first, last):
        at = _slot(words.text, words.start[word], words.stop[word], words.member[word], size)
        for _ in range(_PROBES):
            if words.slot[at] < 0:
                words.slot[at] = word
                break
            at = (at + 1) & (size - 1)


@inlined
def _name(data: np.ndarray, at: Place, end: Place, names: Names, row: int) -> Place:
    """Read an id or a key other than null; where it ends, 0 if it is unusual."""
    if data[at] == _QUOTE:
        stop = _text(data, at + _ONE, end)
        if stop == _NONE:
            return _NONE
        names.kind[row], names.start[row], names.stop[row] = TEXT, at + _ONE, stop
        return stop + _ONE
    negative = data[at] == _MINUS
    if negative:
        at += _ONE
    integer: Any = 0
    first = at
    while at < end and _ZERO <= data[at] <= _NINE and at - first < _DIGITS:
        integer = integer * 10 + np.int64(data[at] - _ZERO)
        at += _ONE
    if at == first or (data[first] == _ZERO and (at - first > _ONE or negative)):
        return _NONE
    names.kind[row], names.integer[row] = INTEGER, -integer if negative else integer
    return at  # what may not follow an integer is found by whoever looks for the comma


@kernel
def scan(
    data: np.ndarray,
    ends: np.ndarray,
    members: Members,
    words: Words,
    rules: tuple[bool, bool, bool, bool, int],
    latest: float,
    out: Columns,
) -> int:
    """Read records that are plain; others are passed over.

    A record is plain if it is an object of numbers, texts, literals and nulls, all of whose members are known and whose
    values are of their kinds; texts without escapes; categories, classes and names as they were seen before. Whatever
    is taken is just what a careful decoder makes of it.

    Parameters
    ----------
    data : uint8
        All records, one after the other.
    ends : uint64 [n]
        Where each ends.
    members
        What they may have.
    words
        Categories and classes.
    rules
        Whether unknown members are passed over; whether all fields must be there; whether the label must; whether the
        key must; and how many members are fields.
    latest
        The greatest absolute value of a time.
    out
        Columns with room for all.

    Returns
    -------
    int
        How many rows there are.
    """
    lenient, complete, labelled, keyed, n_fields = rules
    kinds, columns, names, starts, seen, after = members
    rows, X, codes, values, times, weights, ids, keys = out
    m = kinds.size
    seen[:] = -1
    row = 0
    for record in range(ends.size):
        at, end = (ends[record - 1] if record else _NONE), ends[record]
        X[row, :] = np.nan
        codes[row], values[row], times[row], weights[row] = -1, np.nan, np.nan, 1.0
        ids.kind[row] = keys.kind[row] = ABSENT
        fields, has_label, before = 0, False, m
        at = _blank(data, at, end)
        good = at < end and data[at] == _BRACE
        at += _ONE
        while good:
            at = _blank(data, at, end)
            if at >= end or data[at] != _QUOTE:
                good = False
                break
            at += _ONE
            member, tried = after[before], 0
            while tried <= m:  # first the one that came here last time, then all
                length = starts[member + 1] - starts[member]
                if length <= end - at and _same(data, at, names, starts[member], starts[member + 1]):
                    break
                member = tried
                tried += 1
            if member < m:
                at += starts[member + 1] - starts[member]
                after[before] = before = member
                if seen[member] == record:
                    good = False
                    break
                seen[member] = record
                kind = kinds[member]
                fields += kind in (NUMBER, CATEGORY)
            else:
                at = _text(data, at, end)
                if not lenient or at == _NONE:
                    good = False
                    break
                at += _ONE
                kind = -1
            at = _blank(data, at, end)
            if at >= end or data[at] != _COLON:
                good = False
                break
            at = _blank(data, at + _ONE, end)
            if at >= end:
                good = False
            elif data[at] == _N:
                good = _is(data, at, end, b"null") and kind != WEIGHT and kind != KEY
                at += _FOUR
            elif kind == NUMBER:
                at, X[row, columns[member]] = number(data, at, end)
                good = at != _NONE
            elif kind in (CATEGORY, CLASS):
                stop = _token(data, at, end)
                code = _code(words, data, at, stop, member) if stop != _NONE else -1
                good = code >= 0
                if kind == CLASS:
                    codes[row], has_label = code, True
                else:
                    X[row, columns[member]] = code
                at = stop
            elif kind == ID:
                at = _name(data, at, end, ids, row)
                good = at != _NONE
            elif kind == KEY:
                at = _name(data, at, end, keys, row)
                good = at != _NONE
            elif kind == TIME:
                at, times[row] = number(data, at, end)
                good = at != _NONE and abs(times[row]) <= latest
            elif kind == VALUE:
                at, values[row] = number(data, at, end)
                good = at != _NONE
                has_label = True
            elif kind == WEIGHT:
                at, weights[row] = number(data, at, end)
                good = at != _NONE and weights[row] >= 0
            elif kind == NULL:
                good = False
            elif data[at] == _QUOTE:
                at = _text(data, at + _ONE, end)
                good = at != _NONE
                at += _ONE
            elif _is(data, at, end, b"true"):
                at += _FOUR
            elif _is(data, at, end, b"false"):
                at += _FIVE
            else:
                at, _ = number(data, at, end)
                good = at != _NONE
            if not good:
                break
            at = _blank(data, at, end)
            if at < end and data[at] == _END:
                break
            good = at < end and data[at] == _COMMA
            at += _ONE
        good = good and _blank(data, at + _ONE, end) == end
        if complete:
            good = good and fields == n_fields
        if labelled:
            good = good and has_label
        if keyed:
            good = good and keys.kind[row] != ABSENT
        if good:
            rows[row] = record
            row += 1
    return row


@kernel
def gather(data: np.ndarray, names: Names, rows: int, out: np.ndarray, ends: np.ndarray) -> int:
    """Put the texts of a column one after the other; how many rows have one.

    Parameters
    ----------
    data : uint8
        The records.
    names
        Their names.
    rows
        How many.
    out : uint8
        As long as all texts together.
    ends : int32 [rows + 1]
        Where each text ends; the first is 0.
    """
    at = texts = 0
    ends[0] = 0
    for row in range(rows):
        if names.kind[row] == TEXT:
            texts += 1
            for i in range(names.start[row], names.stop[row]):
                out[at] = data[i]
                at += 1
        ends[row + 1] = at
    return texts
