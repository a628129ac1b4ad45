"""What the Kafka source and sink check before they connect."""

from __future__ import annotations

import importlib.util
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from streamlearn.connectors.kafka import KafkaSink, KafkaSource
from streamlearn.connectors.kafka.client import Column, Part, Reader, Run, choose

from streamlearn import registry
from streamlearn.errors import MissingExtraError, OptionError, SourceError
from streamlearn.live import Worker

AT = "127.0.0.1:9092"


def test_both_are_registered() -> None:
    assert registry.load("live_sources", "kafka") is KafkaSource
    assert registry.load("sinks", "kafka") is KafkaSink


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"topics": []}, "topics must be"),
        ({"bootstrap": " , "}, "bootstrap must name a broker"),
        ({"start": "newest"}, "start must be"),
        ({"start": {"timestamp": "yesterday"}}, "'yesterday' is not a time"),
        ({"start": {"timestamp": 1_700_000_000_000}}, "not a time"),  # milliseconds
        ({"start": {"offset": 3}}, "start must be"),
        ({"client": "librdkafka"}, "client must be"),
        ({"protocol": "kip-848"}, "protocol must be"),
        ({"protocol": "consumer", "client": "kafka-python"}, "needs client=.confluent"),
        ({"on_expired": "ignore"}, "on_expired must be"),
        ({"client": "confluent", "options": {"group.id": "g"}}, "write it as group"),
        ({"client": "confluent", "options": {"enable.auto.commit": True}}, "commits positions itself"),
        ({"client": "kafka-python", "options": {"auto_offset_reset": "latest"}}, "write it as start"),
        ({"client": "confluent", "options": {"partition.assignment.strategy": "cooperative-sticky"}}, "as rebalance"),
        ({"client": "kafka-python", "options": {"group_instance_id": "mine"}}, "as rebalance"),
        ({"client": "kafka-python", "options": {"value_deserializer": str}}, "choose a format"),
    ],
)
def test_what_a_source_refuses(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        KafkaSource(**{"bootstrap": AT, "topics": "events", **options})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"topic": ""}, "topic must be"),
        ({"client": "confluent", "options": {"acks": 1}}, "always all"),
        ({"client": "kafka-python", "options": {"transactional_id": "mine"}}, "pipeline's and the worker's name"),
    ],
)
def test_what_a_sink_refuses(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        KafkaSink(**{"bootstrap": AT, "topic": "predictions", **options})


@pytest.mark.parametrize("name", ["isolation.level", "isolation_level"])
def test_exactly_once_reads_committed_records(name: str) -> None:
    source = KafkaSource(bootstrap=AT, topics="events", options={name: "read_uncommitted"})
    with pytest.raises(OptionError, match="read_committed"):
        source.open(Worker("p", guarantee="exactly-once"))


def test_the_client_is_the_faster_one_or_the_one_whose_names_the_options_bear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose("auto", {}) == "confluent"
    assert choose("auto", {"security.protocol": "SSL", "oauth_cb": print}) == "confluent"
    assert choose("auto", {"security_protocol": "SSL"}) == "kafka-python"
    assert choose("kafka-python", {}) == "kafka-python"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose("auto", {}) == "kafka-python"
    with pytest.raises(MissingExtraError, match=r"streamlearn\[confluent\]"):
        choose("confluent", {})


def test_passwords_are_not_shown() -> None:
    for made in (
        KafkaSource(bootstrap=AT, topics="events", options={"sasl.password": "hearts!"}),
        KafkaSink(bootstrap=AT, topic="predictions", options={"sasl.password": "hearts!"}),
    ):
        assert "hearts!" not in repr(made)
        assert "options" in repr(made)


def test_partitions_are_named_after_topics_that_may_have_hyphens() -> None:
    part = Part.named("my-events-12")
    assert part == Part("my-events", 12)
    assert part.name == "my-events-12"
    for wrong in ("events", "events-", "events-x"):
        with pytest.raises(SourceError, match="is no partition"):
            Part.named(wrong)


def test_a_column_is_made_when_it_is_asked_for_and_once() -> None:
    calls = []

    def make() -> list[int]:
        calls.append(1)
        return [1, 2, 3]

    column = Column(make, 3)
    assert len(column) == 3
    assert calls == []
    assert list(column) == [1, 2, 3]
    assert column[-1] == 3
    assert column[:2] == [1, 2]
    assert calls == [1]


def test_records_of_before_a_seek_are_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(begin: int, end: int) -> Run:
        rows = list(range(begin, end))
        values = [b"%d" % row for row in rows]
        times = {row: -1 if row % 2 else 1000 * row for row in range(len(rows))}.__getitem__
        return Run(
            Part("t", 0), np.array(rows), values, Column(lambda: list(values), len(rows)), [()] * len(rows), times
        )

    reader = Mock(spec=Reader)
    reader.partitions.return_value = [0]
    reader.ends.return_value = (0, 100)
    monkeypatch.setattr("streamlearn.connectors.kafka.source.open_reader", lambda *_: reader)
    source = KafkaSource(bootstrap=AT, topics="t")
    source.open(Worker("p"))
    source.assign(["t-0"])
    reader.poll.return_value = [run(0, 10)]
    assert source.poll(100, 0.1) == []  # not sought yet
    source.seek("t-0", 20)
    reader.poll.return_value = [run(10, 20), run(15, 25), run(25, 30)]
    first, second = source.poll(100, 0.1)
    assert first.offsets.tolist() == [20, 21, 22, 23, 24]
    assert first.values == first.keys == [b"20", b"21", b"22", b"23", b"24"]
    assert (first.next, second.next) == (25, 30)
    np.testing.assert_array_equal(first.times, [np.nan, 6, np.nan, 8, np.nan])
    np.testing.assert_array_equal(first.slice(1, 4).times, [6, np.nan, 8])
    assert first.times[-2] == 8


def test_what_is_not_open_says_so() -> None:
    source = KafkaSource(bootstrap=AT, topics="events")
    with pytest.raises(SourceError, match="not open"):
        source.partitions()
    source.close()
