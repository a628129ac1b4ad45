"""Hands whole record batches to a kafka-python producer: its own way, record by record, takes ten times as long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from kafka.producer.producer_batch import ProducerBatch
from kafka.record import util
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from streamlearn.sink import Messages

from .kernels import crc32c, encode

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Values in a row, where each ends, keys in a row, where each ends, which records have one."""


def quicken() -> None:
    """Give kafka-python a compiled checksum where its optional package for that is not installed.

    In Python the checksum takes most of the time of reading and writing: 16 of 21 µs for a record of 200 bytes.
    """
    if util.crc32c_c is None:
        for empty in (b"", bytearray()):  # compiled, or loaded, now: not on the thread that the brokers wait for
            crc32c(np.frombuffer(empty, np.uint8))
        util.calc_crc32c.__defaults__ = (lambda view: crc32c(np.frombuffer(view, np.uint8)),)


class Batches:
    """Puts records into the producer's accumulator, from where its sender takes them: by partition, in order, once.

    Parameters
    ----------
    producer
        A ``kafka.KafkaProducer``, idempotent or transactional.
    failed
        Told of a batch that can't be delivered, on the producer's thread.
    """

    def __init__(self, producer: Any, failed: Callable[[BaseException], None]) -> None:
        self._producer = producer
        self._queue = producer._accumulator
        self._size = producer.config["batch_size"]
        self._largest = min(self._size, producer.config["max_request_size"])
        self._room = np.empty(self._size, np.uint8)
        self._failed = failed
        # A batch that the broker finds too large would be split in two, and `flush` then wait for the whole for ever.
        producer._sender._can_split = lambda batch, error: False

    def put(self, topic: str, number: int, messages: Messages) -> bool:
        """Take records of one partition; False if they are not for this: larger than a batch, or with headers."""
        if messages.headers is not None or _longest(messages) > self._largest - 1024:
            return False
        part = TopicPartition(topic, number)
        state = self._producer._transaction_manager
        if state.is_transactional():
            state.maybe_add_partition_to_transaction(part)  # raises if the producer is fenced, or in no transaction
        columns = _columns(messages)
        row = 0
        while row < len(messages):
            with self._queue._tp_lock(part):
                row += self._append(part, columns, row)
        self._producer._sender.wakeup()
        return True

    def _done(self, result: tuple[int, int, Callable[[int], BaseException] | None]) -> None:
        """What the client tells of a batch: its offset and its time, or what is wrong with each record."""
        if result[2] is not None:
            self._failed(result[2](0))

    def _append(self, part: TopicPartition, columns: Columns, row: int) -> int:
        """Records to the partition's last batch, or to a new one if they have no room there; how many."""
        waiting = self._queue._batches[part]
        if waiting and not waiting[-1].records._closed:
            count = self._fill(waiting[-1], columns, row)
            if count:
                return count
        made = ProducerBatch(part, MemoryRecordsBuilder(2, self._queue.config["compression_attrs"], self._size))
        made.produce_future.add_callback(self._done).add_errback(self._failed)
        count = self._fill(made, columns, row)
        waiting.append(made)
        self._queue._incomplete.add(made)
        return count

    def _fill(self, batch: ProducerBatch, columns: Columns, row: int) -> int:
        records = batch.records
        builder = records._builder
        now = int(time.time() * 1000)
        first = now if builder._first_timestamp is None else builder._first_timestamp
        room = self._room[: max(0, self._size - builder.size())]
        written, count = encode(*columns, row, records._next_offset, now - first, room)
        if count:
            builder._buffer += room[:written].data
            builder._first_timestamp = first
            builder._max_timestamp = max(now, builder._max_timestamp or now)
            builder._num_records += count
            records._next_offset += count
            builder._last_offset = records._next_offset - 1
            batch.max_record_size = max(batch.max_record_size, written)
            batch.last_append = time.monotonic()
        return count


def _longest(messages: Messages) -> int:
    return max(map(len, messages.values)) + max((len(key) for key in messages.keys or () if key is not None), default=0)


def _columns(messages: Messages) -> Columns:
    n = len(messages)
    values = np.frombuffer(b"".join(messages.values), np.uint8)
    value_ends = np.cumsum(np.fromiter(map(len, messages.values), np.int64, n))
    if messages.keys is None:
        return values, value_ends, np.frombuffer(b"", np.uint8), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    keyed = np.fromiter((key is not None for key in messages.keys), np.bool_, n)
    keys = [key or b"" for key in messages.keys]
    key_ends = np.cumsum(np.fromiter(map(len, keys), np.int64, n))
    return values, value_ends, np.frombuffer(b"".join(keys), np.uint8), key_ends, keyed
