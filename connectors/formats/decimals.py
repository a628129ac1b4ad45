"""Decimal numbers in bytes, read as the nearest double, ties to even: as ``float`` reads them, compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.compiled import inlined

Place = Any
"""Of a byte: a uint64, since a signed index costs a comparison each time that Numba uses it."""

DIGITS = 19  # that fit 64 bits whatever they are
LARGEST = 60  # the greatest power of ten, up and down, for which there are factors here; other numbers are rare
_ZERO, _NINE, _MINUS, _PLUS, _POINT, _E = (np.uint8(ord(c)) for c in "09-+.E")
_NONE, _ONE, _BASE, _HALF, _LOW = (np.uint64(value) for value in (0, 1, 10, 32, 0xFFFFFFFF))
_LOWER = np.uint8(0x20)
_EXACT = np.uint64(1 << 53)
_SPARE = np.uint64((1 << 9) - 1)  # bits of a product's upper half that are behind a double's and the one to round by


def _factors() -> np.ndarray:
    """128 bits of each power of five, upper and lower half, the first bit set; rounded up where it is no integer."""
    table = np.zeros((2 * LARGEST + 1, 2), np.uint64)
    for power in range(-LARGEST, LARGEST + 1):
        five = 5 ** abs(power)
        bits = (five - 1).bit_length()
        if power < -27:
            factor = (1 << (2 * bits + 128)) // five + 1
            factor >>= factor.bit_length() - 128
        elif power < 0:
            factor = (1 << (bits + 127)) // five + 1
        else:
            factor = five << (128 - five.bit_length()) if five < 1 << 128 else five >> (five.bit_length() - 128)
        table[power + LARGEST] = factor >> 64, factor & (1 << 64) - 1
    return table


_FACTORS = _factors()
_TENS = np.array([10.0**power for power in range(23)])  # exact


@inlined
def _product(a: Any, b: Any) -> tuple[Any, Any]:
    """All 128 bits of a product of unsigned numbers, upper and lower half."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    one = a_high * b_low + ((a_low * b_low) >> _HALF)
    other = a_low * b_high + (one & _LOW)
    return a_high * b_high + (one >> _HALF) + (other >> _HALF), a * b


@inlined
def _nearest(digits: Any, power: int) -> float:
    """``digits * 10**power`` for a power up to `LARGEST`; digits > 0 (Lemire, 2021, "Number parsing at a gigabyte per
    second", after Eisel). Of such powers there are no subnormal and no infinite results."""
    shift = 0
    while digits < np.uint64(1 << 56):
        digits <<= np.uint64(8)
        shift += 8
    while digits < np.uint64(1 << 63):
        digits <<= _ONE
        shift += 1
    place = np.uint64(power + LARGEST)
    high, low = _product(digits, _FACTORS[place, 0])
    if high & _SPARE == _SPARE:  # the lower half of the factor may decide
        carry, _ = _product(digits, _FACTORS[place, 1])
        low += carry
        if low < carry:
            high += _ONE
    top: Any = np.int64(high >> np.uint64(63))
    spare = np.uint64(top + 9)
    mantissa = high >> spare
    if low <= _ONE and -4 <= power <= 23 and mantissa & np.uint64(3) == _ONE and mantissa << spare == high:
        mantissa &= ~_ONE  # just between two doubles: to the even one
    mantissa = (mantissa + (mantissa & _ONE)) >> _ONE
    exponent = (217706 * power >> 16) + 63 - 52 + top - shift  # 217706 / 2**16 is log2(10)
    return math.ldexp(float(mantissa), exponent)


@inlined
def number(data: np.ndarray, at: Place, end: Place) -> tuple[Place, float]:
    """Read a number as JSON writes it.

    Parameters
    ----------
    data : uint8
        Text.
    at, end : uint64
        Where the number begins, and where the text ends.

    Returns
    -------
    end, value
        Where it ends; 0 if there is none, or one of a kind that is left to others: minus zero, more than `DIGITS`
        digits, a power of ten beyond `LARGEST`.
    """
    negative = at < end and data[at] == _MINUS
    if negative:
        at += _ONE
    power: Any = 0
    first, digits = at, np.uint64(0)
    while at < end and _ZERO <= data[at] <= _NINE:
        digits = digits * _BASE + np.uint64(data[at] - _ZERO)
        at += _ONE
    if at == first or (data[first] == _ZERO and at - first > _ONE):
        return _NONE, 0.0
    count = np.int64(at - first)
    if at < end and data[at] == _POINT:
        at += _ONE
        point = at
        while at < end and _ZERO <= data[at] <= _NINE:
            digits = digits * _BASE + np.uint64(data[at] - _ZERO)
            at += _ONE
        if at == point:
            return _NONE, 0.0
        power = -np.int64(at - point)
        count -= power
    if count > DIGITS:  # zeros in front are not digits that count
        while first < at and (data[first] == _ZERO or data[first] == _POINT):
            count -= data[first] == _ZERO
            first += _ONE
        if count > DIGITS:
            return _NONE, 0.0
    if at < end and data[at] & ~_LOWER == _E:
        at += _ONE
        down = at < end and data[at] == _MINUS
        if at < end and (down or data[at] == _PLUS):
            at += _ONE
        tens: Any = 0
        point = at
        while at < end and _ZERO <= data[at] <= _NINE:
            tens = min(tens * 10 + np.int64(data[at] - _ZERO), 10_000)
            at += _ONE
        if at == point:
            return _NONE, 0.0
        power += -tens if down else tens
    if digits == np.uint64(0):
        return (_NONE if negative else at), 0.0
    if digits <= _EXACT and -22 <= power <= 22:
        value: Any = np.float64(np.int64(digits))
        value = value / _TENS[np.uint64(-power)] if power < 0 else value * _TENS[np.uint64(power)]
    elif -LARGEST <= power <= LARGEST:
        value = _nearest(digits, power)
    else:
        return _NONE, 0.0
    return at, -value if negative else value
