"""The Kafka source over both clients, on a real broker: order, positions, the group, and what may go wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from streamlearn.connectors.kafka import KafkaSink, KafkaSource
from streamlearn.connectors.kafka import source as source_module

from streamlearn.errors import FencedError, OptionError, PositionError, SourceError
from streamlearn.live import Mark
from tests.clusters import Kafka
from tests.kafka.conftest import MakeTopic
from tests.kafka.harness import Member, Out, comes_to, read_all, until, values, worker, write

pytestmark = pytest.mark.kafka

# quick to notice, for tests; each client by its own names
SESSION = {
    "confluent": {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300},
    "kafka-python": {"session_timeout_ms": 2000, "heartbeat_interval_ms": 300},
}
OVERDUE = {
    "confluent": {"session.timeout.ms": 1500, "max.poll.interval.ms": 1500, "heartbeat.interval.ms": 300},
    "kafka-python": {"session_timeout_ms": 1500, "max_poll_interval_ms": 1500, "heartbeat_interval_ms": 300},
}


def source(kafka: Kafka, topics: str | list[str], client: str, *, late: bool = False, **more: object) -> KafkaSource:
    options = {"options": (OVERDUE if late else SESSION)[client], **more} if more.get("group") else more
    return KafkaSource(bootstrap=kafka.bootstrap, topics=topics, client=client, **options)  # type: ignore[arg-type]


def opened(kafka: Kafka, topic: str, client: str, **more: object) -> KafkaSource:
    """A source of a topic's first partition, without a group, not sought yet."""
    made = source(kafka, topic, client, **more)
    made.open(worker())
    made.assign([f"{topic}-0"])
    return made


def first(of: KafkaSource, seconds: float = 5.0) -> list[bytes | None]:
    """The values of the next records that come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := of.poll(1000, 0.2):
            return values(found)
    return []


def delete_before(admin: AdminClient, topic: str, offset: int) -> None:
    for done in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        done.result(30)


def test_records_of_two_topics_come_whole_and_in_order(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topics = [make_topic(3), make_topic(3)]
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    started = time.time()
    for topic in topics:
        for number in range(3):
            for row in range(700):
                value = None if row % 50 == 7 else b"%d" % row  # a tombstone
                headers = [("h", b"%d" % row), ("none", None)] if row % 2 else []
                producer.produce(topic, value, b"k%d" % row if row % 3 else None, number, headers=headers)
    producer.flush()
    member = Member(source(kafka, topics, client, group=topics[0]), worker())
    until(lambda: len(member.got) == 4200, [member])
    with member.source as made:
        names = [f"{topic}-{number}" for topic in topics for number in range(3)]
        assert made.partitions() == names
        assert [made.number(name) for name in names] == [0, 1, 2, 0, 1, 2]
        assert made.lag() == dict.fromkeys(names, 0)
        for name in names:
            mine = [records for records in member.records if records.partition == name]
            assert np.concatenate([records.offsets for records in mine]).tolist() == list(range(700))
            assert values(mine) == [None if row % 50 == 7 else b"%d" % row for row in range(700)]
            keys = [key for records in mine for key in records.keys or ()]
            assert keys == [b"k%d" % row if row % 3 else None for row in range(700)]
            headers = [list(header) for records in mine for header in records.headers or ()]
            assert headers == [[("h", b"%d" % row), ("none", None)] if row % 2 else [] for row in range(700)]
            assert all(
                started - 1 < when < time.time() + 1 for records in mine for when in np.asarray(records.times).tolist()
            )
            assert mine[0].id(0) == f"{name}-0"
            assert mine[-1].next == 700


def test_one_poll_gives_partitions_in_order_and_no_more_than_asked(
    kafka: Kafka, make_topic: MakeTopic, client: str
) -> None:
    topic = make_topic(3)
    for number in range(3):
        write(kafka.bootstrap, topic, client, [b"x"] * 500, number=number)
    with source(kafka, topic, client) as made:
        made.open(worker())
        made.assign(made.partitions())
        for name in made.partitions():
            made.seek(name, None)
        total = 0
        while total < 1500:
            found = made.poll(100, 1.0)
            assert sum(map(len, found)) <= 100
            assert [records.partition for records in found] == sorted({records.partition for records in found})
            total += sum(map(len, found))


def test_a_poll_returns_with_the_first_record(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic()
    with opened(kafka, topic, client) as made:
        made.seek(f"{topic}-0", None)
        made.poll(1000, 0.5)
        write(kafka.bootstrap, topic, client, [b"x"])
        started = time.monotonic()
        assert first(made, 20) == [b"x"]
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("start", "begins"),
    [("earliest", b"0"), ("latest", b"new"), ({"timestamp": 1_700_000_050}, b"50"), ({"offsets": {"T-0": 80}}, b"80")],
)
def test_where_to_start(kafka: Kafka, make_topic: MakeTopic, client: str, start: object, begins: bytes) -> None:
    topic = make_topic(config={"retention.ms": "-1"})  # of records that are years old
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for row in range(100):
        producer.produce(topic, b"%d" % row, timestamp=(1_700_000_000 + row) * 1000)
    producer.flush()
    if isinstance(start, dict) and "offsets" in start:
        start = {"offsets": {f"{topic}-0": 80}}
    with opened(kafka, topic, client, start=start) as made:
        made.seek(f"{topic}-0", None)
        if begins == b"new":
            assert made.lag() == {f"{topic}-0": 0}
            write(kafka.bootstrap, topic, client, [b"new"])
        assert first(made)[0] == begins


def test_a_time_after_the_last_record_starts_at_the_end(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"old"])
    with opened(kafka, topic, client, start={"timestamp": time.time() + 3600}) as made:
        made.seek(f"{topic}-0", None)
        write(kafka.bootstrap, topic, client, [b"new"])
        assert first(made) == [b"new"]


def test_seeking_back_and_forth(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(1000)])
    with opened(kafka, topic, client) as made:
        for position in (500, 10, 999, 0, 0, 700):
            made.seek(f"{topic}-0", position)
            found = made.poll(50, 5.0)
            assert found[0].offsets[0] == position
            assert found[0].values[0] == b"%d" % position


def test_records_paused_are_not_delivered_and_none_is_skipped(  # F5
    kafka: Kafka, make_topic: MakeTopic, client: str
) -> None:
    topic = make_topic(2)
    names = [f"{topic}-0", f"{topic}-1"]
    for number in range(2):
        write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(3000)], number=number)
    with source(kafka, topic, client) as made:
        made.open(worker())
        made.assign(names)
        for name in names:
            made.seek(name, None)
        got: dict[str, list[int]] = {name: [] for name in names}
        paused = ""
        for turn in range(400):
            for records in made.poll(50, 0.2):
                assert records.partition != paused
                got[records.partition] += records.offsets.tolist()
            if turn % 20 == 5:
                paused = names[turn // 20 % 2]
                made.pause([paused])
            elif turn % 20 == 15:
                made.resume([paused])
                paused = ""
            if sum(map(len, got.values())) == 6000:
                break
        assert got == {name: list(range(3000)) for name in names}


def test_a_position_that_retention_removed_is_an_error(  # F1
    kafka: Kafka, make_topic: MakeTopic, client: str, admin: AdminClient
) -> None:
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(100)])
    delete_before(admin, topic, 60)
    with opened(kafka, topic, client) as made:
        with pytest.raises(PositionError, match=rf"{topic}-0: position 10 .*offsets 60 to 100.*on_expired"):
            made.seek(f"{topic}-0", 10)
        made.seek(f"{topic}-0", 60)
        assert first(made)[0] == b"60"


@pytest.mark.parametrize(("on_expired", "begins"), [("earliest", b"60"), ("latest", b"new")])
def test_going_on_after_retention(
    kafka: Kafka, make_topic: MakeTopic, client: str, admin: AdminClient, on_expired: str, begins: bytes
) -> None:
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(100)])
    delete_before(admin, topic, 60)
    with opened(kafka, topic, client, on_expired=on_expired) as made:
        made.seek(f"{topic}-0", 10)
        if begins == b"new":
            write(kafka.bootstrap, topic, client, [b"new"])
        assert first(made)[0] == begins


@pytest.mark.parametrize("rows", [None, 50])
def test_a_topic_that_is_deleted_or_made_anew_is_noticed(
    kafka: Kafka,
    make_topic: MakeTopic,
    client: str,
    admin: AdminClient,
    rows: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clients wait for ever, and do not say so."""
    monkeypatch.setattr(source_module, "QUIET", 1.0)
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(100)])
    with opened(kafka, topic, client) as made:
        made.seek(f"{topic}-0", 0)
        until(lambda: any(records.offsets[-1] == 99 for records in made.poll(1000, 0.1)))
        admin.delete_topics([topic])[topic].result(20)
        if rows is not None:
            time.sleep(1.0)  # until all brokers know
            admin.create_topics([NewTopic(topic, 1)])[topic].result(20)
            write(kafka.bootstrap, topic, client, [b"new"] * rows)
        delivered: list[Any] = []
        said = comes_to(SourceError, lambda: delivered.extend(made.poll(1000, 0.2)), 60.0)
        assert topic in said
        assert delivered == []


def test_records_removed_while_their_partition_was_paused(
    kafka: Kafka, make_topic: MakeTopic, client: str, admin: AdminClient
) -> None:
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"x" * 1000] * 100)
    small = {"confluent": {"queued.min.messages": 1}, "kafka-python": {"fetch_max_bytes": 2000}}[client]
    with opened(kafka, topic, client, options=small) as made:
        made.seek(f"{topic}-0", 0)
        made.pause([f"{topic}-0"])
        made.poll(1, 0.5)
        delete_before(admin, topic, 60)
        made.resume([f"{topic}-0"])

        def read() -> None:
            for records in made.poll(1000, 0.5):
                assert records.offsets[0] == 0  # had been fetched before: nothing is missing
                made.seek(f"{topic}-0", 0)

        assert "position 0 " in comes_to(PositionError, read)


def test_a_position_beyond_the_end_is_an_error(
    kafka: Kafka, make_topic: MakeTopic, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlearn.connectors.kafka.source.CATCH_UP", 0.2)
    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"x"] * 10)
    with opened(kafka, topic, client) as made:
        with pytest.raises(PositionError, match="made anew"):
            made.seek(f"{topic}-0", 11)
        for nonsense in (-1, "3", 1.5, True):
            with pytest.raises(PositionError, match="an offset >= 0"):
                made.seek(f"{topic}-0", nonsense)


def test_lag_counts_records_that_can_be_read(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:  # F2
    topic = make_topic()
    name = f"{topic}-0"
    sink = KafkaSink(bootstrap=kafka.bootstrap, topic=topic, client=client)
    sink.open(worker(topic, "exactly-once"))
    with sink, opened(kafka, topic, client) as made:
        sink.begin()
        sink.write("s", Out([b"1"] * 10))
        sink.flush()
        sink.commit(None)
        made.seek(name, None)
        assert len(first(made)) == 10
        until_lag(made, name, 0)
        sink.begin()
        sink.write("s", Out([b"2"] * 10))
        sink.flush()
        assert made.poll(100, 0.5) == []  # not committed yet: neither delivered nor lagging
        until_lag(made, name, 0)
        sink.abort()
        assert made.poll(100, 0.5) == []
        until_lag(made, name, 0)
        sink.begin()
        sink.write("s", Out([b"3"] * 10))
        sink.flush()
        sink.commit(None)
        assert first(made) == [b"3"] * 10
        until_lag(made, name, 0)


def until_lag(made: KafkaSource, partition: str, lag: int) -> None:
    deadline = time.monotonic() + 10
    while made.lag()[partition] != lag:
        assert time.monotonic() < deadline, made.lag()
        assert made.poll(100, 0.1) == []


def test_partitions_move_between_workers_without_loss(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topics = [make_topic(3), make_topic(3)]
    names = {f"{topic}-{number}" for topic in topics for number in range(3)}
    wanted = 600

    def send(begin: int) -> None:
        for topic in topics:
            for number in range(3):
                write(kafka.bootstrap, topic, "confluent", [b"x"] * 200, number=number)

    send(0)
    one = Member(source(kafka, topics, client, group=topics[0], rebalance="cooperative"), worker("one"))
    until(lambda: len(one.got) == 1200, [one])
    assert one.mine == names
    two = Member(source(kafka, topics, client, group=topics[0], rebalance="cooperative"), worker("two"))
    until(lambda: len(one.mine) == len(two.mine) == 3 and one.mine | two.mine == names, [one, two])
    assert all(how != "lost" for member in (one, two) for how, _ in member.told)
    send(200)
    until(lambda: len(one.got) + len(two.got) == 2400, [one, two])
    two.commit()
    two.source.close()
    send(400)
    until(lambda: one.mine == names, [one])
    until(lambda: len(one.got) + len(two.got) == 3600, [one])
    assert sorted(one.got + two.got) == sorted((name, offset) for name in names for offset in range(wanted))
    one.source.close()


def test_eager_rebalances(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    """Every rebalance takes everything and gives it anew."""
    topic = make_topic(2)

    def member(name: str) -> Member:
        return Member(source(kafka, topic, client, group=topic), worker(name))

    for number in range(2):
        write(kafka.bootstrap, topic, client, [b"x"] * 100, number=number)
    one = member("one")
    until(lambda: len(one.got) == 200, [one])
    two = member("two")
    until(lambda: len(one.mine) == len(two.mine) == 1 and one.mine != two.mine, [one, two])
    for number in range(2):
        write(kafka.bootstrap, topic, client, [b"x"] * 100, number=number)
    until(lambda: len(one.got) + len(two.got) == 400, [one, two])
    assert sorted(one.got + two.got) == [(f"{topic}-{number}", row) for number in range(2) for row in range(200)]
    for partition in one.mine:
        one.source.seek(partition, 150)
        until(lambda: len(one.got) + len(two.got) == 450, [one, two])
    one.source.close()
    two.source.close()


def test_kip_848(kafka: Kafka, make_topic: MakeTopic) -> None:
    topic = make_topic(4)
    names = {f"{topic}-{number}" for number in range(4)}
    for number in range(4):
        write(kafka.bootstrap, topic, "confluent", [b"x"] * 100, number=number)

    def member(name: str) -> Member:
        made = KafkaSource(
            bootstrap=kafka.bootstrap, topics=topic, group=topic, client="confluent", protocol="consumer"
        )
        return Member(made, worker(name))

    one = member("one")
    until(lambda: len(one.got) == 400, [one])
    two = member("two")
    until(lambda: len(one.mine) == len(two.mine) == 2 and one.mine | two.mine == names, [one, two])
    one.commit()
    two.commit()
    for number in range(4):
        write(kafka.bootstrap, topic, "confluent", [b"x"] * 100, number=number)
    until(lambda: len(one.got) + len(two.got) == 800, [one, two])
    assert sorted(one.got + two.got) == sorted((name, offset) for name in names for offset in range(200))
    one.source.close()
    two.source.close()


@pytest.mark.parametrize("how", [{"protocol": "consumer"}, {"rebalance": "cooperative"}], ids=str)
def test_a_seek_does_not_give_partitions_away(kafka: Kafka, make_topic: MakeTopic, how: dict[str, str]) -> None:
    """A rebalance waits for its callback: what is done between two polls must not be taken for the answer."""
    topic = make_topic(4)
    for number in range(4):
        write(kafka.bootstrap, topic, "confluent", [b"x"] * 100, number=number)

    def member(name: str) -> Member:
        made = KafkaSource(bootstrap=kafka.bootstrap, topics=topic, group=topic, client="confluent", **how)
        return Member(made, worker(name))

    one = member("one")
    until(lambda: len(one.got) == 400, [one])
    two = member("two")
    for _ in range(3):
        for partition in one.mine:
            one.source.seek(partition, 50)
        for _ in range(20):
            two.poll(0.1)
        assert not two.mine
    until(lambda: len(one.mine) == len(two.mine) == 2 and not one.mine & two.mine, [one, two])
    one.source.close()
    two.source.close()


def test_more_workers_than_partitions(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:  # F7
    topic = make_topic(1)
    members = [Member(source(kafka, topic, client, group=topic), worker(str(number))) for number in range(2)]
    write(kafka.bootstrap, topic, client, [b"x"] * 10)
    until(lambda: sum(len(member.got) for member in members) == 10, members)
    idle = next(member for member in members if not member.mine)
    assert idle.source.lag() == {}
    assert idle.source.poll(100, 0.1) == []
    for member in members:
        member.source.close()


def test_a_worker_that_comes_back_finds_its_partitions(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic(2)
    one = Member(source(kafka, topic, client, group=topic), worker("one"))
    two = Member(source(kafka, topic, client, group=topic), worker("two"))
    until(lambda: len(one.mine) == len(two.mine) == 1, [one, two])
    before, told = two.mine, len(one.told)
    two.source.close()
    two = Member(source(kafka, topic, client, group=topic), worker("two"))
    until(lambda: two.mine == before, [one, two])
    for _ in range(10):
        one.poll()
    assert len(one.told) == told  # nothing moved
    one.source.close()
    two.source.close()


def test_of_two_workers_with_one_name_the_first_is_fenced(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic(1)
    write(kafka.bootstrap, topic, client, [b"x"] * 10)
    one = Member(source(kafka, topic, client, group=topic), worker("one"))
    until(lambda: len(one.got) == 10, [one])
    two = Member(source(kafka, topic, client, group=topic), worker("one"))
    until(lambda: len(two.got) == 10, [two])

    def go_on() -> None:
        one.poll()
        one.source.commit({f"{topic}-0": Mark(3)})

    comes_to(FencedError, go_on)
    assert two.source.committed([f"{topic}-0"]) == {}
    one.source.close()
    two.source.close()


def test_a_name_that_is_still_taken_is_no_reason_to_wait_for_ever(kafka: Kafka, make_topic: MakeTopic) -> None:
    """KIP-848: until the session of a killed worker is over, the next one of its name is refused, by a fatal error."""
    topic = make_topic(1)
    made = {"client": "confluent", "group": topic, "protocol": "consumer", "options": None}
    one = Member(source(kafka, topic, **made), worker("one"))
    until(lambda: one.mine == {f"{topic}-0"}, [one])
    two = Member(source(kafka, topic, **made), worker("one"))
    comes_to(FencedError, two.poll)
    one.source.close()
    two.source.close()


def test_a_worker_that_polls_too_late_has_lost_its_partitions(  # F11
    kafka: Kafka, make_topic: MakeTopic, client: str
) -> None:
    topic = make_topic(1)
    name = f"{topic}-0"
    write(kafka.bootstrap, topic, client, [b"x"] * 10)
    one = Member(source(kafka, topic, client, group=topic, rebalance="cooperative", late=True), worker("one"))
    until(lambda: len(one.got) == 10, [one])
    two = Member(source(kafka, topic, client, group=topic, rebalance="cooperative"), worker("two"))
    until(lambda: two.mine == {name}, [two])  # meanwhile the first does not poll
    two.poll(1.0)
    two.commit()
    with pytest.raises(FencedError):
        one.source.commit({name: Mark(3)})
    until(lambda: one.told[-1] == ("lost", (name,)), [one])
    with pytest.raises(FencedError, match="no longer ours"):
        one.source.transaction_offsets({name: Mark(3)})
    assert two.source.committed([name]) == {name: Mark(10, "n")}
    one.source.close()
    two.source.close()


def test_notes_travel_with_positions(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic(2)
    write(kafka.bootstrap, topic, client, [b"x"] * 10, number=0)
    member = Member(source(kafka, topic, client, group=topic), worker())
    until(lambda: len(member.got) == 10, [member])
    note = '{"checkpoint": "é' + "0" * 3000 + '"}'
    member.source.commit({f"{topic}-0": Mark(4, note)})
    assert member.source.committed([f"{topic}-0", f"{topic}-1"]) == {f"{topic}-0": Mark(4, note)}
    member.source.close()


def test_a_callback_may_take_long_and_ask(kafka: Kafka, client: str, make_topic: MakeTopic) -> None:
    """The client calls back about other things when it is done, such as its statistics of each second."""
    topic = make_topic(2)
    write(kafka.bootstrap, topic, client, [b"1", b"2"])
    made = source(kafka, topic, client, group=topic)
    asked = []

    class Slow:
        def assigned(self, partitions: Sequence[str]) -> None:
            asked.append((made.partitions(), made.committed(partitions)))
            for partition in partitions:
                made.seek(partition, None)
            made.transaction_offsets({partition: Mark(0) for partition in partitions})
            time.sleep(2.5)

        def revoked(self, partitions: Sequence[str]) -> None: ...

        lost = revoked

    with made:
        made.open(worker())
        made.subscribe(Slow())
        got = 0
        while got < 2:
            got += sum(map(len, made.poll(10, 0.5)))
    assert asked[0] == ([f"{topic}-0", f"{topic}-1"], {})


def test_what_a_failing_callback_raises_comes_out_of_poll(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    class Failing:
        def assigned(self, partitions: object) -> None:
            raise PositionError("no checkpoint")

        def revoked(self, partitions: object) -> None: ...

        def lost(self, partitions: object) -> None: ...

    topic = make_topic()
    write(kafka.bootstrap, topic, client, [b"x"] * 10)
    with source(kafka, topic, client, group=topic) as made:
        made.open(worker())
        made.subscribe(Failing())
        assert comes_to(PositionError, lambda: made.poll(100, 0.2)) == "no checkpoint"


def test_a_missing_topic_names_its_like(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic()
    with pytest.raises(SourceError, match=f"no topic '{topic}x'.*did you mean .*{topic}"):
        source(kafka, f"{topic}x", client).open(worker())


def test_a_broker_that_is_not_there(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.CONNECT", 1.0)
    made = KafkaSource(bootstrap="127.0.0.1:1", topics="events", client=client)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1"):
        made.open(worker())


def test_an_option_that_the_client_does_not_know(kafka: Kafka, client: str) -> None:
    made = KafkaSource(bootstrap=kafka.bootstrap, topics="t", client=client, options={"no.such": 1})
    with pytest.raises(OptionError, match=r"no\.such"):
        made.open(worker())


def test_the_broker_is_killed_while_records_are_read(
    kafka: Kafka, make_topic: MakeTopic, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.ANSWER", 2.0)
    topic = make_topic(2)
    rows = 20_000
    for number in range(2):
        write(kafka.bootstrap, topic, "confluent", [b"x" * 200] * rows, number=number)
    broker = kafka.broker
    member = Member(KafkaSource(bootstrap=kafka.bootstrap, topics=topic, group=topic, client=client), worker())
    until(lambda: len(member.got) > 3000, [member])
    broker.kill()
    try:
        for _ in range(20):
            member.poll()
        with pytest.raises(SourceError):  # F16: not "nothing is committed"
            member.source.committed([f"{topic}-0"])
    finally:
        broker.restart()
    until(lambda: len(member.got) == 2 * rows, [member], 120)  # more than twice a session, for slow machines
    for number in range(2):
        assert [offset for name, offset in member.got if name == f"{topic}-{number}"] == list(range(rows))
    monkeypatch.undo()

    def commit() -> bool:
        try:
            member.commit()
        except SourceError:  # "commit again": the group is still putting itself in order
            return False
        return True

    until(commit, [member])
    assert {mark.position for mark in member.source.committed(sorted(member.mine)).values()} == {rows}
    member.source.close()


def test_reading_without_a_group(kafka: Kafka, make_topic: MakeTopic, client: str) -> None:
    topic = make_topic(2)
    write(kafka.bootstrap, topic, client, [b"%d" % row for row in range(100)])
    assert len(values(read_all(kafka.bootstrap, topic, client))) == 100
    made = source(kafka, topic, client)
    with made:
        made.open(worker())
        with pytest.raises(OptionError, match="needs a group"):
            made.subscribe(None)  # type: ignore[arg-type]
        made.assign([f"{topic}-1"])
        assert made.committed([f"{topic}-1"]) == {}
        with pytest.raises(SourceError, match="not assigned"):
            made.seek(f"{topic}-0", 0)
        assert made.poll(10, 0.1) == []  # not sought yet
        made.seek(f"{topic}-1", None)
        assert made.lag().keys() == {f"{topic}-1"}
