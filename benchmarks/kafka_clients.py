"""What a record costs to read from a topic and to write to one: our source and sink beside the bare clients.

Runs against the cluster at STREAMLEARN_KAFKA, or against a broker of its own from the jars in KAFKA_HOME. Sides take
turns; each figure is the median over the rounds. The bare clients run as they are installed: kafka-python with its
checksum in Python, unless the package crc32c is there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import confluent_kafka
import kafka
from confluent_kafka.admin import AdminClient, NewTopic
from kafka.record import util
from streamlearn.connectors.kafka import KafkaSink, KafkaSource

from streamlearn.live import Worker
from streamlearn.sink import Encoded
from streamlearn.testing import Broker

VALUE = b"x" * 200
BATCH = 1000

Side = Callable[[int], None]


def sides(at: str) -> dict[str, Side]:
    """What is measured: each reads from, or writes to, partition 0 of a topic."""

    def bare_confluent(rows: int) -> None:
        config = {"bootstrap.servers": at, "group.id": "bare", "enable.auto.commit": False}
        consumer = confluent_kafka.Consumer(config)
        consumer.assign([confluent_kafka.TopicPartition("read", 0, 0)])
        while rows > 0:
            rows -= len([m.value() for m in consumer.consume(BATCH, 1.0) if m.error() is None])
        consumer.close()

    def bare_kafka_python(rows: int) -> None:
        util.calc_crc32c.__defaults__ = (util._crc32c,)
        part = kafka.TopicPartition("read", 0)
        consumer = kafka.KafkaConsumer(bootstrap_servers=at, enable_auto_commit=False, metrics_enabled=False)
        consumer.assign([part])
        consumer.seek(part, 0)
        while rows > 0:
            for records in consumer.poll(timeout_ms=50, max_records=BATCH).values():
                rows -= len([record.value for record in records])
        consumer.close()

    def read(client: str) -> Side:
        def run(rows: int) -> None:
            with KafkaSource(bootstrap=at, topics="read", client=client) as source:
                source.open(Worker("benchmark"))
                source.assign(["read-0"])
                source.seek("read-0", 0)
                while rows > 0:
                    rows -= sum(map(len, source.poll(BATCH, 0.05)))

        return run

    def bare_confluent_writing(rows: int) -> None:
        config = {"bootstrap.servers": at, "enable.idempotence": True, "linger.ms": 5}
        producer = confluent_kafka.Producer(config)
        for _ in range(rows):
            while True:
                try:
                    producer.produce("written", VALUE, partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()

    def bare_kafka_python_writing(rows: int) -> None:
        util.calc_crc32c.__defaults__ = (util._crc32c,)
        producer = kafka.KafkaProducer(bootstrap_servers=at, linger_ms=5, batch_size=256 << 10, metrics_enabled=False)
        for _ in range(rows):
            producer.send("written", VALUE, partition=0)
        producer.flush()
        producer.close()

    def write(client: str) -> Side:
        def run(rows: int) -> None:
            with KafkaSink(bootstrap=at, topic="written", client=client) as sink:
                sink.open(Worker("benchmark"))
                for _ in range(0, rows, BATCH):
                    sink.write("s", Encoded([VALUE] * BATCH, number=0))
                sink.flush()

        return run

    return {
        "read, confluent-kafka, bare": bare_confluent,
        "read, confluent-kafka, source": read("confluent"),
        "read, kafka-python, bare": bare_kafka_python,
        "read, kafka-python, source": read("kafka-python"),
        "write, confluent-kafka, bare": bare_confluent_writing,
        "write, confluent-kafka, sink": write("confluent"),
        "write, kafka-python, bare": bare_kafka_python_writing,
        "write, kafka-python, sink": write("kafka-python"),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one line for each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="records a round (default 100000)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    with ExitStack() as stack:
        at = os.environ.get("STREAMLEARN_KAFKA")
        if not at:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            at = stack.enter_context(Broker(os.environ["KAFKA_HOME"], folder)).bootstrap
        admin = AdminClient({"bootstrap.servers": at})
        for made in admin.create_topics([NewTopic("read", 1), NewTopic("written", 1)]).values():
            made.result(30)
        with KafkaSink(bootstrap=at, topic="read") as sink:
            sink.open(Worker("benchmark"))
            for _ in range(0, options.rows + BATCH, BATCH):
                sink.write("s", Encoded([VALUE] * BATCH, number=0))
            sink.flush()
        print(f"{'side':<32} {'CPU µs a record':>16} {'wall':>8}")
        measured: dict[str, list[tuple[float, float]]] = {}
        for turn in range(options.rounds + 1):  # the first warms up
            for title, side in sides(at).items():
                cpu, wall = time.process_time(), time.perf_counter()
                side(options.rows)
                seconds = time.process_time() - cpu, time.perf_counter() - wall
                if turn:
                    measured.setdefault(title, []).append(seconds)
        for title, turns in measured.items():
            cpu, wall = (1e6 / options.rows * statistics.median(column) for column in zip(*turns, strict=True))
            print(f"{title:<32} {cpu:>16.2f} {wall:>8.2f}")


if __name__ == "__main__":
    main()
