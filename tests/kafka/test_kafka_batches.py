"""The compiled checksum and layout of record batches, beside kafka-python's own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record._crc32c import crc
from kafka.record.default_records import DefaultRecordBatchBuilder
from streamlearn.connectors.kafka.kafka_python_batches import _columns
from streamlearn.connectors.kafka.kernels import crc32c, encode

from streamlearn.sink import Messages


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_the_checksum(data: bytes) -> None:
    assert crc32c(np.frombuffer(data, np.uint8)) == crc(data)
    assert crc32c(np.frombuffer(bytearray(data), np.uint8)) == crc(data)


def test_the_checksum_of_the_standard() -> None:
    assert crc32c(np.frombuffer(b"123456789", np.uint8)) == 0xE3069283


RECORDS = st.lists(
    st.tuples(st.binary(max_size=70) | st.binary(min_size=120, max_size=200), st.none() | st.binary(max_size=70)),
    min_size=1,
    max_size=80,
)


@settings(deadline=None)
@given(RECORDS, st.integers(0, 3_000_000), st.integers(0, 20_000), st.integers(200, 3000))
def test_the_layout(records: list[tuple[bytes, bytes | None]], delta: int, offset: int, room: int) -> None:
    values, keys = [value for value, _ in records], [key for _, key in records]
    theirs = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10**9)
    start = theirs.size()
    theirs._first_timestamp = theirs._max_timestamp = 1_700_000_000_000
    ends = [0]
    for row, (value, key) in enumerate(records):
        theirs.append(offset + row, 1_700_000_000_000 + delta, key, value, [])
        ends.append(theirs.size() - start)
    columns = _columns(Messages(values, keys))
    out = np.empty(room, np.uint8)
    written = bytearray()
    row = 0
    while row < len(records):
        size, count = encode(*columns, row, offset + row, delta, out)
        fits = max(place for place, end in enumerate(ends) if end - ends[row] <= room)
        assert (size, count) == (ends[fits] - ends[row], fits - row)
        if not count:
            return
        written += out[:size].data
        row += count
    assert written == theirs._buffer[start:]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), min_size=1, max_size=30))
def test_without_keys(values: list[bytes]) -> None:
    out, other = np.empty(5000, np.uint8), np.empty(5000, np.uint8)
    size, count = encode(*_columns(Messages(values)), 0, 0, 0, out)
    assert encode(*_columns(Messages(values, [None] * len(values))), 0, 0, 0, other) == (size, count)
    assert count == len(values)
    assert bytes(out[:size]) == bytes(other[:size])
