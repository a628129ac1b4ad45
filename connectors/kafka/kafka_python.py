"""The Kafka client kafka-python (no compiled code) behind the port."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, Self

import kafka
import kafka.errors as errors
import numpy as np
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.future import Future
from kafka.net.compat import KafkaNetClient
from kafka.structs import OffsetAndMetadata, TopicPartition

from streamlearn.errors import FencedError, OptionError, SinkError, SourceError, UncertainError
from streamlearn.live import Mark
from streamlearn.sink import Messages

from .client import Column, ExpiredError, Offsets, Part, Reader, Reading, Rebalance, Run, Writer, Writing
from .kafka_python_batches import Batches, quicken

CONNECT = 10.0  # seconds for a broker to answer at the start
ANSWER = 30.0  # seconds for one to answer later
RECONNECT = 1000  # milliseconds between attempts, at most: half a minute, as by default, is long for a stream
UNDER_WAY = 32 << 20  # bytes sent and not acknowledged before `send` waits; this client has no bound of its own


_GONE = (  # this member, or this producer, was replaced by another
    errors.ProducerFencedError,
    errors.InvalidProducerEpochError,
    errors.FencedInstanceIdError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.CommitFailedError,
)
_EXPIRED = (errors.OffsetOutOfRangeError, errors.LogTruncationError, errors.NoOffsetForPartitionError)


def _answered(ask: Callable[[], Any]) -> Any:
    """What the brokers answer; the client does not ask again by itself when a connection breaks meanwhile."""
    deadline = time.monotonic() + CONNECT
    while True:
        try:
            return ask()
        except errors.KafkaConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class KafkaPythonReader(Reader):
    """A kafka-python consumer."""

    client = "kafka-python"

    def __init__(self, reading: Reading) -> None:
        if reading.protocol != "classic":
            raise OptionError('protocol="consumer" (KIP-848) needs client="confluent": kafka-python does not have it')
        self._log = reading.log
        config: dict[str, Any] = {
            "isolation_level": "read_committed",
            "reconnect_backoff_max_ms": RECONNECT,
            "client_id": reading.member,
            "metrics_enabled": False,
            "bootstrap_timeout_ms": int(CONNECT * 1000),
        }
        if reading.group and reading.cooperative:
            config |= {"partition_assignment_strategy": (CooperativeStickyAssignor,)}
        elif reading.group:  # never both, see `KafkaSource`
            config |= {
                "partition_assignment_strategy": (RangePartitionAssignor,),
                "group_instance_id": reading.member,
            }
        config |= reading.options
        config |= {
            "bootstrap_servers": reading.bootstrap.split(","),
            "group_id": reading.group,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",  # F16: where to start is always said, never guessed by the client
        }
        self._ends: dict[Part, int] = {}
        self._active: dict[Part, int] = {}
        self._look_again = 0.0
        self._courier: _Courier | None = None
        self._closed = False
        quicken()
        self._consumer = _made(kafka.KafkaConsumer, config, SourceError, reading.bootstrap)

    def topics(self) -> list[str]:
        with self._asking("the brokers for their topics"):
            return sorted(_answered(self._consumer.topics))

    def partitions(self, topic: str) -> list[int]:
        with self._asking(f"for the partitions of {topic}"):
            return sorted(_answered(lambda: self._consumer.partitions_for_topic(topic)) or ())

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except _GONE as failed:
            raise FencedError(f"asking {what}: {failed}") from failed
        except errors.KafkaError as failed:
            raise SourceError(f"asking {what}: {failed}") from failed

    # Sharing out

    def subscribe(self, topics: Sequence[str], rebalance: Rebalance) -> None:
        self._courier = _Courier(self._consumer)
        with self._asking("for a share of the topics"):
            self._consumer.subscribe(list(topics), listener=_Listener(self, rebalance, self._courier))

    def given(self, parts: Sequence[Part], starts: Mapping[Part, int]) -> None:
        """The group gave these; begin in each where `starts` says."""
        for part in parts:
            if part in starts:
                self._consumer.seek(TopicPartition(*part), starts[part])
                self._active[part] = starts[part]

    def taken(self, parts: Sequence[Part]) -> None:
        """The group took these."""
        for part in parts:
            self._active.pop(part, None)
            self._ends.pop(part, None)

    def start(self, part: Part, offset: int) -> None:
        if self._courier is None and part not in self._active:
            # a partition that was not sought has no place in the assignment: the client would look for one itself
            self._consumer.assign([TopicPartition(*p) for p in (*self._active, part)])
        self._consumer.seek(TopicPartition(*part), offset)
        self._active[part] = offset

    # Reading

    def poll(self, max_rows: int, timeout: float) -> list[Run]:
        if self._courier is None and not self._active:
            return []
        try:
            if self._courier is not None:
                found = self._courier.poll(timeout, max_rows)
            else:
                found = self._consumer.poll(timeout_ms=timeout * 1000, max_records=max_rows)
        except _EXPIRED as failed:
            raise ExpiredError(f"polling: {failed}") from failed
        except _GONE as failed:
            raise FencedError(f"polling: {failed}") from failed
        except errors.KafkaError as failed:
            raise SourceError(f"polling: {failed}") from failed
        runs = [self._run(Part(*tp), found[tp]) for tp in sorted(found)]
        if not runs:
            self._look()
        return runs

    def _run(self, part: Part, records: list[Any]) -> Run:
        offsets = np.array([r.offset for r in records], np.int64)
        self._active[part] = int(offsets[-1]) + 1
        return Run(
            part,
            offsets,
            [r.value for r in records],
            Column(lambda: [r.key for r in records], len(records)),
            Column(lambda: [r.headers for r in records], len(records)),
            lambda row: records[row].timestamp,
        )

    def _look(self) -> None:
        """How far partitions were read that seem to have more: behind records may be markers, or open transactions."""
        behind = []
        for part in self._active:
            tp = TopicPartition(*part)
            with suppress(errors.KafkaError):
                self._active[part] = max(self._active[part], self._consumer.position(tp, timeout_ms=0) or 0)
                if (self._consumer.highwater(tp) or 0) > self._active[part]:
                    behind.append(tp)
        if behind and time.monotonic() > self._look_again:
            self._look_again = time.monotonic() + 0.5
            try:
                for tp, end in self._consumer.end_offsets(behind, timeout_ms=500).items():
                    self._ends[Part(*tp)] = end
            except errors.KafkaError:  # no broker answers: ask no more for a while, since the caller waits
                self._look_again = time.monotonic() + 5.0

    def known(self, part: Part) -> tuple[int, int]:
        reached = self._active.get(part, 0)
        end = max(self._ends.get(part, 0), reached)
        return reached, end

    def ends(self, part: Part) -> tuple[int, int]:
        tp = TopicPartition(*part)
        with self._asking(f"for the ends of {part.name}"):
            low = self._consumer.beginning_offsets([tp], timeout_ms=ANSWER * 1000)[tp]
            end = self._consumer.end_offsets([tp], timeout_ms=ANSWER * 1000)[tp]
        self._ends[part] = end
        return low, end

    def at(self, part: Part, milliseconds: int) -> int | None:
        tp = TopicPartition(*part)
        with self._asking(f"for the time {milliseconds} in {part.name}"):
            found = self._consumer.offsets_for_times({tp: milliseconds}, timeout_ms=ANSWER * 1000)[tp]
        return None if found is None else found.offset

    def pause(self, parts: Sequence[Part]) -> None:
        self._consumer.pause(*(TopicPartition(*part) for part in parts))

    def resume(self, parts: Sequence[Part]) -> None:
        self._consumer.resume(*(TopicPartition(*part) for part in parts))

    # Committing

    def committed(self, parts: Sequence[Part]) -> dict[Part, Mark]:
        marks = {}
        with self._asking("for the committed offsets"):
            for part in parts:
                found = self._consumer.committed(TopicPartition(*part), metadata=True, timeout_ms=ANSWER * 1000)
                if found is not None and found.offset >= 0:
                    marks[part] = Mark(found.offset, found.metadata or "")
        return marks

    def commit(self, marks: Mapping[Part, Mark]) -> None:
        deadline = time.monotonic() + 2.0
        while True:
            try:
                return self._consumer.commit(_offsets(marks), timeout_ms=ANSWER * 1000)
            except _GONE as failed:
                raise FencedError(f"committing offsets: {failed}") from failed
            except errors.RebalanceInProgressError as failed:
                if time.monotonic() > deadline:
                    raise SourceError(f"committing offsets: {failed}; poll, and commit again") from failed
                time.sleep(0.05)
            except errors.KafkaError as failed:
                raise SourceError(f"committing offsets: {failed}; poll, and commit again") from failed

    def in_transaction(self, marks: Mapping[Part, Mark]) -> Offsets:
        group = self._consumer.group_metadata()
        if group.generation_id < 0:  # the broker would take it for a consumer without a group, and believe it
            raise FencedError("committing offsets: this worker is not a member of the group any more")
        return Offsets(self.client, _cluster(self._consumer), group, _offsets(marks))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._courier is not None:
                self._courier.close()
            with suppress(errors.KafkaError):
                self._consumer.close(autocommit=False, timeout_ms=5000)


class _Courier:
    """Polls on a thread of its own, and carries what the client calls meanwhile to the thread that waits for records.

    The client calls back on the thread of its event loop, where nothing that asks a broker may be called, and expects
    an answer before it goes on: so the loop awaits, the waiting thread does what is to be done, with the client at its
    disposal, and tells the loop to go on.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._asked: SimpleQueue[tuple[float, int] | None] = SimpleQueue()
        self._told: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._waiting = False
        self._closed = False
        threading.Thread(target=self._serve, name="streamlearn-kafka-poll", daemon=True).start()

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            timeout, max_rows = asked
            try:
                self._told.put(("records", self._consumer.poll(timeout_ms=timeout * 1000, max_records=max_rows)))
            except BaseException as failed:
                self._told.put(("error", failed))

    def poll(self, timeout: float, max_rows: int) -> dict[Any, list[Any]]:
        if not self._waiting:  # else a signal ended the last call: its answer is still to come
            self._asked.put((timeout, max_rows))
            self._waiting = True
        failed: BaseException | None = None
        while True:
            kind, told = self._told.get()
            self._waiting = kind == "call"
            if kind == "call":
                action, done = told
                try:
                    action()
                except BaseException as error:  # the client goes on all the same; the caller hears of it below
                    failed = error
                finally:
                    done()
            elif failed is not None:
                raise failed
            elif kind == "error":
                raise told
            else:
                return told

    async def carry(self, action: Callable[[], None]) -> None:
        """Have the waiting thread do it; for the client's loop to await."""
        if self._closed:
            return
        over = Future()
        loop = self._consumer._net  # there is no public way to wake the loop from another thread

        def done() -> None:
            loop.call_soon_threadsafe(lambda: over.success(None))

        self._told.put(("call", (action, done)))
        await over

    def close(self) -> None:
        self._closed = True
        self._asked.put(None)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Tells a `Rebalance`, through the courier."""

    def __init__(self, reader: KafkaPythonReader, rebalance: Rebalance, courier: _Courier) -> None:
        self._reader = reader
        self._rebalance = rebalance
        self._courier = courier

    async def on_partitions_assigned(self, assigned: Any) -> None:
        parts = sorted(Part(*tp) for tp in assigned)
        if parts:
            await self._courier.carry(lambda: self._reader.given(parts, self._rebalance.assigned(parts)))

    async def on_partitions_revoked(self, revoked: Any) -> None:
        parts = sorted(Part(*tp) for tp in revoked)
        if parts:
            await self._courier.carry(lambda: self._go(self._rebalance.revoked, parts))

    async def on_partitions_lost(self, lost: Any) -> None:
        parts = sorted(Part(*tp) for tp in lost)
        if parts:
            await self._courier.carry(lambda: self._go(self._rebalance.lost, parts))

    def _go(self, told: Callable[[Sequence[Part]], None], parts: list[Part]) -> None:
        try:
            told(parts)
        finally:
            self._reader.taken(parts)


class KafkaPythonWriter(Writer):
    """A kafka-python producer."""

    client = "kafka-python"

    def __init__(self, writing: Writing) -> None:
        self._log = writing.log
        self._timeout = writing.timeout
        self._failed: BaseException | None = None
        self._under_way = 0
        config: dict[str, Any] = {
            "linger_ms": 5,
            "reconnect_backoff_max_ms": RECONNECT,
            "batch_size": 256 << 10,
            "metrics_enabled": False,
            "bootstrap_timeout_ms": int(CONNECT * 1000),
            "max_block_ms": int(ANSWER * 1000),
            **writing.options,
        }
        config |= {"bootstrap_servers": writing.bootstrap.split(","), "enable_idempotence": True, "acks": "all"}
        if writing.transaction is not None:
            config |= {
                "transactional_id": writing.transaction,
                "transaction_timeout_ms": int(writing.timeout * 1000),
            }
        quicken()
        self._producer = _made(kafka.KafkaProducer, config, SinkError, writing.bootstrap)
        self._batches = Batches(self._producer, self._fail)
        self._closed = False
        try:
            if writing.transaction is not None:
                self._producer.init_transactions()
        except errors.KafkaError as failed:
            self.close()
            if "InvalidTransactionTimeout" in repr(failed) or "INVALID_TRANSACTION_TIMEOUT" in str(failed):
                raise OptionError(
                    f"a transaction may last {writing.timeout:g} s here, which is longer than the brokers allow "
                    "(transaction.max.timeout.ms): commit more often"
                ) from failed
            raise SinkError(f"beginning as {writing.transaction}: {failed}") from failed

    @property
    def spent(self) -> bool:
        return self._state.has_fatal_error() or (self._failed is not None and not self._state.is_transactional())

    @property
    def _state(self) -> Any:
        return self._producer._transaction_manager  # every idempotent producer has one; the client's API hides it

    @property
    def cluster(self) -> str | None:  # type: ignore[override]
        return _cluster(self._producer)

    def partitions(self, topic: str) -> int:
        try:
            return len(self._producer.partitions_for(topic) or ())
        except errors.KafkaTimeoutError:
            return 0
        except errors.KafkaError as failed:
            raise SinkError(f"asking for topic {topic}: {failed}") from failed

    def send(self, topic: str, messages: Messages, number: int | None) -> None:
        self._check()
        try:
            if number is None or not self._batches.put(topic, number, messages):
                self._send_each(topic, messages, number)
        except errors.KafkaError as error:
            raise self._translated(f"writing to {topic}", error) from error
        self._under_way += sum(map(len, messages.values))
        if self._under_way > UNDER_WAY:
            self.flush()

    def _send_each(self, topic: str, messages: Messages, number: int | None) -> None:
        send, failed = self._producer.send, self._fail
        keys, headers = messages.keys, messages.headers
        for row, value in enumerate(messages.values):
            key = None if keys is None else keys[row]
            # this client has no headers without a value
            header = None if headers is None else [(name, text or b"") for name, text in headers[row]]
            send(topic, value, key, header, number).add_errback(failed)

    def _fail(self, error: BaseException) -> None:
        if self._failed is None:
            self._failed = error

    def _check(self) -> None:
        if self._failed is not None:
            raise self._translated("writing", self._failed)

    def _translated(self, what: str, failed: BaseException) -> Exception:
        cause = self._state.last_error or failed  # the client wraps it in words
        if isinstance(cause, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
            return SinkError(
                f"{what}: {cause}; the topic takes less at once: lower batch_size, or raise its max.message.bytes"
            )
        return (FencedError if isinstance(cause, _GONE) else SinkError)(f"{what}: {cause}")

    def flush(self) -> None:
        try:
            self._producer.flush(timeout=5 + self._producer.config["delivery_timeout_ms"] / 1000)
        except errors.KafkaError as failed:
            raise self._translated("flushing", failed) from failed
        self._under_way = 0
        self._check()

    def begin(self) -> None:
        try:
            self._failed = None
            self._producer.begin_transaction()
        except errors.KafkaError as failed:
            raise self._translated("beginning a transaction", failed) from failed

    def send_offsets(self, offsets: Offsets) -> None:
        limit = max(self._timeout, ANSWER)

        def send() -> None:
            self._producer.send_offsets_to_transaction(offsets.offsets, offsets.group)

        try:
            if not _within(limit, send):
                raise SinkError(f"sending offsets to the transaction: no answer in {limit:g} s")
        except errors.KafkaError as failed:
            raise self._translated("sending offsets to the transaction", failed) from failed

    def commit(self) -> None:
        # Everything must be acknowledged before the end is asked for: if a record failed in a way that makes this
        # client take a new epoch while it commits, it reports a commit that never was.
        self.flush()
        limit = max(self._timeout, ANSWER)
        try:
            if not _within(limit, self._producer.commit_transaction):
                raise UncertainError(f"committing the transaction: no answer in {limit:g} s")
        except errors.KafkaError as failed:
            raise self._translated("committing the transaction", failed) from failed

    def abort(self) -> None:
        try:
            if not _within(ANSWER, self._producer.abort_transaction):
                self._log.warning("kafka: aborting the transaction: no answer in %g s", ANSWER)
        except errors.KafkaError as failed:
            self._log.warning("kafka: aborting the transaction: %s", failed)
        self._failed = None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(errors.KafkaError):  # of records under way; it would even go on sending them
                self._producer.close(timeout=0)
            self._producer._sender.force_close()
            self._producer._sender.join(5.0)


def _within(seconds: float, action: Callable[[], Any]) -> bool:
    """Whether it came to an end in time; the client itself would wait for ever. What it raises is raised."""
    failed: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=act, name="streamlearn-kafka-commit", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return not thread.is_alive()


def _made(kind: Callable[..., Any], config: dict[str, Any], unreachable: type[Exception], bootstrap: str) -> Any:
    """A consumer or a producer that has found a broker; one that has not leaves no thread and no socket behind."""
    if not {"proxy_url", "socks5_proxy"} & set(config):
        _knock(config["bootstrap_servers"], unreachable)
    networks: list[Any] = []

    def network(**options: Any) -> Any:
        networks.append(KafkaNetClient(**options))
        return networks[-1]

    with _Ear() as ear:
        try:
            return kind(**{"kafka_client": network, **config})
        except errors.KafkaConfigurationError as failed:
            raise OptionError(f"options: {failed}; the names are kafka-python's, such as security_protocol") from failed
        except (TypeError, ValueError, AssertionError) as failed:
            raise OptionError(f"options: {failed}") from failed
        except errors.KafkaError as failed:
            for made in networks:
                made.close()
            more = f" ({ear.last})" if ear.last else ""
            if "SASL" in config.get("security_protocol", ""):
                more += "; if a connection was lost: that is how brokers answer a failed authentication"
            raise unreachable(f"no Kafka broker answers at {bootstrap}: {failed}{more}") from failed


class _Ear(logging.Handler):
    """Hears the client's own log, the one place where it says why a broker does not answer; a context manager."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.endswith(".manager") or "Bootstrap" not in record.getMessage():  # which says less
            self.last = record.getMessage()

    def __enter__(self) -> Self:
        logging.getLogger("kafka").addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        logging.getLogger("kafka").removeHandler(self)


def _knock(addresses: list[str], unreachable: type[Exception]) -> None:
    """See that one broker takes connections: a client that can't be made leaves its thread and its sockets behind."""
    refused: OSError | None = None
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT).close()
            return
        except OSError as failed:
            refused = failed
        except ValueError:
            raise OptionError(f"bootstrap: {address!r} is not host:port") from None
    raise unreachable(f"no Kafka broker answers at {','.join(addresses)}: {refused}") from refused


def _cluster(client: Any) -> str | None:
    metadata = getattr(client, "_cluster", None) or getattr(client, "_metadata", None)
    return getattr(metadata, "cluster_id", None)


def _offsets(marks: Mapping[Part, Mark]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*part): OffsetAndMetadata(mark.position, mark.note, -1) for part, mark in marks.items()}
