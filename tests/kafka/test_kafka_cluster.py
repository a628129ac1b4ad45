"""Three nodes, of which one is killed: what was acknowledged is there, and reading and writing go on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from streamlearn.connectors.kafka import KafkaSink, KafkaSource

from streamlearn.live import Mark
from streamlearn.testing import Broker
from tests.clusters import Kafka
from tests.kafka.harness import Member, Out, read_all, until, values, worker

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif("STREAMLEARN_LONG" not in os.environ, reason="three nodes need cores: set STREAMLEARN_LONG=1"),
]


@pytest.fixture(scope="module")
def cluster(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(kafka.broker.home, tmp_path_factory.mktemp("three"), nodes=3) as cluster:
        yield cluster


def test_a_node_is_killed_in_the_midst_of_transactions(cluster: Broker, client: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    events, outputs = f"events-{client}", f"outputs-{client}"
    for made in admin.create_topics([NewTopic(events, 3), NewTopic(outputs, 3)]).values():
        made.result(30)
    with KafkaSink(bootstrap=cluster.bootstrap, topic=events, client=client) as sink:
        sink.open(worker("writer"))
        for number in range(3):
            sink.write("s", Out([b"%d" % row for row in range(2000)], number=number))
        sink.flush()
    of = worker("0", "exactly-once", outputs)
    source = KafkaSource(bootstrap=cluster.bootstrap, topics=events, group=outputs, client=client)
    member = Member(source, of)
    with KafkaSink(bootstrap=cluster.bootstrap, topic=outputs, client=client) as sink:
        sink.open(of)
        done = turns = 0
        while done < 6000:
            until(lambda before=done: member.poll(1.0, 300) > 0 or len(member.got) > before)
            sink.begin()
            for records in member.records:
                written = [value for value in records.values if value is not None]
                sink.write("s", Out(written, number=source.number(records.partition)))
            if turns == 5:
                cluster.kill(turns % 3)
            sink.flush()
            sink.commit(source.transaction_offsets({name: Mark(at, str(turns)) for name, at in member.next.items()}))
            member.records.clear()
            done, turns = len(member.got), turns + 1
    cluster.restart()
    marks = source.committed([f"{events}-{number}" for number in range(3)])
    assert [mark.position for mark in marks.values()] == [2000] * 3
    source.close()
    found = read_all(cluster.bootstrap, outputs, client)
    for number in range(3):
        mine = [records for records in found if records.partition == f"{outputs}-{number}"]
        assert values(mine) == [b"%d" % row for row in range(2000)]
