"""The Kafka sink over both clients, on a real broker: order, safety, and transactions that others fence or time out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlearn.connectors.kafka import KafkaSink, KafkaSource
from streamlearn.connectors.kafka import sink as sink_module

from streamlearn.errors import FencedError, OptionError, SinkError, UncertainError
from streamlearn.live import Mark, Worker
from tests.clusters import Kafka
from tests.kafka.conftest import MakeTopic
from tests.kafka.harness import Member, Out, comes_to, read_all, until, values, worker, write

pytestmark = pytest.mark.kafka

Open = Callable[..., KafkaSink]


@pytest.fixture
def open_sink(kafka: Kafka, client: str) -> Iterator[Open]:
    """Opens sinks of the client under test, and closes them in the end."""
    made = []

    def open_(topic: str, of: Worker, **more: Any) -> KafkaSink:
        sink = KafkaSink(bootstrap=kafka.bootstrap, topic=topic, client=client, **more)
        made.append(sink)
        sink.open(of)
        return sink

    yield open_
    for sink in made:
        sink.close()


def once(topic: str) -> Worker:
    """An exactly-once worker; its pipeline is named after the test's topic."""
    return worker("0", "exactly-once", topic)


def rows(kafka: Kafka, topic: str, client: str) -> list[bytes | None]:
    return values(read_all(kafka.bootstrap, topic, client))


def transact(sink: KafkaSink, *written: bytes, offsets: Any = None) -> None:
    sink.begin()
    sink.write("s", Out(written))
    sink.flush()
    sink.commit(offsets)


def test_outputs_keep_to_the_partition_of_their_inputs(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic(3)
    sink = open_sink(topic, worker())
    assert not sink.transactional
    for number in (2, 0, 1):
        sink.write("s", Out([b"%d-%d" % (number, row) for row in range(500)], number=number))
    sink.write("s", Out([]))
    sink.flush()
    for records in read_all(kafka.bootstrap, topic, client):
        number = records.partition[-1].encode()
        assert records.values == [number + b"-%d" % offset for offset in records.offsets]


def test_keys_choose_partitions_where_numbers_do_not_and_alike_for_all_clients(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic(3)
    keys = [b"key-%d" % row for row in range(60)]
    other = "kafka-python" if client == "confluent" else "confluent"
    sink = open_sink(topic, worker())
    sink.write("s", Out(keys, keys=keys, number=7))
    sink.flush()
    with KafkaSink(bootstrap=kafka.bootstrap, topic=topic, client=other) as sink:
        sink.open(worker())
        sink.write("s", Out(keys, keys=keys))
        sink.flush()
    homes: dict[bytes | None, set[str]] = {}
    for records in read_all(kafka.bootstrap, topic, client):
        for key in records.keys or ():
            homes.setdefault(key, set()).add(records.partition)
    assert homes.keys() == set(keys)
    assert all(len(partitions) == 1 for partitions in homes.values())
    assert len(set.union(*homes.values())) == 3


def test_keys_and_headers_are_written(kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open) -> None:
    topic = make_topic()
    sink = open_sink(topic, worker())
    sink.write("s", Out([b"1", b"2"], keys=[b"k", None], headers=[[("a", b"x"), ("b", b"")], []], number=0))
    sink.write("s", Out([b"3", b"", b"5"], keys=[b"", None, b"k" * 300], number=0))
    sink.flush()
    (records,) = read_all(kafka.bootstrap, topic, client)
    assert list(records.keys or ()) == [b"k", None, b"", None, b"k" * 300]
    assert [list(header) for header in records.headers or ()] == [[("a", b"x"), ("b", b"")], [], [], [], []]
    assert records.values == [b"1", b"2", b"3", b"", b"5"]
    assert abs(records.times[-1] - time.time()) < 60  # type: ignore[index]


def test_a_full_buffer_makes_writing_wait(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic()
    monkeypatch.setattr("streamlearn.connectors.kafka.kafka_python.UNDER_WAY", 10_000)
    small = {"queue.buffering.max.messages": 100} if client == "confluent" else {}
    sink = open_sink(topic, worker(), options=small)
    for begin in range(0, 5000, 500):
        sink.write("s", Out([b"%d" % row for row in range(begin, begin + 500)], number=0))
    sink.flush()
    assert rows(kafka, topic, client) == [b"%d" % row for row in range(5000)]


def test_the_broker_is_killed_while_records_are_written(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic()
    sink = open_sink(topic, worker())
    for begin in range(0, 3000, 100):
        if begin == 1000:
            kafka.broker.kill()
        if begin == 2000:
            kafka.broker.restart()
        sink.write("s", Out([b"%d" % row for row in range(begin, begin + 100)], number=0 if begin % 200 else None))
    sink.flush()
    assert rows(kafka, topic, client) == [b"%d" % row for row in range(3000)]


@pytest.mark.parametrize("number", [None, 0])
def test_a_record_that_is_too_large_is_an_error(make_topic: MakeTopic, open_sink: Open, number: int | None) -> None:
    topic = make_topic(config={"max.message.bytes": "2000"})
    sink = open_sink(topic, worker())

    def write() -> None:
        sink.write("s", Out([b"x" * 5000], number=number))
        sink.flush()

    with pytest.raises(SinkError, match=r"(?i)large"):
        write()


def test_a_batch_that_is_too_large_for_the_topic(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic(config={"max.message.bytes": "20000"})
    sink = open_sink(topic, worker())
    written = Out([b"%0100d" % row for row in range(1000)], number=0)

    def write() -> None:
        sink.write("s", written)
        sink.flush()

    with pytest.raises(SinkError, match=r"lower batch[._]size, or raise .*max\.message\.bytes"):
        write()
    sink.close()
    sink = open_sink(topic, worker(), options={"batch.size" if client == "confluent" else "batch_size": 15_000})
    write()
    assert rows(kafka, topic, client) == [b"%0100d" % row for row in range(1000)]


def test_a_transaction_is_seen_when_it_is_committed_and_never_if_aborted(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic()
    sink = open_sink(topic, once(topic))
    assert sink.transactional
    transact(sink, b"1", b"2")
    sink.begin()
    sink.write("s", Out([b"aborted"]))
    sink.flush()
    sink.abort()
    sink.abort()  # nothing is left to give up
    sink.begin()
    sink.commit(None)  # empty
    transact(sink, b"3")
    until(lambda: rows(kafka, topic, client) == [b"1", b"2", b"3"])


def test_the_sinks_of_a_worker_share_one_transaction(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    first, second = make_topic(), make_topic()
    of = once(first)
    sinks = [open_sink(topic, of) for topic in (first, second)]
    for kept in (True, False, True):
        for sink in sinks:
            sink.begin()
        for sink in sinks:
            sink.write("s", Out([b"kept" if kept else b"aborted"]))
        for sink in sinks:
            sink.flush()
        for sink in sinks:
            if kept:
                sink.commit(None)
            else:
                sink.abort()
    for topic in (first, second):
        until(lambda topic=topic: rows(kafka, topic, client) == [b"kept"] * 2)
    with pytest.raises(OptionError, match="share a producer"):
        open_sink(first, of, options={"linger.ms": 1} if client == "confluent" else {"linger_ms": 1})


def test_positions_and_outputs_are_committed_together(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    events, topic = make_topic(2), make_topic()
    open_sink(events, worker()).write("s", Out([b"x"] * 100, number=1))
    member = Member(KafkaSource(bootstrap=kafka.bootstrap, topics=events, group=topic, client=client), once(topic))
    sink = open_sink(topic, once(topic))
    until(lambda: len(member.got) == 100, [member])
    names = [f"{events}-0", f"{events}-1"]
    sink.begin()
    sink.write("s", Out([b"aborted"]))
    sink.flush()
    member.source.transaction_offsets({names[1]: Mark(30, "no")})
    sink.abort()
    assert member.source.committed(names) == {}
    offsets = member.source.transaction_offsets({names[1]: Mark(40, '{"checkpoint": 7}'), names[0]: Mark(0, "")})
    transact(sink, b"1", offsets=offsets)
    # the answer waits for the transaction to be over (KIP-447), so it can't be that of before
    assert member.source.committed(names) == {names[1]: Mark(40, '{"checkpoint": 7}'), names[0]: Mark(0, "")}
    until(lambda: rows(kafka, topic, client) == [b"1"])
    member.source.close()


def test_a_successor_fences_and_aborts(kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open) -> None:
    topic = make_topic()
    zombie = open_sink(topic, once(topic))
    transact(zombie, b"1")
    zombie.begin()
    zombie.write("s", Out([b"zombie"]))
    zombie.flush()
    sink = open_sink(topic, once(topic))
    transact(sink, b"2")
    with pytest.raises(FencedError):
        zombie.commit(None)
    with pytest.raises(SinkError, match="open the sink again"):
        zombie.write("s", Out([b"zombie"]))
    zombie.abort()
    zombie.close()
    transact(sink, b"3")  # and closing the zombie does not harm it
    until(lambda: rows(kafka, topic, client) == [b"1", b"2", b"3"])


def test_a_zombie_that_writes_on_is_fenced(kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open) -> None:
    topic = make_topic()
    zombie = open_sink(topic, once(topic))
    transact(zombie, b"1")
    sink = open_sink(topic, once(topic))
    with pytest.raises(FencedError):
        transact(zombie, b"zombie")
    zombie.abort()
    transact(sink, b"2")
    until(lambda: rows(kafka, topic, client) == [b"1", b"2"])


def test_offsets_of_an_old_generation_are_refused(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    """A worker that was put out of its group keeps a good producer: its generation is what fences it (KIP-447)."""
    events, topic = make_topic(), make_topic()
    name = f"{events}-0"
    open_sink(events, worker()).write("s", Out([b"x"] * 10))

    def member(called: str) -> Member:
        short = {
            "confluent": {"session.timeout.ms": 1500, "max.poll.interval.ms": 1500, "heartbeat.interval.ms": 300},
            "kafka-python": {"session_timeout_ms": 1500, "max_poll_interval_ms": 1500, "heartbeat_interval_ms": 300},
        }
        made = KafkaSource(bootstrap=kafka.bootstrap, topics=events, group=topic, client=client, options=short[client])
        return Member(made, worker(called, "exactly-once", topic))

    one = member("one")
    sink = open_sink(topic, worker("one", "exactly-once", topic))
    until(lambda: len(one.got) == 10, [one])
    two = member("two")
    until(lambda: len(two.got) == 10, [two])  # meanwhile the first does not poll
    two.commit()
    with pytest.raises(FencedError):
        transact(sink, b"zombie", offsets=one.source.transaction_offsets({name: Mark(3, "")}))
    sink.abort()
    assert two.source.committed([name]) == {name: Mark(10, "n")}
    assert rows(kafka, topic, client) == []
    one.source.close()
    two.source.close()


def test_a_transaction_that_outlasts_its_time_is_lost_and_said_so(  # F12
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topic = make_topic()
    short = {"transaction.timeout.ms": 1000} if client == "confluent" else {"transaction_timeout_ms": 1000}
    sink = open_sink(topic, Worker(topic, guarantee="exactly-once", commit_every=0.1), options=short)
    sink.begin()
    sink.write("s", Out([b"late"]))
    sink.flush()
    time.sleep(3)
    with pytest.raises((FencedError, SinkError)):
        sink.commit(None)
    sink.abort()
    sink.close()
    sink = open_sink(topic, once(topic))
    transact(sink, b"1")
    until(lambda: rows(kafka, topic, client) == [b"1"])


def test_time_outs_that_cannot_do_are_refused(make_topic: MakeTopic, client: str, open_sink: Open) -> None:
    topic = make_topic()
    name = "transaction.timeout.ms" if client == "confluent" else "transaction_timeout_ms"
    with pytest.raises(OptionError, match="commit more often"):
        open_sink(topic, Worker(topic, guarantee="exactly-once", commit_every=30), options={name: 40_000})
    with pytest.raises(OptionError, match=r"transaction\.max\.timeout\.ms"):
        open_sink(topic, Worker(topic, guarantee="exactly-once", commit_every=3600))


def test_an_answer_that_does_not_come_leaves_it_open_whether_it_was_committed(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, topic = make_topic(), make_topic()
    open_sink(events, worker()).write("s", Out([b"x"] * 10))
    member = Member(KafkaSource(bootstrap=kafka.bootstrap, topics=events, group=topic, client=client), once(topic))
    until(lambda: len(member.got) == 10, [member])
    sink = open_sink(topic, Worker(topic, guarantee="exactly-once", commit_every=0.1))
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.ANSWER", 1.0)
    monkeypatch.setattr(sink._open._writer, "_timeout", 1.0)
    transact(sink, b"1", offsets=member.source.transaction_offsets({f"{events}-0": Mark(1, "one")}))
    sink.begin()
    sink.write("s", Out([b"2"]))
    sink.flush()
    offsets = member.source.transaction_offsets({f"{events}-0": Mark(2, "two")})
    sink._open._writer.send_offsets(offsets)  # type: ignore[union-attr]
    kafka.broker.pause()
    try:
        with pytest.raises(UncertainError):
            sink.commit(None)
        with pytest.raises(SinkError, match="open the sink again"):
            sink.begin()
    finally:
        kafka.broker.go_on()
    monkeypatch.undo()
    sink.abort()
    sink.close()
    sink = open_sink(topic, once(topic))  # its start ends what the old one left
    (mark,) = member.source.committed([f"{events}-0"]).values()
    assert mark in (Mark(1, "one"), Mark(2, "two"))
    until(lambda: rows(kafka, topic, client) == [b"1", b"2"][: mark.position])
    member.source.close()


def test_a_sink_can_be_opened_again_after_an_error(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open
) -> None:
    topics = make_topic(), make_topic()
    of = once(topics[0])
    one, two = (open_sink(topic, of) for topic in topics)
    open_sink(topics[0], once(topics[0])).close()  # fences them
    with pytest.raises(FencedError):
        transact(one, b"lost")
    one.abort()
    for sink in (one, two):
        sink.close()
        sink.open(of)
    transact(one, b"1")
    transact(two, b"2")
    assert [rows(kafka, topic, client) for topic in topics] == [[b"1"], [b"2"]]


def test_a_missing_topic(open_sink: Open, client: str, monkeypatch: pytest.MonkeyPatch, kafka: Kafka) -> None:
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.CONNECT", 1.0)
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.ANSWER", 1.0)
    with pytest.raises(SinkError, match="no topic 'nowhere'"):
        open_sink("nowhere", worker())
    sink = KafkaSink(bootstrap="127.0.0.1:1", topic="t", client=client)
    with pytest.raises(SinkError, match=r"127\.0\.0\.1:1"):
        sink.open(worker())


def test_source_and_sink_must_fit(kafka: Kafka, make_topic: MakeTopic) -> None:
    topic = make_topic()
    member = Member(
        KafkaSource(bootstrap=kafka.bootstrap, topics=topic, group=topic, client="kafka-python"), once(topic)
    )
    until(lambda: bool(member.mine), [member])
    with KafkaSink(bootstrap=kafka.bootstrap, topic=topic, client="confluent") as sink:
        sink.open(once(topic))
        sink.begin()
        offsets = member.source.transaction_offsets({f"{topic}-0": Mark(0)})
        with pytest.raises(OptionError, match="one client"):
            sink.commit(offsets)
        with pytest.raises(OptionError, match="one Kafka cluster"):
            sink.commit(sink_module.Offsets("confluent", "elsewhere", None, None))
        sink.abort()
    member.source.close()


def test_what_was_not_opened_says_so() -> None:
    sink = KafkaSink(bootstrap="127.0.0.1:9092", topic="t")
    assert "not open" in comes_to(SinkError, sink.flush)
    sink.close()


@pytest.mark.parametrize("client", ["confluent"], indirect=True)
def test_a_client_that_never_comes_back_is_left_behind(
    kafka: Kafka, make_topic: MakeTopic, client: str, open_sink: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librdkafka 5456: sending offsets may hang for ever; the worker gets its turn, and the next producer goes on."""
    monkeypatch.setattr("streamlearn.connectors.kafka.confluent.SENDING", 0.5)
    monkeypatch.setattr("streamlearn.connectors.kafka.confluent.GRACE", 0.5)
    topic = make_topic(1)
    write(kafka.bootstrap, topic, client, [b"x"])
    member = Member(KafkaSource(bootstrap=kafka.bootstrap, topics=topic, group=topic, client=client), worker())
    until(lambda: len(member.got) == 1, [member])
    offsets = member.source.transaction_offsets({f"{topic}-0": Mark(1)})
    sink = open_sink(make_topic(1), once(topic))
    producer, released = sink._open.writer._producer, threading.Event()  # type: ignore[attr-defined]

    class Hanging:
        def __getattr__(self, name: str) -> Any:
            return getattr(producer, name)

        def send_offsets_to_transaction(self, *args: Any) -> None:
            released.wait()

    sink._open.writer._producer = Hanging()  # type: ignore[attr-defined]
    with pytest.raises(SinkError, match="did not come back within"):
        transact(sink, b"lost", offsets=offsets)
    started = time.monotonic()
    sink.abort()
    sink.close()
    assert time.monotonic() - started < 1.0
    again = open_sink(sink.topic, once(topic))
    transact(again, b"kept", offsets=offsets)
    assert rows(kafka, sink.topic, client) == [b"kept"]
    assert member.source.committed([f"{topic}-0"]) == {f"{topic}-0": Mark(1)}
    released.set()
    member.source.close()
