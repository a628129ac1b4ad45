"""A Kafka to measure on: a running one, or one started from a folder of its jars; and topics on it."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streamlearn.testing.kafka_broker import Broker

from .events import Events


class Cluster:
    """A cluster by its addresses."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def topic(self, name: str, **config: str) -> str:
        """A new topic of one partition."""
        full = f"bench-{secrets.token_hex(3)}-{name}"
        self._admin.create_topics([NewTopic(full, 1, config=config)])[full].result(30)
        return full

    def delete(self, *topics: str) -> None:
        """Remove topics."""
        for done in self._admin.delete_topics(list(topics)).values():
            done.result(30)

    def fill(self, topic: str, rows: int, first: int = 0) -> float:
        """Write so many events; their mean length in bytes."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20, "batch.num.messages": 50_000})
        events, size = Events(first), 0
        for start in range(0, rows, 10_000):
            for value in events.take(min(10_000, rows - start)):
                size += len(value)
                producer.produce(topic, value, partition=0)
            producer.flush()
        return size / rows


@contextmanager
def cluster(bootstrap: str | None) -> Iterator[Cluster]:
    """A running cluster by its address, or a broker started from ``KAFKA_HOME``."""
    if bootstrap is not None:
        yield Cluster(bootstrap)
        return
    home = os.environ.get("KAFKA_HOME")
    if home is None:
        raise SystemExit("give --bootstrap HOST:PORT, or name a folder of Kafka's jars in KAFKA_HOME")
    with tempfile.TemporaryDirectory(prefix="streamlearn-kafka-") as folder, Broker(home, folder) as broker:
        yield Cluster(broker.bootstrap)
