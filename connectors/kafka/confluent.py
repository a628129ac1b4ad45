"""The Kafka client confluent-kafka (librdkafka) behind the port."""

from __future__ import annotations

import json
import logging
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import Any

import confluent_kafka as ck
import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streamlearn.errors import FencedError, OptionError, SinkError, SourceError, UncertainError
from streamlearn.live import Mark
from streamlearn.sink import Messages

from .client import Column, ExpiredError, Offsets, Part, Reader, Reading, Rebalance, Run, Writer, Writing

CONNECT = 10.0  # seconds for a broker to answer at the start
ANSWER = 30.0  # seconds for one to answer later
SENDING = 10.0  # seconds for offsets to be in a transaction, before they are sent again
SEEKING = 2.0  # seconds for a partition to begin, before it can be told to go elsewhere
GRACE = 5.0  # seconds by which a call may overrun its time-out
RECONNECT = 1000  # milliseconds between attempts, at most


_GONE = {  # this member, or this producer, was replaced by another
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError._ASSIGNMENT_LOST,
}
_SOON = {  # F15: the member's epoch moves on with the next heartbeat; the join in progress ends
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.REBALANCE_IN_PROGRESS,
}
_STARTING = {  # a partition that was given just now, and is not read yet
    KafkaError._STATE,
    KafkaError._PREV_IN_PROGRESS,
}
_FINAL = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.UNRELEASED_INSTANCE_ID,
    KafkaError._BAD_COMPRESSION,
    KafkaError._BAD_MSG,
}


def _error(failed: KafkaException) -> KafkaError:
    return failed.args[0]


class _Log:
    """Takes the client's log lines, which it hands over while it is polled, to where the worker logs.

    What it reports by its callback for errors is in its log too.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.last = ""
        self._log = log
        self._said: dict[str, float] = {}

    def log(self, level: int, text: str, *args: Any) -> None:
        """As of `logging.Logger`. While no broker answers, the client says so many times a second."""
        kind = str(args[0]) if args else text
        if level >= logging.WARNING:
            self.last = str(args[-1]) if args else text
        if time.monotonic() > self._said.get(kind, 0.0) + 10:
            self._said[kind] = time.monotonic()
            self._log.log(min(level, logging.ERROR), "kafka: " + text, *args)


class ConfluentReader(Reader):
    """A librdkafka consumer."""

    client = "confluent"

    def __init__(self, reading: Reading) -> None:
        self._log = reading.log
        self._heard = _Log(reading.log)
        config: dict[str, Any] = {
            "group.id": reading.group or f"streamlearn-{reading.member}",  # librdkafka wants one, joined or not
            "isolation.level": "read_committed",
            "reconnect.backoff.max.ms": RECONNECT,
            "statistics.interval.ms": 1000,
            "client.id": reading.member,
        }
        if reading.group:
            config |= {"group.protocol": reading.protocol}
        if reading.group and reading.protocol == "classic":
            config |= {"partition.assignment.strategy": "cooperative-sticky" if reading.cooperative else "range"}
        if reading.group and not reading.cooperative:  # never both, see `KafkaSource`
            config |= {"group.instance.id": reading.member}
        config |= reading.options
        self._incremental = not reading.group or reading.protocol == "consumer" or reading.cooperative
        self._committed_only = config["isolation.level"] == "read_committed"
        config |= {
            "bootstrap.servers": reading.bootstrap,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",  # F16: where to start is always said, never guessed by the client
            "enable.partition.eof": True,  # F2: tells that the end was reached, behind the last transaction's marker
            "logger": self._heard,
            "stats_cb": _chained(self._statistics, config.get("stats_cb")),
        }
        self._topics: set[str] = set()  # all that were ever read: what is on its way may be of any of them
        self._known: dict[Part, tuple[int, int]] = {}
        self._moved: set[Part] = set()
        self._rebalance: Rebalance | None = None
        self._active: set[Part] = set()
        self._failed: BaseException | None = None
        self._closed = False
        # What the client may not be asked in its own callbacks: `list_topics` and `cluster_id` make it forget that it
        # is in a poll, and the next callback of that poll, such as each second's statistics, then ends the process (an
        # assertion in its CallState_get).
        self._called_back = False
        self._numbers: dict[str, list[int]] = {}
        self._consumer = _made(ck.Consumer, config)
        try:
            self._consumer.list_topics(timeout=CONNECT)
            self._cluster = self._consumer.cluster_id(timeout=CONNECT)
        except KafkaException as failed:
            self._consumer.poll(0)  # brings the log
            self._consumer.close()
            raise SourceError(_unreachable(reading.bootstrap, failed, self._heard)) from failed

    def topics(self) -> list[str]:
        return sorted(self._metadata(None).topics)

    def partitions(self, topic: str) -> list[int]:
        if not self._called_back:
            found = self._metadata(topic).topics.get(topic)
            self._numbers[topic] = sorted(found.partitions) if found is not None and found.error is None else []
        return self._numbers.get(topic, [])

    def _metadata(self, topic: str | None) -> Any:
        with self._asking("the brokers for their topics"):
            return self._consumer.list_topics(*filter(None, [topic]), timeout=CONNECT)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except KafkaException as failed:
            error = _error(failed)
            if error.code() in _GONE:
                raise FencedError(f"asking {what}: {error.str()}") from failed
            raise SourceError(f"asking {what}: {error.str()}") from failed

    # Sharing out

    def subscribe(self, topics: Sequence[str], rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self._topics.update(topics)
        with self._asking("for a share of the topics"):
            self._consumer.subscribe(
                list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )

    def _assigned(self, consumer: Any, given: list[TopicPartition]) -> None:
        parts = [Part(tp.topic, tp.partition) for tp in given]
        starts: Mapping[Part, int] = {}
        self._called_back = True
        try:
            if parts and not self._closed and self._rebalance is not None:
                starts = self._rebalance.assigned(parts)
        except BaseException as failed:  # the client must have its assignment all the same; `poll` raises this
            self._failed = failed
        finally:
            self._called_back = False
        at = [TopicPartition(p.topic, p.number, starts.get(p, ck.OFFSET_INVALID)) for p in parts]
        if self._incremental:
            consumer.incremental_assign(at)
        else:
            consumer.assign(at)
            self._active.clear()
        self._active |= set(parts)
        self._moved |= set(parts)
        self._topics.update(part.topic for part in parts)
        for part, start in starts.items():
            self._reached(part, start)

    def _revoked(self, consumer: Any, given: list[TopicPartition]) -> None:
        self._taken(consumer, given, "revoked")

    def _lost(self, consumer: Any, given: list[TopicPartition]) -> None:
        self._taken(consumer, given, "lost")

    def _taken(self, consumer: Any, given: list[TopicPartition], how: str) -> None:
        parts = [Part(tp.topic, tp.partition) for tp in given]
        self._called_back = True
        try:
            if parts and not self._closed and self._rebalance is not None:
                getattr(self._rebalance, how)(parts)
        except BaseException as failed:
            self._failed = failed
        finally:
            self._called_back = False
        if self._incremental:
            consumer.incremental_unassign(given)
        else:
            consumer.unassign()
        self._moved |= set(parts)
        for part in parts:
            self._active.discard(part)
            self._known.pop(part, None)

    def start(self, part: Part, offset: int) -> None:
        self._topics.add(part.topic)
        at = TopicPartition(part.topic, part.number, offset)
        with self._asking(f"to start {part.name} at {offset}"):
            if self._rebalance is not None:
                self._seek(at)
            else:
                if part in self._active:
                    self._consumer.incremental_unassign([at])
                self._consumer.incremental_assign([at])
        self._active.add(part)
        self._known[part] = (offset, self._known.get(part, (0, offset))[1])

    def _seek(self, at: TopicPartition) -> None:
        """Go to an offset of a partition that the group gave us.

        Never by giving it back and taking it anew: of a client that has a rebalance waiting for our callback that would
        be the answer, and it would hand on partitions that we still have.
        """
        deadline = time.monotonic() + SEEKING
        while True:
            try:
                return self._consumer.seek(at)
            except KafkaException as failed:
                if _error(failed).code() not in _STARTING or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    # Reading

    def poll(self, max_rows: int, timeout: float) -> list[Run]:
        try:
            # `consume` waits for the whole number, or the whole time: so wait for the first record alone
            messages = self._consumer.consume(max_rows, 0)
            if not messages:
                messages = self._consumer.consume(1, timeout)
                self._moved.clear()  # a record that is taken alone comes behind all that moved while it was waited for
                if messages and max_rows > 1:
                    messages += self._consumer.consume(max_rows - 1, 0)
        except KafkaException as failed:
            self._raise(_error(failed), None)
            raise SourceError(f"polling: {_error(failed).str()}") from failed
        finally:
            moved, self._moved = self._moved, set()
            if self._failed is not None:
                failed_, self._failed = self._failed, None
                raise failed_
        if not messages:
            return []
        good = messages
        if any(map(Message.error, messages)):
            good = [m for m in messages if m.error() is None]
        runs = [self._run(part, ms) for part, ms in _by_partition(good, self._topics) if part not in moved]
        if good is not messages:
            for message in messages:
                if message.error() is not None:
                    self._event(message, moved)
        if moved:
            # taken and given again while these were on their way: they may be of either time, so read them anew
            for part in moved & self._active & {Part(m.topic(), m.partition()) for m in messages}:
                self.start(part, self._known[part][0])
        return runs

    def _run(self, part: Part, messages: list[Any]) -> Run:
        first, last, n = messages[0].offset(), messages[-1].offset(), len(messages)
        if last - first == n - 1:  # they rise, so there is no gap
            offsets = np.arange(first, last + 1)
        else:
            offsets = np.fromiter(map(Message.offset, messages), np.int64, n)
        self._reached(part, last + 1)
        return Run(
            part,
            offsets,
            list(map(Message.value, messages)),
            Column(lambda: list(map(Message.key, messages)), n),
            Column(lambda: [m.headers() or () for m in messages], n),
            lambda row: messages[row].timestamp()[1],
        )

    def _event(self, message: Any, moved: set[Part]) -> None:
        """What came instead of a record."""
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            part = Part(message.topic(), message.partition())
            if part in self._active - moved:
                self._known[part] = (message.offset(), message.offset())
            return
        self._raise(error, message)

    def _raise(self, error: KafkaError, message: Any) -> None:
        where = f"{message.topic()}-{message.partition()}" if message is not None and message.topic() else "polling"
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise ExpiredError(f"{where}: {error.str()}")
        # A consumer's fatal errors are about membership. One that comes as a message has fatal() false, seen in 2.16.1.
        if error.code() in _GONE or error.fatal() or error.code() == KafkaError._FATAL:
            raise FencedError(f"{where}: {error.str()}")
        if error.code() in _FINAL:
            raise SourceError(f"{where}: {error.str()}")
        self._log.warning("kafka: %s: %s", where, error.str())  # librdkafka tries again by itself

    def _reached(self, part: Part, offset: int) -> None:
        self._known[part] = (offset, max(offset, self._known.get(part, (0, 0))[1]))

    def _statistics(self, text: str) -> None:
        field = "ls_offset" if self._committed_only else "hi_offset"
        for topic, found in json.loads(text)["topics"].items():
            for number, one in found["partitions"].items():
                part = Part(topic, int(number))
                known = self._known.get(part)
                if known is not None and one[field] >= 0:
                    self._known[part] = (known[0], max(known[0], one[field]))

    def known(self, part: Part) -> tuple[int, int]:
        return self._known.get(part, (0, 0))

    def ends(self, part: Part) -> tuple[int, int]:
        at = TopicPartition(part.topic, part.number)
        with self._asking(f"for the ends of {part.name}"):
            low, end = self._consumer.get_watermark_offsets(at, timeout=ANSWER)
        if part in self._known:
            self._known[part] = (self._known[part][0], max(end, self._known[part][0]))
        else:
            self._known[part] = (low, end)
        return low, end

    def at(self, part: Part, milliseconds: int) -> int | None:
        with self._asking(f"for the time {milliseconds} in {part.name}"):
            (found,) = self._consumer.offsets_for_times(
                [TopicPartition(part.topic, part.number, milliseconds)], timeout=ANSWER
            )
        if found.error is not None:
            raise SourceError(f"asking for the time {milliseconds} in {part.name}: {found.error.str()}")
        return found.offset if found.offset >= 0 else None

    def pause(self, parts: Sequence[Part]) -> None:
        self._consumer.pause([TopicPartition(*part) for part in parts])

    def resume(self, parts: Sequence[Part]) -> None:
        self._consumer.resume([TopicPartition(*part) for part in parts])

    # Committing

    def committed(self, parts: Sequence[Part]) -> dict[Part, Mark]:
        with self._asking("for the committed offsets"):
            found = self._consumer.committed([TopicPartition(*part) for part in parts], timeout=ANSWER)
        for tp in found:
            if tp.error is not None:
                raise SourceError(f"asking for the committed offset of {tp.topic}-{tp.partition}: {tp.error.str()}")
        return {Part(tp.topic, tp.partition): Mark(tp.offset, tp.metadata or "") for tp in found if tp.offset >= 0}

    def commit(self, marks: Mapping[Part, Mark]) -> None:
        offsets = _offsets(marks)
        deadline = time.monotonic() + 2.0
        while True:
            try:
                done = self._consumer.commit(offsets=offsets, asynchronous=False)
                bad = next((tp.error for tp in done if tp.error is not None), None)
            except KafkaException as failed:
                bad = _error(failed)
            if bad is None:
                return
            if bad.code() in _GONE or bad.code() == KafkaError._FATAL:
                raise FencedError(f"committing offsets: {bad.str()}")
            if bad.code() not in _SOON or time.monotonic() > deadline:
                raise SourceError(f"committing offsets: {bad.str()}; poll, and commit again")
            time.sleep(0.05)

    def in_transaction(self, marks: Mapping[Part, Mark]) -> Offsets:
        return Offsets(
            self.client,
            self._cluster,
            self._consumer.consumer_group_metadata(),
            _offsets(marks),
        )

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()


def _by_partition(messages: list[Any], topics: Collection[str]) -> list[tuple[Part, list[Any]]]:
    """Messages by partition, each partition's in their order, partitions in theirs.

    ``topics`` are those that they can be of: where there is one, none is asked for its topic.
    """
    if not messages:
        return []
    numbers: set[Any] = set(map(Message.partition, messages))
    if len(numbers) == 1 and (len(topics) == 1 or len(set(map(Message.topic, messages))) == 1):
        return [(Part(messages[0].topic(), numbers.pop()), messages)]
    found: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for message in messages:
        found[message.topic(), message.partition()].append(message)
    return [(Part(*part), found[part]) for part in sorted(found)]


class ConfluentWriter(Writer):
    """A librdkafka producer."""

    client = "confluent"

    def __init__(self, writing: Writing) -> None:
        self._log = writing.log
        self._heard = _Log(writing.log)
        self._undelivered: KafkaError | None = None
        self._fatal: KafkaError | None = None
        self._spent = self._hangs = False
        self._transactional = writing.transaction is not None
        self._timeout = writing.timeout
        config: dict[str, Any] = {
            "linger.ms": 5,
            "reconnect.backoff.max.ms": RECONNECT,
            "partitioner": "murmur2_random",  # as Java's: a key's partition does not depend on the client
            **writing.options,
        }
        config |= {
            "bootstrap.servers": writing.bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.report.only.error": True,
            "logger": self._heard,
        }
        if writing.transaction is not None:
            config |= {"transactional.id": writing.transaction, "transaction.timeout.ms": int(writing.timeout * 1000)}
        self._producer = _made(ck.Producer, config)
        self._closed = False
        try:
            self._producer.list_topics(timeout=CONNECT)
            self.cluster = self._producer.cluster_id(timeout=CONNECT)
            if self._transactional:
                self._producer.init_transactions(max(ANSWER, CONNECT))
        except KafkaException as failed:
            with suppress(KafkaException, SystemError):
                self._producer.poll(0)  # brings the log
            self.close()
            raise _unopened(failed, self._heard, writing) from failed

    @property
    def spent(self) -> bool:
        return self._spent or self._fatal is not None or (self._undelivered is not None and not self._transactional)

    def partitions(self, topic: str) -> int:
        deadline = time.monotonic() + CONNECT
        while True:
            try:
                found = self._producer.list_topics(topic, timeout=CONNECT).topics.get(topic)
            except KafkaException as failed:
                raise SinkError(f"asking for topic {topic}: {_error(failed).str()}") from failed
            if found is not None and found.error is None and found.partitions:
                return len(found.partitions)
            if found is not None and found.error is not None and found.error.code() in _FINAL:
                raise SinkError(f"topic {topic}: {found.error.str()}")
            if time.monotonic() > deadline:
                return 0
            time.sleep(0.1)

    def send(self, topic: str, messages: Messages, number: int | None) -> None:
        self._check()
        produce, failed = self._producer.produce, self._failed
        partition = -1 if number is None else number
        headers = messages.headers
        keys = repeat(None) if messages.keys is None else messages.keys
        for row, (value, key) in enumerate(zip(messages.values, keys, strict=False)):
            while True:
                try:
                    if headers is None:
                        produce(topic, value, key, partition, failed)
                    else:
                        produce(topic, value, key, partition, failed, headers=list(headers[row]))
                    break
                except BufferError:  # as much as may be under way is: the pipeline waits for the brokers
                    self._served(self._producer.poll, 0.1)
                    self._check()
                except KafkaException as error:
                    raise self._translated(f"writing to {topic}", error) from error
        self._served(self._producer.poll, 0.0)

    def _served(self, serve: Callable[[float], int], seconds: float) -> int:
        """Let the client call back. It raises fatal errors in between, of which Python may leave a SystemError only."""
        try:
            return serve(seconds)
        except KafkaException as failed:
            raise self._translated("writing", failed) from failed
        except SystemError as failed:
            raise self._ended(failed) from failed

    def _ended(self, failed: SystemError) -> Exception:
        """The fatal error behind it, of which a transactional producer tells again when it is to do something."""
        cause = failed.__cause__
        if not isinstance(cause, KafkaException) and self._transactional:
            try:
                self._producer.begin_transaction()
            except KafkaException as told:
                cause = told
        if isinstance(cause, KafkaException):
            return self._translated("writing", cause)
        self._spent = True
        return SinkError("writing: the producer failed for good; its log says why")

    def _failed(self, error: KafkaError | None, message: Any) -> None:
        if error is not None and self._undelivered is None:
            self._undelivered = error

    def _check(self) -> None:
        error = self._fatal or self._undelivered
        if error is not None:
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise SinkError(f"writing: {error.str()}: lower batch.size, or raise the topic's max.message.bytes")
            raise (FencedError if error.code() in _GONE else SinkError)(f"writing: {error.str()}")

    def flush(self) -> None:
        while self._served(self._producer.flush, 1.0):  # ends: each is delivered, or fails in delivery.timeout.ms
            self._check()
        self._check()

    def begin(self) -> None:
        try:
            self._undelivered = None
            self._producer.begin_transaction()
        except KafkaException as failed:
            raise self._translated("beginning a transaction", failed) from failed

    def send_offsets(self, offsets: Offsets) -> None:
        def send() -> None:
            self._producer.send_offsets_to_transaction(offsets.offsets, offsets.group, SENDING)

        self._patiently("sending offsets to the transaction", lambda: self._in_time(send), SinkError)

    def _in_time(self, action: Callable[[], None]) -> None:
        """Do what librdkafka may never return from, whatever its time-out (its issues 5456 and 5511).

        A producer that hangs can be neither used nor closed, nor can the thread that waits for it be ended: both are
        left behind. The next producer of the same transactional id fences this one.
        """
        failed: list[BaseException] = []

        def run() -> None:
            try:
                action()
            except BaseException as error:
                failed.append(error)

        running = threading.Thread(target=run, daemon=True)
        running.start()
        running.join(SENDING + GRACE)
        if running.is_alive():
            self._hangs = self._spent = True
            raise SinkError(f"the client did not come back within {SENDING + GRACE:g} s: it is given up")
        if failed:
            raise failed[0]

    def commit(self) -> None:
        self._patiently("committing the transaction", lambda: self._producer.commit_transaction(ANSWER), UncertainError)

    def _patiently(self, what: str, action: Callable[[], None], unknown: type[Exception]) -> None:
        """Do it until it is done or failed; both calls go on where they were when called again."""
        deadline = time.monotonic() + max(self._timeout, ANSWER)
        while True:
            try:
                return action()
            except KafkaException as failed:
                error = _error(failed)
                if error.code() in _GONE or error.txn_requires_abort():
                    raise self._translated(what, failed) from failed
                if not error.retriable() or time.monotonic() > deadline:
                    raise unknown(f"{what}: {error.str()}") from failed
                time.sleep(0.05)

    def _translated(self, what: str, failed: KafkaException) -> Exception:
        error = _error(failed)
        if error.fatal() and self._fatal is None:
            self._fatal = error
        cause = self._fatal or error  # a first fatal error is followed by others that only say that there was one
        return (FencedError if cause.code() in _GONE else SinkError)(f"{what}: {cause.str()}")

    def abort(self) -> None:
        if self._hangs:
            return
        try:
            self._producer.abort_transaction(ANSWER)
        except KafkaException as failed:
            self._log.warning("kafka: aborting the transaction: %s", _error(failed).str())
        self._undelivered = None

    def close(self) -> None:
        if not self._closed and not self._hangs:
            self._closed = True
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of a fenced producer that has nothing left to abort
                with suppress(KafkaException, SystemError):
                    self._producer.purge()
                    self._producer.flush(1.0)
                self._producer.close()


def _made(kind: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> Any:
    try:
        return kind(config)
    except KafkaException as failed:
        raise OptionError(
            f"options: {_error(failed).str()}; the names are librdkafka's, such as security.protocol"
        ) from failed
    except (TypeError, ValueError) as failed:
        raise OptionError(f"options: {failed}") from failed


def _unopened(failed: KafkaException, heard: _Log, writing: Writing) -> Exception:
    if _error(failed).code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        return OptionError(
            f"a transaction may last {writing.timeout:g} s here, which is longer than the brokers allow "
            "(transaction.max.timeout.ms): commit more often"
        )
    return SinkError(_unreachable(writing.bootstrap, failed, heard))


def _unreachable(bootstrap: str, failed: KafkaException, heard: _Log) -> str:
    more = f" ({heard.last})" if heard.last else ""
    return f"no Kafka broker answers at {bootstrap}: {_error(failed).str()}{more}"


def _offsets(marks: Mapping[Part, Mark]) -> list[TopicPartition]:
    return [TopicPartition(part.topic, part.number, mark.position, mark.note) for part, mark in marks.items()]


def _chained(ours: Callable[[Any], None], theirs: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """Ours, then the one among the user's options."""
    if theirs is None:
        return ours

    def both(told: Any) -> None:
        ours(told)
        theirs(told)

    return both
