"""What kafka-python does byte by byte in Python, compiled: the checksum and the layout of record batches."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import inlined, kernel


def _tables() -> np.ndarray:
    """Eight tables for eight bytes at a time: row ``k`` is the effect of a byte that has ``k`` bytes behind it."""
    tables = np.zeros((8, 256), np.uint32)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)  # Castagnoli's polynomial, reflected
        tables[0, byte] = crc
    for row in range(1, 8):
        tables[row] = tables[0, tables[row - 1] & 0xFF] ^ (tables[row - 1] >> 8)
    return tables


_TABLES = _tables()


@kernel
def crc32c(data: np.ndarray) -> int:
    """CRC-32C of bytes (uint8 [n]), eight at a time (Kounavis and Berry, 2005, "slicing by eight")."""
    crc = np.uint32(0xFFFFFFFF)
    at, n = 0, data.size
    while at + 8 <= n:
        low = (
            np.uint32(data[at])
            | np.uint32(data[at + 1]) << np.uint32(8)
            | np.uint32(data[at + 2]) << np.uint32(16)
            | np.uint32(data[at + 3]) << np.uint32(24)
        ) ^ crc
        crc = (
            _TABLES[7, low & np.uint32(0xFF)]
            ^ _TABLES[6, (low >> np.uint32(8)) & np.uint32(0xFF)]
            ^ _TABLES[5, (low >> np.uint32(16)) & np.uint32(0xFF)]
            ^ _TABLES[4, low >> np.uint32(24)]
            ^ _TABLES[3, data[at + 4]]
            ^ _TABLES[2, data[at + 5]]
            ^ _TABLES[1, data[at + 6]]
            ^ _TABLES[0, data[at + 7]]
        )
        at += 8
    while at < n:
        crc = _TABLES[0, (crc ^ np.uint32(data[at])) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
        at += 1
    return int(crc ^ np.uint32(0xFFFFFFFF))


@inlined
def _varint(out: np.ndarray, at: int, value: int) -> int:
    """Write a signed number, zigzag, seven bits a byte; where the next byte goes."""
    rest = np.uint64((value << 1) ^ (value >> 63))
    while rest >= np.uint64(0x80):
        out[at] = np.uint8(rest & np.uint64(0x7F)) | np.uint8(0x80)
        rest >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(rest)
    return at + 1


@inlined
def _width(value: int) -> int:
    """How many bytes `_varint` writes."""
    rest = np.uint64((value << 1) ^ (value >> 63))
    bytes_ = 1
    while rest >= np.uint64(0x80):
        rest >>= np.uint64(7)
        bytes_ += 1
    return bytes_


@kernel
def encode(
    values: np.ndarray,
    value_ends: np.ndarray,
    keys: np.ndarray,
    key_ends: np.ndarray,
    keyed: np.ndarray,
    first: int,
    offset: int,
    delta: int,
    out: np.ndarray,
) -> tuple[int, int]:
    """Lay out records of a batch (message format 2, records without headers), as many as there is room for.

    Parameters
    ----------
    values, keys : uint8
        All values, all keys, each in a row.
    value_ends, key_ends : int64 [n]
        Where each ends in these.
    keyed : bool [n]
        Which records have a key.
    first
        The first record to lay out.
    offset
        Its place in the batch.
    delta
        Milliseconds from the batch's first record.
    out : uint8
        Where they go.

    Returns
    -------
    bytes, records
        How many were written.
    """
    at, row = 0, first
    while row < value_ends.size:
        value_start = value_ends[row - 1] if row else 0
        key_start = key_ends[row - 1] if row else 0
        value_length, key_length = value_ends[row] - value_start, key_ends[row] - key_start
        place = offset + row - first
        body = 2 + _width(delta) + _width(place) + _width(value_length) + value_length  # attributes, no headers
        body += _width(key_length) + key_length if keyed[row] else 1
        if at + _width(body) + body > out.size:
            break
        at = _varint(out, at, body)
        out[at] = 0
        at = _varint(out, at + 1, delta)
        at = _varint(out, at, place)
        at = _varint(out, at, key_length if keyed[row] else -1)
        out[at : at + key_length] = keys[key_start : key_ends[row]]
        at = _varint(out, at + key_length, value_length)
        out[at : at + value_length] = values[value_start : value_ends[row]]
        at += value_length
        out[at] = 0
        at += 1
        row += 1
    return at, row - first
